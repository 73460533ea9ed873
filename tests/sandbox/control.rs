//! Faults, broken connections, call counts, and what a restart keeps.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::support::{Bench, answer, code, config, folder, next};

#[tokio::test]
async fn the_controls_ask_for_the_key() {
    let bench = Bench::new().await;
    let (status, body) = answer(bench.call(Method::GET, "/sandbox/control/calls")).await;
    assert_eq!((status, code(&body)), (401, "missing_auth_header"));
}

#[tokio::test]
async fn ordered_answers_come_as_often_as_ordered() {
    let bench = Bench::new().await;
    let faults = "/sandbox/control/faults";
    let order = json!({"status": 503, "count": 2, "path_prefix": "/connections"});
    assert_eq!(answer(bench.post(faults, &order)).await.0, 200);
    assert_eq!(
        answer(bench.get("/integrations")).await.0,
        200,
        "another path"
    );
    for _ in 0..2 {
        let (status, body) = answer(bench.get("/connections")).await;
        assert_eq!((status, code(&body)), (503, "generic_error_support"));
    }
    assert_eq!(answer(bench.get("/connections")).await.0, 200);

    answer(bench.post(faults, &json!({"status": 429}))).await;
    let response = bench.get("/connections").send().await.unwrap();
    assert_eq!(response.status(), 429);
    assert!(response.headers().contains_key("retry-after"));

    answer(bench.post(faults, &json!({"status": 500, "count": 9}))).await;
    assert_eq!(answer(bench.delete(faults)).await.0, 200);
    assert_eq!(answer(bench.get("/connections")).await.0, 200);
    let (status, body) = answer(bench.post(faults, &json!({"bogus": 1}))).await;
    assert_eq!((status, code(&body)), (400, "invalid_body"));
}

#[tokio::test]
async fn a_slow_answer_and_a_cut_line() {
    let bench = Bench::new().await;
    let faults = "/sandbox/control/faults";
    answer(bench.post(faults, &json!({"latency_ms": 150}))).await;
    let before = Instant::now();
    assert_eq!(answer(bench.get("/connections")).await.0, 200);
    assert!(before.elapsed() >= Duration::from_millis(150));

    // A client of its own: reqwest repeats a call that fails on a line it used before.
    answer(bench.post(faults, &json!({"drop_connection": true}))).await;
    let fresh = reqwest::Client::new();
    let cut = fresh
        .get(format!("{}/connections", bench.base))
        .send()
        .await;
    assert!(cut.is_err(), "{cut:?}");
    assert_eq!(answer(bench.get("/connections")).await.0, 200);
}

#[tokio::test]
async fn silent_sockets_leave_the_list_as_the_only_witness() {
    let bench = Bench::new().await;
    answer(bench.post("/sandbox/control/faults", &json!({"drop_websocket": true}))).await;
    let (mut socket, id) = bench.socket().await;
    let token = bench.session_for("u", "slack").await;
    bench
        .allow("slack", &token, &format!("&ws_client_id={id}"))
        .await;
    assert_eq!(next(&mut socket).await, None);
    bench.only("u").await;
    answer(bench.delete("/sandbox/control/faults")).await;
    bench
        .allow("slack", &token, &format!("&ws_client_id={id}"))
        .await;
    assert!(next(&mut socket).await.is_some());
}

#[tokio::test]
async fn a_broken_connection_shows_backs_off_and_mends() {
    let bench = Bench::new().await;
    let id = bench.connect("u", "hubspot").await;
    let control = format!("/sandbox/control/connections/{id}/break");
    let path = format!("/connections/{id}?provider_config_key=hubspot");
    assert_eq!(
        answer(bench.post(&control, &json!({"unnoticed": true})))
            .await
            .0,
        200
    );
    assert_eq!(bench.only("u").await["errors"], json!([]));
    let (status, body) = answer(bench.get(&path)).await;
    assert_eq!((status, code(&body)), (400, "invalid_credentials"));
    assert_eq!(
        body["error"]["payload"]["connection"]["credentials"],
        json!({})
    );
    assert_eq!(bench.only("u").await["errors"][0]["type"], "auth");
    bench.clock.advance(29_999);
    let (status, body) = answer(bench.get(&path)).await;
    assert_eq!((status, code(&body)), (424, "invalid_credentials"));
    bench.clock.advance(1);
    assert_eq!(answer(bench.get(&path)).await.0, 400);
    let forced = format!("{path}&force_refresh=true");
    assert_eq!(
        answer(bench.get(&forced)).await.0,
        400,
        "the cool-down does not hold it"
    );

    assert_eq!(answer(bench.delete(&control)).await.0, 200);
    assert_eq!(answer(bench.get(&path)).await.0, 200);
    assert_eq!(bench.only("u").await["errors"], json!([]));

    // A reconnect mends too.
    answer(bench.post(&control, &json!({}))).await;
    assert_eq!(bench.only("u").await["errors"][0]["type"], "auth");
    let body =
        json!({"connection_id": id, "integration_id": "hubspot", "tags": {"end_user_id": "u"}});
    let (_, session) = answer(bench.post("/connect/sessions/reconnect", &body)).await;
    bench
        .allow("hubspot", session["data"]["token"].as_str().unwrap(), "")
        .await;
    assert_eq!(bench.only("u").await["errors"], json!([]));

    let unknown = bench.post("/sandbox/control/connections/nope/break", &json!({}));
    assert_eq!(answer(unknown).await.0, 404);
}

