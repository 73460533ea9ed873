//! `patchbay doctor`: what it says of a server that is well, and of each thing that may be wrong.

mod nango;

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use patchbay::server::{
    clock::Clock,
    config::Config,
    doctor::{self, Check, Report, Status, Target},
    manifest::Registry,
    nango::signature::HEADER,
    sandbox::{self, Integration},
};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    app::TestApp,
    nango::{KEY, Pretend},
    support::db::TestDb,
};

const SIGNING_KEY: &str = "2b8f8f4c-52c3-4f1c-8d7a-3a5b1f7f9c10";

/// The settings of the server that is looked at.
fn config(db: &TestDb, settings: &[(&str, &str)]) -> Config {
    let env = |name: &str| {
        let found = settings.iter().find(|(n, _)| *n == name);
        let empty = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/empty.toml");
        match (found, name) {
            (Some((_, value)), _) => Some((*value).to_owned()),
            (None, "DATABASE_URL") => Some(db.url.clone()),
            (None, "NANGO_SECRET_KEY") => Some(KEY.to_owned()),
            (None, "NANGO_TIMEOUT_SECONDS") => Some("5".to_owned()),
            (None, "PATCHBAY_CONFIG") => Some(empty.to_owned()),
            _ => None,
        }
    };
    Config::load(None, &env).unwrap_or_else(|e| panic!("{e}"))
}

async fn report(db: &TestDb, base: &str, settings: &[(&str, &str)], clock: &Clock) -> Report {
    let mut all = vec![("NANGO_BASE_URL", base)];
    all.extend(settings);
    let config = config(db, &all);
    let target = Target::Real {
        base_url: config.nango.base_url.clone(),
        secret_key: config.nango.secret_key.clone().unwrap_or_default(),
    };
    let registry = Registry::load(None).expect("the manifests");
    doctor::run(&config, &registry, &target, clock).await
}

/// The checks by their ids.
async fn examine(
    db: &TestDb,
    base: &str,
    settings: &[(&str, &str)],
) -> BTreeMap<&'static str, Check> {
    let report = report(db, base, settings, &Clock::system()).await;
    by_id(report)
}

fn by_id(report: Report) -> BTreeMap<&'static str, Check> {
    let count = report.checks.len();
    let found: BTreeMap<_, _> = report.checks.into_iter().map(|c| (c.id, c)).collect();
    assert_eq!(found.len(), count, "an id stands twice");
    for check in found.values() {
        assert_eq!(check.fix.is_none(), check.status == Status::Ok, "{check:?}");
    }
    found
}

#[track_caller]
fn is(found: &BTreeMap<&'static str, Check>, id: &str, status: Status, says: &str) {
    let check = found
        .get(id)
        .unwrap_or_else(|| panic!("no {id} in {found:#?}"));
    assert_eq!(check.status, status, "{check:?}");
    let text = format!("{} {}", check.summary, check.details.join(" "));
    assert!(text.contains(says), "{check:?}");
}

/// A sandbox with other integrations than the manifests ask for.
async fn sandbox_with(change: impl FnOnce(&mut Vec<Integration>)) -> sandbox::Running {
    let registry = Registry::load(None).expect("the manifests");
    let mut integrations: Vec<Integration> = registry
        .all()
        .iter()
        .map(|manifest| Integration {
            unique_key: manifest.nango.provider_key.clone(),
            provider: manifest.provider().to_owned(),
            display_name: manifest.name.clone(),
            auth_mode: manifest.nango.auth_mode.clone(),
            connection_config: Vec::new(),
        })
        .collect();
    change(&mut integrations);
    let config = sandbox::Config {
        listen: "127.0.0.1:0".parse().expect("an address"),
        state_file: None,
        secret_key: KEY.to_owned().into(),
        integrations,
        rate_limit_per_minute: None,
        webhook: None,
    };
    sandbox::start(config, Clock::system())
        .await
        .expect("a sandbox")
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await.expect("serving") });
    base
}

/// A server that takes webhooks signed with this key; with none, it takes whatever comes.
async fn receiver(nango: &str, key: Option<&'static str>) -> String {
    async fn take(
        State(key): State<Option<&'static str>>,
        headers: HeaderMap,
        body: Bytes,
    ) -> Response {
        let said = headers.get(HEADER).and_then(|v| v.to_str().ok());
        let wanted = key.map(|key| doctor::signature(&SecretString::from(key), &body));
        if wanted.as_deref().is_some_and(|wanted| said != Some(wanted)) {
            let problem = json!({"code": "webhook_signature_invalid"});
            return (StatusCode::UNAUTHORIZED, Json(problem)).into_response();
        }
        StatusCode::OK.into_response()
    }
    let to: Arc<str> = format!("{nango}/oauth/callback").into();
    let callback = move |axum::extract::RawQuery(query): axum::extract::RawQuery| {
        let location = format!("{to}?{}", query.unwrap_or_default());
        async move { (StatusCode::PERMANENT_REDIRECT, [("location", location)]) }
    };
    let router = Router::new()
        .route("/health/live", get(|| async { "{}" }))
        .route("/api/v1/connectors/callback", get(callback))
        .route("/api/v1/webhooks/nango", post(take))
        .with_state(key);
    serve(router).await
}

