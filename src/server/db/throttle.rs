//! Table `sign_in_throttle`: how often signing in has failed lately, for all instances together.
//!
//! May import `db` and `domain`.
//!
//! An attempt is counted before the password is looked at and given back when it was right:
//! however many come at once, no more of them are looked at than may fail.

use chrono::{DateTime, Utc};

use super::{DbError, Tx, moment, stored};
use crate::domain::timestamp::Timestamp;

/// How much may fail before nothing more is looked at for a while.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    pub failures: i32,
    /// Within so long, and for so long afterwards.
    pub window_ms: i64,
}

const TAKE: &str = "INSERT INTO sign_in_throttle (key, failures, window_start, blocked_until)
    VALUES ($1, 1, $2, CASE WHEN $5 <= 1 THEN $4 ELSE NULL END)
    ON CONFLICT (key) DO UPDATE SET
        failures = CASE WHEN sign_in_throttle.window_start <= $3
            OR sign_in_throttle.blocked_until IS NOT NULL
            THEN 1 ELSE sign_in_throttle.failures + 1 END,
        window_start = CASE WHEN sign_in_throttle.window_start <= $3
            OR sign_in_throttle.blocked_until IS NOT NULL
            THEN $2 ELSE sign_in_throttle.window_start END,
        blocked_until = CASE WHEN sign_in_throttle.window_start > $3
            AND sign_in_throttle.blocked_until IS NULL
            AND sign_in_throttle.failures + 1 >= $5 THEN $4 ELSE NULL END
    WHERE sign_in_throttle.blocked_until IS NULL OR sign_in_throttle.blocked_until <= $2";

const BLOCKED: &str = "SELECT blocked_until FROM sign_in_throttle WHERE key = $1";

/// Counts an attempt. `Some`: it is not allowed before then, and was not counted.
pub async fn take(
    tx: &mut Tx,
    key: &str,
    limit: Limit,
    now: Timestamp,
) -> Result<Option<Timestamp>, DbError> {
    let (window_over, block) = (now.0 - limit.window_ms, now.0 + limit.window_ms);
    let counted = on_db!(&mut *tx, c => sqlx::query(TAKE)
        .persistent(false)
        .bind(key)
        .bind(stored(now))
        .bind(stored(Timestamp(window_over)))
        .bind(stored(Timestamp(block)))
        .bind(limit.failures)
        .execute(c)
        .await
        .map(|done| done.rows_affected() == 1))?;
    if counted {
        return Ok(None);
    }
    let until: Option<Option<DateTime<Utc>>> = on_db!(tx, c => sqlx::query_scalar(BLOCKED)
        .persistent(false)
        .bind(key)
        .fetch_optional(c)
        .await)?;
    Ok(Some(until.flatten().map_or(now, moment)))
}

const GIVE_BACK: &str = "UPDATE sign_in_throttle SET failures = failures - 1, blocked_until = NULL
    WHERE key = $1 AND failures > 0";

/// The attempt was no failure after all.
pub async fn give_back(tx: &mut Tx, key: &str) -> Result<(), DbError> {
    run(tx, GIVE_BACK, key).await
}

const CLEAR: &str = "DELETE FROM sign_in_throttle WHERE key = $1";

/// Forgets all failures.
pub async fn clear(tx: &mut Tx, key: &str) -> Result<(), DbError> {
    run(tx, CLEAR, key).await
}

const TOUCH: &str = "UPDATE sign_in_throttle SET failures = failures WHERE key = $1";

/// Writes, and changes nothing: what has nothing to write takes as long as what has.
pub async fn touch(tx: &mut Tx, key: &str) -> Result<(), DbError> {
    run(tx, TOUCH, key).await
}

async fn run(tx: &mut Tx, sql: &'static str, key: &str) -> Result<(), DbError> {
    on_db!(tx, c => sqlx::query(sql)
        .persistent(false)
        .bind(key)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const DELETE_OLD: &str = "DELETE FROM sign_in_throttle WHERE window_start <= $1
    AND (blocked_until IS NULL OR blocked_until <= $2)";

/// Removes what counts no longer: windows that began before `began`, blocks that ended by `now`.
pub async fn delete_old(tx: &mut Tx, began: Timestamp, now: Timestamp) -> Result<u64, DbError> {
    Ok(on_db!(tx, c => sqlx::query(DELETE_OLD)
        .persistent(false)
        .bind(stored(began))
        .bind(stored(now))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?)
}
