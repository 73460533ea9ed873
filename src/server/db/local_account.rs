//! Table `local_account`: who signs in here itself, by e-mail address and password.
//!
//! May import `db` and `domain`.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{DbError, Tx, moment, stored};
use crate::domain::timestamp::Timestamp;

#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    pub user_id: Uuid,
    /// In small letters.
    pub email: String,
    /// A PHC string; it is printed nowhere.
    pub password_hash: String,
    pub changed_at: Timestamp,
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Row")
            .field("user_id", &self.user_id)
            .field("email", &self.email)
            .field("changed_at", &self.changed_at)
            .finish_non_exhaustive()
    }
}

#[derive(sqlx::FromRow)]
struct Raw {
    user_id: Uuid,
    email: String,
    password_hash: String,
    changed_at: DateTime<Utc>,
}

impl From<Raw> for Row {
    fn from(raw: Raw) -> Self {
        Self {
            user_id: raw.user_id,
            email: raw.email,
            password_hash: raw.password_hash,
            changed_at: moment(raw.changed_at),
        }
    }
}

const INSERT: &str = "INSERT INTO local_account (user_id, email, password_hash, changed_at)
    VALUES ($1, $2, $3, $4) ON CONFLICT (email) DO NOTHING";

/// Whether it was made: an e-mail address has one account at the most.
pub async fn insert(tx: &mut Tx, row: &Row) -> Result<bool, DbError> {
    Ok(on_db!(tx, c => sqlx::query(INSERT)
        .persistent(false)
        .bind(row.user_id)
        .bind(&row.email)
        .bind(&row.password_hash)
        .bind(stored(row.changed_at))
        .execute(c)
        .await
        .map(|done| done.rows_affected() == 1))?)
}

const BY_EMAIL: &str = "SELECT user_id, email, password_hash, changed_at
    FROM local_account WHERE email = $1";

/// `email` is in small letters already.
pub async fn by_email(tx: &mut Tx, email: &str) -> Result<Option<Row>, DbError> {
    let raw: Option<Raw> = on_db!(tx, c => sqlx::query_as(BY_EMAIL)
        .persistent(false)
        .bind(email)
        .fetch_optional(c)
        .await)?;
    Ok(raw.map(Row::from))
}

const OF_USER: &str = "SELECT user_id, email, password_hash, changed_at
    FROM local_account WHERE user_id = $1";

pub async fn of_user(tx: &mut Tx, user_id: Uuid) -> Result<Option<Row>, DbError> {
    let raw: Option<Raw> = on_db!(tx, c => sqlx::query_as(OF_USER)
        .persistent(false)
        .bind(user_id)
        .fetch_optional(c)
        .await)?;
    Ok(raw.map(Row::from))
}

const SET_PASSWORD: &str = "UPDATE local_account SET password_hash = $2, changed_at = $3
    WHERE user_id = $1";

pub async fn set_password(
    tx: &mut Tx,
    user_id: Uuid,
    password_hash: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    on_db!(tx, c => sqlx::query(SET_PASSWORD)
        .persistent(false)
        .bind(user_id)
        .bind(password_hash)
        .bind(stored(now))
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const REHASH: &str = "UPDATE local_account SET password_hash = $2 WHERE user_id = $1";

/// Writes the same password with other parameters: nobody has changed it.
pub async fn rehash(tx: &mut Tx, user_id: Uuid, password_hash: &str) -> Result<(), DbError> {
    on_db!(tx, c => sqlx::query(REHASH)
        .persistent(false)
        .bind(user_id)
        .bind(password_hash)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const DELETE: &str = "DELETE FROM local_account WHERE user_id = $1";

/// Forgets how a person signed in, as part of forgetting the person.
pub async fn delete(tx: &mut Tx, user_id: Uuid) -> Result<(), DbError> {
    on_db!(tx, c => sqlx::query(DELETE)
        .persistent(false)
        .bind(user_id)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}
