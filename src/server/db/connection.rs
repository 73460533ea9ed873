//! Table `user_connector_connection`: one row per account of a person at a connector.
//!
//! May import `db` and `domain`.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use super::{Db, DbError, Dialects, Tx, moment, stored, word};
use crate::domain::{
    attempt::{AttemptKind, OpenAttempt},
    connection::Status,
    timestamp::Timestamp,
};

#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub id: Uuid,
    pub user_id: Uuid,
    pub connector_id: Uuid,
    /// None while pending and after a disconnect.
    pub nango_connection_id: Option<String>,
    pub status: Status,
    pub connected_at: Option<Timestamp>,
    pub disconnected_at: Option<Timestamp>,
    pub last_synced_at: Option<Timestamp>,
    pub config: BTreeMap<String, String>,
    pub last_error: Option<String>,
    pub error_count: i32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
    /// The integration's key at Nango when the account was connected.
    pub provider_config_key: Option<String>,
    pub account: Option<String>,
    /// What Nango no longer had when it was looked for.
    pub lost_connection_id: Option<String>,
}

/// A connection and its attempt in progress.
#[derive(Clone, Debug, PartialEq)]
pub struct WithAttempt {
    pub row: Row,
    pub attempt: Option<OpenAttempt>,
}

#[derive(sqlx::FromRow)]
struct Raw {
    id: Uuid,
    user_id: Uuid,
    connector_id: Uuid,
    nango_connection_id: Option<String>,
    status: String,
    connected_at: Option<DateTime<Utc>>,
    disconnected_at: Option<DateTime<Utc>>,
    last_synced_at: Option<DateTime<Utc>>,
    config: Json<BTreeMap<String, String>>,
    last_error: Option<String>,
    error_count: i32,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    version: i64,
    provider_config_key: Option<String>,
    account: Option<String>,
    lost_connection_id: Option<String>,
}

#[derive(sqlx::FromRow)]
pub(super) struct RawWithAttempt {
    #[sqlx(flatten)]
    row: Raw,
    attempt_id: Option<Uuid>,
    attempt_kind: Option<String>,
    attempt_expires_at: Option<DateTime<Utc>>,
}

impl TryFrom<Raw> for Row {
    type Error = DbError;

    fn try_from(raw: Raw) -> Result<Self, DbError> {
        Ok(Self {
            id: raw.id,
            user_id: raw.user_id,
            connector_id: raw.connector_id,
            nango_connection_id: raw.nango_connection_id,
            status: word(
                Status::parse(&raw.status),
                "user_connector_connection.status",
                &raw.status,
            )?,
            connected_at: raw.connected_at.map(moment),
            disconnected_at: raw.disconnected_at.map(moment),
            last_synced_at: raw.last_synced_at.map(moment),
            config: raw.config.0,
            last_error: raw.last_error,
            error_count: raw.error_count,
            created_at: moment(raw.created_at),
            updated_at: moment(raw.updated_at),
            version: raw.version,
            provider_config_key: raw.provider_config_key,
            account: raw.account,
            lost_connection_id: raw.lost_connection_id,
        })
    }
}

impl TryFrom<RawWithAttempt> for WithAttempt {
    type Error = DbError;

    fn try_from(raw: RawWithAttempt) -> Result<Self, DbError> {
        let attempt = match (raw.attempt_id, raw.attempt_kind, raw.attempt_expires_at) {
            (Some(id), Some(kind), Some(expires_at)) => Some(OpenAttempt {
                id,
                kind: word(AttemptKind::parse(&kind), "connect_attempt.kind", &kind)?,
                expires_at: moment(expires_at),
            }),
            // The left join found none.
            _ => None,
        };
        Ok(Self {
            row: raw.row.try_into()?,
            attempt,
        })
    }
}

macro_rules! columns {
    () => {
        "c.id, c.user_id, c.connector_id, c.nango_connection_id, c.status, c.connected_at, \
         c.disconnected_at, c.last_synced_at, c.config, c.last_error, c.error_count, \
         c.created_at, c.updated_at, c.version, c.provider_config_key, c.account, \
         c.lost_connection_id"
    };
}

macro_rules! columns_with_attempt {
    () => {
        concat!(
            columns!(),
            ", a.id AS attempt_id, a.kind AS attempt_kind, a.expires_at AS attempt_expires_at"
        )
    };
}

macro_rules! join_attempt {
    () => {
        " LEFT JOIN connect_attempt a ON a.connection_id = c.id AND a.state = 'open' "
    };
}

