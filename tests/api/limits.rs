//! How much anybody may ask, and what a slow or greedy client may cost.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, routing::get};
use patchbay::server::startup::serve::{self, Limits};
use reqwest::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use crate::{
    app::TestApp,
    person::{Answer, Person},
};

const FEW: [(&str, &str); 2] = [
    ("LIMITS_REQUESTS_PER_SECOND", "1"),
    ("LIMITS_REQUESTS_BURST", "5"),
];

async fn from(person: &Person, path: &str, forwarded_for: &str) -> Answer {
    let headers = [("x-forwarded-for", forwarded_for)];
    person.request(Method::GET, path, &headers, None).await
}

#[track_caller]
fn refused(answer: &Answer) {
    answer.problem(429, "rate_limited");
    let seconds: u64 = answer.header("retry-after").parse().expect("seconds");
    assert!((1..=3).contains(&seconds), "{seconds}");
}

/// Until there is no room: on a slow machine some comes back between two requests.
async fn in_the_end(ask: impl AsyncFn() -> Answer) -> Answer {
    for _ in 0..100 {
        let answer = ask().await;
        if answer.status == 429 {
            return answer;
        }
    }
    ask().await
}

on_both! {
    async fn an_address_may_ask_so_much_and_more_a_moment_later(db: &TestDb) {
        let app = TestApp::with(db, &FEW).await;
        let nobody = app.nobody();
        for _ in 0..5 {
            assert_eq!(app.get("/sign-in").await.status, 200);
        }
        // A made-up address is no other one.
        let answer = in_the_end(async || from(&nobody, "/sign-in", "198.51.100.7").await).await;
        refused(&answer);
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        refused(&in_the_end(async || app.get("/api/v1/connectors").await).await);
        refused(&in_the_end(async || nobody.form("/sign-in/demo", &[], &[("origin", &app.base)]).await).await);
        // What only looks like the way to look whether the server is well is no way around.
        for path in ["/health", "/health/ready/", "/health/live/x", "//health/ready", "/health/Ready"] {
            let mut statuses = Vec::new();
            for _ in 0..3 {
                refused(&in_the_end(async || app.get("/sign-in").await).await);
                statuses.push(app.get(path).await.status);
            }
            assert!(statuses.contains(&429), "{path}: {statuses:?}");
        }
        // Who looks whether the server is well is answered, within a limit of its own.
        for _ in 0..5 {
            assert_eq!(app.get("/health/ready").await.status, 200);
        }
        refused(&in_the_end(async || app.get("/health/live").await).await);
        // Webhooks come in floods.
        for _ in 0..10 {
            let answer = nobody.post("/api/v1/webhooks/nango", &json!({})).await;
            answer.problem(401, "webhook_signature_invalid");
        }
        sleep(Duration::from_millis(1100)).await;
        assert_eq!(app.get("/sign-in").await.status, 200);
    }

    async fn behind_a_trusted_proxy_everybody_has_a_limit_of_their_own(db: &TestDb) {
        let mut settings = FEW.to_vec();
        settings.push(("TRUSTED_PROXIES", "127.0.0.1, 192.0.2.0/24"));
        let app = TestApp::with(db, &settings).await;
        let nobody = app.nobody();
        for _ in 0..5 {
            assert_eq!(from(&nobody, "/sign-in", "198.51.100.7").await.status, 200);
        }
        refused(&from(&nobody, "/sign-in", "198.51.100.7").await);
        // What the client wrote itself, and what a second proxy added.
        refused(&from(&nobody, "/sign-in", "203.0.113.1, 198.51.100.7").await);
        refused(&from(&nobody, "/sign-in", "198.51.100.7, 192.0.2.8").await);
        assert_eq!(from(&nobody, "/sign-in", "198.51.100.8").await.status, 200);
        // Somebody's IPv6 network is somebody.
        for last in 1..=5 {
            let address = format!("2001:db8:1:2::{last}");
            assert_eq!(from(&nobody, "/sign-in", &address).await.status, 200);
        }
        refused(&from(&nobody, "/sign-in", "2001:db8:1:2:ffff::6").await);
        assert_eq!(from(&nobody, "/sign-in", "2001:db8:1:3::1").await.status, 200);
    }

    async fn a_person_may_change_so_much_and_read_on(db: &TestDb) {
        let settings = [("LIMITS_CHANGES_PER_SECOND", "1"), ("LIMITS_CHANGES_BURST", "3")];
        let app = TestApp::with(db, &settings).await;
        let (ada, grace) = (app.sign_in("ada").await, app.sign_in("grace").await);
        let cancel = format!("/api/v1/attempts/{}/cancel", app.clock.random_id());
        for _ in 0..3 {
            ada.post(&cancel, &json!({})).await.problem(404, "attempt_unknown");
        }
        refused(&in_the_end(async || ada.post(&cancel, &json!({})).await).await);
        let name = format!("/connections/{}/name", app.clock.random_id());
        refused(&in_the_end(async || ada.form(&name, &[], &[("origin", &app.base)]).await).await);
        // Another session of the same person is the same person.
        let again = app.sign_in("ada").await;
        refused(&in_the_end(async || again.post(&cancel, &json!({})).await).await);
        assert_eq!(ada.connections().await.len(), 0, "to read is no change");
        grace.connect("gmail").await;
        sleep(Duration::from_millis(1100)).await;
        ada.post(&cancel, &json!({})).await.problem(404, "attempt_unknown");
    }

    async fn a_body_is_read_so_far(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let long = "a".repeat(70_000);
        let body = json!({"credentials": {"apiKey": long}});
        let path = "/api/v1/connectors/resend/connect";
        ada.post(path, &body).await.problem(413, "body_too_large");
        let ours = [("origin", app.base.as_str())];
        let fields = [("credential.apiKey", long.as_str())];
        let answer = ada.form("/connectors/resend/connect", &fields, &ours).await;
        answer.problem(413, "body_too_large");
        let answer = app.nobody().form("/sign-in/demo", &[("next", &long)], &ours).await;
        answer.problem(413, "body_too_large");
        let answer = ada.form("/api/fn/catalogue_page", &[("q", &long)], &ours).await;
        answer.problem(413, "body_too_large");
        // A webhook may be longer, and one that is too long is refused too.
        let noise = json!({"type": "forward", "payload": long});
        assert_eq!(app.webhook(&noise).await.status, 200);
        let noise = json!({"type": "forward", "payload": "a".repeat(1_100_000)});
        app.webhook(&noise).await.problem(413, "body_too_large");
        // Half of it is fine.
        let body = json!({"credentials": {"apiKey": "a".repeat(30_000)}});
        assert_ne!(ada.post(path, &body).await.status, 413);
        assert_eq!(ada.post("/api/fn/catalogue_page", &json!({})).await.status / 100, 2);
    }
}

