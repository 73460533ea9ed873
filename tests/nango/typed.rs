//! Starts with typed credentials: what their failures mean, whom they concern, and what is never
//! kept of them.

use std::{collections::BTreeMap, time::Duration};

use patchbay::server::nango::{NangoError, NangoService, sessions::Flow};
use secrecy::SecretString;
use serde_json::json;

use crate::{
    holding::session,
    stub::{Reply, Stub, service},
};

/// A Nango that gives sessions, and this to every start.
async fn stub(reply: Reply) -> Stub {
    Stub::start(move |seen, _| match seen.path.as_str() {
        "/connect/sessions" => Reply::json(201, r#"{"data":{"token":"t0ken","expires_at":""}}"#),
        "/connect/session" => Reply::json(404, "{}"),
        _ => reply.clone(),
    })
    .await
}

async fn typed(nango: &NangoService, mode: &str, secret: &str) -> NangoError {
    let session = session(nango, None).await.expect("a session");
    let names = ["apiKey", "password", "client_secret", "privateKey"];
    let credentials = names.map(|name| (name.to_owned(), SecretString::from(secret)));
    nango
        .create_with_credentials(&session, mode, &BTreeMap::from(credentials))
        .await
        .unwrap_err()
}

#[tokio::test]
async fn what_one_person_types_pauses_nobody() {
    for reply in [
        Reply::Silence,
        Reply::json(502, r#"{"error":{"code":"aws_sigv4_sts_request_failed"}}"#),
        Reply::html(503, "down"),
        Reply::cut_off("{"),
    ] {
        let stub = stub(reply).await;
        let nango = stub.patient(Duration::from_millis(150));
        let session = session(&nango, None).await.expect("a session");
        // Any answer would make the breaker forget: nothing else is called between them.
        for _ in 0..7 {
            let nothing = BTreeMap::new();
            let error = nango
                .create_with_credentials(&session, "API_KEY", &nothing)
                .await;
            assert!(error.is_err());
        }
        assert_eq!(nango.paused(), None);
        assert!(!*nango.pauses().borrow());
    }
}

#[tokio::test]
async fn a_nango_that_takes_no_line_is_dead_for_everybody() {
    let stub = stub(Reply::Silence).await;
    let nango = service(&stub.base, Duration::from_secs(2), None);
    let session = session(&nango, None).await.expect("a session");
    // What the client asks by the way has been answered.
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(stub);
    tokio::time::sleep(Duration::from_millis(50)).await;
    for _ in 0..5 {
        let nothing = BTreeMap::new();
        let error = nango
            .create_with_credentials(&session, "API_KEY", &nothing)
            .await;
        assert!(
            matches!(error, Err(NangoError::Unreachable { .. })),
            "{error:?}"
        );
    }
    assert!(nango.paused().is_some());
}

#[tokio::test]
async fn each_mode_says_no_in_its_own_way() {
    for (mode, status, code) in [
        ("API_KEY", 400, "connection_test_failed"),
        ("BASIC", 400, "connection_validation_failed"),
        ("OAUTH2_CC", 400, "client_credentials_fetch_error"),
        ("TBA", 200, "invalid_credentials"),
        ("AWS_SIGV4", 502, "aws_sigv4_sts_request_failed"),
        ("JWT", 500, "failed_to_generate"),
        ("TWO_STEP", 400, "two_step_credentials_fetch_error"),
        ("TWO_STEP", 400, "invalid_two_step_credentials"),
        (
            "TWO_STEP",
            500,
            "unhandled_invalid_two_step_credentials_step_0",
        ),
    ] {
        let body = json!({"error": {"code": code, "message": "m", "payload": {}}});
        let stub = stub(Reply::json(status, &body.to_string())).await;
        let error = typed(&stub.service(), mode, "s3cret").await;
        assert!(error.is_credential_refusal(), "{mode}: {error:?}");
        assert_eq!((error.status(), error.code()), (Some(status), Some(code)));
    }
    // These say nothing of what was typed.
    for (status, code) in [
        (400, "invalid_connection"),
        (400, "invalid_body"),
        (404, "unknown_provider_config"),
        (500, "server_error"),
        (401, "unknown_connect_session_token"),
    ] {
        let body = json!({"error": {"code": code}});
        let stub = stub(Reply::json(status, &body.to_string())).await;
        let error = typed(&stub.service(), "API_KEY", "s3cret").await;
        assert!(!error.is_credential_refusal(), "{error:?}");
        assert_eq!(error.code(), Some(code));
    }
    let stub = stub(Reply::json(200, r#"{"error":null,"connectionId":7}"#)).await;
    let error = typed(&stub.service(), "API_KEY", "s3cret").await;
    assert!(matches!(error, NangoError::Unreadable { .. }), "{error:?}");
}

/// A secret comes back as the provider, its library and Nango have written it.
#[tokio::test]
async fn no_writing_of_a_secret_is_kept() {
    let pem =
        "-----BEGIN PRIVATE KEY-----\nMIGTAgEAMBMG\nByqGSM49AgEG\n-----END PRIVATE KEY-----\n";
    let quoted = r#"pass"word\with'quotes"#;
    for (secret, parts) in [
        (pem, ["MIGTAgEAMBMG", "ByqGSM49AgEG"]),
        (quoted, ["pass", "quotes"]),
    ] {
        let once = json!({ "sent": secret }).to_string();
        let twice = json!(once).to_string();
        for said in [secret.to_owned(), once, twice] {
            let refusal = json!({"error": {"code": "connection_test_failed", "message": said,
                "errors": [{"message": said, "path": [said]}]}});
            let as_code = json!({"error": {"code": said}});
            for reply in [
                Reply::json(400, &refusal.to_string()),
                Reply::json(500, &refusal.to_string()),
                Reply::json(200, &refusal.to_string()),
                Reply::json(400, &as_code.to_string()),
                Reply::html(502, &said),
            ] {
                let stub = stub(reply).await;
                let error = typed(&stub.service(), "API_KEY", secret).await;
                let kept = format!("{error} {error:?}");
                for part in parts {
                    assert!(!kept.contains(part), "{kept}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_secret_input_stands_in_no_address() {
    let stub = stub(Reply::json(
        200,
        r#"{"connectionId":"c","providerConfigKey":"k"}"#,
    ))
    .await;
    let nango = stub.service();
    let of = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let open = BTreeMap::from([of("subdomain", "acme")]);
    let all = BTreeMap::from([of("subdomain", "acme"), of("token", "s3cret")]);
    let session = nango
        .create_connection(Flow {
            provider_config_key: "k",
            tags: BTreeMap::new(),
            connection_config: &all,
            params: &open,
            reconnect: None,
            webhook_url_override: None,
        })
        .await
        .expect("a session");
    let made = stub.seen().pop().expect("a request");
    assert!(String::from_utf8_lossy(&made.body).contains("s3cret"));
    let popup = session.oauth_url(None);
    assert!(
        popup.contains("acme") && !popup.contains("s3cret"),
        "{popup}"
    );
    let nothing = BTreeMap::new();
    let typed = nango.create_with_credentials(&session, "API_KEY", &nothing);
    typed.await.expect("a connection");
    let seen = stub.seen().pop().expect("a request");
    assert!(
        seen.query.contains("acme") && !seen.query.contains("s3cret"),
        "{}",
        seen.query
    );
}