/// It holds for every row. Without it PostgreSQL takes the smaller index on `user_id` and sorts; with it
/// a range of the composite index is the cheaper guess, and costs one probe of `connector`'s key.
macro_rules! at_any_connector {
    () => {
        "c.connector_id >= (SELECT id FROM connector ORDER BY id LIMIT 1)"
    };
}

/// The accounts of one connector together, oldest first.
macro_rules! in_order {
    () => {
        "ORDER BY c.connector_id, c.created_at, c.id"
    };
}

macro_rules! with_attempt {
    ($rest:expr) => {
        concat!(
            "SELECT ",
            columns_with_attempt!(),
            " FROM user_connector_connection c",
            join_attempt!(),
            $rest
        )
    };
}

const INSERT: &str = "INSERT INTO user_connector_connection
    (id, user_id, connector_id, nango_connection_id, status, connected_at, disconnected_at,
     last_synced_at, config, last_error, error_count, created_at, updated_at, version,
     provider_config_key, account, lost_connection_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";

pub async fn insert(tx: &mut Tx, row: &Row) -> Result<(), DbError> {
    on_db!(tx, c => sqlx::query(INSERT)
        .persistent(false)
        .bind(row.id)
        .bind(row.user_id)
        .bind(row.connector_id)
        .bind(row.nango_connection_id.as_deref())
        .bind(row.status.as_str())
        .bind(row.connected_at.map(stored))
        .bind(row.disconnected_at.map(stored))
        .bind(row.last_synced_at.map(stored))
        .bind(Json(&row.config))
        .bind(row.last_error.as_deref())
        .bind(row.error_count)
        .bind(stored(row.created_at))
        .bind(stored(row.updated_at))
        .bind(row.version)
        .bind(row.provider_config_key.as_deref())
        .bind(row.account.as_deref())
        .bind(row.lost_connection_id.as_deref())
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const GET: &str = with_attempt!("WHERE c.id = $1");

pub async fn get(tx: &mut Tx, id: Uuid) -> Result<Option<WithAttempt>, DbError> {
    let raw: Option<RawWithAttempt> = on_db!(
        tx,
        c => sqlx::query_as(GET).persistent(false).bind(id).fetch_optional(c).await
    )?;
    raw.map(WithAttempt::try_from).transpose()
}

/// Served by the composite index. Public because a test asks both databases for its plan.
pub const OF_USER: &str = with_attempt!(concat!(
    "WHERE c.user_id = $1 AND ",
    at_any_connector!(),
    " ",
    in_order!()
));

/// Everything a person has, the accounts of one connector together, oldest first.
pub async fn of_user(tx: &mut Tx, user_id: Uuid) -> Result<Vec<WithAttempt>, DbError> {
    let kept = tx.keeps_statements();
    let raw: Vec<RawWithAttempt> = on_db!(
        tx,
        c => sqlx::query_as(OF_USER).persistent(kept).bind(user_id).fetch_all(c).await
    )?;
    raw.into_iter().map(WithAttempt::try_from).collect()
}

/// The same by itself, for the catalogue.
pub async fn look_up_of_user(db: &Db, user_id: Uuid) -> Result<Vec<WithAttempt>, DbError> {
    glance!(db, tx => of_user(tx, user_id))
}

/// Public because a test asks both databases for its plan.
pub const OF_USER_AND_CONNECTOR: &str =
    with_attempt!("WHERE c.user_id = $1 AND c.connector_id = $2 ORDER BY c.created_at, c.id");

/// A person's accounts at one connector, oldest first.
pub async fn of_user_and_connector(
    tx: &mut Tx,
    user_id: Uuid,
    connector_id: Uuid,
) -> Result<Vec<WithAttempt>, DbError> {
    let raw: Vec<RawWithAttempt> = on_db!(tx, c => sqlx::query_as(OF_USER_AND_CONNECTOR)
        .persistent(false)
        .bind(user_id)
        .bind(connector_id)
        .fetch_all(c)
        .await)?;
    raw.into_iter().map(WithAttempt::try_from).collect()
}

const VERSIONS: Dialects = Dialects {
    sqlite: "SELECT user_id, CAST(SUM(version) AS BIGINT) FROM user_connector_connection
        WHERE user_id IN (SELECT unhex(value, '-') FROM json_each($1)) GROUP BY user_id",
    postgres: "SELECT user_id, CAST(SUM(version) AS BIGINT) FROM user_connector_connection
        WHERE user_id IN (SELECT CAST(jsonb_array_elements_text($1) AS uuid)) GROUP BY user_id",
};

/// Of each of these people who has any, the sum of the versions of all they have. It changes with
/// every change: versions only grow, and no row ever goes.
pub async fn versions(tx: &mut Tx, users: &[Uuid]) -> Result<HashMap<Uuid, i64>, DbError> {
    let sql = VERSIONS.of(tx);
    let found: Vec<(Uuid, i64)> = on_db!(tx, c => sqlx::query_as(sql)
        .persistent(false)
        .bind(Json(users))
        .fetch_all(c)
        .await)?;
    Ok(found.into_iter().collect())
}

const BY_NANGO_ID: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM user_connector_connection c WHERE c.nango_connection_id = $1"
);

/// The row a Nango connection is bound to, whoever's it is.
pub async fn by_nango_id(tx: &mut Tx, nango_connection_id: &str) -> Result<Option<Row>, DbError> {
    let raw: Option<Raw> = on_db!(tx, c => sqlx::query_as(BY_NANGO_ID)
        .persistent(false)
        .bind(nango_connection_id)
        .fetch_optional(c)
        .await)?;
    raw.map(Row::try_from).transpose()
}

const BOUND: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM user_connector_connection c WHERE c.nango_connection_id > $1 \
     ORDER BY c.nango_connection_id LIMIT $2"
);

/// Rows that are bound to a connection of Nango, whoever's they are, in the order of Nango's ids:
/// the next page begins after the last of them, the first after the empty text.
pub async fn bound_after(
    tx: &mut Tx,
    nango_connection_id: &str,
    limit: i64,
) -> Result<Vec<Row>, DbError> {
    let raw: Vec<Raw> = on_db!(tx, c => sqlx::query_as(BOUND)
        .persistent(false)
        .bind(nango_connection_id)
        .bind(limit)
        .fetch_all(c)
        .await)?;
    raw.into_iter().map(Row::try_from).collect()
}

const WAITING: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM user_connector_connection c \
     WHERE c.status = 'pending' AND c.nango_connection_id > $1 \
     ORDER BY c.nango_connection_id LIMIT $2"
);

