//! A person: signed in by their product's token, with a page open, connecting, reconnecting, naming
//! and disconnecting accounts, one after the other, at whichever instance lives.
//!
//! May import `house`, `ledger`, `page`, `press` and `product` beside it.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{sync::watch, time::sleep};

use crate::{
    house::House,
    ledger::{Done, Ledger},
    page::Page,
    press::Hand,
    product::token,
};

/// Connectors that one person uses.
const ACCOUNTS: usize = 6;
/// Between two things that a person does.
const THINKS_MS: std::ops::Range<u64> = 3_000..10_000;
/// How long somebody who has pressed Allow waits for "Connected", faults and all.
const PATIENCE: Duration = Duration::from_secs(180);

/// What a person knows of an account.
#[derive(Clone, Debug, Default)]
pub struct Account {
    pub connected: bool,
    /// The row's id, once it is known.
    pub id: Option<String>,
    /// Given since it was connected.
    pub name: Option<String>,
    /// A request that nobody answered may still be done: left alone from then on.
    left_alone: bool,
}

pub struct User {
    pub subject: String,
    pub page: Page,
    pub accounts: HashMap<String, Account>,
    hand: Hand,
    random: StdRng,
    names: u32,
}

impl User {
    pub fn new(house: &Arc<House>, ledger: &Arc<Ledger>, number: u64, slugs: &[String]) -> Self {
        let subject = format!("person-{number}");
        let token = token(&subject);
        let mut random = StdRng::seed_from_u64(house.seed.wrapping_add(1000 + number));
        let first = random.random_range(0..slugs.len());
        let own = slugs.iter().cycle().skip(first).take(ACCOUNTS);
        Self {
            subject,
            page: Page::open(house.clone(), ledger.clone(), token.clone()),
            accounts: own.map(|slug| (slug.clone(), Account::default())).collect(),
            hand: Hand {
                house: house.clone(),
                ledger: ledger.clone(),
                token,
            },
            random,
            names: 0,
        }
    }

    /// Acts until the end is near, and finishes what it has begun.
    pub async fn live(mut self, mut ending: watch::Receiver<bool>) -> Self {
        let mut slugs: Vec<String> = self.accounts.keys().cloned().collect();
        slugs.sort();
        let mut pause = self.random.random_range(0..THINKS_MS.end);
        loop {
            tokio::select! {
                () = sleep(Duration::from_millis(pause)) => {}
                _ = ending.wait_for(|ending| *ending) => return self,
            }
            let slug = slugs[self.random.random_range(0..slugs.len())].clone();
            let mut account = self.accounts[&slug].clone();
            if !account.left_alone {
                self.act(&slug, &mut account).await;
                self.accounts.insert(slug, account);
            }
            pause = self.random.random_range(THINKS_MS);
        }
    }

    async fn act(&mut self, slug: &str, account: &mut Account) {
        let die = self.random.random_range(0..100);
        match (account.connected, die) {
            (false, 0..85) => self.connect(slug, account).await,
            (false, 85..93) => self.start_in_vain(slug, account, "deny").await,
            (false, _) => self.start_in_vain(slug, account, "close").await,
            (true, 0..45) => self.disconnect(slug, account).await,
            (true, 45..65) => self.reconnect(slug, account).await,
            (true, _) => self.rename(account).await,
        }
    }

    fn contradiction(&self, what: &str) {
        let what = format!("{}: {what}", self.subject);
        self.hand.ledger.contradiction(what);
    }

    /// Presses Connect or Reconnect: the attempt and the popup's address, or why not.
    async fn start(
        &self,
        slug: &str,
        what: &str,
        account: &mut Account,
    ) -> Result<(String, String), (u16, String)> {
        let path = format!("/api/v1/connectors/{slug}/{what}");
        let pressed = self.hand.press(Method::POST, &path, Some(&json!({}))).await;
        account.left_alone |= pressed.doubtful;
        let started = pressed.answer?;
        self.hand.ledger.told(&started["connection"]);
        account.id = text(&started["connection"]["id"]);
        let attempt = text(&started["attempt_id"]).expect("an attempt");
        Ok((attempt, text(&started["oauth_url"]).expect("a popup")))
    }

