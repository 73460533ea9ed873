//! Every route for every kind of caller: who may do what is written down twice, once where the
//! server asks it (`http::access`) and once here (`matrix/table.rs`), as answers.

#[path = "matrix/routes.rs"]
mod routes;
#[path = "matrix/table.rs"]
mod table;
#[path = "matrix/token.rs"]
mod token;

use std::{collections::BTreeSet, fmt::Write, sync::Arc};

use patchbay::{
    domain::user::Role,
    server::{
        db::{session::Store, user},
        http::access::RULES,
    },
};
use reqwest::{Method, header::HeaderMap};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_sessions::{Expiry, Session};
use uuid::Uuid;

use crate::{
    app::TestApp,
    nango::Decision,
    person::{Person, text},
};
use table::{Row, Sent, TABLE};

const EXCHANGE: &str = "/api/v1/session";
/// What somebody gets whose token is good and who is switched off.
const SWITCHED_OFF: &str = "403 account_disabled";

/// By what a caller wants to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    NoSession,
    ExpiredSession,
    ForgedCookie,
    DisabledUser,
    OtherUser,
    Admin,
    GoodToken,
    ExpiredToken,
    WrongAudience,
    WrongIssuer,
    AlgNone,
    SwappedKey,
    /// HS256 with the public key as the secret, where tokens are checked with public keys.
    PublicKey,
    DisabledUsersToken,
    NoToken,
    // The last: Ada may change what the row is about.
    User,
}

const CALLERS: [Caller; 16] = {
    use Caller::*;
    [
        NoSession,
        ExpiredSession,
        ForgedCookie,
        DisabledUser,
        OtherUser,
        Admin,
        GoodToken,
        ExpiredToken,
        WrongAudience,
        WrongIssuer,
        AlgNone,
        SwappedKey,
        PublicKey,
        DisabledUsersToken,
        NoToken,
        User,
    ]
};

fn expected(row: &Row, caller: Caller) -> &'static str {
    match caller {
        Caller::NoSession
        | Caller::ExpiredSession
        | Caller::ForgedCookie
        | Caller::DisabledUser => row.out,
        Caller::User => row.own,
        Caller::OtherUser => row.other,
        Caller::Admin => row.admin,
        // What a token alone is for.
        Caller::GoodToken if row.route == EXCHANGE && row.method == Method::POST => "204",
        Caller::GoodToken => row.other,
        // A door that is open to all does not look at the token.
        Caller::DisabledUsersToken if row.refused != row.out => SWITCHED_OFF,
        _ => row.refused,
    }
}

/// Two servers on one database: one shares a secret with the host product, one knows its public key.
struct Place {
    app: TestApp,
    keys: TestApp,
    ada: Person,
}

impl Place {
    async fn new(db: &crate::support::db::TestDb) -> Self {
        let key_set = publish_keys().await;
        let issuer = [
            ("TOKEN_ISSUER", token::ISSUER),
            ("TOKEN_AUDIENCE", token::AUDIENCE),
            // Wrong passwords are counted: the sixth caller would get another answer.
            ("AUTH_LOCAL", "false"),
        ];
        let mut secret = issuer.to_vec();
        secret.push(("TOKEN_SECRET", token::SECRET));
        let mut public = issuer.to_vec();
        public.push(("TOKEN_JWKS_URL", key_set.as_str()));
        let app = TestApp::with(db, &secret).await;
        let keys = TestApp::at(db, app.nango.clone(), app.clock.clone(), &public).await;
        let ada = app.sign_in("ada").await;
        let place = Self { app, keys, ada };
        let root = place.app.user_id("root").await;
        let gone = place.app.user_id("gone").await;
        let mut tx = place.app.db.write().await.expect("a transaction");
        user::set_role(&mut tx, root, Role::Admin)
            .await
            .expect("an administrator");
        let new = user::NewUser {
            id: place.app.clock.new_id(),
            issuer: token::ISSUER,
            subject: "gone",
            display_name: "Gone",
            email: None,
        };
        let host = user::upsert(&mut tx, &new, place.app.clock.now())
            .await
            .expect("a user");
        for id in [gone, host.id] {
            let now = place.app.clock.now();
            user::set_disabled(&mut tx, id, Some(now))
                .await
                .expect("somebody switched off");
        }
        tx.commit().await.expect("a commit");
        place
    }

