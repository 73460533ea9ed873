//! `GET /api/v1/connectors/callback`

use serde_json::json;

use crate::{app::TestApp, nango::Decision, person::text};

const PATH: &str = "/api/v1/connectors/callback";

on_both! {
    async fn providers_are_sent_on_to_nango_byte_for_byte(db: &TestDb) {
        let app = TestApp::start(db).await;
        for query in [
            "state=5b1c7d1e-2f55-4c5e-9c0f-9a4a8f4d9f10&code=4%2F0AdQt8qh~_-.+%20x",
            "code=a&state=%7e%7E%2f%2F%zz&scope=a+b%20c",
            "payload=eyJhIjoxfQ==&x=%C3%A9",
            "customField=1&error=access_denied",
            "error=access_denied&error_description=no&state=",
            "state=x&redirect_uri=https://evil.example/&base=https://evil.example&attempt=1f0b3d9e-0000-4000-8000-000000000000",
        ] {
            let answer = app.get(&format!("{PATH}?{query}")).await;
            let expected = format!("{}/oauth/callback?{query}", app.nango.base);
            assert_eq!(answer.redirect(308), expected);
        }
        // Whatever the address under which we were called.
        let headers = [("host", "evil.example"), ("x-forwarded-host", "evil.example")];
        let answer = app
            .nobody()
            .request(reqwest::Method::GET, &format!("{PATH}?state=1"), &headers, None)
            .await;
        assert_eq!(answer.redirect(308), format!("{}/oauth/callback?state=1", app.nango.base));
        for query in ["", "?", "?code=1", "?error=access_denied", "?STATE=1"] {
            app.get(&format!("{PATH}{query}")).await.problem(400, "callback_unreadable");
        }
        app.get(&format!("{PATH}?attempt=no-uuid")).await.problem(404, "attempt_unknown");
    }

    async fn an_attempt_is_settled_by_asking_nango(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        app.nango.silence().await;
        let started = ada.connect("gmail").await;
        let path = format!("{PATH}?attempt={}", text(&started["attempt_id"]));
        let page = ada.get(&path).await;
        assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
        assert!(page.text.contains("Nothing has arrived yet"), "{}", page.text);
        app.nango.popup(text(&started["oauth_url"]), Decision::Allow).await;
        app.get(&path).await.problem(401, "signed_out");
        let grace = app.sign_in("grace").await;
        grace.get(&path).await.problem(404, "attempt_unknown");
        let page = ada.get(&path).await;
        assert!(page.text.contains("<h1>Connected</h1>"), "{}", page.text);
        assert_eq!(ada.connection("gmail").await["status"], "connected");

        let denied = ada.connect("zoom").await;
        let cancel = format!("/api/v1/attempts/{}/cancel", text(&denied["attempt_id"]));
        ada.post(&cancel, &json!({})).await.ok();
        let page = ada.get(&format!("{PATH}?attempt={}", text(&denied["attempt_id"]))).await;
        assert!(page.text.contains("<h1>Not connected</h1>"), "{}", page.text);
    }
}
