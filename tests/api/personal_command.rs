//! `patchbay audit` and `patchbay user export | erase`, as an operator runs them: the program itself,
//! its arguments, its streams and its exit codes.

use std::{
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Output},
};

use patchbay::server::{
    clock::Clock,
    db::{Tx, user},
    services::seal,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    app::TestApp,
    support::db::TestDb,
    user_command::{fails, ok},
};

/// What clap says of arguments that make no sense.
const USAGE: i32 = 2;

/// With Nango switched off: nobody is asked.
fn run(url: &str, args: &[&str]) -> Output {
    let empty = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/empty.toml");
    Command::new(env!("CARGO_BIN_EXE_patchbay"))
        .args(args)
        .env_clear()
        .env("PATCHBAY_CONFIG", empty)
        .env("DATABASE_URL", url)
        .env("NANGO_ENABLED", "false")
        .output()
        .expect("the program")
}

/// A file that is not there yet, in a folder that goes with the test's database.
fn fresh_file(app: &TestApp) -> PathBuf {
    let name = format!("patchbay_test_{}.json", app.clock.random_id().simple());
    std::env::temp_dir().join(name)
}

/// An entry that was never to be sealed, as a hand writes it.
async fn slip_in(db: &TestDb) {
    let mut tx = db.db.write().await.expect("a transaction");
    let of = "INSERT INTO audit_event (id, at, action) VALUES";
    match &mut tx {
        Tx::Sqlite(inner) => {
            let sql = format!(
                "{of} (randomblob(16), '2026-11-22T13:34:50+00:00', 'x'); DELETE FROM audit_unsealed"
            );
            sqlx::raw_sql(&sql).execute(&mut **inner).await.map(drop)
        }
        Tx::Postgres(inner) => {
            let sql = format!(
                "{of} (gen_random_uuid(), '2026-11-22T13:34:50Z', 'x'); DELETE FROM audit_unsealed"
            );
            sqlx::raw_sql(&sql).execute(&mut **inner).await.map(drop)
        }
    }
    .expect("written");
    tx.commit().await.expect("a commit");
}