on_both! {
    /// The server itself, its callback, its database, and a sandbox in Nango's place.
    async fn all_is_well(db: &TestDb) {
        let app = TestApp::start(db).await;
        let report = report(db, &app.nango.base, &[("PUBLIC_URL", &app.base), ("LISTEN_ADDR", app.base.trim_start_matches("http://"))], &app.clock).await;
        assert!(report.is_ok(false), "{}", report.text(false));
        let found = by_id(report);
        for (id, check) in &found {
            let expected = if *id == "webhook.key" { Status::Warning } else { Status::Ok };
            assert_eq!(check.status, expected, "{check:?}");
        }
        for id in ["key", "scope.connect_sessions_write", "clock", "socket", "callback", "integrations.auth_mode", "database.write"] {
            assert!(found.contains_key(id), "{id}");
        }
        // It has looked only: nothing is left behind, here or at Nango.
        assert!(app.nango.connections().await.is_empty());
    }

    async fn webhooks_arrive(db: &TestDb) {
        let nango = Pretend::start().await;
        let public = receiver(&nango.base, Some(SIGNING_KEY)).await;
        let settings = [("PUBLIC_URL", public.as_str()), ("NANGO_WEBHOOK_SIGNING_KEY", SIGNING_KEY)];
        let found = examine(db, &nango.base, &settings).await;
        is(&found, "webhook.delivery", Status::Ok, "forged one refused");
        is(&found, "webhook.key", Status::Ok, "is set");
        // The server has another key than the doctor.
        let settings = [("PUBLIC_URL", public.as_str()), ("NANGO_WEBHOOK_SIGNING_KEY", "another")];
        let found = examine(db, &nango.base, &settings).await;
        is(&found, "webhook.delivery", Status::Failed, "refuses a webhook signed");
        // Whatever comes is taken.
        let public = receiver(&nango.base, None).await;
        let settings = [("PUBLIC_URL", public.as_str()), ("NANGO_WEBHOOK_SIGNING_KEY", KEY)];
        let found = examine(db, &nango.base, &settings).await;
        is(&found, "webhook.delivery", Status::Failed, "wrong signature");
        is(&found, "webhook.key", Status::Warning, "the signing key is the secret key");
    }

    async fn a_server_that_is_not_there(db: &TestDb) {
        let nango = Pretend::start().await;
        let settings = [("PUBLIC_URL", "http://127.0.0.1:1"), ("NANGO_WEBHOOK_SIGNING_KEY", SIGNING_KEY)];
        let report = report(db, &nango.base, &settings, &Clock::system()).await;
        // A warning: who runs the doctor first has not started anything yet.
        assert!(report.is_ok(false) && !report.is_ok(true), "{}", report.text(false));
        let found = by_id(report);
        is(&found, "public_url", Status::Warning, "nobody answers");
        assert!(!found.contains_key("webhook.delivery"), "{found:#?}");
    }

    async fn a_callback_that_leads_elsewhere(db: &TestDb) {
        let nango = Pretend::start().await;
        let public = receiver("https://elsewhere.example", Some(SIGNING_KEY)).await;
        let found = examine(db, &nango.base, &[("PUBLIC_URL", public.as_str())]).await;
        is(&found, "callback", Status::Failed, "leads to https://elsewhere.example/oauth/callback");
    }

    async fn a_wrong_key(db: &TestDb) {
        let nango = Pretend::start().await;
        let wrong = "11111111-2222-4333-8444-555555555555";
        let report = report(db, &nango.base, &[("NANGO_SECRET_KEY", wrong)], &Clock::system()).await;
        assert!(!report.is_ok(false));
        let json = report.json(false);
        assert!(!json.contains(wrong) && !report.text(true).contains(wrong), "{json}");
        let shown: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(shown["ok"], false);
        let found = by_id(report);
        is(&found, "key", Status::Failed, "refuses the key (401 unknown_account)");
        assert!(!found.contains_key("integrations.missing"), "{found:#?}");
    }

    async fn a_clock_that_is_wrong(db: &TestDb) {
        let nango = Pretend::start().await;
        for (ms, status) in [(30_000, Status::Ok), (-120_000, Status::Warning), (400_000, Status::Failed)] {
            let clock = Clock::fixed(Clock::system().now());
            clock.advance(ms);
            let found = by_id(report(db, &nango.base, &[], &clock).await);
            let way = if ms > 0 { "ahead of" } else { "behind" };
            is(&found, "clock", status, way);
        }
    }
}

