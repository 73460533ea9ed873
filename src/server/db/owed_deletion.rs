//! Table `owed_deletion`: connections that Nango must still forget, retried until it has.
//!
//! May import `db` and `domain`.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{DbError, Tx, moment, stored};
use crate::domain::timestamp::Timestamp;

#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub id: Uuid,
    /// Whose connection it was; none where an older version wrote the row.
    pub user_id: Option<Uuid>,
    pub nango_connection_id: String,
    pub provider_config_key: String,
    /// For the log: why it is owed.
    pub reason: String,
    pub tries: i32,
    pub next_try_at: Timestamp,
    pub created_at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct Raw {
    id: Uuid,
    user_id: Option<Uuid>,
    nango_connection_id: String,
    provider_config_key: String,
    reason: String,
    tries: i32,
    next_try_at: DateTime<Utc>,
    created_at: DateTime<Utc>,
}

impl From<Raw> for Row {
    fn from(raw: Raw) -> Self {
        Self {
            id: raw.id,
            user_id: raw.user_id,
            nango_connection_id: raw.nango_connection_id,
            provider_config_key: raw.provider_config_key,
            reason: raw.reason,
            tries: raw.tries,
            next_try_at: moment(raw.next_try_at),
            created_at: moment(raw.created_at),
        }
    }
}

const OWE: &str = "INSERT INTO owed_deletion
    (id, nango_connection_id, provider_config_key, reason, tries, next_try_at, created_at, user_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (nango_connection_id) DO NOTHING";

/// A deletion that is owed already stays as it is.
pub async fn owe(tx: &mut Tx, row: &Row) -> Result<(), DbError> {
    on_db!(tx, c => sqlx::query(OWE)
        .persistent(false)
        .bind(row.id)
        .bind(&row.nango_connection_id)
        .bind(&row.provider_config_key)
        .bind(&row.reason)
        .bind(row.tries)
        .bind(stored(row.next_try_at))
        .bind(stored(row.created_at))
        .bind(row.user_id)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const IS_OWED: &str = "SELECT count(*) FROM owed_deletion WHERE nango_connection_id = $1";

/// Whether the deletion of this connection is owed already.
pub async fn is_owed(tx: &mut Tx, nango_connection_id: &str) -> Result<bool, DbError> {
    let count: i64 = on_db!(tx, c => sqlx::query_scalar(IS_OWED)
        .persistent(false)
        .bind(nango_connection_id)
        .fetch_one(c)
        .await)?;
    Ok(count > 0)
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, user_id, nango_connection_id, provider_config_key, reason, tries, \
             next_try_at, created_at FROM owed_deletion ",
            $rest
        )
    };
}

const DUE: &str = select!("WHERE next_try_at <= $1 ORDER BY next_try_at, id LIMIT $2");

/// Those whose time has come, the longest waiting first.
pub async fn due(tx: &mut Tx, now: Timestamp, limit: i64) -> Result<Vec<Row>, DbError> {
    let raw: Vec<Raw> = on_db!(tx, c => sqlx::query_as(DUE)
        .persistent(false)
        .bind(stored(now))
        .bind(limit)
        .fetch_all(c)
        .await)?;
    Ok(raw.into_iter().map(Row::from).collect())
}

const OF_USER: &str = select!("WHERE user_id = $1 ORDER BY created_at, id");

/// What is owed for a person's connections, the oldest first.
pub async fn of_user(tx: &mut Tx, user_id: Uuid) -> Result<Vec<Row>, DbError> {
    let raw: Vec<Raw> = on_db!(tx, c => sqlx::query_as(OF_USER)
        .persistent(false)
        .bind(user_id)
        .fetch_all(c)
        .await)?;
    Ok(raw.into_iter().map(Row::from).collect())
}

const DONE: &str = "DELETE FROM owed_deletion WHERE id = $1";

pub async fn done(tx: &mut Tx, id: Uuid) -> Result<(), DbError> {
    on_db!(tx, c => sqlx::query(DONE).persistent(false).bind(id).execute(c).await.map(drop))?;
    Ok(())
}

const POSTPONE: &str = "UPDATE owed_deletion SET tries = tries + 1, next_try_at = $2 WHERE id = $1";

/// Counts a try that failed and sets the time of the next.
pub async fn postpone(tx: &mut Tx, id: Uuid, next_try_at: Timestamp) -> Result<(), DbError> {
    on_db!(tx, c => sqlx::query(POSTPONE)
        .persistent(false)
        .bind(id)
        .bind(stored(next_try_at))
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const FORGET: &str = "DELETE FROM owed_deletion WHERE nango_connection_id = $1";

/// What was owed for this connection is done, or nothing was.
pub async fn forget(tx: &mut Tx, nango_connection_id: &str) -> Result<(), DbError> {
    on_db!(tx, c => sqlx::query(FORGET)
        .persistent(false)
        .bind(nango_connection_id)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}
