//! Table `connect_attempt`: one row per click on Connect or Reconnect.
//!
//! May import `db` and `domain`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use super::{DbError, Tx, moment, stored, word};
use crate::domain::{
    attempt::{AttemptKind, AttemptState},
    timestamp::Timestamp,
};

/// How long after its expiry a late success of an attempt is still looked for.
const WATCHED_MS: i64 = 3_600_000;

#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub id: Uuid,
    pub user_id: Uuid,
    pub connector_id: Uuid,
    pub connection_id: Uuid,
    pub kind: AttemptKind,
    pub state: AttemptState,
    /// Why it ended, in a sentence.
    pub error: Option<String>,
    pub provider_config_key: String,
    /// What the person typed before the flow; never a secret.
    pub config: BTreeMap<String, String>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub settled_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct Raw {
    id: Uuid,
    user_id: Uuid,
    connector_id: Uuid,
    connection_id: Uuid,
    kind: String,
    state: String,
    error: Option<String>,
    provider_config_key: String,
    config: Json<BTreeMap<String, String>>,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    settled_at: Option<DateTime<Utc>>,
}

impl TryFrom<Raw> for Row {
    type Error = DbError;

    fn try_from(raw: Raw) -> Result<Self, DbError> {
        Ok(Self {
            id: raw.id,
            user_id: raw.user_id,
            connector_id: raw.connector_id,
            connection_id: raw.connection_id,
            kind: word(
                AttemptKind::parse(&raw.kind),
                "connect_attempt.kind",
                &raw.kind,
            )?,
            state: word(
                AttemptState::parse(&raw.state),
                "connect_attempt.state",
                &raw.state,
            )?,
            error: raw.error,
            provider_config_key: raw.provider_config_key,
            config: raw.config.0,
            created_at: moment(raw.created_at),
            expires_at: moment(raw.expires_at),
            settled_at: raw.settled_at.map(moment),
        })
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, user_id, connector_id, connection_id, kind, state, error, \
             provider_config_key, config, created_at, expires_at, settled_at \
             FROM connect_attempt ",
            $rest
        )
    };
}

