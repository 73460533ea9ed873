//! Table `user`: everybody who ever signed in.
//!
//! May import `db` and `domain`.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use super::{Db, DbError, Dialects, Tx, moment, stored, word};
use crate::domain::{
    timestamp::Timestamp,
    user::{Role, User},
};

/// A person as the sign-in names them: (issuer, subject), never an e-mail address.
#[derive(Clone, Copy, Debug)]
pub struct NewUser<'a> {
    /// Used only where the person is new.
    pub id: Uuid,
    pub issuer: &'a str,
    pub subject: &'a str,
    pub display_name: &'a str,
    /// To be shown; it tells nobody apart.
    pub email: Option<&'a str>,
}

/// All that the table holds of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub id: Uuid,
    pub issuer: String,
    pub subject: String,
    pub display_name: String,
    pub email: Option<String>,
    pub role: Role,
    pub created_at: Timestamp,
    pub disabled_at: Option<Timestamp>,
    pub erased_at: Option<Timestamp>,
    /// When all sessions were last ended: whoever was let in before is out.
    pub sessions_valid_from: Option<Timestamp>,
}

impl Row {
    /// Whether this person may sign in at all.
    pub const fn is_active(&self) -> bool {
        is_active(self.disabled_at.is_some(), self.erased_at.is_some())
    }

    pub fn user(&self) -> User {
        User {
            id: self.id,
            display_name: self.display_name.clone(),
            role: self.role,
        }
    }
}

/// Whether somebody may sign in, and go on being signed in.
pub(super) const fn is_active(disabled: bool, erased: bool) -> bool {
    !disabled && !erased
}

#[derive(sqlx::FromRow)]
struct Raw {
    id: Uuid,
    issuer: String,
    subject: String,
    display_name: String,
    email: Option<String>,
    role: String,
    created_at: DateTime<Utc>,
    disabled_at: Option<DateTime<Utc>>,
    erased_at: Option<DateTime<Utc>>,
    sessions_valid_from: Option<i64>,
}

impl TryFrom<Raw> for Row {
    type Error = DbError;

    fn try_from(raw: Raw) -> Result<Self, DbError> {
        Ok(Self {
            role: word(Role::parse(&raw.role), "user.role", &raw.role)?,
            id: raw.id,
            issuer: raw.issuer,
            subject: raw.subject,
            display_name: raw.display_name,
            email: raw.email,
            created_at: moment(raw.created_at),
            disabled_at: raw.disabled_at.map(moment),
            erased_at: raw.erased_at.map(moment),
            sessions_valid_from: raw.sessions_valid_from.map(Timestamp),
        })
    }
}

/// `SELECT` with every column of [`Raw`].
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, issuer, subject, display_name, email, role, created_at, disabled_at, \
             erased_at, sessions_valid_from FROM \"user\" ",
            $rest
        )
    };
}

const UPSERT: &str = r#"INSERT INTO "user" (id, issuer, subject, display_name, email, created_at)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (issuer, subject) DO UPDATE
    SET display_name = excluded.display_name, email = excluded.email
    RETURNING id, issuer, subject, display_name, email, role, created_at, disabled_at, erased_at,
        sessions_valid_from"#;

/// The person's row, made at the first sign-in; later ones bring the name up to date. Look at
/// [`Row::is_active`] before anybody is let in.
pub async fn upsert(tx: &mut Tx, user: &NewUser<'_>, now: Timestamp) -> Result<Row, DbError> {
    let raw: Raw = on_db!(tx, c => sqlx::query_as(UPSERT)
        .persistent(false)
        .bind(user.id)
        .bind(user.issuer)
        .bind(user.subject)
        .bind(user.display_name)
        .bind(user.email)
        .bind(stored(now))
        .fetch_one(c)
        .await)?;
    raw.try_into()
}

const GET: &str = select!("WHERE id = $1");

pub async fn get(tx: &mut Tx, id: Uuid) -> Result<Option<Row>, DbError> {
    let kept = tx.keeps_statements();
    let raw: Option<Raw> = on_db!(
        tx,
        c => sqlx::query_as(GET).persistent(kept).bind(id).fetch_optional(c).await
    )?;
    raw.map(Row::try_from).transpose()
}

/// The same by itself: whoever asks for anything is looked up so.
pub async fn look_up(db: &Db, id: Uuid) -> Result<Option<Row>, DbError> {
    glance!(db, tx => get(tx, id))
}

const BY_SUBJECT: &str = select!("WHERE issuer = $1 AND subject = $2");

/// The person that a sign-in names.
pub async fn by_subject(tx: &mut Tx, issuer: &str, subject: &str) -> Result<Option<Row>, DbError> {
    let raw: Option<Raw> = on_db!(tx, c => sqlx::query_as(BY_SUBJECT)
        .persistent(false)
        .bind(issuer)
        .bind(subject)
        .fetch_optional(c)
        .await)?;
    raw.map(Row::try_from).transpose()
}

