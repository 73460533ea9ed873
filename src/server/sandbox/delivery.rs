//! Sends what `webhook` made: a moment after the call that caused it was answered, to one address
//! after the other, three times where the receiver is out of order. Keeps a list of what was sent.
//!
//! May import `domain` and the sandbox's `faults`, `state`, `webhook` and `webhook_url`.

use std::{collections::VecDeque, sync::Arc, sync::Mutex, time::Duration};

use rand::Rng;
use reqwest::{Client, header::CONTENT_TYPE, redirect::Policy};
use secrecy::SecretString;
use serde::Serialize;
use tokio::sync::Notify;
use url::{Host, Url};

use super::{
    faults::Mishap,
    state::{Sandbox, lock},
    webhook::{self, Event},
    webhook_url::{self, Exception},
};
use crate::domain::timestamp::Timestamp;

/// Waits between the attempts: the first at once, then 3 s and 9 s after the event.
const WAITS: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(6)];
const TIMEOUT: Duration = Duration::from_secs(20);
/// As recorded: so many milliseconds after the answer.
const MOMENT_MS: std::ops::RangeInclusive<u64> = 5..=45;
/// How long an event that is to be overtaken waits for another one.
const OVERTAKEN: Duration = Duration::from_secs(1);
const KEPT: usize = 50_000;

/// One attempt, or why there was none.
#[derive(Clone, Debug, Serialize)]
pub struct Delivery {
    pub at: Timestamp,
    pub url: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub operation: Option<&'static str>,
    pub success: bool,
    pub connection_id: String,
    /// From 1; 0 where nothing was sent.
    pub attempt: u32,
    pub status: Option<u16>,
    pub error: Option<String>,
}

#[derive(Debug)]
pub struct Deliveries {
    client: Client,
    log: Mutex<VecDeque<Delivery>>,
    /// Wakes the events that wait to be overtaken.
    passed: Notify,
}

impl Deliveries {
    pub fn new() -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .user_agent("nango/0.71.4 (sandbox)")
            .redirect(Policy::none())
            .timeout(TIMEOUT)
            .no_proxy()
            .build()?;
        Ok(Self {
            client,
            log: Mutex::default(),
            passed: Notify::new(),
        })
    }

    /// The newest first.
    pub fn list(&self, limit: usize, connection_id: Option<&str>) -> Vec<Delivery> {
        let log = lock(&self.log);
        let wanted = |d: &&Delivery| connection_id.is_none_or(|id| d.connection_id == id);
        log.iter()
            .rev()
            .filter(wanted)
            .take(limit)
            .cloned()
            .collect()
    }

    pub fn forget(&self) {
        lock(&self.log).clear();
    }

    fn note(&self, delivery: Delivery) {
        let mut log = lock(&self.log);
        if log.len() == KEPT {
            log.pop_front();
        }
        log.push_back(delivery);
    }
}

impl Sandbox {
    /// Sends what the calls so far have caused.
    pub fn send_webhooks(self: &Arc<Self>) {
        for event in self.take_events() {
            let (urls, key) = self.read(|state| {
                let urls = state.webhooks.targets(&event);
                (urls, state.webhooks.signing_key.clone())
            });
            if urls.is_empty() {
                continue;
            }
            let parcel = Arc::new(Parcel {
                event,
                urls,
                key: key.unwrap_or_else(|| self.secret.clone()),
            });
            self.dispatch(parcel);
        }
    }

