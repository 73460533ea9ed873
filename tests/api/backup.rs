//! `patchbay backup` beside a server that is written to, and servers that are started from what it made.

mod writes;

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use sqlx::{Row, SqlitePool, sqlite::SqliteConnectOptions};

use crate::{
    app::TestApp,
    config_command::run,
    local_accounts::{PASSWORD, enter},
    person::{Person, text},
    support::db::TestDb,
    user_command::{fails, ok},
};
use writes::{Acknowledged, came, written_to};

/// A folder that goes away again.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let id = patchbay::server::clock::Clock::system().random_id();
        let folder = std::env::temp_dir().join(format!("patchbay_backup_{}", id.simple()));
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).expect("the folder");
        let mut names: Vec<_> = entries
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// A server on what was restored knows all that was acknowledged before the backup began, and nothing
/// of what was not there yet when it ended.
async fn is_all_there(app: &TestApp, before: &Acknowledged, after: &Acknowledged) {
    for door in 0..2 {
        let numbers = came(&app.db, door).await;
        let all = u32::try_from(numbers.len()).expect("a number");
        assert_eq!(
            numbers,
            (0..all).collect::<Vec<_>>(),
            "one moment, not several"
        );
        let (least, most) = (before.people[door].len(), after.people[door].len());
        // The one that was under way may have been written without having been answered.
        assert!(
            (least..=most + 1).contains(&numbers.len()),
            "{least} {all} {most}"
        );
        let cookie = &before.people[door][least - 1];
        let last = Person::new(app, cookie).get("/api/v1/connections").await;
        assert_eq!(last.status, 200, "the last session: {}", last.text);
    }
    let ada = enter(app, "ada@example.com", PASSWORD).await;
    let connection = ada.connection("gmail").await;
    assert_eq!(connection["status"], "connected");
    let name = text(&connection["account"]);
    let number: u32 = name
        .rsplit(' ')
        .next()
        .and_then(|n| n.parse().ok())
        .expect("a number");
    assert!(
        (before.renamed..=after.renamed + 1).contains(&number),
        "{name}: {before:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_starts_from_a_copy_that_was_made_while_it_was_written_to() {
    let (db, folder) = (TestDb::sqlite().await, Folder::new());
    let mut app = TestApp::start(&db).await;
    let source = [("DATABASE_URL", db.url.as_str())];
    let copies = written_to(&app, async |writes| {
        let mut copies = Vec::new();
        for round in 0..3 {
            writes.more(5).await;
            let to = folder.file(&format!("copy-{round}.db"));
            let before = writes.so_far();
            let output = run(&["backup", &to], &source).await;
            let after = writes.so_far();
            assert_eq!(ok(&output), "");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(
                said.contains("is a whole copy of ") && said.contains(" MB in "),
                "{said}"
            );
            copies.push((to, before, after));
        }
        copies
    })
    .await;
    let nango = app.nango.clone();
    let clock = app.clock.clone();
    app.stop().await;
    assert_eq!(folder.names(), ["copy-0.db", "copy-1.db", "copy-2.db"]);
    for (copy, before, after) in copies {
        let mode = std::fs::metadata(&copy)
            .expect("the copy")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "nobody else's to read");
        assert_eq!(integrity(&copy).await, "ok");
        let here = [("DATABASE_URL", copy.as_str())];
        assert!(ok(&run(&["audit", "verify"], &here).await).contains("Everything fits"));
        let mut restored = TestApp::at(&db, nango.clone(), clock.clone(), &here).await;
        is_all_there(&restored, &before, &after).await;
        // And goes on from there.
        restored.sign_in("somebody").await;
        restored.stop().await;
        assert_eq!(integrity(&copy).await, "ok");
        assert!(ok(&run(&["audit", "verify"], &here).await).contains("Everything fits"));
    }
}

