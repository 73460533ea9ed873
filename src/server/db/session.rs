//! Table `session`: the sessions of tower-sessions.
//!
//! May import `db`, `domain` and `server::clock`.
//!
//! Our own store because the published ones prepare named statements, which a transaction pooler
//! refuses, and keep the session's id as it is in the cookie: here a stolen table opens no
//! session.

use std::{
    collections::{HashMap, HashSet},
    pin::Pin,
};

use chrono::{DateTime, Utc};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::types::Json;
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
    session_store,
};
use uuid::Uuid;

use super::{Db, DbError, Dialects, Outage, Tx, moment, stored};
use crate::{domain::timestamp::Timestamp, server::clock::Clock};

#[derive(Clone, Debug)]
pub struct Store {
    db: Db,
    clock: Clock,
}

#[derive(sqlx::FromRow)]
struct Raw {
    data: Json<HashMap<String, Value>>,
    expires_at: DateTime<Utc>,
}

/// What a session must not be less than, of its person's `sessions_valid_from`; NULL for nobody's.
macro_rules! stamp {
    () => {
        "COALESCE(session.user_valid_from, CAST(session.data->>'signed_in_at' AS BIGINT), 0)"
    };
}

/// `SELECT` of these columns, of sessions that were not ended together with all the others of their
/// person while they were being written.
macro_rules! select_valid {
    ($columns:literal, $rest:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM session LEFT JOIN \"user\" person ON person.id = session.user_id \
             WHERE (person.sessions_valid_from IS NULL OR ",
            stamp!(),
            " >= person.sessions_valid_from) AND ",
            $rest
        )
    };
}

const CREATE: &str = "INSERT INTO session (id, data, expires_at, user_id, user_valid_from)
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING";
/// Not `user_valid_from`: what a slow request has read may be older.
const SAVE: &str = "UPDATE session SET data = $2, expires_at = $3, user_id = $4 WHERE id = $1";
const LOAD: &str = select_valid!(
    "session.data, session.expires_at",
    "session.id = $1 AND session.expires_at > $2"
);
const DELETE: &str = "DELETE FROM session WHERE id = $1";
const DELETE_EXPIRED: &str = concat!(
    "DELETE FROM session WHERE expires_at <= $1 OR EXISTS (SELECT 1 FROM \"user\" person \
     WHERE person.id = session.user_id AND ",
    stamp!(),
    " < person.sessions_valid_from)"
);

/// How many ids are tried before the store gives up; with 128 random bits a second is never
/// needed, and a source of randomness that fails must not hang the server.
const TRIES: u32 = 8;

impl Store {
    pub const fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }

    /// Removes the sessions that are over, and says how many.
    pub async fn delete_expired(&self) -> Result<u64, DbError> {
        let mut tx = self.db.write().await?;
        tx.unhurried().await?;
        let gone = on_db!(&mut tx, c => sqlx::query(DELETE_EXPIRED)
            .persistent(false)
            .bind(stored(self.clock.now()))
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        tx.commit().await?;
        Ok(gone)
    }

    async fn create_row(&self, record: &mut Record) -> Result<bool, DbError> {
        let mut tx = self.db.write().await?;
        for _ in 0..TRIES {
            if create(&mut tx, record).await? {
                tx.commit().await?;
                return Ok(true);
            }
            record.id = Id::default();
        }
        Ok(false)
    }

    async fn save_row(&self, record: &Record) -> Result<(), DbError> {
        let mut tx = self.db.write().await?;
        on_db!(&mut tx, c => sqlx::query(SAVE)
            .persistent(false)
            .bind(hashed(&record.id))
            .bind(Json(&record.data))
            .bind(stored(expiry(record)))
            .bind(owner(record))
            .execute(c)
            .await
            .map(drop))?;
        tx.commit().await
    }

    /// Whether a session that cannot be written says nothing that its row does not say already, but
    /// for when it was last used: a database that takes no writes keeps nobody from reading. What the
    /// row has on top (a notice that was shown) is shown once more.
    async fn loses_little(&self, record: &Record) -> bool {
        let Ok(Some(stored)) = self.load_row(&record.id).await else {
            return false;
        };
        let stored = stored.data.0;
        stored.get(USER_ID) == record.data.get(USER_ID)
            && record
                .data
                .iter()
                .all(|(name, value)| name == LAST_SEEN_AT || stored.get(name) == Some(value))
    }

    async fn load_row(&self, id: &Id) -> Result<Option<Raw>, DbError> {
        let (id, now) = (hashed(id), self.clock.now());
        glance!(self.db, tx => load(tx, &id, now))
    }

    async fn delete_row(&self, id: &Id) -> Result<(), DbError> {
        let mut tx = self.db.write().await?;
        on_db!(&mut tx, c => sqlx::query(DELETE)
            .persistent(false)
            .bind(hashed(id))
            .execute(c)
            .await
            .map(drop))?;
        tx.commit().await
    }
}

