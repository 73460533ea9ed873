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

    /// Whatever uses it: a page, a call of the API, an open page that only listens.
    async fn a_session_that_is_used_does_not_rest(db: &TestDb) {
        let clock = Clock::fixed(Clock::system().now());
        let nango = Arc::new(Pretend::start_at(clock.clone()).await);
        let app = TestApp::at(db, nango, clock.clone(), &[("SESSION_IDLE_DAYS", "1")]).await;
        let (ada, grace) = (app.sign_in("ada").await, app.sign_in("grace").await);
        let expires = async |name: &str| {
            let id = app.user_id(name).await;
            let mut tx = app.db.read().await.expect("a transaction");
            session::of_user(&mut tx, id, clock.now()).await.expect("a list")[0].expires_at.0
        };
        for (path, status) in [("/api/v1/connections", 200), ("/connectors", 200), ("/api/v1/attempts/x", 404)] {
            clock.advance(23 * HOUR);
            let answer = ada.get(path).await;
            assert_eq!(answer.status, status, "{path}");
            // The cookie too, or the browser would forget it.
            assert!(answer.header("set-cookie").starts_with(&ada.cookie), "{path}");
            assert_eq!(expires("ada").await, clock.now().0 + 24 * HOUR, "{path}");
        }
        grace.get("/api/v1/connections").await.problem(401, "signed_out");
        // Not each request is a write.
        let before = expires("ada").await;
        clock.advance(HOUR / 4 - 1);
        let answer = ada.get("/api/v1/connections").await;
        assert_eq!((answer.status, answer.cookie()), (200, None));
        assert_eq!(expires("ada").await, before);
        clock.advance(1);
        assert!(ada.get("/api/v1/connections").await.cookie().is_some());
        assert_eq!(expires("ada").await, before + HOUR / 4);

        // Whoever only listens comes back by themselves once an hour, as browsers do.
        let mut stream = ada.events().await;
        assert_eq!(stream.next().await.expect("an event").0, "snapshot");
        clock.advance(23 * HOUR);
        assert_eq!(stream.within(Duration::from_secs(25)).await, None, "no bye: it comes back");
        let mut again = ada.events().await;
        assert_eq!(again.next().await.expect("an event").0, "snapshot");
        assert_eq!(expires("ada").await, clock.now().0 + 24 * HOUR);
        clock.advance(24 * HOUR);
        ada.get("/api/v1/connections").await.problem(401, "signed_out");
    }
}
