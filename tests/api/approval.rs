//! Installations that wait for somebody's approval.

use std::{path::Path, sync::Arc};

use patchbay::server::clock::Clock;
use serde_json::{Value, json};

use crate::{
    app::TestApp,
    nango::{Decision, Pretend},
    person::{Person, text},
    support::db::TestDb,
};

async fn start(db: &TestDb) -> TestApp {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/manifests/modes");
    let nango = Pretend::start_with(Clock::system(), Some(&folder)).await;
    let folder = folder.display().to_string();
    let settings = [("MANIFESTS_DIR", folder.as_str())];
    TestApp::at(db, Arc::new(nango), Clock::system(), &settings).await
}

/// Installs the app; the row waits, and no attempt is open any more.
async fn install(app: &TestApp, ada: &Person) -> Value {
    let started = ada.connect("github-app-oauth").await;
    let url = text(&started["oauth_url"]);
    app.nango.popup(url, Decision::AllowAndWait).await;
    ada.until_attempt(&started, "succeeded").await;
    let waiting = ada.connection("github-app-oauth").await;
    assert_eq!(waiting["status"], "pending");
    assert!(waiting.get("attempt").is_none(), "{waiting}");
    app.nango.connections().await.remove(0)
}

on_both! {
    async fn it_waits_until_it_is_approved(db: &TestDb) {
        let app = start(db).await;
        let ada = app.sign_in("ada").await;
        let entry = install(&app, &ada).await;
        let report = app.reconcile().await;
        assert_eq!((report.bound, report.changed, report.missing), (1, 0, 0));
        assert_eq!(ada.connection("github-app-oauth").await["status"], "pending");
        app.nango.approve(&entry).await;
        app.reconcile().await;
        let approved = ada.connection("github-app-oauth").await;
        assert_eq!(approved["status"], "connected");
        assert!(approved["connected_at"].is_string());
    }

    async fn the_webhook_of_an_approval_is_enough(db: &TestDb) {
        let app = start(db).await;
        let ada = app.sign_in("ada").await;
        let entry = install(&app, &ada).await;
        let webhook = json!({
            "from": "nango", "type": "auth", "connectionId": entry["connection_id"],
            "providerConfigKey": "github-app-oauth", "authMode": "APP",
            "provider": "github-app-oauth", "environment": "dev", "operation": "override",
            "success": true, "tags": entry["tags"],
        });
        // Nango says the same of an installation that still waits.
        assert_eq!(app.webhook(&webhook).await.status, 200);
        assert_eq!(ada.connection("github-app-oauth").await["status"], "pending");
        app.nango.approve(&entry).await;
        assert_eq!(app.webhook(&webhook).await.status, 200);
        assert_eq!(ada.connection("github-app-oauth").await["status"], "connected");
    }

    async fn one_that_waits_can_be_disconnected(db: &TestDb) {
        let app = start(db).await;
        let ada = app.sign_in("ada").await;
        install(&app, &ada).await;
        let path = "/api/v1/connectors/github-app-oauth/disconnect";
        assert_eq!(ada.post(path, &json!({})).await.ok()["status"], "disconnected");
        app.nango.until_connections(0).await;
    }
}