/// The hex SHA-256 of the cookie's value: how a session is named here and in `session.id`.
pub fn digest(cookie: &str) -> String {
    format!("{:x}", Sha256::digest(cookie))
}

fn hashed(id: &Id) -> String {
    digest(&id.to_string())
}

async fn load(tx: &mut Tx, id: &str, now: Timestamp) -> Result<Option<Raw>, DbError> {
    let kept = tx.keeps_statements();
    Ok(on_db!(tx, c => sqlx::query_as(LOAD)
        .persistent(kept)
        .bind(id)
        .bind(stored(now))
        .fetch_optional(c)
        .await)?)
}

async fn create(tx: &mut Tx, record: &Record) -> Result<bool, DbError> {
    Ok(on_db!(tx, c => sqlx::query(CREATE)
        .persistent(false)
        .bind(hashed(&record.id))
        .bind(Json(&record.data))
        .bind(stored(expiry(record)))
        .bind(owner(record))
        .bind(valid_from(record))
        .execute(c)
        .await
        .map(|done| done.rows_affected() == 1))?)
}

fn expiry(record: &Record) -> Timestamp {
    let ms = record.expiry_date.unix_timestamp_nanos() / 1_000_000;
    Timestamp(i64::try_from(ms).unwrap_or(i64::MAX))
}

/// The entry of a session's data that says when it was last renewed, in milliseconds since 1970.
pub const LAST_SEEN_AT: &str = "last_seen_at";

/// The entry of a session's data that says whose it is.
pub const USER_ID: &str = "user_id";

fn owner(record: &Record) -> Option<Uuid> {
    record.data.get(USER_ID)?.as_str()?.parse().ok()
}

/// The entry with the person's `sessions_valid_from` (0: none) as it was when they were let in.
pub const VALID_FROM: &str = "user_valid_from";

fn valid_from(record: &Record) -> Option<i64> {
    record.data.get(VALID_FROM)?.as_i64()
}

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

fn record(id: Id, raw: Raw) -> session_store::Result<Record> {
    let nanos = i128::from(moment(raw.expires_at).0) * 1_000_000;
    let expiry_date = time::OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .map_err(|e| session_store::Error::Decode(e.to_string()))?;
    Ok(Record {
        id,
        data: raw.data.0,
        expiry_date,
    })
}

/// What stands before the reason where the database takes no writes: the store's own type of error
/// carries nothing but a text.
const OUTAGES: [(Outage, &str); 2] = [
    (Outage::Full, "storage full: "),
    (Outage::ReadOnly, "read only: "),
];

/// What is wrong with the database, where a session could not be read or written.
pub fn outage(error: &str) -> Outage {
    let found = OUTAGES.iter().find(|(_, text)| error.contains(text));
    found.map_or(Outage::Away, |(outage, _)| *outage)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err asks for"
)]
fn backend(error: DbError) -> session_store::Error {
    let found = OUTAGES.iter().find(|(outage, _)| *outage == error.outage());
    let prefix = found.map_or("", |(_, text)| *text);
    session_store::Error::Backend(format!("{prefix}{error}"))
}

type Answer<'f, T> = Pin<Box<dyn Future<Output = session_store::Result<T>> + Send + 'f>>;

// Written out as `async_trait` would: four functions are not worth a dependency.
impl SessionStore for Store {
    fn create<'s, 'r, 'f>(&'s self, session: &'r mut Record) -> Answer<'f, ()>
    where
        's: 'f,
        'r: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            if self.create_row(session).await.map_err(backend)? {
                return Ok(());
            }
            Err(session_store::Error::Backend(
                "no unused session id was found".to_owned(),
            ))
        })
    }

    /// Only an existing session is saved: a slow request that ends after the person signed out
    /// must not bring the session back.
    fn save<'s, 'r, 'f>(&'s self, session: &'r Record) -> Answer<'f, ()>
    where
        's: 'f,
        'r: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            match self.save_row(session).await {
                Ok(()) => Ok(()),
                Err(error) if self.loses_little(session).await => {
                    tracing::warn!(%error, "a session is not renewed");
                    Ok(())
                }
                Err(error) => Err(backend(error)),
            }
        })
    }

    fn load<'s, 'i, 'f>(&'s self, id: &'i Id) -> Answer<'f, Option<Record>>
    where
        's: 'f,
        'i: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            let raw = self.load_row(id).await.map_err(backend)?;
            raw.map(|raw| record(*id, raw)).transpose()
        })
    }

    fn delete<'s, 'i, 'f>(&'s self, id: &'i Id) -> Answer<'f, ()>
    where
        's: 'f,
        'i: 'f,
        Self: 'f,
    {
        Box::pin(async move { self.delete_row(id).await.map_err(backend) })
    }
}
