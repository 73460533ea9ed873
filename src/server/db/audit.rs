//! Tables `audit_event` and `audit_personal`: who did what, written in the transaction that did it,
//! and beside it what may be forgotten again. The seals on it are in [`chain`].
//!
//! May import `db` and `domain`.

pub mod chain;

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{DbError, Tx, moment, stored};
use crate::domain::timestamp::Timestamp;

#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub id: Uuid,
    pub at: Timestamp,
    /// Whom it is about.
    pub user_id: Option<Uuid>,
    /// The person who did it; none for the system, and for an operator at the command line.
    pub actor_id: Option<Uuid>,
    pub connector_id: Option<Uuid>,
    pub connection_id: Option<Uuid>,
    pub attempt_id: Option<Uuid>,
    pub action: String,
    pub detail: Value,
    /// Of what stands in [`Personal`]: it stays when that is gone.
    pub personal_digest: Option<String>,
}

/// What an entry says of a person beyond ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Personal {
    pub salt: String,
    /// JSON, as it was digested.
    pub data: String,
}

#[derive(sqlx::FromRow)]
struct Raw {
    id: Uuid,
    at: DateTime<Utc>,
    user_id: Option<Uuid>,
    actor_id: Option<Uuid>,
    connector_id: Option<Uuid>,
    connection_id: Option<Uuid>,
    attempt_id: Option<Uuid>,
    action: String,
    detail: Value,
    personal_digest: Option<String>,
}

impl From<Raw> for Event {
    fn from(raw: Raw) -> Self {
        Self {
            id: raw.id,
            at: moment(raw.at),
            user_id: raw.user_id,
            actor_id: raw.actor_id,
            connector_id: raw.connector_id,
            connection_id: raw.connection_id,
            attempt_id: raw.attempt_id,
            action: raw.action,
            detail: raw.detail,
            personal_digest: raw.personal_digest,
        }
    }
}

/// Every column of [`Raw`].
macro_rules! columns {
    () => {
        "e.id, e.at, e.user_id, e.actor_id, e.connector_id, e.connection_id, e.attempt_id, \
         e.action, e.detail, e.personal_digest"
    };
}
use columns;

const RECORD: &str = "INSERT INTO audit_event
    (id, at, user_id, actor_id, connector_id, connection_id, attempt_id, action, detail,
     personal_digest)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

