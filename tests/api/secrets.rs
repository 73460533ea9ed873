//! Nothing secret leaves the server: one run with secrets of its own, then all that was answered and
//! all that was logged is searched for each of them.

use std::{collections::BTreeMap, time::Duration};

use patchbay::server::{clock::Clock, config::Config, startup};
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use crate::{
    app::{TestApp, log_text},
    nango::KEY,
    person::{Answer, Person, text},
};

/// What was answered, with where it came from.
#[derive(Default)]
struct Answers(Vec<(String, Answer)>);

impl Answers {
    fn keep(&mut self, from: &str, answer: Answer) {
        self.0.push((from.to_owned(), answer));
    }

    async fn get(&mut self, person: &Person, path: &str) {
        self.keep(path, person.get(path).await);
    }

    /// Everything, headers too, but for a session's cookie on its way to its own person.
    fn everything(&self) -> impl Iterator<Item = (&str, String)> {
        self.0.iter().map(|(from, answer)| {
            let headers = answer.headers.iter();
            let headers = headers.filter(|(name, _)| *name != "set-cookie");
            let headers: String = headers
                .map(|(name, value)| {
                    format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()))
                })
                .collect();
            (from.as_str(), headers + &answer.text)
        })
    }
}

/// The token in the address of Nango's window: it may stand there, and nowhere else.
fn token(oauth_url: &str) -> String {
    let url = Url::parse(oauth_url).expect("an address");
    let mut pairs = url.query_pairs();
    let token = pairs.find(|(name, _)| name.contains("token"));
    token.expect("a token").1.into_owned()
}

