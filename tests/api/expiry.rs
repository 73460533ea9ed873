//! A session ends one day, however much it is used.

use std::{sync::Arc, time::Duration};

use patchbay::server::{clock::Clock, db::session};

use crate::{app::TestApp, nango::Pretend};

const HOUR: i64 = 60 * 60 * 1000;

on_both! {
    async fn a_session_is_over_after_its_days_and_removed(db: &TestDb) {
        let clock = Clock::fixed(Clock::system().now());
        let nango = Arc::new(Pretend::start_at(clock.clone()).await);
        let settings = [("SESSION_ABSOLUTE_DAYS", "2"), ("SESSION_IDLE_DAYS", "9")];
        let app = TestApp::at(db, nango, clock.clone(), &settings).await;
        let ada = app.sign_in("ada").await;
        let mut stream = ada.events().await;
        assert_eq!(stream.next().await.expect("an event").0, "snapshot");
        for _ in 0..3 {
            clock.advance(15 * HOUR);
            assert_eq!(ada.get("/connectors").await.status, 200);
        }
        let sessions = async || {
            let mut tx = app.db.read().await.expect("a transaction");
            let id = app.user_id("ada").await;
            session::of_user(&mut tx, id, clock.now()).await.expect("a list").len()
        };
        assert_eq!(sessions().await, 1);
        clock.advance(3 * HOUR);
        // The stream looks by itself.
        let (event, _) = stream.within(Duration::from_secs(25)).await.expect("an event");
        assert_eq!(event, "bye");
        assert!(stream.next().await.is_none());
        assert_eq!(sessions().await, 0);
        ada.get("/api/v1/connections").await.problem(401, "signed_out");
        let page = ada.get("/connectors").await;
        assert_eq!(page.redirect(303), "/sign-in?next=%2Fconnectors");

        // Signing in again begins another one.
        let grace = app.sign_in("grace").await;
        clock.advance(47 * HOUR);
        assert_eq!(grace.get("/connectors").await.status, 200);
        clock.advance(HOUR);
        grace.get("/api/v1/connections").await.problem(401, "signed_out");
        let again = app.sign_in("grace").await;
        assert_eq!(again.get("/connectors").await.status, 200);
    }

    async fn a_session_that_does_not_say_when_it_began_is_none(db: &TestDb) {
        let app = TestApp::start(db).await;
        let id = app.user_id("ada").await;
        let store = Arc::new(session::Store::new(app.db.clone(), app.clock.clone()));
        let session = tower_sessions::Session::new(None, store, None);
        session.insert("user_id", id).await.expect("an entry");
        session.save().await.expect("a session");
        let mut eve = app.nobody();
        eve.cookie = format!("patchbay={}", session.id().expect("an id"));
        eve.get("/api/v1/connections").await.problem(401, "signed_out");
    }
}
