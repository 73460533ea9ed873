//! One connect is one trace, from the proxy in front to the database and to Nango: the real program,
//! with a collector and a Nango that writes down what it is called with.

mod collector;
mod program;

use std::{sync::Arc, time::Duration};

use patchbay::server::clock::Clock;
use serde_json::Value;

use crate::{
    app::{TestApp, client},
    nango::{KEY, Pretend},
    support::db::TestDb,
};
use collector::{Collector, Recorder};
use program::Program;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// A session's cookie, as a server before this one has given it.
async fn cookie(db: &TestDb, nango: Arc<Pretend>) -> String {
    let mut app = TestApp::at(db, nango, Clock::system(), &[]).await;
    let cookie = app.sign_in("ada").await.cookie;
    app.stop().await;
    cookie
}

on_both! {
    async fn one_connect_is_one_trace_from_the_edge_to_nango(db: &TestDb) {
        let nango = Arc::new(Pretend::start().await);
        let cookie = cookie(db, nango.clone()).await;
        let (collector, recorder) = (Collector::start().await, Recorder::before(&nango.base).await);
        let mut program = Program::start(db, &[
            ("NANGO_BASE_URL", &recorder.base),
            ("TRUSTED_PROXIES", "127.0.0.1"),
            ("METRICS_ADDR", "127.0.0.1:0"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("{}/otlp/", collector.base)),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=of%20the%20collector"),
            ("OTEL_SERVICE_NAME", "patchbay-test"),
            ("LOG_FORMAT", "json"),
            ("RUST_LOG", "info,patchbay=debug"),
        ]);
        let base = program.until("answers on ").await;
        let traceparent = format!("00-{TRACE}-{PARENT}-01");
        let answer = client()
            .post(format!("{base}/api/v1/connectors/gmail/connect?of=s3cret"))
            .header("cookie", &cookie)
            .header("x-request-id", "edge-7f")
            .header("traceparent", &traceparent)
            .header("content-type", "application/json")
            .body("{}")
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["x-request-id"], "edge-7f");
        assert_eq!(client().get(format!("{base}/health/live")).send().await.expect("an answer").status(), 200);
        program.end().await;

        // What is left is sent at the end. The socket's own way is no part of the request.
        assert_eq!(collector.header("x-key").as_deref(), Some("of the collector"));
        assert_eq!(collector.header("content-type").as_deref(), Some("application/x-protobuf"));
        let (all, raw) = (collector.spans(), collector.raw());
        let ours: Vec<_> = all.iter().filter(|span| span.trace == TRACE).collect();
        let named = |name: &str| ours.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name}: {all:#?}"));
        let root = named("POST /api/v1/connectors/{id}/connect");
        assert_eq!(root.parent, PARENT);
        for (key, value) in [
            ("http.request.method", "POST"),
            ("http.route", "/api/v1/connectors/{id}/connect"),
            ("http.response.status_code", "200"),
            ("url.path", "/api/v1/connectors/gmail/connect"),
            ("request_id", "edge-7f"),
        ] {
            assert_eq!(root.attribute(key), Some(value), "{root:?}");
        }
        let system = if db.url.starts_with("postgres") { "postgresql" } else { "sqlite" };
        let transaction = named("transaction");
        assert_eq!(transaction.attribute("db.system.name"), Some(system));
        assert_eq!(transaction.attribute("request_id"), Some("edge-7f"));
        let call = named("create_session");
        assert_eq!(call.attribute("server.address"), Some("127.0.0.1"));
        assert_eq!(call.attribute("request_id"), Some("edge-7f"));
        for span in &ours {
            let known = span.parent == PARENT || ours.iter().any(|other| other.id == span.parent);
            assert!(known, "{span:?} hangs in the air");
        }
        // Probes are nobody's request.
        assert!(!all.iter().any(|span| span.name.contains("/health/")), "{all:#?}");
        // And on to Nango.
        let (id, sent) = recorder.session();
        assert_eq!(id.as_deref(), Some("edge-7f"));
        assert_eq!(sent, Some(format!("00-{TRACE}-{}-01", call.id)));

        for secret in [KEY, "s3cret", cookie.split_once('=').expect("a cookie").1] {
            assert!(!raw.windows(secret.len()).any(|w| w == secret.as_bytes()), "{secret} is in a trace");
        }
        let service = b"patchbay-test";
        assert!(raw.windows(service.len()).any(|w| w == service));

        // Each line of the log is an object, and those of the request name it.
        let mut named = 0;
        for line in program.log().lines() {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
            named += usize::from(line["request_id"] == "edge-7f");
            if line["message"] == "answered" && line["request_id"] == "edge-7f" {
                assert_eq!(line["span"]["path"], "/api/v1/connectors/gmail/connect", "{line}");
            }
        }
        assert!(named >= 1, "{}", program.log());
    }
}

/// A collector that is not there, or that never answers, costs nobody anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_collector_everything_goes_on() {
    // It takes connections and says nothing.
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let mute = format!("http://{}", mute.local_addr().expect("an address"));
    for endpoint in ["http://127.0.0.1:9", &mute] {
        let db = TestDb::sqlite().await;
        let mut program = Program::start(
            &db,
            &[
                ("NANGO_ENABLED", "false"),
                ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
            ],
        );
        let base = program.until("answers on ").await;
        let began = std::time::Instant::now();
        for _ in 0..20 {
            let answer = client().get(format!("{base}/sign-in")).send().await;
            assert_eq!(answer.expect("an answer").status(), 200);
        }
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{:?}",
            began.elapsed()
        );
        if endpoint != mute {
            program.until("traces cannot be exported").await;
        }
        let began = std::time::Instant::now();
        program.end().await;
        assert!(
            began.elapsed() < Duration::from_secs(9),
            "{:?}",
            began.elapsed()
        );
        assert!(program.log().matches("traces cannot be exported").count() <= 1);
    }
}
