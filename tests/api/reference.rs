//! What a person is shown of a failure leads to its line in the log.

use serde_json::json;

use crate::{
    app::{TestApp, log_text},
    nango::Decision,
    person::text,
};

/// The line of the log that carries this reference.
fn line_of(reference: &str) -> String {
    let log = log_text();
    let found = log.lines().find(|line| line.contains(reference));
    found.map(str::to_owned).unwrap_or_default()
}

on_both! {
    async fn a_problem_leads_to_the_log(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        app.nango.fault(json!({"status": 403, "path_prefix": "/connect/sessions"})).await;
        let answer = ada.post("/api/v1/connectors/gmail/connect", &json!({})).await;
        let problem = answer.problem(503, "nango_forbidden");
        let line = line_of(text(&problem["reference"]));
        assert!(line.contains("nango_forbidden") && line.contains("WARN"), "{line}");
        // What the person can mend alone has none.
        let problem = ada.get("/api/v1/connectors/none").await.problem(404, "connector_unknown");
        assert!(problem.get("reference").is_none(), "{problem}");
    }

    async fn a_failed_flow_leads_to_the_log(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let started = ada.connect("gmail").await;
        app.nango.popup(text(&started["oauth_url"]), Decision::AllowInVain).await;
        let row = ada.until("gmail", "error").await;
        let said = text(&row["last_error"]);
        let reference = said.split("(Reference ").nth(1).unwrap_or_default().trim_end_matches(')');
        let line = line_of(reference);
        assert!(!reference.is_empty() && line.contains(text(&started["attempt_id"])), "{said}: {line}");
        assert!(line.contains("error_type") && line.contains("invalid_client"), "{line}");
    }
}
