//! What a sign-in does to other sessions: the one that the browser held, and those there are too many
//! of. What is left behind by whoever never signs in.

use std::{collections::HashMap, sync::Arc, time::Duration};

use patchbay::server::{
    clock::Clock,
    db::session::{self, Store},
};
use reqwest::Method;
use serde_json::json;

use crate::{
    app::TestApp,
    issuer::{CLIENT, CLIENT_SECRET, Issuer, Key, query},
    local_accounts::{PASSWORD, account},
    moment::answered,
    nango::Pretend,
    oidc::{self, Browser},
    person::{Answer, Person},
    support::db::TestDb,
};

const HOST: &str = "https://app.example";
const MINUTE: i64 = 60_000;

/// A server with every way in that there is.
async fn server(db: &TestDb, issuer: &Issuer) -> TestApp {
    let clock = Clock::fixed(Clock::system().now());
    let nango = Arc::new(Pretend::start_at(clock.clone()).await);
    let jwks = format!("{}/jwks.json", issuer.base);
    let settings = [
        ("AUTH_SIGN_UP", "true"),
        ("OIDC_PROVIDERS", "corp"),
        ("OIDC_CORP_ISSUER", issuer.base.as_str()),
        ("OIDC_CORP_CLIENT_ID", CLIENT),
        ("OIDC_CORP_CLIENT_SECRET", CLIENT_SECRET),
        ("TOKEN_ISSUER", issuer.base.as_str()),
        ("TOKEN_AUDIENCE", "patchbay"),
        ("TOKEN_JWKS_URL", jwks.as_str()),
        ("TOKEN_ORIGINS", HOST),
    ];
    TestApp::at(db, nango, clock, &settings).await
}

async fn count(app: &TestApp, name: &str) -> usize {
    let id = app.user_id(name).await;
    let mut tx = app.db.read().await.expect("a transaction");
    let all = session::of_user(&mut tx, id, app.clock.now()).await;
    all.expect("a list").len()
}

/// How many sessions were over after this time.
async fn over_after(app: &TestApp, ms: i64) -> u64 {
    app.clock.advance(ms);
    let store = Store::new(app.db.clone(), app.clock.clone());
    store.delete_expired().await.expect("a sweep")
}

/// Somebody signs in with a browser in which Grace is signed in.
async fn takes_her_place(app: &TestApp, way: &str, sign_in: impl AsyncFnOnce(&Person) -> Answer) {
    let grace = app.sign_in("grace").await;
    let elsewhere = app.sign_in("grace").await;
    let mut stream = grace.events().await;
    assert!(stream.next().await.is_some());
    let answer = sign_in(&grace).await;
    assert!(matches!(answer.status, 204 | 303), "{way}: {}", answer.text);
    let now = Person::new(app, &answer.cookie().expect("a cookie"));
    assert_ne!(now.cookie, grace.cookie, "{way}");
    assert_eq!(now.get("/api/v1/connections").await.status, 200, "{way}");
    // Not only forgotten by the browser: whoever else knows it is out, and so is its stream.
    grace
        .get("/api/v1/connections")
        .await
        .problem(401, "signed_out");
    // What a tab with the old cookie is answered leaves the browser the new one.
    let late = grace.get("/sign-in").await;
    assert_eq!((late.status, late.cookie()), (200, None), "{way}");
    let last = stream.within(Duration::from_secs(12)).await;
    assert_eq!(last, Some(("bye".to_owned(), json!({}))), "{way}");
    assert_eq!(count(app, "grace").await, 1, "{way}: elsewhere she stays");
    assert_eq!(elsewhere.get("/connectors").await.status, 200, "{way}");
    elsewhere.form("/sign-out", &[], &[]).await;
}

