//! The sandbox in Nango's place, on a port of its own: its controls, its connections, and the
//! person in its popup.

use std::{path::Path, sync::Arc};

use patchbay::server::{
    clock::Clock,
    manifest::Registry,
    sandbox::{self, Config, Integration, Running},
};
use reqwest::{Client, Method, Url};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::{
    app::{client, eventually},
    person::text,
};

/// The secret key that the sandbox takes.
pub const KEY: &str = "0c9f4b1e-8a37-4d0e-b5a4-6f1d2e3c4b5a";

/// What the person presses on the consent page.
#[derive(Clone, Copy, Debug)]
pub enum Decision {
    Allow,
    Deny,
    /// Allow, with an account whose tokens the provider then refuses.
    AllowInVain,
    /// Allow, where an administrator over there has to agree.
    AllowAndWait,
}

pub struct Pretend {
    pub base: String,
    http: Client,
    running: Arc<Mutex<Option<Running>>>,
}

impl Pretend {
    pub async fn start() -> Self {
        Self::start_at(Clock::system()).await
    }

    pub async fn start_at(clock: Clock) -> Self {
        Self::start_with(clock, None).await
    }

    /// With the integrations of these manifests too.
    pub async fn start_with(clock: Clock, manifests: Option<&Path>) -> Self {
        let registry = Registry::load(manifests).expect("the manifests");
        let integrations = registry.all().iter().map(|manifest| Integration {
            unique_key: manifest.nango.provider_key.clone(),
            provider: manifest.provider().to_owned(),
            display_name: manifest.name.clone(),
            auth_mode: manifest.nango.auth_mode.clone(),
            connection_config: manifest
                .inputs
                .iter()
                .filter(|input| !input.optional)
                .map(|input| input.name.clone())
                .collect(),
        });
        let config = Config {
            listen: "127.0.0.1:0".parse().expect("an address"),
            state_file: None,
            secret_key: KEY.to_owned().into(),
            integrations: integrations.collect(),
            rate_limit_per_minute: None,
            webhook: None,
        };
        let running = sandbox::start(config, clock).await.expect("a sandbox");
        Self {
            base: running.base_url(),
            http: client(),
            running: Arc::new(Mutex::new(Some(running))),
        }
    }

    /// Nobody answers at its address any more.
    pub async fn stop(&self) {
        if let Some(running) = self.running.lock().await.take() {
            running.stop().await.expect("an end");
        }
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(KEY);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.expect("the sandbox");
        let status = response.status();
        let body: Value = response.json().await.expect("JSON");
        assert!(status.is_success(), "{path}: {status} {body}");
        body
    }

    /// Orders a fault.
    pub async fn fault(&self, fault: Value) {
        let path = "/sandbox/control/faults";
        self.call(Method::POST, path, Some(fault)).await;
    }

    /// Flows end without a word on the socket: polling alone finds them.
    pub async fn silence(&self) {
        self.fault(json!({"drop_websocket": true})).await;
    }

    pub async fn clear_faults(&self) {
        self.call(Method::DELETE, "/sandbox/control/faults", None)
            .await;
    }

    pub async fn remove_integration(&self, key: &str) {
        let path = format!("/sandbox/control/integrations/{key}");
        self.call(Method::DELETE, &path, None).await;
    }

    /// How often this was called: `GET /connections`.
    pub async fn calls(&self, what: &str) -> u64 {
        let calls = self.call(Method::GET, "/sandbox/control/calls", None).await;
        calls["calls"][what].as_u64().unwrap_or(0)
    }

    /// All connections, newest first.
    pub async fn connections(&self) -> Vec<Value> {
        let list = self.call(Method::GET, "/connections", None).await;
        list["connections"].as_array().expect("a list").clone()
    }

    /// The provider no longer takes this connection's tokens, or takes them again.
    pub async fn set_broken(&self, connection: &Value, broken: bool) {
        let id = text(&connection["connection_id"]);
        let method = if broken { Method::POST } else { Method::DELETE };
        let path = format!("/sandbox/control/connections/{id}/break");
        self.call(method, &path, None).await;
    }

