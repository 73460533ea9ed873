//! What the sandbox remembers: integrations, sessions, running flows, connections.
//!
//! May import `domain`, `clock` and the sandbox's `delivery`, `faults`, `limits`, `socket`, `store`,
//! `tags` and `webhook`.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::{
    Integration,
    delivery::Deliveries,
    faults::Faults,
    limits::Limits,
    socket::Sockets,
    store::Connections,
    tags::Tags,
    webhook::{self, Event},
};
use crate::{domain::timestamp::Timestamp, server::clock::Clock};

pub const SESSION_MS: i64 = 30 * 60 * 1000;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Forgetting walks through everything: not with each call.
const PRUNE_MS: i64 = 60_000;

/// Everything that survives a restart.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    last_id: u64,
    pub integrations: BTreeMap<String, StoredIntegration>,
    /// By token.
    pub sessions: HashMap<String, Session>,
    /// By OAuth state.
    pub flows: HashMap<Uuid, Flow>,
    /// The pretend provider's authorization codes.
    pub grants: HashMap<String, Grant>,
    pub connections: Connections,
    pub webhooks: webhook::Settings,
    /// What has happened and was not told yet.
    #[serde(skip)]
    events: Vec<Event>,
    #[serde(skip)]
    pruned_at: Timestamp,

    /// By name, as the configuration told of them: they outlive their integrations.
    pub known_providers: BTreeMap<String, Integration>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredIntegration {
    #[serde(flatten)]
    pub integration: Integration,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    #[serde(default)]
    pub settings: Settings,
}

/// What only a call to `/integrations` says of an integration.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Nango forwards unless told otherwise.
    pub keeps_webhooks: bool,
    /// The client's credentials without their secrets.
    pub credentials: Option<Map<String, Value>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    pub expires_at: Timestamp,
    pub tags: Tags,
    /// In the shape in which Nango shows it.
    pub end_user: Option<Value>,
    pub allowed_integrations: Option<Vec<String>>,
    /// By integration.
    pub defaults: Map<String, Value>,
    pub webhook_url_override: Option<String>,
    /// The connection that a reconnect session is for.
    pub reconnects: Option<String>,
}

impl Session {
    pub fn allows(&self, integration: &str) -> bool {
        self.allowed_integrations
            .as_ref()
            .is_none_or(|allowed| allowed.iter().any(|key| key == integration))
    }
}

/// An OAuth flow between `/oauth/connect` and the callback.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Flow {
    pub started_at: Timestamp,
    pub integration: String,
    pub session_token: String,
    pub connection_id: String,
    pub connection_config: Map<String, Value>,
    pub ws_client_id: Option<String>,
    /// The session's: it stays good when the session is deleted in mid-flow.
    #[serde(default)]
    pub webhook_url_override: Option<String>,
}

/// What the pretend provider granted for a code.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Grant {
    pub granted_at: Timestamp,
    pub account: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Connection {
    pub id: u64,
    pub connection_id: String,
    pub integration: String,
    pub provider: String,
    pub auth_mode: String,
    pub tags: Tags,
    pub end_user: Option<Value>,
    pub metadata: Value,
    pub connection_config: Map<String, Value>,
    pub webhook_url_override: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub authorized_at: Timestamp,
    pub broken: Option<Broken>,
    #[serde(default)]
    pub refresh: Refresh,
}

/// How the refreshes of a connection have gone, since one succeeded.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Refresh {
    /// Days on which one failed.
    pub failed_days: u32,
    /// Nango tries no more by itself.
    pub exhausted: bool,
}

/// The provider refuses to refresh the credentials.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Broken {
    /// The entry under `errors`; none until Nango has tried.
    pub log_id: Option<String>,
    pub last_failure: Option<Timestamp>,
}

/// A connection that a flow has just made or renewed.
pub struct Authorized<'a> {
    pub integration: &'a str,
    pub connection_id: &'a str,
    /// None where the session was deleted in mid-flow: then there are no tags either.
    pub session: Option<&'a Session>,
    pub connection_config: Map<String, Value>,
    pub metadata: Value,
}

impl State {
    pub fn add_missing(&mut self, integrations: Vec<Integration>, now: Timestamp) {
        for integration in integrations {
            self.known_providers
                .insert(integration.provider.clone(), integration.clone());
            self.integrations
                .entry(integration.unique_key.clone())
                .and_modify(|stored| stored.integration = integration.clone())
                .or_insert(StoredIntegration {
                    integration,
                    created_at: now,
                    updated_at: now,
                    settings: Settings::default(),
                });
        }
    }

    /// A session that may still start something.
    pub fn live_session(&self, token: &str, now: Timestamp) -> Option<&Session> {
        self.sessions.get(token).filter(|s| s.expires_at > now)
    }

    pub fn connection(&self, id: &str, integration: &str) -> Option<&Connection> {
        self.connections.get(id, integration)
    }

    pub fn connection_mut(&mut self, id: &str, integration: &str) -> Option<&mut Connection> {
        self.connections.get_mut(id, integration)
    }

