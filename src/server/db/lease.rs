//! Table `lease`: work that one instance at a time may do.
//!
//! May import `db` and `domain`. On PostgreSQL its own clock decides, since the clocks of instances
//! may be apart by any amount; a SQLite file has one server, and its clock.

use uuid::Uuid;

use super::{DbError, Dialects, Tx, stored};
use crate::domain::timestamp::Timestamp;

/// Free, run out, the holder's own; or it runs for longer than anybody can have taken it for: then a
/// clock has been set back since.
const TAKE: Dialects = Dialects {
    sqlite: "INSERT INTO lease (name, holder, expires_at) VALUES ($1, $2, $3)
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
    WHERE lease.holder = excluded.holder OR lease.expires_at <= $4 OR lease.expires_at > $3",
    postgres: "INSERT INTO lease (name, holder, expires_at)
    VALUES ($1, $2, clock_timestamp() + (CAST($3 AS timestamptz) - CAST($4 AS timestamptz)))
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
    WHERE lease.holder = excluded.holder OR lease.expires_at <= clock_timestamp()
        OR lease.expires_at > excluded.expires_at + INTERVAL '1 second'",
};

/// Takes the lease where it is free, run out or already the holder's own; then it runs for so many
/// milliseconds. `false`: somebody else holds it.
pub async fn take(
    tx: &mut Tx,
    name: &str,
    holder: Uuid,
    length_ms: i64,
    now: Timestamp,
) -> Result<bool, DbError> {
    let sql = TAKE.of(tx);
    let taken = on_db!(tx, c => sqlx::query(sql)
        .persistent(false)
        .bind(name)
        .bind(holder)
        .bind(stored(Timestamp(now.0.saturating_add(length_ms))))
        .bind(stored(now))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(taken > 0)
}

const RELEASE: &str = "DELETE FROM lease WHERE name = $1 AND holder = $2";

/// Gives it back before it runs out; somebody else's stays.
pub async fn release(tx: &mut Tx, name: &str, holder: Uuid) -> Result<(), DbError> {
    on_db!(tx, c => sqlx::query(RELEASE)
        .persistent(false)
        .bind(name)
        .bind(holder)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const CLEAR: &str = "DELETE FROM lease";

/// Ends every lease. Only where no other instance can exist: on SQLite, at the start.
pub async fn clear(tx: &mut Tx) -> Result<(), DbError> {
    on_db!(tx, c => sqlx::query(CLEAR).persistent(false).execute(c).await.map(drop))?;
    Ok(())
}
