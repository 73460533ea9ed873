//! Answers that are no JSON, or say no: a clear error, and never a secret in it.

use std::collections::BTreeMap;

use patchbay::server::nango::{NangoError, NangoService};
use secrecy::SecretString;

use crate::{
    holding::session,
    stub::{KEY, Reply, Stub},
};

async fn error(reply: Reply) -> NangoError {
    let stub = Stub::script(vec![reply]).await;
    stub.service().list_connections(1, 0).await.unwrap_err()
}

#[tokio::test]
async fn html_and_plain_text_are_read_as_a_person_would() {
    let page = "<!doctype html><html><head><style>p{color:red}</style><script>let a='<b>';</script>\
        <title>404</title></head><body><p>Cannot  POST\n/x</p></body></html>";
    assert_eq!(
        error(Reply::html(404, page)).await,
        NangoError::Refused {
            status: 404,
            code: "unreadable".to_owned(),
            message: "404 Cannot POST /x".to_owned()
        }
    );
    let plain = Reply::new(502, &[("content-type", "text/plain")], b"upstream is away");
    assert_eq!(
        error(plain).await,
        NangoError::Failed {
            status: 502,
            code: "unreadable".to_owned(),
            message: "upstream is away".to_owned()
        }
    );
    let long = "ä".repeat(5000);
    let NangoError::Refused { message, .. } = error(Reply::html(418, &long)).await else {
        panic!("no refusal");
    };
    assert_eq!(message.chars().count(), 201);
    assert_eq!(
        error(Reply::html(200, "<h1>Sign in to the network</h1>")).await,
        NangoError::Unreadable {
            status: 200,
            reason: "it is no JSON: Sign in to the network".to_owned()
        }
    );
    assert!(matches!(
        error(Reply::html(401, "no")).await,
        NangoError::Unauthorized { .. }
    ));
    let moved = Reply::new(302, &[("location", "https://elsewhere.example")], b"");
    assert!(matches!(
        error(moved).await,
        NangoError::Unreadable { status: 302, .. }
    ));
    assert!(matches!(
        error(Reply::json(204, "")).await,
        NangoError::Unreadable { status: 204, .. }
    ));
}

#[tokio::test]
async fn half_an_answer_and_another_shape_are_told_without_their_text() {
    let half =
        r#"{"connection_id":"c","provider_config_key":"k","credentials":{"access_token":"hush"#;
    let other = r#"{"connections":"hush"}"#;
    for (body, reason) in [
        (half, "it is cut off"),
        (other, "another shape at column 21"),
    ] {
        assert_eq!(
            error(Reply::json(200, body)).await,
            NangoError::Unreadable {
                status: 200,
                reason: reason.to_owned()
            }
        );
    }
    let mut deep = "[".repeat(100_000);
    deep.push_str(&"]".repeat(100_000));
    assert!(matches!(
        error(Reply::json(200, &deep)).await,
        NangoError::Unreadable { .. }
    ));
    let Reply::Bytes(endless) = Reply::json(200, &"x".repeat(9 * 1024 * 1024)) else {
        panic!("no bytes");
    };
    let NangoError::Unreadable { reason, .. } = error(Reply::Bytes(endless)).await else {
        panic!("read");
    };
    assert_eq!(reason, "the answer is too long");
}

