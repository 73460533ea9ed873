//! The parts of a recording that are about webhooks and sockets: the receiver beside the sandbox
//! must be told what the recorded one was told, byte for byte but for ids.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    compare::Differences,
    player::{Player, message},
};
use crate::support::{KEY, answer};

/// Timers of a loaded machine.
const LEEWAY_MS: u128 = 900;

impl Player {
    pub(super) async fn webhooks_become(&mut self, change: &str) {
        let change: Value = serde_json::from_str(&self.live(change)).unwrap();
        let path = "/sandbox/control/webhooks";
        let call = self.bench.call(Method::PUT, path).bearer_auth(KEY);
        let (status, body) = answer(call.json(&change)).await;
        assert_eq!(status, 200, "{body}");
    }

    /// The recorded rotation is played by hand: its answer is the new key.
    pub(super) async fn rotated(&mut self, step: &Value) {
        self.played.insert(std::ptr::from_ref(step));
        let (request, recorded) = (&step["request"], &step["response"]);
        let path = request["path"].as_str().unwrap();
        let (status, body) = answer(self.bench.post(path, &request["body"])).await;
        let mut differences = Differences::default();
        differences.same("status", recorded["status"].as_u64(), Some(status.into()));
        differences.shape("body", &recorded["body"], &body);
        self.report(path, differences);
        let key = body["data"]["webhook_signing_key"].as_str();
        self.signing_key = key.unwrap().to_owned();
    }

    pub(super) async fn no_webhook(&mut self, integration: &str) {
        let token = self.bench.session_for("nobody", integration).await;
        self.bench.allow(integration, &token, "").await;
        self.told(&json!([])).await;
    }

    /// What the receiver got since the part began.
    pub(super) async fn told(&mut self, recorded: &Value) {
        let recorded = recorded.as_array().unwrap();
        let got = self.receiver.settled(recorded.len()).await;
        let mut differences = Differences::default();
        differences.same("webhooks", recorded.len(), got.len());
        for (recorded, got) in recorded.iter().zip(&got) {
            let body = recorded.as_str().or(recorded["rawBody"].as_str()).unwrap();
            self.learn(&serde_json::from_str(body).unwrap(), &got.json());
            differences.same("webhook", self.live(body), got.body.clone());
            if let Some(path) = recorded["url"].as_str() {
                differences.same("sent to", path, &got.path);
            }
            let signed = got.is_signed_with(&self.signing_key);
            differences.same("signed with the signing key", true, signed);
            if let Some(checks) = recorded["signature"].as_object() {
                let with_secret =
                    &checks["x-nango-hmac-sha256 == HMAC-SHA256(SECRET_KEY, rawBody)"];
                let live = got.is_signed_with(KEY);
                differences.same("signed with the secret key", with_secret, &json!(live));
            }
        }
        self.report("webhooks", differences);
    }

    /// Several flows with one client id, and what its socket says.
    pub(super) async fn announced(&mut self, log: &Value, flows: usize) {
        let log = log.as_array().unwrap();
        let (mut socket, client) = self.bench.socket().await;
        let token = self.bench.session_for("sockets", "github").await;
        let mut differences = Differences::default();
        let keys =
            |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
        let ack = json!({"message_type": "connection_ack", "ws_client_id": client});
        differences.same("ack", keys(message(&log[0])), keys(&ack));
        self.report("socket", differences);
        for _ in 0..flows {
            let more = format!("&ws_client_id={client}");
            self.bench.allow("github", &token, &more).await;
        }
        // The flows go one after the other: what is announced is the first one.
        let of_first = self.bench.connections("?tags[end_user_id]=sockets").await;
        for entry in &log[1..] {
            let theirs = message(entry)["connection_id"].as_str().unwrap();
            let ours = of_first[of_first.len() - flows.min(of_first.len())..].last();
            let ours = ours.unwrap()["connection_id"].as_str().unwrap();
            self.words.push((theirs.to_owned(), ours.to_owned()));
        }
        self.socket(&log[1..], &mut socket).await;
    }

    /// Every receiver of the recording at once: the longest takes nine seconds.
    pub(super) async fn retries(&mut self, results: &Value) {
        let mut answered = Vec::new();
        for (name, recorded) in results.as_object().unwrap() {
            let Some(status) = name.strip_prefix("receiver answers ") else {
                continue;
            };
            let path = format!("/status/{status}");
            let token = self
                .bench
                .session(json!({
                    "tags": {"end_user_id": name},
                    "webhook_url_override": format!("{}{path}", self.receiver.base),
                }))
                .await;
            self.bench.allow("github", &token, "").await;
            answered.push((path, Instant::now(), recorded));
        }
        tokio::time::sleep(Duration::from_millis(10_200)).await;
        let all = self.receiver.all();
        for (path, since, recorded) in answered {
            let got: Vec<_> = all.iter().filter(|got| got.path == path).collect();
            let mut differences = Differences::default();
            let attempts = recorded["attempts"].as_u64().unwrap();
            differences.same("attempts", attempts, got.len() as u64);
            let times = recorded["msAfterResponse"].as_array().unwrap();
            for (time, got) in times.iter().zip(&got) {
                let expected = u128::from(time.as_u64().unwrap());
                let live = got.at.saturating_duration_since(since).as_millis();
                if live.abs_diff(expected) > LEEWAY_MS {
                    let found = format!("{path}: after {live} ms, recorded {expected}");
                    differences.0.push(found);
                }
            }
            let same = got
                .windows(2)
                .all(|w| (&w[0].body, &w[0].hmac) == (&w[1].body, &w[1].hmac));
            differences.same("the same body and signature", true, same);
            self.report(&path, differences);
        }
        self.receiver.forget();
        self.webhooks_become(r#"{"secondary_url": "http://127.0.0.1:9998/hook-secondary"}"#)
            .await;
        let token = self.bench.session_for("two", "github").await;
        self.bench.allow("github", &token, "").await;
        let paths: Vec<Value> = self
            .receiver
            .settled(2)
            .await
            .iter()
            .map(|got| json!(got.path))
            .collect();
        let mut differences = Differences::default();
        differences.same("two addresses", &results["secondaryUrl"], &json!(paths));
        self.report("secondaryUrl", differences);
        self.webhooks_become(r#"{"secondary_url": ""}"#).await;
    }
}
