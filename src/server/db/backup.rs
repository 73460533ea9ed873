//! A copy of a SQLite database beside the server that writes to it.
//!
//! May import `db` only.
//!
//! `VACUUM INTO` reads in one transaction, so the copy is the database as it was at one moment; with a
//! write-ahead log nobody waits for it. What is left of deleted rows does not come along.

use std::path::{Path, PathBuf};

use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{Db, DbError};

/// What a copy was found to be.
#[derive(Debug)]
pub struct Copied {
    /// The first things that are not as they should be; none where all are.
    pub defects: Vec<String>,
    /// How many migrations have made it.
    pub migrations: i64,
}

impl Db {
    /// Where the database is, if it is a SQLite file.
    pub fn file(&self) -> Option<PathBuf> {
        match self {
            Self::Sqlite(file) => Some(file.connect_options().get_filename().to_owned()),
            Self::Postgres(_) => None,
        }
    }

    /// Writes a copy into a file that is empty. PostgreSQL has tools of its own: nothing is done there.
    pub async fn copy_into(&self, file: &str) -> Result<(), DbError> {
        if let Self::Sqlite(pool) = self {
            sqlx::query("VACUUM INTO $1")
                .persistent(false)
                .bind(file)
                .execute(&**pool)
                .await?;
        }
        Ok(())
    }
}

/// Reads every page of a copy.
pub async fn look_at(file: &Path) -> Result<Copied, DbError> {
    // Nobody else has it open, and nothing is to be made beside it.
    let options = SqliteConnectOptions::new()
        .filename(file)
        .read_only(true)
        .immutable(true);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let said: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(5)")
        .persistent(false)
        .fetch_all(&mut connection)
        .await?;
    let migrations = sqlx::query_scalar("SELECT count(*) FROM _sqlx_migrations")
        .persistent(false)
        .fetch_one(&mut connection)
        .await?;
    connection.close().await?;
    Ok(Copied {
        defects: said.into_iter().filter(|line| line != "ok").collect(),
        migrations,
    })
}
