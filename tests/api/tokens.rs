//! The host product's own token: what counts, what does not, and what it is exchanged for.

use std::sync::Arc;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use patchbay::server::{clock::Clock, db::user};
use reqwest::Method;
use scraper::{Html, Selector};
use serde_json::{Value, json};

use crate::{
    app::{TestApp, log_text},
    issuer::{Issuer, Key, base64url},
    nango::Pretend,
    person::{Answer, Person},
    support::db::TestDb,
};

const AUDIENCE: &str = "patchbay";
/// The host product's page.
const HOST: &str = "https://app.example";

/// A server that takes this issuer's tokens; its clock stands still.
async fn server(db: &TestDb, issuer: &Issuer, more: &[(&str, &str)]) -> TestApp {
    let clock = Clock::fixed(Clock::system().now());
    let nango = Arc::new(Pretend::start_at(clock.clone()).await);
    let jwks = format!("{}/jwks.json", issuer.base);
    let mut settings = vec![
        ("TOKEN_ISSUER", issuer.base.as_str()),
        ("TOKEN_AUDIENCE", AUDIENCE),
        ("TOKEN_JWKS_URL", jwks.as_str()),
        ("TOKEN_ORIGINS", HOST),
    ];
    settings.extend(more);
    TestApp::at(db, nango, clock, &settings).await
}

fn seconds(app: &TestApp) -> i64 {
    app.clock.now().0 / 1000
}