/// A server that answers `/` at once and `/slow` after a while.
async fn served(limits: Limits) -> (SocketAddr, oneshot::Sender<()>) {
    let (address, end, _) = serving(limits).await;
    (address, end)
}

/// The same, with the task that ends when the server does.
async fn serving(limits: Limits) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let slow = || async {
        sleep(Duration::from_millis(400)).await;
        "slow"
    };
    let router = Router::new()
        .route("/", get(|| async { "quick" }))
        .route("/slow", get(slow));
    let (end, ended) = oneshot::channel();
    let task = tokio::spawn(serve::serve(listener, router, limits, async {
        drop(ended.await);
    }));
    (address, end, task)
}

const QUICK: Limits = Limits {
    first_head: Duration::from_millis(300),
    next_head: Duration::from_millis(900),
    head: 8192,
    connections: 1000,
};

/// How long it takes until the server hangs up.
async fn cut_off(stream: &mut TcpStream) -> Duration {
    let start = Instant::now();
    let mut rest = Vec::new();
    let end = timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await;
    // A reset is an end too.
    drop(end.expect("the server hangs up"));
    start.elapsed()
}

async fn ask(stream: &mut TcpStream, path: &str) -> String {
    let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("sent");
    answered(stream).await
}

async fn answered(stream: &mut TcpStream) -> String {
    let mut buffer = vec![0; 4096];
    let read = timeout(Duration::from_secs(5), stream.read(&mut buffer)).await;
    let read = read.expect("in time").expect("an answer");
    String::from_utf8_lossy(&buffer[..read]).into_owned()
}

