//! What the client does while Nango does badly: over real sockets, in real time.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use patchbay::server::nango::{
    NangoError, NangoService,
    sessions::{Flow, Session},
};

use crate::stub::{Reply, Stub, service};

const LIST: &str = r#"{"connections":[]}"#;
const SESSION: &str = r#"{"data":{"token":"t","expires_at":""}}"#;
const CREATED: &str = r#"{"connectionId":"c","providerConfigKey":"k"}"#;

pub async fn session(nango: &NangoService, reconnect: Option<&str>) -> Result<Session, NangoError> {
    nango
        .create_connection(Flow {
            provider_config_key: "k",
            tags: BTreeMap::new(),
            connection_config: &BTreeMap::new(),
            params: &BTreeMap::new(),
            reconnect,
            webhook_url_override: None,
        })
        .await
}

fn paths(stub: &Stub) -> Vec<String> {
    let all = stub.seen().into_iter();
    all.map(|seen| format!("{} {}", seen.method, seen.path))
        .collect()
}

fn unavailable() -> Reply {
    Reply::html(503, "<html><body>down</body></html>")
}

#[tokio::test]
async fn what_is_safe_is_tried_three_times() {
    let stub = Stub::script(vec![unavailable(), unavailable(), Reply::json(200, LIST)]).await;
    assert_eq!(stub.service().list_connections(1, 0).await, Ok(vec![]));
    assert_eq!(paths(&stub), ["GET /connections"; 3]);

    let stub = Stub::script(vec![unavailable()]).await;
    let error = stub.service().list_connections(1, 0).await.unwrap_err();
    assert_eq!(
        error,
        NangoError::Failed {
            status: 503,
            code: "unreadable".to_owned(),
            message: "down".to_owned()
        }
    );
    assert_eq!(paths(&stub), ["GET /connections"; 3]);

    let gone = Reply::json(400, r#"{"error":{"code":"unknown_connection"}}"#);
    let stub = Stub::script(vec![unavailable(), gone]).await;
    assert_eq!(stub.service().delete_connection("c", "k").await, Ok(()));
    assert_eq!(paths(&stub), ["DELETE /connections/c"; 2]);

    let stub = Stub::script(vec![unavailable(), Reply::json(201, SESSION)]).await;
    session(&stub.service(), None).await.expect("a session");
    assert_eq!(paths(&stub), ["POST /connect/sessions"; 2]);
    session(&stub.service(), Some("c"))
        .await
        .expect("a session");
    assert_eq!(paths(&stub)[2..], ["POST /connect/sessions/reconnect"; 2]);
}

#[tokio::test]
async fn a_500_is_repeated_for_a_read_only() {
    let failed = Reply::json(
        500,
        r#"{"error":{"code":"generic_error_support","message":"m"}}"#,
    );
    let stub = Stub::script(vec![failed.clone(), Reply::json(200, LIST)]).await;
    assert!(stub.service().list_connections(1, 0).await.is_ok());
    let stub = Stub::script(vec![failed]).await;
    let error = session(&stub.service(), None).await.unwrap_err();
    assert_eq!(
        error,
        NangoError::Failed {
            status: 500,
            code: "generic_error_support".to_owned(),
            message: "m".to_owned()
        }
    );
    assert_eq!(stub.seen().len(), 1);
}

#[tokio::test]
async fn typed_credentials_are_never_sent_twice() {
    for bad in [
        unavailable(),
        Reply::cut_off(CREATED),
        Reply::json(429, "{}"),
    ] {
        let stub = Stub::start(move |seen, _| match seen.path.as_str() {
            "/connect/sessions" => Reply::json(201, SESSION),
            "/connect/session" => Reply::json(404, "{}"),
            _ => bad.clone(),
        })
        .await;
        let nango = stub.service();
        let session = session(&nango, None).await.expect("a session");
        for mode in ["API_KEY", "NONE"] {
            let typed = nango
                .create_with_credentials(&session, mode, &BTreeMap::new())
                .await;
            assert!(typed.is_err());
            if matches!(typed, Err(NangoError::RateLimited { .. })) {
                break;
            }
        }
        assert!(nango.start_outbound(&session).await.is_err());
        let mut started = paths(&stub);
        started.retain(|path| !path.contains("/connect/"));
        let all = started.len();
        started.sort();
        started.dedup();
        assert_eq!(started.len(), all, "{started:?}");
    }
}

#[tokio::test]
async fn a_line_that_is_cut_is_tried_again_and_a_dead_port_is_told() {
    let stub = Stub::script(vec![
        Reply::cut_off(LIST),
        Reply::Bytes(vec![]),
        Reply::json(200, LIST),
    ])
    .await;
    assert!(stub.service().list_connections(1, 0).await.is_ok());
    assert_eq!(stub.seen().len(), 3);
    let base = stub.base.clone();
    drop(stub);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let error = service(&base, Duration::from_secs(5), None)
        .list_integrations()
        .await;
    let Err(NangoError::Unreachable { reason }) = error else {
        panic!("{error:?}");
    };
    assert!(!reason.contains("127.0.0.1"), "{reason}");
}

#[tokio::test]
async fn silence_ends_with_the_deadline() {
    let stub = Stub::script(vec![Reply::Silence]).await;
    let nango = stub.patient(Duration::from_millis(800));
    let started = Instant::now();
    let error = nango.list_connections(1, 0).await.unwrap_err();
    assert_eq!(
        error,
        NangoError::Unreachable {
            reason: "no answer in time".to_owned()
        }
    );
    let took = started.elapsed();
    assert!(took < Duration::from_millis(1200), "{took:?}");
    let tries = stub.seen().len();
    assert!((2..=3).contains(&tries), "{tries} tries");
    // One slow answer and then a good one.
    let stub = Stub::script(vec![Reply::Silence, Reply::json(200, LIST)]).await;
    let nango = stub.patient(Duration::from_millis(800));
    assert!(nango.list_connections(1, 0).await.is_ok());
}

#[tokio::test]
async fn retry_after_is_obeyed_by_everybody() {
    let limited = Reply::new(
        429,
        &[("retry-after", "1"), ("x-ratelimit-remaining", "0")],
        b"{}",
    );
    let stub = Stub::script(vec![limited, Reply::json(200, LIST)]).await;
    let nango = stub.service();
    let (background, started) = (nango.background(), Instant::now());
    let (first, second, third) = tokio::join!(
        nango.list_connections(1, 0),
        async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            nango.list_connections(1, 0).await
        },
        async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            background.list_connections(1, 0).await
        },
    );
    assert!(first.is_ok() && second.is_ok() && third.is_ok());
    let took = started.elapsed();
    assert!(
        took >= Duration::from_secs(1) && took < Duration::from_secs(3),
        "{took:?}"
    );
    assert_eq!(stub.seen().len(), 4);
}

