//! `patchbay user`, as an operator runs it: the program itself, on both databases.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use crate::{
    app::TestApp,
    local_accounts::{ANOTHER, PASSWORD, enter, try_in},
    support::db::TestDb,
};

fn run(db: &TestDb, args: &[&str], stdin: &str) -> Output {
    let empty = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/empty.toml");
    let mut child = Command::new(env!("CARGO_BIN_EXE_patchbay"))
        .arg("user")
        .args(args)
        .env_clear()
        .env("PATCHBAY_CONFIG", empty)
        .env("DATABASE_URL", &db.url)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut pipe = child.stdin.take().expect("a pipe");
    // A program that reads nothing may have closed it.
    drop(pipe.write_all(stdin.as_bytes()));
    drop(pipe);
    child.wait_with_output().expect("its end")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn complained(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What it says of success.
#[track_caller]
pub fn ok(output: &Output) -> String {
    assert!(output.status.success(), "{}", complained(output));
    said(output)
}

#[track_caller]
pub fn fails(output: &Output, code: i32, words: &str) {
    let complaint = complained(output);
    assert_eq!(output.status.code(), Some(code), "{complaint}");
    assert!(
        complaint.contains(words) && said(output).is_empty(),
        "{complaint}"
    );
}

on_both! {
    async fn an_operator_makes_and_changes_people_beside_a_running_server(db: &TestDb) {
        let create = ["create", "--email", "Ada@Example.com", "--name", "Ada", "--admin", "--password-stdin"];
        let done = ok(&run(db, &create, &format!("{PASSWORD}\n")));
        assert!(done.contains("Ada <ada@example.com>") && done.contains("administrator"), "{done}");
        assert!(!done.contains(PASSWORD));
        fails(&run(db, &create, PASSWORD), 1, "This e-mail address has an account already.");
        fails(&run(db, &["create", "--email", "b@example.com", "--name", "B", "--password-stdin"], "short\n"), 1, "12 characters");

        let app = TestApp::start(db).await;
        let ada = enter(&app, "ada@example.com", PASSWORD).await;
        assert_eq!(ada.get("/api/v1/admin/users").await.status, 200);
        ok(&run(db, &["make-user", "ada@example.com"], ""));
        ada.get("/api/v1/admin/users").await.problem(403, "not_allowed");

        let done = ok(&run(db, &["create", "--email", "eve@example.com", "--name", "Eve"], ""));
        let (_, password) = done.trim_end().rsplit_once("shown this once: ").expect("a password");
        enter(&app, "eve@example.com", password).await;

        // Signed out at once, whatever the running server remembers.
        assert!(ok(&run(db, &["disable", "ada@example.com"], "")).contains("is disabled"));
        ada.get("/api/v1/connections").await.problem(401, "signed_out");
        assert_eq!(try_in(&app, "ada@example.com", PASSWORD).await.status, 403);
        ok(&run(db, &["enable", "ada@example.com"], ""));
        let ada = enter(&app, "ada@example.com", PASSWORD).await;
        let done = ok(&run(db, &["reset-password", "ada@example.com", "--password-stdin"], ANOTHER));
        assert!(done.contains("another password") && !done.contains(ANOTHER), "{done}");
        ada.get("/api/v1/connections").await.problem(401, "signed_out");
        assert_eq!(try_in(&app, "ada@example.com", PASSWORD).await.status, 401);
        let ada = enter(&app, "ada@example.com", ANOTHER).await;

        let all: Value = serde_json::from_str(&ok(&run(db, &["list", "--json"], ""))).expect("JSON");
        let emails: Vec<_> = all.as_array().expect("a list").iter().map(|user| user["email"].clone()).collect();
        assert_eq!(emails, ["ada@example.com", "eve@example.com"]);
        let id = all[0]["id"].as_str().expect("an id").to_owned();
        ok(&run(db, &["make-admin", &id], ""));
        assert_eq!(ada.get("/api/v1/admin/users").await.status, 200);
        let list = ok(&run(db, &["list"], ""));
        assert_eq!(list.lines().count(), 2, "{list}");
        assert!(list.lines().next().is_some_and(|line| line.starts_with(&id) && line.contains("admin  active")), "{list}");

        app.user_id("demo").await;
        let demo = app.user_id("demo").await.to_string();
        fails(&run(db, &["reset-password", &demo], ""), 1, "does not sign in with a password here");
        for nobody in ["nobody@example.com", "nobody", "00000000-0000-0000-0000-000000000001"] {
            fails(&run(db, &["disable", nobody], ""), 1, "There is no such person.");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_database_is_brought_up_to_date_first() {
    let db = TestDb::empty_sqlite().await;
    assert!(ok(&run(&db, &["list"], "")).contains("Nobody has signed in yet."));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_are_wrong_are_said_with_their_own_code() {
    let output = Command::new(env!("CARGO_BIN_EXE_patchbay"))
        .args(["user", "list"])
        .env_clear()
        .env("AUTH_LOCAL", "maybe")
        .current_dir(std::env::temp_dir())
        .output()
        .expect("the program");
    fails(&output, 2, "AUTH_LOCAL");
}
