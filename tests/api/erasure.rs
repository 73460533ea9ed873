//! Erasing a person: what goes with them, and where Nango is not there to be asked.

use std::{sync::Arc, time::Duration};

use patchbay::{
    domain::attempt::AttemptState,
    server::{
        clock::Clock,
        db::{attempt, owed_deletion, user},
        services::personal::Erased,
        startup::{self, StartError},
    },
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    app::{TestApp, eventually},
    local_accounts::{ANOTHER, PASSWORD, account, enter, try_in},
    nango::{Decision, Pretend},
    person::{Person, text},
};

async fn erase(app: &TestApp, id: Uuid) -> Result<Erased, StartError> {
    startup::personal::erase(&app.config(), id).await
}

async fn export(app: &TestApp, id: Uuid) -> Value {
    let found = startup::personal::export(&app.config(), id).await;
    found.expect("an export")
}

async fn owed(app: &TestApp, id: Uuid) -> usize {
    let mut tx = app.db.read().await.expect("a transaction");
    let found = owed_deletion::of_user(&mut tx, id).await;
    found.expect("a query").len()
}

/// Another server on the same database, before the same Nango.
async fn beside(app: &TestApp, db: &crate::support::db::TestDb, setting: (&str, &str)) -> TestApp {
    TestApp::at(db, app.nango.clone(), app.clock.clone(), &[setting]).await
}

/// Cancels an attempt, and allows it in the popup all the same.
async fn orphan(app: &TestApp, person: &Person, slug: &str) {
    let started = person.connect(slug).await;
    let cancel = format!("/api/v1/attempts/{}/cancel", text(&started["attempt_id"]));
    person.post(&cancel, &json!({})).await.ok();
    app.nango
        .popup(text(&started["oauth_url"]), Decision::Allow)
        .await;
}

