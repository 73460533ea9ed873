//! The auth modes beside OAuth2, API key and Basic: each one's endpoint or popup, and what the
//! sandbox tells of their providers.

use std::time::Duration;

use patchbay::server::sandbox::Integration;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Bench, answer, code, config, next};

/// One integration of every mode that the recorded server did not have.
async fn bench() -> Bench {
    let mut config = config();
    for (provider, mode) in [
        ("agencyzoom", "TWO_STEP"),
        ("apple-app-store", "JWT"),
        ("asana-mcp", "MCP_OAUTH2"),
        ("aws-sigv4", "AWS_SIGV4"),
        ("bill", "BILL"),
        ("crisp-plugin-install", "INSTALL_PLUGIN"),
        ("emarsys", "SIGNATURE"),
        ("github-app", "APP"),
        ("github-app-oauth", "CUSTOM"),
        ("mcp-generic", "MCP_OAUTH2_GENERIC"),
        ("netsuite-tba", "TBA"),
        ("sentry-oauth", "OAUTH2"),
        ("trello", "OAUTH1"),
        ("unauthenticated", "NONE"),
    ] {
        config.integrations.push(Integration {
            unique_key: provider.to_owned(),
            provider: provider.to_owned(),
            display_name: provider.to_owned(),
            auth_mode: mode.to_owned(),
            connection_config: Vec::new(),
        });
    }
    Bench::with(config).await
}

async fn post(bench: &Bench, path: &str, token: &str, body: &Value) -> (u16, Value) {
    let joint = if path.contains('?') { '&' } else { '?' };
    let call = bench.call(
        Method::POST,
        &format!("{path}{joint}connect_session_token={token}"),
    );
    answer(call.json(body)).await
}

async fn read(bench: &Bench, id: &str, key: &str) -> Value {
    let path = format!("/connections/{id}?provider_config_key={key}");
    let (status, body) = answer(bench.get(&path)).await;
    assert_eq!(status, 200, "{body}");
    body
}

#[tokio::test]
async fn each_form_connects_and_refuses_what_is_wrong_missing_or_not_its_own() {
    let bench = bench().await;
    for (route, key, good, wrong, field, strict) in [
        (
            "two-step",
            "agencyzoom",
            json!({"type": "TWO_STEP", "username": "a@example.com", "password": "b"}),
            "password",
            "username",
            false,
        ),
        (
            "jwt",
            "apple-app-store",
            json!({"issuerId": "i", "privateKeyId": "k", "privateKey": "p"}),
            "privateKey",
            "issuerId",
            false,
        ),
        (
            "tba",
            "netsuite-tba",
            json!({"token_id": "a", "token_secret": "b"}),
            "token_secret",
            "token_id",
            true,
        ),
        (
            "signature",
            "emarsys",
            json!({"type": "SIGNATURE", "username": "wrong is a name", "password": "b"}),
            "password",
            "type",
            true,
        ),
        (
            "bill",
            "bill",
            json!({"username": "a", "password": "b", "organization_id": "c", "dev_key": "d"}),
            "dev_key",
            "organization_id",
            true,
        ),
        (
            "aws-sigv4",
            "aws-sigv4",
            json!({"role_arn": "arn:aws:iam::123456789012:role/R", "region": "eu-west-1"}),
            "role_arn",
            "role_arn",
            true,
        ),
    ] {
        let token = bench.session_for(key, key).await;
        let path = format!("/auth/{route}/{key}");
        let mut bad = good.clone();
        bad[wrong] = json!("Wrong one");
        refuses(&bench, &path, &token, &bad).await;
        let mut less = good.clone();
        less.as_object_mut().unwrap().remove(field);
        let (status, body) = post(&bench, &path, &token, &less).await;
        assert_eq!((status, code(&body)), (400, "invalid_body"), "{key}");
        assert_eq!(body["error"]["errors"][0]["path"], json!([field]), "{key}");
        let mut more = good.clone();
        more["extra"] = json!(1);
        let (status, body) = post(&bench, &path, &token, &more).await;
        if strict {
            assert_eq!(status, 400, "{key}");
            let message = &body["error"]["errors"][0]["message"];
            assert_eq!(message, "Unrecognized key: \"extra\"");
            let (status, _) = post(&bench, &path, &token, &good).await;
            assert_eq!(status, 200, "{key}");
        } else {
            assert_eq!(status, 200, "{key}: {body}");
        }
        let made = bench.only(key).await;
        let id = made["connection_id"].as_str().unwrap();
        let mode = read(&bench, id, key).await["credentials"]["type"].clone();
        let (_, provider) = answer(bench.get(&format!("/providers/{key}"))).await;
        assert_eq!(mode, provider["data"]["auth_mode"], "{key}");

        // Not for this endpoint, not for this session, not there at all.
        let any = bench.session(json!({"tags": {"a": "b"}})).await;
        let (status, body) = post(&bench, &format!("/auth/{route}/slack"), &any, &good).await;
        assert_eq!((status, code(&body)), (400, "invalid_auth_mode"), "{key}");
        let other = bench.session_for("x", "slack").await;
        let (status, body) = post(&bench, &path, &other, &good).await;
        assert_eq!((status, code(&body)), (400, "integration_not_allowed"));
        let (status, body) = post(&bench, &format!("/auth/{route}/nope"), &any, &good).await;
        assert_eq!((status, code(&body)), (404, "unknown_provider_config"));
        let (status, body) = answer(bench.call(Method::POST, &path).json(&good)).await;
        assert_eq!((status, code(&body)), (401, "missing_public_key"), "{key}");
    }
}

