//! Tables `audit_seal` and `audit_unsealed`: the chain over the log, and what waits to be added.
//!
//! May import `db` and `domain`. What a hash covers is `services::audit_chain`'s to know.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Event, Personal, Raw, columns, personal};
use crate::{
    domain::timestamp::Timestamp,
    server::db::{DbError, Tx, stored},
};

/// The end of the chain so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    pub seq: i64,
    pub event_id: Uuid,
    /// 64 hex digits.
    pub hash: String,
}

#[derive(sqlx::FromRow)]
struct SealRaw {
    seq: i64,
    event_id: Uuid,
    hash: String,
}

const HEAD: &str = "SELECT seq, event_id, hash FROM audit_seal ORDER BY seq DESC LIMIT 1";

/// The last seal; `None` while nothing is sealed.
pub async fn head(tx: &mut Tx) -> Result<Option<Seal>, DbError> {
    let raw: Option<SealRaw> =
        on_db!(tx, c => sqlx::query_as(HEAD).persistent(false).fetch_optional(c).await)?;
    Ok(raw.map(|raw| Seal {
        seq: raw.seq,
        event_id: raw.event_id,
        hash: raw.hash,
    }))
}

const WAITS: &str = "SELECT count(*) FROM (SELECT 1 FROM audit_unsealed LIMIT 1) one";

/// Whether anything waits for its seal.
pub async fn anything_waits(tx: &mut Tx) -> Result<bool, DbError> {
    let count: i64 =
        on_db!(tx, c => sqlx::query_scalar(WAITS).persistent(false).fetch_one(c).await)?;
    Ok(count > 0)
}

const WAITING: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM audit_unsealed q JOIN audit_event e ON e.id = q.event_id
    ORDER BY q.at, q.event_id LIMIT $1"
);

/// The entries that wait for their seal, in the order in which they are to get it.
pub async fn waiting(tx: &mut Tx, limit: i64) -> Result<Vec<Event>, DbError> {
    let raw: Vec<Raw> = on_db!(tx, c => sqlx::query_as(WAITING)
        .persistent(false)
        .bind(limit)
        .fetch_all(c)
        .await)?;
    Ok(raw.into_iter().map(Event::from).collect())
}

const SEAL: &str = "INSERT INTO audit_seal (seq, event_id, hash) VALUES ($1, $2, $3)";
const NO_LONGER_WAITS: &str = "DELETE FROM audit_unsealed WHERE event_id = $1";

/// Adds a seal to the chain. Of two writers who add the same number, or seal the same entry, the
/// second gets a unique violation: it rolls back.
pub async fn seal(tx: &mut Tx, seal: &Seal) -> Result<(), DbError> {
    on_db!(tx, c => sqlx::query(SEAL)
        .persistent(false)
        .bind(seal.seq)
        .bind(seal.event_id)
        .bind(&seal.hash)
        .execute(c)
        .await
        .map(drop))?;
    on_db!(tx, c => sqlx::query(NO_LONGER_WAITS)
        .persistent(false)
        .bind(seal.event_id)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// A seal with what it seals.
#[derive(Clone, Debug, PartialEq)]
pub struct Sealed {
    pub seal: Seal,
    /// None where the entry itself is gone.
    pub event: Option<Event>,
    pub personal: Option<Personal>,
    /// Whether the person whose the personal data are, or were, has been erased.
    pub owner_erased: bool,
}

#[derive(sqlx::FromRow)]
struct SealedRaw {
    seq: i64,
    event_id: Uuid,
    #[sqlx(flatten)]
    event: Raw,
    salt: Option<String>,
    data: Option<String>,
    erased_at: Option<DateTime<Utc>>,
}

// Whose the personal data are is told by the entry, which is sealed: where they are gone, nothing
// else is left to say it. As [`super::record_personal`]'s callers give them: the actor's, else theirs
// whom it is about.
const SEALED: &str = concat!(
    "SELECT s.seq, s.event_id, ",
    columns!(),
    ", p.salt, p.data, u.erased_at
    FROM audit_seal s
    JOIN audit_event e ON e.id = s.event_id
    LEFT JOIN audit_personal p ON p.event_id = s.event_id
    LEFT JOIN \"user\" u ON u.id = COALESCE(e.actor_id, e.user_id)
    WHERE s.seq >= $1 ORDER BY s.seq LIMIT $2"
);
const SEALS: &str =
    "SELECT seq, event_id, hash FROM audit_seal WHERE seq >= $1 ORDER BY seq LIMIT $2";

/// The chain from this number on, in pages.
pub async fn from(tx: &mut Tx, seq: i64, limit: i64) -> Result<Vec<Sealed>, DbError> {
    // Two queries, so that a seal whose entry is gone shows as one.
    let seals: Vec<SealRaw> = on_db!(tx, c => sqlx::query_as(SEALS)
        .persistent(false)
        .bind(seq)
        .bind(limit)
        .fetch_all(c)
        .await)?;
    let sealed: Vec<SealedRaw> = on_db!(tx, c => sqlx::query_as(SEALED)
        .persistent(false)
        .bind(seq)
        .bind(limit)
        .fetch_all(c)
        .await)?;
    let mut sealed = sealed.into_iter().peekable();
    Ok(seals
        .into_iter()
        .map(|raw| {
            let found = sealed.next_if(|one| one.seq == raw.seq && one.event_id == raw.event_id);
            let owner_erased = found.as_ref().is_some_and(|one| one.erased_at.is_some());
            let (event, personal) = found.map_or((None, None), |one| {
                (Some(one.event.into()), personal(one.salt, one.data))
            });
            Sealed {
                seal: Seal {
                    seq: raw.seq,
                    event_id: raw.event_id,
                    hash: raw.hash,
                },
                event,
                personal,
                owner_erased,
            }
        })
        .collect())
}

const HASH_AT: &str = "SELECT hash FROM audit_seal WHERE seq = $1";

/// The hash of one seal.
pub async fn hash_at(tx: &mut Tx, seq: i64) -> Result<Option<String>, DbError> {
    Ok(on_db!(tx, c => sqlx::query_scalar(HASH_AT)
        .persistent(false)
        .bind(seq)
        .fetch_optional(c)
        .await)?)
}

const UNSEALED: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM audit_event e LEFT JOIN audit_seal s ON s.event_id = e.id
    WHERE s.event_id IS NULL AND e.at < $1 ORDER BY e.at, e.id LIMIT $2"
);

/// Entries from before then without a seal, whatever the list of what waits says. Reads both tables
/// to their ends.
pub async fn unsealed_before(
    tx: &mut Tx,
    before: Timestamp,
    limit: i64,
) -> Result<Vec<Event>, DbError> {
    let raw: Vec<Raw> = on_db!(tx, c => sqlx::query_as(UNSEALED)
        .persistent(false)
        .bind(stored(before))
        .bind(limit)
        .fetch_all(c)
        .await)?;
    Ok(raw.into_iter().map(Event::from).collect())
}
