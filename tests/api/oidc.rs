//! Signing in by an OpenID Connect provider, against one that says whatever a test wants.

use std::sync::Arc;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use patchbay::server::{clock::Clock, db::user};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    app::{TestApp, log_text},
    issuer::{CLIENT, CLIENT_SECRET, Issuer, Key, base64url, query},
    nango::Pretend,
    person::{Answer, Person},
    support::db::TestDb,
};

/// A server with this provider, called `corp`, whose clock stands still.
pub async fn server(db: &TestDb, issuer: &str, more: &[(&str, &str)]) -> TestApp {
    let clock = Clock::fixed(Clock::system().now());
    let nango = Arc::new(Pretend::start_at(clock.clone()).await);
    let mut settings = vec![
        ("OIDC_PROVIDERS", "corp"),
        ("OIDC_CORP_ISSUER", issuer),
        ("OIDC_CORP_CLIENT_ID", CLIENT),
        ("OIDC_CORP_CLIENT_SECRET", CLIENT_SECRET),
        ("OIDC_CORP_NAME", "The Corporation"),
    ];
    settings.extend(more);
    TestApp::at(db, nango, clock, &settings).await
}

/// Somebody at a browser, which keeps its cookie.
pub struct Browser(pub Person);

impl Browser {
    pub fn new(app: &TestApp) -> Self {
        Self(app.nobody())
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        let answer = self.0.request(Method::GET, path, &[], None).await;
        if let Some(cookie) = answer.cookie() {
            self.0.cookie = cookie;
        }
        answer
    }

    /// Follows the link on the sign-in page: where the provider is to be asked.
    pub async fn leave(&mut self, provider: &str) -> String {
        let path = format!("/sign-in/oidc/{provider}?next=%2Fconnectors%2Fgmail");
        self.get(&path).await.redirect(303).to_owned()
    }

    /// Comes back from the provider.
    pub async fn back(&mut self, provider: &str, fields: &[(&str, &str)]) -> Answer {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self.get(&format!("/sign-in/oidc/{provider}/callback?{query}"))
            .await
    }

    /// The whole way, with this ID token for the answer.
    pub async fn sign_in(&mut self, issuer: &Issuer, token: impl FnOnce(&str) -> String) -> Answer {
        let location = self.leave("corp").await;
        let asked = query(&location);
        let code = format!("code-{}", asked["nonce"]);
        issuer.grant(&location, &code, Some(token(&asked["nonce"])));
        self.back("corp", &[("code", &code), ("state", &asked["state"])])
            .await
    }

    /// The answer led back to the sign-in page, which says this; the log says more under the same
    /// reference, and nobody is in.
    pub async fn refused(&mut self, answer: &Answer, said: &str, logged: &str) {
        assert_eq!(answer.redirect(303), "/sign-in");
        let page = self.get("/sign-in").await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains(said), "{said}: {}", page.text);
        let (_, rest) = page.text.split_once("(Reference ").expect("a reference");
        let (reference, _) = rest.split_once(')').expect("an end");
        let log = log_text();
        let line = log
            .lines()
            .find(|line| line.contains(reference))
            .expect("a line");
        assert!(line.contains(logged), "{logged}: {line}");
        self.0
            .get("/api/v1/connections")
            .await
            .problem(401, "signed_out");
    }
}

