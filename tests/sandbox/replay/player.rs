//! Plays the parts of a recording against a sandbox.

use std::{collections::HashSet, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    compare::{Differences, page_error},
    table::Part,
};
use crate::{
    receiver::Receiver,
    support::{Bench, KEY, Socket, answer, next},
};

/// Where the recorded server sent its webhooks.
const RECORDED_RECEIVER: &str = "http://127.0.0.1:9998";

const HEADERS: [&str; 6] = [
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "retry-after",
    "set-cookie",
    "location",
];

pub struct Player {
    pub(super) bench: Bench,
    pub(super) receiver: Receiver,
    /// What webhooks are signed with now.
    pub(super) signing_key: String,
    /// Recorded words and the sandbox's words for the same thing.
    pub(super) words: Vec<(String, String)>,
    /// Where the browser was sent last.
    sent_to: String,
    recording: &'static str,
    /// Headers that a recording's calls had and that were left out of it.
    headers: Vec<(&'static str, &'static str)>,
    /// The recording's own steps, by where they are in memory.
    pub(super) played: HashSet<*const Value>,
    pub compared: usize,
    pub found: Vec<String>,
}

impl Player {
    pub async fn new() -> Self {
        let receiver = Receiver::start().await;
        Self {
            bench: Bench::new().await,
            words: vec![(RECORDED_RECEIVER.to_owned(), receiver.base.clone())],
            receiver,
            signing_key: KEY.to_owned(),
            sent_to: String::new(),
            recording: "",
            headers: Vec::new(),
            played: HashSet::new(),
            compared: 0,
            found: Vec::new(),
        }
    }

    pub async fn play(&mut self, name: &'static str, recording: &Value, parts: &'static [Part]) {
        self.recording = name;
        self.headers.clear();
        self.played.clear();
        // Each recording has a minute of its own.
        self.bench.clock.advance(60_000);
        let lasting = self.words.len();
        for part in parts {
            self.receiver.forget();
            match part {
                Part::Play(at) => self.part(recording.pointer(at).expect(at), "ada").await,
                Part::PlayFailing(at) => self.part(recording.pointer(at).expect(at), "wrong").await,
                Part::Session(token, body) => self.session("/connect/sessions", token, body).await,
                Part::Reconnect(token, body) => {
                    self.session("/connect/sessions/reconnect", token, body)
                        .await;
                }
                Part::Connect(id, key, body) => self.connect(id, key, body).await,
                Part::Break(id) => {
                    let path = format!("/sandbox/control/connections/{}/break", self.live(id));
                    let (status, _) =
                        answer(self.bench.post(&path, &json!({"unnoticed": true}))).await;
                    assert_eq!(status, 200);
                }
                Part::Mend(id) => {
                    let path = format!("/sandbox/control/connections/{}/break", self.live(id));
                    assert_eq!(answer(self.bench.delete(&path)).await.0, 200);
                }
                Part::Webhooks(change) => self.webhooks_become(change).await,
                Part::Rotated(at) => self.rotated(recording.pointer(at).expect(at)).await,
                Part::NoWebhook(integration) => self.no_webhook(integration).await,
                Part::Socket(at, flows) => {
                    self.announced(recording.pointer(at).expect(at), *flows)
                        .await;
                }
                Part::Retries(at) => self.retries(recording.pointer(at).expect(at)).await,
                Part::Begun(token, key) => {
                    let token = self.live(token);
                    let authorize = self.bench.start(key, &token, "").await;
                    self.sent_to = self.bench.decide(&authorize, "allow", "ada").await;
                }
                Part::Allowed => {
                    self.sent_to = self.bench.decide(&self.sent_to, "allow", "ada").await;
                }
                Part::Wait(minutes) => self.bench.clock.advance(minutes * 60_000),
                Part::CallBack(at, told) => {
                    self.step(recording.pointer(at).expect(at), "ada").await;
                    self.told(recording.pointer(told).expect(told)).await;
                }
                Part::Exhaust(id) => {
                    let path = format!("/sandbox/control/connections/{}/exhaust", self.live(id));
                    assert_eq!(answer(self.bench.post(&path, &json!({}))).await.0, 200);
                }
                Part::DeleteIntegrations => {
                    let (_, body) = answer(self.bench.get("/integrations")).await;
                    for integration in body["data"].as_array().unwrap() {
                        let key = integration["unique_key"].as_str().unwrap();
                        let path = format!("/integrations/{key}");
                        assert_eq!(answer(self.bench.delete(&path)).await.0, 200);
                    }
                }
                Part::With(name, value) => self.headers.push((*name, *value)),
                Part::SpendTheMinute => {
                    while answer(self.bench.get("/connections?limit=1")).await.0 == 200 {}
                }
                Part::Say(recorded, live) => {
                    self.words
                        .push(((*recorded).to_owned(), (*live).to_owned()));
                }
            }
        }
        // Words that were only said for this recording.
        let said = |w: &(String, String)| w.0.starts_with('"');
        let mut index = 0;
        self.words.retain(|w| {
            index += 1;
            index <= lasting || !said(w)
        });
    }