/// Each mode says no in its own way, and one says nothing.
async fn refuses(bench: &Bench, path: &str, token: &str, bad: &Value) {
    let expected = match path.split('/').nth(2).unwrap_or_default() {
        "two-step" => (400, "two_step_credentials_fetch_error"),
        "jwt" => (500, "failed_to_generate"),
        "tba" => (200, "invalid_credentials"),
        "aws-sigv4" => (502, "aws_sigv4_sts_request_failed"),
        "bill" => {
            let waited = Duration::from_millis(500);
            let silent = tokio::time::timeout(waited, post(bench, path, token, bad)).await;
            assert!(silent.is_err(), "{path}: {silent:?}");
            return;
        }
        _ => (400, "connection_test_failed"),
    };
    let (status, body) = post(bench, path, token, bad).await;
    assert_eq!((status, code(&body)), expected, "{path}");
}

#[tokio::test]
async fn a_role_keeps_its_region_and_external_id() {
    let bench = bench().await;
    let token = bench.session_for("u", "aws-sigv4").await;
    let id = "4a3c1c0e-6d2f-4a6b-9b53-2f1f6b7c8a90";
    let path = format!("/auth/aws-sigv4/aws-sigv4?params[external_id]={id}");
    let role = json!({"role_arn": "arn:one", "region": "eu-west-1"});
    let (status, body) = post(&bench, &path, &token, &role).await;
    assert_eq!(status, 200, "{body}");
    let made = body["connectionId"].as_str().unwrap().to_owned();
    let again = json!({
        "connection_id": made, "integration_id": "aws-sigv4", "tags": {"end_user_id": "u"},
    });
    let (_, session) = answer(bench.post("/connect/sessions/reconnect", &again)).await;
    let token = session["data"]["token"].as_str().unwrap();
    let role = json!({"role_arn": "arn:two", "region": "us-east-2"});
    let (status, body) = post(&bench, "/auth/aws-sigv4/aws-sigv4", token, &role).await;
    assert_eq!((status, &body["connectionId"]), (200, &json!(made)));
    let shown = read(&bench, &made, "aws-sigv4").await;
    assert_eq!(
        shown["connection_config"],
        json!({"external_id": id, "region": "eu-west-1", "role_arn": "arn:two", "service": "s3"})
    );
    let role = json!({"role_arn": "arn", "region": "EU West"});
    let (status, body) = post(&bench, "/auth/aws-sigv4/aws-sigv4", token, &role).await;
    assert_eq!((status, code(&body)), (400, "invalid_body"));

    // A reconnect of what has gone meanwhile.
    let gone = format!("/connections/{made}?provider_config_key=aws-sigv4");
    assert_eq!(answer(bench.delete(&gone)).await.0, 200);
    let role = json!({"role_arn": "arn:two"});
    let (status, body) = post(&bench, "/auth/aws-sigv4/aws-sigv4", token, &role).await;
    assert_eq!((status, code(&body)), (400, "invalid_connection"));
}