async fn integrity(file: &str) -> String {
    let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(file)).await;
    let pool = pool.expect("the file");
    let row = sqlx::query("PRAGMA integrity_check").fetch_one(&pool).await;
    let said = row.expect("an answer").get(0);
    pool.close().await;
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_takes_nothing_away_and_leaves_nothing_behind() {
    let (db, folder) = (TestDb::sqlite().await, Folder::new());
    let source = [("DATABASE_URL", db.url.as_str())];
    let to = folder.file("copy.db");
    std::fs::write(&to, "something else").expect("a file");
    fails(
        &run(&["backup", &to], &source).await,
        1,
        "copy.db is there already",
    );
    assert_eq!(std::fs::read_to_string(&to).expect("it"), "something else");
    std::fs::remove_file(&to).expect("its end");

    let partial = folder.file("copy.db.partial");
    std::fs::write(&partial, "").expect("a file");
    fails(
        &run(&["backup", &to], &source).await,
        1,
        "another backup is under way",
    );
    assert_eq!(folder.names(), ["copy.db.partial"]);
    std::fs::remove_file(&partial).expect("its end");

    let nowhere = folder.file("nowhere/copy.db");
    fails(
        &run(&["backup", &nowhere], &source).await,
        1,
        "nowhere: No such file",
    );
    let missing = folder.file("missing.db");
    let from = [("DATABASE_URL", missing.as_str())];
    fails(
        &run(&["backup", &to], &from).await,
        1,
        "there is no database at DATABASE_URL yet",
    );
    let foreign = folder.file("foreign.db");
    let options = SqliteConnectOptions::new()
        .filename(&foreign)
        .create_if_missing(true);
    let pool = SqlitePool::connect_with(options).await.expect("a file");
    sqlx::raw_sql("CREATE TABLE cat (name TEXT)")
        .execute(&pool)
        .await
        .expect("a table");
    pool.close().await;
    let from = [("DATABASE_URL", foreign.as_str())];
    fails(
        &run(&["backup", &to], &from).await,
        1,
        "nothing of Patchbay's",
    );
    assert_eq!(folder.names(), ["foreign.db"]);

    // A copy of what is damaged would be no backup.
    ok(&run(&["backup", &to], &source).await);
    let mut bytes = std::fs::read(&to).expect("the copy");
    let middle = bytes.len() / 2;
    bytes[8192..middle].fill(0x55);
    std::fs::write(&to, bytes).expect("a damaged one");
    let (from, second) = ([("DATABASE_URL", to.as_str())], folder.file("second.db"));
    let output = run(&["backup", &second], &from).await;
    fails(&output, 1, "malformed");
    assert_eq!(folder.names(), ["copy.db", "foreign.db"]);
}

/// One of PostgreSQL's own programs, where it is installed.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    for version in (10..30).rev() {
        folders.push(format!("/usr/lib/postgresql/{version}/bin").into());
    }
    let mut files = folders.iter().map(|folder| folder.join(name));
    files.find(|file| file.is_file())
}

async fn shell(line: String, path: &Path, password: String) -> Output {
    let search = format!("{}:/usr/bin:/bin", path.display());
    let mut command = Command::new("sh");
    command
        .args(["-c", &line])
        .env("PATH", search)
        .env("PGPASSWORD", password);
    let ended = tokio::task::spawn_blocking(move || command.output());
    ended.await.expect("its end").expect("a shell")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn for_postgres_the_command_is_said_and_a_server_starts_from_what_it_makes() {
    let (db, folder) = (TestDb::postgres().await, Folder::new());
    let dump = folder.file("it's a.dump");
    let source = [("DATABASE_URL", db.url.as_str())];
    let output = run(&["backup", &dump], &source).await;
    fails(&output, 2, "PostgreSQL, which has a program of its own");
    let password = url::Url::parse(&db.url)
        .expect("a URL")
        .password()
        .unwrap_or_default()
        .to_owned();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(password.len() >= 8 && !said.contains(&password), "{said}");
    let line = said
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("pg_dump "));
    let line = line.expect("a command").to_owned();
    let Some(pg_dump) = program("pg_dump") else {
        eprintln!("there is no pg_dump here: whether the command works was not tried");
        return;
    };
    let path = pg_dump.parent().expect("a folder").to_owned();

    let mut app = TestApp::start(&db).await;
    let (before, after) = written_to(&app, async |writes| {
        writes.more(5).await;
        let before = writes.so_far();
        let output = shell(line, &path, password.clone()).await;
        assert!(output.status.success(), "{output:?}");
        (before, writes.so_far())
    })
    .await;
    let (nango, clock) = (app.nango.clone(), app.clock.clone());
    app.stop().await;
    let other = TestDb::empty_postgres().await;
    other.db.close().await;
    let restore = format!(
        "pg_restore --no-owner --exit-on-error --dbname='{}' '{}'",
        other.url,
        dump.replace('\'', r"'\''")
    );
    let output = shell(restore, &path, password).await;
    assert!(output.status.success(), "{output:?}");
    let here = [("DATABASE_URL", other.url.as_str())];
    assert!(ok(&run(&["audit", "verify"], &here).await).contains("Everything fits"));
    let mut restored = TestApp::at(&db, nango, clock, &here).await;
    is_all_there(&restored, &before, &after).await;
    restored.sign_in("somebody").await;
    restored.stop().await;
    assert!(ok(&run(&["audit", "verify"], &here).await).contains("Everything fits"));
}
