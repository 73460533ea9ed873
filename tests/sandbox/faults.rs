//! Faults that chance decides, broken answers, severed sockets, and a person without a browser.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Bench, answer, code, config, next};

const FAULTS: &str = "/sandbox/control/faults";
const CONSENT: &str = "/sandbox/control/consent";

async fn order(bench: &Bench, fault: Value) {
    assert_eq!(answer(bench.post(FAULTS, &fault)).await.0, 200, "{fault}");
}

async fn unlimited() -> Bench {
    let mut config = config();
    config.rate_limit_per_minute = None;
    Bench::with(config).await
}

#[tokio::test]
async fn chance_hits_about_as_often_as_said_and_the_same_again() {
    let bench = unlimited().await;
    let mut runs = Vec::new();
    for seed in [7, 7, 8] {
        answer(bench.delete(FAULTS)).await;
        let fault = json!({"status": 503, "probability": 0.2, "seed": seed});
        order(&bench, fault).await;
        let mut run = Vec::new();
        for _ in 0..100 {
            run.push(answer(bench.get("/integrations")).await.0);
        }
        runs.push(run);
    }
    let hit = runs[0].iter().filter(|status| **status == 503).count();
    assert!((10..=32).contains(&hit), "{hit} of 100");
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}

#[tokio::test]
async fn pages_and_halves_of_answers() {
    let bench = Bench::new().await;
    order(
        &bench,
        json!({"status": 502, "html": true, "method": "GET"}),
    )
    .await;
    let token = bench.session_for("u", "slack").await;
    let response = bench.get("/connections").send().await.unwrap();
    assert_eq!(response.status(), 502);
    assert!(response.text().await.unwrap().starts_with("<html>"));
    order(
        &bench,
        json!({"cut_off": true, "path_prefix": "/integrations"}),
    )
    .await;
    let response = bench.get("/integrations").send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.text().await.unwrap_err();
    assert_eq!(answer(bench.get("/integrations")).await.0, 200);
    // Done at once, answered late: others see it before the caller does.
    order(
        &bench,
        json!({"answer_after_ms": 500, "path_prefix": "/oauth/callback"}),
    )
    .await;
    let authorize = bench.start("slack", &token, "").await;
    let back = bench.decide(&authorize, "allow", "ada").await;
    let started = Instant::now();
    let (page, found) = tokio::join!(bench.visit(&back), async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        bench.connections("").await.len()
    });
    assert_eq!((page.0, found), (200, 1));
    assert!(started.elapsed() >= Duration::from_millis(500));
    let (status, _) = answer(bench.post(FAULTS, &json!({"status": 200}))).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn an_outage_takes_calls_and_sockets_and_leaves_the_controls() {
    let bench = Bench::new().await;
    let (mut socket, _) = bench.socket().await;
    order(&bench, json!({"outage": true})).await;
    assert_eq!(next(&mut socket).await, None);
    let fresh = reqwest::Client::new();
    let url = format!("{}/connections", bench.base);
    assert!(fresh.get(&url).send().await.is_err());
    let ws = format!("{}/", bench.base.replace("http://", "ws://"));
    assert!(tokio_tungstenite::connect_async(ws).await.is_err());
    order(&bench, json!({"outage": false})).await;
    assert_eq!(answer(bench.get("/connections")).await.0, 200);
    bench.socket().await;
}

#[tokio::test]
async fn announcements_get_lost_and_sockets_break() {
    let bench = Bench::new().await;
    for fault in ["drop_socket_message", "drop_socket"] {
        order(&bench, json!({ fault: 1.0 })).await;
        let (mut socket, id) = bench.socket().await;
        let token = bench.session_for(fault, "slack").await;
        bench
            .allow("slack", &token, &format!("&ws_client_id={id}"))
            .await;
        assert_eq!(next(&mut socket).await, None);
        use futures::{SinkExt, StreamExt};
        let _ = socket.send("x".into()).await;
        let wait = tokio::time::timeout(Duration::from_millis(300), socket.next());
        let closed = wait.await.is_ok();
        assert_eq!(closed, fault == "drop_socket", "{fault}");
        bench.only(fault).await;
        answer(bench.delete(FAULTS)).await;
    }
}

