//! What the doctor says of Nango: its integrations, the key's scopes, and what is no Nango.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    Json, Router,
    http::StatusCode,
    routing::{get, post},
};
use patchbay::server::{
    clock::Clock,
    doctor::{self, Check, Status, Target},
    manifest::Registry,
    sandbox::Integration,
};
use serde_json::json;

use super::{by_id, config, examine, is, sandbox_with, serve};
use crate::support::db::TestDb;

fn one<'a>(all: &'a mut [Integration], key: &str) -> &'a mut Integration {
    let found = all.iter_mut().find(|i| i.unique_key == key);
    found.expect("an integration")
}

/// One database is enough where it is not looked at.
async fn with_sandbox(change: impl FnOnce(&mut Vec<Integration>)) -> BTreeMap<&'static str, Check> {
    let db = TestDb::sqlite().await;
    let running = sandbox_with(change).await;
    let found = examine(&db, &running.base_url(), &[]).await;
    running.stop().await.expect("an end");
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_integration_by_another_key() {
    let found = with_sandbox(|all| {
        one(all, "google-mail").unique_key = "gmail-production".to_owned();
    })
    .await;
    is(
        &found,
        "integrations.renamed",
        Status::Failed,
        "gmail: “google-mail” is wanted, Nango has “gmail-production”",
    );
    is(&found, "integrations.missing", Status::Ok, "98");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_integration_of_another_provider() {
    let found = with_sandbox(|all| one(all, "google-mail").provider = "slack".to_owned()).await;
    is(
        &found,
        "integrations.provider",
        Status::Failed,
        "of provider slack in Nango, of google-mail",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_auth_mode() {
    let found = with_sandbox(|all| one(all, "airtable").auth_mode = "API_KEY".to_owned()).await;
    is(
        &found,
        "integrations.auth_mode",
        Status::Failed,
        "airtable: API_KEY in Nango, OAUTH2 in the manifest",
    );
}

/// The window of a provider that is installed from its own side ends in `auth_mode_err`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_installation() {
    let folder = std::env::temp_dir().join(format!(
        "patchbay-doctor-manifests-{}",
        Clock::system().random_id()
    ));
    std::fs::create_dir(&folder).expect("a folder");
    let fixture = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/manifests/modes/sentry-oauth.json"
    );
    let manifest = std::fs::read_to_string(fixture).expect("the manifest");
    let running = sandbox_with(|all| {
        all.push(Integration {
            unique_key: "sentry-oauth".to_owned(),
            provider: "sentry-oauth".to_owned(),
            display_name: "Sentry".to_owned(),
            auth_mode: "OAUTH2".to_owned(),
            connection_config: Vec::new(),
        });
    })
    .await;
    let db = TestDb::sqlite().await;
    let base = running.base_url();
    let line = r#", "installation": "outbound""#;
    assert!(manifest.contains(line));
    for (text, status, says) in [
        (manifest.clone(), Status::Ok, ""),
        (
            manifest.replace(line, ""),
            Status::Failed,
            "sentry-oauth: OAUTH2 with installation outbound in Nango, OAUTH2 in the manifest",
        ),
    ] {
        std::fs::write(folder.join("sentry-oauth.json"), text).expect("the manifest");
        let config = config(&db, &[("NANGO_BASE_URL", &base)]);
        let target = Target::Real {
            base_url: config.nango.base_url.clone(),
            secret_key: config.nango.secret_key.clone().unwrap_or_default(),
        };
        let registry = Registry::load(Some(&folder)).expect("the manifests");
        let report = doctor::run(&config, &registry, &target, &Clock::system()).await;
        is(&by_id(report), "integrations.auth_mode", status, says);
    }
    std::fs::remove_dir_all(&folder).expect("an end");
    running.stop().await.expect("an end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_set_up_in_nango() {
    let found = with_sandbox(Vec::clear).await;
    is(
        &found,
        "integrations.missing",
        Status::Failed,
        "nothing can be connected",
    );
}

/// A Nango whose key lacks two scopes, that has no socket, and is busy for a third.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_scopes() {
    let lacks = |scope: &'static str| async move {
        let message = format!("Insufficient scope. Required: {scope}");
        let body = json!({"error": {"code": "forbidden", "message": message}});
        (StatusCode::FORBIDDEN, Json(body))
    };
    let unknown = || async {
        let body = json!({"error": {"code": "unknown_provider_config"}});
        (StatusCode::BAD_REQUEST, Json(body))
    };
    let busy = || async { (StatusCode::TOO_MANY_REQUESTS, "slow down") };
    let router = Router::new()
        .route("/integrations", get(|| async { Json(json!({"data": []})) }))
        .route(
            "/connect/sessions",
            post(move || lacks("environment:connect_sessions:write")),
        )
        .route("/connections", get(busy))
        .route(
            "/connections/{id}",
            get(unknown).delete(move || lacks("environment:connections:delete")),
        );
    let base = serve(router).await;
    let db = TestDb::sqlite().await;
    let found = examine(&db, &base, &[]).await;
    is(&found, "key", Status::Ok, "takes the key");
    is(
        &found,
        "scope.connect_sessions_write",
        Status::Failed,
        "lacks environment:connect_sessions:write",
    );
    is(
        &found,
        "scope.connections_delete",
        Status::Failed,
        "nobody can disconnect",
    );
    is(
        &found,
        "scope.connections_read",
        Status::Ok,
        "environment:connections:read",
    );
    is(
        &found,
        "scope.connections_list",
        Status::Warning,
        "cannot be told: 429",
    );
    is(&found, "scope.integrations_list", Status::Ok, "");
    is(&found, "socket", Status::Warning, "does not open");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_nango() {
    let db = TestDb::sqlite().await;
    let html = serve(Router::new().fallback(|| async { "<html>hello</html>" })).await;
    let found = examine(&db, &html, &[]).await;
    is(&found, "key", Status::Failed, "is not Nango's API");
    let found = examine(&db, "http://127.0.0.1:1", &[]).await;
    is(&found, "key", Status::Failed, "cannot be reached");
    let slow = serve(Router::new().fallback(|| async {
        tokio::time::sleep(Duration::from_secs(30)).await;
    }))
    .await;
    let found = examine(&db, &slow, &[("NANGO_TIMEOUT_SECONDS", "1")]).await;
    is(&found, "key", Status::Failed, "no answer in time");
}