#[tokio::test]
async fn a_wait_beyond_the_deadline_is_told_at_once() {
    let now = "Sun, 22 Nov 2026 06:00:00 GMT";
    let until = [
        vec![("retry-after", "57")],
        vec![
            ("date", now),
            ("retry-after", "Sun, 22 Nov 2026 06:00:57 GMT"),
        ],
        vec![
            ("date", now),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1795327257"),
        ],
    ];
    for (index, headers) in until.iter().enumerate() {
        let stub = Stub::script(vec![Reply::new(429, headers, b"{}")]).await;
        let nango = stub.service();
        let started = Instant::now();
        let said = (index < 2).then_some(57);
        let first = nango.list_connections(1, 0).await;
        assert_eq!(
            first,
            Err(NangoError::RateLimited {
                retry_after_seconds: said
            }),
            "{index}"
        );
        for nango in [nango.clone(), nango.background()] {
            let next = nango.list_integrations().await.unwrap_err();
            assert!(matches!(next, NangoError::RateLimited { .. }), "{next:?}");
            assert!(
                (50..=57).contains(&next.retry_after_seconds().unwrap()),
                "{next:?}"
            );
        }
        assert!(started.elapsed() < Duration::from_secs(2));
        // Nothing more was sent; and it is not a failure of Nango's.
        assert_eq!(stub.seen().len(), 1);
        assert_eq!(nango.paused(), None);
        // A session's token is counted apart.
        let facts = nango.connect_session_facts(&"t".to_owned().into()).await;
        assert_eq!(facts.unwrap_err().status(), Some(404));
    }
}