/// Accounts whose installation waits for somebody's approval, in pages like [`bound_after`]'s.
pub async fn waiting_after(
    tx: &mut Tx,
    nango_connection_id: &str,
    limit: i64,
) -> Result<Vec<Row>, DbError> {
    let raw: Vec<Raw> = on_db!(tx, c => sqlx::query_as(WAITING)
        .persistent(false)
        .bind(nango_connection_id)
        .bind(limit)
        .fetch_all(c)
        .await)?;
    raw.into_iter().map(Row::try_from).collect()
}

const UPDATE: &str = "UPDATE user_connector_connection SET nango_connection_id = $3,
    status = $4, connected_at = $5, disconnected_at = $6, last_synced_at = $7, config = $8,
    last_error = $9, error_count = $10, updated_at = $11, version = version + 1,
    provider_config_key = $12, account = $13, lost_connection_id = $14
    WHERE id = $1 AND version = $2";

/// Writes the row if it is still the one that was read, and then moves `version` and `updated_at`
/// of the copy on. `false`: somebody else was faster, nothing is written, the copy is as it was.
pub async fn update(tx: &mut Tx, row: &mut Row, now: Timestamp) -> Result<bool, DbError> {
    let written = on_db!(tx, c => sqlx::query(UPDATE)
        .persistent(false)
        .bind(row.id)
        .bind(row.version)
        .bind(row.nango_connection_id.as_deref())
        .bind(row.status.as_str())
        .bind(row.connected_at.map(stored))
        .bind(row.disconnected_at.map(stored))
        .bind(row.last_synced_at.map(stored))
        .bind(Json(&row.config))
        .bind(row.last_error.as_deref())
        .bind(row.error_count)
        .bind(stored(now))
        .bind(row.provider_config_key.as_deref())
        .bind(row.account.as_deref())
        .bind(row.lost_connection_id.as_deref())
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if written == 0 {
        return Ok(false);
    }
    row.version += 1;
    row.updated_at = now;
    Ok(true)
}

const ERASE_OF_USER: &str = "UPDATE user_connector_connection SET nango_connection_id = NULL,
    lost_connection_id = NULL, status = 'disconnected', config = '{}', account = NULL,
    last_error = NULL, error_count = 0, disconnected_at = COALESCE(disconnected_at, $2),
    updated_at = $2, version = version + 1
    WHERE user_id = $1";

/// Leaves ids and times of a person's connections; returns how many there are. What was bound has to
/// be deleted at Nango before.
pub async fn erase_of_user(tx: &mut Tx, user_id: Uuid, now: Timestamp) -> Result<u64, DbError> {
    Ok(on_db!(tx, c => sqlx::query(ERASE_OF_USER)
        .persistent(false)
        .bind(user_id)
        .bind(stored(now))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?)
}
