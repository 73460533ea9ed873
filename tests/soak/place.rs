//! Patchbay as it is deployed, beside a sandbox in Nango's place: real listeners, one instance or
//! two, webhooks on.
//!
//! May import the crate's public parts.

use std::{path::PathBuf, time::Duration};

use patchbay::server::{
    clock::Clock,
    config::Config,
    manifest::Registry,
    sandbox::{self, Integration, Running, WebhookSettings},
    startup::{self, serve},
};
use reqwest::{Client, Method, redirect::Policy};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

const KEY: &str = "0c9f4b1e-8a37-4d0e-b5a4-6f1d2e3c4b5a";
const SIGNING_KEY: &str = "a1d5c8f2-7b0e-4c39-9d66-0e2f4a8b1c73";
/// Nango's longest page.
const PAGE: usize = 2000;

pub struct Place {
    /// Of each instance.
    pub bases: Vec<String>,
    pub apps: Vec<startup::App>,
    pub clock: Clock,
    pub http: Client,
    nango: String,
    sandbox: Running,
    serving: Vec<JoinHandle<()>>,
    folder: PathBuf,
}

impl Place {
    /// So many instances on this database. `settings` are named as in the environment.
    pub async fn start(database: &str, instances: usize, settings: &[(&str, &str)]) -> Self {
        let clock = Clock::system();
        let mut listeners = Vec::new();
        let mut bases = Vec::new();
        for _ in 0..instances {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            bases.push(format!(
                "http://{}",
                listener.local_addr().expect("an address")
            ));
            listeners.push(listener);
        }
        let sandbox = pretend(&bases, clock.clone()).await;
        let name = format!("patchbay_soak_{}", clock.random_id().simple());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let empty = folder.join("Leptos.toml");
        std::fs::write(&empty, "").expect("a file");
        let mut all = vec![
            ("PATCHBAY_CONFIG", empty.display().to_string()),
            ("DATABASE_URL", database.to_owned()),
            ("NANGO_SECRET_KEY", KEY.to_owned()),
            ("NANGO_BASE_URL", sandbox.base_url()),
            ("NANGO_WEBHOOK_SIGNING_KEY", SIGNING_KEY.to_owned()),
            ("NANGO_CALLS_PER_MINUTE", "100000".to_owned()),
            ("LIMITS_REQUESTS_PER_SECOND", "0".to_owned()),
            ("LIMITS_CHANGES_PER_SECOND", "0".to_owned()),
        ];
        for (name, value) in settings {
            all.push((name, (*value).to_owned()));
        }
        let env = |name: &str| {
            let found = all.iter().find(|(n, _)| *n == name);
            found.map(|(_, value)| value.clone())
        };
        let config = Config::load(None, &env).unwrap_or_else(|e| panic!("{e}"));
        let (mut apps, mut serving) = (Vec::new(), Vec::new());
        for listener in listeners {
            let app = startup::build(&config, clock.clone())
                .await
                .unwrap_or_else(|e| panic!("{e}"));
            let router = app.router.clone();
            serving.push(tokio::spawn(async move {
                let limits = serve::Limits::default();
                serve::serve(listener, router, limits, std::future::pending()).await;
            }));
            apps.push(app);
        }
        Self {
            bases,
            apps,
            clock,
            http: client(Some(Duration::from_secs(30))),
            nango: sandbox.base_url(),
            sandbox,
            serving,
            folder,
        }
    }

    pub async fn stop(self) {
        for task in self.serving {
            task.abort();
        }
        for app in self.apps {
            app.stop().await;
        }
        self.sandbox.stop().await.expect("an end");
        drop(std::fs::remove_dir_all(&self.folder));
    }

    async fn control(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.nango))
            .bearer_auth(KEY);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.expect("the sandbox");
        let status = response.status();
        let body: Value = response.json().await.expect("JSON");
        assert!(status.is_success(), "{path}: {status} {body}");
        body
    }

    pub async fn fault(&self, fault: Value) {
        let path = "/sandbox/control/faults";
        self.control(Method::POST, path, Some(&fault)).await;
    }

    pub async fn clear_faults(&self) {
        let path = "/sandbox/control/faults";
        self.control(Method::DELETE, path, None).await;
    }

    /// `{calls, faults}`
    pub async fn counts(&self) -> Value {
        self.control(Method::GET, "/sandbox/control/calls", None)
            .await
    }

    /// The person in the popup: the outcome is `success`, `failed`, `refused` or `closed`.
    pub async fn consent(&self, oauth_url: &str, decision: &str) -> String {
        let order = json!({"oauth_url": oauth_url, "decision": decision});
        let path = "/sandbox/control/consent";
        let ended = self.control(Method::POST, path, Some(&order)).await;
        ended["outcome"].as_str().expect("an outcome").to_owned()
    }

    /// Everything that Nango has.
    pub async fn connections(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for page in 0.. {
            let path = format!("/connections?limit={PAGE}&page={page}");
            let list = self.control(Method::GET, &path, None).await;
            let entries = list["connections"].as_array().expect("a list");
            all.extend(entries.iter().cloned());
            if entries.len() < PAGE {
                break;
            }
        }
        all
    }
}

/// `None`: an answer may take for ever, as an event stream does.
pub fn client(timeout: Option<Duration>) -> Client {
    let mut builder = Client::builder().redirect(Policy::none()).no_proxy();
    if let Some(timeout) = timeout {
        builder = builder.timeout(timeout);
    }
    builder.build().expect("a client")
}

/// The sandbox without its rate limit. With two instances both get every webhook.
async fn pretend(bases: &[String], clock: Clock) -> Running {
    let registry = Registry::load(None).expect("the manifests");
    let integrations = registry.all().iter().map(|manifest| Integration {
        unique_key: manifest.nango.provider_key.clone(),
        provider: manifest.provider().to_owned(),
        display_name: manifest.name.clone(),
        auth_mode: manifest.nango.auth_mode.clone(),
        connection_config: Vec::new(),
    });
    let hook = |base: &String| {
        let address = format!("{base}/api/v1/webhooks/nango");
        address.parse().expect("an address")
    };
    let config = sandbox::Config {
        listen: "127.0.0.1:0".parse().expect("an address"),
        state_file: None,
        secret_key: KEY.to_owned().into(),
        integrations: integrations.collect(),
        rate_limit_per_minute: None,
        webhook: Some(WebhookSettings {
            url: hook(&bases[0]),
            secondary_url: bases.get(1).map(hook),
            signing_key: Some(SIGNING_KEY.to_owned().into()),
            allow_loopback: true,
        }),
    };
    sandbox::start(config, clock).await.expect("a sandbox")
}