on_both! {
    async fn no_secret_of_a_run_is_answered_or_logged(db: &TestDb) {
        let clock = Clock::system();
        let fresh = || clock.random_id().to_string();
        let mut secrets: BTreeMap<&str, String> = BTreeMap::new();
        secrets.insert("the key of Nango", KEY.to_owned());
        secrets.insert("the signing key", fresh());
        secrets.insert("the sandbox's key", fresh());
        secrets.insert("a typed key", format!("re_right_{}", clock.random_id().simple()));
        secrets.insert("a refused key", format!("re_wrong_{}", clock.random_id().simple()));
        secrets.insert("a made-up session", fresh());
        secrets.insert("a made-up token", fresh());
        secrets.insert("a forged signature", "0123456789abcdef".repeat(4));
        let made_up = secrets.clone();
        let of = |name: &str| made_up[name].clone();
        let settings = [
            ("NANGO_WEBHOOK_SIGNING_KEY", &*of("the signing key")),
            ("SANDBOX_SECRET_KEY", &*of("the sandbox's key")),
        ];
        let app = TestApp::with(db, &settings).await;
        if let Some(password) = Url::parse(&db.url).ok().and_then(|u| u.password().map(str::to_owned)) {
            secrets.insert("the database's password", password);
        }
        let mut answers = Answers::default();
        let ours = [("origin", app.base.as_str())];
        let nobody = app.nobody();
        let answer = nobody.form("/sign-in/demo", &[("name", "ada")], &ours).await;
        let mut ada = nobody.clone();
        ada.cookie = answer.cookie().expect("a cookie");
        let session = ada.cookie.split_once('=').expect("a value").1.to_owned();
        secrets.insert("the session", session);
        answers.keep("/sign-in/demo", answer);

        // The whole way of a click, and everything that can be looked at on it.
        let started = ada.post("/api/v1/connectors/gmail/connect", &json!({})).await;
        let oauth_url = text(&started.ok()["oauth_url"]).to_owned();
        let attempt = text(&started.ok()["attempt_id"]).to_owned();
        secrets.insert("the window's token", token(&oauth_url));
        answers.keep("connect", started);
        answers.keep("open", ada.get(&format!("/attempts/{attempt}/open")).await);
        for path in [
            "/connectors",
            "/connectors/gmail",
            "/connectors/resend",
            &format!("/attempts/{attempt}"),
            &format!("/api/v1/attempts/{attempt}"),
            &format!("/api/v1/connectors/callback?attempt={attempt}"),
            "/api/v1/connectors/callback?state=a&code=b",
            "/api/v1/connectors",
            "/api/v1/connectors/gmail",
            "/api/v1/connectors/gmail/status",
            "/api/v1/connections",
            "/api/v1/openapi.json",
            "/api/v1/nowhere",
            "/nowhere",
            "/health/live",
            "/health/ready",
            "/health/startup",
            "/sign-in",
        ] {
            answers.get(&ada, path).await;
        }
        for name in ["catalogue_page", "connector_page", "attempt_page"] {
            let path = format!("/api/fn/{name}");
            answers.keep(&path, ada.form(&path, &[("slug", "gmail"), ("id", &attempt)], &[]).await);
        }
        let mut stream = ada.events().await;
        let (_, snapshot) = stream.next().await.expect("an event");

        // Typed keys: right, wrong, misplaced, and in forms.
        let path = "/api/v1/connectors/resend/connect";
        let (right, wrong) = (of("a typed key"), of("a refused key"));
        for body in [
            json!({"credentials": {"apiKey": wrong}}),
            json!({"credentials": {"apiKey": right}}),
            json!({"credentials": {"apiKey": right, "other": wrong}}),
            json!({"credentials": {"apiKey": [right]}}),
            json!({"credentials": wrong}),
            json!({"inputs": {"apiKey": right}}),
            json!({ &*right: wrong }),
        ] {
            answers.keep(path, ada.post(path, &body).await);
        }
        let broken = Some(("application/json", format!("{{\"credentials\": \"{right}")));
        answers.keep(path, ada.request(Method::POST, path, &[], broken).await);
        let fields = [("credential.apiKey", wrong.as_str()), ("input.apiKey", &right)];
        answers.keep("form", ada.form("/connectors/resend/connect", &fields, &ours).await);
        answers.get(&ada, "/connectors/resend").await;
        answers.get(&ada, "/api/v1/connections").await;
        answers.keep("cross-site", ada.form("/connectors/resend/connect", &fields, &[("origin", "null")]).await);

        // Whoever knocks with something made up, in any place.
        let mut eve = nobody.clone();
        eve.cookie = format!("patchbay={}", of("a made-up session"));
        answers.get(&eve, "/api/v1/connections").await;
        for scheme in ["Bearer", "Basic"] {
            let token = format!("{scheme} {}", of("a made-up token"));
            let headers = [("authorization", token.as_str())];
            answers.keep(scheme, nobody.request(Method::GET, "/api/v1/connections", &headers, None).await);
        }
        let signature = of("a forged signature");
        let headers = [("x-nango-hmac-sha256", signature.as_str())];
        let body = Some(("application/json", json!({"type": "auth"}).to_string()));
        answers.keep("webhook", nobody.request(Method::POST, "/api/v1/webhooks/nango", &headers, body).await);

        // Nango fails in every way it knows.
        for fault in [
            json!({"status": 401, "path_prefix": "/connect"}),
            json!({"status": 429, "path_prefix": "/connect"}),
            json!({"status": 500, "path_prefix": "/connect"}),
            json!({"drop_connection": true, "path_prefix": "/connect", "probability": 1}),
        ] {
            app.nango.fault(fault).await;
            answers.keep("fault", ada.post("/api/v1/connectors/slack/connect", &json!({})).await);
            answers.keep("fault", ada.form("/connectors/slack/connect", &[], &ours).await);
            answers.get(&ada, "/connectors/slack").await;
        }
        answers.keep("disconnect", ada.post("/api/v1/connectors/resend/disconnect", &json!({})).await);
        let end = ada.form("/sign-out", &[], &ours).await;
        answers.keep("/sign-out", end);
        tokio::time::sleep(Duration::from_millis(200)).await;

        // The search finds what is there …
        let log = log_text();
        assert!(log.contains(&attempt), "the log is read");
        assert!(answers.0.len() > 40, "{}", answers.0.len());
        let shown = |wanted: &str| answers.everything().filter(|(_, text)| text.contains(wanted)).count();
        assert!(shown(&attempt) > 5);
        // … and no secret.
        for (name, secret) in &secrets {
            assert!(secret.len() >= 8 || *name == "the database's password", "{name} is too short to look for");
            if secret.len() < 8 {
                continue;
            }
            let line = log.lines().find(|line| line.contains(secret));
            assert!(line.is_none(), "{name} is in the log: {line:?}");
            assert!(!snapshot.to_string().contains(secret), "{name} is in an event");
            for (from, text) in answers.everything() {
                let text = if *name == "the window's token" { without_addresses(&text, &oauth_url) } else { text };
                assert!(!text.contains(secret), "{name} is in the answer of {from}: {text}");
            }
        }
    }
}

/// The one place where the token has to stand.
fn without_addresses(text: &str, oauth_url: &str) -> String {
    let in_json = serde_json::to_string(&Value::from(oauth_url)).unwrap_or_default();
    text.replace(in_json.trim_matches('"'), "")
        .replace(&oauth_url.replace('&', "&amp;"), "")
        .replace(oauth_url, "")
}

#[tokio::test]
async fn a_database_that_is_not_there_does_not_tell_the_password() {
    let password = Clock::system().random_id().simple().to_string();
    for url in [
        format!("postgres://patchbay:{password}@127.0.0.1:1/patchbay"),
        format!("postgres://patchbay:{password}@no-such-host.invalid/patchbay"),
    ] {
        let env = |name: &str| match name {
            "DATABASE_URL" => Some(url.clone()),
            "PATCHBAY_CONFIG" => Some("tests/fixtures/empty.toml".to_owned()),
            _ => None,
        };
        let config = Config::load(None, &env).unwrap_or_else(|e| panic!("{e}"));
        assert!(!format!("{config:?}").contains(&password));
        let Err(error) = startup::build(&config, Clock::system()).await else {
            panic!("it cannot have started");
        };
        assert!(!format!("{error} {error:?}").contains(&password), "{error}");
    }
    assert!(!log_text().contains(&password));
}