#[tokio::test]
async fn the_last_call_allowed_closes_the_door_too() {
    let headers = [
        ("date", "Sun, 22 Nov 2026 06:00:00 GMT"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "1795327230"),
    ];
    let stub = Stub::script(vec![Reply::new(200, &headers, LIST.as_bytes())]).await;
    let nango = stub.service();
    assert!(nango.list_connections(1, 0).await.is_ok());
    let next = nango.list_connections(1, 0).await.unwrap_err();
    assert_eq!(
        next,
        NangoError::RateLimited {
            retry_after_seconds: Some(30)
        }
    );
    assert_eq!(stub.seen().len(), 1);
}

#[tokio::test]
async fn the_background_leaves_half_to_people() {
    let stub = Stub::script(vec![Reply::json(200, LIST)]).await;
    let nango = service(&stub.base, Duration::from_millis(300), Some(4));
    let background = nango.background();
    for _ in 0..3 {
        assert!(background.list_connections(1, 0).await.is_ok());
    }
    let busy = background.list_connections(1, 0).await;
    assert!(matches!(busy, Err(NangoError::Busy { .. })), "{busy:?}");
    assert!(nango.list_connections(1, 0).await.is_ok());
    let busy = nango.list_connections(1, 0).await;
    assert!(matches!(busy, Err(NangoError::Busy { .. })), "{busy:?}");
    assert_eq!(stub.seen().len(), 4);
    // Sixty a second come back: both wait, and both go.
    let nango = service(&stub.base, Duration::from_secs(2), Some(3600));
    for nango in [nango.background(), nango] {
        for _ in 0..5 {
            assert!(nango.list_connections(1, 0).await.is_ok());
        }
    }
}

#[tokio::test]
async fn a_dead_nango_is_left_in_peace_until_a_probe_finds_it_back() {
    let stub = Stub::start(|_, nth| match nth {
        0..5 => unavailable(),
        5 => Reply::Silence,
        _ => Reply::json(404, r#"{"error":{"code":"not_found"}}"#),
    })
    .await;
    let nango = stub.service();
    let mut pauses = nango.pauses();
    assert!(!*pauses.borrow_and_update());
    for _ in 0..2 {
        let error = nango.list_connections(1, 0).await.unwrap_err();
        assert_eq!(error.status(), Some(503));
    }
    assert_eq!(stub.seen().len(), 5);
    assert!(pauses.has_changed().unwrap() && *pauses.borrow_and_update());
    // The stub's chance is always the worst: four seconds.
    let left = nango.paused().expect("paused");
    assert!(
        left <= Duration::from_secs(4) && left > Duration::from_secs(2),
        "{left:?}"
    );
    let started = Instant::now();
    for nango in [nango.clone(), nango.background()] {
        let error = nango.list_integrations().await.unwrap_err();
        assert!(
            matches!(
                error,
                NangoError::Paused {
                    retry_after_seconds: 3..=4
                }
            ),
            "{error:?}"
        );
        let error = session(&nango, None).await.unwrap_err();
        assert!(matches!(error, NangoError::Paused { .. }), "{error:?}");
    }
    assert!(started.elapsed() < Duration::from_millis(500));
    assert_eq!(stub.seen().len(), 5);
    tokio::time::sleep(left + Duration::from_millis(20)).await;
    assert_eq!(nango.paused(), None);
    // A probe that somebody gives up says nothing: the next call is the probe.
    let given_up = nango.list_connections(1, 0);
    assert!(
        tokio::time::timeout(Duration::from_millis(200), given_up)
            .await
            .is_err()
    );
    assert!(*pauses.borrow_and_update());
    // A refusal is an answer: Nango is back.
    assert_eq!(
        nango.list_connections(1, 0).await.unwrap_err().code(),
        Some("not_found")
    );
    assert!(!*pauses.borrow_and_update());
    assert_eq!(
        nango.list_connections(1, 0).await.unwrap_err().code(),
        Some("not_found")
    );
}
