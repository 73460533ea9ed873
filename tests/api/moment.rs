//! A sign-in that is being answered in the very moment in which sessions are ended.

use std::sync::Arc;

use patchbay::{
    domain::problem::Problem,
    server::{clock::Clock, db::session::Store, http::session::begin, services::accounts::Entered},
};
use secrecy::SecretString;
use serde_json::json;

use crate::{
    app::TestApp,
    issuer::{Issuer, Key, query},
    local_accounts::{ANOTHER, PASSWORD, account, enter},
    nango::Pretend,
    oidc::{self, Browser},
    person::Person,
};

/// Ada's password was right; the answer with her session is still on its way.
async fn let_in(app: &TestApp, password: &str) -> Entered {
    let password = SecretString::from(password);
    let local = &app.services().local;
    let entered = local.sign_in("ada@example.com", &password).await;
    entered
        .map_err(|e| Problem::from(e).code)
        .expect("a right password")
}

/// The session is written, as every sign-in writes it.
pub async fn answered(app: &TestApp, entered: &Entered) -> Person {
    let store = Arc::new(Store::new(app.db.clone(), app.clock.clone()));
    let session = tower_sessions::Session::new(None, store, None);
    let begun = begin(&session, entered, app.services()).await;
    begun.map_err(|e| e.problem.code).expect("a session");
    session.save().await.expect("a session");
    Person::new(app, &format!("patchbay={}", session.id().expect("an id")))
}

async fn is_in(person: &Person) -> bool {
    let answer = person.get("/api/v1/connections").await;
    if answer.status != 200 {
        answer.problem(401, "signed_out");
    }
    answer.status == 200
}