    /// Of the recording that was played last.
    pub fn has_played(&self, step: &Value) -> bool {
        self.played.contains(&std::ptr::from_ref(step))
    }

    pub(super) fn live(&self, recorded: &str) -> String {
        let mut text = recorded
            .replace("{{SECRET_KEY}}", KEY)
            .replace("{{WEBHOOK_SIGNING_KEY}}", &self.signing_key);
        for (recorded, live) in &self.words {
            text = text.replace(recorded, live);
        }
        text
    }

    pub(super) fn live_value(&self, recorded: &Value) -> Value {
        serde_json::from_str(&self.live(&recorded.to_string())).unwrap()
    }

    async fn session(&mut self, path: &str, token: &str, body: &str) {
        let body: Value = serde_json::from_str(&self.live(body)).unwrap();
        let (status, made) = answer(self.bench.post(path, &body)).await;
        assert_eq!(status, 201, "{made}");
        let live = made["data"]["token"].as_str().unwrap().to_owned();
        self.words.push((token.to_owned(), live));
    }

    async fn connect(&mut self, id: &str, key: &str, body: &str) {
        let token = self
            .bench
            .session(serde_json::from_str(body).unwrap())
            .await;
        self.bench.allow(key, &token, "").await;
        let newest = &self.bench.connections("?limit=1").await[0];
        let live = newest["connection_id"].as_str().unwrap().to_owned();
        self.words.push((id.to_owned(), live));
    }

    async fn part(&mut self, part: &Value, account: &str) {
        if part["webhooks"].is_array() {
            // What an earlier part caused is still on its way.
            tokio::time::sleep(Duration::from_millis(70)).await;
            self.receiver.forget();
        }
        let log = part["webSocket"].as_array();
        let log = log.or(part["webSocketOfTheSameClient"].as_array());
        let mut socket = None;
        if let Some(first) = log.and_then(|log| log.first()) {
            let (open, id) = self.bench.socket().await;
            let recorded = message(first)["ws_client_id"].as_str().unwrap().to_owned();
            self.words.push((recorded, id));
            socket = Some(open);
        }
        if part["request"].is_object() {
            self.step(part, account).await;
        } else {
            let steps = part["steps"].as_array().or(part.as_array());
            for step in steps.expect("steps") {
                self.step(step, account).await;
            }
        }
        if let (Some(log), Some(mut socket)) = (log, socket) {
            self.socket(&log[1..], &mut socket).await;
        }
        if part["webhooks"].is_array() {
            self.told(&part["webhooks"]).await;
        }
    }

    pub(super) async fn socket(&mut self, log: &[Value], socket: &mut Socket) {
        for entry in log {
            let recorded = message(entry);
            let live = next(socket).await.unwrap_or(Value::Null);
            self.learn(recorded, &live);
            let mut differences = Differences::default();
            if recorded["error_type"] == "url_param_err" {
                // The sentence tells the provider's address, and ours is another.
                differences.shape("socket", recorded, &live);
                differences.same("error_type", &recorded["error_type"], &live["error_type"]);
            } else {
                differences.same("socket", &self.live_value(recorded), &live);
            }
            self.report("socket", differences);
        }
        if next(socket).await.is_some() {
            self.found
                .push(format!("{}: one message too many", self.recording));
        }
    }

