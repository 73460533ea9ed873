//! An attempt: one click on Connect or Reconnect, from the click to its outcome.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{connection::Connection, timestamp::Timestamp};

/// What the person asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum AttemptKind {
    Connect,
    Reconnect,
}

impl AttemptKind {
    pub const ALL: [Self; 2] = [Self::Connect, Self::Reconnect];

    /// As it is stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Reconnect => "reconnect",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == text)
    }
}

/// Where an attempt stands; everything but `open` is final, save that a late success may still
/// turn `expired` into `succeeded`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum AttemptState {
    Open,
    Succeeded,
    Failed,
    Expired,
    Cancelled,
}

impl AttemptState {
    pub const ALL: [Self; 5] = [
        Self::Open,
        Self::Succeeded,
        Self::Failed,
        Self::Expired,
        Self::Cancelled,
    ];

    /// As it is stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }
}

/// The open attempt of a connection, as pages see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct OpenAttempt {
    pub id: Uuid,
    pub kind: AttemptKind,
    pub expires_at: Timestamp,
}

/// The answer to Connect and Reconnect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Started {
    pub attempt_id: Uuid,
    /// Where the popup goes. Absent where typed credentials have already settled the attempt.
    pub oauth_url: Option<String>,
    pub expires_at: Timestamp,
    /// The connection as it stands now.
    pub connection: Connection,
}

/// An attempt with its outcome so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct AttemptStatus {
    pub attempt_id: Uuid,
    pub kind: AttemptKind,
    pub state: AttemptState,
    /// Why it ended, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    pub expires_at: Timestamp,
    pub connection: Connection,
}

/// What the popup said of its outcome, handed on by the page that opened it. Anybody who can script
/// that window could have said it: it may end the person's own attempt, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Hint {
    Error {
        /// Nango's own word: `access_denied`, `callback_err` …
        error_type: String,
        message: String,
    },
}
