//! Writes without a pause, and remembers which of them were acknowledged.
//!
//! May import `product` and `stand_in` beside it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use patchbay::server::db::session;
use reqwest::{Client, Method, Response, header::SET_COOKIE};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{product::token, stand_in::StandIn};

/// Accounts whose names are written over and over.
const ACCOUNTS: usize = 3;
/// The server is away, or has just gone.
const AGAIN: Duration = Duration::from_millis(5);
const CONNECTORS: [&str; 3] = ["zoom", "asana", "dropbox"];

#[derive(Clone, Copy, Debug, Default)]
pub struct Named {
    /// The last number that was sent, and the last that was acknowledged.
    pub sent: u32,
    pub told: u32,
    /// How many were acknowledged.
    pub times: i64,
}

#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Digests of sessions, with whose they are.
    pub sessions: Vec<(String, String)>,
    pub attempts: Vec<String>,
    pub names: HashMap<String, Named>,
}

pub struct Load {
    http: Client,
    base: String,
    told: Mutex<Told>,
}

/// An account, and the token of its person.
pub struct Account {
    id: String,
    token: String,
}

impl Load {
    pub fn new(http: Client, base: String) -> Self {
        Self {
            http,
            base,
            told: Mutex::default(),
        }
    }

    pub fn read(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn count(&self) -> usize {
        let told = self.read();
        let names = told.names.values().map(|named| named.times).sum::<i64>();
        told.sessions.len() + told.attempts.len() + usize::try_from(names).expect("a number")
    }

    pub fn told(&self) -> String {
        let told = self.read();
        let names = told.names.values().map(|named| named.times).sum::<i64>();
        let (sessions, attempts) = (told.sessions.len(), told.attempts.len());
        format!("acknowledged {names} names, {sessions} sign-ins, {attempts} attempts")
    }

    /// The answer of a success; none where the server is away or could not.
    async fn send(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> Option<Response> {
        let url = format!("{}{path}", self.base);
        let mut request = self.http.request(method, url).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.ok()?;
        answer.status().is_success().then_some(answer)
    }

    async fn json(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> Option<Value> {
        let answer = self.send(method, path, token, body).await?;
        answer.json().await.ok()
    }

    /// Some accounts, connected.
    pub async fn connect(&self, nango: &StandIn) -> Vec<Account> {
        let mut accounts = Vec::new();
        for number in 0..ACCOUNTS {
            let token = token(&format!("owner-{number}"));
            let path = format!("/api/v1/connectors/{}/connect", CONNECTORS[0]);
            let started = self
                .json(Method::POST, &path, &token, Some(&json!({})))
                .await;
            let started = started.expect("an attempt");
            let url = started["oauth_url"].as_str().expect("a popup");
            assert_eq!(nango.consent(url, "allow").await, "success");
            let attempt = started["attempt_id"].as_str().expect("an id");
            let path = format!("/api/v1/attempts/{attempt}");
            loop {
                let status = self.json(Method::GET, &path, &token, None).await;
                if status.is_some_and(|status| status["state"] == "succeeded") {
                    break;
                }
                sleep(AGAIN).await;
            }
            let id = started["connection"]["id"]
                .as_str()
                .expect("an id")
                .to_owned();
            accounts.push(Account { id, token });
        }
        accounts
    }

    /// Gives an account one number after the other as its name.
    pub async fn rename(self: Arc<Self>, account: Account) {
        let Account { id, token } = account;
        let path = format!("/api/v1/connections/{id}");
        for number in 1.. {
            self.read().names.entry(id.clone()).or_default().sent = number;
            let body = json!({"account": number.to_string()});
            let named = self.json(Method::PATCH, &path, &token, Some(&body)).await;
            if named.is_none() {
                sleep(AGAIN).await;
                continue;
            }
            let mut told = self.read();
            let named = told.names.entry(id.clone()).or_default();
            named.told = number;
            named.times += 1;
        }
    }

    /// Somebody new signs in, and somebody else, and so on.
    pub async fn sign_in(self: Arc<Self>, number: usize) {
        for person in 0.. {
            let subject = format!("person-{number}-{person}");
            let token = token(&subject);
            let answer = self
                .send(Method::POST, "/api/v1/session", &token, None)
                .await;
            let Some(answer) = answer else {
                sleep(AGAIN).await;
                continue;
            };
            let cookie = answer.headers().get(SET_COOKIE).expect("a cookie");
            let cookie = cookie.to_str().expect("text").split(';').next();
            let (_, key) = cookie.and_then(|c| c.split_once('=')).expect("a value");
            self.read().sessions.push((subject, session::digest(key)));
        }
    }

    /// One click on Connect after the other, each in place of the one before.
    pub async fn click(self: Arc<Self>, number: usize) {
        let token = token(&format!("clicker-{number}"));
        for slug in CONNECTORS.iter().cycle() {
            let path = format!("/api/v1/connectors/{slug}/connect");
            let started = self
                .json(Method::POST, &path, &token, Some(&json!({})))
                .await;
            match started.and_then(|started| started["attempt_id"].as_str().map(str::to_owned)) {
                Some(attempt) => self.read().attempts.push(attempt),
                None => sleep(AGAIN).await,
            }
        }
    }
}
