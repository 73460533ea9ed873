//! What handlers and server functions are given.

use std::{ops::Deref, sync::Arc, time::Duration};

use axum::extract::FromRef;
use ipnet::IpNet;
use leptos::prelude::{LeptosOptions, use_context};
use uuid::Uuid;

use super::{metrics::Metrics, services::Services};
use crate::domain::{problem::Problem, user::User};

/// The state of the router. One pointer: for each request it is cloned by every layer.
#[derive(Clone)]
pub struct AppState(Arc<Parts>);

/// What it is made of.
pub struct Parts {
    pub services: Services,
    pub leptos: LeptosOptions,
    pub web: Web,
    pub metrics: Metrics,
}

impl From<Parts> for AppState {
    fn from(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for AppState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl FromRef<AppState> for Services {
    fn from_ref(state: &AppState) -> Self {
        state.services.clone()
    }
}

impl FromRef<AppState> for Web {
    fn from_ref(state: &AppState) -> Self {
        state.web.clone()
    }
}

/// What the web side of the server needs to know of its configuration.
#[derive(Clone, Debug)]
pub struct Web {
    /// People come by https: cookies are `Secure`.
    pub https: bool,
    /// The origin that people type, as a browser writes it.
    pub origin: Arc<str>,
    /// Whose word about the client's address counts.
    pub trusted_proxies: Arc<[IpNet]>,
    /// What one address may ask.
    pub requests: Rate,
    /// What one person may change.
    pub changes: Rate,
    /// How long an answer may take.
    pub patience: Duration,
    /// Names a request that came without a name.
    pub new_id: fn() -> Uuid,
}

/// So many for long, and so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// 0: no limit.
    pub per_second: u32,
    pub burst: u32,
}

/// The services, inside a server function.
pub fn services() -> Result<Services, Problem> {
    use_context::<Services>().ok_or_else(|| {
        tracing::error!("a server function was called without its context");
        Problem::new(
            500,
            "internal",
            "Something went wrong on our side.",
            "Try again in a moment.",
        )
    })
}

/// The services and the signed-in person, inside a server function.
pub fn caller() -> Result<(Services, User), Problem> {
    let user = use_context::<User>().ok_or_else(signed_out)?;
    Ok((services()?, user))
}

/// The digest of the session that asks (`services::sessions::digest`); empty with a bearer token.
#[derive(Clone, Debug, Default)]
pub struct CurrentSession(pub String);

/// The session that asks, inside a server function.
pub fn current_session() -> CurrentSession {
    use_context().unwrap_or_default()
}

/// Nobody is signed in.
pub fn signed_out() -> Problem {
    Problem::new(
        401,
        "signed_out",
        "You are not signed in.",
        "Sign in and try again.",
    )
}