    /// Somebody over there agrees to an installation.
    pub async fn approve(&self, connection: &Value) {
        let id = text(&connection["connection_id"]);
        let path = format!("/sandbox/control/connections/{id}/approve");
        self.call(Method::POST, &path, None).await;
    }

    /// A connection of the same id and tags as one that was.
    pub async fn import(&self, connection: &Value) {
        let body = json!({
            "connection_id": connection["connection_id"],
            "provider_config_key": connection["provider_config_key"],
            "tags": connection["tags"],
            "credentials": {"type": "OAUTH2", "access_token": "sandbox"},
        });
        self.call(Method::POST, "/connections", Some(body)).await;
    }

    /// Deletes a connection past the server, as somebody in Nango's dashboard would.
    pub async fn delete(&self, connection: &Value) {
        let id = text(&connection["connection_id"]);
        let key = text(&connection["provider_config_key"]);
        let path = format!("/connections/{id}?provider_config_key={key}");
        self.call(Method::DELETE, &path, None).await;
    }

    /// Waits until Nango has so many connections.
    pub async fn until_connections(&self, count: usize) -> Vec<Value> {
        eventually(&format!("{count} connections at Nango"), || async {
            let found = self.connections().await;
            (found.len() == count).then_some(found)
        })
        .await
    }

    /// A connection made past the server, with tags of the caller's choice.
    pub async fn connect_with_tags(&self, key: &str, tags: &Value, ws_client_id: Option<&str>) {
        let body = json!({"tags": tags, "allowed_integrations": [key]});
        let path = "/connect/sessions";
        let session = self.call(Method::POST, path, Some(body)).await;
        let token = text(&session["data"]["token"]);
        let mut url = format!(
            "{}/oauth/connect/{key}?connect_session_token={token}",
            self.base
        );
        if let Some(id) = ws_client_id {
            url.push_str("&ws_client_id=");
            url.push_str(id);
        }
        self.popup(&url, Decision::Allow).await;
    }

    /// The person in the popup: opens the address, decides on the consent page, is sent back.
    pub async fn popup(&self, oauth_url: &str, decision: Decision) {
        let page = self.open(oauth_url).await;
        self.decide(&page, decision).await;
    }

    /// Allows at another sandbox than this one.
    pub async fn popup_elsewhere(&self, oauth_url: &str) {
        let url = Url::parse(oauth_url).expect("an address");
        let other = Self {
            base: url.origin().ascii_serialization(),
            http: self.http.clone(),
            running: Arc::default(),
        };
        other.popup(oauth_url, Decision::Allow).await;
    }

    /// Opens the popup, and gives the address of the consent page.
    pub async fn open(&self, oauth_url: &str) -> String {
        self.follow(self.http.get(oauth_url)).await
    }

    pub async fn decide(&self, page: &str, decision: Decision) {
        let (word, account) = match decision {
            Decision::Allow => ("allow", "ada@northwind.example"),
            Decision::AllowInVain => ("allow", "wrong@northwind.example"),
            Decision::AllowAndWait => ("allow", "pending@northwind.example"),
            Decision::Deny => ("deny", ""),
        };
        let asked = Url::parse(page).expect("an address");
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(asked.query_pairs())
            .append_pair("decision", word)
            .append_pair("account", account)
            .finish();
        let post = self
            .http
            .post(format!("{}/sandbox/authorize", self.base))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        let back = self.follow(post).await;
        let page = self.http.get(&back).send().await.expect("a last page");
        let expected = if matches!(decision, Decision::Allow | Decision::AllowAndWait) {
            200
        } else {
            400
        };
        let status = page.status();
        let page = page.text().await.unwrap_or_default();
        assert_eq!(status, expected, "{page}");
    }

    async fn follow(&self, request: reqwest::RequestBuilder) -> String {
        let response = request.send().await.expect("a page");
        let status = response.status();
        let location = response.headers().get("location").cloned();
        let page = response.text().await.unwrap_or_default();
        assert!(status.is_redirection(), "{status} {page}");
        let location = location.expect("a location");
        location.to_str().expect("text").to_owned()
    }
}
