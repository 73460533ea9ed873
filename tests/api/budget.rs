//! Nango allows 200 calls a minute: many open attempts share one list call.

use std::time::Duration;

use crate::{app::TestApp, nango::Decision, person::text};

const CONNECTORS: [&str; 20] = [
    "gmail",
    "slack",
    "zoom",
    "linear",
    "notion",
    "github",
    "hubspot",
    "asana",
    "dropbox",
    "calendly",
    "figma",
    "gitlab",
    "lever",
    "freshbooks",
    "box",
    "airtable",
    "webex",
    "vimeo",
    "square",
    "microsoft-teams",
];
const WATCHED: Duration = Duration::from_secs(5);

on_both! {
    async fn twenty_open_attempts_share_their_calls(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        app.nango.silence().await;
        let mut started = Vec::new();
        for slug in CONNECTORS {
            started.push(ada.connect(slug).await);
        }
        let before = app.nango.calls("GET /connections").await;
        tokio::time::sleep(WATCHED).await;
        let calls = app.nango.calls("GET /connections").await - before;
        // Looks are two seconds apart at first.
        assert!((1..=6).contains(&calls), "{calls} list calls in {WATCHED:?}");
        // And yet each of them is found.
        for started in &started {
            app.nango.popup(text(&started["oauth_url"]), Decision::Allow).await;
        }
        for started in &started {
            ada.until_attempt(started, "succeeded").await;
        }
        assert!(ada.connections().await.iter().all(|c| c["status"] == "connected"));
    }
}