    async fn step(&mut self, step: &Value, account: &str) {
        self.played.insert(std::ptr::from_ref(step));
        let (request, recorded) = (&step["request"], &step["response"]);
        let note = step["note"].as_str().unwrap_or_default();
        let title = format!("{note} ({} {})", request["method"], request["path"]);
        if request["url"].is_string() {
            let decision = if note.contains("deny") {
                "deny"
            } else {
                "allow"
            };
            self.sent_to = self.bench.decide(&self.sent_to, decision, account).await;
            let mut differences = Differences::default();
            let recorded = recorded["headers"]["location"].as_str().unwrap();
            differences.same("sent back with", names(recorded), names(&self.sent_to));
            self.report(&title, differences);
            return;
        }
        let path = self.live(request["path"].as_str().unwrap());
        let comes_back = [
            "provider redirects back",
            "callback after the session expired",
        ];
        let nameless = note.is_empty() && path.starts_with("/oauth/callback?code=");
        let path = if nameless || comes_back.contains(&note) {
            self.sent_to.replace(&self.bench.base, "")
        } else {
            path
        };
        let method: Method = request["method"].as_str().unwrap().parse().unwrap();
        let mut call = self.bench.call(method, &path);
        for (name, value) in request["headers"].as_object().unwrap() {
            call = call.header(name, self.live(value.as_str().unwrap()));
        }
        for (name, value) in &self.headers {
            call = call.header(*name, self.live(value));
        }
        match &request["body"] {
            Value::Null => {}
            Value::String(text) => call = call.body(text.clone()),
            body => call = call.body(self.live_value(body).to_string()),
        }
        let response = call.send().await.unwrap();
        let mut differences = Differences::default();
        let status = response.status().as_u16();
        differences.same("status", recorded["status"].as_u64(), Some(status.into()));
        for name in HEADERS {
            let there = recorded["headers"].get(name).is_some();
            differences.same(name, there, response.headers().contains_key(name));
        }
        let content_type = response.headers().get("content-type");
        let content_type = content_type.map(|v| v.to_str().unwrap().to_owned());
        if let Some(recorded) = recorded["headers"]["content-type"].as_str() {
            differences.same("content-type", Some(recorded), content_type.as_deref());
        }
        if let Some(location) = response.headers().get("location") {
            self.sent_to = location.to_str().unwrap().to_owned();
        }
        let text = response.text().await.unwrap();
        let kind = content_type.unwrap_or_default();
        if kind.starts_with("application/json") {
            let live: Value = serde_json::from_str(&text).unwrap();
            self.body(&mut differences, status, &recorded["body"], &live);
        } else if kind.starts_with("text/html")
            && let Some(error) = recorded["body"].get("window.__nangoOAuthError")
        {
            let live = page_error(&text);
            differences.same("page's error", &self.live_value(error), &live);
        }
        self.report(&title, differences);
    }

    fn body(&mut self, differences: &mut Differences, status: u16, recorded: &Value, live: &Value) {
        self.learn(recorded, live);
        let mut recorded = self.live_value(recorded);
        if status >= 400 {
            differences.error(&recorded, live);
            return;
        }
        // Bodies that were cut when they were recorded still say which connections were found.
        let trimmed = recorded["connections"][0].get("created").is_none();
        if recorded["connections"].is_array() && trimmed {
            let kept = |list: &Value| list["connections"].as_array().map(Vec::is_empty);
            differences.same("an empty list", kept(&recorded), kept(live));
            return;
        }
        let keys_only = recorded["data"][0].is_string();
        if keys_only {
            let keys: Vec<&Value> = live["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|i| &i["unique_key"])
                .collect();
            differences.same("keys", recorded["data"].clone(), json!(keys));
            return;
        }
        if let Some(cut) = recorded.as_object_mut() {
            cut.remove("_trimmed");
        }
        if recorded["data"].get("auth_mode").is_some() {
            differences.same("name", &recorded["data"]["name"], &live["data"]["name"]);
            differences.same(
                "mode",
                &recorded["data"]["auth_mode"],
                &live["data"]["auth_mode"],
            );
            return;
        }
        // Of some connections only what the step is about was recorded: just that must be the same.
        if live["connection_config"].is_object() && recorded["id"].is_null() {
            for (name, recorded) in recorded.as_object().unwrap() {
                match name.as_str() {
                    "updated_at" => differences.shape(name, recorded, &live[name]),
                    _ => differences.same(name, recorded, &live[name]),
                }
            }
            return;
        }
        differences.shape("body", &recorded, live);
    }

    /// Remembers the sandbox's tokens and ids for those of the recording.
    pub(super) fn learn(&mut self, recorded: &Value, live: &Value) {
        let (Value::Object(recorded), Value::Object(live)) = (recorded, live) else {
            return;
        };
        for (key, recorded) in recorded {
            let Some(live) = live.get(key) else { continue };
            if let (Some(theirs), Some(ours)) = (recorded.as_str(), live.as_str())
                && ["token", "connection_id", "connectionId"].contains(&key.as_str())
                && !self.words.iter().any(|(known, _)| known == theirs)
            {
                self.words.push((theirs.to_owned(), ours.to_owned()));
            }
            // Lists come in an order that depends on the past.
            if !recorded.is_array() {
                self.learn(recorded, live);
            }
        }
    }

    pub(super) fn report(&mut self, title: &str, differences: Differences) {
        self.compared += 1;
        let name = self.recording;
        let found = differences.0.into_iter();
        self.found
            .extend(found.map(|d| format!("{name}: {title}: {d}")));
    }
}

pub(super) fn message(entry: &Value) -> &Value {
    entry.get("message").unwrap_or(entry)
}

fn names(url: &str) -> Vec<String> {
    let url = reqwest::Url::parse(url).unwrap();
    url.query_pairs()
        .map(|(name, _)| name.into_owned())
        .collect()
}