#[tokio::test]
async fn a_popup_for_what_has_gone_is_refused_and_told_to_nobody() {
    let bench = bench().await;
    let id = bench.connect("u", "slack").await;
    let again = json!({"connection_id": id, "integration_id": "slack", "tags": {"a": "b"}});
    let (_, session) = answer(bench.post("/connect/sessions/reconnect", &again)).await;
    let token = session["data"]["token"].as_str().unwrap();
    let gone = format!("/connections/{id}?provider_config_key=slack");
    assert_eq!(answer(bench.delete(&gone)).await.0, 200);
    let (mut socket, client) = bench.socket().await;
    let start = format!("/oauth/connect/slack?connect_session_token={token}&ws_client_id={client}");
    let (status, body) = answer(bench.call(Method::GET, &start)).await;
    assert_eq!((status, code(&body)), (400, "invalid_connection"));
    assert_eq!(next(&mut socket).await, None);
}

#[tokio::test]
async fn nothing_to_type_and_an_installation_from_elsewhere() {
    let bench = bench().await;
    let token = bench.session_for("none", "unauthenticated").await;
    let path = "/auth/unauthenticated/unauthenticated";
    let (status, body) = post(&bench, path, &token, &json!({"apiKey": "x"})).await;
    assert_eq!((status, code(&body)), (400, "invalid_body"));
    let call = bench.call(
        Method::POST,
        &format!("{path}?connect_session_token={token}"),
    );
    let (status, _) = answer(call).await;
    assert_eq!(status, 200);
    let made = bench.only("none").await;
    let id = made["connection_id"].as_str().unwrap();
    let shown = read(&bench, id, "unauthenticated").await;
    assert_eq!(shown["credentials"], json!({}));

    let token = bench.session_for("sentry", "sentry-oauth").await;
    // Its popup does not exist.
    let start = format!(
        "{}/oauth/connect/sentry-oauth?connect_session_token={token}",
        bench.base
    );
    let (status, page) = bench.visit(&start).await;
    assert_eq!(status, 400);
    assert!(page.contains("Auth mode OAUTH2 not supported."), "{page}");
    let path = format!(
        "/auth/oauth-outbound/sentry-oauth?params[hostname]=sentry.io&connect_session_token={token}"
    );
    let (status, body) = answer(bench.call(Method::POST, &path)).await;
    assert_eq!(status, 200, "{body}");
    let id = body["connectionId"].as_str().unwrap();
    let config = read(&bench, id, "sentry-oauth").await["connection_config"].clone();
    assert_eq!(
        (&config["hostname"], &config["pending"]),
        (&json!("sentry.io"), &json!(true))
    );
    assert!(config["pendingLog"].is_string());
    let approve = format!("/sandbox/control/connections/{id}/approve");
    assert_eq!(answer(bench.post(&approve, &json!({}))).await.0, 200);
    let config = read(&bench, id, "sentry-oauth").await["connection_config"].clone();
    assert!(config["pendingLog"].is_null() && config["installation.uuid"].is_string());
    let (status, body) = answer(bench.post(&approve, &json!({}))).await;
    assert_eq!((status, code(&body)), (409, "not_pending"));
    let unknown = "/sandbox/control/connections/nope/approve";
    assert_eq!(answer(bench.post(unknown, &json!({}))).await.0, 404);
    let (status, body) = post(&bench, "/auth/oauth-outbound/openai", &token, &json!({})).await;
    assert_eq!((status, code(&body)), (400, "invalid_auth_mode"));
}

