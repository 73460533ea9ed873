//! `GET /api/v1/events`

use std::time::Duration;

use serde_json::{Value, json};

use crate::{app::TestApp, person::text, support::db::TestDb};

on_both! {
    async fn every_stream_starts_with_all_there_is_and_hears_of_each_change(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let mut first = ada.events().await;
        assert_eq!(first.next().await, Some(("snapshot".to_owned(), json!([]))));
        let zoom = ada.connect("zoom").await;
        let (event, data) = first.next().await.expect("a change");
        assert_eq!((event.as_str(), &data), ("connection", &zoom["connection"]));

        // A second browser of the same person; and another person.
        let elsewhere = app.sign_in("ada").await;
        let mut second = elsewhere.events().await;
        let snapshot = second.next().await.expect("a snapshot");
        assert_eq!(snapshot, ("snapshot".to_owned(), json!([zoom["connection"]])));
        let grace = app.sign_in("grace").await;
        let mut hers = grace.events().await;
        assert_eq!(hers.next().await, Some(("snapshot".to_owned(), json!([]))));

        let gmail = ada.connect("gmail").await;
        for stream in [&mut first, &mut second] {
            let (_, data) = stream.within(Duration::from_secs(1)).await.expect("a change");
            assert_eq!(data, gmail["connection"]);
        }
        let cancel = format!("/api/v1/attempts/{}/cancel", text(&gmail["attempt_id"]));
        let cancelled = ada.post(&cancel, &json!({})).await.ok();
        for stream in [&mut first, &mut second] {
            let (_, data) = stream.next().await.expect("a change");
            assert_eq!(data, cancelled["connection"]);
            assert!(data["version"].as_i64() > gmail["connection"]["version"].as_i64());
        }
        // The first that Grace hears of is her own.
        let hers_first = grace.connect("slack").await;
        let (_, data) = hers.next().await.expect("a change");
        assert_eq!(data, hers_first["connection"]);
        app.get("/api/v1/events").await.problem(401, "signed_out");
    }

    async fn a_stream_ends_with_its_session(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let elsewhere = app.sign_in("ada").await;
        let (mut stays, mut ends) = (elsewhere.events().await, ada.events().await);
        assert!(stays.next().await.is_some() && ends.next().await.is_some());
        let ours = [("origin", app.base.as_str())];
        assert_eq!(ada.form("/sign-out", &[], &ours).await.redirect(303), "/sign-in");
        assert_eq!(ends.next().await, Some(("bye".to_owned(), json!({}))));
        assert_eq!(ends.next().await, None);
        // The other session is none of its business.
        let started = elsewhere.connect("gmail").await;
        let (_, data) = stays.next().await.expect("a change");
        assert_eq!(data, started["connection"]);
    }
}

/// Two instances behind a proxy: what happens at one shows at the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_tell_each_other() {
    let db = TestDb::postgres().await;
    let one = TestApp::start(&db).await;
    let two = one.twin().await;
    let ada = one.sign_in("ada").await;
    let there = ada.at(&two);
    let mut events = there.events().await;
    assert_eq!(
        events.next().await,
        Some(("snapshot".to_owned(), json!([])))
    );
    let connected = ada.connected(&one.nango, "gmail").await;
    let mut last = Value::Null;
    while last["status"] != "connected" {
        last = events.next().await.expect("a change").1;
    }
    assert_eq!(last["id"], connected["id"]);
    assert_eq!(there.connection("gmail").await["status"], "connected");
}
