//! The calls with the secret key, and what is refused.

use patchbay::server::sandbox::{self, SandboxError};
use reqwest::Method;
use serde_json::json;

use crate::support::{Bench, answer, code, config};

#[tokio::test]
async fn a_key_that_is_no_uuid_is_refused_at_the_start() {
    let mut config = config();
    config.secret_key = "sandbox".to_owned().into();
    let clock = patchbay::server::clock::Clock::system();
    let error = sandbox::start(config, clock).await.unwrap_err();
    assert!(matches!(error, SandboxError::SecretKey));
}

#[tokio::test]
async fn a_session_is_made_read_and_deleted() {
    let bench = Bench::new().await;
    let (status, body) = answer(bench.post(
        "/connect/sessions",
        &json!({"tags": {"end_user_id": "u"}, "allowed_integrations": ["slack"]}),
    ))
    .await;
    assert_eq!(status, 201);
    assert_eq!(body["data"]["expires_at"], "2026-11-22T14:04:50.123Z");
    let token = body["data"]["token"].as_str().unwrap();
    let link = body["data"]["connect_link"].as_str().unwrap();
    assert!(link.starts_with(&bench.base) && link.ends_with(token));

    let with_token = |method| bench.call(method, "/connect/session").bearer_auth(token);
    let (status, body) = answer(with_token(Method::GET)).await;
    assert_eq!(
        (status, &body["data"]["allowed_integrations"]),
        (200, &json!(["slack"]))
    );
    let (status, _) = answer(with_token(Method::DELETE)).await;
    assert_eq!(status, 204);
    let (status, body) = answer(with_token(Method::GET)).await;
    assert_eq!(
        (status, code(&body)),
        (401, "unknown_connect_session_token")
    );
}

#[tokio::test]
async fn a_session_expires_after_half_an_hour() {
    let bench = Bench::new().await;
    let token = bench.session_for("u", "slack").await;
    let read = || {
        bench
            .call(Method::GET, "/connect/session")
            .bearer_auth(&token)
    };
    bench.clock.advance(30 * 60_000 - 1);
    assert_eq!(answer(read()).await.0, 200);
    bench.clock.advance(1);
    let (status, body) = answer(read()).await;
    assert_eq!(
        (status, code(&body)),
        (401, "unknown_connect_session_token")
    );
}

