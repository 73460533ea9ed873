//! Table `lease`: work that one instance at a time may do.
//!
//! May import `db` and `domain`. The caller's clock decides: instances whose clocks differ by less
//! than a lease's length never hold one together for longer than that difference.

use uuid::Uuid;

use super::{DbError, Tx, stored};
use crate::domain::timestamp::Timestamp;

const TAKE: &str = "INSERT INTO lease (name, holder, expires_at) VALUES ($1, $2, $3)
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
    WHERE lease.holder = excluded.holder OR lease.expires_at <= $4";

/// Takes the lease where it is free, run out or already the holder's own; then it runs until
/// `expires_at`. `false`: somebody else holds it.
pub async fn take(
    tx: &mut Tx,
    name: &str,
    holder: Uuid,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<bool, DbError> {
    let taken = on_db!(tx, c => sqlx::query(TAKE)
        .persistent(false)
        .bind(name)
        .bind(holder)
        .bind(stored(expires_at))
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