const PAGE: &str = select!("WHERE id > $1 ORDER BY id LIMIT $2");

/// People by id, from after this one: a page of all there are.
pub async fn after(tx: &mut Tx, id: Uuid, limit: i64) -> Result<Vec<Row>, DbError> {
    let raw: Vec<Raw> = on_db!(tx, c => sqlx::query_as(PAGE)
        .persistent(false)
        .bind(id)
        .bind(limit)
        .fetch_all(c)
        .await)?;
    raw.into_iter().map(Row::try_from).collect()
}

const ACTIVE: Dialects = Dialects {
    sqlite: r#"SELECT id FROM "user" WHERE disabled_at IS NULL AND erased_at IS NULL
        AND id IN (SELECT unhex(value, '-') FROM json_each($1))"#,
    postgres: r#"SELECT id FROM "user" WHERE disabled_at IS NULL AND erased_at IS NULL
        AND id IN (SELECT CAST(jsonb_array_elements_text($1) AS uuid))"#,
};

/// Who of these may come in.
pub async fn active(tx: &mut Tx, ids: &[Uuid]) -> Result<HashSet<Uuid>, DbError> {
    let sql = ACTIVE.of(tx);
    let found: Vec<Uuid> = on_db!(tx, c => sqlx::query_scalar(sql)
        .persistent(false)
        .bind(Json(ids))
        .fetch_all(c)
        .await)?;
    Ok(found.into_iter().collect())
}

const SET_ROLE: &str = r#"UPDATE "user" SET role = $2 WHERE id = $1"#;

pub async fn set_role(tx: &mut Tx, id: Uuid, role: Role) -> Result<(), DbError> {
    on_db!(tx, c => sqlx::query(SET_ROLE)
        .persistent(false)
        .bind(id)
        .bind(role.as_str())
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const SET_DISABLED: &str = r#"UPDATE "user" SET disabled_at = $2 WHERE id = $1"#;

/// Keeps the person out from now on, or, with `None`, lets them in again.
pub async fn set_disabled(tx: &mut Tx, id: Uuid, since: Option<Timestamp>) -> Result<(), DbError> {
    on_db!(tx, c => sqlx::query(SET_DISABLED)
        .persistent(false)
        .bind(id)
        .bind(since.map(stored))
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const END_SESSIONS: &str = r#"UPDATE "user" SET sessions_valid_from =
        CASE WHEN sessions_valid_from >= $2 THEN sessions_valid_from + 1 ELSE $2 END
    WHERE id = $1 RETURNING sessions_valid_from"#;

/// Whoever was let in as this person until now is out, also where the session is written only
/// later. Returns what a session must carry to go on. It never stands still nor goes back, whatever
/// the clocks of several instances say: what was read before is always less.
pub async fn end_sessions(tx: &mut Tx, id: Uuid, now: Timestamp) -> Result<Timestamp, DbError> {
    let from: Option<i64> = on_db!(tx, c => sqlx::query_scalar(END_SESSIONS)
        .persistent(false)
        .bind(id)
        .bind(now.0)
        .fetch_optional(c)
        .await)?;
    Ok(from.map_or(now, Timestamp))
}

const ERASE: &str = r#"UPDATE "user" SET issuer = 'erased', subject = $2, display_name = 'Erased',
    email = NULL, erased_at = $3 WHERE id = $1"#;

/// Forgets who it was; the id stays, for what points to it. Whoever signs in with the same
/// subject later is somebody new.
pub async fn erase(tx: &mut Tx, id: Uuid, now: Timestamp) -> Result<(), DbError> {
    on_db!(tx, c => sqlx::query(ERASE)
        .persistent(false)
        .bind(id)
        .bind(id.to_string())
        .bind(stored(now))
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const LOCK: Dialects = Dialects {
    // BEGIN IMMEDIATE holds the only writer's place already.
    sqlite: r#"SELECT 1 FROM "user" WHERE id = $1"#,
    // Against its like only: whoever merely points to the person (a foreign key) need not wait, and
    // so two who hold other rows and point to each other's people never wait in a circle.
    postgres: r#"SELECT 1 FROM "user" WHERE id = $1 FOR NO KEY UPDATE"#,
};

/// Makes this the only transaction that changes this person's connections and attempts. Take it
/// first: then two clicks, or a click and an outcome, never cross.
pub async fn lock(tx: &mut Tx, id: Uuid) -> Result<(), DbError> {
    let sql = LOCK.of(tx);
    on_db!(tx, c => sqlx::query(sql)
        .persistent(false)
        .bind(id)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}
