//! The catalogue's page is printed once for everybody: what is one person's is on their page alone, and
//! it is printed anew when there is something else to say.

use serde_json::json;

use crate::app::TestApp;

on_both! {
    async fn what_a_person_has_is_on_their_own_page_alone(db: &TestDb) {
        let app = TestApp::start(db).await;
        let (ada, grace) = (app.sign_in("ada").await, app.sign_in("grace").await);
        ada.connected(&app.nango, "gmail").await;
        for filter in ["", "?status=connected"] {
            let path = format!("/connectors{filter}");
            let (hers, his) = tokio::join!(ada.get(&path), grace.get(&path));
            for (page, name, own, other) in [(&hers, "ada", 1, "grace"), (&his, "grace", 0, "ada")] {
                let id = app.user_id(name).await.to_string();
                let theirs = app.user_id(other).await.to_string();
                assert!(page.text.contains(&format!("data-person=\"{id}\"")), "{}", page.text);
                assert!(!page.text.contains(&theirs), "{}", page.text);
                assert!(page.text.contains(&format!("Connected<b>{own}</b>")), "{}", page.text);
                let dots = page.text.matches("status is-connected").count();
                assert_eq!(dots, own, "{}", page.text);
            }
            // Each answer has its own nonce, and its policy names it.
            let policy = hers.header("content-security-policy").to_owned();
            let nonce = policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next());
            let nonce = nonce.expect("a nonce");
            assert!(hers.text.contains(&format!("nonce=\"{nonce}\"")), "{policy}");
            assert!(!his.text.contains(nonce), "{policy}");
        }
    }

    async fn what_changes_for_everybody_is_printed_anew(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let well = ada.get("/connectors").await.text;
        assert!(!well.contains("Connecting is off"), "{well}");
        app.nango.fault(json!({"outage": true})).await;
        let refused = ada.post("/api/v1/connectors/gmail/connect", &json!({})).await;
        assert!(refused.status >= 500, "{}", refused.text);
        let off = ada.get("/connectors").await.text;
        assert!(off.contains("Connecting is off"), "{off}");
    }
}