#[tokio::test]
async fn a_removed_integration_takes_its_connections_along() {
    let bench = Bench::new().await;
    bench.connect("u", "slack").await;
    let path = "/sandbox/control/integrations/slack";
    assert_eq!(answer(bench.delete(path)).await.0, 200);
    assert!(bench.connections("").await.is_empty());
    assert_eq!(answer(bench.get("/integrations/slack")).await.0, 404);
    assert_eq!(answer(bench.delete(path)).await.0, 404);
}

#[tokio::test]
async fn calls_are_counted_by_pattern() {
    let bench = Bench::new().await;
    for path in [
        "/connections",
        "/connections",
        "/connections/a",
        "/connections/b",
        "/nope",
    ] {
        answer(bench.get(path)).await;
    }
    let (_, body) = answer(bench.get("/sandbox/control/calls")).await;
    let expected = json!({
        "GET /connections": 2,
        "GET /connections/{id}": 2,
        "GET (unknown)": 1,
    });
    assert_eq!(body["calls"], expected);
}

#[tokio::test]
async fn a_restart_keeps_connections_tokens_and_running_flows() {
    let folder = folder("restart");
    let mut config = config();
    config.state_file = Some(folder.join("deep/state.json"));
    let bench = Bench::with(config.clone()).await;
    let id = bench.connect("u", "slack").await;
    answer(bench.delete("/sandbox/control/integrations/notion")).await;
    let token = bench.session_for("v", "github").await;
    let authorize = bench.start("github", &token, "").await;
    let (mut socket, _) = bench.socket().await;
    let (addr, clock) = (bench.running.addr, bench.clock.clone());
    bench.running.stop().await.unwrap();
    assert_eq!(next(&mut socket).await, None, "the socket is closed");

    // The same port: it has been given back.
    config.listen = addr;
    let bench = Bench::at(config, clock).await;
    assert_eq!(bench.only("u").await["connection_id"], json!(id));
    assert_eq!(
        answer(bench.get("/integrations/notion")).await.0,
        200,
        "seeded again"
    );
    let back = bench.decide(&authorize, "allow", "ada").await;
    assert_eq!(bench.visit(&back).await.0, 200);
    bench.only("v").await;
    bench.allow("github", &token, "").await;
    bench.running.stop().await.unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn changes_reach_the_disk_without_a_stop() {
    let folder = folder("crash");
    let mut config = config();
    config.state_file = Some(folder.join("state.json"));
    let first = Bench::with(config.clone()).await;
    first.connect("u", "slack").await;
    let path = folder.join("state.json");
    let saved = async {
        while !std::fs::read_to_string(&path)
            .unwrap()
            .contains("\"end_user_id\":\"u\"")
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), saved)
        .await
        .expect("saved");
    // As after a crash: the first is still there and never stopped.
    let second = Bench::with(config).await;
    second.only("u").await;
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn dropping_the_handle_stops_nothing() {
    let bench = Bench::new().await;
    let Bench {
        running,
        base,
        clock,
        http,
    } = bench;
    let running_again = patchbay::server::sandbox::start(config(), clock.clone())
        .await
        .unwrap();
    let bench = Bench {
        running: running_again,
        base,
        clock,
        http,
    };
    let (mut socket, id) = bench.socket().await;
    drop(running);
    let token = bench.session_for("u", "slack").await;
    bench
        .allow("slack", &token, &format!("&ws_client_id={id}"))
        .await;
    assert!(next(&mut socket).await.is_some());
}

#[tokio::test]
async fn a_broken_state_file_stops_the_start() {
    let folder = folder("broken");
    std::fs::create_dir_all(&folder).unwrap();
    let mut config = config();
    let path = folder.join("state.json");
    std::fs::write(&path, "{ not json").unwrap();
    config.state_file = Some(path.clone());
    let clock = patchbay::server::clock::Clock::system();
    let error = patchbay::server::sandbox::start(config, clock)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("state.json"), "{error}");
    assert_eq!(std::fs::read_to_string(path).unwrap(), "{ not json");
    std::fs::remove_dir_all(folder).unwrap();
}
