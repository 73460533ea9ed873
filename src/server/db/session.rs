//! Table `session`: who is signed in where. Its rows are written by tower-sessions, through [`Store`].
//!
//! May import `db` and `domain`.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::types::Json;
use uuid::Uuid;

use super::{DbError, Dialects, Tx, moment, stored};
use crate::domain::timestamp::Timestamp;

/// What a session must not be less than, of its person's `sessions_valid_from`; NULL for nobody's.
macro_rules! stamp {
    () => {
        "COALESCE(session.user_valid_from, CAST(session.data->>'signed_in_at' AS BIGINT), 0)"
    };
}

/// Of sessions with their `person`: those that were not ended together with all the others of that
/// person while they were being written.
macro_rules! valid {
    () => {
        concat!(
            "(person.sessions_valid_from IS NULL OR ",
            stamp!(),
            " >= person.sessions_valid_from)"
        )
    };
}

/// What a session is read with: its own columns, and its `person`'s.
macro_rules! columns_with_person {
    () => {
        "session.data, session.expires_at, person.id AS person_id, person.display_name, \
         person.role, person.disabled_at, person.erased_at"
    };
}

/// `SELECT` of these columns, of valid sessions.
macro_rules! select_valid {
    ($columns:expr, $rest:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM session LEFT JOIN \"user\" person ON person.id = session.user_id WHERE ",
            valid!(),
            " AND ",
            $rest
        )
    };
}

// After the macros: they use them.
pub mod along;
mod store;

pub use store::{Store, outage};

/// The hex SHA-256 of the cookie's value: how a session is named here and in `session.id`.
pub fn digest(cookie: &str) -> String {
    format!("{:x}", Sha256::digest(cookie))
}

/// The entry of a session's data that says when it was last renewed, in milliseconds since 1970.
pub const LAST_SEEN_AT: &str = "last_seen_at";

/// The entry of a session's data that says whose it is.
pub const USER_ID: &str = "user_id";

/// The entry with the person as they were when the session was read, in the same look at the database:
/// whoever asks for anything is looked up once. It is never written, and stands there only for those
/// who may come in.
pub const PERSON: &str = "person";

/// The entry with the person's `sessions_valid_from` (0: none) as it was when they were let in.
pub const VALID_FROM: &str = "user_valid_from";

/// A session of somebody, without its data.
#[derive(Clone, Debug, PartialEq)]
pub struct Owned {
    /// The digest of the cookie's value ([`digest`]).
    pub id: String,
    pub data: HashMap<String, Value>,
    pub expires_at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct OwnedRaw {
    id: String,
    data: Json<HashMap<String, Value>>,
    expires_at: DateTime<Utc>,
}

const OF_USER: &str = select_valid!(
    "session.id, session.data, session.expires_at",
    "session.user_id = $1 AND session.expires_at > $2 ORDER BY session.expires_at DESC, session.id"
);

/// The living sessions of a person.
pub async fn of_user(tx: &mut Tx, user_id: Uuid, now: Timestamp) -> Result<Vec<Owned>, DbError> {
    let raw: Vec<OwnedRaw> = on_db!(tx, c => sqlx::query_as(OF_USER)
        .persistent(false)
        .bind(user_id)
        .bind(stored(now))
        .fetch_all(c)
        .await)?;
    Ok(raw
        .into_iter()
        .map(|raw| Owned {
            id: raw.id,
            data: raw.data.0,
            expires_at: moment(raw.expires_at),
        })
        .collect())
}

const LIVING: Dialects = Dialects {
    sqlite: select_valid!(
        "session.id",
        "session.expires_at > $2 AND session.id IN (SELECT value FROM json_each($1))"
    ),
    postgres: select_valid!(
        "session.id",
        "session.expires_at > $2 AND session.id IN (SELECT jsonb_array_elements_text($1))"
    ),
};

/// Which of these (by [`digest`]) live.
pub async fn living(tx: &mut Tx, ids: &[&str], now: Timestamp) -> Result<HashSet<String>, DbError> {
    let sql = LIVING.of(tx);
    let found: Vec<String> = on_db!(tx, c => sqlx::query_scalar(sql)
        .persistent(false)
        .bind(Json(ids))
        .bind(stored(now))
        .fetch_all(c)
        .await)?;
    Ok(found.into_iter().collect())
}

const DELETE_OF_USER: &str = "DELETE FROM session WHERE user_id = $1 AND id <> $2";

/// Ends a person's sessions, but for the one with this digest (none: all of them).
pub async fn delete_of_user(tx: &mut Tx, user_id: Uuid, but: &str) -> Result<u64, DbError> {
    Ok(on_db!(tx, c => sqlx::query(DELETE_OF_USER)
        .persistent(false)
        .bind(user_id)
        .bind(but)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?)
}

const KEEP: &str = "UPDATE session SET user_valid_from = $3 WHERE user_id = $1 AND id = $2";

/// Lets one session of a person go on where all others end ([`super::user::end_sessions`]).
pub async fn keep(
    tx: &mut Tx,
    user_id: Uuid,
    id: &str,
    valid_from: Timestamp,
) -> Result<(), DbError> {
    on_db!(tx, c => sqlx::query(KEEP)
        .persistent(false)
        .bind(user_id)
        .bind(id)
        .bind(valid_from.0)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const DELETE_OLDEST: &str = "DELETE FROM session WHERE user_id = $1 AND id NOT IN (
    SELECT id FROM session WHERE user_id = $1
    ORDER BY COALESCE(CAST(data->>'signed_in_at' AS BIGINT), 0) DESC, expires_at DESC, id LIMIT $2)";

/// Ends a person's sessions but for so many, those that began last. Returns how many were too many.
pub async fn delete_oldest(tx: &mut Tx, user_id: Uuid, but: i64) -> Result<u64, DbError> {
    Ok(on_db!(tx, c => sqlx::query(DELETE_OLDEST)
        .persistent(false)
        .bind(user_id)
        .bind(but)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?)
}

const DELETE_ONE: &str = "DELETE FROM session WHERE user_id = $1 AND id = $2";

/// Ends one session of a person. Returns whether it was theirs.
pub async fn delete_one(tx: &mut Tx, user_id: Uuid, id: &str) -> Result<bool, DbError> {
    Ok(on_db!(tx, c => sqlx::query(DELETE_ONE)
        .persistent(false)
        .bind(user_id)
        .bind(id)
        .execute(c)
        .await
        .map(|done| done.rows_affected() == 1))?)
}