on_both! {
    async fn the_log_is_checked_and_written_out(db: &TestDb) {
        let mut app = TestApp::start(db).await;
        app.sign_in("ada").await;
        app.sign_in("eve").await;
        app.stop().await;
        seal::seal_waiting(&db.db).await.expect("sealed");
        let said = ok(&run(&db.url, &["audit", "verify"]));
        assert!(said.starts_with("Everything fits: 2 entries.\nPersonal data: 2 as they were written, 0 erased.\nHead, "), "{said}");
        let (_, head) = said.trim_end().rsplit_once(' ').expect("a head");
        let found: Value = serde_json::from_str(&ok(&run(&db.url, &["audit", "verify", "--json", "--head", head]))).expect("JSON");
        assert_eq!(found, json!({"ok": true, "entries": 2, "head": head, "personal": 2, "erased": 0}));
        // Another head of as many digits, and one that is none.
        let other = format!("2:{}", "0".repeat(64));
        let output = run(&db.url, &["audit", "verify", "--head", &other]);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.code() == Some(1) && said.starts_with("BROKEN: At number 2 "), "{said}");
        fails(&run(&db.url, &["audit", "verify", "--head", "2:ab"]), USAGE, "a number, a colon and 64 hex digits");

        let lines = |output: &Output| -> Vec<Value> {
            ok(output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
        };
        let all = lines(&run(&db.url, &["audit", "export", "--with-personal"]));
        assert!(all.len() == 2 && all[1]["personal"]["data"].is_string(), "{all:?}");
        let rest = lines(&run(&db.url, &["audit", "export", "--after", "1"]));
        assert_eq!((rest.len(), &rest[0]["seq"], &rest[0]["personal"]), (1, &json!(2), &Value::Null));

        slip_in(db).await;
        let output = run(&db.url, &["audit", "verify", "--json"]);
        let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!((output.status.code(), &found["broken"]["kind"]), (Some(1), &json!("unsealed")));
    }

    async fn a_persons_data_are_written_to_a_file_of_ones_own_and_forgotten_when_meant(db: &TestDb) {
        let mut app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        ada.connect("zoom").await;
        let (id, eve) = (app.user_id("ada").await, app.user_id("eve").await);
        app.services().people.disable(id, None).await.expect("disabled");
        app.stop().await;
        let named = id.to_string();
        let found: Value = serde_json::from_str(&ok(&run(&db.url, &["user", "export", &named]))).expect("JSON");
        assert_eq!(found["user"]["subject"], "ada");
        let file = fresh_file(&app);
        let path = file.display().to_string();
        let export = ["user", "export", &named, "--out", &path];
        assert_eq!(ok(&run(&db.url, &export)), "");
        let written: Value = serde_json::from_slice(&std::fs::read(&file).expect("a file")).expect("JSON");
        assert_eq!(written["user"], found["user"]);
        let mode = std::fs::metadata(&file).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "nobody else's to read");
        // Nothing is written over.
        std::fs::write(&file, "kept").expect("written");
        fails(&run(&db.url, &export), 1, "can't be written:");
        assert_eq!(std::fs::read_to_string(&file).expect("a file"), "kept");
        std::fs::remove_file(&file).expect("gone");

        // Not without saying so.
        fails(&run(&db.url, &["user", "erase", &named]), 1, &format!("To do it: patchbay user erase {id} --yes"));
        assert_eq!(subject(db, id).await, "ada");
        let said = ok(&run(&db.url, &["user", "erase", &named, "--yes"]));
        for words in [&format!("{id} is erased.\n"), "1 connections, 1 attempts", "This person was disabled, and that is forgotten too", "Nango was not asked"] {
            assert!(said.contains(words), "{words}: {said}");
        }
        assert_eq!(subject(db, id).await, named);
        let said = ok(&run(&db.url, &["audit", "verify"]));
        assert!(said.starts_with("Everything fits: "), "sealed by the command itself: {said}");
        let said = ok(&run(&db.url, &["user", "erase", &named, "--yes"]));
        assert!(said.contains("had been erased before"), "{said}");
        // Of somebody who was let in, and never tried to connect, there is nothing more to say.
        let said = ok(&run(&db.url, &["user", "erase", &eve.to_string(), "--yes"]));
        assert!(!said.contains("disabled") && !said.contains("Nango was not asked"), "{said}");
    }
}

async fn subject(db: &TestDb, id: Uuid) -> String {
    let mut tx = db.db.read().await.expect("a transaction");
    let row = user::get(&mut tx, id).await.expect("a query");
    row.expect("the person").subject
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_nobody_knows_and_what_nobody_can_read_fail() {
    let db = TestDb::sqlite().await;
    let nobody = "00000000-0000-0000-0000-000000000001";
    let unknown = format!("there is nobody with the id {nobody}");
    fails(&run(&db.url, &["user", "export", nobody]), 1, &unknown);
    fails(
        &run(&db.url, &["user", "erase", nobody, "--yes"]),
        1,
        &unknown,
    );
    // Only by id: an address may be somebody else's by now.
    let address = ["user", "erase", "ada@example.com", "--yes"];
    fails(&run(&db.url, &address), USAGE, "ada@example.com");

    // A database that is none, and one that is not there and stays so.
    let file = std::env::temp_dir().join(format!(
        "patchbay_test_{}.db",
        Clock::system().random_id().simple()
    ));
    let url = format!("sqlite://{}", file.display());
    for args in [
        &["audit", "verify"][..],
        &["user", "erase", nobody, "--yes"],
    ] {
        fails(&run(&url, args), 1, "there is no database at DATABASE_URL");
        assert!(!file.exists());
    }
    std::fs::write(&file, "no database at all, ".repeat(99)).expect("written");
    for args in [
        &["audit", "verify", "--json"][..],
        &["audit", "export"],
        &["user", "export", nobody],
    ] {
        fails(&run(&url, args), 1, "It did not work:");
    }
    std::fs::remove_file(&file).expect("gone");
}
