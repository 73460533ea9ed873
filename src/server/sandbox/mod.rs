//! The sandbox: a stand-in for Nango that is reached over HTTP like the real one and told apart by
//! nothing but its address. It behaves as recorded from a real server, never kinder; what is
//! pretend about it (the provider's consent page, the controls) lives under `/sandbox`.
//!
//! May import `domain` and `clock`; shares nothing else with the rest of the server, so that a
//! mistake there is not repeated here.

mod answers;
mod around;
mod call;
mod connections;
mod consent;
mod control;
mod credentials;
mod delivery;
mod drive;
mod environment;
mod faults;
mod import;
mod integration_changes;
mod integrations;
mod limits;
mod listener;
mod metadata;
mod oauth;
mod outcome;
mod pages;
mod pending;
mod persist;
mod providers;
mod refresh;
mod sessions;
mod shown;
mod socket;
mod state;
mod store;
mod tags;
mod validate;
mod webhook;
mod webhook_url;

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::Method,
    middleware,
    response::Response,
    routing::{any, delete, get, post, put},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, task::JoinHandle};
use url::Url;

use crate::server::clock::Clock;
use delivery::Deliveries;
use limits::Limits;
use listener::{Line, Lines};
use state::Sandbox;

/// How long `stop` waits for calls that are still being answered.
const GRACE: Duration = Duration::from_secs(2);

#[derive(Clone, Debug)]
pub struct Config {
    /// Port 0 takes any free one.
    pub listen: SocketAddr,
    /// None keeps everything in memory.
    pub state_file: Option<PathBuf>,
    /// A UUID v4, as Nango's keys are.
    pub secret_key: SecretString,
    /// Added where missing; the descriptions of those that exist are brought up to date.
    pub integrations: Vec<Integration>,
    /// Nango's free tier has 200; None is unlimited.
    pub rate_limit_per_minute: Option<u32>,
    /// None leaves webhooks as they were; a fresh Nango sends none.
    pub webhook: Option<WebhookSettings>,
}

/// Webhooks, all of them switched on.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    pub url: Url,
    pub secondary_url: Option<Url>,
    /// None is the secret key, as in a Nango that was never told otherwise.
    pub signing_key: Option<SecretString>,
    /// A real Nango sends nothing to loopback and private addresses.
    pub allow_loopback: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Integration {
    pub unique_key: String,
    pub provider: String,
    pub display_name: String,
    /// `OAUTH2`, `API_KEY`, `BASIC`, `OAUTH2_CC` …
    pub auth_mode: String,
    /// The connection config that an OAuth flow can't start without.
    pub connection_config: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("the sandbox's secret key (SANDBOX_SECRET_KEY) must be a UUID v4, as Nango's keys are")]
    SecretKey,
    #[error("the sandbox can't listen on {addr} (SANDBOX_LISTEN_ADDR): {source}")]
    Listen { addr: SocketAddr, source: io::Error },
    #[error("the sandbox sends no webhooks to {url}: Nango refuses loopback and private addresses")]
    WebhookUrl { url: Url },
    #[error("the sandbox can't send webhooks: {0}")]
    Client(#[from] reqwest::Error),
    #[error("the sandbox's state file {} (SANDBOX_STATE_FILE): {source}", path.display())]
    StateFile { path: PathBuf, source: io::Error },
}

/// A sandbox at work. Dropping this does not stop it; [`Running::stop`] does.
#[derive(Debug)]
pub struct Running {
    pub addr: SocketAddr,
    sandbox: Arc<Sandbox>,
    state_file: Option<PathBuf>,
    server: JoinHandle<()>,
    saver: Option<JoinHandle<()>>,
}

impl Running {
    /// `http://127.0.0.1:40123`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Stops listening, closes every socket and saves the state.
    pub async fn stop(mut self) -> Result<(), SandboxError> {
        self.sandbox.stop.send_replace(true);
        if tokio::time::timeout(GRACE, &mut self.server).await.is_err() {
            self.server.abort();
        }
        if let Some(saver) = self.saver {
            // It ends after the save that it may be in; a panic there is no reason not to save.
            let _ = saver.await;
        }
        match &self.state_file {
            Some(path) => persist::save(&self.sandbox, path).await,
            None => Ok(()),
        }
    }
}

impl WebhookSettings {
    fn apply(self, settings: &mut webhook::Settings) -> Result<(), SandboxError> {
        let urls = [Some(&self.url), self.secondary_url.as_ref()];
        settings.allow_loopback = self.allow_loopback;
        settings.allow_private = false;
        for url in urls.into_iter().flatten() {
            if !webhook_url::is_allowed(url, settings.exception()) {
                return Err(SandboxError::WebhookUrl { url: url.clone() });
            }
        }
        settings.primary_url = Some(self.url.into());
        settings.secondary_url = self.secondary_url.map(Into::into);
        settings.switch_all(true);
        if self.signing_key.is_some() {
            settings.signing_key = self.signing_key;
        }
        Ok(())
    }
}