/// Whoever comes on top of what there is room for waits, and has an answer when somebody goes.
#[tokio::test]
async fn so_many_connections_are_open_and_no_more() {
    let limits = Limits {
        connections: 2,
        next_head: Duration::from_secs(20),
        ..QUICK
    };
    let (address, _end) = served(limits).await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        assert!(ask(&mut stream, "/").await.contains("quick"));
        open.push(stream);
    }
    let mut third = TcpStream::connect(address).await.expect("a connection");
    let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    third.write_all(head).await.expect("sent");
    let early = timeout(Duration::from_millis(300), third.readable()).await;
    assert!(early.is_err(), "the third is answered too");
    assert!(ask(&mut open[0], "/").await.contains("quick"));
    open.pop();
    assert!(answered(&mut third).await.contains("quick"));
}

#[tokio::test]
async fn a_connection_that_sends_no_request_is_cut_off() {
    let (address, _end) = served(QUICK).await;
    let mut silent = TcpStream::connect(address).await.expect("a connection");
    let took = cut_off(&mut silent).await;
    assert!(took < Duration::from_millis(800), "{took:?}");

    // One that sends its head byte by byte gains nothing by it.
    let slow = TcpStream::connect(address).await.expect("a connection");
    let (mut reads, mut writes) = slow.into_split();
    let start = Instant::now();
    let drip = tokio::spawn(async move {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ";
        for byte in head.iter().chain(std::iter::repeat(&b'a')) {
            if writes.write_all(&[*byte]).await.is_err() {
                break;
            }
            sleep(Duration::from_millis(20)).await;
        }
    });
    let mut rest = Vec::new();
    let end = timeout(Duration::from_secs(5), reads.read_to_end(&mut rest)).await;
    drop(end.expect("the server hangs up"));
    let took = start.elapsed();
    assert!(took < Duration::from_millis(800), "{took:?}");
    drip.abort();
}

#[tokio::test]
async fn a_connection_is_kept_between_requests_and_not_for_ever() {
    let (address, _end) = served(QUICK).await;
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    for _ in 0..2 {
        assert!(ask(&mut stream, "/").await.ends_with("quick"));
        // Longer than the first head may take.
        sleep(Duration::from_millis(500)).await;
    }
    let took = cut_off(&mut stream).await;
    assert!(took < Duration::from_millis(1500), "{took:?}");
    // A request that takes its time is no slow client.
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    assert!(ask(&mut stream, "/slow").await.ends_with("slow"));
}

#[tokio::test]
async fn a_head_is_read_so_far() {
    let (address, _end) = served(QUICK).await;
    for path in [
        format!("/?{}", "a".repeat(9000)),
        format!("/ HTTP/1.1\r\nX-Long: {}\r\nX: ", "a".repeat(9000)),
        format!("/ HTTP/1.1\r\n{}X: ", "A: b\r\n".repeat(200)),
    ] {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let answer = ask(&mut stream, &path).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let path = format!("/?{}", "a".repeat(7000));
    assert!(ask(&mut stream, &path).await.ends_with("quick"));
}

#[tokio::test]
async fn what_is_under_way_is_answered_at_the_end() {
    let (address, end, task) = serving(QUICK).await;
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let head = b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n";
    stream.write_all(head).await.expect("sent");
    sleep(Duration::from_millis(100)).await;
    end.send(()).expect("a server");
    sleep(Duration::from_millis(100)).await;
    assert!(TcpStream::connect(address).await.is_err());
    assert!(!task.is_finished(), "it does not wait");
    let answer = answered(&mut stream).await;
    assert!(answer.ends_with("slow"), "{answer}");
    cut_off(&mut stream).await;
    let ended = timeout(Duration::from_secs(5), task).await;
    ended.expect("the server ends").expect("no panic");
}
