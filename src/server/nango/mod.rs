//! Nango's API, as far as this product calls it: one connection pool, one budget of calls, one
//! breaker, typed answers, typed errors.
//!
//! May import `domain`, `metrics` and `request`, and nothing else of ours. The facts are Nango's own (0.71): see
//! `docs/NANGO_OAUTH_IMPLEMENTATION.md`.

mod answer;
pub mod breaker;
pub mod budget;
pub mod client;
pub mod connections;
pub mod credentials;
pub mod error;
mod gate;
pub mod integrations;
mod observe;
pub mod providers;
pub mod retry;
pub mod sessions;
pub mod signature;
pub mod socket;
pub mod webhook;
pub mod wire;

use std::{sync::Arc, time::Duration};

use secrecy::SecretString;
use tokio::sync::watch;
use url::Url;

use budget::Priority;
use gate::Gate;

use crate::server::metrics::Metrics;

pub use error::NangoError;
pub use retry::Jitter;

/// How Nango is called.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Nango's address (`https://api.nango.dev`), with a path where a proxy wants one.
    pub base_url: Url,
    pub secret_key: SecretString,
    /// For a whole call of a person, its repetitions included.
    pub timeout: Duration,
    /// Our own budget. `None`: as many as one likes, as far as Nango does not say otherwise.
    pub calls_per_minute: Option<u32>,
    pub jitter: Jitter,
}

/// The one who talks to Nango. Cheap to clone; all clones share the connections, the budget and
/// the breaker.
#[derive(Clone, Debug)]
pub struct NangoService {
    http: reqwest::Client,
    base_url: Url,
    secret_key: SecretString,
    timeout: Duration,
    priority: Priority,
    gate: Arc<Gate>,
    socket_path: Arc<socket::Path>,
    metrics: Option<Metrics>,
}

impl NangoService {
    pub fn new(settings: Settings) -> Result<Self, NangoError> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("patchbay/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(settings.timeout.min(Duration::from_secs(5)))
            // Nango's API never redirects; following one would carry the key elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| NangoError::unreachable(&error))?;
        Ok(Self {
            http,
            base_url: settings.base_url,
            secret_key: settings.secret_key,
            timeout: settings.timeout,
            priority: Priority::Person,
            gate: Arc::new(Gate::new(settings.calls_per_minute, settings.jitter)),
            socket_path: Arc::default(),
            metrics: None,
        })
    }

    /// Counts its calls here; clones made before do not.
    #[must_use]
    pub fn watched(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// The same service for work that nobody waits for: its calls yield to people's, and have
    /// three times as long.
    pub fn background(&self) -> Self {
        Self {
            priority: Priority::Background,
            ..self.clone()
        }
    }

    /// How many calls the budget has left for people right now; `None` where it has no end.
    pub fn calls_left(&self) -> Option<u32> {
        self.gate.calls_left()
    }

    /// As many as a minute allows.
    pub fn calls_max(&self) -> Option<u32> {
        self.gate.calls_max()
    }

    pub fn base_url(&self) -> &Url {
        &self.base_url
    }

    /// For how long calls are still refused because Nango does not answer. `None` as soon as one
    /// would be let through: a page may say it, but only a call finds out whether it is over.
    pub fn paused(&self) -> Option<Duration> {
        self.gate.paused()
    }

    /// Whether calls are paused, and each change of it: true from the failure that was one too
    /// many until the first answer.
    pub fn pauses(&self) -> watch::Receiver<bool> {
        self.gate.pauses()
    }
}
