//! The use cases: the only callers of `db`, `identity`, `live` and `nango`.
//!
//! Each service is a small struct around the shared [`core::Core`]; `http` and the server
//! functions hold a [`Services`].

pub mod accounts;
pub mod attempts;
pub mod audit;
pub mod audit_chain;
pub mod audit_log;
pub mod condition;
pub mod connect;
pub mod core;
pub mod counts;
pub mod dictionary;
pub mod disconnect;
pub mod error;
pub mod events;
pub mod fields;
pub mod health;
pub mod hear;
pub mod history;
pub mod integrations;
pub mod lease;
pub mod local;
pub mod look;
pub mod names;
pub mod oidc;
pub mod origin;
pub mod outage;
pub mod pages;
pub mod password_rules;
pub mod passwords;
pub mod people;
pub mod personal;
pub mod place;
pub mod reconcile;
pub mod rows;
pub mod seal;
pub mod session_flow;
pub mod sessions;
pub mod settle;
pub mod sweep;
pub mod target;
pub mod throttle;
pub mod tokens;
pub mod watch;
pub mod webhooks;

use std::{future::Future, ops::Deref, sync::Arc};

use crate::{domain::problem::Problem, server::request};

pub use error::ServiceError;

/// Runs a change to its end even if whoever asked has gone: a request that is cut off is dropped
/// where it waits, and between what Nango did and what the row says nothing may be dropped.
async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, ServiceError>> + Send + 'static,
) -> Result<T, ServiceError> {
    let origin = origin::current().unwrap_or_default();
    tokio::spawn(request::carry(origin::scope(origin, work)))
        .await
        .unwrap_or_else(|error| {
            tracing::error!(%error, "a change broke off");
            let next = "Reload the page to see where it stands.";
            Err(Problem::new(500, "internal", "Something went wrong on our side.", next).into())
        })
}

/// Everything a request may ask for. One pointer: a request clones it a dozen times on its way through
/// the layers.
#[derive(Clone)]
pub struct Services(Arc<All>);

pub struct All {
    pub accounts: accounts::Accounts,
    pub attempts: attempts::Attempts,
    pub audit_log: audit_log::AuditLog,
    pub connect: connect::Connect,
    pub counts: counts::Counted,
    pub disconnect: disconnect::Disconnect,
    pub events: events::Events,
    pub health: health::Health,
    pub local: local::Local,
    pub history: history::History,
    pub names: names::Names,
    pub oidc: oidc::Oidc,
    pub pages: pages::Pages,
    pub people: people::People,
    pub reconcile: reconcile::Reconcile,
    pub sessions: sessions::Sessions,
    pub tokens: tokens::Tokens,
    pub webhooks: webhooks::Webhooks,
}

impl Services {
    pub fn new(core: Arc<core::Core>) -> Self {
        Self(Arc::new(All {
            accounts: accounts::Accounts(core.clone()),
            attempts: attempts::Attempts(core.clone()),
            audit_log: audit_log::AuditLog(core.clone()),
            connect: connect::Connect(core.clone()),
            counts: counts::Counted(core.clone()),
            disconnect: disconnect::Disconnect(core.clone()),
            events: events::Events(core.clone()),
            health: health::Health(core.clone()),
            local: local::Local(core.clone()),
            history: history::History(core.clone()),
            names: names::Names(core.clone()),
            oidc: oidc::Oidc(core.clone()),
            pages: pages::Pages(core.clone()),
            people: people::People(core.clone()),
            reconcile: reconcile::Reconcile(core.clone()),
            sessions: sessions::Sessions(core.clone()),
            tokens: tokens::Tokens(core.clone()),
            webhooks: webhooks::Webhooks(core),
        }))
    }
}

impl Deref for Services {
    type Target = All;

    fn deref(&self) -> &All {
        &self.0
    }
}
