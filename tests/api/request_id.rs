//! `X-Request-Id`: on every answer, in the log, and in what is our fault.

use reqwest::Method;
use uuid::Uuid;

use crate::app::{TestApp, log_text};

const HEADER: &str = "x-request-id";

async fn asked(app: &TestApp, path: &str, id: &str) -> String {
    let headers = [(HEADER, id)];
    let answer = app
        .nobody()
        .request(Method::GET, path, &headers, None)
        .await;
    answer.header(HEADER).to_owned()
}

on_both! {
    async fn every_answer_has_one_of_its_own(db: &TestDb) {
        let app = TestApp::start(db).await;
        let mut seen = Vec::new();
        for path in ["/", "/nowhere", "/api/v1/connections", "/health/live", "/sign-in"] {
            let id = app.get(path).await.header(HEADER).to_owned();
            let read = Uuid::parse_str(&id).unwrap_or_else(|e| panic!("{path}: {id}: {e}"));
            assert_eq!(read.get_version_num(), 7, "{path}: {id}");
            assert!(!seen.contains(&id), "{path}: {id} came before");
            seen.push(id);
        }
        // Nobody in front is trusted: whatever somebody sends is not taken.
        assert_ne!(asked(&app, "/sign-in", "mine").await, "mine");
    }

    async fn a_trusted_proxys_is_taken_where_it_is_sane(db: &TestDb) {
        let trusted = [("TRUSTED_PROXIES", "127.0.0.1")];
        let app = TestApp::with(db, &trusted).await;
        assert_eq!(asked(&app, "/sign-in", "edge-1.a_B").await, "edge-1.a_B");
        for insane in ["a b", "a\"b", "", "a/b", &"a".repeat(65)] {
            let id = asked(&app, "/sign-in", insane).await;
            assert!(Uuid::parse_str(&id).is_ok(), "{insane}: {id}");
        }
    }

    async fn log_and_problem_name_the_request(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let fine = ada.get("/api/v1/connectors/nowhere").await;
        assert!(fine.problem(404, "connector_unknown").get("request_id").is_none());
        app.db.close().await;
        let broken = ada.get("/api/v1/connections?of=s3cret").await;
        let id = broken.header(HEADER).to_owned();
        assert_eq!(broken.problem(503, "database_unavailable")["request_id"], id);
        let log = log_text();
        let named = format!("request_id=\"{id}\"");
        let lines: Vec<_> = log.lines().filter(|line| line.contains(&named)).collect();
        assert!(lines.iter().any(|line| line.contains("ERROR")), "{lines:?}");
        let last = lines.iter().find(|line| line.contains("answered with a failure"));
        assert!(last.is_some_and(|line| line.contains("status=503")), "{lines:?}");
        assert!(!log.contains("of=s3cret"), "a query is in the log");
    }
}