pub async fn start(config: Config, clock: Clock) -> Result<Running, SandboxError> {
    if !call::is_key(config.secret_key.expose_secret()) {
        return Err(SandboxError::SecretKey);
    }
    let mut state = match &config.state_file {
        Some(path) => persist::load(path).await?,
        None => state::State::default(),
    };
    state.add_missing(config.integrations, clock.now());
    if let Some(settings) = config.webhook {
        settings.apply(&mut state.webhooks)?;
    }
    let failed = |source| SandboxError::Listen {
        addr: config.listen,
        source,
    };
    let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
    let addr = listener.local_addr().map_err(failed)?;
    let sandbox = Arc::new(Sandbox::new(
        clock,
        config.secret_key,
        addr,
        Limits::new(config.rate_limit_per_minute),
        Deliveries::new()?,
        state,
    ));
    if let Some(path) = &config.state_file {
        // A path that can't be written is told now, not when something is lost.
        persist::save(&sandbox, path).await?;
    }
    let saver = config
        .state_file
        .clone()
        .map(|path| tokio::spawn(persist::keep_saving(sandbox.clone(), path)));
    let app = router(sandbox.clone()).into_make_service_with_connect_info::<Line>();
    let until = sandbox.clone();
    let serving = axum::serve(Lines(listener), app)
        .with_graceful_shutdown(async move { until.stopped().await });
    let server = tokio::spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, "the sandbox stopped serving");
        }
    });
    tracing::info!(%addr, "the sandbox is listening");
    Ok(Running {
        addr,
        sandbox,
        state_file: config.state_file,
        server,
        saver,
    })
}

fn router(sandbox: Arc<Sandbox>) -> Router {
    let one = get(connections::show)
        .patch(connections::update)
        .delete(connections::delete);
    Router::new()
        .route("/", any(socket::open))
        .route("/health", get(healthy))
        .route("/ready", get(healthy))
        .route("/connect/sessions", post(sessions::create))
        .route("/connect/sessions/reconnect", post(sessions::reconnect))
        .route(
            "/connect/session",
            get(sessions::show).delete(sessions::delete),
        )
        .route("/oauth/connect/{key}", get(oauth::start))
        .route("/oauth/callback", get(oauth::callback))
        .route("/api-auth/api-key/{key}", post(credentials::api_key))
        .route("/api-auth/basic/{key}", post(credentials::basic))
        .route("/oauth2/auth/{key}", post(credentials::client_credentials))
        .route("/auth/two-step/{key}", post(credentials::two_step))
        .route("/auth/jwt/{key}", post(credentials::jwt))
        .route("/auth/tba/{key}", post(credentials::tba))
        .route("/auth/signature/{key}", post(credentials::signature))
        .route("/auth/bill/{key}", post(credentials::bill))
        .route("/auth/aws-sigv4/{key}", post(credentials::aws_sigv4))
        .route(
            "/auth/unauthenticated/{key}",
            post(credentials::unauthenticated),
        )
        .route(
            "/auth/oauth-outbound/{key}",
            post(credentials::oauth_outbound),
        )
        .route("/connections", get(connections::list).post(import::create))
        .route(
            "/connections/metadata",
            post(metadata::replace).patch(metadata::merge),
        )
        .route("/connections/{id}", one)
        // The names of old: still served.
        .route("/connection", get(connections::list))
        .route(
            "/connection/{id}",
            get(connections::show).delete(connections::delete),
        )
        .route(
            "/connection/{id}/metadata",
            post(metadata::replace_one).patch(metadata::merge_one),
        )
        .route(
            "/integrations",
            get(integrations::list).post(integration_changes::create),
        )
        .route(
            "/integrations/{key}",
            get(integrations::show)
                .patch(integration_changes::update)
                .delete(integration_changes::delete),
        )
        .route("/providers", get(providers::list))
        .route("/providers/{name}", get(providers::show))
        .route("/proxy/{*path}", any(refresh::proxy))
        .route(
            "/sandbox/control/connections/{id}/approve",
            post(pending::approve),
        )
        .route(
            "/sandbox/control/connections/{id}/exhaust",
            post(refresh::exhaust),
        )
        .route(
            "/environment/webhook-signing-key/rotate",
            post(environment::rotate_signing_key),
        )
        .route("/sandbox", get(pages::about))
        .route(
            "/sandbox/authorize",
            get(consent::ask).post(consent::decide),
        )
        .route(
            "/sandbox/control/faults",
            post(control::order_fault).delete(control::clear_faults),
        )
        .route(
            "/sandbox/control/connections/{id}/break",
            post(control::break_connection).delete(control::mend_connection),
        )
        .route(
            "/sandbox/control/integrations/{key}",
            delete(control::remove_integration),
        )
        .route(
            "/sandbox/control/connections/{id}/mend",
            post(control::mend_connection),
        )
        .route(
            "/sandbox/control/connections/{id}/sync",
            post(control::run_sync),
        )
        .route(
            "/sandbox/control/webhooks",
            put(environment::change_webhooks).get(environment::webhooks),
        )
        .route(
            "/sandbox/control/deliveries",
            get(environment::deliveries).delete(environment::forget_deliveries),
        )
        .route("/sandbox/control/consent", post(drive::consent))
        .route("/sandbox/control/calls", get(control::calls))
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .layer(middleware::from_fn_with_state(
            sandbox.clone(),
            around::around,
        ))
        .layer(middleware::from_fn(listener::attach))
        .with_state(sandbox)
}

async fn healthy() -> Response {
    answers::ok(&serde_json::json!({"result": "ok"}))
}

/// A path, or a method on a path, that Nango does not know.
async fn unknown(State(sandbox): State<Arc<Sandbox>>, request: Request) -> Response {
    let method = request.method();
    if method == Method::GET || method == Method::HEAD {
        return answers::unknown_get(&sandbox.clock.random_id().to_string());
    }
    answers::cannot(method.as_str(), request.uri().path())
}
