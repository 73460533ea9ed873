//! The reconciler: what is shown is the truth, whatever was lost on the way.

use serde_json::{Value, json};

use crate::{app::TestApp, nango::Decision, person::text};

on_both! {
    async fn what_breaks_and_recovers_in_silence_is_found(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        ada.connected(&app.nango, "gmail").await;
        ada.connected(&app.nango, "slack").await;
        let report = app.reconcile().await;
        assert_eq!((report.bound, report.listed, report.changed, report.missing), (2, 2, 0, 0));
        let entries = app.nango.connections().await;
        let gmail = entries.iter().find(|e| e["provider_config_key"] == "google-mail").expect("an entry");
        app.nango.set_broken(gmail, true).await;
        assert_eq!(app.reconcile().await.changed, 1);
        let broken = ada.connection("gmail").await;
        assert_eq!(broken["status"], "error");
        assert!(text(&broken["last_error"]).contains("Reconnect"), "{broken}");
        assert_eq!(ada.connection("slack").await["status"], "connected");
        assert_eq!(app.reconcile().await.changed, 0, "told once");
        app.nango.set_broken(gmail, false).await;
        assert_eq!(app.reconcile().await.changed, 1);
        let well = ada.connection("gmail").await;
        assert_eq!((&well["status"], &well["last_error"], &well["error_count"]), (&json!("connected"), &Value::Null, &json!(0)));
    }

    async fn what_vanished_is_missed_twice_first(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        ada.connected(&app.nango, "gmail").await;
        ada.connected(&app.nango, "slack").await;
        let entries = app.nango.connections().await;
        let gmail = entries.iter().find(|e| e["provider_config_key"] == "google-mail").expect("an entry");
        app.nango.delete(gmail).await;
        let first = app.reconcile().await;
        assert_eq!((first.missing, first.vanished), (1, 0));
        assert_eq!(ada.connection("gmail").await["status"], "connected");
        let second = app.reconcile().await;
        assert_eq!((second.missing, second.vanished), (1, 1));
        let gone = ada.connection("gmail").await;
        assert_eq!(gone["status"], "disconnected");
        assert!(text(&gone["last_error"]).contains("gone"), "{gone}");
        assert!(gone["disconnected_at"].is_string());
        assert_eq!(app.reconcile().await.bound, 1);
        // The row is used again.
        let again = ada.connected(&app.nango, "gmail").await;
        assert_eq!(again["id"], gone["id"]);
    }

    async fn what_vanished_and_comes_back_is_bound_again(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let before = ada.connected(&app.nango, "gmail").await;
        let entry = app.nango.connections().await.remove(0);
        app.nango.delete(&entry).await;
        app.reconcile().await;
        app.reconcile().await;
        ada.until("gmail", "disconnected").await;
        // As with a key of another environment, and then the right one again.
        app.nango.import(&entry).await;
        assert_eq!(app.reconcile().await.found, 1);
        let after = ada.connection("gmail").await;
        assert_eq!(after["status"], "connected");
        for field in ["id", "connected_at", "account"] {
            assert_eq!(after.get(field), before.get(field), "{field}");
        }
        assert_eq!(app.reconcile().await.found, 0);
        assert_eq!(app.nango.connections().await.len(), 1, "nothing was deleted");

        // What the person has disconnected stays so.
        ada.post("/api/v1/connectors/gmail/disconnect", &json!({})).await.ok();
        app.nango.import(&entry).await;
        app.reconcile().await;
        app.nango.until_connections(0).await;
        assert_eq!(ada.connection("gmail").await["status"], "disconnected");
    }

    async fn a_mass_disconnect_is_an_alarm(db: &TestDb) {
        let app = TestApp::start(db).await;
        let mut people = Vec::new();
        for name in ('a'..='z').take(12) {
            let person = app.sign_in(&format!("person{name}")).await;
            person.connected(&app.nango, "gmail").await;
            people.push(person);
        }
        let entries = app.nango.connections().await;
        for entry in entries.iter().take(10) {
            app.nango.delete(entry).await;
        }
        for _ in 0..3 {
            let report = app.reconcile().await;
            assert!(report.alarm, "{report:?}");
            assert_eq!((report.missing, report.vanished), (10, 0));
        }
        for person in &people {
            assert_eq!(person.connection("gmail").await["status"], "connected");
        }
        let ready = app.get("/health/ready").await;
        // The catalogue shows all the same.
        assert_eq!(ready.ok()["alarms"], json!(["nango_connections_missing"]));
    }

    async fn an_outcome_that_every_other_way_lost_is_found(db: &TestDb) {
        let mut app = TestApp::frozen(db).await;
        let ada = app.sign_in("ada").await;
        app.nango.silence().await;
        let started = ada.connect("gmail").await;
        let page = app.nango.open(text(&started["oauth_url"])).await;
        // Nango's list refuses whoever polls, and hours go by.
        app.nango.fault(json!({"path_prefix": "/connections", "status": 403, "count": 100_000})).await;
        app.nango.decide(&page, Decision::Allow).await;
        app.clock.advance(3 * 3_600_000);
        app.restart().await;
        let ada = ada.at(&app);
        ada.until_attempt(&started, "expired").await;
        app.nango.clear_faults().await;
        assert_eq!(app.reconcile().await.found, 1);
        assert_eq!(ada.connection("gmail").await["status"], "connected");
        assert_eq!(app.reconcile().await.found, 0);
    }

    async fn an_orphan_nobody_saw_is_deleted(db: &TestDb) {
        let app = TestApp::frozen(db).await;
        let ada = app.sign_in("ada").await;
        let started = ada.connect("gmail").await;
        let page = app.nango.open(text(&started["oauth_url"])).await;
        let cancel = format!("/api/v1/attempts/{}/cancel", text(&started["attempt_id"]));
        ada.post(&cancel, &json!({})).await.ok();
        app.nango.silence().await;
        app.nango.fault(json!({"path_prefix": "/connections", "status": 403, "count": 100_000})).await;
        app.nango.decide(&page, Decision::Allow).await;
        app.clock.advance(3 * 3_600_000);
        app.nango.clear_faults().await;
        app.reconcile().await;
        app.nango.until_connections(0).await;
        assert_eq!(ada.connection("gmail").await["status"], "disconnected");
    }

    async fn connections_of_others_are_left_alone(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ours = json!({"attempt_id": "7b0ae8f4-1111-4222-8333-444455556666", "end_user_id": "somebody"});
        app.nango.connect_with_tags("google-mail", &ours, None).await;
        app.nango.connect_with_tags("slack", &json!({"plan": "pro"}), None).await;
        for _ in 0..2 {
            let report = app.reconcile().await;
            assert_eq!((report.listed, report.found, report.changed), (2, 0, 0));
        }
        assert_eq!(app.nango.connections().await.len(), 2);
    }
}
