//! `/health/live` and `/health/ready`

use serde_json::json;

use crate::app::TestApp;

on_both! {
    async fn ready_means_that_the_database_answers(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let well = json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")});
        assert_eq!(app.get("/health/live").await.ok(), well);
        assert_eq!(app.get("/health/ready").await.ok(), well);
        // Without Nango the catalogue still serves.
        app.nango.stop().await;
        assert_eq!(app.get("/health/ready").await.ok(), well);

        app.db.close().await;
        assert_eq!(app.get("/health/live").await.ok(), well);
        let problem = app.get("/health/ready").await;
        problem.problem(503, "database_unavailable");
        assert!(!problem.header("retry-after").is_empty());
        ada.get("/api/v1/connections").await.problem(503, "database_unavailable");
    }
}
