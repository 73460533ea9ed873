//! A look at a database that changes nothing in it: for `patchbay doctor`.
//!
//! May import `db`, `address` and `domain`.

use std::{collections::HashMap, time::Duration};

use serde_json::Value;
use sqlx::{sqlite::SqlitePoolOptions, types::Json};

use super::{
    Db, DbError, Dialects, SqliteFile, Tx, connect::sqlite_options, migrate::is_contraction, stored,
};
use crate::{domain::timestamp::Timestamp, server::address};

/// A little longer than the busy timeout, so that the lock is named where it is to blame.
const PATIENCE: Duration = Duration::from_secs(6);

/// What was found.
#[derive(Debug, Default)]
pub struct Inspection {
    /// Migrations that are still to be applied.
    pub pending: Vec<i64>,
    /// Applied by a newer version, which this one can live with.
    pub unknown: Vec<i64>,
    /// Applied by a newer version, with which it took away what this one needs.
    pub contracted: Vec<i64>,
    /// Applied in another form than ours.
    pub changed: Vec<i64>,
    /// SQLite's; WAL is what the server sets.
    pub journal_mode: Option<String>,
}

const HAS_MIGRATIONS: Dialects = Dialects {
    sqlite: "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'",
    postgres: "SELECT count(*) FROM pg_class WHERE oid = to_regclass('_sqlx_migrations')",
};
const APPLIED: &str = "SELECT version, checksum, description FROM _sqlx_migrations";
const WRITE: &str = "INSERT INTO session (id, data, expires_at) VALUES ($1, $2, $3)";

impl Db {
    /// Opens a database without making one: `None` where the SQLite file is not there.
    pub async fn open_existing(url: &str) -> Result<Option<Self>, DbError> {
        if address::is_postgres(url) {
            return Self::connect(url).await.map(Some);
        }
        let options = sqlite_options(url)?
            .create_if_missing(false)
            .busy_timeout(Duration::from_secs(5));
        if !options.get_filename().exists() {
            return Ok(None);
        }
        let place = options.get_filename().display().to_string();
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(PATIENCE)
            .connect_with(options)
            .await
            .map_err(|error| DbError::Open {
                place,
                reason: error.to_string(),
                passes: false,
            })?;
        Ok(Some(Self::Sqlite(SqliteFile::new(pool, PATIENCE))))
    }

    /// Compares the schema with this version's.
    pub async fn inspect(&self) -> Result<Inspection, DbError> {
        let mut tx = self.read().await?;
        let has = HAS_MIGRATIONS.of(&tx);
        let has: i64 = on_db!(&mut tx, c => sqlx::query_scalar(has)
            .persistent(false)
            .fetch_one(c)
            .await)?;
        let applied: Vec<(i64, Vec<u8>, String)> = if has == 0 {
            Vec::new()
        } else {
            on_db!(&mut tx, c => sqlx::query_as(APPLIED)
                .persistent(false)
                .fetch_all(c)
                .await)?
        };
        let journal_mode = match &mut tx {
            Tx::Sqlite(inner) => Some(
                sqlx::query_scalar("PRAGMA journal_mode")
                    .persistent(false)
                    .fetch_one(&mut **inner)
                    .await?,
            ),
            Tx::Postgres(_) => None,
        };
        let migrator = self.migrations();
        let mut found = Inspection {
            journal_mode,
            ..Inspection::default()
        };
        for (version, _, description) in &applied {
            if migrator.version_exists(*version) {
                continue;
            }
            if is_contraction(description) {
                found.contracted.push(*version);
            } else {
                found.unknown.push(*version);
            }
        }
        let applied: HashMap<i64, Vec<u8>> = applied
            .into_iter()
            .map(|(version, checksum, _)| (version, checksum))
            .collect();
        for migration in migrator.iter() {
            match applied.get(&migration.version) {
                Some(checksum) if *checksum == *migration.checksum => {}
                Some(_) => found.changed.push(migration.version),
                None => found.pending.push(migration.version),
            }
        }
        Ok(found)
    }

    /// Writes a row, and takes it back.
    pub async fn try_to_write(&self, id: &str, now: Timestamp) -> Result<(), DbError> {
        let mut tx = self.write().await?;
        let nothing: Json<HashMap<String, Value>> = Json(HashMap::new());
        on_db!(&mut tx, c => sqlx::query(WRITE)
            .persistent(false)
            .bind(id)
            .bind(nothing)
            .bind(stored(now))
            .execute(c)
            .await
            .map(drop))?;
        match tx {
            Tx::Sqlite(inner) => inner.rollback().await?,
            Tx::Postgres(inner) => inner.rollback().await?,
        }
        Ok(())
    }
}