    /// Ada's attempt and her connection, for a row: the one open, the other connected.
    async fn prepare(&self) -> (String, String) {
        let all = self.ada.connections().await;
        let gmail = all
            .iter()
            .find(|c| c["connector"] == "gmail" && c["status"] == "connected");
        let gmail = match gmail {
            Some(connected) => connected.clone(),
            None => {
                let started = self.ada.connect("gmail").await;
                let url = text(&started["oauth_url"]);
                self.app.nango.popup(url, Decision::Allow).await;
                self.ada.until_attempt(&started, "succeeded").await["connection"].clone()
            }
        };
        let started = self.ada.connect("zoom").await;
        (
            text(&started["attempt_id"]).to_owned(),
            text(&gmail["id"]).to_owned(),
        )
    }

    /// A session that was there, and is over.
    async fn expired(&self) -> Person {
        let id = self.app.user_id("bob").await;
        let store = Arc::new(Store::new(self.app.db.clone(), self.app.clock.clone()));
        let session = Session::new(
            None,
            store,
            Some(Expiry::AtDateTime(time::OffsetDateTime::UNIX_EPOCH)),
        );
        session.insert("user_id", id).await.expect("an entry");
        session.save().await.expect("a session");
        Person::new(
            &self.app,
            &format!("patchbay={}", session.id().expect("an id")),
        )
    }

    /// A session's cookie with another letter in it.
    async fn forged(&self) -> Person {
        let mut person = self.app.session_of("bob", "patchbay").await;
        let at = "patchbay=".len();
        let other = if person.cookie.as_bytes()[at] == b'A' {
            "B"
        } else {
            "A"
        };
        person.cookie.replace_range(at..=at, other);
        person
    }

    /// The caller, and the token they send.
    async fn caller(&self, caller: Caller) -> (Person, Option<String>) {
        let now = self.app.clock.now().0;
        let good = token::claims("visitor", now);
        let hs256 = |claims: &Value| Some(token::signed(claims, token::SECRET.as_bytes()));
        let session = match caller {
            Caller::ExpiredSession => self.expired().await,
            Caller::ForgedCookie => self.forged().await,
            Caller::DisabledUser => self.app.session_of("gone", "patchbay").await,
            Caller::User => self.app.session_of("ada", "patchbay").await,
            Caller::OtherUser => self.app.session_of("eve", "patchbay").await,
            Caller::Admin => self.app.session_of("root", "patchbay").await,
            Caller::PublicKey => self.keys.nobody(),
            _ => self.app.nobody(),
        };
        let token = match caller {
            Caller::GoodToken => hs256(&good),
            Caller::ExpiredToken => hs256(&token::with(good, "exp", json!(now / 1000 - 3600))),
            Caller::WrongAudience => hs256(&token::with(good, "aud", json!("another"))),
            Caller::WrongIssuer => hs256(&token::with(good, "iss", json!("https://evil.example"))),
            Caller::AlgNone => Some(token::none(&good)),
            Caller::SwappedKey => Some(token::signed(
                &good,
                b"another secret of more than 32 bytes",
            )),
            Caller::PublicKey => Some(token::signed(&good, token::public_texts()[0].as_bytes())),
            Caller::DisabledUsersToken => hs256(&token::claims("gone", now)),
            Caller::NoToken => Some("none.at.all".to_owned()),
            _ => None,
        };
        (session, token)
    }

