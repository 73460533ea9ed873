//! How the program starts without its database, and how it ends.

use std::{
    io::Read,
    net::TcpListener,
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};

use reqwest::{Client, Response};

use crate::{
    app::{TestApp, client, eventually},
    program,
    proxy::Proxy,
    support::db::TestDb,
};

struct Program {
    child: Child,
    base: String,
    http: Client,
}

impl Program {
    fn start(database: &str, settings: &[(&str, &str)]) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
        let address = free.expect("a port").to_string();
        let mut all = vec![("NANGO_ENABLED", "false")];
        all.extend(settings);
        let child = program::serve(database, &address, &all);
        Self {
            child,
            base: format!("http://{address}"),
            http: client(),
        }
    }

    async fn get(&self, path: &str) -> Option<Response> {
        let url = format!("{}{path}", self.base);
        self.http.get(url).send().await.ok()
    }

    async fn until(&self, path: &str, status: u16) -> Response {
        eventually(&format!("{path} is {status}"), || async {
            let answer = self.get(path).await?;
            (answer.status() == status).then_some(answer)
        })
        .await
    }

    fn terminate(&self) {
        let pid = self.child.id().to_string();
        let done = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(done.expect("kill").success());
    }

    /// Its end, within so long, and what it said.
    async fn ended(&mut self, within: Duration) -> (ExitStatus, String) {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a status") {
                break status;
            }
            assert!(
                began.elapsed() < within,
                "it goes on for {:?}",
                began.elapsed()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let mut text = String::new();
        let log = self.child.stderr.take();
        log.expect("a pipe")
            .read_to_string(&mut text)
            .expect("text");
        (status, text)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_not_there_yet_is_waited_for() {
    let db = TestDb::postgres().await;
    let proxy = Proxy::absent(&db.url).await;
    let metrics = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
    let metrics = metrics.expect("a port").to_string();
    let mut program = Program::start(&proxy.url(&db.url), &[("METRICS_ADDR", &metrics)]);
    program.until("/health/live", 200).await;
    for path in [
        "/health/ready",
        "/health/startup",
        "/api/v1/connectors",
        "/api/v1/webhooks/nango",
    ] {
        let answer = program.get(path).await.expect("an answer");
        assert_eq!(answer.status(), 503, "{path}");
        assert!(answer.headers().contains_key("retry-after"), "{path}");
        let id = answer.headers().get("x-request-id").expect("an id").clone();
        assert_eq!(
            answer.headers()["content-type"],
            "application/problem+json",
            "{path}"
        );
        let problem: serde_json::Value = answer.json().await.expect("a problem");
        assert_eq!(problem["code"], "starting", "{path}");
        assert_eq!(problem["request_id"], id.to_str().expect("text"), "{path}");
    }
    let scrape = async || {
        let answer = program.http.get(format!("http://{metrics}/metrics")).send();
        answer
            .await
            .expect("an answer")
            .text()
            .await
            .expect("a text")
    };
    // Whoever watches over it hears what it waits for.
    let found = scrape().await;
    assert!(found.contains("\npatchbay_database_up 0\n"), "{found}");
    let refused = r#"patchbay_http_requests_total{method="GET",route="fallback",status="5xx"} 2"#;
    assert!(found.contains(refused), "{found}");
    let page = program.get("/connectors").await.expect("a page");
    assert_eq!(page.status(), 503);
    assert!(page.headers().contains_key("retry-after"));
    let page = page.text().await.expect("a page");
    assert!(
        page.contains("This server is starting.") && page.contains("http-equiv"),
        "{page}"
    );
    proxy.pass();
    program.until("/health/ready", 200).await;
    program.until("/sign-in", 200).await;
    let found = scrape().await;
    assert!(found.contains("\npatchbay_database_up 1\n"), "{found}");
    program.terminate();
    let (status, log) = program.ended(Duration::from_secs(3)).await;
    assert!(status.success(), "{log}");
    assert!(
        log.contains("waiting for the database") && log.contains("refused"),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_for_a_database_ends_when_told() {
    let db = TestDb::postgres().await;
    let proxy = Proxy::absent(&db.url).await;
    let mut program = Program::start(&proxy.url(&db.url), &[]);
    program.until("/health/live", 200).await;
    program.terminate();
    let (status, log) = program.ended(Duration::from_secs(1)).await;
    assert!(status.success(), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waiting_does_not_heal_ends_it() {
    let db = TestDb::postgres().await;
    let mut wrong = url::Url::parse(&db.url).expect("an address");
    wrong.set_password(Some("wrong")).expect("a password");
    let mut missing = url::Url::parse(&db.url).expect("an address");
    missing.set_path("/no_such_database");
    for (url, reason) in [
        (wrong, "password authentication failed"),
        (missing, "does not exist"),
    ] {
        let mut program = Program::start(url.as_str(), &[]);
        let (status, log) = program.ended(Duration::from_secs(10)).await;
        assert_eq!(status.code(), Some(1), "{log}");
        assert!(log.contains(reason), "{log}");
        assert!(!log.contains("waiting for the database"), "{log}");
    }
}

/// An event stream would stay open for ever: it ends with a word on when to come back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_end_with_the_server_and_say_when_to_come_back() {
    let db = TestDb::postgres().await;
    let proxy = Proxy::before(&db.url).await;
    for hangs in [false, true] {
        let mut program = Program::start(&proxy.url(&db.url), &[]);
        program.until("/health/ready", 200).await;
        let sign_in = program.http.post(format!("{}/sign-in/demo", program.base));
        let answer = sign_in
            .header("origin", &program.base)
            .header("content-type", "application/x-www-form-urlencoded")
            .body("name=ada")
            .send()
            .await
            .expect("an answer");
        let cookie = answer.headers()["set-cookie"].to_str().expect("text");
        let cookie = cookie.split(';').next().expect("a cookie").to_owned();
        let stream = program.http.get(format!("{}/api/v1/events", program.base));
        let mut stream = stream
            .header("cookie", cookie)
            .send()
            .await
            .expect("a stream");
        let first = stream.chunk().await.expect("a chunk").expect("a chunk");
        assert!(String::from_utf8_lossy(&first).contains("event: snapshot"));
        if hangs {
            proxy.hang();
        }
        program.terminate();
        let began = Instant::now();
        let mut rest = String::new();
        while let Some(chunk) = stream.chunk().await.expect("its end") {
            rest.push_str(&String::from_utf8_lossy(&chunk));
        }
        assert!(rest.contains("retry: "), "{rest}");
        assert!(
            began.elapsed() < Duration::from_secs(3),
            "{:?}",
            began.elapsed()
        );
        let (status, log) = program.ended(Duration::from_secs(3)).await;
        assert!(status.success(), "{log}");
        proxy.pass();
    }
}

/// The socket of an attempt ends with its instance: another one finds the outcome.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_is_settled_by_another_instance_when_its_own_has_ended() {
    let db = TestDb::postgres().await;
    let mut one = TestApp::start(&db).await;
    let two = one.twin().await;
    let ada = one.sign_in("ada").await;
    let started = ada.connect("gmail").await;
    one.stop().await;
    let url = crate::person::text(&started["oauth_url"]);
    one.nango.popup(url, crate::nango::Decision::Allow).await;
    ada.at(&two).until("gmail", "connected").await;
}

/// The machine's clock is set an hour ahead while somebody signs in elsewhere, and then back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_loses_nothing() {
    let db = TestDb::postgres().await;
    let app = TestApp::frozen(&db).await;
    let ada = app.sign_in("ada").await;
    app.nango.silence().await;
    let started = ada.connect("gmail").await;
    app.clock.advance(60 * 60 * 1000);
    let began = Instant::now();
    loop {
        if ada.attempt(&started).await["state"] == "expired" {
            break;
        }
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "it does not expire"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    app.clock.advance(-60 * 60 * 1000);
    // The session still counts, the lease is still held, and what was allowed connects.
    let url = crate::person::text(&started["oauth_url"]);
    app.nango.popup(url, crate::nango::Decision::Allow).await;
    app.reconcile().await;
    assert_eq!(ada.connection("gmail").await["status"], "connected");
    ada.connected(&app.nango, "slack").await;
    assert_eq!(app.get("/health/ready").await.status, 200);
}
