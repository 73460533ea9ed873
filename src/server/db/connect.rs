//! Opening a database from its address.
//!
//! May import `db` and `address` only.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    Connection, PgConnection,
    postgres::PgConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{Db, DbError, PgServer, SqliteFile, error::passes};
use crate::server::address;

/// Few are kept, and none where a pooler is in between (`Tx::keeps_statements`).
const STATEMENTS: usize = 16;

const PATIENCE: Duration = Duration::from_secs(5);

impl Db {
    /// Opens `postgres://…`, `sqlite://path`, `sqlite:path` or a bare path that ends in `.db`. A
    /// SQLite file is created together with its folder; a PostgreSQL that does not answer is an
    /// error now rather than at the first request.
    pub async fn connect(url: &str) -> Result<Self, DbError> {
        if address::is_postgres(url) {
            connect_postgres(url).await
        } else {
            connect_sqlite(sqlite_options(url)?).await
        }
    }

    /// A PostgreSQL that is connected to when it is first needed.
    pub fn lazily(url: &str) -> Result<Self, DbError> {
        if !address::is_postgres(url) {
            return refuse("this has to be a PostgreSQL");
        }
        Ok(Self::Postgres(PgServer::new(postgres_options(url)?)))
    }
}

fn refuse<T>(reason: impl Into<String>) -> Result<T, DbError> {
    Err(DbError::Url {
        reason: reason.into(),
    })
}

pub(super) fn sqlite_options(url: &str) -> Result<SqliteConnectOptions, DbError> {
    address::sqlite(url).or_else(refuse)
}

async fn connect_sqlite(options: SqliteConnectOptions) -> Result<Db, DbError> {
    let file: PathBuf = options.get_filename().to_owned();
    let failed = |reason: String| DbError::Open {
        place: file.display().to_string(),
        reason,
        passes: false,
    };
    if let Some(folder) = file.parent().filter(|f| !f.as_os_str().is_empty()) {
        tokio::fs::create_dir_all(folder)
            .await
            .map_err(|e| failed(format!("its folder cannot be created: {e}")))?;
    }
    make_private(&file).map_err(|e| failed(format!("it cannot be created: {e}")))?;
    let options = options
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .foreign_keys(true)
        .busy_timeout(PATIENCE)
        // With WAL, NORMAL may lose the last commits in a power cut: a connection that Nango has
        // and we forgot.
        .synchronous(SqliteSynchronous::Full)
        .pragma("temp_store", "memory");
    let pool = SqlitePoolOptions::new()
        .max_connections(8)
        // Longer than the busy timeout: a queue of writers fails at the lock, with its reason.
        .acquire_timeout(2 * PATIENCE)
        .connect_with(options)
        .await
        .map_err(|e| failed(e.to_string()))?;
    Ok(Db::Sqlite(SqliteFile::new(pool, 2 * PATIENCE)))
}

/// Nobody else's business, whatever the umask; SQLite gives the files beside it the same mode. A file
/// that is there keeps the one it has.
fn make_private(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let made = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file);
    match made {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn postgres_options(url: &str) -> Result<PgConnectOptions, DbError> {
    match address::postgres(url) {
        Ok(options) => Ok(options
            .statement_cache_capacity(STATEMENTS)
            // A start-up parameter that PgBouncer refuses; we store no floats.
            .extra_float_digits(None)
            .application_name("patchbay")),
        Err(reason) => refuse(reason),
    }
}

async fn connect_postgres(url: &str) -> Result<Db, DbError> {
    let options = postgres_options(url)?;
    let failed = |reason: String, passes| DbError::Open {
        place: format!(
            "{} at {}:{}",
            options.get_database().unwrap_or("(default)"),
            options.get_host(),
            options.get_port()
        ),
        reason,
        passes,
    };
    // The pool retries a refused connection until its timeout and then says only that it timed
    // out; one connection outside it tells the reason. It is asked something: a pooler takes
    // connections also while what is behind it is away.
    let asked = async {
        let mut connection = PgConnection::connect_with(&options).await?;
        connection.ping().await?;
        connection.close().await
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(())) => {}
        Ok(Err(e)) => return Err(failed(e.to_string(), passes(&e))),
        Err(_) => {
            let reason = format!("no answer within {} s", PATIENCE.as_secs());
            return Err(failed(reason, true));
        }
    }
    Ok(Db::Postgres(PgServer::new(options)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_sqlite_address_names_its_file() {
        for (url, file) in [
            ("sqlite://data/patchbay.db", "data/patchbay.db"),
            ("sqlite:data/patchbay.db", "data/patchbay.db"),
            (
                "sqlite:///var/lib/patchbay.sqlite",
                "/var/lib/patchbay.sqlite",
            ),
            ("sqlite://a%20b.db?mode=rwc", "a b.db"),
            ("data/patchbay.db", "data/patchbay.db"),
        ] {
            let options = sqlite_options(url).expect(url);
            assert_eq!(options.get_filename(), Path::new(file), "{url}");
        }
    }

    #[tokio::test]
    async fn an_address_of_no_use_is_refused_with_the_reason() {
        for (url, reason) in [
            ("sqlite::memory:", "in memory"),
            ("sqlite://:memory:", "in memory"),
            ("sqlite:file.db?mode=memory", "in memory"),
            ("sqlite://", "needs the path"),
            ("sqlite:a.db?colour=red", "colour"),
            ("mysql://me:hunter2@host/patchbay.db", "neither a file"),
            ("", "ends in .db"),
            ("postgres://host:notaport/db", "is not a PostgreSQL"),
        ] {
            let error = Db::connect(url).await.expect_err(url);
            assert!(matches!(error, DbError::Url { .. }), "{url}: {error:?}");
            assert!(error.to_string().contains(reason), "{url}: {error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_postgres_that_is_not_there_is_an_error_at_once() {
        // A port that was free a moment ago.
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|l| l.local_addr())
            .expect("a port")
            .port();
        let url = format!("postgres://me:hunter2@127.0.0.1:{port}/patchbay");
        let error = Db::connect(&url).await.expect_err("nobody listens");
        let text = error.to_string();
        assert!(
            text.contains(&format!("patchbay at 127.0.0.1:{port}")),
            "{text}"
        );
        assert!(text.contains("refused"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}