on_both! {
    /// What was refused before is looked at afterwards.
    async fn counts_of_wrong_passwords_go_with_their_person(db: &TestDb) {
        let clock = Clock::fixed(Clock::system().now());
        let nango = Arc::new(Pretend::start_at(clock.clone()).await);
        let app = TestApp::at(db, nango, clock, &[("AUTH_SIGN_UP", "true")]).await;
        let id = account(&app, "ada@example.com").await;
        let ada = enter(&app, "ada@example.com", PASSWORD).await;
        let wrong = [("present", ANOTHER), ("new", "three fuses of the same")];
        assert_eq!(ada.form("/account/password", &wrong, &[]).await.status, 422);
        let sign_up = [("email", "ada@example.com"), ("name", "Ada"), ("password", PASSWORD)];
        for status in [401, 401, 401, 401, 401, 429] {
            assert_eq!(try_in(&app, "ada@example.com", ANOTHER).await.status, status);
        }
        for status in [403, 403, 403, 403, 403, 429] {
            assert_eq!(app.nobody().form("/sign-up", &sign_up, &[]).await.status, status);
        }
        // Somebody who signs in elsewhere: their address is only shown, and may be tried here.
        let new = user::NewUser {
            id: app.clock.new_id(),
            issuer: "https://id.example.com",
            subject: "ola",
            display_name: "Ola",
            email: Some("Ola@Example.com"),
        };
        let mut tx = app.db.write().await.expect("a transaction");
        let ola = user::upsert(&mut tx, &new, app.clock.now()).await.expect("a person").id;
        tx.commit().await.expect("a commit");
        for status in [401, 401, 401, 401, 401, 429] {
            assert_eq!(try_in(&app, "ola@example.com", ANOTHER).await.status, status);
        }

        erase(&app, id).await.expect("erased");
        erase(&app, ola).await.expect("erased");
        assert_eq!(app.nobody().form("/sign-up", &sign_up, &[]).await.redirect(303), "/connectors");
        enter(&app, "ada@example.com", PASSWORD).await;
        assert_eq!(try_in(&app, "ola@example.com", ANOTHER).await.status, 401);
        // Left: of this address for signing in and for signing up, and what was just counted anew. Not
        // the present password that the erased person had got wrong.
        app.clock.advance(16 * 60 * 1000);
        assert_eq!(app.services().local.sweep().await.expect("a sweep"), 4);
    }

    /// What is owed belongs to the person: it is exported, and it has to be done first.
    async fn while_a_deletion_is_owed_nobody_is_forgotten_without_nango(db: &TestDb) {
        let mut app = TestApp::start(db).await;
        let (ada, eve) = (app.sign_in("ada").await, app.sign_in("eve").await);
        let (id, other) = (app.user_id("ada").await, app.user_id("eve").await);
        let down = json!({"status": 503, "method": "DELETE", "count": 100_000});
        app.nango.fault(down).await;
        orphan(&app, &ada, "gmail").await;
        orphan(&app, &eve, "zoom").await;
        app.reconcile().await;
        eventually("two deletions owed", || async {
            (owed(&app, id).await == 1 && owed(&app, other).await == 1).then_some(())
        })
        .await;
        let at_nango = app.nango.connections().await;
        let hers = at_nango.iter().find(|one| one["tags"]["end_user_id"] == json!(id)).expect("hers");
        let found = export(&app, id).await["owed_deletions"].clone();
        assert_eq!(found.as_array().map(Vec::len), Some(1), "{found}");
        assert_eq!(
            (&found[0]["nango_connection_id"], &found[0]["provider_config_key"], &found[0]["reason"]),
            (&hers["connection_id"], &json!("google-mail"), &json!("orphan of a cancelled attempt")),
        );
        // Nango does not delete; it does not answer; it is switched off.
        app.stop().await;
        let error = erase(&app, id).await.expect_err("not deleted").to_string();
        assert!(error.starts_with("nothing was erased: Nango, "), "{error}");
        let away = beside(&app, db, ("NANGO_BASE_URL", "http://127.0.0.1:9")).await;
        let error = erase(&away, id).await.expect_err("not reached").to_string();
        assert!(error.starts_with("nothing was erased: Nango, "), "{error}");
        let off = beside(&app, db, ("NANGO_ENABLED", "false")).await;
        let error = erase(&off, id).await.expect_err("switched off").to_string();
        for words in ["nothing was erased", "connected: 0, owed a deletion already: 1", "NANGO_ENABLED=false"] {
            assert!(error.contains(words), "{error}");
        }
        assert_eq!((owed(&off, id).await, app.nango.connections().await.len()), (1, 2));
        let user = &export(&off, id).await["user"];
        assert_eq!((&user["subject"], &user["erased_at"]), (&json!("ada"), &Value::Null));
        app.nango.clear_faults().await;
        assert_eq!(erase(&app, id).await.expect("erased").at_nango, 1);
        assert_eq!((owed(&off, id).await, owed(&off, other).await), (0, 1));
        assert_eq!(app.nango.connections().await.len(), 1, "another's is another's");
    }

    /// Tagged by nobody we know, it is found by what is owed alone.
    async fn what_is_owed_is_deleted_whatever_its_tags_say(db: &TestDb) {
        let mut app = TestApp::start(db).await;
        app.sign_in("ada").await;
        let id = app.user_id("ada").await;
        app.stop().await;
        let tags = json!({"end_user_id": app.clock.random_id()});
        app.nango.connect_with_tags("slack", &tags, None).await;
        let at_nango = app.nango.until_connections(1).await;
        let row = owed_deletion::Row {
            id: app.clock.new_id(),
            user_id: Some(id),
            nango_connection_id: text(&at_nango[0]["connection_id"]).to_owned(),
            provider_config_key: "slack".to_owned(),
            reason: "orphan".to_owned(),
            tries: 0,
            next_try_at: app.clock.now(),
            created_at: app.clock.now(),
        };
        let mut tx = db.db.write().await.expect("a transaction");
        owed_deletion::owe(&mut tx, &row).await.expect("a row");
        tx.commit().await.expect("a commit");
        assert_eq!(erase(&app, id).await.expect("erased").at_nango, 1);
        let mut tx = db.db.read().await.expect("a transaction");
        assert!(!owed_deletion::is_owed(&mut tx, &row.nango_connection_id).await.expect("a count"));
        assert!(app.nango.connections().await.is_empty());
    }

    async fn open_attempts_end_and_what_still_comes_of_them_is_deleted(db: &TestDb) {
        let mut app = TestApp::start(db).await;
        let (ada, id) = (app.sign_in("ada").await, app.user_id("ada").await);
        let started = ada.connect("zoom").await;
        let eve = app.user_id("eve").await;
        app.stop().await;
        let mut off = beside(&app, db, ("NANGO_ENABLED", "false")).await;
        let erased = erase(&off, id).await.expect("erased");
        assert_eq!((erased.at_nango, erased.attempts, erased.unasked), (0, 1, true));
        // Who never tried to connect anything has nothing at Nango.
        assert!(!erase(&off, eve).await.expect("erased").unasked);
        let mut tx = db.db.read().await.expect("a transaction");
        let attempts = attempt::of_user(&mut tx, id).await.expect("attempts");
        assert_eq!(attempts[0].state, AttemptState::Cancelled);
        drop(tx);
        off.stop().await;

        // The popup is open still, and is allowed now.
        app.nango.popup(text(&started["oauth_url"]), Decision::Allow).await;
        app.nango.until_connections(1).await;
        let app = app.twin().await;
        app.nango.until_connections(0).await;
        eventually("nothing is owed any more", || async {
            (owed(&app, id).await == 0).then_some(())
        })
        .await;
        let export = export(&app, id).await;
        assert_eq!(export["connections"][0]["status"], "disconnected");
        let again = erase(&app, id).await.expect("erased");
        assert_eq!((again.again, again.unasked), (true, false));
    }

    /// The command has a process of its own: it tells the servers by the database. On SQLite nobody
    /// is told, and each stream looks for itself every quarter of a minute.
    async fn an_erasure_ends_the_persons_streams(db: &TestDb) {
        let app = TestApp::start(db).await;
        let (ada, eve) = (app.sign_in("ada").await, app.sign_in("eve").await);
        let (mut hers, mut others) = (ada.events().await, eve.events().await);
        assert!(hers.next().await.is_some() && others.next().await.is_some());
        erase(&app, app.user_id("ada").await).await.expect("erased");
        let soon = if app.db.kind() == "PostgreSQL" { 8 } else { 20 };
        let end = hers.within(Duration::from_secs(soon)).await;
        assert_eq!(end, Some(("bye".to_owned(), json!({}))));
        assert_eq!(hers.next().await, None);
        ada.get("/api/v1/connections").await.problem(401, "signed_out");
        // Nobody else's.
        let started = eve.connect("gmail").await;
        assert_eq!(others.next().await.expect("a change").1, started["connection"]);
    }
}
