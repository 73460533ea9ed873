//! Webhooks: which are sent, where to, how signed, how often; and what happens to them by order.

use patchbay::server::sandbox::{SandboxError, WebhookSettings};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    receiver::{Receiver, signatures},
    support::{Bench, KEY, answer, code, config, folder},
};

const SETTINGS: &str = "/sandbox/control/webhooks";
const FAULTS: &str = "/sandbox/control/faults";

fn hook(receiver: &Receiver, path: &str) -> WebhookSettings {
    WebhookSettings {
        url: format!("{}{path}", receiver.base).parse().unwrap(),
        secondary_url: None,
        signing_key: None,
        allow_loopback: true,
    }
}

async fn bench() -> (Bench, Receiver) {
    let receiver = Receiver::start().await;
    let mut config = config();
    config.webhook = Some(hook(&receiver, "/hook"));
    config.rate_limit_per_minute = None;
    (Bench::with(config).await, receiver)
}

async fn set(bench: &Bench, body: Value) -> (u16, Value) {
    let call = bench.call(Method::PUT, SETTINGS).bearer_auth(KEY);
    answer(call.json(&body)).await
}

#[tokio::test]
async fn the_recorded_vectors_are_signed_alike() {
    let Some(folder) = std::env::var_os("NANGO_RECORDINGS") else {
        println!("skipped: NANGO_RECORDINGS names no folder with recordings");
        return;
    };
    let path = std::path::PathBuf::from(folder).join("webhook-vectors.json");
    let vectors: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let vectors = vectors.as_array().unwrap();
    assert!(vectors.len() >= 22);
    for vector in vectors {
        let text = |name: &str| vector[name].as_str().unwrap();
        let (hmac, legacy) = signatures(text("signingKey"), text("rawBody"));
        assert_eq!(hmac, text("xNangoHmacSha256"));
        assert_eq!(legacy, text("xNangoSignature"));
    }
}

#[tokio::test]
async fn a_fresh_nango_sends_none_until_it_is_switched_on() {
    let receiver = Receiver::start().await;
    let bench = Bench::new().await;
    let url = format!("{}/hook", receiver.base);
    let (status, body) = set(&bench, json!({"url": url})).await;
    assert_eq!(status, 400);
    let issue = &body["error"]["errors"][0];
    assert_eq!(issue["message"], "This webhook URL is not allowed.");
    assert_eq!(issue["path"], json!(["primary_url"]));
    let (status, shown) = set(&bench, json!({"url": url, "allow_loopback": true})).await;
    assert_eq!((status, &shown["on_auth_creation"]), (200, &json!(false)));
    bench.connect("u", "slack").await;
    receiver.exactly(0).await;
    set(&bench, json!({"enabled": true})).await;
    bench.connect("v", "slack").await;
    let got = receiver.exactly(1).await;
    assert!(got[0].is_signed_with(KEY), "the first signing key");
    let (status, body) = set(&bench, json!({"bogus": 1})).await;
    assert_eq!((status, code(&body)), (400, "invalid_body"));
}

#[tokio::test]
async fn loopback_is_refused_at_the_start_and_at_the_sending() {
    let receiver = Receiver::start().await;
    let mut settings = config();
    let mut webhook = hook(&receiver, "/hook");
    webhook.allow_loopback = false;
    settings.webhook = Some(webhook);
    let clock = patchbay::server::clock::Clock::system();
    let refused = patchbay::server::sandbox::start(settings, clock).await;
    assert!(matches!(
        refused.unwrap_err(),
        SandboxError::WebhookUrl { .. }
    ));

    let (bench, receiver) = bench().await;
    set(&bench, json!({"allow_loopback": false})).await;
    bench.connect("u", "slack").await;
    receiver.exactly(0).await;
    let (_, body) = answer(bench.get("/sandbox/control/deliveries")).await;
    assert_eq!(body["deliveries"][0]["attempt"], 0);
    assert_eq!(body["deliveries"][0]["status"], Value::Null);
}

