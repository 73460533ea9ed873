//! Bringing the schema up to date.
//!
//! May import `db` only.
//!
//! The migrations are sqlx's (embedded by `migrate!`, kept in its `_sqlx_migrations` table, so
//! `sqlx migrate info` reads them), the run is ours. sqlx's own would not do behind a transaction
//! pooler: it holds a session lock, and its bookkeeping uses named prepared statements, which no
//! setting turns off. Here everything, the lock included, is one transaction on one connection:
//! it ends with the transaction whichever server a pooler picks, ten instances starting at once
//! need one server connection each and so cannot starve the one that holds the lock, and a
//! migration that fails leaves nothing behind. The price: a migration that may not run inside a
//! transaction (`CREATE INDEX CONCURRENTLY`) is refused.
//!
//! Old and new versions run side by side, so a migration expands: it adds tables, indexes, triggers,
//! and columns that may be NULL or have a default, and leaves alone what is there. What is no longer
//! needed is taken away by a contraction, a migration whose name starts with `contract_`, in a version
//! after the last one that needs it. A version accepts a database whose newer migrations only expand,
//! and refuses one with a contraction that it does not know. No query of ours says `SELECT *` or
//! inserts without naming its columns; `tests/conformance` runs with columns that it does not know.

use std::collections::HashMap;

use sqlx::{
    Executor,
    migrate::{MigrateError, Migration, Migrator},
};

use super::{Db, DbError, Dialects, Tx};

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// Any number will do, as long as nobody else in this database uses it.
const LOCK: i64 = 0x7061_7463_6862_6179;

/// The same tables as sqlx makes.
const TABLE: Dialects = Dialects {
    sqlite: "CREATE TABLE IF NOT EXISTS _sqlx_migrations (
        version BIGINT PRIMARY KEY,
        description TEXT NOT NULL,
        installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
        success BOOLEAN NOT NULL,
        checksum BLOB NOT NULL,
        execution_time BIGINT NOT NULL
    )",
    postgres: "CREATE TABLE IF NOT EXISTS _sqlx_migrations (
        version BIGINT PRIMARY KEY,
        description TEXT NOT NULL,
        installed_on TIMESTAMPTZ NOT NULL DEFAULT now(),
        success BOOLEAN NOT NULL,
        checksum BYTEA NOT NULL,
        execution_time BIGINT NOT NULL
    )",
};
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = 2000";
const APPLIED: &str =
    "SELECT version, checksum, description FROM _sqlx_migrations ORDER BY version";
/// sqlx makes blanks of the underscores of a name.
const CONTRACTION: &str = "contract ";
const RECORD: &str = "INSERT INTO _sqlx_migrations \
    (version, description, success, checksum, execution_time) VALUES ($1, $2, TRUE, $3, -1)";

impl Db {
    /// Applies the migrations that are missing; refuses a database whose applied migrations differ
    /// from ours, and one from which a newer version has taken away what this one needs.
    pub async fn migrate(&self) -> Result<(), DbError> {
        let mut tx = self.write().await?;
        tx.unhurried().await?;
        if let Tx::Postgres(inner) = &mut tx {
            let (flight, connection) = inner.parts();
            let lock = sqlx::query("SELECT pg_advisory_xact_lock($1)")
                .persistent(false)
                .bind(LOCK)
                .execute(connection);
            flight.bound(lock).await?;
            // A table that somebody reads for long, as a backup does, is tried again later: while a
            // change of it waits, everybody who reads it waits behind.
            let (flight, connection) = inner.parts();
            flight
                .bound(sqlx::Executor::execute(connection, LOCK_TIMEOUT))
                .await?;
        }
        run(&mut tx, self.migrations()).await?;
        tx.commit().await
    }

    /// The migrations of this database, oldest first.
    pub fn migrations(&self) -> &'static Migrator {
        match self {
            Self::Sqlite(_) => &SQLITE,
            Self::Postgres(_) => &POSTGRES,
        }
    }
}

async fn run(tx: &mut Tx, migrator: &'static Migrator) -> Result<(), DbError> {
    let table = TABLE.of(tx);
    on_db!(&mut *tx, c => sqlx::query(table).persistent(false).execute(c).await.map(drop))?;
    let applied: Vec<(i64, Vec<u8>, String)> = on_db!(
        &mut *tx,
        c => sqlx::query_as(APPLIED).persistent(false).fetch_all(c).await
    )?;
    for (version, _, description) in &applied {
        if migrator.version_exists(*version) {
            continue;
        }
        if is_contraction(description) {
            return Err(DbError::Contracted {
                version: *version,
                description: description.clone(),
            });
        }
        tracing::warn!(
            version,
            description,
            "a newer version has migrated this database: do not let the upgrade rest halfway"
        );
    }
    let applied: HashMap<i64, Vec<u8>> = applied
        .into_iter()
        .map(|(version, checksum, _)| (version, checksum))
        .collect();
    for migration in migrator.iter() {
        match applied.get(&migration.version) {
            Some(checksum) if *checksum == *migration.checksum => {}
            Some(_) => return Err(MigrateError::VersionMismatch(migration.version).into()),
            None => apply(tx, migration).await?,
        }
    }
    Ok(())
}

/// Whether a version that does not know this migration cannot live with it.
pub(super) fn is_contraction(description: &str) -> bool {
    description.starts_with(CONTRACTION)
}

async fn apply(tx: &mut Tx, migration: &'static Migration) -> Result<(), DbError> {
    // Bare text goes as a simple query, which may hold several statements.
    on_db!(&mut *tx, c => c.execute(&*migration.sql).await.map(drop))
        .map_err(|e| MigrateError::ExecuteMigration(e, migration.version))?;
    on_db!(tx, c => sqlx::query(RECORD)
        .persistent(false)
        .bind(migration.version)
        .bind(&*migration.description)
        .bind(&*migration.checksum)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}