on_both! {
    async fn every_way_in_ends_the_session_that_the_browser_held(db: &TestDb) {
        let key = Key::ec("k");
        let issuer = Issuer::start(&key).await;
        let app = server(db, &issuer).await;
        account(&app, "ada@example.com").await;
        let seconds = app.clock.now().0 / 1000;
        let token = key.sign(&json!({
            "iss": issuer.base, "aud": "patchbay", "sub": "u-1", "exp": seconds + 300, "iat": seconds,
        }));
        let ours = [("origin", app.base.as_str())];
        let password = [("email", "ada@example.com"), ("password", PASSWORD)];
        let sign_up = [("email", "eve@example.com"), ("name", "Eve"), ("password", PASSWORD)];
        let posted = [("token", token.as_str()), ("next", "/connectors")];
        // A host product on the same site, whose forms a browser sends with the cookie.
        let host = [("sec-fetch-site", "same-site"), ("origin", HOST)];
        let bearer = format!("Bearer {token}");
        let bearer = [("authorization", bearer.as_str())];
        takes_her_place(&app, "demo", async |it| it.form("/sign-in/demo", &[("name", "ada")], &ours).await).await;
        takes_her_place(&app, "herself", async |it| it.form("/sign-in/demo", &[("name", "lin")], &ours).await).await;
        takes_her_place(&app, "password", async |it| it.form("/sign-in/password", &password, &ours).await).await;
        takes_her_place(&app, "sign-up", async |it| it.form("/sign-up", &sign_up, &ours).await).await;
        takes_her_place(&app, "form", async |it| it.form("/sign-in/token", &posted, &ours).await).await;
        takes_her_place(&app, "host's form", async |it| it.form("/sign-in/token", &posted, &host).await).await;
        takes_her_place(&app, "exchange", async |it| it.request(Method::POST, "/api/v1/session", &bearer, None).await).await;

        // On another site it sends none, and the answer is a page of ours that posts the same.
        takes_her_place(&app, "host elsewhere", async |it| {
            let cross = [("sec-fetch-site", "cross-site"), ("origin", HOST)];
            let answer = app.nobody().form("/sign-in/token", &posted, &cross).await;
            assert_eq!((answer.status, answer.cookie()), (200, None));
            assert!(answer.text.contains(&format!(r#"name="token" value="{token}""#)), "{}", answer.text);
            it.form("/sign-in/token", &posted, &ours).await
        })
        .await;

        // A form of another site ends nothing.
        let grace = app.sign_in("grace").await;
        let evil = [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")];
        grace.form("/sign-in/token", &posted, &evil).await.problem(403, "cross_site");
        assert_eq!(grace.get("/connectors").await.status, 200);
        // A token that is no good is somebody's, and not surely hers: nobody goes on as Grace.
        let bad = [("token", "a.b.c"), ("next", "/connectors")];
        let refused = grace.form("/sign-in/token", &bad, &host).await;
        assert_eq!(refused.redirect(303), "/sign-in");
        assert_eq!(grace.get("/connectors").await.status, 303);
        let nobody = Person::new(&app, &refused.cookie().expect("another session"));
        assert!(nobody.get("/sign-in").await.text.contains("The token is not accepted."));
    }

    /// Whoever comes back from a provider held a session of nobody; a person is not sent there.
    async fn the_way_over_a_provider_leaves_no_session_behind(db: &TestDb) {
        let key = Key::ec("k");
        let issuer = Issuer::start(&key).await;
        let app = server(db, &issuer).await;
        let token = |nonce: &str| key.sign(&oidc::claims(&app, &issuer.base, nonce, &json!({})));
        let mut ada = Browser::new(&app);
        let location = ada.leave("corp").await;
        let before = ada.0.clone();
        let asked = query(&location);
        issuer.grant(&location, "c", Some(token(&asked["nonce"])));
        let back = [("code", "c"), ("state", asked["state"].as_str())];
        assert_eq!(ada.back("corp", &back).await.redirect(303), "/connectors/gmail");
        assert_ne!(ada.0.cookie, before.cookie);
        before.get("/api/v1/connections").await.problem(401, "signed_out");
        assert_eq!(over_after(&app, 20 * MINUTE).await, 0, "it is gone already");
        assert_eq!(ada.0.get("/connectors").await.status, 200);
        // Signing in anew, from the page that a stranger was sent to: the old one is not asked.
        let mut grace = Browser(app.sign_in("grace").await);
        assert_eq!(grace.leave("corp").await, "/connectors/gmail");
    }

    async fn whoever_never_signs_in_leaves_nothing_for_longer_than_a_sign_in_takes(db: &TestDb) {
        let key = Key::ec("k");
        let issuer = Issuer::start(&key).await;
        let app = server(db, &issuer).await;
        let mut nobody = Browser::new(&app);
        let answer = nobody.get("/sign-in/oidc/corp?next=%2Fconnectors").await;
        let refused = app.nobody().form("/sign-in/token", &[("token", "a.b.c")], &[("origin", &app.base)]).await;
        for answer in [&answer, &refused] {
            assert_eq!(answer.status, 303);
            let cookie = answer.header("set-cookie");
            assert!(cookie.contains("Max-Age=900") || cookie.contains("Max-Age=899"), "{cookie}");
        }
        assert_eq!(over_after(&app, 14 * MINUTE).await, 0);
        assert_eq!(over_after(&app, MINUTE + 10_000).await, 2);
        // A person's own is not shortened by a problem that waits for its page.
        let ada = app.sign_in("ada").await;
        let wrong = [("input.subdomain", "no dots.here")];
        let answer = ada.form("/connectors/zendesk/connect", &wrong, &[("origin", &app.base)]).await;
        assert!(!answer.header("set-cookie").contains("Max-Age=900"), "{:?}", answer.headers);
        assert_eq!(over_after(&app, 20 * MINUTE).await, 0);
        assert_eq!(ada.get("/connectors").await.status, 200);
    }

    async fn an_address_that_is_longer_than_any_of_ours_is_not_kept(db: &TestDb) {
        let key = Key::ec("k");
        let issuer = Issuer::start(&key).await;
        let app = server(db, &issuer).await;
        let token = |nonce: &str| key.sign(&oidc::claims(&app, &issuer.base, nonce, &json!({})));
        let start = "/connectors?q=";
        for (length, led_on) in [(2048, true), (2049, false)] {
            let next = format!("{start}{}", "a".repeat(length - start.len()));
            let expected = if led_on { next.as_str() } else { "/connectors" };
            let form = [("next", next.as_str())];
            let answer = app.nobody().form("/sign-in/demo", &form, &[("origin", &app.base)]).await;
            assert_eq!(answer.redirect(303), expected);
            // Over a provider it waits in the session.
            let mut ada = Browser::new(&app);
            let encoded: HashMap<_, _> = [("next", &next)].into();
            let query_of = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(encoded).finish();
            let location = ada.get(&format!("/sign-in/oidc/corp?{query_of}")).await.redirect(303).to_owned();
            let asked = query(&location);
            issuer.grant(&location, &asked["state"], Some(token(&asked["nonce"])));
            let back = [("code", asked["state"].as_str()), ("state", asked["state"].as_str())];
            assert_eq!(ada.back("corp", &back).await.redirect(303), expected);
        }
    }

    async fn of_a_persons_sessions_the_latest_hundred_stay(db: &TestDb) {
        let app = TestApp::frozen(db).await;
        let grace = app.sign_in("grace").await;
        let first = app.sign_in("ada").await;
        let mut stream = first.events().await;
        assert!(stream.next().await.is_some());
        let accounts = &app.services().accounts;
        let mut second = None;
        for _ in 0..99 {
            app.clock.advance(1);
            let entered = accounts.demo(true, "ada").await.expect("a demo user");
            let person = answered(&app, &entered).await;
            second.get_or_insert(person);
        }
        let second = second.expect("a person");
        // To be used lately makes no session younger.
        assert_eq!(first.get("/connectors").await.status, 200);
        assert_eq!(count(&app, "ada").await, 100);
        app.clock.advance(1);
        let last = app.sign_in("ada").await;
        first.get("/api/v1/connections").await.problem(401, "signed_out");
        let end = stream.within(Duration::from_secs(5)).await;
        assert_eq!(end, Some(("bye".to_owned(), json!({}))));
        for person in [&second, &last, &grace] {
            assert_eq!(person.get("/connectors").await.status, 200);
        }
        assert_eq!(count(&app, "ada").await, 100);
        let history = last.get("/api/v1/history").await;
        assert!(history.text.contains("Signed out elsewhere"), "{}", history.text);
    }
}