const INSERT: &str = "INSERT INTO connect_attempt
    (id, user_id, connector_id, connection_id, kind, state, error, provider_config_key, config,
     created_at, expires_at, settled_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";

/// A second open attempt of the same connection is a unique violation: settle the first before.
pub async fn insert(tx: &mut Tx, row: &Row) -> Result<(), DbError> {
    on_db!(tx, c => sqlx::query(INSERT)
        .persistent(false)
        .bind(row.id)
        .bind(row.user_id)
        .bind(row.connector_id)
        .bind(row.connection_id)
        .bind(row.kind.as_str())
        .bind(row.state.as_str())
        .bind(row.error.as_deref())
        .bind(&row.provider_config_key)
        .bind(Json(&row.config))
        .bind(stored(row.created_at))
        .bind(stored(row.expires_at))
        .bind(row.settled_at.map(stored))
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const GET: &str = select!("WHERE id = $1");

pub async fn get(tx: &mut Tx, id: Uuid) -> Result<Option<Row>, DbError> {
    one(tx, GET, id).await
}

const OPEN_OF: &str = select!("WHERE connection_id = $1 AND state = 'open'");

/// The open attempt of a connection: there is at most one.
pub async fn open_of(tx: &mut Tx, connection_id: Uuid) -> Result<Option<Row>, DbError> {
    one(tx, OPEN_OF, connection_id).await
}

async fn one(tx: &mut Tx, sql: &'static str, id: Uuid) -> Result<Option<Row>, DbError> {
    let raw: Option<Raw> = on_db!(
        tx,
        c => sqlx::query_as(sql).persistent(false).bind(id).fetch_optional(c).await
    )?;
    raw.map(Row::try_from).transpose()
}

const COMPARE_AND_SET: &str = "UPDATE connect_attempt
    SET state = $2, error = $3, settled_at = $4
    WHERE id = $1 AND state IN ($5, $6, $7, $8, $9)";

/// Moves an attempt from one of the states `from` to `to`. Of any number of callers at once
/// exactly one gets `true`.
pub async fn compare_and_set(
    tx: &mut Tx,
    id: Uuid,
    from: &[AttemptState],
    to: AttemptState,
    error: Option<&str>,
    now: Timestamp,
) -> Result<bool, DbError> {
    // SQLite takes no lists: each state has its placeholder, and those not asked for get a word
    // that no row holds.
    let [open, succeeded, failed, expired, cancelled] =
        AttemptState::ALL.map(|s| if from.contains(&s) { s.as_str() } else { "" });
    let changed = on_db!(tx, c => sqlx::query(COMPARE_AND_SET)
        .persistent(false)
        .bind(id)
        .bind(to.as_str())
        .bind(error)
        .bind(stored(now))
        .bind(open)
        .bind(succeeded)
        .bind(failed)
        .bind(expired)
        .bind(cancelled)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(changed == 1)
}

const CANCEL_OF: &str = "UPDATE connect_attempt
    SET state = 'cancelled', settled_at = $2
    WHERE connection_id = $1 AND state IN ('open', 'expired')";

/// Cancels whatever could still connect this connection: after a disconnect a late success is
/// an orphan.
pub async fn cancel_of(tx: &mut Tx, connection_id: Uuid, now: Timestamp) -> Result<(), DbError> {
    on_db!(tx, c => sqlx::query(CANCEL_OF)
        .persistent(false)
        .bind(connection_id)
        .bind(stored(now))
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const OPEN: &str = select!("WHERE state = 'open' ORDER BY created_at DESC, id DESC");

/// Every open attempt, newest first.
pub async fn open(tx: &mut Tx) -> Result<Vec<Row>, DbError> {
    let raw: Vec<Raw> = on_db!(
        tx,
        c => sqlx::query_as(OPEN).persistent(false).fetch_all(c).await
    )?;
    raw.into_iter().map(Row::try_from).collect()
}

const OVERDUE: &str = select!("WHERE state = 'open' AND expires_at <= $1 ORDER BY expires_at, id");

/// Open attempts whose time is up, oldest first.
pub async fn overdue(tx: &mut Tx, now: Timestamp) -> Result<Vec<Row>, DbError> {
    by_expiry(tx, OVERDUE, now).await
}

const WATCHED: &str = select!(
    "WHERE expires_at > $1 AND (kind = 'connect' OR state IN ('open', 'expired')) \
     ORDER BY created_at DESC, id DESC"
);

/// The attempts whose success may still come, until an hour past their expiry; newest first. Failed
/// and succeeded ones are among them: who pressed Deny may go back in the popup and press Allow,
/// and a second window of an attempt makes a second connection. A reconnect keeps its connection
/// whatever comes of it, so one that has ended leaves nothing to look for.
pub async fn watched(tx: &mut Tx, now: Timestamp) -> Result<Vec<Row>, DbError> {
    by_expiry(tx, WATCHED, Timestamp(now.0.saturating_sub(WATCHED_MS))).await
}

async fn by_expiry(tx: &mut Tx, sql: &'static str, at: Timestamp) -> Result<Vec<Row>, DbError> {
    let raw: Vec<Raw> = on_db!(
        tx,
        c => sqlx::query_as(sql).persistent(false).bind(stored(at)).fetch_all(c).await
    )?;
    raw.into_iter().map(Row::try_from).collect()
}

const OF_USER: &str = select!("WHERE user_id = $1 ORDER BY created_at, id");

/// Every attempt of a person, oldest first.
pub async fn of_user(tx: &mut Tx, user_id: Uuid) -> Result<Vec<Row>, DbError> {
    let raw: Vec<Raw> = on_db!(
        tx,
        c => sqlx::query_as(OF_USER).persistent(false).bind(user_id).fetch_all(c).await
    )?;
    raw.into_iter().map(Row::try_from).collect()
}

const ERASE_OF_USER: &str = "UPDATE connect_attempt SET config = '{}', error = NULL,
    state = CASE WHEN state IN ('open', 'expired') THEN 'cancelled' ELSE state END,
    settled_at = COALESCE(settled_at, $2)
    WHERE user_id = $1";

/// Leaves ids and times of a person's attempts, and cancels what could still connect: a late success
/// is an orphan. Returns how many attempts there are.
pub async fn erase_of_user(tx: &mut Tx, user_id: Uuid, now: Timestamp) -> Result<u64, DbError> {
    Ok(on_db!(tx, c => sqlx::query(ERASE_OF_USER)
        .persistent(false)
        .bind(user_id)
        .bind(stored(now))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?)
}
