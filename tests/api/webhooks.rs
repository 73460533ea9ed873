//! `POST /api/v1/webhooks/nango`: a hint in a hurry, believed only as far as Nango's list goes.

use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    app::{SIGNING_KEY, TestApp},
    nango::Decision,
    person::text,
};

const PATH: &str = "/api/v1/webhooks/nango";

/// As Nango writes it.
fn auth(operation: &str, success: bool, connection_id: &str, tags: &Value) -> Value {
    let mut body = json!({
        "from": "nango", "type": "auth", "connectionId": connection_id,
        "providerConfigKey": "google-mail", "authMode": "OAUTH2", "provider": "google-mail",
        "environment": "dev", "operation": operation, "success": success,
    });
    if tags.is_object() {
        body["tags"] = tags.clone();
    }
    if !success {
        body["error"] = json!({
            "type": "invalid_callback",
            "description": "access_denied: The user denied the request",
        });
    }
    body
}

on_both! {
    async fn only_what_nango_signed_is_heard(db: &TestDb) {
        let app = TestApp::start(db).await;
        let body = json!({"type": "something_new", "of": ["no", "concern"]});
        assert_eq!(app.webhook(&body).await.status, 200);
        // It is signed, but it says nothing.
        for text in ["[]", "not json", "{\"type\":\"auth\"}"] {
            let key = SIGNING_KEY.to_owned().into();
            let signature = patchbay::server::nango::signature::sign(&key, text.as_bytes());
            let headers = [("x-nango-hmac-sha256", signature.as_str())];
            let body = Some(("application/json", text.to_owned()));
            let answer = app.nobody().request(Method::POST, PATH, &headers, body).await;
            answer.problem(400, "webhook_unreadable");
        }
        let text = body.to_string();
        let legacy = Sha256::digest(format!("{SIGNING_KEY}{text}"));
        let legacy = legacy.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        for headers in [
            vec![],
            vec![("x-nango-signature", legacy.as_str())],
            vec![("x-nango-hmac-sha256", legacy.as_str())],
            vec![("x-nango-hmac-sha256", "")],
            vec![("x-nango-hmac-sha256", "00")],
        ] {
            let body = Some(("application/json", text.clone()));
            let answer = app.nobody().request(Method::POST, PATH, &headers, body).await;
            answer.problem(401, "webhook_signature_invalid");
        }
        let long = json!({"type": "forward", "payload": "x".repeat(1024 * 1024)});
        app.webhook(&long).await.problem(413, "body_too_large");
    }

    async fn without_a_key_none_is_heard(db: &TestDb) {
        let app = TestApp::with(db, &[("NANGO_WEBHOOK_SIGNING_KEY", "")]).await;
        app.webhook(&json!({"type": "auth"})).await.problem(503, "webhooks_off");
    }

    async fn a_creation_alone_connects(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        app.nango.silence().await;
        let started = ada.connect("gmail").await;
        app.nango.popup(text(&started["oauth_url"]), Decision::Allow).await;
        let entry = app.nango.connections().await.remove(0);
        let webhook = auth("creation", true, text(&entry["connection_id"]), &entry["tags"]);
        for _ in 0..3 {
            assert_eq!(app.webhook(&webhook).await.status, 200);
            assert_eq!(ada.connection("gmail").await["status"], "connected");
        }
        assert_eq!(app.nango.connections().await.len(), 1);
    }

    async fn what_the_list_does_not_say_is_not_believed(db: &TestDb) {
        let app = TestApp::start(db).await;
        let (ada, eve) = (app.sign_in("ada").await, app.sign_in("eve").await);
        ada.connected(&app.nango, "gmail").await;
        let theirs = app.nango.connections().await.remove(0);
        let started = eve.connect("gmail").await;
        let tags = json!({"attempt_id": started["attempt_id"], "end_user_id": theirs["tags"]["end_user_id"]});
        for id in [text(&theirs["connection_id"]), "2f0c1a52-0000-4000-8000-000000000000"] {
            assert_eq!(app.webhook(&auth("creation", true, id, &tags)).await.status, 200);
        }
        assert_eq!(eve.connection("gmail").await["status"], "pending");
        assert_eq!(ada.connection("gmail").await["status"], "connected");
        // Nobody knows whose it was.
        let gone = auth("creation", false, "2f0c1a52-0000-4000-8000-000000000000", &Value::Null);
        assert_eq!(app.webhook(&gone).await.status, 200);
        assert_eq!(eve.attempt(&started).await["state"], "open");
        assert_eq!(app.nango.connections().await.len(), 1, "nothing was deleted");
    }

    async fn a_failed_reconnect_names_no_attempt_and_ends_none(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        ada.connected(&app.nango, "gmail").await;
        let entry = app.nango.connections().await.remove(0);
        let webhook = auth("creation", false, text(&entry["connection_id"]), &Value::Null);
        // Of an earlier attempt, sent again when this one is open.
        let started = ada.reconnect("gmail").await;
        assert_eq!(app.webhook(&webhook).await.status, 200);
        assert_eq!(ada.attempt(&started).await["state"], "open");
        assert_eq!(ada.connection("gmail").await["status"], "connected");
        app.nango.popup(text(&started["oauth_url"]), Decision::Allow).await;
        ada.until_attempt(&started, "succeeded").await;
    }

    async fn a_failed_refresh_shows_and_a_reconnect_mends_it(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        ada.connected(&app.nango, "gmail").await;
        let entry = app.nango.connections().await.remove(0);
        let mut webhook = auth("refresh", false, text(&entry["connection_id"]), &entry["tags"]);
        webhook["error"] = json!({"type": "refresh_token_external_error", "description": "invalid_grant"});
        // Not so by the list: a late one, after somebody has mended it.
        assert_eq!(app.webhook(&webhook).await.status, 200);
        assert_eq!(ada.connection("gmail").await["status"], "connected");
        app.nango.set_broken(&entry, true).await;
        assert_eq!(app.webhook(&webhook).await.status, 200);
        let told = ada.connection("gmail").await;
        assert_eq!(told["status"], "error");
        assert!(text(&told["last_error"]).contains("econnect"), "{told}");
        assert_eq!(told["error_count"], 1);
        assert_eq!(app.webhook(&webhook).await.status, 200);
        assert_eq!(ada.connection("gmail").await["error_count"], 1, "told twice, counted once");

        let started = ada.reconnect("gmail").await;
        assert_eq!(started["connection"]["status"], "error", "until it succeeds");
        app.nango.set_broken(&entry, false).await;
        app.nango.popup(text(&started["oauth_url"]), Decision::Allow).await;
        ada.until_attempt(&started, "succeeded").await;
        let after = ada.connection("gmail").await;
        assert_eq!((&after["status"], &after["last_error"]), (&json!("connected"), &Value::Null));
    }

    async fn syncs_move_the_time_or_the_error(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let before = ada.connected(&app.nango, "gmail").await;
        assert_eq!(before["last_synced_at"], Value::Null);
        let entry = app.nango.connections().await.remove(0);
        let sync = |success: bool| {
            let mut body = json!({
                "from": "nango", "type": "sync", "connectionId": entry["connection_id"],
                "providerConfigKey": "google-mail", "syncName": "messages", "model": "Message",
                "syncType": "INCREMENTAL", "success": success,
                "modifiedAfter": "2026-11-22T10:00:00.000Z",
            });
            if !success {
                body["error"] = json!({"type": "script_failed", "description": "boom"});
                body["startedAt"] = json!("2026-11-22T10:00:00.000Z");
                body["failedAt"] = json!("2126-11-22T10:00:01.000Z");
            }
            body
        };
        assert_eq!(app.webhook(&sync(true)).await.status, 200);
        let synced = ada.connection("gmail").await;
        assert!(synced["last_synced_at"].is_string(), "{synced}");
        assert_eq!(app.webhook(&sync(false)).await.status, 200);
        let failing = ada.connection("gmail").await;
        assert_eq!(failing["status"], "connected", "its access works");
        assert!(failing["last_error"].is_string());
        assert_eq!(failing["last_synced_at"], synced["last_synced_at"]);
        assert_eq!(failing["error_count"], 1);
        assert_eq!(app.webhook(&sync(false)).await.status, 200);
        assert_eq!(ada.connection("gmail").await["error_count"], 1, "told twice, counted once");
        app.reconcile().await;
        assert!(ada.connection("gmail").await["last_error"].is_string(), "until the next sync");
        assert_eq!(app.webhook(&sync(true)).await.status, 200);
        assert_eq!(ada.connection("gmail").await["last_error"], Value::Null);
        let mut late = sync(false);
        late["failedAt"] = json!("2020-01-01T00:00:00.000Z");
        assert_eq!(app.webhook(&late).await.status, 200);
        assert_eq!(ada.connection("gmail").await["last_error"], Value::Null, "it has worked since");
    }
}
