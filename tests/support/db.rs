//! A database of its own for each test, gone when the test ends, however it ends.

use std::{path::PathBuf, thread};

use patchbay::server::{
    clock::Clock,
    db::{Db, Tx},
};
use sqlx::{Connection, PgConnection, Row};

/// The variable that names a PostgreSQL whose user may create databases.
const VARIABLE: &str = "TEST_POSTGRES_URL";

pub struct TestDb {
    pub db: Db,
    /// For a second pool on the same database.
    pub url: String,
    cleanup: Cleanup,
}

enum Cleanup {
    Folder(PathBuf),
    Database { admin: String, name: String },
}

impl TestDb {
    /// A migrated SQLite file in a folder of its own.
    pub async fn sqlite() -> Self {
        Self::empty_sqlite().await.migrated().await
    }

    /// A migrated PostgreSQL database.
    pub async fn postgres() -> Self {
        Self::empty_postgres().await.migrated().await
    }

    /// A SQLite file without tables.
    pub async fn empty_sqlite() -> Self {
        let folder = std::env::temp_dir().join(fresh_name());
        let url = format!("sqlite://{}/new/patchbay.db", folder.display());
        let cleanup = Cleanup::Folder(folder);
        let db = Db::connect(&url).await.expect("a SQLite file");
        Self { db, url, cleanup }
    }

    /// A PostgreSQL database without tables.
    pub async fn empty_postgres() -> Self {
        let Ok(admin) = std::env::var(VARIABLE) else {
            panic!(
                "{VARIABLE} is not set: run `make test`, or `export {VARIABLE}=$(scripts/postgres.sh start)`"
            );
        };
        let name = fresh_name();
        let mut connection = PgConnection::connect(&admin)
            .await
            .unwrap_or_else(|e| panic!("no PostgreSQL answers at {VARIABLE}: {e}"));
        sqlx::raw_sql(&format!("CREATE DATABASE {name}"))
            .execute(&mut connection)
            .await
            .expect("the right to create a database");
        drop(connection.close().await);
        let mut url = url::Url::parse(&admin).expect("a URL");
        url.set_path(&name);
        let url = url.to_string();
        let cleanup = Cleanup::Database { admin, name };
        let db = Db::connect(&url).await.expect("the new database");
        Self { db, url, cleanup }
    }

    async fn migrated(self) -> Self {
        self.db.migrate().await.expect("the migrations");
        self
    }

    /// A transaction pooler refuses named prepared statements: none may be left on any
    /// connection. Nothing to check on SQLite.
    pub async fn assert_no_named_statements(&self) {
        let Db::Postgres(server) = &self.db else {
            return;
        };
        let mut held = Vec::new();
        for _ in 0..server.size() {
            let mut tx = self.db.read().await.expect("a connection");
            let Tx::Postgres(connection) = &mut tx else {
                unreachable!("a database is of one kind");
            };
            let named: Vec<String> = sqlx::raw_sql("SELECT statement FROM pg_prepared_statements")
                .fetch_all(&mut **connection)
                .await
                .expect("the list of statements")
                .iter()
                .map(|row| row.get(0))
                .collect();
            assert!(named.is_empty(), "named prepared statements: {named:#?}");
            held.push(tx);
        }
    }
}

fn fresh_name() -> String {
    format!("patchbay_test_{}", Clock::system().random_id().simple())
}

impl Drop for TestDb {
    fn drop(&mut self) {
        match &self.cleanup {
            Cleanup::Folder(folder) => drop(std::fs::remove_dir_all(folder)),
            Cleanup::Database { admin, name } => {
                // A thread with a runtime of its own: the test's cannot be waited for from here.
                thread::scope(|scope| {
                    scope.spawn(|| drop_database(admin, name));
                });
            }
        }
    }
}

fn drop_database(admin: &str, name: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let outcome = runtime.block_on(async {
        let mut connection = PgConnection::connect(admin).await?;
        sqlx::raw_sql(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            .execute(&mut connection)
            .await?;
        connection.close().await
    });
    if let Err(e) = outcome {
        eprintln!("{name} stays behind: {e}");
    }
}