on_both! {
    /// Time stands still: what comes first is no matter of clocks.
    async fn a_sign_in_does_not_outlive_what_ends_all_sessions(db: &TestDb) {
        let app = TestApp::frozen(db).await;
        let id = account(&app, "ada@example.com").await;
        let here = enter(&app, "ada@example.com", PASSWORD).await;
        assert!(is_in(&answered(&app, &let_in(&app, PASSWORD).await).await).await);

        // Signing out everywhere else, twice in the same moment.
        for _ in 0..2 {
            let late = let_in(&app, PASSWORD).await;
            let answer = here.form("/account/sessions/end", &[("id", "others")], &[]).await;
            assert_eq!(answer.redirect(303), "/account?done=sessions");
            assert!(!is_in(&answered(&app, &late).await).await, "everywhere else");
            assert!(is_in(&here).await, "this one stays");
            assert!(is_in(&enter(&app, "ada@example.com", PASSWORD).await).await, "and a new one is one");
        }

        let late = let_in(&app, PASSWORD).await;
        let fields = [("present", PASSWORD), ("new", ANOTHER)];
        let answer = here.form("/account/password", &fields, &[]).await;
        assert_eq!(answer.redirect(303), "/account?done=password");
        assert!(!is_in(&answered(&app, &late).await).await, "another password");
        let here = Person::new(&app, &answer.cookie().expect("a new cookie"));
        assert!(is_in(&here).await, "the session that asked for it goes on");
        assert!(is_in(&enter(&app, "ada@example.com", ANOTHER).await).await);

        // An operator gives her another one.
        let late = let_in(&app, ANOTHER).await;
        let reset = app.services().local.reset_password(id, &SecretString::from(PASSWORD)).await;
        assert!(reset.is_ok());
        assert!(!is_in(&answered(&app, &late).await).await, "a reset");
        assert!(!is_in(&here).await);

        // Kept out, and let in again: what was begun before is over all the same.
        let late = let_in(&app, PASSWORD).await;
        let people = &app.services().people;
        people.disable(id, None).await.expect("disabled");
        people.enable(id, None).await.expect("enabled");
        assert!(!is_in(&answered(&app, &late).await).await, "disabled");
        // Nobody is signed in but for who came after it.
        let again = enter(&app, "ada@example.com", PASSWORD).await;
        let page = again.get("/account").await;
        assert_eq!(page.text.matches("Signed in ").count(), 0, "{}", page.text);
        assert!(is_in(&again).await);
    }

    async fn a_demo_user_and_a_new_account_are_people_like_others(db: &TestDb) {
        let app = TestApp::with(db, &[("AUTH_SIGN_UP", "true")]).await;
        let late = app.services().accounts.demo(true, "ada").await.expect("a demo user");
        let id = app.user_id("ada").await;
        let people = &app.services().people;
        people.disable(id, None).await.expect("disabled");
        people.enable(id, None).await.expect("enabled");
        assert!(!is_in(&answered(&app, &late).await).await);
        assert!(is_in(&app.sign_in("ada").await).await);
        let fields = [("email", "eve@example.com"), ("name", "Eve"), ("password", PASSWORD)];
        let answer = app.nobody().form("/sign-up", &fields, &[]).await;
        assert!(is_in(&Person::new(&app, &answer.cookie().expect("a cookie"))).await);
    }

    /// The page of an event stream that is kept must not end what the form keeps.
    async fn the_session_that_is_kept_keeps_its_stream(db: &TestDb) {
        let app = TestApp::start(db).await;
        account(&app, "ada@example.com").await;
        let here = enter(&app, "ada@example.com", PASSWORD).await;
        let there = enter(&app, "ada@example.com", PASSWORD).await;
        let (mut stays, mut ends) = (here.events().await, there.events().await);
        assert!(stays.next().await.is_some() && ends.next().await.is_some());
        here.form("/account/sessions/end", &[("id", "others")], &[]).await;
        assert_eq!(ends.next().await, Some(("bye".to_owned(), json!({}))));
        let started = here.connect("gmail").await;
        assert_eq!(stays.next().await.expect("a change").1, started["connection"]);
    }

    async fn another_password_makes_no_session_last_longer(db: &TestDb) {
        let clock = Clock::fixed(Clock::system().now());
        let nango = Arc::new(Pretend::start_at(clock.clone()).await);
        let app = TestApp::at(db, nango, clock.clone(), &[("SESSION_ABSOLUTE_DAYS", "2")]).await;
        account(&app, "ada@example.com").await;
        let here = enter(&app, "ada@example.com", PASSWORD).await;
        clock.advance(40 * 3_600_000);
        let fields = [("present", PASSWORD), ("new", ANOTHER)];
        let answer = here.form("/account/password", &fields, &[]).await;
        let here = Person::new(&app, &answer.cookie().expect("a new cookie"));
        assert!(is_in(&here).await);
        here.form("/account/sessions/end", &[("id", "others")], &[]).await;
        clock.advance(8 * 3_600_000 - 1);
        assert!(is_in(&here).await);
        clock.advance(1);
        assert!(!is_in(&here).await);
    }

    /// The provider was asked before, and answers after it: ten minutes may lie between.
    async fn the_way_over_a_provider_ends_with_the_sessions(db: &TestDb) {
        let key = Key::ec("k");
        let issuer = Issuer::start(&key).await;
        let app = oidc::server(db, &issuer.base, &[]).await;
        let token = |nonce: &str| key.sign(&oidc::claims(&app, &issuer.base, nonce, &json!({})));
        let mut ada = Browser::new(&app);
        assert_eq!(ada.sign_in(&issuer, token).await.redirect(303), "/connectors/gmail");
        let mut late = Browser::new(&app);
        let location = late.leave("corp").await;
        let asked = query(&location);
        issuer.grant(&location, "c1", Some(token(&asked["nonce"])));
        app.clock.advance(1);
        let answer = ada.0.form("/account/sessions/end", &[("id", "others")], &[]).await;
        assert_eq!(answer.redirect(303), "/account?done=sessions");
        let answer = late.back("corp", &[("code", "c1"), ("state", &asked["state"])]).await;
        late.refused(&answer, oidc::LOST, "belongs to no sign-in").await;
        assert!(is_in(&ada.0).await);
        assert_eq!(late.sign_in(&issuer, token).await.redirect(303), "/connectors/gmail");
        assert!(is_in(&late.0).await);
    }

    /// As it was before the table had a stamp: the moment of signing in is what there is.
    async fn sessions_of_an_older_version_are_told_apart_by_their_time(db: &TestDb) {
        let app = TestApp::frozen(db).await;
        let ada = app.session_of("ada", "patchbay").await;
        assert!(is_in(&ada).await);
        app.clock.advance(1);
        let id = app.user_id("ada").await;
        let people = &app.services().people;
        let mut tx = app.db.write().await.expect("a transaction");
        let now = app.clock.now();
        patchbay::server::db::user::end_sessions(&mut tx, id, now).await.expect("an end");
        tx.commit().await.expect("a commit");
        assert!(!is_in(&ada).await);
        let ada = app.session_of("ada", "patchbay").await;
        assert!(is_in(&ada).await, "it began after it");
        // One of them presses "sign out everywhere else", and is the one that stays.
        let other = app.session_of("ada", "patchbay").await;
        app.clock.advance(1);
        ada.form("/account/sessions/end", &[("id", "others")], &[]).await;
        assert!(is_in(&ada).await && !is_in(&other).await);
        people.disable(id, None).await.expect("disabled");
        people.enable(id, None).await.expect("enabled");
        assert!(!is_in(&ada).await);
    }
}
