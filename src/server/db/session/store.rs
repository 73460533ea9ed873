//! The store of tower-sessions. Our own because the published ones prepare named statements, which a
//! transaction pooler refuses, and keep the session's id as it is in the cookie: here a stolen table
//! opens no session.
//!
//! May import `db`, `domain` and `server::clock`.

use std::{collections::HashMap, pin::Pin};

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::types::Json;
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
    session_store,
};
use uuid::Uuid;

use super::{
    super::{Db, DbError, Outage, Tx, moment, stored, user::is_active},
    LAST_SEEN_AT, PERSON, USER_ID, VALID_FROM, along, digest,
};
use crate::{
    domain::{
        timestamp::Timestamp,
        user::{Role, User},
    },
    server::clock::Clock,
};

#[derive(Clone, Debug)]
pub struct Store {
    db: Db,
    clock: Clock,
}

#[derive(sqlx::FromRow)]
pub(super) struct Raw {
    data: Json<HashMap<String, Value>>,
    expires_at: DateTime<Utc>,
    // Its person, where it has one.
    person_id: Option<Uuid>,
    display_name: Option<String>,
    role: Option<String>,
    disabled_at: Option<DateTime<Utc>>,
    erased_at: Option<DateTime<Utc>>,
}

impl Raw {
    /// Whose session it is, unless they may no longer come in.
    pub(super) fn person(&self) -> Option<User> {
        if !is_active(self.disabled_at.is_some(), self.erased_at.is_some()) {
            return None;
        }
        Some(User {
            id: self.person_id?,
            display_name: self.display_name.clone()?,
            role: Role::parse(self.role.as_ref()?)?,
        })
    }
}

const CREATE: &str = "INSERT INTO session (id, data, expires_at, user_id, user_valid_from)
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING";
/// Not `user_valid_from`: what a slow request has read may be older.
const SAVE: &str = "UPDATE session SET data = $2, expires_at = $3, user_id = $4 WHERE id = $1";
const LOAD: &str = select_valid!(
    columns_with_person!(),
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
            .bind(Json(written(record)))
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
                .filter(|(name, _)| *name != LAST_SEEN_AT && *name != PERSON)
                .all(|(name, value)| stored.get(name) == Some(value))
    }

    async fn load_row(&self, id: &Id) -> Result<Option<Raw>, DbError> {
        let (id, now) = (hashed(id), self.clock.now());
        if !along::is_wanted() {
            return glance!(self.db, tx => load(tx, &id, now));
        }
        let found = glance!(self.db, tx => along::load(tx, &id, now))?;
        Ok(found.map(|(raw, connections)| {
            along::keep(&raw, connections);
            raw
        }))
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
        .bind(Json(written(record)))
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

/// What is written of a session's data.
fn written(record: &Record) -> HashMap<&String, &Value> {
    let all = record.data.iter();
    all.filter(|(name, _)| *name != PERSON).collect()
}

fn owner(record: &Record) -> Option<Uuid> {
    record.data.get(USER_ID)?.as_str()?.parse().ok()
}

fn valid_from(record: &Record) -> Option<i64> {
    record.data.get(VALID_FROM)?.as_i64()
}

fn record(id: Id, mut raw: Raw) -> session_store::Result<Record> {
    let decode = |text: String| session_store::Error::Decode(text);
    let nanos = i128::from(moment(raw.expires_at).0) * 1_000_000;
    let expiry_date = time::OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .map_err(|e| decode(e.to_string()))?;
    let mut data = std::mem::take(&mut raw.data.0);
    data.remove(PERSON);
    if let Some(person) = raw.person() {
        let person = serde_json::to_value(person).map_err(|e| decode(e.to_string()))?;
        data.insert(PERSON.to_owned(), person);
    }
    Ok(Record {
        id,
        data,
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