#[tokio::test]
async fn a_scope_the_key_lacks_is_named() {
    let lacking = |message: &str| {
        let body = format!(r#"{{"error":{{"code":"forbidden","message":"{message}"}}}}"#);
        error(Reply::json(403, &body))
    };
    let one = lacking("Insufficient scope. Required: environment:connections:list").await;
    assert_eq!(one.missing_scopes(), ["environment:connections:list"]);
    let two = lacking("Insufficient scope. Required one of: a:read or a:read_credentials").await;
    assert_eq!(two.missing_scopes(), ["a:read", "a:read_credentials"]);
    let none = lacking("You are not allowed to override the docs connect url").await;
    assert!(none.missing_scopes().is_empty());
    assert_eq!(none.code(), Some("forbidden"));
}

#[tokio::test]
async fn odd_errors_keep_what_they_say() {
    for (body, code, message) in [
        (r#"{"error":"nope"}"#, "unknown", "nope"),
        (r#"{"message":"top"}"#, "unknown", "top"),
        (r#"{"error":{"code":7,"message":[]}}"#, "unknown", ""),
        (r#"[]"#, "unknown", ""),
        (r#"{"error":{"code":"c","errors":"x"}}"#, "c", ""),
        (
            r#"{"error":{"code":"invalid_body","errors":[{"message":"a","path":["tags",0]},{"message":"b","path":[]}]}}"#,
            "invalid_body",
            "a (tags.0); b",
        ),
    ] {
        let wanted = NangoError::Refused {
            status: 400,
            code: code.to_owned(),
            message: message.to_owned(),
        };
        assert_eq!(error(Reply::json(400, body)).await, wanted, "{body}");
    }
}

async fn typed(nango: &NangoService, secret: &str) -> NangoError {
    let session = session(nango, None).await.expect("a session");
    let credentials = BTreeMap::from([("apiKey".to_owned(), SecretString::from(secret))]);
    nango
        .create_with_credentials(&session, "API_KEY", &credentials)
        .await
        .unwrap_err()
}

#[tokio::test]
async fn no_error_repeats_a_secret() {
    let token = "nango_connect_session_00338eee2000383e5c839154efb69046";
    let echo = format!("the key {KEY} and {token} are wrong");
    let as_json = serde_json::json!({"error": {"code": "c", "message": echo}}).to_string();
    for reply in [
        Reply::json(400, &as_json),
        Reply::html(400, &echo),
        Reply::html(500, &echo),
    ] {
        let said = error(reply).await.to_string();
        assert!(!said.contains(KEY) && !said.contains(token), "{said}");
        assert!(said.contains("the key … and … are wrong"), "{said}");
    }
    let secret = "s3cret-of-a-person";
    let body = format!(r#"{{"error":{{"code":"c","message":"bad {secret}"}}}}"#);
    for reply in [
        Reply::json(400, &body),
        Reply::html(400, secret),
        Reply::html(200, secret),
        // Part of it, or in another writing, cannot be found and replaced.
        Reply::html(400, "s3cret%2Dof%2Da%2Dperson"),
    ] {
        let stub = Stub::start(move |seen, _| match seen.path.as_str() {
            "/connect/sessions" => {
                Reply::json(201, r#"{"data":{"token":"t0ken","expires_at":""}}"#)
            }
            "/connect/session" => Reply::json(404, "{}"),
            _ => reply.clone(),
        })
        .await;
        let error = typed(&stub.service(), secret).await;
        let said = format!("{error} {error:?}");
        assert!(!said.contains("s3cret"), "{said}");
    }
}

/// It is the person's session that is over, not the server's key that is wrong.
#[tokio::test]
async fn an_expired_session_is_not_a_wrong_key() {
    let expired =
        r#"{"error":{"code":"unknown_connect_session_token","message":"m","payload":{}}}"#;
    let stub = Stub::start(move |seen, _| match seen.path.as_str() {
        "/connect/sessions" => Reply::json(201, r#"{"data":{"token":"t0ken","expires_at":""}}"#),
        _ => Reply::json(401, expired),
    })
    .await;
    let nango = stub.service();
    let error = typed(&nango, "secret").await;
    assert!(
        matches!(error, NangoError::Refused { status: 401, .. }),
        "{error:?}"
    );
    assert_eq!(error.code(), Some("unknown_connect_session_token"));
    let error = nango.list_integrations().await.unwrap_err();
    assert!(
        matches!(error, NangoError::Unauthorized { .. }),
        "{error:?}"
    );
}
