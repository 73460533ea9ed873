//! A sandbox on a free port and the few calls that most tests make.

use std::{path::PathBuf, time::Duration};

use futures::StreamExt;
use patchbay::{
    domain::timestamp::Timestamp,
    server::{
        clock::Clock,
        sandbox::{self, Config, Integration, Running},
    },
};
use reqwest::{Client, Method, RequestBuilder, Response, redirect::Policy};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub const KEY: &str = "5d0f6a52-0b3f-4c55-9d0e-2f1f6b7c8a90";

/// The integrations of the recorded server, and one with client credentials.
pub fn integrations() -> Vec<Integration> {
    [
        ("github", "GitHub (User OAuth)", "OAUTH2", None),
        ("google-mail", "Gmail", "OAUTH2", None),
        ("hubspot", "HubSpot", "OAUTH2", None),
        (
            "jira-basic",
            "Jira (Basic Auth)",
            "BASIC",
            Some("subdomain"),
        ),
        ("notion", "Notion", "OAUTH2", None),
        ("openai", "OpenAI", "API_KEY", None),
        ("sendgrid", "SendGrid", "API_KEY", None),
        ("slack", "Slack", "OAUTH2", None),
        ("twilio", "Twilio", "BASIC", None),
        ("zendesk", "Zendesk", "OAUTH2", Some("subdomain")),
    ]
    .into_iter()
    .map(|(key, name, mode, field)| Integration {
        unique_key: key.to_owned(),
        provider: key.to_owned(),
        display_name: name.to_owned(),
        auth_mode: mode.to_owned(),
        connection_config: field.map(str::to_owned).into_iter().collect(),
    })
    .collect()
}

pub struct Bench {
    pub running: Running,
    pub base: String,
    pub clock: Clock,
    pub http: Client,
}

pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub fn config() -> Config {
    Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        state_file: None,
        secret_key: KEY.to_owned().into(),
        integrations: integrations(),
        rate_limit_per_minute: Some(200),
        webhook: None,
    }
}

impl Bench {
    pub async fn new() -> Self {
        Self::with(config()).await
    }

    pub async fn with(config: Config) -> Self {
        let clock = Clock::fixed(Timestamp(1_795_354_490_123));
        Self::at(config, clock).await
    }

    pub async fn at(config: Config, clock: Clock) -> Self {
        let running = sandbox::start(config, clock.clone()).await.unwrap();
        Self {
            base: running.base_url(),
            running,
            clock,
            http: Client::builder().redirect(Policy::none()).build().unwrap(),
        }
    }

    pub fn call(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.base))
            .timeout(Duration::from_secs(10))
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.call(Method::GET, path).bearer_auth(KEY)
    }

    pub fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.call(Method::POST, path).bearer_auth(KEY).json(body)
    }

    pub fn delete(&self, path: &str) -> RequestBuilder {
        self.call(Method::DELETE, path).bearer_auth(KEY)
    }

    /// A session's token.
    pub async fn session(&self, body: Value) -> String {
        let (status, body) = answer(self.post("/connect/sessions", &body)).await;
        assert_eq!(status, 201, "{body}");
        body["data"]["token"].as_str().unwrap().to_owned()
    }

    pub async fn session_for(&self, user: &str, integration: &str) -> String {
        self.session(json!({
            "tags": {"end_user_id": user},
            "allowed_integrations": [integration],
        }))
        .await
    }

    /// Starts a flow and gives the address of the consent page.
    pub async fn start(&self, key: &str, token: &str, more: &str) -> String {
        let path = format!("/oauth/connect/{key}?connect_session_token={token}{more}");
        let response = self.call(Method::GET, &path).send().await.unwrap();
        assert_eq!(response.status(), 302);
        location(&response)
    }

    /// Answers the consent page and gives the callback's address.
    pub async fn decide(&self, authorize: &str, decision: &str, account: &str) -> String {
        let url = reqwest::Url::parse(authorize).unwrap();
        let mut form: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        form.push(("decision".to_owned(), decision.to_owned()));
        form.push(("account".to_owned(), account.to_owned()));
        let body: String = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let response = self
            .call(Method::POST, "/sandbox/authorize")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 302);
        location(&response)
    }

    pub async fn visit(&self, url: &str) -> (u16, String) {
        let response = self.http.get(url).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// A whole flow that the person allows.
    pub async fn allow(&self, key: &str, token: &str, more: &str) {
        let authorize = self.start(key, token, more).await;
        let back = self
            .decide(&authorize, "allow", "ada@northwind.example")
            .await;
        let (status, page) = self.visit(&back).await;
        assert_eq!(status, 200, "{page}");
    }

    pub async fn connections(&self, query: &str) -> Vec<Value> {
        let (status, body) = answer(self.get(&format!("/connections{query}"))).await;
        assert_eq!(status, 200, "{body}");
        body["connections"].as_array().unwrap().clone()
    }

    /// A user's one connection.
    pub async fn only(&self, user: &str) -> Value {
        let found = self
            .connections(&format!("?tags[end_user_id]={user}"))
            .await;
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    }

    pub async fn connect(&self, user: &str, key: &str) -> String {
        let token = self.session_for(user, key).await;
        self.allow(key, &token, "").await;
        self.only(user).await["connection_id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// A socket and its client id.
    pub async fn socket(&self) -> (Socket, String) {
        let url = format!("{}/", self.base.replace("http://", "ws://"));
        let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        let ack = next(&mut socket).await.expect("an ack");
        assert_eq!(ack["message_type"], "connection_ack");
        let id = ack["ws_client_id"].as_str().unwrap().to_owned();
        (socket, id)
    }
}

/// The next message; none within a while, or where the socket has closed.
pub async fn next(socket: &mut Socket) -> Option<Value> {
    let wait = tokio::time::timeout(Duration::from_millis(400), socket.next());
    let message = wait.await.ok()??.ok()?;
    serde_json::from_str(message.to_text().ok()?).ok()
}

pub async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (
        status,
        serde_json::from_str(&response.text().await.unwrap()).unwrap_or(Value::Null),
    )
}

pub fn location(response: &Response) -> String {
    response.headers()["location"].to_str().unwrap().to_owned()
}

pub fn code(body: &Value) -> &str {
    body["error"]["code"].as_str().unwrap_or_default()
}

/// A folder of this test's own, gone before it starts.
pub fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("patchbay-sandbox-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    path
}
