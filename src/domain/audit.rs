//! Entries of the audit log, as administrators and programs read them, and what people read of
//! their own.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::timestamp::Timestamp;

/// A sealed entry: all that its hash covers, so that whoever has it can check it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct AuditEntry {
    /// Its place in the chain, from 1 without gaps.
    pub seq: i64,
    /// The hash of the entry before it; zeros for the first.
    pub prev: String,
    pub hash: String,
    pub id: Uuid,
    pub at: Timestamp,
    /// Whom it is about.
    pub user_id: Option<Uuid>,
    /// The person who did it; null for the system, and for an operator at the command line.
    pub actor_id: Option<Uuid>,
    pub connector_id: Option<Uuid>,
    pub connection_id: Option<Uuid>,
    pub attempt_id: Option<Uuid>,
    /// A word: `connect`, `disconnect`, `sign_in` …
    pub action: String,
    #[cfg_attr(feature = "ssr", schema(value_type = Object))]
    pub detail: serde_json::Value,
    /// The salted digest of the personal data beside the entry; it stays when they are erased.
    pub personal_digest: Option<String>,
    /// The personal data; null where there were none, they were erased, or not asked for.
    pub personal: Option<AuditPersonal>,
}

/// What an entry says of a person beyond ids. Its digest is the SHA-256 of salt and data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct AuditPersonal {
    pub salt: String,
    /// JSON text: `address`, `user_agent`, `reason`, `account`, each where there is one.
    pub data: String,
}

/// A line of a person's own history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct HistoryEntry {
    pub id: Uuid,
    pub at: Timestamp,
    /// A word: `connect`, `disconnect`, `sign_in` …
    pub action: String,
    /// What happened, as people read it.
    pub sentence: String,
    /// The connector's slug, where it is about one.
    pub connector: Option<String>,
    pub connector_name: Option<String>,
    pub connection_id: Option<Uuid>,
    /// What the account was called then.
    pub account: Option<String>,
    /// The person did it; else the system or an operator.
    pub own: bool,
    /// From where, for what the person did: `Chrome on Linux, 203.0.113.9`.
    pub from: Option<String>,
}

/// A page of a person's own history, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct History {
    pub entries: Vec<HistoryEntry>,
    /// What to ask for next with `before`; null at the end.
    pub next: Option<Uuid>,
}
