//! `patchbay config` and `patchbay health`, as an operator runs them: the program itself.

use std::{
    path::PathBuf,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::{
    app::TestApp,
    support::db::TestDb,
    user_command::{fails, ok},
};

/// The program with these arguments and nothing but these variables.
pub async fn run(args: &[&str], env: &[(&str, &str)]) -> Output {
    let empty = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/empty.toml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_patchbay"));
    command
        .args(args)
        .env_clear()
        .env("PATCHBAY_CONFIG", empty)
        .envs(env.iter().copied())
        .stdin(Stdio::null());
    let ended = tokio::task::spawn_blocking(move || command.output());
    ended.await.expect("its end").expect("the program")
}

fn file(name: &str, text: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("patchbay_config_{}", std::process::id()));
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(&path, text).expect("a file");
    path
}

const WRONG: &str = "[server]\nlisten = \"x\"\n[nango]\ntimeout_seconds = 0\n";

#[tokio::test]
async fn every_error_of_the_settings_is_said_at_once_by_all_who_read_them() {
    let path = file("wrong.toml", WRONG);
    let path = path.to_str().expect("a name");
    let env = [
        ("PATCHBAY_CONFIG", path),
        ("LOG_FORMAT", "loud"),
        ("DATABASE_URL", "postgres://u:hunter2@db/x?sslmode=perhaps"),
    ];
    for args in [
        &["config", "check"][..],
        &["config", "print"],
        &["serve"],
        &["doctor"],
        &["backup", "/nowhere/x.db"],
        &["health"],
        &["migrate"],
    ] {
        let output = run(args, &env).await;
        assert_eq!(output.status.code(), Some(2), "{args:?}: {output:?}");
        let told = [output.stdout, output.stderr].concat();
        let told = String::from_utf8_lossy(&told).into_owned();
        for line in [
            &format!("{path}:2: [server] listen: there is no such setting"),
            &format!("{path}:4: [nango] timeout_seconds: “0” is not a whole number"),
            "environment variable LOG_FORMAT: “loud” is neither pretty nor json",
            "environment variable DATABASE_URL: can't be used: ",
        ] {
            assert!(told.contains(line), "{args:?}: {line}\n{told}");
        }
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[tokio::test]
async fn a_manifest_that_is_wrong_is_found_by_the_check() {
    let path = file("connectors/broken.json", "");
    let folder = path.parent().expect("a folder").to_str().expect("a name");
    let env = [("MANIFESTS_DIR", folder)];
    fails(&run(&["config", "check"], &env).await, 2, "broken.json");
    fails(&run(&["serve"], &env).await, 2, "broken.json");
}

#[tokio::test]
async fn the_check_says_what_is_on_and_off() {
    let said = ok(&run(&["config", "check"], &[]).await);
    for line in [
        "The settings can be used.",
        "  people open http://127.0.0.1:3000",
        "  database    SQLite, data/patchbay.db",
        "  Nango       the sandbox in its place, on 127.0.0.1:3003, since NANGO_SECRET_KEY is not set",
        "  sign-in     accounts of this server",
        "  demo user   on: whoever reaches this address may sign in",
        "  connectors  99",
    ] {
        assert!(said.lines().any(|found| found == line), "{line}\n{said}");
    }
    assert!(!said.contains('!'), "{said}");
    let env = [
        ("PUBLIC_URL", "https://connect.example.com"),
        ("DATABASE_URL", "postgres://u:hunter2@db/patchbay"),
        ("NANGO_SECRET_KEY", "hunter2"),
        ("NANGO_SECRETKEY", "hunter2"),
        ("AUTH_LOCAL", "false"),
        ("OIDC_PROVIDERS", "corp"),
        ("OIDC_CORP_ISSUER", "https://corp.example"),
        ("OIDC_CORP_CLIENT_ID", "patchbay"),
    ];
    let said = ok(&run(&["config", "check"], &env).await);
    for words in [
        "PostgreSQL, postgres://u:•••@db/patchbay",
        "on, https://api.nango.dev",
        "off: NANGO_WEBHOOK_SIGNING_KEY is not set",
        "  sign-in     Corp (https://corp.example)",
        "off: the address is public",
        "! PUBLIC_URL is https, so a proxy stands in front",
        "! environment variable NANGO_SECRETKEY: there is no such setting",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
    assert!(!said.contains("hunter2"), "{said}");
}

#[tokio::test]
async fn what_is_printed_is_a_settings_file() {
    let env = [("NANGO_SECRET_KEY", "hunter2"), ("PORT", "8080")];
    let printed = ok(&run(&["config", "print"], &env).await);
    assert!(printed.contains("# secret_key = \"•••\"  # environment variable NANGO_SECRET_KEY"));
    assert!(!printed.contains("hunter2"), "{printed}");
    let path = file("printed.toml", &printed);
    let env = [("PATCHBAY_CONFIG", path.to_str().expect("a name"))];
    let again = ok(&run(&["config", "print"], &env).await);
    assert!(
        again.contains("listen_addr = \"0.0.0.0:8080\"  # /"),
        "{again}"
    );
    let json = ok(&run(&["config", "print", "--json"], &env).await);
    let entries: Vec<serde_json::Value> = serde_json::from_str(&json).expect("JSON");
    assert!(entries.len() >= 37, "{json}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_is_asked_where_the_server_listens() {
    let db = TestDb::sqlite().await;
    let app = TestApp::start(&db).await;
    let port = app.base.rsplit(':').next().expect("a port");
    let said = ok(&run(&["health", "--url", &app.base], &[]).await);
    assert_eq!(said, "ready\n");
    let said = ok(&run(&["health", "--url", &app.base, "--live"], &[]).await);
    assert_eq!(said, "live\n");
    let said = ok(&run(&["health", "--url", &app.base, "--started"], &[]).await);
    assert_eq!(said, "started\n");
    // No proxy of the environment stands between.
    let proxy = ("http_proxy", "http://127.0.0.1:9");
    let address = format!("127.0.0.1:{port}");
    for env in [("LISTEN_ADDR", address.as_str()), ("PORT", port)] {
        ok(&run(&["health"], &[env, proxy]).await);
    }
    fails(
        &run(&["health"], &[("LISTEN_ADDR", "127.0.0.1:0")]).await,
        2,
        "give --url",
    );
    fails(
        &run(&["health", "--url", "ftp://127.0.0.1/"], &[]).await,
        2,
        "--url",
    );
    // A port that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = free.local_addr().expect("an address").to_string();
    drop(free);
    fails(
        &run(&["health"], &[("LISTEN_ADDR", &address)]).await,
        1,
        "does not answer",
    );
}

/// Something that answers every connection so, or takes it and says nothing.
async fn stub(answer: Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            drop(stream.read(&mut [0; 4096]).await);
            if let Some(answer) = answer {
                drop(stream.write_all(answer.as_bytes()).await);
            }
            held.push(stream);
        }
    });
    base
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_ready_or_hangs_is_not_healthy() {
    let refusal = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\n\
                   content-length: 68\r\n\r\n\
                   {\"code\":\"database_unavailable\",\"title\":\"The database is not there.\"}";
    let base = stub(Some(refusal)).await;
    let output = run(&["health", "--url", &base], &[]).await;
    fails(
        &output,
        1,
        "503 database_unavailable The database is not there.",
    );
    // Not taken for an answer of ours.
    let elsewhere =
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n";
    let base = stub(Some(elsewhere)).await;
    fails(&run(&["health", "--url", &base], &[]).await, 1, "302");
    for answer in [
        None,
        Some("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"),
    ] {
        let base = stub(answer).await;
        let asked = Instant::now();
        let output = run(&["health", "--url", &base], &[]).await;
        fails(&output, 1, "no answer within 3 s");
        assert!(
            asked.elapsed() < Duration::from_secs(8),
            "{:?}",
            asked.elapsed()
        );
    }
}
