//! What the services share: the database, Nango, the hub, the clock, the manifests.

use std::{sync::Arc, time::Duration};

use crate::{
    domain::{connection::Connection, problem::Problem},
    server::{
        clock::Clock,
        db::{Db, DbError, Tx, connection, notify},
        identity::Identity,
        live::{Hub, Message},
        manifest::Registry,
        metrics::Metrics,
        nango::NangoService,
        services::{
            counts, fields::Fields, health, integrations::Integrations, lease::Lease,
            passwords::Passwords, reconcile, rows, watch::Watch, webhooks,
        },
    },
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use url::Url;
use uuid::Uuid;

/// Where connecting leads.
#[derive(Clone, Debug)]
pub enum Nango {
    /// A real Nango, or the sandbox: told apart by nothing but this flag, for the banner.
    On {
        service: NangoService,
        sandbox: bool,
    },
    /// Nowhere: connecting is off, for this reason.
    Off(Box<Problem>),
}

impl Nango {
    /// Counts its calls here.
    #[must_use]
    pub fn watched(self, metrics: &Metrics) -> Self {
        match self {
            Self::On { service, sandbox } => Self::On {
                service: service.watched(metrics),
                sandbox,
            },
            Self::Off(problem) => Self::Off(problem),
        }
    }
}

/// The state behind every service.
pub struct Core {
    pub db: Db,
    pub nango: Nango,
    pub hub: Hub,
    pub clock: Clock,
    pub registry: Arc<Registry>,
    pub integrations: Integrations,
    pub fields: Fields,
    pub watch: Watch,
    pub lease: Lease,
    pub reconcile: reconcile::Memory,
    /// How often all that is bound is compared with Nango's list.
    pub reconcile_every: Duration,
    pub webhooks: WebhookSettings,
    /// How long an attempt stays open; a connect session of Nango lives as long.
    pub attempt_lifetime: Duration,
    /// Nango's address where connecting is off: its callback is still forwarded to.
    pub nango_base: Url,
    /// "Continue as demo user" may be offered.
    pub demo: bool,
    /// How long a session lasts that is not used.
    pub session_idle: Duration,
    /// How long a session lasts, however much it is used.
    pub session_lifetime: Duration,
    pub local: LocalSettings,
    pub passwords: Passwords,
    /// Whose word on who somebody is counts.
    pub identity: Identity,
    /// One for each open stream that reads everything again: all of them may have to at once.
    pub again: Semaphore,
    pub metrics: Metrics,
    pub health: health::State,
    pub counts: counts::Memory,
}

/// Signing in by e-mail address and password.
#[derive(Clone, Copy, Debug)]
pub struct LocalSettings {
    pub on: bool,
    /// Whoever comes may make an account.
    pub sign_up: bool,
}

/// How webhooks come in.
#[derive(Debug)]
pub struct WebhookSettings {
    /// `None`: they are refused.
    pub signing_key: Option<SecretString>,
    /// Where each connection's webhooks are to go, in place of the addresses in Nango.
    pub url_override: Option<String>,
    /// One for each that is handled.
    pub places: Arc<Semaphore>,
    /// One for each that is handled or waits for that.
    pub room: Semaphore,
    /// One for each whose body is read.
    pub reading: Arc<Semaphore>,
}

impl WebhookSettings {
    pub fn new(signing_key: Option<SecretString>, url_override: Option<String>) -> Self {
        Self {
            signing_key,
            url_override,
            places: Arc::new(Semaphore::new(webhooks::AT_ONCE)),
            room: Semaphore::new(webhooks::AT_ONCE + webhooks::WAITING),
            reading: Arc::new(Semaphore::new(webhooks::READ_AT_ONCE)),
        }
    }
}

/// A change, as it travels from instance to instance.
#[derive(Debug, Serialize, Deserialize)]
pub struct Announcement {
    pub user_id: Uuid,
    pub connection: Connection,
}

impl Core {
    /// Nango, or the reason why connecting is off.
    pub fn nango(&self) -> Result<&NangoService, super::ServiceError> {
        match &self.nango {
            Nango::On { service, .. } => Ok(service),
            Nango::Off(problem) => Err(super::ServiceError::Problem(problem.clone())),
        }
    }

    /// Reads a connection as it stands inside the transaction, tells the other instances as part
    /// of it, and returns what to [`Core::publish`] once it is committed.
    pub async fn announce(&self, tx: &mut Tx, id: Uuid) -> Result<Option<Announcement>, DbError> {
        let Some(found) = connection::get(tx, id).await? else {
            return Ok(None);
        };
        let announcement = Announcement {
            user_id: found.row.user_id,
            connection: rows::connection(&self.registry, found),
        };
        if let Ok(payload) = serde_json::to_string(&announcement) {
            notify::announce(tx, &payload).await?;
        }
        Ok(Some(announcement))
    }

    /// To this instance's own pages; the others learn by the database.
    pub fn publish(&self, announcement: Announcement) {
        let message = Message::Changed(Arc::new(announcement.connection));
        self.hub.publish(announcement.user_id, message);
    }
}
