//! `POST /api/v1/connectors/{id}/reconnect`: never worse than before.

use serde_json::{Value, json};

use crate::{app::TestApp, nango::Decision, person::text};

on_both! {
    async fn reconnecting_renews_the_same_connection(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let path = "/api/v1/connectors/gmail/reconnect";
        ada.post(path, &json!({})).await.problem(409, "not_connected");
        assert!(ada.connections().await.is_empty());

        let before = ada.connected(&app.nango, "gmail").await;
        let at_nango = app.nango.connections().await;
        let started = ada.reconnect("gmail").await;
        assert_eq!(started["connection"]["status"], "connected", "it stays so");
        assert_eq!(ada.attempt(&started).await["kind"], "reconnect");
        app.nango.popup(text(&started["oauth_url"]), Decision::Allow).await;
        ada.until_attempt(&started, "succeeded").await;
        let after = ada.connection("gmail").await;
        assert_eq!((&after["status"], &after["id"]), (&json!("connected"), &before["id"]));
        assert!(after["version"].as_i64() > before["version"].as_i64());
        let renewed = app.nango.connections().await;
        assert_eq!(renewed.len(), 1);
        assert_eq!(renewed[0]["connection_id"], at_nango[0]["connection_id"]);
        assert_eq!(renewed[0]["tags"]["end_user_id"], at_nango[0]["tags"]["end_user_id"]);
        assert_eq!(renewed[0]["tags"]["attempt_id"], started["attempt_id"]);

        // By polling, with the connection named.
        app.nango.silence().await;
        let named = json!({"connection_id": after["id"]});
        let started = ada.post(path, &named).await.ok();
        app.nango.popup(text(&started["oauth_url"]), Decision::Allow).await;
        ada.until_attempt(&started, "succeeded").await;
    }

    async fn a_reconnect_that_fails_changes_nothing_but_the_attempt(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let before = ada.connected(&app.nango, "gmail").await;
        for decision in [Decision::Deny, Decision::AllowInVain] {
            let started = ada.reconnect("gmail").await;
            app.nango.popup(text(&started["oauth_url"]), decision).await;
            let attempt = ada.until_attempt(&started, "failed").await;
            assert!(attempt["error"].is_string(), "{attempt}");
        }
        let started = ada.reconnect("gmail").await;
        let cancel = format!("/api/v1/attempts/{}/cancel", text(&started["attempt_id"]));
        assert_eq!(ada.post(&cancel, &json!({})).await.ok()["state"], "cancelled");
        let after = ada.connection("gmail").await;
        for field in ["status", "connected_at", "disconnected_at", "last_error", "error_count"] {
            assert_eq!(after[field], before[field], "{field}");
        }
        assert!(after.get("attempt").is_none());
        assert_eq!(app.nango.connections().await.len(), 1);
    }

    async fn several_accounts_have_to_be_named(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let mut rows = Vec::new();
        for count in 1..=2 {
            let started = ada.connect("gmail").await;
            app.nango.popup(text(&started["oauth_url"]), Decision::Allow).await;
            ada.until_attempt(&started, "succeeded").await;
            app.nango.until_connections(count).await;
            rows.push(started["connection"]["id"].clone());
        }
        assert_ne!(rows[0], rows[1]);
        assert_eq!(ada.connections().await.len(), 2);
        for what in ["reconnect", "disconnect"] {
            let path = format!("/api/v1/connectors/gmail/{what}");
            ada.post(&path, &json!({})).await.problem(409, "connection_ambiguous");
            let unknown = json!({"connection_id": app.clock.random_id()});
            ada.post(&path, &unknown).await.problem(404, "connection_unknown");
            // The account of another connector is none of this one.
            let elsewhere = json!({"connection_id": rows[0]});
            let path = format!("/api/v1/connectors/zoom/{what}");
            ada.post(&path, &elsewhere).await.problem(404, "connection_unknown");
        }
        let path = "/api/v1/connectors/gmail/disconnect";
        let gone = ada.post(path, &json!({"connection_id": rows[0]})).await.ok();
        assert_eq!(gone["status"], "disconnected");
        let kept: Vec<Value> = ada.connections().await;
        let kept = kept.iter().find(|c| c["id"] == rows[1]).expect("the other");
        assert_eq!(kept["status"], "connected");
        assert_eq!(app.nango.connections().await.len(), 1);
    }

    async fn what_nango_has_lost_is_told_and_connected_anew(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let before = ada.connected(&app.nango, "gmail").await;
        let lost = app.nango.connections().await;
        let open = ada.reconnect("gmail").await;
        app.nango.delete(&lost[0]).await;
        let path = "/api/v1/connectors/gmail/reconnect";
        ada.post(path, &json!({})).await.problem(409, "connection_gone");
        // What was under way leads nowhere any more, and says so.
        assert_eq!(ada.attempt(&open).await["state"], "cancelled");
        let again = format!("/attempts/{}/open", text(&open["attempt_id"]));
        assert!(ada.get(&again).await.redirect(303).starts_with("/attempts/"));
        let row = ada.connection("gmail").await;
        assert_eq!((&row["status"], &row["id"]), (&json!("disconnected"), &before["id"]));
        assert!(text(&row["last_error"]).contains("no longer"), "{row}");
        let connected = ada.connected(&app.nango, "gmail").await;
        assert_eq!(connected["id"], before["id"]);
    }
}