    async fn ask(&self, row: &Row, caller: Caller, fill: &impl Fn(&str) -> String) -> String {
        let (person, token) = self.caller(caller).await;
        let app = if caller == Caller::PublicKey {
            &self.keys
        } else {
            &self.app
        };
        let path = fill(row.path);
        let mut request = app
            .http
            .request(row.method.clone(), format!("{}{path}", app.base))
            .header("origin", &app.base)
            .header("sec-fetch-site", "same-origin");
        if !person.cookie.is_empty() {
            request = request.header("cookie", &person.cookie);
        }
        if let Some(token) = &token {
            request = request.bearer_auth(token);
        }
        let body = match row.sent {
            Sent::Nothing => None,
            Sent::Json(body) => Some(("application/json", body)),
            Sent::Form(fields) => Some(("application/x-www-form-urlencoded", fields)),
        };
        if let Some((kind, body)) = body {
            request = request.header("content-type", kind).body(fill(body));
        }
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let header = |name| value(&headers, name);
        let told = match (header("location"), header("content-type")) {
            (Some(to), _) => leads_to(&to, &path, &self.app.nango.base),
            (None, Some(kind))
                if kind == "application/problem+json" || kind == "application/json" =>
            {
                let body: Value = response.json().await.unwrap_or_default();
                // Server functions wrap what they refuse.
                body["code"]
                    .as_str()
                    .filter(|_| status >= 400)
                    .unwrap_or_default()
                    .to_owned()
            }
            _ => String::new(),
        };
        format!("{status} {told}").trim_end().to_owned()
    }
}

fn value(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().expect("text").to_owned())
}

/// Where a redirect leads, without what differs from run to run.
fn leads_to(location: &str, path: &str, nango: &str) -> String {
    if let Some(next) = location.strip_prefix("/sign-in?next=") {
        let next = percent_encoding::percent_decode_str(next).decode_utf8_lossy();
        assert_eq!(next, path, "not back to where it came from");
        return "/sign-in?next".to_owned();
    }
    let location = location.replace(nango, "{nango}");
    let location = location.split('?').next().unwrap_or_default();
    let parts: Vec<_> = location
        .split('/')
        .map(|part| {
            if Uuid::parse_str(part).is_ok() {
                "{id}"
            } else {
                part
            }
        })
        .collect();
    parts.join("/")
}

/// A JWKS address.
async fn publish_keys() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let router = axum::Router::new().route(
        "/jwks",
        axum::routing::get(|| async { axum::Json(token::key_set()) }),
    );
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/jwks")
}

on_both! {
    /// One test, so that the table is gone through in its order and all that is wrong is said at once.
    async fn every_route_answers_every_caller_as_the_table_says(db: &TestDb) {
        let place = Place::new(db).await;
        let mut wrong = String::new();
        for row in TABLE {
            let (attempt, connection) = place.prepare().await;
            let fill = |text: &str| text.replace("{attempt}", &attempt).replace("{connection}", &connection);
            for caller in CALLERS {
                let (found, wanted) = (place.ask(row, caller, &fill).await, expected(row, caller));
                if found != wanted {
                    let _ = writeln!(wrong, "{} {} for {caller:?}: {found}, not {wanted}", row.method, row.path);
                }
            }
        }
        assert!(wrong.is_empty(), "\n{wrong}");
    }

    async fn no_text_of_a_public_key_signs_a_token(db: &TestDb) {
        let place = Place::new(db).await;
        let claims = token::claims("visitor", place.app.clock.now().0);
        for secret in token::public_texts() {
            let authorization = format!("Bearer {}", token::signed(&claims, secret.as_bytes()));
            let headers = [("authorization", authorization.as_str())];
            let answer = place.keys.nobody().request(Method::GET, "/api/v1/connections", &headers, None).await;
            answer.problem(401, "token_invalid");
        }
    }
}

fn names(routes: impl Iterator<Item = (String, &'static str)>) -> BTreeSet<routes::Route> {
    routes
        .map(|(method, path)| (method, path.to_owned()))
        .collect()
}

#[test]
fn every_route_has_a_line_in_the_access_table() {
    let rules = names(
        RULES
            .iter()
            .map(|rule| (rule.method.to_string(), rule.path)),
    );
    assert_eq!(rules.len(), RULES.len(), "two lines for one route");
    let registered = routes::registered();
    let closed: Vec<_> = registered.difference(&rules).collect();
    assert!(closed.is_empty(), "routes without a line: {closed:?}");
    let stale: Vec<_> = rules.difference(&registered).collect();
    assert!(stale.is_empty(), "lines without a route: {stale:?}");
}

#[test]
fn every_line_of_the_access_table_has_a_row_here() {
    let rules = names(
        RULES
            .iter()
            .map(|rule| (rule.method.to_string(), rule.path)),
    );
    let rows = names(TABLE.iter().map(|row| (row.method.to_string(), row.route)));
    assert_eq!(rules, rows);
}