#[tokio::test]
async fn a_refresh_fails_by_chance_and_the_provider_severs_its_opener() {
    let bench = Bench::new().await;
    let id = bench.connect("u", "hubspot").await;
    let path = format!("/connections/{id}?provider_config_key=hubspot");
    assert_eq!(answer(bench.get(&path)).await.0, 200);
    order(&bench, json!({"refresh_failure": 1.0, "coop": true})).await;
    let (status, body) = answer(bench.get(&path)).await;
    assert_eq!((status, code(&body)), (400, "invalid_credentials"));
    assert_eq!(bench.only("u").await["errors"][0]["type"], "auth");
    let token = bench.session_for("u", "slack").await;
    let authorize = bench.start("slack", &token, "").await;
    let page = bench.http.get(&authorize).send().await.unwrap();
    assert_eq!(page.headers()["cross-origin-opener-policy"], "same-origin");
    order(&bench, json!({"coop": false})).await;
    let page = bench.http.get(&authorize).send().await.unwrap();
    assert!(!page.headers().contains_key("cross-origin-opener-policy"));
}

#[tokio::test]
async fn a_consent_without_a_browser() {
    let mut config = config();
    let mut app = config.integrations[0].clone();
    app.unique_key = "github-app".to_owned();
    app.auth_mode = "CUSTOM".to_owned();
    config.integrations.push(app);
    let bench = Bench::with(config).await;
    for (key, decision, outcome, connected, pending) in [
        ("slack", "allow", "success", true, false),
        ("slack", "deny", "failed", false, false),
        ("slack", "fail", "failed", false, false),
        ("slack", "close", "closed", false, false),
        ("github-app", "allow", "success", true, false),
        ("github-app", "pending", "success", true, true),
    ] {
        let user = format!("{key}-{decision}");
        let (mut socket, client) = bench.socket().await;
        let token = bench.session_for(&user, key).await;
        let url = format!(
            "{}/oauth/connect/{key}?connect_session_token={token}&ws_client_id={client}",
            bench.base
        );
        let order = json!({"oauth_url": url, "decision": decision, "account": "ada"});
        let (status, body) = answer(bench.post(CONSENT, &order)).await;
        assert_eq!((status, &body["outcome"]), (200, &json!(outcome)), "{body}");
        let found = bench
            .connections(&format!("?tags[end_user_id]={user}"))
            .await;
        assert_eq!(found.len(), usize::from(connected), "{user}");
        let said = next(&mut socket).await.unwrap_or_default();
        if connected {
            assert_eq!(found[0]["connection_id"], body["connection_id"]);
            assert_eq!(said["is_pending"], json!(pending));
            let id = found[0]["connection_id"].as_str().unwrap();
            let path = format!("/connections/{id}?provider_config_key={key}");
            let (_, shown) = answer(bench.get(&path)).await;
            let log = &shown["connection_config"]["pendingLog"];
            assert_eq!(log.is_string(), pending, "{shown}");
        } else if outcome == "failed" {
            assert!(said["error_desc"].is_string());
            assert_eq!(body["error"]["errorType"], "connection_validation_failed");
        }
    }
    let url = format!(
        "{}/oauth/connect/slack?connect_session_token=no",
        bench.base
    );
    let order = json!({"oauth_url": url, "decision": "allow"});
    let (_, body) = answer(bench.post(CONSENT, &order)).await;
    assert_eq!(
        (&body["outcome"], &body["status"]),
        (&json!("refused"), &json!(401))
    );
}

#[tokio::test]
async fn a_refusal_says_when_to_come_again_and_every_hit_is_counted() {
    let bench = unlimited().await;
    let fault = json!({
        "status": 429, "retry_after": 0, "path_prefix": "/connections", "query_contains": "limit=",
    });
    order(&bench, fault).await;
    // Another query is not meant.
    assert_eq!(answer(bench.get("/connections?page=0")).await.0, 200);
    let response = bench.get("/connections?limit=5&page=0").send().await;
    let response = response.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "0");
    order(&bench, json!({"status": 503, "count": 2})).await;
    for expected in [503, 503, 200] {
        assert_eq!(answer(bench.get("/integrations")).await.0, expected);
    }
    let (_, body) = answer(bench.get("/sandbox/control/calls")).await;
    let expected = json!({"status 429": 1, "status 503": 2});
    assert_eq!(body["faults"], expected);
}
