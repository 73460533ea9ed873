//! A person (or program) at the server's door: requests with a session's cookie, answers that can
//! be asked, event streams.
//!
//! May import `app` and `nango` beside it.

use std::{collections::HashMap, time::Duration};

use reqwest::{Client, Method, Response, header::HeaderMap};
use serde_json::{Value, json};

use crate::{
    app::{TestApp, eventually},
    nango::{Decision, Pretend},
};

#[derive(Clone)]
pub struct Person {
    http: Client,
    base: String,
    /// `name=value`, or nothing.
    pub cookie: String,
}

impl Person {
    pub fn new(app: &TestApp, cookie: &str) -> Self {
        Self {
            http: app.http.clone(),
            base: app.base.clone(),
            cookie: cookie.to_owned(),
        }
    }

    /// The same session at another instance.
    pub fn at(&self, app: &TestApp) -> Self {
        Self::new(app, &self.cookie)
    }

    /// `body` is a content type and a text.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<(&str, String)>,
    ) -> Answer {
        Answer::read(self.send(method, path, headers, body).await).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<(&str, String)>,
    ) -> Response {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if !self.cookie.is_empty() {
            request = request.header("cookie", &self.cookie);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some((kind, text)) = body {
            request = request.header("content-type", kind).body(text);
        }
        request.send().await.expect("an answer")
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path, &[], None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        let body = ("application/json", body.to_string());
        self.request(Method::POST, path, &[], Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        let body = ("application/json", body.to_string());
        self.request(Method::PATCH, path, &[], Some(body)).await
    }

    /// As a page without scripts sends it.
    pub async fn form(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let text = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let body = ("application/x-www-form-urlencoded", text);
        self.request(Method::POST, path, headers, Some(body)).await
    }

    /// An event stream.
    pub async fn events(&self) -> Stream {
        let response = self.send(Method::GET, "/api/v1/events", &[], None).await;
        assert_eq!(response.status(), 200);
        let kind = response.headers().get("content-type").cloned();
        assert_eq!(kind.expect("a content type"), "text/event-stream");
        Stream {
            response,
            buffer: String::new(),
            versions: HashMap::new(),
        }
    }

    /// Presses Connect: the answer, with its `oauth_url`.
    pub async fn connect(&self, slug: &str) -> Value {
        self.start(slug, "connect").await
    }

    pub async fn reconnect(&self, slug: &str) -> Value {
        self.start(slug, "reconnect").await
    }

    async fn start(&self, slug: &str, what: &str) -> Value {
        let path = format!("/api/v1/connectors/{slug}/{what}");
        self.post(&path, &json!({})).await.ok()
    }

    /// Everything the person has.
    pub async fn connections(&self) -> Vec<Value> {
        let answer = self.get("/api/v1/connections").await.ok();
        answer["connections"].as_array().expect("a list").clone()
    }

    /// The one connection to this connector.
    pub async fn connection(&self, slug: &str) -> Value {
        let path = format!("/api/v1/connectors/{slug}/status");
        let answer = self.get(&path).await.ok();
        let all = answer["connections"].as_array().expect("a list").clone();
        assert_eq!(all.len(), 1, "{answer}");
        all[0].clone()
    }

    pub async fn attempt(&self, started: &Value) -> Value {
        let id = text(&started["attempt_id"]);
        self.get(&format!("/api/v1/attempts/{id}")).await.ok()
    }

    /// Waits until the connection has this status.
    pub async fn until(&self, slug: &str, status: &str) -> Value {
        eventually(&format!("{slug} is {status}"), || async {
            let found = self.connection(slug).await;
            (found["status"] == status).then_some(found)
        })
        .await
    }

    /// Waits until the attempt has this state.
    pub async fn until_attempt(&self, started: &Value, state: &str) -> Value {
        eventually(&format!("the attempt is {state}"), || async {
            let found = self.attempt(started).await;
            (found["state"] == state).then_some(found)
        })
        .await
    }

    /// The whole way: Connect, Allow, connected.
    pub async fn connected(&self, nango: &Pretend, slug: &str) -> Value {
        let started = self.connect(slug).await;
        nango
            .popup(text(&started["oauth_url"]), Decision::Allow)
            .await;
        self.until(slug, "connected").await
    }
}

pub fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("a text, not {value}"))
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    async fn read(response: Response) -> Self {
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.expect("a body"),
        }
    }

    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |v| v.to_str().expect("text"))
    }

    /// The cookie that the answer sets, as it is to be sent.
    pub fn cookie(&self) -> Option<String> {
        let set = self.header("set-cookie").split(';').next()?.to_owned();
        (!set.is_empty()).then_some(set)
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|e| panic!("{e}: {} {}", self.status, self.text))
    }

    /// A success, as JSON.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/json");
        self.json()
    }

    /// An RFC 9457 problem of this status and code.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{}",
            self.text
        );
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        assert_eq!(problem["type"], format!("urn:patchbay:problem:{code}"));
        let title = problem["title"].as_str().unwrap_or_default();
        assert!(title.ends_with('.') && title.len() > 10, "{problem}");
        problem
    }

    /// On to another address.
    #[track_caller]
    pub fn redirect(&self, status: u16) -> &str {
        assert_eq!(self.status, status, "{}", self.text);
        self.header("location")
    }
}

/// Server-sent events, one after the other, as a page takes them: a connection that is not newer
/// than what it has is dropped. (On PostgreSQL a change comes twice, by the hub and by NOTIFY.)
pub struct Stream {
    response: Response,
    buffer: String,
    versions: HashMap<String, i64>,
}

impl Stream {
    /// The next event; `None` when the stream has ended. Comments are skipped.
    pub async fn next(&mut self) -> Option<(String, Value)> {
        self.within(Duration::from_secs(10)).await
    }

    /// The same, within so long.
    pub async fn within(&mut self, limit: Duration) -> Option<(String, Value)> {
        tokio::time::timeout(limit, self.read())
            .await
            .expect("an event in time")
    }

    async fn read(&mut self) -> Option<(String, Value)> {
        loop {
            while let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.buffer = rest;
                let field = |name: &str| {
                    let mut lines = block.lines();
                    lines.find_map(|l| l.strip_prefix(name).map(|v| v.trim_start().to_owned()))
                };
                if let (Some(event), Some(data)) = (field("event:"), field("data:")) {
                    let data: Value = serde_json::from_str(&data).expect("JSON");
                    if self.is_new(&event, &data) {
                        return Some((event, data));
                    }
                }
            }
            let chunk = self.response.chunk().await.ok()??;
            self.buffer.push_str(&String::from_utf8_lossy(&chunk));
        }
    }

    fn is_new(&mut self, event: &str, data: &Value) -> bool {
        let all = match event {
            "snapshot" => data.as_array().expect("a list").iter().collect(),
            "connection" => vec![data],
            _ => return true,
        };
        let mut new = event == "snapshot";
        for connection in all {
            let version = connection["version"].as_i64().expect("a version");
            let id = text(&connection["id"]).to_owned();
            let known = self.versions.insert(id, version);
            new |= known.is_none_or(|known| version > known);
        }
        new
    }
}
