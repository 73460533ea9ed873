//! One visit, acted out over HTTP, and what must have come of it.
//!
//! May import `person`, `place` and `plan` beside it.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    person::Person,
    place::Place,
    plan::{Decision, Script, Visit},
};

/// How long a person waits for "Connected" before they go on.
const PATIENCE: Duration = Duration::from_secs(60);

/// What must be true in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    Connected,
    NotConnected,
    /// Two things happened at once: connected exactly where this visit's attempt succeeded.
    AsTheAttempt,
}

#[derive(Debug)]
pub struct Visited {
    pub visit: Visit,
    pub slug: String,
    pub expected: Expected,
    /// In the order of the clicks.
    pub attempts: Vec<String>,
    /// The last attempt must have succeeded.
    pub succeeds: bool,
    /// The person waited for it longer than anybody would.
    pub in_vain: bool,
}

struct Act<'a> {
    place: &'a Place,
    person: &'a Person,
    slug: &'a str,
    hints: bool,
    attempts: Vec<String>,
    in_vain: bool,
}

impl Act<'_> {
    async fn start(&mut self, what: &str) -> String {
        let started = self.person.start(self.slug, what).await;
        let (attempt, url) = started.unwrap_or_else(|e| panic!("{what} {}: {e}", self.slug));
        self.attempts.push(attempt);
        url
    }

    fn last(&self) -> &str {
        self.attempts.last().expect("an attempt")
    }

    /// Decides in the popup; the page tells the server where it hears of it.
    async fn decide(&self, url: &str, decision: Decision) {
        let outcome = self.place.consent(url, decision.word()).await;
        let expected = match decision {
            Decision::Allow => "success",
            Decision::Deny | Decision::Fail => "failed",
            Decision::Never => "closed",
        };
        assert_eq!(outcome, expected, "{} {decision:?}", self.slug);
        if !self.hints || decision == Decision::Never {
            return;
        }
        let hint = match decision {
            Decision::Deny => json!({"hint": {
                "type": "error", "error_type": "callback_err",
                "message": "access_denied: The user denied the request",
            }}),
            Decision::Fail => json!({"hint": {
                "type": "error", "error_type": "unknown_err", "message": "Response Error: 400",
            }}),
            _ => json!({}),
        };
        let path = format!("/api/v1/attempts/{}/finish", self.last());
        self.person.tell(&path, &hint).await;
    }

    async fn allow(&self, url: &str) {
        self.decide(url, Decision::Allow).await;
    }

    async fn press(&self, path: &str) -> Value {
        let pressed = self.person.press(path, &json!({})).await;
        pressed.unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    async fn cancel(&self) {
        let path = format!("/api/v1/attempts/{}/cancel", self.last());
        self.press(&path).await;
    }

    async fn disconnect(&self) {
        let path = format!("/api/v1/connectors/{}/disconnect", self.slug);
        self.press(&path).await;
    }

    /// Waits for it. Who waits in vain goes away; in the end it must be there all the same.
    async fn connected(&mut self) -> bool {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if self.person.attempt_state(self.last()).await == "succeeded" {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        eprintln!("{}: not connected in time: {:?}", self.slug, self.attempts);
        self.in_vain = true;
        false
    }

    async fn run(&mut self, script: Script) -> (Expected, bool) {
        let url = self.start("connect").await;
        match script {
            Script::Plain(decision) => {
                self.decide(&url, decision).await;
                match decision {
                    Decision::Allow => (Expected::Connected, true),
                    _ => (Expected::NotConnected, false),
                }
            }
            Script::CancelThenAllow => {
                self.cancel().await;
                self.allow(&url).await;
                (Expected::NotConnected, false)
            }
            Script::CancelWhileAllowing => {
                tokio::join!(self.cancel(), self.allow(&url));
                (Expected::AsTheAttempt, false)
            }
            Script::TwoWindows => {
                let second = self.person.second_window(self.last()).await;
                let second = second.expect("a second window");
                tokio::join!(self.allow(&url), self.allow(&second));
                (Expected::Connected, true)
            }
            Script::DenyThenAllow => {
                let second = self.person.second_window(self.last()).await;
                let second = second.expect("a second window");
                self.decide(&url, Decision::Deny).await;
                self.allow(&second).await;
                (Expected::AsTheAttempt, false)
            }
            Script::Again => {
                let newer = self.start("connect").await;
                self.allow(&newer).await;
                self.allow(&url).await;
                (Expected::Connected, true)
            }
            Script::Reconnect(decision) => {
                self.allow(&url).await;
                if !self.connected().await {
                    return (Expected::Connected, true);
                }
                let url = self.start("reconnect").await;
                self.decide(&url, decision).await;
                (Expected::Connected, decision == Decision::Allow)
            }
            Script::Disconnect => {
                self.allow(&url).await;
                if !self.connected().await {
                    return (Expected::Connected, true);
                }
                self.disconnect().await;
                (Expected::NotConnected, false)
            }
            Script::DisconnectWhileOpen => {
                self.disconnect().await;
                self.allow(&url).await;
                (Expected::NotConnected, false)
            }
            Script::DisconnectWhileReconnecting => {
                self.allow(&url).await;
                if !self.connected().await {
                    return (Expected::Connected, true);
                }
                let url = self.start("reconnect").await;
                self.disconnect().await;
                // Nothing is left to renew: Nango says so in the window, and tells nobody.
                let outcome = self.place.consent(&url, Decision::Allow.word()).await;
                assert_eq!(outcome, "refused", "{}", self.slug);
                (Expected::NotConnected, false)
            }
        }
    }
}

pub async fn act(place: &Place, person: &Person, slug: &str, visit: Visit) -> Visited {
    let mut act = Act {
        place,
        person,
        slug,
        hints: visit.hints,
        attempts: Vec::new(),
        in_vain: false,
    };
    let (expected, succeeds) = act.run(visit.script).await;
    Visited {
        visit,
        slug: slug.to_owned(),
        expected,
        attempts: act.attempts,
        succeeds,
        in_vain: act.in_vain,
    }
}