/// The claims of a good token, with these in their place; null takes one away.
fn claims(app: &TestApp, issuer: &Issuer, other: Value) -> Value {
    let now = seconds(app);
    let mut claims = json!({
        "iss": issuer.base, "aud": AUDIENCE, "sub": "u-1", "exp": now + 300, "iat": now,
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

async fn with(person: &Person, method: Method, path: &str, token: &str) -> Answer {
    let value = format!("Bearer {token}");
    let headers = [("authorization", value.as_str())];
    person.request(method, path, &headers, None).await
}

async fn look(app: &TestApp, token: &str) -> Answer {
    with(&app.nobody(), Method::GET, "/api/v1/connections", token).await
}

/// The token is refused, and the log says why, and not what.
async fn refuses(app: &TestApp, token: &str, why: &str) {
    let answer = look(app, token).await;
    let problem = answer.problem(401, "token_invalid");
    assert_eq!(
        answer.header("www-authenticate"),
        "Bearer error=\"invalid_token\""
    );
    let reference = problem["reference"].as_str().expect("a reference");
    let log = log_text();
    let line = log
        .lines()
        .find(|line| line.contains(reference))
        .expect("a line");
    assert!(line.contains(why), "{why}: {line}");
    assert!(
        token.len() < 20 || !log.contains(token),
        "the token is in the log"
    );
}

async fn row(app: &TestApp, issuer: &str, subject: &str) -> Option<user::Row> {
    let mut tx = app.db.read().await.expect("a transaction");
    user::by_subject(&mut tx, issuer, subject)
        .await
        .expect("a look")
}

on_both! {
    async fn a_good_token_lets_in_and_makes_the_person_at_first_sight(db: &TestDb) {
        let (rsa, ec) = (Key::rsa("r"), Key::ec("e"));
        let issuer = Issuer::start(&rsa).await;
        issuer.publish(&[&rsa, &ec]);
        let app = server(db, &issuer, &[]).await;
        let token = rsa.sign(&claims(&app, &issuer, json!({"name": "Ada\nLovelace", "email": "ada@x.example"})));
        look(&app, &token).await.ok();
        let first = row(&app, &issuer.base, "u-1").await.expect("a person");
        assert_eq!((first.display_name.as_str(), first.email.as_deref()), ("AdaLovelace", Some("ada@x.example")));
        // What a token does not say stays; what it says otherwise is written.
        look(&app, &ec.sign(&claims(&app, &issuer, json!({"aud": ["other", AUDIENCE]})))).await.ok();
        assert_eq!(row(&app, &issuer.base, "u-1").await.as_ref(), Some(&first));
        look(&app, &ec.sign(&claims(&app, &issuer, json!({"name": "Countess"})))).await.ok();
        let now = row(&app, &issuer.base, "u-1").await.expect("a person");
        assert_eq!((now.id, now.display_name.as_str(), now.email), (first.id, "Countess", first.email));
        // Somebody else, of whom nothing is said.
        look(&app, &ec.sign(&claims(&app, &issuer, json!({"sub": "u-2"})))).await.ok();
        assert_eq!(row(&app, &issuer.base, "u-2").await.expect("a person").display_name, "New user");
        assert_eq!(issuer.fetches(), (0, 1), "keys are kept");

        // Whoever sends a token means to: no page of another site can.
        let value = format!("Bearer {token}");
        let headers = [("authorization", value.as_str()), ("sec-fetch-site", "cross-site")];
        let body = Some(("application/json", "{}".to_owned()));
        let answer = app.nobody().request(Method::POST, "/api/v1/connectors/gmail/connect", &headers, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.cookie(), None);
        assert_eq!(look(&app, &token).await.ok()["connections"].as_array().map(Vec::len), Some(1));
        // The leeway is half a minute.
        let late = rsa.sign(&claims(&app, &issuer, json!({"exp": seconds(&app) - 29, "nbf": seconds(&app) + 29})));
        look(&app, &late).await.ok();
    }

    async fn whatever_is_wrong_with_a_token_it_is_refused(db: &TestDb) {
        let (key, other) = (Key::rsa("k"), Key::ec("k"));
        let issuer = Issuer::start(&key).await;
        let app = server(db, &issuer, &[]).await;
        let now = seconds(&app);
        for (changed, why) in [
            (json!({"exp": now - 30}), "it has expired"),
            (json!({"exp": null}), "it never expires"),
            (json!({"exp": "never"}), "its claims have another shape"),
            (json!({"nbf": now + 31}), "it is not valid yet"),
            (json!({"nbf": "now"}), "its claims have another shape"),
            (json!({"aud": "other"}), "it is for another audience"),
            (json!({"aud": ["other", "patchbay2"]}), "it is for another audience"),
            (json!({"aud": null}), "it names no audience"),
            (json!({"iss": "https://evil.example"}), "it is of another issuer"),
            (json!({"iss": format!("{}/", issuer.base)}), "it is of another issuer"),
            (json!({"iss": [issuer.base]}), "its claims have another shape"),
            (json!({"iss": null}), "it names no issuer"),
            (json!({"sub": null}), "it names nobody"),
            (json!({"sub": ""}), "its subject names nobody"),
            (json!({"sub": " "}), "its subject names nobody"),
            (json!({"sub": "a\u{0}b"}), "its subject names nobody"),
            (json!({"sub": "x".repeat(256)}), "its subject names nobody"),
            (json!({"more": "x".repeat(9000)}), "it is too long"),
        ] {
            refuses(&app, &key.sign(&claims(&app, &issuer, changed)), why).await;
        }
        let good = claims(&app, &issuer, json!({}));
        let text = good.to_string();
        for head in [json!({"alg": "none", "typ": "JWT"}), json!({"alg": "None"}), json!({"alg": "nOnE", "kid": "k"})] {
            let open = format!("{}.{}.", base64url(head.to_string().as_bytes()), base64url(text.as_bytes()));
            refuses(&app, &open, "it is no signed JWT").await;
        }
        // The public key as a shared secret, in each form an attacker has it in.
        let jwk = key.jwk();
        for secret in [jwk.to_string(), jwk["n"].as_str().expect("n").to_owned()] {
            let mut header = Header::new(Algorithm::HS256);
            header.kid = Some("k".to_owned());
            let forged = encode(&header, &good, &EncodingKey::from_secret(secret.as_bytes()));
            refuses(&app, &forged.expect("a token"), "its algorithm is not one of").await;
        }
        // Another algorithm of the same key.
        let mut header = key.header();
        header.alg = Algorithm::RS512;
        refuses(&app, &key.sign_as(&header, &good), "its algorithm is not one of").await;
        // Another pair under the same name; a key that the token brings along.
        refuses(&app, &other.sign(&good), "its key is not meant for its algorithm").await;
        let mut header = other.header();
        header.kid = Some("mine".to_owned());
        header.jwk = serde_json::from_value(other.jwk()).ok();
        header.jku = Some("https://evil.example/jwks.json".to_owned());
        refuses(&app, &other.sign_as(&header, &good), "its key is not in the set").await;
        let mut header = key.header();
        header.crit = Some(vec!["b64".to_owned()]);
        refuses(&app, &key.sign_as(&header, &good), "a critical header").await;
        let signed = key.sign(&good);
        let (head, rest) = signed.split_once('.').expect("parts");
        let (_, signature) = rest.split_once('.').expect("parts");
        let promoted = base64url(claims(&app, &issuer, json!({"sub": "admin"})).to_string().as_bytes());
        refuses(&app, &format!("{head}.{promoted}.{signature}"), "its signature is wrong").await;
        let flipped = format!("{}{}", if signature.starts_with('A') { 'B' } else { 'A' }, &signature[1..]);
        refuses(&app, &format!("{head}.{promoted}.{flipped}"), "its signature is wrong").await;
        for broken in ["x", "a.b.c", "a.b.c.d", &format!("{signed}.x")] {
            refuses(&app, broken, "it is no signed JWT").await;
        }
        for scheme in ["Basic eDp5", "Bearer", "Bearer ", "Token x"] {
            let headers = [("authorization", scheme)];
            let answer = app.nobody().request(Method::GET, "/api/v1/connections", &headers, None).await;
            answer.problem(401, "token_invalid");
        }
        assert_eq!(row(&app, &issuer.base, "admin").await, None);
        look(&app, &signed).await.ok();
    }

    async fn keys_rotate_and_outlast_an_outage(db: &TestDb) {
        let (old, new) = (Key::ec("1"), Key::ec("2"));
        let mut issuer = Issuer::start(&old).await;
        let app = server(db, &issuer, &[]).await;
        let token = |key: &Key| key.sign(&claims(&app, &issuer, json!({"exp": seconds(&app) + 999_999})));
        look(&app, &token(&old)).await.ok();
        issuer.publish(&[&old, &new]);
        look(&app, &token(&new)).await.ok();
        assert_eq!(issuer.fetches().1, 2);
        // Made-up keys do not make us ask again and again.
        let unknown = Key::ec("3");
        for _ in 0..5 {
            refuses(&app, &token(&unknown), "its key is not in the set").await;
        }
        assert_eq!(issuer.fetches().1, 2);
        // The same name with another key behind it.
        let swapped = Key::ec("2");
        refuses(&app, &token(&swapped), "its signature is wrong").await;
        issuer.publish(&[&swapped]);
        app.clock.advance(31_000);
        look(&app, &token(&swapped)).await.ok();
        refuses(&app, &token(&new), "its signature is wrong").await;
        refuses(&app, &token(&old), "its key is not in the set").await;
        // What was fetched is used on.
        let last = token(&swapped);
        issuer.stop().await;
        app.clock.advance(20 * 60_000);
        look(&app, &last).await.ok();
        app.clock.advance(24 * 3_600_000);
        look(&app, &last).await.problem(503, "token_keys_unavailable");
    }

    async fn a_shared_secret_goes_with_its_own_algorithms_only(db: &TestDb) {
        let key = Key::rsa("k");
        let issuer = Issuer::start(&key).await;
        let secret = "a-shared-secret-of-32-bytes-at-least";
        let app = server(db, &issuer, &[("TOKEN_JWKS_URL", ""), ("TOKEN_SECRET", secret)]).await;
        let good = claims(&app, &issuer, json!({}));
        let signed = |algorithm, secret: &str| {
            encode(&Header::new(algorithm), &good, &EncodingKey::from_secret(secret.as_bytes())).expect("a token")
        };
        look(&app, &signed(Algorithm::HS256, secret)).await.ok();
        refuses(&app, &signed(Algorithm::HS256, "another-secret-of-more-than-32-bytes"), "its signature is wrong").await;
        refuses(&app, &signed(Algorithm::HS512, secret), "its algorithm is not one of").await;
        refuses(&app, &key.sign(&good), "its algorithm is not one of").await;
        assert_eq!(issuer.fetches(), (0, 0));
        assert!(!log_text().contains(secret));
    }

    async fn a_disabled_person_stays_outside(db: &TestDb) {
        let key = Key::ec("k");
        let issuer = Issuer::start(&key).await;
        let app = server(db, &issuer, &[]).await;
        let token = key.sign(&claims(&app, &issuer, json!({})));
        look(&app, &token).await.ok();
        let answer = with(&app.nobody(), Method::POST, "/api/v1/session", &token).await;
        let mut inside = app.nobody();
        inside.cookie = answer.cookie().expect("a cookie");
        let id = row(&app, &issuer.base, "u-1").await.expect("a person").id;
        let mut tx = app.db.write().await.expect("a transaction");
        user::set_disabled(&mut tx, id, Some(app.clock.now())).await.expect("a change");
        tx.commit().await.expect("a commit");
        look(&app, &token).await.problem(403, "account_disabled");
        with(&app.nobody(), Method::POST, "/api/v1/session", &token).await.problem(403, "account_disabled");
        inside.get("/api/v1/connections").await.problem(401, "signed_out");
        let renamed = key.sign(&claims(&app, &issuer, json!({"name": "Eve"})));
        look(&app, &renamed).await.problem(403, "account_disabled");
    }

    async fn beside_a_token_the_cookie_does_not_count(db: &TestDb) {
        let key = Key::ec("k");
        let issuer = Issuer::start(&key).await;
        let app = server(db, &issuer, &[]).await;
        let ada = app.sign_in("ada").await;
        ada.connect("gmail").await;
        let token = key.sign(&claims(&app, &issuer, json!({})));
        let seen = with(&ada, Method::GET, "/api/v1/connections", &token).await.ok();
        assert_eq!(seen["connections"], json!([]));
        // Not even where the token is no good.
        let bad = key.sign(&claims(&app, &issuer, json!({"exp": 1})));
        with(&ada, Method::GET, "/api/v1/connections", &bad).await.problem(401, "token_invalid");
        let answer = with(&ada, Method::DELETE, "/api/v1/session", &token).await;
        assert_eq!((answer.status, answer.cookie()), (204, None));
        let page = with(&ada, Method::GET, "/connectors", &token).await;
        assert_eq!((page.status, page.cookie()), (200, None));
        assert_eq!(ada.connections().await.len(), 1);
    }

    async fn a_token_is_exchanged_for_a_session(db: &TestDb) {
        let key = Key::ec("k");
        let issuer = Issuer::start(&key).await;
        let app = server(db, &issuer, &[]).await;
        let token = key.sign(&claims(&app, &issuer, json!({"name": "Ada"})));
        let before = app.sign_in("grace").await;
        let answer = with(&before, Method::POST, "/api/v1/session", &token).await;
        assert_eq!((answer.status, answer.text.as_str()), (204, ""));
        let mut ada = app.nobody();
        ada.cookie = answer.cookie().expect("a cookie");
        assert_ne!(ada.cookie, before.cookie);
        before.get("/api/v1/connections").await.problem(401, "signed_out");
        assert!(ada.get("/connectors").await.text.contains("Ada"));
        let mut events = ada.events().await;
        assert_eq!(events.next().await.expect("a snapshot").0, "snapshot");
        // The session outlives the token, and is no token itself.
        app.clock.advance(3_600_000);
        assert!(ada.connections().await.is_empty());
        ada.request(Method::POST, "/api/v1/session", &[], None).await.problem(401, "token_invalid");
        let cross = [("sec-fetch-site", "cross-site")];
        ada.request(Method::DELETE, "/api/v1/session", &cross, None).await.problem(403, "cross_site");
        let answer = ada.request(Method::DELETE, "/api/v1/session", &[], None).await;
        assert_eq!(answer.status, 204);
        assert_eq!(events.next().await.expect("an end").0, "bye");
        ada.get("/api/v1/connections").await.problem(401, "signed_out");
        app.nobody().request(Method::POST, "/api/v1/session", &[], None).await.problem(401, "signed_out");
        refuses(&app, &token, "it has expired").await;
        assert!(!log_text().contains(&token));
    }

    async fn a_form_brings_a_token_from_the_host_product_only(db: &TestDb) {
        let key = Key::ec("k");
        let issuer = Issuer::start(&key).await;
        let app = server(db, &issuer, &[]).await;
        let token = key.sign(&claims(&app, &issuer, json!({})));
        let post = async |token: &str, next: &str, headers: &[(&str, &str)]| {
            app.nobody().form("/sign-in/token", &[("token", token), ("next", next)], headers).await
        };
        let cross = ("sec-fetch-site", "cross-site");
        for headers in [
            vec![cross, ("origin", "https://evil.example")],
            vec![cross, ("origin", "https://app.example.evil.example")],
            vec![cross, ("origin", "http://app.example")],
            vec![cross, ("origin", "null")],
            vec![cross],
            vec![("sec-fetch-site", "same-site"), ("origin", "https://x.app.example")],
            vec![("origin", "https://evil.example")],
        ] {
            let answer = post(&token, "/connectors", &headers).await;
            answer.problem(403, "cross_site");
            assert_eq!(answer.cookie(), None);
        }
        let ours = vec![("sec-fetch-site", "same-origin"), ("origin", app.base.as_str())];
        // A browser that sends no cookie may hold one all the same: it posts once more, from here.
        for headers in [vec![cross, ("origin", HOST)], vec![("origin", HOST)]] {
            for (token, next, led_on) in [
                (token.as_str(), "/connectors/gmail?q=a%22b&amp;c", true),
                (token.as_str(), "https://evil.example", false),
                ("\"><script>alert(1)</script>", "/connectors", true),
            ] {
                let answer = post(token, next, &headers).await;
                assert_eq!((answer.status, answer.cookie()), (200, None));
                let policy = answer.header("content-security-policy");
                assert!(policy.contains("form-action 'self'") && policy.contains("script-src 'nonce-"), "{policy}");
                assert_eq!(answer.header("cache-control"), "no-store");
                let html = Html::parse_document(&answer.text);
                let form = Selector::parse("form[method=post][action='/sign-in/token']").expect("a selector");
                assert_eq!(html.select(&form).count(), 1, "{}", answer.text);
                let value = |name: &str| {
                    let input = Selector::parse(&format!("form > input[name={name}]")).expect("a selector");
                    let input = html.select(&input).next().expect("a field");
                    input.attr("value").expect("a value").to_owned()
                };
                assert_eq!(value("token"), token);
                assert_eq!(value("next"), if led_on { next } else { "/connectors" });
                assert_eq!(answer.text.matches("<script").count(), 1, "{}", answer.text);
            }
        }
        let near = vec![("sec-fetch-site", "same-site"), ("origin", HOST)];
        for headers in [near, ours] {
            let answer = post(&token, "/connectors/gmail", &headers).await;
            assert_eq!(answer.redirect(303), "/connectors/gmail");
            let mut ada = app.nobody();
            ada.cookie = answer.cookie().expect("a cookie");
            assert!(ada.connections().await.is_empty());
            assert_eq!(post(&token, "https://evil.example", &headers).await.redirect(303), "/connectors");
            // A bad one leads to the sign-in page, which says so.
            let answer = post("a.b.c", "/connectors", &headers).await;
            assert_eq!(answer.redirect(303), "/sign-in");
            let mut nobody = app.nobody();
            nobody.cookie = answer.cookie().expect("a cookie");
            let page = nobody.get("/sign-in").await;
            assert!(page.text.contains("The token is not accepted.") && page.text.contains("(Reference "), "{}", page.text);
            assert!(!nobody.get("/sign-in").await.text.contains("not accepted"), "once");
            nobody.get("/api/v1/connections").await.problem(401, "signed_out");
        }
        let answer = app.nobody().form("/sign-in/token", &[("token", &token), ("admin", "1")], &[("origin", HOST)]).await;
        answer.problem(400, "body_invalid");
        assert!(!log_text().contains(&token));
    }

    async fn without_a_setting_no_token_counts(db: &TestDb) {
        let key = Key::ec("k");
        let issuer = Issuer::start(&key).await;
        let off = ["TOKEN_ISSUER", "TOKEN_AUDIENCE", "TOKEN_JWKS_URL", "TOKEN_ORIGINS"].map(|name| (name, ""));
        let app = server(db, &issuer, &off).await;
        let token = key.sign(&claims(&app, &issuer, json!({})));
        refuses(&app, &token, "no token is accepted").await;
        let answer = app.nobody().form("/sign-in/token", &[("token", &token)], &[("origin", HOST)]).await;
        answer.problem(403, "cross_site");
        assert_eq!(row(&app, &issuer.base, "u-1").await, None);
        assert_eq!(issuer.fetches(), (0, 0));
    }
}
