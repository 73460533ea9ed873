//! `/api/v1/connectors` and `/api/v1/connections`: what is there, and what one has of it.

use serde_json::{Value, json};

use crate::{
    app::TestApp,
    person::{Person, text},
};

async fn list(person: &Person, query: &str) -> Vec<String> {
    let answer = person.get(&format!("/api/v1/connectors{query}")).await.ok();
    let connectors = answer["connectors"].as_array().expect("a list");
    connectors
        .iter()
        .map(|c| text(&c["slug"]).to_owned())
        .collect()
}

fn counts(answer: &Value) -> (usize, u64) {
    let categories = answer["categories"].as_array().expect("a list");
    let sum = categories.iter().filter_map(|c| c["count"].as_u64()).sum();
    (categories.len(), sum)
}

on_both! {
    async fn the_catalogue_is_searched_filtered_sorted_and_counted(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let before = ada.get("/api/v1/connectors").await.ok();
        assert_eq!(before["connectors"].as_array().map(Vec::len), Some(99));
        let (categories, all) = counts(&before);
        assert!(categories > 5, "{}", before["categories"]);
        assert_eq!(all, 99);
        assert!(before["connectors"].as_array().is_some_and(|all| all.iter().all(|c| {
            c["status"] == "not_connected" && c["connections"] == json!([]) && c.get("unavailable").is_none()
        })));

        let found = list(&ada, "?q=GMAIL").await;
        assert_eq!(found.first().map(String::as_str), Some("gmail"), "{found:?}");
        assert_eq!(list(&ada, "?q=no+such+thing").await, Vec::<String>::new());
        let email = ada.get("/api/v1/connectors?category=Email").await.ok();
        let of_email = email["connectors"].as_array().expect("a list");
        assert!(of_email.len() > 1 && of_email.iter().all(|c| c["category"] == "Email"));
        // A count says what choosing another category would show, so they stay.
        assert_eq!(counts(&email), (categories, 99));
        let up = list(&ada, "?sort=name").await;
        let mut down = list(&ada, "?sort=-name").await;
        assert_ne!(up, down);
        down.reverse();
        assert_eq!(up, down);
        // A word nobody knows is no filter.
        assert_eq!(list(&ada, "?status=sideways&sort=inside-out").await.len(), 99);

        ada.connected(&app.nango, "zoom").await;
        ada.connect("linear").await;
        let first: Vec<_> = list(&ada, "").await.into_iter().take(2).collect();
        assert_eq!(first, ["linear", "zoom"], "what is in motion stands before what is well");
        assert_eq!(list(&ada, "?status=connected").await, ["zoom"]);
        assert_eq!(list(&ada, "?status=pending").await, ["linear"]);
        assert_eq!(list(&ada, "?status=not_connected").await.len(), 97);
        let filtered = ada.get("/api/v1/connectors?status=connected").await.ok();
        assert_eq!(counts(&filtered), (categories, 1));
        assert_eq!(list(&ada, "?q=zoom&status=pending").await, Vec::<String>::new());
    }

    async fn a_connector_is_found_by_slug_and_by_id(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let by_slug = ada.get("/api/v1/connectors/gmail").await.ok();
        let by_id = ada.get(&format!("/api/v1/connectors/{}", text(&by_slug["id"]))).await.ok();
        assert_eq!(by_slug, by_id);
        assert_eq!(by_slug["name"], "Gmail");
        assert_eq!(by_slug["auth_mode"], "OAUTH2");
        assert_eq!(by_slug["status"], "not_connected");
        assert!(by_slug["scopes"].as_array().is_some_and(|s| !s.is_empty()));
        let status = ada.get("/api/v1/connectors/gmail/status").await.ok();
        assert_eq!(status, json!({"connector": "gmail", "status": "not_connected", "connections": []}));
        assert_eq!(ada.connections().await, Vec::<Value>::new());

        let id = text(&by_slug["id"]);
        let started = ada.post(&format!("/api/v1/connectors/{id}/connect"), &json!({})).await.ok();
        assert_eq!(started["connection"]["connector_id"], by_slug["id"]);
        let mine = ada.connections().await;
        assert_eq!(mine, [ada.connection("gmail").await]);
        assert_eq!(mine[0]["connector"], "gmail");
        assert_eq!(ada.get("/api/v1/connectors/gmail").await.ok()["connections"], json!(mine));

        for unknown in ["no-such", "00000000-0000-0000-0000-000000000000", "%20"] {
            let path = format!("/api/v1/connectors/{unknown}");
            ada.get(&path).await.problem(404, "connector_unknown");
            ada.get(&format!("{path}/status")).await.problem(404, "connector_unknown");
            for what in ["connect", "reconnect", "disconnect"] {
                ada.post(&format!("{path}/{what}"), &json!({})).await.problem(404, "connector_unknown");
            }
        }
        ada.get("/api/v1/nothing").await.problem(404, "not_found");
        ada.post("/api/v1/connectors", &json!({})).await.problem(405, "method_not_allowed");
    }
}
