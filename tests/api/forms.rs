//! Forms without scripts: what they lead to where something is refused or Nango does not answer.

use reqwest::Method;
use serde_json::json;

use crate::{
    app::{TestApp, eventually},
    nango::Decision,
    person::text,
};

on_both! {
    async fn a_refused_reconnect_stays_about_its_account(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let ours = [("origin", app.base.as_str())];
        let body = json!({"inputs": {"subdomain": "acme"}});
        let started = ada.post("/api/v1/connectors/zendesk/connect", &body).await.ok();
        app.nango.popup(text(&started["oauth_url"]), Decision::Allow).await;
        let before = ada.until("zendesk", "connected").await;
        let id = text(&before["id"]);

        let fields = [("connection_id", id), ("input.subdomain", "no dots.here")];
        let answer = ada.form("/connectors/zendesk/reconnect", &fields, &ours).await;
        let page = format!("/connectors/zendesk?connection_id={id}");
        assert_eq!(answer.redirect(303), page);
        let html = ada.get(&page).await.text;
        assert!(html.contains("Zendesk subdomain should look like"), "{html}");
        assert!(html.contains("action=\"/connectors/zendesk/reconnect\""), "{html}");
        let hidden = format!("<input type=\"hidden\" name=\"connection_id\" value=\"{id}\">");
        assert!(html.contains(&hidden), "{html}");
        let fields = [("connection_id", id), ("input.subdomain", "acme")];
        let answer = ada.form("/connectors/zendesk/reconnect", &fields, &ours).await;
        assert!(answer.redirect(303).starts_with("/attempts/"));
        assert_eq!(ada.connections().await.len(), 1);

        // A refused disconnect asks for no other account.
        app.nango.stop().await;
        let fields = [("connection_id", id)];
        let answer = ada.form("/connectors/zendesk/disconnect", &fields, &ours).await;
        assert_eq!(answer.redirect(303), "/connectors/zendesk");
        let html = ada.get("/connectors/zendesk").await.text;
        let form = html.split("id=\"details\"").nth(1).and_then(|rest| rest.split('>').next());
        assert!(form.is_some_and(|tag| tag.contains("hidden")), "{form:?}");
    }

    async fn a_window_that_cannot_be_opened_leads_to_the_page_of_its_attempt(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let ours = [("origin", app.base.as_str())];
        let started = ada.connect("gmail").await;
        let page = format!("/attempts/{}", text(&started["attempt_id"]));
        app.nango.stop().await;
        let answer = ada.get(&format!("{page}/open")).await;
        assert_eq!(answer.redirect(303), page);
        let html = ada.get(&page).await.text;
        assert!(html.contains("role=\"alert\"") && html.contains("I've finished"), "{html}");
        assert!(!ada.get(&page).await.text.contains("role=\"alert\""), "it is told once");
        let answer = ada.form(&format!("{page}/finish"), &[], &ours).await;
        assert_eq!(answer.redirect(303), page);
        assert!(ada.get(&page).await.text.contains("role=\"alert\""));
        let answer = ada.form(&format!("{page}/cancel"), &[], &ours).await;
        assert_eq!(answer.redirect(303), "/connectors/gmail");
        let none = format!("/attempts/{}", app.clock.random_id());
        for verb in ["finish", "cancel"] {
            let answer = ada.form(&format!("{none}/{verb}"), &[], &ours).await;
            answer.problem(404, "attempt_unknown");
        }
    }

    async fn what_was_typed_has_no_window_to_go_back_to(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let ours = [("origin", app.base.as_str())];
        app.nango.fault(json!({"status": 500, "path_prefix": "/api-auth/"})).await;
        let fields = [("credential.apiKey", "re_right")];
        let answer = ada.form("/connectors/resend/connect", &fields, &ours).await;
        assert_eq!(answer.redirect(303), "/connectors/resend");
        let row = ada.connection("resend").await;
        let form = format!("/connectors/resend?connection_id={}", text(&row["id"]));
        let attempt = format!("/attempts/{}", text(&row["attempt"]["id"]));
        ada.get("/connectors/resend").await;
        for path in ["/connectors/resend", "/connectors?q=resend", &attempt] {
            let html = ada.get(path).await.text;
            assert!(html.contains("Nango has not said yet whether it worked."), "{html}");
            for label in ["Check now", "Type it again", "Cancel"] {
                assert!(html.contains(&format!(">{label}<")), "{label}: {html}");
            }
            assert!(!html.contains(&format!("{attempt}/open")), "{html}");
        }
        assert!(ada.get(&attempt).await.text.contains(&form));
        // The form is about the same account, which the new key then connects.
        let html = ada.get(&form).await.text;
        assert!(html.contains("action=\"/connectors/resend/reconnect\""), "{html}");
        let fields = [("connection_id", text(&row["id"])), ("credential.apiKey", "re_right")];
        ada.form("/connectors/resend/reconnect", &fields, &ours).await.redirect(303);
        let now = ada.until("resend", "connected").await;
        assert_eq!(now["id"], row["id"]);
    }

    async fn no_form_has_a_nul_in_it(db: &TestDb) {
        let app = TestApp::with(db, &[("AUTH_SIGN_UP", "true")]).await;
        let ada = app.sign_in("ada").await;
        let ours = [("origin", app.base.as_str())];
        let name = format!("/connections/{}/name", app.clock.random_id());
        for (path, fields) in [
            ("/connectors/zendesk/connect", "input.subdomain=a?b"),
            ("/connectors/zendesk/reconnect", "input.subdomain=acme&?=x"),
            ("/connectors/gmail/disconnect", "connection_id=?"),
            (&name, "account=Ada%27s?"),
            ("/account/password", "present=a?&new=b"),
            ("/account/sessions/end", "id=?"),
            ("/sign-in/demo", "name=ada?"),
            ("/sign-in/password", "email=a%40b.example?&password=x"),
            ("/sign-up", "email=a%40b.example&name=A?&password=wrong+horse+battery"),
            ("/sign-in/token", "token=a?"),
        ] {
            for nul in ["%00", "\0"] {
                let body = Some(("application/x-www-form-urlencoded", fields.replace('?', nul)));
                let answer = ada.request(Method::POST, path, &ours, body).await;
                answer.problem(400, "body_invalid");
            }
        }
        assert!(ada.connections().await.is_empty());
    }

    async fn an_outage_leaves_the_buttons_live(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        app.nango.stop().await;
        ada.post("/api/v1/connectors/gmail/connect", &json!({})).await.problem(503, "nango_unreachable");
        let html = eventually("the page tells", || async {
            let html = ada.get("/connectors?q=gmail").await.text;
            html.contains("data-outage").then_some(html)
        })
        .await;
        assert!(html.contains("formaction=\"/connectors/gmail/connect\""), "{html}");
        assert!(!html.contains("aria-disabled"), "{html}");

        let app = TestApp::with(db, &[("NANGO_ENABLED", "false")]).await;
        let html = app.sign_in("ada").await.get("/connectors?q=gmail").await.text;
        assert!(html.contains("Connecting is off") && !html.contains("data-outage"), "{html}");
        assert!(html.contains("aria-disabled") && !html.contains("/gmail/connect\""), "{html}");
    }
}
