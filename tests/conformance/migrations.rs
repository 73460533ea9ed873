//! The migrations and how they run.

use std::{fs, path::Path};

use patchbay::server::db::{Db, DbError};
use sqlx::migrate::MigrateError;

use crate::{
    fixture::{run, texts},
    support::db::TestDb,
};

/// The file names of a folder, in order.
fn files(database: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("migrations")
        .join(database);
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| {
            entry
                .expect("a file")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .collect();
    names.sort();
    names
}

#[test]
fn both_folders_hold_the_same_versions_and_names() {
    let names = files("sqlite");
    assert_eq!(names, files("postgres"));
    assert!(
        names
            .iter()
            .any(|n| n.ends_with("_add_user_connector_connection.sql")),
        "{names:?}"
    );
}

const NEWER: i64 = 99_991_231_000_000;

/// A migration that this version does not know.
async fn newer(db: &TestDb, name: &str) {
    let mut tx = db.db.write().await.unwrap();
    let sql = format!(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES ({NEWER}, '{name}', TRUE, '', 0)"
    );
    run(&mut tx, &sql, &sql).await.unwrap();
    tx.commit().await.unwrap();
}

/// A contraction is told by its name, and nothing else may take away what an older version needs.
#[test]
fn what_takes_something_away_says_so() {
    for database in ["sqlite", "postgres"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("migrations")
            .join(database);
        for name in files(database) {
            let text = fs::read_to_string(folder.join(&name))
                .expect("a file")
                .to_uppercase();
            let takes = [
                "DROP TABLE",
                "DROP COLUMN",
                "RENAME",
                "ALTER COLUMN",
                "SET NOT NULL",
            ];
            let found: Vec<_> = takes.iter().filter(|what| text.contains(**what)).collect();
            let says = name
                .split_once('_')
                .is_some_and(|(_, name)| name.starts_with("contract_"));
            assert!(says || found.is_empty(), "{database}/{name}: {found:?}");
        }
    }
}

on_both! {
    /// A binary built before a file was added would carry fewer.
    async fn the_binary_holds_the_files_and_they_are_applied(db: &TestDb) {
        let folder = if db.db.kind() == "SQLite" { "sqlite" } else { "postgres" };
        let embedded: Vec<String> = db
            .db
            .migrations()
            .iter()
            .map(|m| format!("{}_{}.sql", m.version, m.description.replace(' ', "_")))
            .collect();
        assert_eq!(embedded, files(folder));

        let mut tx = db.db.read().await.unwrap();
        let sql = "SELECT version || '_' || replace(description, ' ', '_') || '.sql' \
            FROM _sqlx_migrations ORDER BY version";
        assert_eq!(texts(&mut tx, sql, sql).await, embedded);
    }

    async fn migrating_again_changes_nothing(db: &TestDb) {
        let sql = "SELECT CAST(installed_on AS TEXT) FROM _sqlx_migrations ORDER BY version";
        let before = texts(&mut db.db.read().await.unwrap(), sql, sql).await;
        db.db.migrate().await.unwrap();
        let after = texts(&mut db.db.read().await.unwrap(), sql, sql).await;
        assert_eq!(before, after);
    }

    /// Old and new run side by side.
    async fn a_database_that_a_newer_version_has_expanded_is_accepted(db: &TestDb) {
        newer(db, "add something").await;
        db.db.migrate().await.unwrap();
        let found = db.db.inspect().await.unwrap();
        assert_eq!((found.unknown, found.contracted), (vec![NEWER], vec![]));
    }

    async fn a_database_from_which_a_newer_version_took_something_is_refused(db: &TestDb) {
        newer(db, "contract something").await;
        let error = db.db.migrate().await.unwrap_err();
        assert!(matches!(error, DbError::Contracted { version: NEWER, .. }), "{error:?}");
        assert!(error.to_string().contains("run the newer one"), "{error}");
        let found = db.db.inspect().await.unwrap();
        assert_eq!((found.unknown, found.contracted), (vec![], vec![NEWER]));
    }

    async fn a_migration_that_was_changed_is_refused(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let sql = "UPDATE _sqlx_migrations SET checksum = ";
        run(&mut tx, &format!("{sql} x'00'"), &format!("{sql} '\\x00'")).await.unwrap();
        tx.commit().await.unwrap();
        let error = db.db.migrate().await.unwrap_err();
        assert!(matches!(error, DbError::Migrate(MigrateError::VersionMismatch(_))), "{error:?}");
    }
}

/// Ten instances, each with a pool of its own, on a database without tables.
async fn ten_start_at_once(db: &TestDb) {
    let instances: Vec<_> = (0..10)
        .map(|_| {
            let url = db.url.clone();
            tokio::spawn(async move {
                let db = Db::connect(&url).await?;
                db.migrate().await?;
                db.close().await;
                Ok::<(), DbError>(())
            })
        })
        .collect();
    for instance in instances {
        instance.await.unwrap().unwrap();
    }
    let mut tx = db.db.read().await.unwrap();
    let sql = "SELECT CAST(version AS TEXT) FROM _sqlx_migrations";
    assert_eq!(texts(&mut tx, sql, sql).await.len(), files("sqlite").len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_instances_start_at_once_on_sqlite() {
    ten_start_at_once(&TestDb::empty_sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_instances_start_at_once_on_postgres() {
    ten_start_at_once(&TestDb::empty_postgres().await).await;
}

/// A pooler with fewer server connections than there are instances must not starve the one that
/// holds the lock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrating_takes_one_connection() {
    let db = TestDb::empty_postgres().await;
    db.db.migrate().await.unwrap();
    let Db::Postgres(server) = &db.db else {
        panic!("not PostgreSQL");
    };
    assert_eq!(server.size(), 1);
    db.assert_no_named_statements().await;
}
