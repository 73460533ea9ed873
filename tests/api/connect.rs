//! Connecting: from the click to its outcome.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    app::TestApp,
    nango::Decision,
    person::{Person, text},
};

/// Every status that a stream tells of a connection, until it is this one.
async fn told(ada: &Person, until: &str, act: impl AsyncFnOnce()) -> Vec<String> {
    let mut events = ada.events().await;
    events.next().await.expect("a snapshot");
    act().await;
    let mut seen = Vec::new();
    loop {
        let (_, connection) = events.next().await.expect("an event");
        seen.push(text(&connection["status"]).to_owned());
        if connection["status"] == until {
            return seen;
        }
    }
}

fn open_attempt(connection: &Value) -> &str {
    text(&connection["attempt"]["id"])
}

on_both! {
    async fn allow_connects_and_the_socket_says_so_first(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let clicked = Instant::now();
        let started = ada.connect("gmail").await;
        assert_eq!(started["connection"]["status"], "pending");
        assert_eq!(open_attempt(&started["connection"]), text(&started["attempt_id"]));
        assert!(started["expires_at"].is_string());
        assert_eq!(started["connection"]["connected_at"], Value::Null);
        let url = text(&started["oauth_url"]);
        assert!(url.starts_with(&format!("{}/oauth/connect/google-mail?", app.nango.base)), "{url}");
        assert!(url.contains("ws_client_id="), "{url}");
        assert_eq!(ada.connection("gmail").await["status"], "pending");

        app.nango.popup(url, Decision::Allow).await;
        let connected = ada.until("gmail", "connected").await;
        // The one call confirms what the socket said. The first poll is due after two seconds.
        if clicked.elapsed() < Duration::from_millis(1800) {
            assert_eq!(app.nango.calls("GET /connections").await, 1);
        }
        assert!(connected["connected_at"].is_string(), "{connected}");
        assert_eq!(connected["last_error"], Value::Null);
        assert_eq!(connected["error_count"], 0);
        assert!(connected.get("attempt").is_none(), "{connected}");
        assert_eq!(ada.attempt(&started).await["state"], "succeeded");
        let at_nango = app.nango.connections().await;
        assert_eq!(at_nango.len(), 1);
        assert_eq!(at_nango[0]["provider_config_key"], "google-mail");
        let ada_id = app.user_id("ada").await.to_string();
        assert_eq!(at_nango[0]["tags"], json!({"attempt_id": started["attempt_id"], "end_user_id": ada_id}));

        ada.post("/api/v1/connectors/zoom/connect", &json!({"connection_id": app.clock.random_id()}))
            .await
            .problem(404, "connection_unknown");
        ada.connected(&app.nango, "zoom").await;
        ada.post("/api/v1/connectors/zoom/connect", &json!({})).await.problem(409, "already_connected");
    }

    async fn polling_alone_connects_too(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        app.nango.silence().await;
        let started = ada.connect("gmail").await;
        app.nango.popup(text(&started["oauth_url"]), Decision::Allow).await;
        let connected = ada.until("gmail", "connected").await;
        assert!(connected["connected_at"].is_string());
        assert_eq!(ada.attempt(&started).await["state"], "succeeded");
    }

    async fn deny_disconnects_with_the_reason_and_never_connects(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let mut started = Value::Null;
        let seen = told(&ada, "disconnected", async || {
            started = ada.connect("gmail").await;
            app.nango.popup(text(&started["oauth_url"]), Decision::Deny).await;
        })
        .await;
        assert_eq!(seen, ["pending", "disconnected"]);
        let denied = ada.connection("gmail").await;
        assert!(text(&denied["last_error"]).contains("not allowed"), "{denied}");
        assert_eq!(denied["error_count"], 0);
        assert_eq!(denied["connected_at"], Value::Null);
        let attempt = ada.attempt(&started).await;
        assert_eq!(attempt["state"], "failed");
        assert_eq!(attempt["error"], denied["last_error"]);
        assert!(app.nango.connections().await.is_empty());
        let list = ada.get("/api/v1/connectors/gmail").await.ok();
        assert_eq!(list["status"], "not_connected");

        // And once more, in earnest: the same row, and the reason is gone.
        let connected = ada.connected(&app.nango, "gmail").await;
        assert_eq!(connected["id"], denied["id"]);
        assert_eq!(connected["last_error"], Value::Null);
    }

    async fn a_failed_exchange_is_an_error(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let started = ada.connect("gmail").await;
        app.nango.popup(text(&started["oauth_url"]), Decision::AllowInVain).await;
        let failed = ada.until("gmail", "error").await;
        assert_eq!(failed["error_count"], 1);
        assert!(text(&failed["last_error"]).contains("refused"), "{failed}");
        // What the provider said stays in the log.
        assert!(!failed.to_string().contains("invalid_client"), "{failed}");
        let attempt = ada.attempt(&started).await;
        assert_eq!(attempt["state"], "failed");

        let again = ada.connect("gmail").await;
        app.nango.popup(text(&again["oauth_url"]), Decision::AllowInVain).await;
        ada.until_attempt(&again, "failed").await;
        assert_eq!(ada.connection("gmail").await["error_count"], 2);
        let connected = ada.connected(&app.nango, "gmail").await;
        assert_eq!((&connected["error_count"], &connected["id"]), (&json!(0), &failed["id"]));
    }

    async fn a_new_click_supersedes_the_old_one(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let old = ada.connect("zoom").await;
        let new = ada.connect("zoom").await;
        assert_eq!(old["connection"]["id"], new["connection"]["id"]);
        assert_eq!(ada.attempt(&old).await["state"], "cancelled");
        assert_eq!(open_attempt(&ada.connection("zoom").await), text(&new["attempt_id"]));
        // Who goes on in the old window makes a connection that nobody keeps.
        app.nango.popup(text(&old["oauth_url"]), Decision::Allow).await;
        app.nango.until_connections(0).await;
        assert_eq!(ada.connection("zoom").await["status"], "pending");
        app.nango.popup(text(&new["oauth_url"]), Decision::Allow).await;
        ada.until("zoom", "connected").await;
        let kept = app.nango.connections().await;
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0]["tags"]["attempt_id"], new["attempt_id"]);
    }

    async fn two_clicks_at_once_leave_one_row_and_one_open_attempt(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let clicks = [ada.connect("zoom"), ada.connect("zoom"), ada.connect("zoom")];
        let started = futures::future::join_all(clicks).await;
        let rows = ada.connections().await;
        assert_eq!(rows.len(), 1, "{rows:?}");
        let mut states = Vec::new();
        for started in &started {
            assert_eq!(started["connection"]["id"], rows[0]["id"]);
            let attempt = ada.attempt(started).await;
            if attempt["state"] == "open" {
                assert_eq!(open_attempt(&rows[0]), text(&attempt["attempt_id"]));
            }
            states.push(text(&attempt["state"]).to_owned());
        }
        states.sort();
        assert_eq!(states, ["cancelled", "cancelled", "open"]);
    }

    async fn what_was_allowed_while_no_server_ran_connects_after_a_restart(db: &TestDb) {
        let mut app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let started = ada.connect("gmail").await;
        app.stop().await;
        app.nango.popup(text(&started["oauth_url"]), Decision::Allow).await;
        app.restart().await;
        // The session has outlived the restart as well.
        let connected = ada.at(&app).until("gmail", "connected").await;
        assert_eq!(connected["id"], started["connection"]["id"]);
    }
}
