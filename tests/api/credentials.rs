//! Typed credentials: refused or taken at once, and kept nowhere.

use serde_json::{Value, json};
use sqlx::Row;

use patchbay::server::db::Db;

use crate::{
    app::{TestApp, log_text},
    person::text,
    support::db::TestDb,
};

const PATH: &str = "/api/v1/connectors/resend/connect";

/// Whether this text stands anywhere in the database.
async fn holds(db: &TestDb, wanted: &str) -> bool {
    match &db.db {
        Db::Sqlite(_) => {
            let file = db.url.trim_start_matches("sqlite://");
            ["", "-wal", "-shm", "-journal"].iter().any(|ending| {
                let bytes = std::fs::read(format!("{file}{ending}")).unwrap_or_default();
                bytes.windows(wanted.len()).any(|w| w == wanted.as_bytes())
            })
        }
        Db::Postgres(server) => {
            let mut operator = server.connection().await.expect("a connection");
            let tables = sqlx::raw_sql(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'",
            )
            .fetch_all(&mut operator)
            .await
            .expect("the tables");
            assert!(tables.len() > 5);
            for table in tables {
                let name: String = table.get(0);
                // A row as text is all of its columns.
                let sql = format!(r#"SELECT count(*) FROM "{name}" t WHERE t::text LIKE $1"#);
                let count: i64 = sqlx::query_scalar(&sql)
                    .persistent(false)
                    .bind(format!("%{wanted}%"))
                    .fetch_one(&mut operator)
                    .await
                    .expect("a count");
                if count > 0 {
                    return true;
                }
            }
            false
        }
    }
}

on_both! {
    async fn a_wrong_key_is_refused_and_a_right_one_connects_at_once(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let unique = app.clock.random_id().simple().to_string();
        let wrong = format!("re_wrong_{unique}");
        let right = format!("re_right_{unique}");
        let mut answers = Vec::new();

        let body = json!({"credentials": {"apiKey": wrong}});
        let answer = ada.post(PATH, &body).await;
        answer.problem(422, "credentials_refused");
        answers.push(answer.text);
        let row = ada.connection("resend").await;
        assert_eq!((&row["status"], &row["error_count"]), (&json!("error"), &json!(1)));
        assert!(text(&row["last_error"]).contains("refused"), "{row}");
        assert!(row.get("attempt").is_none(), "{row}");
        assert!(app.nango.connections().await.is_empty());

        let body = json!({"credentials": {"apiKey": right}});
        let answer = ada.post(PATH, &body).await;
        let started = answer.ok();
        assert_eq!(started["oauth_url"], Value::Null);
        assert_eq!(started["connection"]["status"], "connected");
        assert_eq!(started["connection"]["id"], row["id"]);
        assert_eq!(started["connection"]["error_count"], 0);
        assert_eq!(ada.attempt(&started).await["state"], "succeeded");
        assert_eq!(app.nango.connections().await.len(), 1);
        answers.push(answer.text);

        // A reconnect with a key that is refused leaves the connection as it is.
        let path = "/api/v1/connectors/resend/reconnect";
        let body = json!({"credentials": {"apiKey": wrong}});
        ada.post(path, &body).await.problem(422, "credentials_refused");
        assert_eq!(ada.connection("resend").await["status"], "connected");
        let body = json!({"credentials": {"apiKey": right}});
        let renewed = ada.post(path, &body).await.ok();
        assert_eq!(renewed["connection"]["status"], "connected");
        assert_eq!(app.nango.connections().await.len(), 1);

        // A key in a request that cannot be read, or in a field that is not asked for.
        for body in [
            json!({"credentials": {"apiKey": [right]}}),
            json!({"credentials": {"apiKey": right, "other": right}}),
            json!({"inputs": {"apiKey": right}}),
            json!({"credentials": {"apiKey": format!("{right} ")}}),
        ] {
            let answer = ada.post(PATH, &body).await;
            assert!((400..500).contains(&answer.status), "{}", answer.text);
            answers.push(answer.text);
        }
        for path in ["/api/v1/connections", "/api/v1/connectors/resend", "/api/v1/connectors"] {
            answers.push(ada.get(path).await.text);
        }
        let ours = [("origin", app.base.as_str())];
        let fields = [("credential.apiKey", wrong.as_str())];
        answers.push(ada.form("/connectors/resend/connect", &fields, &ours).await.text);
        answers.push(ada.get("/connectors/resend").await.text);

        for answer in &answers {
            assert!(!answer.contains(&unique), "{answer}");
        }
        // The search finds what is there …
        assert!(holds(db, "credentials were refused").await);
        assert!(log_text().contains(text(&started["attempt_id"])));
        // … and no key.
        assert!(!holds(db, &unique).await);
        let log = log_text();
        let line = log.lines().find(|line| line.contains(&unique));
        assert_eq!(line, None);
    }

    async fn a_busy_nango_is_no_fault_of_the_key(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        app.nango.fault(json!({"status": 429, "path_prefix": "/api-auth/"})).await;
        let body = json!({"credentials": {"apiKey": "re_right"}});
        ada.post(PATH, &body).await.problem(503, "nango_busy");
        let row = ada.connection("resend").await;
        assert_eq!((&row["status"], &row["error_count"]), (&json!("disconnected"), &json!(0)));
    }

    async fn a_taken_key_counts_although_the_list_fails(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        app.nango.fault(json!({"status": 500, "count": 1, "path_prefix": "/connections"})).await;
        let body = json!({"credentials": {"apiKey": "re_right"}});
        ada.post(PATH, &body).await.ok();
        ada.until("resend", "connected").await;
        assert_eq!(app.nango.connections().await.len(), 1);
    }

    async fn a_key_that_nango_could_not_check_leaves_the_attempt_open(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        app.nango.fault(json!({"status": 500, "path_prefix": "/api-auth/"})).await;
        let body = json!({"credentials": {"apiKey": "re_right"}});
        ada.post(PATH, &body).await.problem(503, "outcome_unknown");
        let row = ada.connection("resend").await;
        assert_eq!(row["status"], "pending");
        assert!(row["attempt"]["id"].is_string(), "{row}");
        // Once more supersedes it.
        let started = ada.post(PATH, &body).await.ok();
        assert_eq!(started["connection"]["status"], "connected");
        assert_eq!(started["connection"]["id"], row["id"]);
    }
}
