//! Bodies and inputs: what is refused, and how it is said.

use reqwest::Method;
use serde_json::json;

use crate::{app::TestApp, nango::Decision, person::text};

const ZENDESK: &str = "/api/v1/connectors/zendesk/connect";

on_both! {
    async fn inputs_are_checked_field_by_field(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        for (inputs, fields) in [
            (json!({"subdomain": "https://acme.zendesk.com"}), vec!["subdomain"]),
            (json!({}), vec!["subdomain"]),
            (json!({"subdomain": "  "}), vec!["subdomain"]),
            (json!({"subdomain": "acme\nX-Evil: 1"}), vec!["subdomain"]),
            (json!({"subdomain": "acme", "region": "eu"}), vec!["region"]),
            (json!({"subdomain": "-", "region": "eu"}), vec!["subdomain", "region"]),
        ] {
            let answer = ada.post(ZENDESK, &json!({"inputs": inputs})).await;
            let problem = answer.problem(422, "input_invalid");
            let errors = problem["errors"].as_array().expect("a list");
            let named: Vec<_> = errors.iter().map(|e| text(&e["field"])).collect();
            assert_eq!(named, fields, "{problem}");
            assert!(errors.iter().all(|e| !text(&e["message"]).is_empty()));
        }
        let unwanted = json!({"inputs": {"subdomain": "acme"}});
        ada.post("/api/v1/connectors/gmail/connect", &unwanted).await.problem(422, "input_invalid");
        assert!(ada.connections().await.is_empty());
        assert_eq!(app.nango.calls("POST /connect/sessions").await, 0);

        let good = json!({"inputs": {"subdomain": " acme "}});
        let started = ada.post(ZENDESK, &good).await.ok();
        let url = reqwest::Url::parse(text(&started["oauth_url"])).expect("an address");
        let sent = url.query_pairs().find(|(name, _)| name == "params[subdomain]");
        assert_eq!(sent.expect("the input").1, "acme");
        assert_eq!(started["connection"]["account"], "acme.zendesk.com");
        app.nango.popup(url.as_str(), Decision::Allow).await;
        ada.until("zendesk", "connected").await;
    }

    async fn what_is_no_request_is_refused(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let json = "application/json";
        // One byte too long.
        let frame = r#"{"inputs": {"a": ""}}"#.len();
        let long = format!(r#"{{"inputs": {{"a": "{}"}}}}"#, "x".repeat(64 * 1024 + 1 - frame));
        for what in ["connect", "reconnect", "disconnect"] {
            let path = format!("/api/v1/connectors/gmail/{what}");
            for (kind, body, status, code) in [
                (json, "{", 400, "body_invalid"),
                (json, "[]", 400, "body_invalid"),
                (json, r#"{"surprise": 1}"#, 400, "body_invalid"),
                (json, r#"{"connection_id": "x"}"#, 400, "body_invalid"),
                ("text/plain", "{}", 415, "content_type_unsupported"),
                ("application/x-www-form-urlencoded", "a=b", 415, "content_type_unsupported"),
                (json, long.as_str(), 413, "body_too_large"),
            ] {
                let sent = Some((kind, body.to_owned()));
                let answer = ada.request(Method::POST, &path, &[], sent).await;
                answer.problem(status, code);
            }
        }
        assert!(ada.connections().await.is_empty());
        // No body at all is an empty one.
        let answer = ada.request(Method::POST, "/api/v1/connectors/gmail/connect", &[], None).await;
        assert_eq!(answer.ok()["connection"]["status"], "pending");
        let charset = Some(("application/json; charset=utf-8", "{}".to_owned()));
        let answer = ada.request(Method::POST, "/api/v1/connectors/gmail/connect", &[], charset).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
}
