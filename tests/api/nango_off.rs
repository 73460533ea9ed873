//! Connecting is off, or fails: each reason has its code, and nothing is left half done.

use patchbay::server::db::Db;
use serde_json::json;

use crate::{
    app::{TestApp, eventually},
    person::Person,
};

const CONNECT: &str = "/api/v1/connectors/gmail/connect";

/// The catalogue still shows, and nothing has been written.
async fn is_untouched(app: &TestApp, ada: &Person) {
    let list = ada.get("/api/v1/connectors").await.ok();
    assert_eq!(list["connectors"].as_array().map(Vec::len), Some(99));
    assert!(ada.connections().await.is_empty());
    for table in [
        "connect_attempt",
        "user_connector_connection",
        // That they have signed in.
        "audit_event WHERE action <> 'sign_in'",
    ] {
        let sql = format!("SELECT count(*) FROM {table}");
        let count: i64 = match &app.db {
            Db::Sqlite(pool) => sqlx::query_scalar(&sql).fetch_one(&**pool).await,
            Db::Postgres(server) => {
                let mut operator = server.connection().await.expect("a connection");
                sqlx::query_scalar(&sql)
                    .persistent(false)
                    .fetch_one(&mut operator)
                    .await
            }
        }
        .expect("a count");
        assert_eq!(count, 0, "{table}");
    }
}

on_both! {
    async fn switched_off(db: &TestDb) {
        let app = TestApp::with(db, &[("NANGO_ENABLED", "false")]).await;
        let ada = app.sign_in("ada").await;
        ada.post(CONNECT, &json!({})).await.problem(503, "nango_disabled");
        ada.post("/api/v1/connectors/gmail/reconnect", &json!({})).await.problem(503, "nango_disabled");
        is_untouched(&app, &ada).await;
        // Who is on the way back from a provider is sent on all the same.
        let answer = app.get("/api/v1/connectors/callback?state=1").await;
        assert_eq!(answer.redirect(308), format!("{}/oauth/callback?state=1", app.nango.base));
    }

    async fn without_a_key_on_a_public_address(db: &TestDb) {
        let settings = [("NANGO_SECRET_KEY", ""), ("PUBLIC_URL", "http://patchbay.example")];
        let app = TestApp::with(db, &settings).await;
        let ada = app.session_of("ada", "patchbay").await;
        ada.post(CONNECT, &json!({})).await.problem(503, "nango_key_missing");
        is_untouched(&app, &ada).await;
    }

    async fn without_a_key_on_loopback_the_sandbox_serves(db: &TestDb) {
        let app = TestApp::with(db, &[("NANGO_SECRET_KEY", "")]).await;
        let ada = app.sign_in("ada").await;
        let started = ada.connect("gmail").await;
        let url = crate::person::text(&started["oauth_url"]);
        assert!(url.starts_with("http://127.0.0.1:") && !url.starts_with(&app.nango.base), "{url}");
        // The same popup, at the server's own sandbox.
        app.nango.popup_elsewhere(url).await;
        ada.until("gmail", "connected").await;
        assert!(app.nango.connections().await.is_empty());
    }

    async fn with_a_wrong_key(db: &TestDb) {
        let wrong = "11111111-2222-4333-8444-555555555555";
        let app = TestApp::with(db, &[("NANGO_SECRET_KEY", wrong)]).await;
        let ada = app.sign_in("ada").await;
        ada.post(CONNECT, &json!({})).await.problem(503, "nango_key_refused");
        is_untouched(&app, &ada).await;
    }

    async fn nango_cannot_be_reached(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        for (fault, status, code) in [
            (json!({"status": 503}), 502, "nango_failed"),
            (json!({"status": 429}), 503, "nango_busy"),
            (json!({"status": 403}), 503, "nango_forbidden"),
            (json!({"drop_connection": true}), 503, "nango_unreachable"),
        ] {
            let mut fault = fault;
            fault["path_prefix"] = json!("/connect/sessions");
            fault["count"] = json!(9);
            app.nango.fault(fault).await;
            let answer = ada.post(CONNECT, &json!({})).await;
            answer.problem(status, code);
            assert_eq!(answer.headers.contains_key("retry-after"), status == 503);
            app.nango.clear_faults().await;
        }
        app.nango.stop().await;
        ada.post(CONNECT, &json!({})).await.problem(503, "nango_unreachable");
        is_untouched(&app, &ada).await;
    }

    async fn an_integration_that_nango_does_not_have(db: &TestDb) {
        let mut app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        app.nango.remove_integration("google-mail").await;
        ada.post(CONNECT, &json!({})).await.problem(409, "integration_missing");
        is_untouched(&app, &ada).await;
        // The catalogue says so before anybody clicks.
        app.restart().await;
        let ada = ada.at(&app);
        let reason = eventually("the catalogue knows", || async {
            let found = ada.get("/api/v1/connectors/gmail").await.ok();
            found.get("unavailable").cloned()
        })
        .await;
        assert_eq!(reason["code"], "integration_missing");
        let zoom = ada.get("/api/v1/connectors/zoom").await.ok();
        assert!(zoom.get("unavailable").is_none(), "{zoom}");
    }

    async fn a_connector_that_its_manifest_switches_off(db: &TestDb) {
        let fixtures = format!("{}/tests/fixtures/manifests", env!("CARGO_MANIFEST_DIR"));
        let app = TestApp::with(db, &[("MANIFESTS_DIR", fixtures.as_str())]).await;
        let ada = app.sign_in("ada").await;
        let path = "/api/v1/connectors/switched-off";
        ada.post(&format!("{path}/connect"), &json!({})).await.problem(409, "connector_disabled");
        let shown = ada.get(path).await.ok();
        assert_eq!(shown["unavailable"]["code"], "connector_disabled");
        assert!(ada.connections().await.is_empty());
    }
}