    fn dispatch(self: &Arc<Self>, parcel: Arc<Parcel>) {
        let moment = Duration::from_millis(rand::rng().random_range(MOMENT_MS));
        let mishap = self.faults.webhook();
        if mishap == Mishap::Dropped {
            for url in &parcel.urls {
                let lost = parcel.delivery(self, url, 0, None, Some("dropped by a fault".into()));
                self.deliveries.note(lost);
            }
            return;
        }
        let copies = if mishap == Mishap::Doubled { 2 } else { 1 };
        for _ in 0..copies {
            let (sandbox, parcel) = (self.clone(), parcel.clone());
            tokio::spawn(async move {
                let work = async {
                    tokio::time::sleep(moment).await;
                    match mishap {
                        Mishap::Delayed(time) => tokio::time::sleep(time).await,
                        Mishap::Overtaken => {
                            let next = sandbox.deliveries.passed.notified();
                            if tokio::time::timeout(OVERTAKEN, next).await.is_ok() {
                                tokio::time::sleep(moment).await;
                            }
                        }
                        _ => {}
                    }
                    parcel.deliver(&sandbox).await;
                };
                tokio::select! {
                    () = work => {}
                    () = sandbox.stopped() => {}
                }
            });
        }
    }
}

/// An event with all that its sending takes, as it stood when it happened.
#[derive(Debug)]
struct Parcel {
    event: Event,
    urls: Vec<String>,
    key: SecretString,
}

impl Parcel {
    /// The second address has to wait for the first one's last attempt.
    async fn deliver(&self, sandbox: &Sandbox) {
        for url in &self.urls {
            if let Some(reason) = refusal(sandbox, url).await {
                let refused = self.delivery(sandbox, url, 0, None, Some(reason.to_owned()));
                sandbox.deliveries.note(refused);
                continue;
            }
            for attempt in 1_u32.. {
                let again = self.attempt(sandbox, url, attempt).await;
                sandbox.deliveries.passed.notify_waiters();
                let wait = usize::try_from(attempt)
                    .ok()
                    .and_then(|n| WAITS.get(n - 1))
                    .filter(|_| again);
                let Some(wait) = wait else { break };
                tokio::time::sleep(*wait).await;
            }
        }
    }

    /// Whether it is worth another one: after 5xx and failures of the network, and nothing else.
    async fn attempt(&self, sandbox: &Sandbox, url: &str, attempt: u32) -> bool {
        let (hmac, legacy) = webhook::signatures(&self.key, &self.event.body);
        let request = sandbox
            .deliveries
            .client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header("x-nango-signature", legacy)
            .header("x-nango-hmac-sha256", hmac)
            .body(self.event.body.clone());
        let (status, error) = match request.send().await {
            Ok(response) => (Some(response.status().as_u16()), None),
            Err(error) => (None, Some(error.without_url().to_string())),
        };
        let delivery = self.delivery(sandbox, url, attempt, status, error);
        sandbox.deliveries.note(delivery);
        status.is_none_or(|status| status >= 500)
    }

    fn delivery(
        &self,
        sandbox: &Sandbox,
        url: &str,
        attempt: u32,
        status: Option<u16>,
        error: Option<String>,
    ) -> Delivery {
        Delivery {
            at: sandbox.clock.now(),
            url: url.to_owned(),
            kind: self.event.kind,
            operation: self.event.operation,
            success: self.event.success,
            connection_id: self.event.connection_id.clone(),
            attempt,
            status,
            error,
        }
    }
}

/// Nango looks at the address once more before it sends, and at what a name stands for.
async fn refusal(sandbox: &Sandbox, url: &str) -> Option<&'static str> {
    let exception = sandbox.read(|state| state.webhooks.exception());
    if exception == Exception::Loopback {
        return None;
    }
    let Ok(parsed) = Url::parse(url) else {
        return Some("not an address");
    };
    if !webhook_url::is_allowed(&parsed, exception) {
        return Some("URL hostname is denied by outbound policy.");
    }
    if let Some(Host::Domain(name)) = parsed.host() {
        let port = parsed.port_or_known_default().unwrap_or(80);
        let found = tokio::net::lookup_host((name, port)).await;
        let mut found = found.into_iter().flatten();
        if found.any(|addr| webhook_url::is_blocked(addr.ip(), exception)) {
            return Some("URL resolves to a blocked address.");
        }
    }
    None
}
