//! Rows to build cases from.

use std::collections::BTreeMap;

use patchbay::{
    domain::{
        attempt::{AttemptKind, AttemptState},
        connection::Status,
        timestamp::Timestamp,
    },
    server::{
        clock::Clock,
        db::{Db, Tx, attempt, connection, connector, user},
    },
};
use uuid::Uuid;

/// 2026-11-22T13:34:50Z, a whole second.
pub const T0: Timestamp = Timestamp(1_795_354_490_000);

pub fn after(ms: i64) -> Timestamp {
    Timestamp(T0.0 + ms)
}

pub fn id() -> Uuid {
    Clock::system().new_id()
}

/// The id of a connector in these tests.
pub fn connector_id(slug: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, slug.as_bytes())
}

pub fn connector_row(slug: &str) -> connector::NewConnector {
    connector::NewConnector {
        id: connector_id(slug),
        slug: slug.to_owned(),
        name: slug.to_uppercase(),
        enabled: true,
    }
}

/// Two connectors, `gmail` and `slack`, and a person.
pub async fn person(tx: &mut Tx) -> Uuid {
    connector::sync(tx, &[connector_row("gmail"), connector_row("slack")], T0)
        .await
        .unwrap();
    another_person(tx).await
}

pub async fn another_person(tx: &mut Tx) -> Uuid {
    let id = id();
    let new = user::NewUser {
        id,
        issuer: "patchbay:demo",
        subject: &id.to_string(),
        display_name: "Ada Lovelace",
        email: None,
    };
    user::upsert(tx, &new, T0).await.unwrap().id
}

pub fn pending(user_id: Uuid, slug: &str) -> connection::Row {
    connection::Row {
        id: id(),
        user_id,
        connector_id: connector_id(slug),
        nango_connection_id: None,
        status: Status::Pending,
        connected_at: None,
        disconnected_at: None,
        last_synced_at: None,
        config: BTreeMap::new(),
        last_error: None,
        error_count: 0,
        created_at: T0,
        updated_at: T0,
        version: 1,
        provider_config_key: None,
        account: None,
        lost_connection_id: None,
    }
}

/// A row with something in every column.
pub fn full(user_id: Uuid, slug: &str) -> connection::Row {
    connection::Row {
        nango_connection_id: Some(format!("nango-{}", id())),
        status: Status::Error,
        connected_at: Some(after(1)),
        disconnected_at: Some(after(-2000)),
        last_synced_at: Some(after(12_345)),
        config: [("subdomain", "acmé"), ("quote", "\"'\\")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into(),
        last_error: Some("Google says no: “invalid_grant”.".to_owned()),
        error_count: 3,
        version: 7,
        provider_config_key: Some("google-mail".to_owned()),
        account: Some("ada@example.com".to_owned()),
        lost_connection_id: Some("nango-lost".to_owned()),
        ..pending(user_id, slug)
    }
}

pub fn open_attempt(of: &connection::Row) -> attempt::Row {
    attempt::Row {
        id: id(),
        user_id: of.user_id,
        connector_id: of.connector_id,
        connection_id: of.id,
        kind: AttemptKind::Connect,
        state: AttemptState::Open,
        error: None,
        provider_config_key: "google-mail".to_owned(),
        config: BTreeMap::from([("subdomain".to_owned(), "acme".to_owned())]),
        created_at: T0,
        expires_at: after(600_000),
        settled_at: None,
    }
}

/// A person with a pending connection to Gmail and its open attempt, committed.
pub async fn connecting(db: &Db) -> (connection::Row, attempt::Row) {
    let mut tx = db.write().await.unwrap();
    let row = pending(person(&mut tx).await, "gmail");
    connection::insert(&mut tx, &row).await.unwrap();
    let attempt = open_attempt(&row);
    attempt::insert(&mut tx, &attempt).await.unwrap();
    tx.commit().await.unwrap();
    (row, attempt)
}

/// Runs SQL of the test's own.
pub async fn run(tx: &mut Tx, sqlite: &str, postgres: &str) -> Result<(), sqlx::Error> {
    match tx {
        Tx::Sqlite(inner) => sqlx::raw_sql(sqlite).execute(&mut **inner).await.map(drop),
        Tx::Postgres(inner) => sqlx::raw_sql(postgres)
            .execute(&mut **inner)
            .await
            .map(drop),
    }
}

/// The first column of the test's own query, as text.
pub async fn texts(tx: &mut Tx, sqlite: &str, postgres: &str) -> Vec<String> {
    match tx {
        Tx::Sqlite(inner) => sqlx::query_scalar(sqlite)
            .persistent(false)
            .fetch_all(&mut **inner)
            .await
            .unwrap(),
        Tx::Postgres(inner) => sqlx::query_scalar(postgres)
            .persistent(false)
            .fetch_all(&mut **inner)
            .await
            .unwrap(),
    }
}