    async fn connect(&self, slug: &str, account: &mut Account) {
        let began = Instant::now();
        let mut allowed = false;
        while began.elapsed() < PATIENCE {
            let (attempt, url) = match self.start(slug, "connect", account).await {
                Ok(started) => started,
                // The window before this one has succeeded after all.
                Err((409, code)) if code == "already_connected" && allowed => {
                    account.connected = true;
                    account.name = None;
                    return;
                }
                Err(refused) => {
                    return self.contradiction(&format!("connect {slug}: {refused:?}"));
                }
            };
            if self.hand.house.nango.consent(&url, "allow").await != "success" {
                continue;
            }
            allowed = true;
            if self.outcome(&attempt).await == Some(true) {
                account.connected = true;
                account.name = None;
                return self.hand.ledger.done(Done::Connected { attempt });
            }
        }
        self.contradiction(&format!("connect {slug}: allowed, and never connected"));
    }

    /// Waits for it: whether it succeeded, if it ended at all.
    async fn outcome(&self, attempt: &str) -> Option<bool> {
        let path = format!("/api/v1/attempts/{attempt}");
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let status = self.hand.press(Method::GET, &path, None).await.answer;
            match status {
                Ok(status) if status["state"] == "succeeded" => {
                    self.hand.ledger.told(&status["connection"]);
                    return Some(true);
                }
                Ok(status) if status["state"] == "open" => {}
                Ok(_) => return Some(false),
                Err(refused) => {
                    self.contradiction(&format!("{path}: {refused:?}"));
                    return None;
                }
            }
            sleep(Duration::from_millis(700)).await;
        }
        None
    }

    /// Denies, or closes the window: it is not connected by that.
    async fn start_in_vain(&self, slug: &str, account: &mut Account, decision: &str) {
        match self.start(slug, "connect", account).await {
            Ok((attempt, url)) => {
                self.hand.house.nango.consent(&url, decision).await;
                if decision == "deny" {
                    self.tell_denial(&attempt).await;
                }
            }
            Err(refused) => self.contradiction(&format!("connect {slug}: {refused:?}")),
        }
    }

    /// What the popup tells the page.
    async fn tell_denial(&self, attempt: &str) {
        let hint = json!({"hint": {
            "type": "error", "error_type": "callback_err",
            "message": "access_denied: The user denied the request",
        }});
        let path = format!("/api/v1/attempts/{attempt}/finish");
        drop(self.hand.press(Method::POST, &path, Some(&hint)).await);
    }

    /// However it ends, the account stays connected.
    async fn reconnect(&mut self, slug: &str, account: &mut Account) {
        let decision = if self.random.random_bool(0.8) {
            "allow"
        } else {
            "deny"
        };
        let (attempt, url) = match self.start(slug, "reconnect", account).await {
            Ok(started) => started,
            Err(refused) => return self.contradiction(&format!("reconnect {slug}: {refused:?}")),
        };
        let outcome = self.hand.house.nango.consent(&url, decision).await;
        if decision == "deny" {
            self.tell_denial(&attempt).await;
        } else if outcome == "success" && self.outcome(&attempt).await == Some(true) {
            self.hand.ledger.done(Done::Connected { attempt });
        }
    }

    async fn disconnect(&self, slug: &str, account: &mut Account) {
        let path = format!("/api/v1/connectors/{slug}/disconnect");
        let pressed = self.hand.press(Method::POST, &path, Some(&json!({}))).await;
        account.left_alone |= pressed.doubtful;
        match pressed.answer {
            Ok(connection) => {
                self.hand.ledger.told(&connection);
                account.connected = false;
                let connection = text(&connection["id"]).expect("an id");
                self.hand.ledger.done(Done::Disconnected { connection });
            }
            // An earlier try was done, and its answer was lost.
            Err((404, code)) if code == "connection_unknown" => account.connected = false,
            Err(refused) => self.contradiction(&format!("disconnect {slug}: {refused:?}")),
        }
    }

    async fn rename(&mut self, account: &mut Account) {
        let Some(id) = account.id.clone() else {
            return;
        };
        self.names += 1;
        let name = format!("name {}", self.names);
        let path = format!("/api/v1/connections/{id}");
        let body = json!({"account": name});
        let pressed = self.hand.press(Method::PATCH, &path, Some(&body)).await;
        account.left_alone |= pressed.doubtful;
        match pressed.answer {
            Ok(connection) => {
                self.hand.ledger.told(&connection);
                account.name = Some(name);
                self.hand.ledger.done(Done::Renamed { connection: id });
            }
            Err(refused) => self.contradiction(&format!("rename {id}: {refused:?}")),
        }
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}