    /// Makes the connection, or renews the one with that id: tags are replaced, never merged.
    pub fn authorize(&mut self, done: Authorized<'_>, now: Timestamp) {
        let told = done.session.and_then(|s| s.end_user.clone());
        let tags = done.session.map(|s| s.tags.clone()).unwrap_or_default();
        let end_user = done.session.and_then(|s| s.end_user.clone());
        let url = done.session.and_then(|s| s.webhook_url_override.clone());
        if let Some(old) = self.connection_mut(done.connection_id, done.integration) {
            old.tags = tags;
            if end_user.is_some() {
                old.end_user = end_user;
            }
            // As recorded: a reconnect that says none takes the address away.
            old.webhook_url_override = url;
            // Whoever waited for an approval and signed in again waits only if told so again.
            old.connection_config.remove("pending");
            old.connection_config.remove("pendingLog");
            old.connection_config.extend(done.connection_config);
            old.authorized_at = now;
            old.broken = None;
            old.refresh = Refresh::default();
            let event = webhook::authorized(old, "override", told.as_ref());
            self.events.push(event);
            return;
        }
        let Some(stored) = self.integrations.get(done.integration) else {
            return;
        };
        self.last_id += 1;
        let made = Connection {
            id: self.last_id,
            connection_id: done.connection_id.to_owned(),
            integration: done.integration.to_owned(),
            provider: stored.integration.provider.clone(),
            auth_mode: stored.integration.auth_mode.clone(),
            tags,
            end_user,
            metadata: done.metadata,
            connection_config: done.connection_config,
            webhook_url_override: url,
            created_at: now,
            updated_at: now,
            authorized_at: now,
            broken: None,
            refresh: Refresh::default(),
        };
        let event = webhook::authorized(&made, "creation", told.as_ref());
        self.events.push(event);
        self.connections.push(made);
    }

    /// To be told once the call is answered.
    pub fn tell(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Reads a connection's credentials with `act`; a refresh that fails there is told.
    pub fn reading<R>(
        &mut self,
        id: &str,
        integration: &str,
        refused: bool,
        act: impl FnOnce(&mut Connection) -> R,
    ) -> Option<R> {
        let connection = self.connections.get_mut(id, integration)?;
        if refused && connection.broken.is_none() {
            connection.broken = Some(Broken {
                log_id: None,
                last_failure: None,
            });
        }
        let failure = |c: &Connection| c.broken.as_ref().and_then(|b| b.log_id.clone());
        let before = failure(connection);
        let result = act(connection);
        let after = failure(connection);
        if after.is_some() && after != before {
            let event = webhook::refresh_failed(connection);
            self.events.push(event);
        }
        Some(result)
    }

    /// Forgets what nobody can come back to. Expired sessions stay a day: a flow that was running
    /// still gets its tags from them.
    pub fn prune(&mut self, now: Timestamp) {
        if now.0 - self.pruned_at.0 < PRUNE_MS {
            return;
        }
        self.pruned_at = now;
        let old = now.0 - DAY_MS;
        self.sessions.retain(|_, s| s.expires_at.0 > old);
        self.flows.retain(|_, f| f.started_at.0 > old);
        self.grants.retain(|_, g| g.granted_at.0 > old);
    }
}

impl Connection {
    pub fn errors(&self) -> Value {
        match self.broken.as_ref().and_then(|b| b.log_id.as_ref()) {
            Some(log_id) => json!([{"type": "auth", "log_id": log_id}]),
            None => json!([]),
        }
    }
}

/// The one state that all handlers share. Locks are never held over an await.
#[derive(Debug)]
pub struct Sandbox {
    pub clock: Clock,
    pub secret: SecretString,
    pub addr: SocketAddr,
    pub limits: Limits,
    pub sockets: Sockets,
    pub faults: Faults,
    pub deliveries: Deliveries,
    /// Lives as long as the server does, so a dropped `Running` stops nothing.
    pub stop: watch::Sender<bool>,
    /// Wakes the saver.
    pub changed: Notify,
    state: Mutex<State>,
    calls: Mutex<BTreeMap<String, u64>>,
}

impl Sandbox {
    pub fn new(
        clock: Clock,
        secret: SecretString,
        addr: SocketAddr,
        limits: Limits,
        deliveries: Deliveries,
        state: State,
    ) -> Self {
        Self {
            clock,
            secret,
            addr,
            limits,
            sockets: Sockets::default(),
            faults: Faults::default(),
            deliveries,
            stop: watch::Sender::new(false),
            changed: Notify::new(),
            state: Mutex::new(state),
            calls: Mutex::default(),
        }
    }

    pub fn read<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        look(&lock(&self.state))
    }

    pub fn change<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        let result = act(&mut lock(&self.state));
        self.changed.notify_one();
        result
    }

    pub fn take_events(&self) -> Vec<Event> {
        std::mem::take(&mut lock(&self.state).events)
    }

    /// Waits until the sandbox is told to stop.
    pub async fn stopped(&self) {
        // The sender is our own: an error can't happen while this waits.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }

    pub fn count(&self, call: String) {
        *lock(&self.calls).entry(call).or_default() += 1;
    }

    pub fn counts(&self) -> BTreeMap<String, u64> {
        lock(&self.calls).clone()
    }

    /// As Nango names a log entry.
    pub fn log_id(&self) -> String {
        let id = self.clock.random_id().simple().to_string();
        format!("{}_{}", self.clock.now().0, id.get(..8).unwrap_or_default())
    }
}

/// A panic elsewhere must not take the sandbox with it.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
