//! `patchbay sandbox` in Nango's place, as a process of its own.
//!
//! May import `process` beside it.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::process::{Program, free_port};

const KEY: &str = "0c9f4b1e-8a37-4d0e-b5a4-6f1d2e3c4b5a";
const SIGNING_KEY: &str = "a1d5c8f2-7b0e-4c39-9d66-0e2f4a8b1c73";
/// In a debug build, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct StandIn {
    pub port: u16,
    http: Client,
    program: Program,
}

impl StandIn {
    /// With webhooks to this port of this machine, or without any.
    pub async fn start(folder: &Path, http: &Client, webhooks_to: Option<u16>) -> Self {
        let port = free_port();
        let listen = format!("127.0.0.1:{port}");
        let hook = webhooks_to.map(|to| format!("http://127.0.0.1:{to}/api/v1/webhooks/nango"));
        let mut args = vec!["sandbox", "--unlimited", "--listen", &listen];
        if let Some(hook) = &hook {
            args.extend(["--allow-loopback-webhooks", "--webhook-url", hook]);
        }
        let state = folder.join("sandbox.json").display().to_string();
        let settings = [
            ("SANDBOX_STATE_FILE", state),
            ("SANDBOX_SECRET_KEY", KEY.to_owned()),
            ("NANGO_WEBHOOK_SIGNING_KEY", SIGNING_KEY.to_owned()),
        ];
        let mut program = Program::new(folder, "sandbox", &args, &settings);
        program.start();
        let stand_in = Self {
            port,
            http: http.clone(),
            program,
        };
        stand_in.answers().await;
        stand_in
    }

    async fn answers(&self) {
        let start = Instant::now();
        let url = format!("http://127.0.0.1:{}/connections", self.port);
        while self.http.get(&url).bearer_auth(KEY).send().await.is_err() {
            assert!(start.elapsed() < PATIENCE, "{}", self.log());
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Of a server that takes it for Nango, at its own port or a proxy's.
    pub fn settings(port: u16) -> Vec<(&'static str, String)> {
        vec![
            ("NANGO_SECRET_KEY", KEY.to_owned()),
            ("NANGO_BASE_URL", format!("http://127.0.0.1:{port}")),
            ("NANGO_WEBHOOK_SIGNING_KEY", SIGNING_KEY.to_owned()),
            ("NANGO_CALLS_PER_MINUTE", "100000".to_owned()),
        ]
    }

    /// A call with its key, which succeeds.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let mut request = self.http.request(method, url).bearer_auth(KEY);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.expect("the sandbox");
        let status = response.status();
        let body: Value = response.json().await.expect("JSON");
        assert!(status.is_success(), "{path}: {status} {body}");
        body
    }

    /// The person in the popup: the outcome is `success`, `failed`, `refused` or `closed`.
    pub async fn consent(&self, oauth_url: &str, decision: &str) -> String {
        let order = json!({"oauth_url": oauth_url, "decision": decision});
        let path = "/sandbox/control/consent";
        let ended = self.call(Method::POST, path, Some(&order)).await;
        ended["outcome"].as_str().expect("an outcome").to_owned()
    }

    pub fn log(&self) -> String {
        self.program.log()
    }
}