pub async fn record(tx: &mut Tx, event: &Event) -> Result<(), DbError> {
    on_db!(tx, c => sqlx::query(RECORD)
        .persistent(false)
        .bind(event.id)
        .bind(stored(event.at))
        .bind(event.user_id)
        .bind(event.actor_id)
        .bind(event.connector_id)
        .bind(event.connection_id)
        .bind(event.attempt_id)
        .bind(&event.action)
        .bind(&event.detail)
        .bind(event.personal_digest.as_deref())
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const RECORD_PERSONAL: &str = "INSERT INTO audit_personal (event_id, user_id, salt, data)
    VALUES ($1, $2, $3, $4)";

/// What belongs to an entry of this person and can be erased.
pub async fn record_personal(
    tx: &mut Tx,
    event_id: Uuid,
    user_id: Uuid,
    personal: &Personal,
) -> Result<(), DbError> {
    on_db!(tx, c => sqlx::query(RECORD_PERSONAL)
        .persistent(false)
        .bind(event_id)
        .bind(user_id)
        .bind(&personal.salt)
        .bind(&personal.data)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const ERASE_PERSONAL: &str = "DELETE FROM audit_personal WHERE user_id = $1";

/// Forgets what the log says of a person beyond ids; returns of how many entries.
pub async fn erase_personal(tx: &mut Tx, user_id: Uuid) -> Result<u64, DbError> {
    Ok(on_db!(tx, c => sqlx::query(ERASE_PERSONAL)
        .persistent(false)
        .bind(user_id)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?)
}

/// An entry as its own person sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    pub event: Event,
    /// None where nothing was said, or it was erased.
    pub personal: Option<Personal>,
    /// `connect` or `reconnect`, of the attempt that it belongs to.
    pub attempt_kind: Option<String>,
}

#[derive(sqlx::FromRow)]
struct ToldRaw {
    #[sqlx(flatten)]
    event: Raw,
    salt: Option<String>,
    data: Option<String>,
    attempt_kind: Option<String>,
}

impl From<ToldRaw> for Told {
    fn from(raw: ToldRaw) -> Self {
        Self {
            event: raw.event.into(),
            personal: personal(raw.salt, raw.data),
            attempt_kind: raw.attempt_kind,
        }
    }
}

fn personal(salt: Option<String>, data: Option<String>) -> Option<Personal> {
    Some(Personal {
        salt: salt?,
        data: data?,
    })
}

const OF_USER: &str = concat!(
    "SELECT ",
    columns!(),
    ", p.salt, p.data, a.kind AS attempt_kind
    FROM audit_event e
    LEFT JOIN audit_personal p ON p.event_id = e.id AND p.user_id = e.user_id
    LEFT JOIN connect_attempt a ON a.id = e.attempt_id
    WHERE e.user_id = $1
      AND (CAST($2 AS TEXT) = '' OR e.connector_id = $3)
      AND (CAST($4 AS TEXT) = ''
           OR (e.at, e.id) < (SELECT b.at, b.id FROM audit_event b
                              WHERE b.id = $5 AND b.user_id = $1))
    ORDER BY e.at DESC, e.id DESC LIMIT $6"
);

/// What is asked for of a person's entries.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub user_id: Uuid,
    /// Of this connector alone.
    pub connector_id: Option<Uuid>,
    /// Only what came before this entry of theirs; where they have none such, nothing.
    pub before: Option<Uuid>,
    pub limit: i64,
}

/// The entries about a person, newest first.
pub async fn of_user(tx: &mut Tx, asked: &Asked) -> Result<Vec<Told>, DbError> {
    // A word beside each that may be missing: a null parameter has no type on PostgreSQL.
    let given = |id: Option<Uuid>| if id.is_some() { "given" } else { "" };
    let raw: Vec<ToldRaw> = on_db!(tx, c => sqlx::query_as(OF_USER)
        .persistent(false)
        .bind(asked.user_id)
        .bind(given(asked.connector_id))
        .bind(asked.connector_id.unwrap_or_default())
        .bind(given(asked.before))
        .bind(asked.before.unwrap_or_default())
        .bind(asked.limit)
        .fetch_all(c)
        .await)?;
    Ok(raw.into_iter().map(Told::from).collect())
}

const BY_ACTOR_ON_OTHERS: &str = concat!(
    "SELECT ",
    columns!(),
    ", p.salt, p.data, a.kind AS attempt_kind
    FROM audit_event e
    LEFT JOIN audit_personal p ON p.event_id = e.id AND p.user_id = e.actor_id
    LEFT JOIN connect_attempt a ON a.id = e.attempt_id
    WHERE e.actor_id = $1 AND e.actor_id <> e.user_id
      AND (CAST($2 AS TEXT) = ''
           OR (e.at, e.id) < (SELECT b.at, b.id FROM audit_event b
                              WHERE b.id = $3 AND b.actor_id = $1))
    ORDER BY e.at DESC, e.id DESC LIMIT $4"
);

/// What a person did to others, newest first; `before` as in [`Asked`].
pub async fn by_actor_on_others(
    tx: &mut Tx,
    actor_id: Uuid,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Told>, DbError> {
    let raw: Vec<ToldRaw> = on_db!(tx, c => sqlx::query_as(BY_ACTOR_ON_OTHERS)
        .persistent(false)
        .bind(actor_id)
        .bind(if before.is_some() { "given" } else { "" })
        .bind(before.unwrap_or_default())
        .bind(limit)
        .fetch_all(c)
        .await)?;
    Ok(raw.into_iter().map(Told::from).collect())
}