#[tokio::test]
async fn every_popup_mode_ends_connected() {
    let bench = bench().await;
    for key in [
        "trello",
        "github-app",
        "github-app-oauth",
        "crisp-plugin-install",
        "asana-mcp",
        "mcp-generic",
    ] {
        let id = bench.connect(key, key).await;
        let shown = read(&bench, &id, key).await;
        assert_eq!(shown["connection_config"]["pendingLog"], Value::Null);
        let installed = shown["connection_config"]["installation_id"].is_string();
        assert_eq!(installed, key.starts_with("github-app"), "{key}");
    }
}

#[tokio::test]
async fn an_app_may_wait_for_its_approval() {
    let bench = bench().await;
    let key = "github-app-oauth";
    let (mut socket, client) = bench.socket().await;
    let token = bench.session_for("u", key).await;
    let authorize = bench
        .start(key, &token, &format!("&ws_client_id={client}"))
        .await;
    let back = bench.decide(&authorize, "allow", "Pending Inc").await;
    assert_eq!(bench.visit(&back).await.0, 200);
    let said = next(&mut socket).await.expect("an announcement");
    assert_eq!(
        (&said["message_type"], &said["is_pending"]),
        (&json!("success"), &json!(true))
    );
    let id = said["connection_id"].as_str().unwrap().to_owned();
    let config = read(&bench, &id, key).await["connection_config"].clone();
    assert!(config["pendingLog"].is_string() && config["installation_id"].is_null());

    let approve = format!("/sandbox/control/connections/{id}/approve");
    assert_eq!(answer(bench.post(&approve, &json!({}))).await.0, 200);
    let config = read(&bench, &id, key).await["connection_config"].clone();
    assert!(config["pendingLog"].is_null() && config["installation_id"].is_string());

    // Other modes know no waiting, whatever the account is called.
    let token = bench.session_for("v", "slack").await;
    let authorize = bench.start("slack", &token, "").await;
    let back = bench.decide(&authorize, "allow", "pending").await;
    assert_eq!(bench.visit(&back).await.0, 200);
    let made = bench.only("v").await;
    let id = made["connection_id"].as_str().unwrap();
    let shown = read(&bench, id, "slack").await;
    assert!(shown["connection_config"]["pendingLog"].is_null());
}

#[tokio::test]
async fn providers_are_listed_searched_and_told_in_the_order_of_their_forms() {
    let bench = bench().await;
    let (status, body) = answer(bench.get("/providers?search=GITHUB")).await;
    let names: Vec<&str> = body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        (status, names),
        (200, vec!["github", "github-app", "github-app-oauth"])
    );
    let (status, body) = answer(bench.get("/providers?bogus=1")).await;
    assert_eq!((status, code(&body)), (400, "invalid_query_params"));
    let (status, body) = answer(bench.get("/providers/a%20b")).await;
    assert_eq!((status, code(&body)), (400, "invalid_uri_params"));
    let response = bench
        .get("/providers/apple-app-store")
        .send()
        .await
        .unwrap();
    let text = response.text().await.unwrap();
    let at = |name: &str| text.find(&format!("\"{name}\":")).unwrap();
    assert!(at("issuerId") < at("privateKeyId") && at("privateKeyId") < at("privateKey"));
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(body["data"]["credentials"]["privateKey"]["secret"], true);
    let logo = format!("{}/images/template-logos/apple-app-store.svg", bench.base);
    assert_eq!(body["data"]["logo_url"], json!(logo));
}
