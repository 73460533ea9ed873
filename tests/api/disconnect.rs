//! `POST /api/v1/connectors/{id}/disconnect`: at Nango first, then here.

use serde_json::{Value, json};

use patchbay::server::clock::Clock;

use crate::{app::TestApp, person::text};

const PATH: &str = "/api/v1/connectors/gmail/disconnect";

on_both! {
    async fn disconnecting_deletes_at_nango_and_keeps_the_row(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        ada.post(PATH, &json!({})).await.problem(404, "connection_unknown");
        let connected = ada.connected(&app.nango, "gmail").await;
        let gone = ada.post(PATH, &json!({})).await.ok();
        assert_eq!(gone["id"], connected["id"]);
        assert_eq!(gone["status"], "disconnected");
        assert!(gone["disconnected_at"].is_string(), "{gone}");
        assert_eq!(gone["last_error"], Value::Null);
        assert!(app.nango.connections().await.is_empty());
        assert_eq!(ada.connection("gmail").await, gone);
        let details = ada.get("/api/v1/connectors/gmail").await.ok();
        assert_eq!(details["status"], "disconnected");

        // Again: nothing to find, and by name nothing to change.
        ada.post(PATH, &json!({})).await.problem(404, "connection_unknown");
        let named = json!({"connection_id": gone["id"]});
        assert_eq!(ada.post(PATH, &named).await.ok(), gone);

        // The row is used again.
        let back = ada.connected(&app.nango, "gmail").await;
        assert_eq!(back["id"], gone["id"]);
        assert_eq!(back["disconnected_at"], Value::Null);

        // What Nango has lost already counts as deleted.
        app.nango.remove_integration("google-mail").await;
        assert_eq!(ada.post(PATH, &json!({})).await.ok()["status"], "disconnected");
    }

    async fn while_nango_fails_nothing_changes(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let before = ada.connected(&app.nango, "gmail").await;
        for (fault, status, code) in [
            (json!({"status": 500}), 502, "nango_failed"),
            (json!({"status": 429}), 503, "nango_busy"),
            (json!({"status": 401}), 503, "nango_key_refused"),
            (json!({"drop_connection": true}), 503, "nango_unreachable"),
        ] {
            let mut fault = fault;
            fault["path_prefix"] = json!("/connections/");
            fault["count"] = json!(9);
            app.nango.fault(fault).await;
            let problem = ada.post(PATH, &json!({})).await.problem(status, code);
            assert!(problem["detail"].is_string(), "{problem}");
            assert_eq!(ada.connection("gmail").await, before);
            app.nango.clear_faults().await;
        }
        assert_eq!(app.nango.connections().await.len(), 1);
        assert_eq!(ada.post(PATH, &json!({})).await.ok()["status"], "disconnected");
        assert!(app.nango.connections().await.is_empty());
    }

    async fn without_nango_nothing_changes(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let before = ada.connected(&app.nango, "gmail").await;
        app.nango.stop().await;
        ada.post(PATH, &json!({})).await.problem(503, "nango_unreachable");
        assert_eq!(ada.connection("gmail").await, before);
    }

    async fn who_leaves_in_the_middle_is_disconnected_all_the_same(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        ada.connected(&app.nango, "zoom").await;
        app.nango.fault(json!({"latency_ms": 600, "count": 1, "path_prefix": "/connections/"})).await;
        let gone = tokio::time::timeout(
            std::time::Duration::from_millis(200),
            ada.post("/api/v1/connectors/zoom/disconnect", &json!({})),
        )
        .await;
        assert!(gone.is_err(), "the request was to be cut off");
        ada.until("zoom", "disconnected").await;
        assert!(app.nango.connections().await.is_empty());
    }

    async fn an_account_outlives_its_manifest(db: &TestDb) {
        let folder = std::env::temp_dir().join(format!("patchbay_manifests_{}", Clock::system().random_id().simple()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("own-mail.json");
        let gmail = include_str!("../../manifests/gmail.json");
        std::fs::write(&file, gmail.replace("\"gmail\"", "\"own-mail\"")).expect("a file");
        let dir = folder.display().to_string();
        let mut app = TestApp::with(db, &[("MANIFESTS_DIR", &dir)]).await;
        let ada = app.sign_in("ada").await;
        let connector = ada.connected(&app.nango, "own-mail").await["connector_id"].clone();
        std::fs::remove_file(&file).expect("the file");
        app.restart().await;
        std::fs::remove_dir(&folder).expect("the folder");
        let ada = ada.at(&app);
        let by_name = "/api/v1/connectors/own-mail/disconnect";
        ada.post(by_name, &json!({})).await.problem(404, "connector_unknown");
        let by_id = format!("/api/v1/connectors/{}/disconnect", text(&connector));
        assert_eq!(ada.post(&by_id, &json!({})).await.ok()["status"], "disconnected");
        assert!(app.nango.connections().await.is_empty());
    }
}
