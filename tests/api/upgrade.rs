//! An old version beside a database that a newer one has migrated.

use patchbay::server::{
    db::{Db, Tx},
    startup,
};
use serde_json::json;
use sqlx::Row;

use crate::{app::TestApp, person::text, support::db::TestDb};

const TABLES: [&str; 2] = [
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite%'",
    "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_name NOT LIKE '\\_%'",
];

async fn tables(db: &TestDb) -> Vec<String> {
    match &db.db {
        Db::Sqlite(pool) => {
            let rows = sqlx::raw_sql(TABLES[0])
                .fetch_all(&**pool)
                .await
                .expect("tables");
            rows.iter().map(|row| row.get(0)).collect()
        }
        Db::Postgres(server) => {
            let mut operator = server.connection().await.expect("a connection");
            let rows = sqlx::raw_sql(TABLES[1])
                .fetch_all(&mut operator)
                .await
                .expect("tables");
            rows.iter().map(|row| row.get(0)).collect()
        }
    }
}

async fn run(db: &TestDb, sql: &str) {
    let mut tx = db.db.write().await.expect("a transaction");
    let done = match &mut tx {
        Tx::Sqlite(inner) => sqlx::raw_sql(sql).execute(&mut **inner).await.map(drop),
        Tx::Postgres(inner) => sqlx::raw_sql(sql).execute(&mut **inner).await.map(drop),
    };
    done.unwrap_or_else(|error| panic!("{sql}: {error}"));
    tx.commit().await.expect("a commit");
}

/// What a migration of tomorrow leaves behind, but for its columns.
async fn migrated(db: &TestDb, name: &str) {
    let sql = format!(
        "DELETE FROM _sqlx_migrations WHERE version > 90000000000000;
         INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (99991231000000, '{name}', TRUE, '', 0)"
    );
    run(db, &sql).await;
}

on_both! {
    async fn it_starts_and_works_as_long_as_nothing_was_taken_away(db: &TestDb) {
        let tables = tables(db).await;
        assert!(tables.len() > 10 && tables.iter().any(|name| name == "session"), "{tables:?}");
        for table in tables {
            run(db, &format!("ALTER TABLE \"{table}\" ADD COLUMN from_tomorrow TEXT")).await;
        }
        migrated(db, "add from tomorrow").await;
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let mut events = ada.events().await;
        events.next().await.expect("a snapshot");
        ada.connected(&app.nango, "gmail").await;
        events.next().await.expect("a change");
        ada.reconnect("gmail").await;
        let slack = ada.connect("slack").await;
        let cancel = format!("/api/v1/attempts/{}/cancel", text(&slack["attempt_id"]));
        ada.post(&cancel, &json!({})).await.ok();
        ada.post("/api/v1/connectors/gmail/disconnect", &json!({})).await.ok();
        app.reconcile().await;
        for path in ["/connectors", "/connectors/gmail", "/account"] {
            assert_eq!(ada.get(path).await.status, 200, "{path}");
        }
        assert!(!ada.get("/api/v1/history").await.ok().to_string().is_empty());

        migrated(db, "contract connect attempt").await;
        let clock = patchbay::server::clock::Clock::system();
        let Err(error) = startup::build(&app.config(), clock).await else {
            panic!("it starts");
        };
        assert!(error.to_string().contains("taken away what this one needs"), "{error}");
    }
}

/// A column that is added must not change what a query means: none names them all by a star, and none
/// inserts by the columns' order.
#[test]
fn queries_name_their_columns() {
    fn look(folder: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                look(&path, found);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a file");
            let code: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let code = code.replace("\\\"", "\"").replace("\\ ", "");
            let stars = ["SELECT *", "RETURNING *", ".* FROM"];
            for star in stars.iter().filter(|star| code.contains(**star)) {
                found.push(format!("{}: {star}", path.display()));
            }
            for (at, _) in code.match_indices("INSERT INTO ") {
                let rest = &code[at + "INSERT INTO ".len()..];
                let (_, after) = rest.split_once(' ').unwrap_or_default();
                if !after.starts_with('(') {
                    found.push(format!("{}: INSERT INTO {:.40}", path.display(), rest));
                }
            }
        }
    }
    let mut found = Vec::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/server/db");
    look(std::path::Path::new(folder), &mut found);
    // The module that says so.
    found.retain(|line| !line.contains("migrate.rs: SELECT *"));
    assert!(found.is_empty(), "{found:#?}");
}
