//! SQLite on a disk that is full, or may not be written: nothing is changed, everything can be read.

use patchbay::server::db::Db;

use crate::{
    app::{TestApp, eventually},
    support::db::TestDb,
};

/// On every connection of the server's pool.
async fn pragma(app: &TestApp, text: &str) {
    let Db::Sqlite(pool) = &app.db else {
        panic!("not SQLite");
    };
    let all = (0..8).map(|_| pool.acquire());
    for connection in futures::future::join_all(all).await {
        let mut connection = connection.expect("a connection");
        let set = sqlx::raw_sql(text).execute(&mut *connection).await;
        set.expect("a pragma");
    }
}

/// Nothing more fits into the file.
async fn fill(app: &TestApp) {
    let Db::Sqlite(pool) = &app.db else {
        panic!("not SQLite");
    };
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count")
        .fetch_one(&**pool)
        .await
        .expect("a number");
    pragma(app, &format!("PRAGMA max_page_count = {}", pages + 2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_named_and_everything_can_be_read() {
    let db = TestDb::sqlite().await;
    let app = TestApp::frozen(&db).await;
    let ada = app.sign_in("ada").await;
    let connected = ada.connected(&app.nango, "gmail").await;
    fill(&app).await;
    let refused = eventually("the disk is full", || async {
        // A demo user's name has letters only.
        let name = app.clock.random_id().simple().to_string();
        let name: String = name
            .chars()
            .map(|c| if c.is_ascii_digit() { 'x' } else { c })
            .take(20)
            .collect();
        let ours = [("origin", app.base.as_str())];
        let fields = [("name", name.as_str())];
        let answer = app.nobody().form("/sign-in/demo", &fields, &ours).await;
        (answer.status != 303).then_some(answer)
    })
    .await;
    refused.problem(503, "storage_full");
    assert!(!refused.header("retry-after").is_empty());
    // Also where the session would be renewed.
    app.clock.advance(16 * 60 * 1000);
    for _ in 0..3 {
        let found = ada.connection("gmail").await;
        assert_eq!(found["id"], connected["id"]);
        assert_eq!(ada.get("/connectors").await.status, 200);
    }
    assert_eq!(app.get("/health/ready").await.status, 200);
    // There is room again: nothing has to be restarted.
    pragma(&app, "PRAGMA max_page_count = 1073741823").await;
    app.sign_in("grace")
        .await
        .connected(&app.nango, "slack")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_cannot_be_renewed_reads_on() {
    let db = TestDb::sqlite().await;
    let app = TestApp::frozen(&db).await;
    let ada = app.sign_in("ada").await;
    pragma(&app, "PRAGMA query_only = 1").await;
    app.clock.advance(16 * 60 * 1000);
    ada.get("/api/v1/connections").await.ok();
    assert_eq!(ada.get("/connectors").await.status, 200);
    let posted = ada
        .post("/api/v1/connectors/gmail/connect", &serde_json::json!({}))
        .await;
    posted.problem(503, "database_read_only");
    let ours = [("origin", app.base.as_str())];
    let out = ada.form("/sign-out", &[], &ours).await;
    assert_eq!(out.status, 503, "{}", out.text);
    pragma(&app, "PRAGMA query_only = 0").await;
    ada.connect("gmail").await;
}

/// A copy that takes no writes, as after a failover.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_postgres_is_named_and_read() {
    let db = TestDb::postgres().await;
    let app = TestApp::frozen(&db).await;
    let ada = app.sign_in("ada").await;
    let Db::Postgres(server) = &db.db else {
        panic!("not PostgreSQL");
    };
    let mut operator = server.connection().await.expect("a connection");
    let name = db.url.rsplit('/').next().expect("a name");
    let set = |to: &str| {
        format!(
            "ALTER DATABASE {name} SET default_transaction_read_only = {to}; \
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid()"
        )
    };
    sqlx::raw_sql(&set("on"))
        .execute(&mut operator)
        .await
        .expect("a setting");
    app.clock.advance(16 * 60 * 1000);
    ada.get("/api/v1/connections").await.ok();
    let posted = ada
        .post("/api/v1/connectors/gmail/connect", &serde_json::json!({}))
        .await;
    posted.problem(503, "database_read_only");
    let off = format!("SET default_transaction_read_only = off; {}", set("off"));
    sqlx::raw_sql(&off)
        .execute(&mut operator)
        .await
        .expect("a setting");
    ada.connect("gmail").await;
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_nobody_elses_business() {
    use std::os::unix::fs::PermissionsExt;
    let db = TestDb::sqlite().await;
    let _app = TestApp::start(&db).await;
    let file = db.url.trim_start_matches("sqlite://").to_owned();
    for ending in ["", "-wal", "-shm"] {
        let mode = std::fs::metadata(format!("{file}{ending}"))
            .expect("a file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{ending}");
    }
    // A file that somebody has opened to a group stays so.
    let other = format!("{file}.other.db");
    std::fs::write(&other, "").expect("a file");
    std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o640)).expect("a mode");
    let opened = Db::connect(&other).await.expect("a database");
    opened.close().await;
    let mode = std::fs::metadata(&other)
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o640);
}
