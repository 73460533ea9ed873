//! Opening a database from its address.
//!
//! May import `db` only.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use sqlx::{
    Connection, PgConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{Db, DbError, SqliteFile};

const PATIENCE: Duration = Duration::from_secs(5);

impl Db {
    /// Opens `postgres://…`, `sqlite://path`, `sqlite:path` or a bare path that ends in `.db`. A
    /// SQLite file is created together with its folder; a PostgreSQL that does not answer is an
    /// error now rather than at the first request.
    pub async fn connect(url: &str) -> Result<Self, DbError> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            connect_postgres(url).await
        } else {
            connect_sqlite(sqlite_options(url)?).await
        }
    }
}

fn refuse<T>(reason: impl Into<String>) -> Result<T, DbError> {
    Err(DbError::Url {
        reason: reason.into(),
    })
}

pub(super) fn sqlite_options(url: &str) -> Result<SqliteConnectOptions, DbError> {
    let Some(rest) = url.strip_prefix("sqlite:") else {
        let is_db_file = Path::new(url)
            .extension()
            .is_some_and(|extension| extension == "db");
        if is_db_file && !url.contains("://") {
            return Ok(SqliteConnectOptions::new().filename(url));
        }
        // The address is not repeated: it may hold a password.
        return refuse(
            "not an address Patchbay knows; use sqlite://<path>, a path that ends in .db, or \
             postgres://<user>:<password>@<host>/<database>",
        );
    };
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (path, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    if path.contains(":memory:") || parameters.contains("mode=memory") {
        return refuse(
            "an in-memory SQLite database is not supported: each connection would see a \
             database of its own, and a restart would forget every connection; name a file",
        );
    }
    if path.is_empty() {
        return refuse("sqlite: needs the path of a file, as in sqlite://data/patchbay.db");
    }
    SqliteConnectOptions::from_str(url).or_else(|e| refuse(e.to_string()))
}

async fn connect_sqlite(options: SqliteConnectOptions) -> Result<Db, DbError> {
    let file: PathBuf = options.get_filename().to_owned();
    let failed = |reason: String| DbError::Open {
        place: file.display().to_string(),
        reason,
    };
    if let Some(folder) = file.parent().filter(|f| !f.as_os_str().is_empty()) {
        tokio::fs::create_dir_all(folder)
            .await
            .map_err(|e| failed(format!("its folder cannot be created: {e}")))?;
    }
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

async fn connect_postgres(url: &str) -> Result<Db, DbError> {
    let options = match PgConnectOptions::from_str(url) {
        Ok(options) => options
            .statement_cache_capacity(0)
            // A start-up parameter that PgBouncer refuses; we store no floats.
            .extra_float_digits(None)
            .application_name("patchbay"),
        Err(e) => return refuse(e.to_string()),
    };
    let failed = |reason: String| DbError::Open {
        place: format!(
            "{} at {}:{}",
            options.get_database().unwrap_or("(default)"),
            options.get_host(),
            options.get_port()
        ),
        reason,
    };
    // The pool retries a refused connection until its timeout and then says only that it timed
    // out; one connection outside it tells the reason.
    match tokio::time::timeout(PATIENCE, PgConnection::connect_with(&options)).await {
        Ok(Ok(probe)) => drop(probe.close().await),
        Ok(Err(e)) => return Err(failed(e.to_string())),
        Err(_) => return Err(failed(format!("no answer within {} s", PATIENCE.as_secs()))),
    }
    let pool = PgPoolOptions::new()
        .max_connections(10)
        .acquire_timeout(PATIENCE)
        .connect_lazy_with(options);
    Ok(Db::Postgres(pool))
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
            ("sqlite::memory:", "in-memory"),
            ("sqlite://:memory:", "in-memory"),
            ("sqlite:file.db?mode=memory", "in-memory"),
            ("sqlite://", "needs the path"),
            ("sqlite:a.db?colour=red", "colour"),
            ("mysql://me:hunter2@host/patchbay.db", "not an address"),
            ("", "not an address"),
            ("postgres://host:notaport/db", "port"),
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
