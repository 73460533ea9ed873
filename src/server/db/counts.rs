//! How much waits: for the metrics, and for those who ask whether the database answers.
//!
//! May import `db` only.

use super::{DbError, Tx};

/// Each counted by an index, or in a table that is empty most of the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Counts {
    pub open_attempts: i64,
    pub owed_deletions: i64,
    pub unsealed_entries: i64,
}

const COUNTS: &str = "SELECT
    (SELECT count(*) FROM connect_attempt WHERE state = 'open') AS open_attempts,
    (SELECT count(*) FROM owed_deletion) AS owed_deletions,
    (SELECT count(*) FROM audit_unsealed) AS unsealed_entries";

pub async fn counts(tx: &mut Tx) -> Result<Counts, DbError> {
    Ok(on_db!(tx, c => sqlx::query_as(COUNTS).persistent(false).fetch_one(c).await)?)
}

/// A table with a row at the most, which a server reads every two seconds anyway.
const ANSWERS: &str = "SELECT count(*) FROM lease";

/// Reads something: SQLite opens its file for no less.
pub async fn answers(tx: &mut Tx) -> Result<(), DbError> {
    let _: i64 = on_db!(tx, c => sqlx::query_scalar(ANSWERS).persistent(false).fetch_one(c).await)?;
    Ok(())
}