on_both! {
    async fn a_missing_integration(db: &TestDb) {
        let nango = Pretend::start().await;
        nango.remove_integration("google-mail").await;
        let found = examine(db, &nango.base, &[]).await;
        is(&found, "integrations.missing", Status::Warning, "1 of 99 connectors");
        is(&found, "integrations.missing", Status::Warning, "gmail");
        is(&found, "integrations.renamed", Status::Ok, "");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_not_migrated_stays_so() {
    let nango = Pretend::start().await;
    for db in [TestDb::empty_sqlite().await, TestDb::empty_postgres().await] {
        for _ in 0..2 {
            let found = examine(&db, &nango.base, &[]).await;
            is(
                &found,
                "database.schema",
                Status::Failed,
                "migrations are not applied",
            );
            assert!(!found.contains_key("database.write"), "{found:#?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_not_there() {
    let nango = Pretend::start().await;
    let db = TestDb::sqlite().await;
    let file = std::env::temp_dir()
        .join("patchbay-doctor-none")
        .join("no.db");
    let path = file.display().to_string();
    let found = examine(&db, &nango.base, &[("DATABASE_URL", &path)]).await;
    is(&found, "database", Status::Warning, "not there yet");
    assert!(!file.exists() && !file.parent().expect("a folder").exists());
    let url = "postgres://me:hunter2@127.0.0.1:1/patchbay";
    let report = report(&db, &nango.base, &[("DATABASE_URL", url)], &Clock::system()).await;
    assert!(!report.json(false).contains("hunter2"));
    is(
        &by_id(report),
        "database",
        Status::Failed,
        "patchbay at 127.0.0.1:1",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_version_has_been_here() {
    let nango = Pretend::start().await;
    let db = TestDb::sqlite().await;
    let patchbay::server::db::Db::Sqlite(pool) = &db.db else {
        panic!("not SQLite");
    };
    let later = [
        ("99990101000000", "later", Status::Warning),
        ("99990101000001", "contract later", Status::Failed),
    ];
    for (version, name, status) in later {
        let row = format!(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES ({version}, '{name}', TRUE, x'00', -1)"
        );
        let written = sqlx::query(&row).execute(&**pool).await;
        written.expect("a row");
        let found = examine(&db, &nango.base, &[]).await;
        is(&found, "database.schema", status, version);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_that_do_not_fit() {
    let nango = Pretend::start().await;
    let db = TestDb::sqlite().await;
    for (listen, public, says) in [
        (
            "127.0.0.1:3000",
            "http://patchbay.example",
            "without encryption",
        ),
        ("0.0.0.0:3000", "http://127.0.0.1:3000", "calls itself"),
        ("127.0.0.1:3000", "http://127.0.0.1:1", "calls itself"),
    ] {
        let settings = [("LISTEN_ADDR", listen), ("PUBLIC_URL", public)];
        let found = examine(&db, &nango.base, &settings).await;
        is(&found, "addresses", Status::Warning, says);
    }
}

/// Without a key: the sandbox is started for it, or that of a running server is used.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_key_the_sandbox_is_looked_at() {
    let db = TestDb::sqlite().await;
    let folder =
        std::env::temp_dir().join(format!("patchbay-doctor-{}", Clock::system().random_id()));
    let state = folder.join("sandbox.json").display().to_string();
    let mut settings = vec![
        ("NANGO_SECRET_KEY", ""),
        ("PUBLIC_URL", "http://127.0.0.1:1"),
        ("SANDBOX_STATE_FILE", state.as_str()),
        ("SANDBOX_SECRET_KEY", KEY),
        ("SANDBOX_LISTEN_ADDR", "127.0.0.1:0"),
    ];
    let report = patchbay::server::startup::doctor(&config(&db, &settings))
        .await
        .expect("a report");
    assert!(report.is_ok(false), "{}", report.text(false));
    is(&by_id(report), "nango", Status::Ok, "started for this");
    assert!(!folder.exists(), "it left a file");

    let running = sandbox_with(|_| {}).await;
    let addr = running.addr.to_string();
    settings.retain(|(name, _)| *name != "SANDBOX_LISTEN_ADDR");
    settings.push(("SANDBOX_LISTEN_ADDR", addr.as_str()));
    let report = patchbay::server::startup::doctor(&config(&db, &settings))
        .await
        .expect("a report");
    let found = by_id(report);
    is(&found, "nango", Status::Ok, "of a running server");
    is(&found, "key", Status::Ok, "takes the key");
    running.stop().await.expect("an end");
}