#[tokio::test]
async fn several_issues_come_at_once_unknown_keys_last() {
    let bench = Bench::new().await;
    let (status, body) = answer(bench.post(
        "/connect/sessions",
        &json!({"tags": {"a": 1}, "allowed_integrations": "slack", "x": 1, "y": 2}),
    ))
    .await;
    assert_eq!((status, code(&body)), (400, "invalid_body"));
    let codes: Vec<_> = body["error"]["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["invalid_type", "invalid_type", "unrecognized_keys"]);
    let last = &body["error"]["errors"][2]["message"];
    assert_eq!(last, "Unrecognized keys: \"x\", \"y\"");
}

#[tokio::test]
async fn integrations_and_providers_are_read() {
    let bench = Bench::new().await;
    let (_, body) = answer(bench.get("/integrations")).await;
    assert_eq!(body["data"].as_array().unwrap().len(), 10);
    let (status, body) = answer(bench.get("/integrations/zendesk")).await;
    assert_eq!(
        (status, &body["data"]["display_name"]),
        (200, &json!("Zendesk"))
    );
    let (status, body) = answer(bench.get("/integrations/nope")).await;
    assert_eq!((status, code(&body)), (404, "not_found"));
    let (status, body) = answer(bench.get("/providers/zendesk")).await;
    assert_eq!(
        (status, &body["data"]["auth_mode"]),
        (200, &json!("OAUTH2"))
    );
    assert!(body["data"]["connection_config"]["subdomain"].is_object());
    let (status, body) = answer(bench.get("/providers/nope")).await;
    assert_eq!((status, code(&body)), (404, "not_found"));
}

#[tokio::test]
async fn connections_are_filtered_paged_read_and_deleted() {
    let bench = Bench::new().await;
    let first = bench.connect("ada", "github").await;
    bench.clock.advance(1000);
    let second = bench.connect("bob", "slack").await;

    let ids = |list: Vec<serde_json::Value>| -> Vec<String> {
        let id = |c: &serde_json::Value| c["connection_id"].as_str().unwrap().to_owned();
        list.iter().map(id).collect()
    };
    assert_eq!(
        ids(bench.connections("").await),
        [&*second, &*first],
        "newest first"
    );
    assert_eq!(ids(bench.connections("?limit=1&page=1").await), [&*first]);
    assert_eq!(
        ids(bench.connections("?tags[end_user_id]=ada").await),
        [&*first]
    );
    assert!(bench.connections("?tags[end_user_id]=Ada").await.is_empty());
    let (status, body) = answer(bench.get("/connections?limit=2001")).await;
    assert_eq!((status, code(&body)), (400, "invalid_query_params"));

    let path = format!("/connections/{first}?provider_config_key=github");
    let (status, body) = answer(bench.get(&path)).await;
    assert_eq!(status, 200);
    assert_eq!(body["tags"], json!({"end_user_id": "ada"}));
    assert_eq!(body["end_user"], json!(null));
    assert_eq!(body["created_at"], "2026-11-22T13:34:50.123+00:00");
    let (status, body) = answer(bench.get("/connections/x?provider_config_key=nope")).await;
    assert_eq!((status, code(&body)), (400, "unknown_provider_config"));

    assert_eq!(
        answer(bench.delete(&path)).await,
        (200, json!({"success": true}))
    );
    let (status, body) = answer(bench.delete(&path)).await;
    assert_eq!((status, code(&body)), (400, "unknown_connection"));
    let (status, body) = answer(bench.get(&path)).await;
    assert_eq!((status, code(&body)), (404, "not_found"));
}

#[tokio::test]
async fn the_minute_is_spent_per_bucket_and_comes_back() {
    let mut config = config();
    config.rate_limit_per_minute = Some(3);
    let bench = Bench::with(config).await;
    let token = bench.session_for("u", "slack").await;
    bench.clock.advance(3_500);
    for left in ["1", "0"] {
        let response = bench.get("/connections").send().await.unwrap();
        assert_eq!(response.headers()["x-ratelimit-remaining"], left);
    }
    let response = bench.get("/connections").send().await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "57");
    assert_eq!(response.headers()["x-ratelimit-reset"], "1795354551");
    let body: serde_json::Value = response.json().await.unwrap();
    let said = json!({"code": "too_many_request", "method": "GET", "path": "/connections"});
    assert_eq!(body["error"], said);
    // Session tokens have a minute of their own.
    let session = bench
        .call(Method::GET, "/connect/session")
        .bearer_auth(&token);
    assert_eq!(answer(session).await.0, 200);
    bench.clock.advance(56_500);
    assert_eq!(answer(bench.get("/connections")).await.0, 200);
}

#[tokio::test]
async fn without_a_limit_nothing_is_counted() {
    let mut config = config();
    config.rate_limit_per_minute = None;
    let bench = Bench::with(config).await;
    for _ in 0..250 {
        let response = bench.get("/integrations/slack").send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(!response.headers().contains_key("x-ratelimit-limit"));
    }
}

#[tokio::test]
async fn unknown_paths_and_methods() {
    let bench = Bench::new().await;
    let (status, body) = answer(bench.get("/connect/sessions")).await;
    assert_eq!((status, code(&body)), (500, "generic_error_support"));
    let response = bench.post("/nope", &json!({})).send().await.unwrap();
    assert_eq!(response.status(), 404);
    assert_eq!(
        response.headers()["content-type"],
        "text/html; charset=utf-8"
    );
    let preflight = bench
        .call(Method::OPTIONS, "/connections")
        .send()
        .await
        .unwrap();
    assert_eq!(preflight.status(), 204);
    assert_eq!(preflight.headers()["access-control-allow-origin"], "*");
    assert_eq!(answer(bench.call(Method::GET, "/health")).await.0, 200);
    let front = bench.call(Method::GET, "/").send().await.unwrap();
    assert_eq!(front.headers()["location"], "/sandbox");
    let (status, page) = bench.visit(&format!("{}/sandbox", bench.base)).await;
    assert_eq!(status, 200);
    assert!(page.contains("stand-in for Nango"));
}
