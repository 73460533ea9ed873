//! `/metrics`, at an address of its own: what is counted, and that the documents, the dashboard and the
//! alerts name what there is.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::Duration,
};

use regex::Regex;
use reqwest::Method;
use serde_json::json;

use crate::{
    app::{TestApp, eventually},
    nango::Decision,
    person::text,
};

const ON: [(&str, &str); 1] = [("METRICS_ADDR", "127.0.0.1:0")];
const GUIDE: &str = "docs/OBSERVING.md";

async fn scrape(app: &TestApp) -> String {
    let answer = app
        .http
        .get(app.metrics_url())
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 200);
    let kind = answer.headers()["content-type"]
        .to_str()
        .expect("text")
        .to_owned();
    assert!(
        kind.starts_with("application/openmetrics-text; version=1.0.0"),
        "{kind}"
    );
    let text = answer.text().await.expect("a text");
    assert!(text.ends_with("# EOF\n"), "{text}");
    text
}

/// The value of one series, where there is one.
fn value(scrape: &str, series: &str) -> Option<f64> {
    let mut lines = scrape.lines();
    let found = lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    found.map(|value| value.parse().expect("a number"))
}

#[track_caller]
fn at_least(scrape: &str, series: &str, least: f64) {
    let found = value(scrape, series);
    assert!(
        found.is_some_and(|found| found >= least),
        "{series}: {found:?}\n{scrape}"
    );
}