#[tokio::test]
async fn what_is_told_and_what_is_not() {
    let (bench, receiver) = bench().await;
    let id = bench.connect("u", "hubspot").await;
    let made = receiver.exactly(1).await.remove(0);
    let keys = "{\"authMode\":\"OAUTH2\",\"connectionId\":\"ID\",\"environment\":\"dev\",\"from\":\"nango\",\"operation\":\"creation\",\"provider\":\"hubspot\",\"providerConfigKey\":\"hubspot\",\"success\":true,\"tags\":{\"end_user_id\":\"u\"},\"type\":\"auth\"}";
    assert_eq!(made.body.replace(&id, "ID"), keys);
    receiver.forget();

    // A failed refresh is told at each try outside the cool-down; a recovery never.
    let control = format!("/sandbox/control/connections/{id}");
    answer(bench.post(&format!("{control}/break"), &json!({}))).await;
    let got = receiver.exactly(1).await.remove(0).json();
    assert_eq!(
        (&got["operation"], &got["success"]),
        (&json!("refresh"), &json!(false))
    );
    assert_eq!(got["error"]["type"], "refresh_token_external_error");
    assert_eq!(got["tags"], json!({"end_user_id": "u"}));
    let read = format!("/connections/{id}?provider_config_key=hubspot");
    assert_eq!(answer(bench.get(&read)).await.0, 424);
    receiver.exactly(1).await;
    bench.clock.advance(30_000);
    assert_eq!(answer(bench.get(&read)).await.0, 400);
    receiver.exactly(2).await;
    assert_eq!(
        answer(bench.post(&format!("{control}/mend"), &json!({})))
            .await
            .0,
        200
    );
    assert_eq!(answer(bench.get(&read)).await.0, 200);
    receiver.exactly(2).await;
    receiver.forget();

    // A denied reconnect names a healthy connection, without tags.
    let body = json!({"connection_id": id, "integration_id": "hubspot"});
    let (_, session) = answer(bench.post("/connect/sessions/reconnect", &body)).await;
    let token = session["data"]["token"].as_str().unwrap().to_owned();
    let authorize = bench.start("hubspot", &token, "").await;
    let back = bench.decide(&authorize, "deny", "").await;
    bench.visit(&back).await;
    let got = receiver.exactly(1).await.remove(0).json();
    assert_eq!(
        (&got["operation"], &got["connectionId"]),
        (&json!("creation"), &json!(id))
    );
    assert_eq!(got["error"]["type"], "invalid_callback");
    assert_eq!(got.get("tags"), None);
    receiver.forget();

    // Refused credentials, a delete and a popup that nobody answers are told to nobody.
    let token = bench.session_for("u", "openai").await;
    let path = format!("/api-auth/api-key/openai?connect_session_token={token}");
    assert_eq!(
        answer(bench.post(&path, &json!({"apiKey": "wrong"})))
            .await
            .0,
        400
    );
    assert_eq!(answer(bench.delete(&read)).await.0, 200);
    let token = bench.session_for("u", "slack").await;
    bench.start("slack", &token, "").await;
    receiver.exactly(0).await;
}

#[tokio::test]
async fn syncs_are_told_as_their_switches_say() {
    let (bench, receiver) = bench().await;
    let id = bench.connect("u", "hubspot").await;
    receiver.exactly(1).await;
    receiver.forget();
    let path = format!("/sandbox/control/connections/{id}/sync");
    answer(bench.post(&path, &json!({"success": true, "sync_name": "contacts"}))).await;
    let got = receiver.exactly(1).await.remove(0).json();
    assert_eq!(
        (&got["type"], &got["syncName"]),
        (&json!("sync"), &json!("contacts"))
    );
    assert_eq!(
        got["responseResults"],
        json!({"added": 1, "deleted": 0, "updated": 0})
    );
    assert_eq!(got["modifiedAfter"], "2026-11-22T13:34:50.123Z");
    receiver.forget();
    answer(bench.post(&path, &json!({"success": false, "error": "no"}))).await;
    let got = receiver.exactly(1).await.remove(0).json();
    assert_eq!(
        got["error"],
        json!({"type": "script_internal_error", "description": "no"})
    );
    assert!(got["failedAt"].is_string() && got.get("responseResults").is_none());
    receiver.forget();
    set(
        &bench,
        json!({"on_sync_error": false, "on_sync_completion_always": false}),
    )
    .await;
    answer(bench.post(&path, &json!({"success": false}))).await;
    answer(bench.post(&path, &json!({"success": true, "added": 0}))).await;
    receiver.exactly(0).await;
    let unknown = bench.post(
        "/sandbox/control/connections/no/sync",
        &json!({"success": true}),
    );
    assert_eq!(answer(unknown).await.0, 404);
}

