//! `/health/live`, `/health/ready` and `/health/startup`

use serde_json::json;

use crate::app::TestApp;

on_both! {
    async fn ready_means_that_the_database_answers(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let well = json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")});
        for path in ["/health/live", "/health/ready", "/health/startup"] {
            assert_eq!(app.get(path).await.ok(), well);
        }
        // Without Nango the catalogue still serves.
        app.nango.stop().await;
        assert_eq!(app.get("/health/ready").await.ok(), well);

        app.db.close().await;
        // A restart would not bring it back.
        for path in ["/health/live", "/health/startup"] {
            assert_eq!(app.get(path).await.ok(), well);
        }
        let problem = app.get("/health/ready").await;
        problem.problem(503, "database_unavailable");
        assert!(!problem.header("retry-after").is_empty());
        ada.get("/api/v1/connections").await.problem(503, "database_unavailable");
    }

    async fn whoever_is_about_to_stop_is_not_ready(db: &TestDb) {
        let app = TestApp::start(db).await;
        app.services().health.stop();
        let answer = app.get("/health/ready").await;
        answer.problem(503, "stopping");
        assert!(!answer.header("retry-after").is_empty());
        // It still answers what comes, and nobody needs to kill it.
        app.get("/health/live").await.ok();
        assert_eq!(app.get("/sign-in").await.status, 200);
    }

    async fn only_a_task_that_breaks_off_again_and_again_calls_for_a_restart(db: &TestDb) {
        let app = TestApp::start(db).await;
        for _ in 0..4 {
            app.services().health.broke_off("watch");
            app.get("/health/live").await.ok();
        }
        app.services().health.broke_off("watch");
        for path in ["/health/live", "/health/startup"] {
            app.get(path).await.problem(503, "not_alive");
        }
    }

    async fn what_is_not_heard_of_others_is_an_alarm(db: &TestDb) {
        let app = TestApp::start(db).await;
        app.services().health.listens(false);
        let answer = app.get("/health/ready").await.ok();
        assert_eq!(answer["alarms"], json!(["live_updates_interrupted"]));
        app.services().health.listens(true);
        assert!(app.get("/health/ready").await.ok().get("alarms").is_none());
    }
}