on_both! {
    /// Also what needs no transaction: the one statement behind each page, with the session, the person
    /// and their connections.
    async fn each_visit_to_the_database_is_counted(db: &TestDb) {
        let app = TestApp::with(db, &ON).await;
        let ada = app.sign_in("ada").await;
        let visits = async || {
            let found = scrape(&app).await;
            let series = r#"patchbay_database_begin_duration_seconds_count{access="read"}"#;
            value(&found, series).unwrap_or_else(|| panic!("{found}"))
        };
        // Words that somebody types are rendered for them.
        for path in ["/connectors", "/connectors?q=mail", "/api/v1/connectors", "/api/v1/connections"] {
            let before = visits().await;
            for _ in 0..20 {
                assert_eq!(ada.get(path).await.status, 200);
            }
            let more = visits().await - before;
            assert!((20.0..40.0).contains(&more), "{path}: {more}");
        }
    }

    async fn what_happens_is_counted(db: &TestDb) {
        let app = TestApp::with(db, &ON).await;
        // Never where people come.
        assert_eq!(app.get("/metrics").await.status, 404);
        let ada = app.sign_in("ada").await;
        let mut stream = ada.events().await;
        stream.next().await;
        ada.connected(&app.nango, "gmail").await;
        app.get("/connectors/made-up-by-somebody").await;
        app.reconcile().await;
        app.webhook(&json!({"type": "forward"})).await;
        let unsigned = Some(("application/json", "{}".to_owned()));
        let path = "/api/v1/webhooks/nango";
        app.nobody().request(Method::POST, path, &[], unsigned).await;

        let found = scrape(&app).await;
        at_least(&found, r#"patchbay_http_requests_total{method="POST",route="/api/v1/connectors/{id}/connect",status="2xx"}"#, 1.0);
        at_least(&found, r#"patchbay_http_requests_total{method="GET",route="/connectors/{slug}",status="3xx"}"#, 1.0);
        at_least(&found, r#"patchbay_http_request_duration_seconds_count{method="POST",route="/api/v1/connectors/{id}/connect"}"#, 1.0);
        assert!(!found.contains("made-up-by-somebody"), "a path is a label");
        let connected = |way| value(&found, &format!(r#"patchbay_attempts_ended_total{{outcome="connected",way="{way}"}}"#));
        let ways: f64 = ["socket", "poll", "webhook"].into_iter().filter_map(connected).sum();
        assert!((ways - 1.0).abs() < 0.1, "{found}");
        at_least(&found, r#"patchbay_webhooks_total{type="forward",outcome="ignored"}"#, 1.0);
        at_least(&found, r#"patchbay_webhooks_total{type="unknown",outcome="bad_signature"}"#, 1.0);
        at_least(&found, r#"patchbay_nango_calls_total{operation="create_session",outcome="ok"}"#, 1.0);
        at_least(&found, r#"patchbay_nango_call_duration_seconds_count{operation="list_connections"}"#, 1.0);
        assert!(!found.contains(r#"operation="other""#), "a call without a name:\n{found}");
        at_least(&found, r#"patchbay_database_begin_duration_seconds_count{access="write"}"#, 1.0);
        at_least(&found, "patchbay_database_connections_max", 8.0);
        at_least(&found, "patchbay_live_messages_total", 1.0);
        at_least(&found, r#"patchbay_reconciler_runs_total{outcome="done"}"#, 1.0);
        at_least(&found, "patchbay_lease_held", 1.0);
        at_least(&found, "patchbay_database_up", 1.0);
        at_least(&found, "patchbay_nango_calls_left", 1.0);
        at_least(&found, "process_resident_memory_bytes", 1e6);
        assert_eq!(value(&found, "patchbay_event_streams"), Some(1.0));
        assert_eq!(value(&found, "patchbay_http_requests_in_flight"), Some(0.0));
        assert_eq!(value(&found, "patchbay_nango_paused"), Some(0.0));
        let build = format!(r#"patchbay_build_info{{version="{}"}}"#, env!("CARGO_PKG_VERSION"));
        at_least(&found, &build, 1.0);

        drop(stream);
        eventually("the stream is no longer counted", || async {
            (value(&scrape(&app).await, "patchbay_event_streams")? == 0.0).then_some(())
        })
        .await;
    }

    async fn a_webhook_that_comes_again_is_a_duplicate(db: &TestDb) {
        let app = TestApp::with(db, &ON).await;
        let ada = app.sign_in("ada").await;
        let started = ada.connect("gmail").await;
        app.nango.popup(text(&started["oauth_url"]), Decision::Allow).await;
        ada.until("gmail", "connected").await;
        let connection = app.nango.connections().await.remove(0);
        let body = json!({
            "from": "nango", "type": "auth", "operation": "creation", "success": true,
            "connectionId": connection["connection_id"],
            "providerConfigKey": connection["provider_config_key"],
            "provider": "google-mail", "authMode": "OAUTH2", "environment": "dev",
            "tags": connection["tags"],
        });
        assert_eq!(app.webhook(&body).await.status, 200);
        at_least(&scrape(&app).await, r#"patchbay_webhooks_total{type="auth",outcome="duplicate"}"#, 1.0);
    }

    async fn a_scrape_without_a_database_is_answered_all_the_same(db: &TestDb) {
        let app = TestApp::with(db, &ON).await;
        app.db.close().await;
        let found = tokio::time::timeout(Duration::from_secs(4), scrape(&app)).await;
        let found = found.expect("an answer in time");
        assert_eq!(value(&found, "patchbay_database_up"), Some(0.0));
        at_least(&found, r#"patchbay_database_begin_failures_total{reason="error"}"#, 1.0);
    }

    async fn documents_dashboard_and_alerts_name_what_there_is(db: &TestDb) {
        let app = TestApp::with(db, &ON).await;
        let ada = app.sign_in("ada").await;
        ada.connected(&app.nango, "gmail").await;
        let found = scrape(&app).await;

        // Every family stands in the guide's table with its type, and nothing else does.
        let mut families = BTreeMap::new();
        for line in found.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
            let (name, kind) = line.split_once(' ').expect("a type");
            let ending = match kind {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            families.insert(format!("{name}{ending}"), kind.to_owned());
        }
        assert!(families.len() > 25, "{families:?}");
        let guide = fs::read_to_string(GUIDE).expect("the guide");
        let row = Regex::new(r"(?m)^\| `((?:patchbay|process)_[a-z_]+)` \| (\w+) \|").expect("a pattern");
        let listed: BTreeMap<String, String> = row
            .captures_iter(&guide)
            .map(|row| (row[1].to_owned(), row[2].to_owned()))
            .collect();
        assert_eq!(listed, families, "{GUIDE}");

        let series: BTreeSet<&str> = found
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split(['{', ' ']).next())
            .collect();
        let name = Regex::new(r"\b(?:patchbay|process)_[a-z_]+").expect("a pattern");
        for file in ["deploy/grafana/patchbay.json", "deploy/prometheus/alerts.yaml"] {
            let text = fs::read_to_string(Path::new(file)).expect(file);
            let used: BTreeSet<&str> = name.find_iter(&text).map(|found| found.as_str()).collect();
            assert!(used.len() > 10, "{file}: {used:?}");
            let unknown: Vec<_> = used.difference(&series).collect();
            assert!(unknown.is_empty(), "{file} names {unknown:?}");
        }
    }
}

#[test]
fn the_dashboard_can_be_imported_and_every_alert_says_what_to_do() {
    let text = fs::read_to_string("deploy/grafana/patchbay.json").expect("the dashboard");
    let dashboard: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(dashboard["templating"]["list"][0]["type"], "datasource");
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        assert!(ids.insert(panel["id"].as_i64().expect("an id")), "{panel}");
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
            assert!(
                panel["description"].as_str().is_some_and(|d| d.len() > 10),
                "{panel}"
            );
        }
    }
    let alerts = fs::read_to_string("deploy/prometheus/alerts.yaml").expect("the alerts");
    let guide = fs::read_to_string(GUIDE).expect("the guide");
    let mut count = 0;
    for alert in alerts.split("- alert: ").skip(1) {
        let name = alert.lines().next().expect("a name").trim();
        for key in ["expr:", "severity:", "summary:", "description:"] {
            assert!(alert.contains(key), "{name} has no {key}");
        }
        assert!(
            guide.contains(&format!("| `{name}` |")),
            "{GUIDE} lacks {name}"
        );
        count += 1;
    }
    assert!(count >= 10, "{count}");
}