#[tokio::test]
async fn an_override_diverts_everything_until_a_reconnect_without_it() {
    let (bench, receiver) = bench().await;
    let secondary = format!("{}/second", receiver.base);
    set(&bench, json!({"secondary_url": secondary})).await;
    bench.connect("v", "slack").await;
    let paths = |all: Vec<crate::receiver::Got>| -> Vec<String> {
        all.into_iter().map(|got| got.path).collect()
    };
    assert_eq!(paths(receiver.exactly(2).await), ["/hook", "/second"]);
    receiver.forget();
    let token = bench
        .session(json!({
            "tags": {"end_user_id": "u"},
            "webhook_url_override": format!("{}/own", receiver.base),
        }))
        .await;
    bench.allow("slack", &token, "").await;
    let id = address(&bench.only("u").await);
    answer(bench.post(
        &format!("/sandbox/control/connections/{id}/break"),
        &json!({}),
    ))
    .await;
    assert_eq!(paths(receiver.exactly(2).await), ["/own", "/own"]);
    receiver.forget();
    // The switches stay the environment's.
    set(&bench, json!({"enabled": false})).await;
    bench.allow("slack", &token, "").await;
    receiver.exactly(0).await;
    set(&bench, json!({"enabled": true, "secondary_url": ""})).await;
    let body = json!({"connection_id": id, "integration_id": "slack"});
    let (_, session) = answer(bench.post("/connect/sessions/reconnect", &body)).await;
    bench
        .allow("slack", session["data"]["token"].as_str().unwrap(), "")
        .await;
    assert_eq!(paths(receiver.exactly(1).await), ["/hook"]);
}

fn address(connection: &Value) -> String {
    connection["connection_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_rotated_key_signs_from_then_on_and_survives_a_restart() {
    let receiver = Receiver::start().await;
    let folder = folder("rotation");
    let mut config = config();
    config.state_file = Some(folder.join("state.json"));
    config.webhook = Some(hook(&receiver, "/hook"));
    let first = Bench::with(config.clone()).await;
    let path = "/environment/webhook-signing-key/rotate";
    let refused = first.call(Method::POST, path).json(&json!({}));
    assert_eq!(answer(refused).await.0, 401);
    let (_, body) = answer(first.post(path, &json!({}))).await;
    let key = body["data"]["webhook_signing_key"].as_str().unwrap();
    assert_ne!(key, KEY);
    first.running.stop().await.unwrap();
    config.webhook = None;
    let again = Bench::with(config).await;
    again.connect("u", "slack").await;
    let got = receiver.exactly(1).await.remove(0);
    assert!(got.is_signed_with(key) && !got.is_signed_with(KEY));
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn webhooks_get_lost_come_twice_late_and_overtaken() {
    let (bench, receiver) = bench().await;
    let order = async |fault: Value| {
        answer(bench.delete(FAULTS)).await;
        receiver.forget();
        assert_eq!(answer(bench.post(FAULTS, &fault)).await.0, 200, "{fault}");
    };
    order(json!({"drop_webhook": 1.0})).await;
    bench.connect("a", "slack").await;
    receiver.exactly(0).await;
    order(json!({"double_webhook": 1.0})).await;
    bench.connect("b", "slack").await;
    let got = receiver.exactly(2).await;
    assert_eq!(got[0].body, got[1].body);
    order(json!({"delay_webhook": 1.0, "delay_webhook_ms": 400})).await;
    let before = std::time::Instant::now();
    bench.connect("c", "slack").await;
    let got = receiver.exactly(1).await;
    assert!(got[0].at - before >= std::time::Duration::from_millis(400));
    order(json!({"reorder_webhook": 1.0})).await;
    bench.connect("d", "slack").await;
    // Long enough for it to wait for the next.
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    answer(bench.delete(FAULTS)).await;
    bench.connect("e", "slack").await;
    let got = receiver.exactly(2).await;
    let users: Vec<Value> = got
        .iter()
        .map(|g| g.json()["tags"]["end_user_id"].clone())
        .collect();
    assert_eq!(users, ["e", "d"]);
    let (status, _) = answer(bench.post(FAULTS, &json!({"drop_webhook": 1.5}))).await;
    assert_eq!(status, 400);
}
