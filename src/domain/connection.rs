//! A person's connection to a connector, and the words of its status.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{attempt::OpenAttempt, timestamp::Timestamp};

/// The stored status of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Pending,
    Connected,
    Disconnected,
    Error,
}

impl Status {
    pub const ALL: [Self; 4] = [
        Self::Pending,
        Self::Connected,
        Self::Disconnected,
        Self::Error,
    ];

    /// As it is stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::Error => "error",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }
}

/// One account of one person at one connector: the whole state, as REST, pages and the event
/// stream carry it. Of two copies the one with the higher `version` is the newer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Connection {
    pub id: Uuid,
    pub connector_id: Uuid,
    /// The connector's slug.
    pub connector: String,
    pub status: Status,
    /// The account's name, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    pub connected_at: Option<Timestamp>,
    pub disconnected_at: Option<Timestamp>,
    pub last_synced_at: Option<Timestamp>,
    /// Why it is not healthy, or why the last attempt led nowhere, in a sentence with what to do.
    pub last_error: Option<String>,
    pub error_count: i32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
    /// The attempt in progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<OpenAttempt>,
}

impl Connection {
    /// The person has done their part: somebody at the provider has to approve the installation.
    pub fn is_awaiting_approval(&self) -> bool {
        self.status == Status::Pending && self.attempt.is_none()
    }

    /// What a person reads. Before the first time it is `NotConnected`.
    pub fn shown(&self) -> Shown {
        match self.status {
            Status::Connected => Shown::Connected,
            Status::Pending => Shown::Pending,
            Status::Error => Shown::Error,
            Status::Disconnected if self.connected_at.is_some() => Shown::Disconnected,
            Status::Disconnected => Shown::NotConnected,
        }
    }
}

/// The five words of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    Connected,
    Pending,
    Error,
    Disconnected,
    NotConnected,
}

impl Shown {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Connected => "Connected",
            Self::Pending => "Pending",
            Self::Error => "Error",
            Self::Disconnected => "Disconnected",
            Self::NotConnected => "Not connected",
        }
    }

    /// As in class names, query strings and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Pending => "pending",
            Self::Error => "error",
            Self::Disconnected => "disconnected",
            Self::NotConnected => "not_connected",
        }
    }
}