pub fn claims(app: &TestApp, issuer: &str, nonce: &str, other: &Value) -> Value {
    let now = app.clock.now().0 / 1000;
    let mut claims = json!({
        "iss": issuer, "aud": CLIENT, "sub": "u-1", "exp": now + 300, "iat": now, "nonce": nonce,
        "name": "Ada Lovelace",
    });
    for (name, value) in other.as_object().expect("claims") {
        if value.is_null() {
            claims.as_object_mut().expect("claims").remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

pub async fn row(app: &TestApp, issuer: &str, subject: &str) -> Option<user::Row> {
    let mut tx = app.db.read().await.expect("a transaction");
    user::by_subject(&mut tx, issuer, subject)
        .await
        .expect("a look")
}

const INVALID: &str = "The answer of The Corporation does not belong to this sign-in.";
const CLOCK: &str = "the answer of The Corporation is not valid now.";
pub const LOST: &str = "This sign-in was not begun here, or it is over already.";

on_both! {
    async fn a_person_signs_in_and_is_known_by_issuer_and_subject(db: &TestDb) {
        let key = Key::rsa("k");
        let issuer = Issuer::start(&key).await;
        let app = server(db, &issuer.base, &[("PUBLIC_URL", "http://localhost:3000")]).await;
        let mut ada = Browser::new(&app);
        let location = ada.leave("corp").await;
        let before = ada.0.cookie.clone();
        assert!(location.starts_with(&format!("{}/authorize?", issuer.base)), "{location}");
        let asked = query(&location);
        for (name, value) in [
            ("response_type", "code"),
            ("client_id", CLIENT),
            ("redirect_uri", "http://localhost:3000/sign-in/oidc/corp/callback"),
            ("code_challenge_method", "S256"),
            ("scope", "openid profile email"),
        ] {
            assert_eq!(asked[name], value);
        }
        let token = key.sign(&claims(&app, &issuer.base, &asked["nonce"], &json!({"email": "ada@x.example"})));
        issuer.grant(&location, "the-code-hunter2", Some(token));
        let back = [("code", "the-code-hunter2"), ("state", asked["state"].as_str()), ("iss", issuer.base.as_str())];
        let answer = ada.back("corp", &back).await;
        assert_eq!(answer.redirect(303), "/connectors/gmail");
        assert_ne!(ada.0.cookie, before, "a session of their own");
        assert!(ada.0.connections().await.is_empty());
        let page = ada.get("/connectors").await;
        assert!(page.text.contains("Ada Lovelace"));
        let first = row(&app, &issuer.base, "u-1").await.expect("a person");
        assert_eq!(first.email.as_deref(), Some("ada@x.example"));

        // Back and forward: whoever is in already goes on; anybody else has no part in it.
        assert_eq!(ada.back("corp", &back).await.redirect(303), "/connectors");
        assert_eq!(ada.leave("corp").await, "/connectors/gmail");
        let mut eve = Browser::new(&app);
        let answer = eve.back("corp", &back).await;
        eve.refused(&answer, LOST, "belongs to no sign-in").await;
        eve.0.cookie = before;
        let answer = eve.back("corp", &back).await;
        eve.refused(&answer, LOST, "belongs to no sign-in").await;

        // The same person again, by another e-mail address; another person with the same one.
        for (subject, same) in [("u-1", true), ("u-2", false)] {
            let mut browser = Browser::new(&app);
            let other = json!({"sub": subject, "email": "ada@y.example", "name": null, "preferred_username": "countess"});
            let answer = browser.sign_in(&issuer, |nonce| key.sign(&claims(&app, &issuer.base, nonce, &other))).await;
            assert_eq!(answer.redirect(303), "/connectors/gmail");
            let row = row(&app, &issuer.base, subject).await.expect("a person");
            assert_eq!(row.id == first.id, same);
            assert_eq!((row.display_name.as_str(), row.email.as_deref()), ("countess", Some("ada@y.example")));
        }
        // What the token does not say, the userinfo endpoint may, of the same subject only.
        for (sub, name) in [("u-3", "By Userinfo"), ("u-1", "New user")] {
            issuer.tells(json!({"sub": sub, "name": "By Userinfo"}));
            let other = json!({"sub": "u-3", "name": null});
            let answer = Browser::new(&app).sign_in(&issuer, |nonce| key.sign(&claims(&app, &issuer.base, nonce, &other))).await;
            assert_eq!(answer.status, 303);
            assert_eq!(row(&app, &issuer.base, "u-3").await.expect("a person").display_name, name);
        }
        let log = log_text();
        for secret in issuer.secrets().iter().map(String::as_str).chain([CLIENT_SECRET, &asked["state"], &asked["nonce"]]) {
            assert!(!log.contains(secret), "{secret}");
        }
    }

    async fn whoever_refuses_is_told_so(db: &TestDb) {
        let issuer = Issuer::start(&Key::ec("k")).await;
        let app = server(db, &issuer.base, &[]).await;
        for (error, said) in [
            ("access_denied", "Access was not allowed. Sign in again, or another way."),
            ("login_required", "The provider wants you to sign in there first."),
            ("temporarily_unavailable", "The provider has a disturbance of its own. Try again in a minute"),
            ("<script>alert(1)</script>", "tell whoever runs this server"),
        ] {
            let mut ada = Browser::new(&app);
            let location = ada.leave("corp").await;
            let state = &query(&location)["state"];
            let fields = [("error", error), ("error_description", "hunter2"), ("state", state.as_str())];
            let answer = ada.back("corp", &fields).await;
            ada.refused(&answer, said, error).await;
            // It counts once.
            let answer = ada.back("corp", &fields).await;
            ada.refused(&answer, LOST, "belongs to no sign-in").await;
        }
        let mut ada = Browser::new(&app);
        let answer = ada.get("/sign-in/oidc/nobody").await;
        assert_eq!(answer.redirect(303), "/sign-in");
        assert!(ada.get("/sign-in").await.text.contains("This way of signing in does not exist here."));
        app.get("/sign-in/oidc/corp/callback?state=a&state=b").await.problem(400, "query_invalid");
    }

    async fn an_id_token_that_is_not_for_this_sign_in_lets_nobody_in(db: &TestDb) {
        let key = Key::rsa("k");
        let issuer = Issuer::start(&key).await;
        let app = server(db, &issuer.base, &[]).await;
        let now = app.clock.now().0 / 1000;
        for (changed, said, logged) in [
            (json!({"nonce": "another"}), INVALID, "nonce mismatch"),
            (json!({"nonce": null}), INVALID, "missing nonce"),
            (json!({"aud": "another"}), INVALID, "Invalid audiences"),
            (json!({"aud": [CLIENT, "another"]}), INVALID, "not a trusted audience"),
            (json!({"aud": []}), INVALID, "Invalid audiences"),
            (json!({"azp": "another"}), INVALID, "another client"),
            (json!({"iss": "https://evil.example"}), INVALID, "Invalid issuer"),
            (json!({"iss": format!("{}/", issuer.base)}), INVALID, "Invalid issuer"),
            (json!({"sub": " "}), INVALID, "its subject names nobody"),
            (json!({"exp": now - 60}), CLOCK, "s time:"),
            (json!({"iat": now + 61}), CLOCK, "in the future"),
            (json!({"iat": now - 661}), CLOCK, "issued 661 s ago"),
        ] {
            let mut ada = Browser::new(&app);
            let answer = ada.sign_in(&issuer, |nonce| key.sign(&claims(&app, &issuer.base, nonce, &changed))).await;
            ada.refused(&answer, said, logged).await;
        }
        let mine = |nonce: &str| claims(&app, &issuer.base, nonce, &json!({}));
        let none = |nonce: &str| {
            let (head, body) = (json!({"alg": "none"}).to_string(), mine(nonce).to_string());
            format!("{}.{}.", base64url(head.as_bytes()), base64url(body.as_bytes()))
        };
        let shared = |nonce: &str| {
            let secret = EncodingKey::from_secret(CLIENT_SECRET.as_bytes());
            encode(&Header::new(Algorithm::HS256), &mine(nonce), &secret).expect("a token")
        };
        let swapped = |nonce: &str| {
            let mut header = Key::ec("k").header();
            header.kid = Some("k".to_owned());
            Key::ec("k").sign_as(&header, &mine(nonce))
        };
        let unknown = |nonce: &str| Key::ec("u").sign(&mine(nonce));
        let mut ada = Browser::new(&app);
        let answer = ada.sign_in(&issuer, none).await;
        ada.refused(&answer, "The Corporation", "a sign-in failed").await;
        let answer = ada.sign_in(&issuer, shared).await;
        ada.refused(&answer, INVALID, "Disallowed signature algorithm").await;
        let answer = ada.sign_in(&issuer, swapped).await;
        ada.refused(&answer, INVALID, "No matching key").await;
        let answer = ada.sign_in(&issuer, unknown).await;
        ada.refused(&answer, INVALID, "No matching key").await;
        // Clocks are never quite the same.
        let skewed = json!({"exp": now - 59, "iat": now + 60, "azp": CLIENT});
        let answer = ada.sign_in(&issuer, |nonce| key.sign(&claims(&app, &issuer.base, nonce, &skewed))).await;
        assert_eq!(answer.redirect(303), "/connectors/gmail");
    }

    async fn a_state_counts_once_in_the_browser_it_was_made_for(db: &TestDb) {
        let key = Key::ec("k");
        let issuer = Issuer::start(&key).await;
        let app = server(db, &issuer.base, &[]).await;
        let token = |nonce: &str| key.sign(&claims(&app, &issuer.base, nonce, &json!({})));
        let mut ada = Browser::new(&app);
        let location = ada.leave("corp").await;
        let asked = query(&location);
        issuer.grant(&location, "c1", Some(token(&asked["nonce"])));
        for state in ["", "another", &asked["state"].to_uppercase()] {
            let answer = ada.back("corp", &[("code", "c1"), ("state", state)]).await;
            ada.refused(&answer, LOST, "belongs to no sign-in").await;
        }
        let answer = ada.back("corp", &[("code", "c1")]).await;
        ada.refused(&answer, LOST, "belongs to no sign-in").await;
        // Eve's code, which would sign Ada in as Eve.
        let mut eve = Browser::new(&app);
        let hers = eve.leave("corp").await;
        issuer.grant(&hers, "c2", Some(token(&query(&hers)["nonce"])));
        let answer = ada.back("corp", &[("code", "c2"), ("state", &query(&hers)["state"])]).await;
        ada.refused(&answer, LOST, "belongs to no sign-in").await;
        let answer = ada.back("corp", &[("code", "c2"), ("state", &asked["state"])]).await;
        ada.refused(&answer, "did not confirm the sign-in", "invalid_grant").await;

        // Five tabs at once; the oldest of six is forgotten.
        let mut tabs = Vec::new();
        for _ in 0..6 {
            tabs.push(ada.leave("corp").await);
        }
        let state = |tab: &String| query(tab)["state"].clone();
        let answer = ada.back("corp", &[("code", "x"), ("state", &state(&tabs[0]))]).await;
        ada.refused(&answer, LOST, "belongs to no sign-in").await;
        // Too late.
        app.clock.advance(599_000);
        issuer.grant(&tabs[1], "c3", None);
        let answer = ada.back("corp", &[("code", "c3"), ("state", &state(&tabs[1]))]).await;
        ada.refused(&answer, "gave an answer that", "it holds no ID token").await;
        app.clock.advance(1_000);
        let answer = ada.back("corp", &[("code", "x"), ("state", &state(&tabs[2]))]).await;
        ada.refused(&answer, LOST, "belongs to no sign-in").await;
        // A code that was exchanged already.
        let answer = ada.sign_in(&issuer, token).await;
        assert_eq!(answer.status, 303);
        let mut again = Browser::new(&app);
        let location = again.leave("corp").await;
        let asked = query(&location);
        let answer = again.back("corp", &[("code", "c3"), ("state", &asked["state"])]).await;
        again.refused(&answer, "did not confirm the sign-in", "invalid_grant").await;
        let location = again.leave("corp").await;
        let answer = again.back("corp", &[("state", &query(&location)["state"])]).await;
        again.refused(&answer, "gave an answer that", "it holds no code").await;
    }

    async fn keys_rotate(db: &TestDb) {
        let (old, new) = (Key::ec("1"), Key::rsa("2"));
        let issuer = Issuer::start(&old).await;
        let app = server(db, &issuer.base, &[]).await;
        let token = |key: &Key, nonce: &str| key.sign(&claims(&app, &issuer.base, nonce, &json!({})));
        let answer = Browser::new(&app).sign_in(&issuer, |nonce| token(&old, nonce)).await;
        assert_eq!(answer.redirect(303), "/connectors/gmail");
        assert_eq!(issuer.fetches(), (1, 1));
        issuer.publish(&[&new]);
        let answer = Browser::new(&app).sign_in(&issuer, |nonce| token(&new, nonce)).await;
        assert_eq!(answer.redirect(303), "/connectors/gmail");
        assert_eq!(issuer.fetches(), (2, 2));
        for _ in 0..3 {
            let mut ada = Browser::new(&app);
            let answer = ada.sign_in(&issuer, |nonce| token(&old, nonce)).await;
            ada.refused(&answer, INVALID, "No matching key").await;
        }
        assert_eq!(issuer.fetches(), (2, 2), "not again and again");
    }

    async fn a_provider_that_is_down_stops_nobody_else(db: &TestDb) {
        let port = {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            listener.local_addr().expect("an address").port()
        };
        let base = format!("http://127.0.0.1:{port}");
        let app = server(db, &base, &[]).await;
        let mut ada = Browser::new(&app);
        let answer = ada.get("/sign-in/oidc/corp").await;
        ada.refused(&answer, "be reached right now. Try again in a minute", "no connection").await;
        let key = Key::ec("k");
        let mut issuer = Issuer::start_at(port, &key).await;
        app.clock.advance(3_000);
        let token = |nonce: &str| key.sign(&claims(&app, &base, nonce, &json!({})));
        assert_eq!(ada.sign_in(&issuer, token).await.redirect(303), "/connectors/gmail");
        // It goes down in the middle of a sign-in.
        let mut grace = Browser::new(&app);
        let location = grace.leave("corp").await;
        issuer.stop().await;
        let answer = grace.back("corp", &[("code", "x"), ("state", &query(&location)["state"])]).await;
        grace.refused(&answer, "be reached right now", "no connection").await;
        // What is known of it is used on; it may be up again when the person arrives there.
        app.clock.advance(3_600_000);
        assert!(grace.leave("corp").await.starts_with(&base));
        drop(issuer);
        // Documents that are not its own.
        for (name, value) in [
            ("issuer", json!("https://evil.example")),
            ("token_endpoint", json!("http://evil.example/token")),
            ("jwks_uri", json!("http://192.0.2.1/jwks.json")),
            ("authorization_endpoint", json!("javascript:alert(1)")),
            ("authorization_endpoint", json!(7)),
        ] {
            let issuer = Issuer::start(&key).await;
            issuer.says(name, value);
            let mut app = server(db, &issuer.base, &[]).await;
            let mut ada = Browser::new(&app);
            let answer = ada.get("/sign-in/oidc/corp").await;
            ada.refused(&answer, "gave an answer that", "the discovery document").await;
            app.stop().await;
        }
    }

    async fn two_providers_are_never_mixed_up(db: &TestDb) {
        let (key, other) = (Key::ec("k"), Key::ec("k"));
        let (corp, evil) = (Issuer::start(&key).await, Issuer::start(&other).await);
        let app = server(db, &corp.base, &[
            ("OIDC_PROVIDERS", "corp, evil"),
            ("OIDC_EVIL_ISSUER", &evil.base),
            ("OIDC_EVIL_CLIENT_ID", CLIENT),
            ("OIDC_EVIL_CLIENT_SECRET", "another"),
        ]).await;
        let token = |key: &Key, issuer: &Issuer, nonce: &str| key.sign(&claims(&app, &issuer.base, nonce, &json!({})));
        // The same subject at two providers is two people.
        let mut people = Vec::new();
        for (name, issuer, key) in [("corp", &corp, &key), ("evil", &evil, &other)] {
            let mut ada = Browser::new(&app);
            let location = ada.leave(name).await;
            assert!(location.starts_with(&issuer.base));
            let asked = query(&location);
            issuer.grant(&location, "c", Some(token(key, issuer, &asked["nonce"])));
            let answer = ada.back(name, &[("code", "c"), ("state", &asked["state"])]).await;
            assert_eq!(answer.redirect(303), "/connectors/gmail");
            people.push(row(&app, &issuer.base, "u-1").await.expect("a person").id);
        }
        assert_ne!(people[0], people[1]);
        // A sign-in at one comes back as the other's.
        let mut ada = Browser::new(&app);
        let location = ada.leave("corp").await;
        let state = query(&location)["state"].clone();
        let answer = ada.back("evil", &[("code", "c"), ("state", &state)]).await;
        ada.refused(&answer, LOST, "belongs to no sign-in").await;
        // It names itself (RFC 9207), and is another one.
        for fields in [
            [("code", "c"), ("iss", evil.base.as_str())],
            [("error", "access_denied"), ("iss", evil.base.as_str())],
        ] {
            let location = ada.leave("corp").await;
            let state = query(&location)["state"].clone();
            let answer = ada.back("corp", &[fields[0], fields[1], ("state", &state)]).await;
            ada.refused(&answer, INVALID, "names another issuer").await;
        }
        // One that always names itself, and does not.
        let strict = Issuer::start(&key).await;
        strict.says("authorization_response_iss_parameter_supported", json!(true));
        let mut app = server(db, &strict.base, &[]).await;
        let mut ada = Browser::new(&app);
        let location = ada.leave("corp").await;
        let answer = ada.back("corp", &[("code", "c"), ("state", &query(&location)["state"])]).await;
        ada.refused(&answer, INVALID, "names another issuer").await;
        app.stop().await;
    }

    async fn a_disabled_person_stays_outside(db: &TestDb) {
        let key = Key::ec("k");
        let issuer = Issuer::start(&key).await;
        let app = server(db, &issuer.base, &[]).await;
        let token = |nonce: &str| key.sign(&claims(&app, &issuer.base, nonce, &json!({})));
        let mut ada = Browser::new(&app);
        assert_eq!(ada.sign_in(&issuer, token).await.redirect(303), "/connectors/gmail");
        let id = row(&app, &issuer.base, "u-1").await.expect("a person").id;
        let mut tx = app.db.write().await.expect("a transaction");
        user::set_disabled(&mut tx, id, Some(app.clock.now())).await.expect("a change");
        tx.commit().await.expect("a commit");
        let answer = ada.sign_in(&issuer, token).await;
        assert_eq!(answer.redirect(303), "/sign-in");
        assert!(ada.get("/sign-in").await.text.contains("This account is switched off."));
        ada.0.get("/api/v1/connections").await.problem(401, "signed_out");
    }
}
