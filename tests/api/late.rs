//! Successes that come late: after the person cancelled, after the time was up, after a disconnect.

use serde_json::json;

use crate::{app::TestApp, nango::Decision, person::text};

const HALF_AN_HOUR: i64 = 30 * 60 * 1000;

on_both! {
    async fn after_a_cancelled_connect_the_orphan_is_deleted(db: &TestDb) {
        let mut app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let started = ada.connect("gmail").await;
        let cancel = format!("/api/v1/attempts/{}/cancel", text(&started["attempt_id"]));
        ada.post(&cancel, &json!({})).await.ok();
        app.nango.popup(text(&started["oauth_url"]), Decision::Allow).await;
        assert_eq!(app.nango.connections().await.len(), 1);
        // A new start looks at once; a running server would within a minute.
        app.restart().await;
        app.nango.until_connections(0).await;
        let row = ada.at(&app).connection("gmail").await;
        assert_eq!(row["status"], "disconnected");
        assert_eq!(row["connected_at"], serde_json::Value::Null);
        assert_eq!(ada.at(&app).attempt(&started).await["state"], "cancelled");
    }

    async fn after_a_disconnect_the_orphan_is_deleted(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let started = ada.connect("gmail").await;
        ada.post("/api/v1/connectors/gmail/disconnect", &json!({})).await.ok();
        assert_eq!(ada.attempt(&started).await["state"], "cancelled");
        app.nango.popup(text(&started["oauth_url"]), Decision::Allow).await;
        app.nango.until_connections(0).await;
        assert_eq!(ada.connection("gmail").await["status"], "disconnected");
    }

    async fn an_expired_attempt_still_connects(db: &TestDb) {
        let mut app = TestApp::frozen(db).await;
        let ada = app.sign_in("ada").await;
        app.nango.silence().await;
        let started = ada.connect("gmail").await;
        let page = app.nango.open(text(&started["oauth_url"])).await;
        app.clock.advance(HALF_AN_HOUR + 1);
        app.restart().await;
        let ada = ada.at(&app);
        let expired = ada.until("gmail", "disconnected").await;
        assert!(text(&expired["last_error"]).contains("not finished in time"), "{expired}");
        assert_eq!(ada.attempt(&started).await["state"], "expired");

        // The person was on the consent page all the while.
        app.nango.decide(&page, Decision::Allow).await;
        let finish = format!("/api/v1/attempts/{}/finish", text(&started["attempt_id"]));
        let late = ada.post(&finish, &json!({})).await.ok();
        assert_eq!(late["state"], "succeeded");
        assert_eq!(late["connection"]["status"], "connected");
        assert_eq!(late["connection"]["last_error"], serde_json::Value::Null);
        assert_eq!(app.nango.connections().await.len(), 1);
    }

    async fn an_attempt_that_was_allowed_in_the_last_second_does_not_expire(db: &TestDb) {
        let mut app = TestApp::frozen(db).await;
        let ada = app.sign_in("ada").await;
        app.nango.silence().await;
        let started = ada.connect("gmail").await;
        app.stop().await;
        app.nango.popup(text(&started["oauth_url"]), Decision::Allow).await;
        app.clock.advance(HALF_AN_HOUR + 1);
        app.restart().await;
        ada.at(&app).until("gmail", "connected").await;
        assert_eq!(ada.at(&app).attempt(&started).await["state"], "succeeded");
    }

    async fn of_two_windows_one_connection_is_kept(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        app.nango.silence().await;
        let started = ada.connect("zoom").await;
        let id = text(&started["attempt_id"]);
        let open = ada.get(&format!("/attempts/{id}/open")).await;
        let second = open.redirect(303);
        assert_ne!(second, text(&started["oauth_url"]));
        app.nango.popup(text(&started["oauth_url"]), Decision::Allow).await;
        app.nango.popup(second, Decision::Allow).await;
        ada.until("zoom", "connected").await;
        app.nango.until_connections(1).await;
        // The one that is left is the one that is bound.
        ada.post("/api/v1/connectors/zoom/disconnect", &json!({})).await.ok();
        assert!(app.nango.connections().await.is_empty());
    }

    async fn a_second_window_that_comes_later_leaves_nothing_at_nango(db: &TestDb) {
        let mut app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let started = ada.connect("zoom").await;
        let id = text(&started["attempt_id"]);
        let open = ada.get(&format!("/attempts/{id}/open")).await;
        let second = open.redirect(303).to_owned();
        app.nango.popup(text(&started["oauth_url"]), Decision::Allow).await;
        ada.until("zoom", "connected").await;
        app.nango.popup(&second, Decision::Allow).await;
        assert_eq!(app.nango.connections().await.len(), 2);
        // A running server looks once a minute; one that starts looks at once.
        app.restart().await;
        app.nango.until_connections(1).await;
        let ada = ada.at(&app);
        assert_eq!(ada.connection("zoom").await["status"], "connected");
        // The one that is left is the one that is bound.
        ada.post("/api/v1/connectors/zoom/disconnect", &json!({})).await.ok();
        assert!(app.nango.connections().await.is_empty());
    }

    async fn many_orphans_go_without_a_pause_between(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        app.nango.fault(json!({"drop_webhook": 1.0})).await;
        let started = ada.connect("gmail").await;
        let cancel = format!("/api/v1/attempts/{}/cancel", text(&started["attempt_id"]));
        ada.post(&cancel, &json!({})).await.ok();
        let tags = json!({
            "attempt_id": started["attempt_id"], "end_user_id": app.user_id("ada").await,
        });
        for _ in 0..60 {
            app.nango.connect_with_tags("google-mail", &tags, None).await;
        }
        // The bell rings for each of them, and is heard less often.
        let slow = json!({"latency_ms": 60, "method": "DELETE", "probability": 1.0});
        app.nango.fault(slow).await;
        app.reconcile().await;
        app.nango.until_connections(0).await;
    }
}
