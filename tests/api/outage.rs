//! PostgreSQL breaks off, refuses and falls silent: what people get meanwhile, and that it heals.

use std::{
    panic::{AssertUnwindSafe, resume_unwind},
    time::{Duration, Instant},
};

use futures::FutureExt;
use patchbay::server::clock::Clock;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::{
    app::{TestApp, eventually},
    person::{Answer, Person},
    proxy::Proxy,
    support::db::TestDb,
};

/// A server whose database is behind a proxy, and somebody signed in there.
async fn behind(db: &TestDb) -> (Proxy, TestApp, Person) {
    let proxy = Proxy::before(&db.url).await;
    let app = TestApp::with(db, &[("DATABASE_URL", &proxy.url(&db.url))]).await;
    let ada = app.sign_in("adalovelace").await;
    (proxy, app, ada)
}

/// An answer, and that it came in time.
async fn in_time(within: Duration, path: &str, person: &Person) -> Answer {
    let began = Instant::now();
    let answer = person.get(path).await;
    let took = began.elapsed();
    assert!(took < within, "{path}: {took:?}");
    answer
}

async fn is_back(app: &TestApp) {
    eventually("the database is back", || async {
        let answer = app.get("/health/ready").await;
        (answer.status == 200).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_falls_silent_is_said_to_be_away_and_found_when_it_is_back() {
    let db = TestDb::postgres().await;
    let (proxy, app, ada) = behind(&db).await;
    let before = ada.get("/api/v1/connections").await.ok();
    proxy.hang();
    let first = in_time(Duration::from_secs(5), "/api/v1/connections", &ada).await;
    first.problem(503, "database_unavailable");
    assert_eq!(first.header("retry-after"), "5");
    eventually("it is known to be away", || async {
        let began = Instant::now();
        app.get("/health/ready")
            .await
            .problem(503, "database_unavailable");
        (began.elapsed() < Duration::from_secs(1)).then_some(())
    })
    .await;
    // By now nobody waits in vain for long, however many come.
    let crowd = (0..300).map(|_| in_time(Duration::from_secs(5), "/api/v1/connections", &ada));
    for answer in futures::future::join_all(crowd).await {
        answer.problem(503, "database_unavailable");
    }
    proxy.pass();
    is_back(&app).await;
    for _ in 0..20 {
        assert_eq!(ada.get("/api/v1/connections").await.ok(), before);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_refuses_is_said_to_be_away_at_once() {
    let db = TestDb::postgres().await;
    let (proxy, app, ada) = behind(&db).await;
    proxy.refuse();
    for _ in 0..5 {
        let answer = in_time(Duration::from_secs(2), "/api/v1/connections", &ada).await;
        answer.problem(503, "database_unavailable");
    }
    let posted = ada
        .post("/api/v1/connectors/gmail/connect", &json!({}))
        .await;
    posted.problem(503, "database_unavailable");
    proxy.pass();
    is_back(&app).await;
    ada.connected(&app.nango, "gmail").await;
}

/// PostgreSQL was restarted, and is there again: nobody notices.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_connections_were_broken_off_the_next_request_works() {
    let db = TestDb::postgres().await;
    let (proxy, _app, ada) = behind(&db).await;
    for round in 0..5 {
        // All ten of the pool.
        futures::future::join_all((0..30).map(|_| ada.get("/api/v1/connections"))).await;
        proxy.cut();
        let answer = ada.get("/api/v1/connections").await;
        assert_eq!(answer.status, 200, "round {round}: {}", answer.text);
        let name = json!({"inputs": {}});
        let slug = ["gmail", "slack", "zoom", "hubspot", "asana"][round];
        proxy.cut();
        let path = format!("/api/v1/connectors/{slug}/connect");
        let answer = ada.post(&path, &name).await;
        assert!(answer.status < 500, "round {round}: {}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_catalogue_stays_readable_without_its_database() {
    let db = TestDb::postgres().await;
    let (proxy, app, ada) = behind(&db).await;
    ada.connected(&app.nango, "gmail").await;
    let well = ada.get("/connectors").await;
    assert!(
        well.status == 200 && well.text.contains("adalovelace"),
        "{}",
        well.text
    );
    proxy.refuse();
    let page = ada.get("/connectors").await;
    assert_eq!(page.status, 503, "{}", page.text);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(page.header("retry-after"), "5");
    assert_eq!(page.header("cache-control"), "no-store");
    assert!(
        page.header("content-security-policy")
            .contains("default-src 'none'")
    );
    for there in [
        "Gmail",
        "Slack",
        "can’t be shown right now",
        "http-equiv=\"refresh\"",
        "Search 99 connectors",
        // What the search field's icon is drawn from.
        "<symbol id=\"glass\"",
    ] {
        assert!(page.text.contains(there), "{there} is missing");
    }
    // Nobody's name, nobody's states, nothing to press that could not work.
    for absent in [
        "adalovelace",
        "formaction",
        "method=\"post\"",
        "Connected<",
        "<script",
    ] {
        assert!(!page.text.contains(absent), "{absent} is there");
    }
    let found = ada.get("/connectors?q=slack").await.text;
    assert!(
        found.contains("Slack") && !found.contains("Gmail"),
        "{found}"
    );
    let none = ada.get("/connectors?q=%3Cb%3Enothing").await.text;
    assert!(
        none.contains("No connector matches") && !none.contains("<b>nothing"),
        "{none}"
    );
    // Every other page is a small one; programs get a problem.
    let account = ada.get("/account").await;
    assert_eq!(
        (account.status, account.header("content-type")),
        (503, "text/html; charset=utf-8")
    );
    assert!(account.text.contains("does not answer"), "{}", account.text);
    assert!(
        account.text.contains("color-scheme:light dark"),
        "{}",
        account.text
    );
    ada.get("/api/v1/connectors")
        .await
        .problem(503, "database_unavailable");
    let json = ada.request(
        reqwest::Method::GET,
        "/connectors",
        &[("accept", "application/json")],
        None,
    );
    json.await.problem(503, "database_unavailable");
    proxy.pass();
    is_back(&app).await;
    assert_eq!(ada.get("/connectors").await.status, 200);
}

/// Also where the session could be read, and what the page itself asks for could not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_somebody_locks_keeps_nobody_waiting_and_everybody_is_told_when_to_come_again()
{
    let db = TestDb::postgres().await;
    let app = TestApp::start(&db).await;
    let ada = app.sign_in("ada").await;
    let mut holder = sqlx::PgConnection::connect(&db.url).await.unwrap();
    let lock = "BEGIN; LOCK TABLE user_connector_connection IN ACCESS EXCLUSIVE MODE";
    sqlx::raw_sql(lock).execute(&mut holder).await.unwrap();
    let paths = [
        "/connectors/gmail",
        "/connectors?q=mail",
        "/api/v1/connections",
    ];
    let asked = paths.map(|path| in_time(Duration::from_secs(5), path, &ada));
    for (answer, path) in futures::future::join_all(asked).await.iter().zip(paths) {
        assert_eq!(answer.status, 503, "{path}");
        assert_eq!(answer.header("retry-after"), "5", "{path}");
    }
    holder.close().await.unwrap();
    eventually("everybody is served again", || async {
        (ada.get("/connectors/gmail").await.status == 200).then_some(())
    })
    .await;
}

/// A newer version beside this one may say what this one does not know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_word_that_it_does_not_know_everything_is_looked_up_again() {
    let db = TestDb::postgres().await;
    let app = TestApp::start(&db).await;
    let ada = app.sign_in("ada").await;
    let mut stream = ada.events().await;
    let snapshot = Some(("snapshot".to_owned(), json!([])));
    assert_eq!(stream.next().await, snapshot);
    let mut newer = sqlx::PgConnection::connect(&db.url).await.unwrap();
    let word = "SELECT pg_notify('patchbay', '{\"of\": \"tomorrow\"}')";
    sqlx::raw_sql(word).execute(&mut newer).await.unwrap();
    assert_eq!(stream.next().await, snapshot);
}

/// Two servers; the one at whose page somebody sits hears by a connection of its own.
async fn two(db: &TestDb) -> (Proxy, TestApp, TestApp, Person, Person) {
    let proxy = Proxy::before(&db.url).await;
    let direct = ("DATABASE_DIRECT_URL", proxy.url(&db.url));
    let other = TestApp::start(db).await;
    let nango = other.nango.clone();
    let here = TestApp::at(db, nango, Clock::system(), &[(direct.0, &direct.1)]).await;
    let ada = other.sign_in("ada").await;
    let there = ada.at(&here);
    (proxy, other, here, ada, there)
}

/// Until the stream shows the connection in this status.
async fn until(stream: &mut crate::person::Stream, slug: &str, status: &str) {
    let began = Instant::now();
    loop {
        let left = Duration::from_secs(20).saturating_sub(began.elapsed());
        let (event, data) = stream.within(left).await.expect("the stream goes on");
        let all: Vec<Value> = match data {
            Value::Array(all) if event == "snapshot" => all,
            one => vec![one],
        };
        if all
            .iter()
            .any(|c| c["connector"] == slug && c["status"] == status)
        {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_announced_while_the_listener_is_cut_off_is_seen_all_the_same() {
    let db = TestDb::postgres().await;
    let (proxy, other, _here, ada, there) = two(&db).await;
    let mut stream = there.events().await;
    assert_eq!(
        stream.next().await,
        Some(("snapshot".to_owned(), json!([])))
    );
    proxy.refuse();
    ada.connected(&other.nango, "gmail").await;
    proxy.pass();
    until(&mut stream, "gmail", "connected").await;
    // And from then on by LISTEN again.
    ada.connected(&other.nango, "slack").await;
    until(&mut stream, "slack", "connected").await;
}

/// Nothing breaks, nothing arrives: only whoever asks for a word notices.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_hears_nothing_any_more_notices_it() {
    let db = TestDb::postgres().await;
    let (proxy, other, _here, ada, there) = two(&db).await;
    let mut stream = there.events().await;
    assert_eq!(
        stream.next().await,
        Some(("snapshot".to_owned(), json!([])))
    );
    proxy.freeze();
    ada.connected(&other.nango, "gmail").await;
    until(&mut stream, "gmail", "connected").await;
}

/// NOTIFY is not heard: here because the direct address is another database, elsewhere because of a
/// pooler (`scripts/pooler.sh`).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nothing_is_heard_changes_are_looked_for() {
    let db = TestDb::postgres().await;
    let elsewhere = TestDb::postgres().await;
    let other = TestApp::start(&db).await;
    let direct = [("DATABASE_DIRECT_URL", elsewhere.url.as_str())];
    let here = TestApp::at(&db, other.nango.clone(), Clock::system(), &direct).await;
    assert!(crate::app::log_text().contains("is looked for each second"));
    let ada = other.sign_in("ada").await;
    let mut stream = ada.at(&here).events().await;
    assert_eq!(
        stream.next().await,
        Some(("snapshot".to_owned(), json!([])))
    );
    for slug in ["gmail", "slack"] {
        ada.connected(&other.nango, slug).await;
        until(&mut stream, slug, "connected").await;
    }
}

/// A role that may have one connection: what LISTEN needs is not to be had, from the start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_never_came_up_is_told_of_and_comes_up_later() {
    let db = TestDb::postgres().await;
    let other = TestApp::start(&db).await;
    let mut operator = PgConnection::connect(&db.url).await.expect("a connection");
    let mut direct = url::Url::parse(&db.url).expect("an address");
    let (owner, role) = (
        direct.username().to_owned(),
        direct.path().replace('/', "r_"),
    );
    let made = format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'p' CONNECTION LIMIT 1; GRANT \"{owner}\" TO {role}"
    );
    sqlx::raw_sql(&made)
        .execute(&mut operator)
        .await
        .expect("a role");
    direct.set_username(&role).expect("a name");
    direct.set_password(Some("p")).expect("a password");
    let settings = [
        ("DATABASE_DIRECT_URL", direct.as_str()),
        ("METRICS_ADDR", "127.0.0.1:0"),
    ];
    let checked = AssertUnwindSafe(comes_up_later(&db, &other, &settings, &role, &mut operator));
    let checked = checked.catch_unwind().await;
    let gone = format!("DROP ROLE {role}");
    sqlx::raw_sql(&gone)
        .execute(&mut operator)
        .await
        .expect("an end");
    if let Err(panic) = checked {
        resume_unwind(panic);
    }
}

async fn comes_up_later(
    db: &TestDb,
    other: &TestApp,
    settings: &[(&str, &str)],
    role: &str,
    operator: &mut PgConnection,
) {
    let here = TestApp::at(db, other.nango.clone(), Clock::system(), settings).await;
    let alarms = || async { here.get("/health/ready").await.ok().get("alarms").cloned() };
    eventually("an alarm", || async {
        (alarms().await? == json!(["live_updates_interrupted"])).then_some(())
    })
    .await;
    assert!(crate::app::log_text().contains("too many connections for role"));
    let metrics = here
        .http
        .get(here.metrics_url())
        .send()
        .await
        .expect("an answer");
    let metrics = metrics.text().await.expect("a text");
    assert!(
        metrics.contains("\npatchbay_live_listening 0\n"),
        "{metrics}"
    );
    let ada = other.sign_in("ada").await;
    let mut stream = ada.at(&here).events().await;
    stream.next().await;

    let more = format!("ALTER ROLE {role} CONNECTION LIMIT 20");
    sqlx::raw_sql(&more)
        .execute(operator)
        .await
        .expect("a setting");
    eventually("an end of the alarm", || async {
        alarms().await.is_none().then_some(())
    })
    .await;
    ada.connected(&other.nango, "gmail").await;
    until(&mut stream, "gmail", "connected").await;
}
