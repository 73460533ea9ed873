//! `/api/v1/attempts/{id}`: look, finish, cancel; and the same without scripts.

use serde_json::json;

use crate::{app::TestApp, nango::Decision, person::text};

on_both! {
    async fn an_attempt_is_shown_finished_and_cancelled(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        app.nango.silence().await;
        let started = ada.connect("gmail").await;
        let path = format!("/api/v1/attempts/{}", text(&started["attempt_id"]));
        let shown = ada.get(&path).await.ok();
        assert_eq!(shown["state"], "open");
        assert_eq!(shown["kind"], "connect");
        assert_eq!(shown["expires_at"], started["expires_at"]);
        assert_eq!(shown["connection"]["id"], started["connection"]["id"]);

        // Nothing has arrived: still open.
        let finish = format!("{path}/finish");
        assert_eq!(ada.post(&finish, &json!({})).await.ok()["state"], "open");
        app.nango.popup(text(&started["oauth_url"]), Decision::Allow).await;
        // "I've finished" needs no second look.
        let finished = ada.post(&finish, &json!({})).await.ok();
        assert_eq!(finished["state"], "succeeded");
        assert_eq!(finished["connection"]["status"], "connected");
        let again = ada.post(&finish, &json!({})).await.ok();
        assert_eq!(again, finished, "a repetition changes nothing");
        // What has ended stays as it is.
        let cancelled = ada.post(&format!("{path}/cancel"), &json!({})).await.ok();
        assert_eq!(cancelled, finished);

        let other = ada.connect("zoom").await;
        let path = format!("/api/v1/attempts/{}", text(&other["attempt_id"]));
        let cancelled = ada.post(&format!("{path}/cancel"), &json!({})).await.ok();
        assert_eq!(cancelled["state"], "cancelled");
        assert_eq!(cancelled["connection"]["status"], "disconnected");
        assert!(text(&cancelled["connection"]["last_error"]).contains("cancelled"));
        assert!(cancelled["connection"].get("attempt").is_none());

        for id in [app.clock.random_id().to_string(), "no-uuid".to_owned()] {
            let path = format!("/api/v1/attempts/{id}");
            ada.get(&path).await.problem(404, "attempt_unknown");
            ada.post(&format!("{path}/finish"), &json!({})).await.problem(404, "attempt_unknown");
            ada.post(&format!("{path}/cancel"), &json!({})).await.problem(404, "attempt_unknown");
        }
    }

    async fn finish_says_when_nango_cannot_be_asked(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let started = ada.connect("gmail").await;
        app.nango.stop().await;
        let path = format!("/api/v1/attempts/{}/finish", text(&started["attempt_id"]));
        ada.post(&path, &json!({})).await.problem(503, "nango_unreachable");
        assert_eq!(ada.attempt(&started).await["state"], "open");
    }

    async fn without_scripts_forms_lead_the_same_way(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let ours = [("origin", app.base.as_str())];
        let answer = ada.form("/connectors/gmail/connect", &[], &ours).await;
        let page = answer.redirect(303).to_owned();
        let id = page.strip_prefix("/attempts/").expect("an attempt's page").to_owned();
        assert_eq!(ada.get(&page).await.status, 200);
        let open = ada.get(&format!("{page}/open")).await;
        let url = open.redirect(303);
        assert!(url.starts_with(&app.nango.base), "{url}");
        app.nango.popup(url, Decision::Allow).await;
        let answer = ada.form(&format!("{page}/finish"), &[], &ours).await;
        assert_eq!(answer.redirect(303), format!("{page}?asked=1"));
        assert_eq!(ada.connection("gmail").await["status"], "connected");
        // An attempt that is over opens no window.
        let over = ada.get(&format!("/attempts/{id}/open")).await;
        assert_eq!(over.redirect(303), page);
        let connection = ada.connection("gmail").await;
        let fields = [("connection_id", text(&connection["id"]))];
        let answer = ada.form("/connectors/gmail/disconnect", &fields, &ours).await;
        assert_eq!(answer.redirect(303), "/connectors/gmail");
        assert!(app.nango.connections().await.is_empty());

        let typed = [("input.subdomain", "no dots.here")];
        let answer = ada.form("/connectors/zendesk/connect", &typed, &ours).await;
        assert_eq!(answer.redirect(303), "/connectors/zendesk");
        // The page that follows tells why, once.
        let refusal = "Zendesk subdomain should look like";
        assert!(ada.get("/connectors/zendesk").await.text.contains(refusal));
        assert!(!ada.get("/connectors/zendesk").await.text.contains(refusal));
        ada.form("/connectors/no-such/connect", &[], &ours).await.problem(404, "connector_unknown");
        // "Start again" says the same whether there is something to renew or not.
        let answer = ada.form("/connectors/gmail/reconnect", &fields, &ours).await;
        let page = answer.redirect(303).to_owned();
        let answer = ada.form(&format!("{page}/cancel"), &[], &ours).await;
        assert_eq!(answer.redirect(303), "/connectors/gmail");
        assert_eq!(ada.connection("gmail").await["status"], "disconnected");
    }
}
