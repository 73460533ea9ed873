//! Faults to order, for tests, demonstrations and a soak: slow, refused and broken answers, silent
//! and severed sockets, webhooks that get lost, come twice, late or in the wrong order. What is
//! left to chance comes from a seed, so a run can be repeated.
//!
//! May import the sandbox's `state` only.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde::Deserialize;
use tokio::sync::watch;

use super::state::lock;

const LATE_MS: u64 = 2_000;

/// An order. What belongs to calls holds for the next ones that match; everything else holds until
/// the faults are cleared.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// Wait so long first.
    pub latency_ms: Option<u64>,
    /// Do what is asked, and answer so much later.
    pub answer_after_ms: Option<u64>,
    /// Answer with this status instead of doing anything.
    pub status: Option<u16>,
    /// After so many seconds, says a 429; one where nothing is said.
    pub retry_after: Option<u32>,
    /// That answer is a page, as of a proxy in between.
    pub html: bool,
    /// Do what is asked, and break off in the middle of the answer.
    pub cut_off: bool,
    /// Cut the line instead of answering.
    pub drop_connection: bool,
    /// How many calls: one where nothing is said, no end where a probability is.
    pub count: Option<u32>,
    /// Each call that matches is hit with this probability.
    pub probability: Option<f64>,
    /// Where chance begins.
    pub seed: Option<u64>,
    /// Only paths that start so (`/connections`).
    pub path_prefix: Option<String>,
    /// Only queries with this in them (`limit=`).
    pub query_contains: Option<String>,
    /// Only this method.
    pub method: Option<String>,

    /// Flows finish without a word on the WebSocket.
    pub drop_websocket: bool,
    /// The same, with a probability.
    pub drop_socket_message: Option<f64>,
    /// The socket is severed in place of the announcement, with a probability.
    pub drop_socket: Option<f64>,
    /// Every socket that is open now is severed.
    pub cut_sockets: bool,

    pub drop_webhook: Option<f64>,
    pub double_webhook: Option<f64>,
    pub delay_webhook: Option<f64>,
    pub delay_webhook_ms: Option<u64>,
    /// The next event overtakes this one.
    pub reorder_webhook: Option<f64>,

    /// The provider refuses to refresh when credentials are read, with a probability.
    pub refresh_failure: Option<f64>,
    /// The provider's page severs its opener.
    pub coop: Option<bool>,
    /// Nango is down: no line survives, none of a socket either.
    pub outage: Option<bool>,
}

impl Fault {
    fn is_for_calls(&self) -> bool {
        self.latency_ms.is_some()
            || self.answer_after_ms.is_some()
            || self.status.is_some()
            || self.cut_off
            || self.drop_connection
    }

    fn matches(&self, method: &str, path: &str, query: &str) -> bool {
        let prefix = self.path_prefix.as_deref().unwrap_or_default();
        let part = self.query_contains.as_deref().unwrap_or_default();
        let wanted = self.method.as_deref().unwrap_or(method);
        path.starts_with(prefix) && query.contains(part) && wanted.eq_ignore_ascii_case(method)
    }

    /// As it is counted.
    fn word(&self) -> String {
        match self.status {
            Some(status) => format!("status {status}"),
            None if self.cut_off => "cut off".to_owned(),
            None if self.drop_connection => "line cut".to_owned(),
            None => "slow".to_owned(),
        }
    }

    /// What can't be meant.
    fn complaint(&self) -> Option<&'static str> {
        let chances = [
            self.probability,
            self.drop_socket_message,
            self.drop_socket,
            self.drop_webhook,
            self.double_webhook,
            self.delay_webhook,
            self.reorder_webhook,
            self.refresh_failure,
        ];
        if chances.iter().flatten().any(|p| !(0.0..=1.0).contains(p)) {
            return Some("a probability lies between 0 and 1");
        }
        if self.status.is_some_and(|s| !(400..=599).contains(&s)) {
            return Some("status: only 4xx and 5xx can be ordered");
        }
        None
    }
}

/// What happens to one webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    None,
    Dropped,
    Doubled,
    Delayed(Duration),
    Overtaken,
}

/// What happens to one announcement on a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketMishap {
    None,
    Silent,
    Severed,
}

#[derive(Debug)]
struct Queued {
    fault: Fault,
    left: Option<u32>,
    chance: StdRng,
}

#[derive(Debug)]
struct Ordered {
    queue: Vec<Queued>,
    /// All that holds until it is cleared.
    lasting: Fault,
    chance: StdRng,
}

impl Default for Ordered {
    fn default() -> Self {
        Self {
            queue: Vec::new(),
            lasting: Fault::default(),
            chance: StdRng::seed_from_u64(0),
        }
    }
}

#[derive(Debug, Default)]
pub struct Faults {
    ordered: Mutex<Ordered>,
    /// Counts the orders to sever all sockets.
    severed: watch::Sender<u64>,
    /// What chance and orders have done since the start.
    hits: Mutex<BTreeMap<String, u64>>,
}

impl Faults {
    pub fn order(&self, fault: Fault) -> Result<(), &'static str> {
        if let Some(complaint) = fault.complaint() {
            return Err(complaint);
        }
        let outage = fault.outage == Some(true);
        if outage || fault.cut_sockets {
            self.severed.send_modify(|times| *times += 1);
        }
        let mut ordered = lock(&self.ordered);
        if let Some(seed) = fault.seed {
            ordered.chance = StdRng::seed_from_u64(seed);
        }
        let lasting = &mut ordered.lasting;
        lasting.drop_websocket |= fault.drop_websocket;
        for (old, new) in [
            (&mut lasting.drop_socket_message, fault.drop_socket_message),
            (&mut lasting.drop_socket, fault.drop_socket),
            (&mut lasting.drop_webhook, fault.drop_webhook),
            (&mut lasting.double_webhook, fault.double_webhook),
            (&mut lasting.delay_webhook, fault.delay_webhook),
            (&mut lasting.reorder_webhook, fault.reorder_webhook),
            (&mut lasting.refresh_failure, fault.refresh_failure),
        ] {
            *old = new.or(*old);
        }
        lasting.delay_webhook_ms = fault.delay_webhook_ms.or(lasting.delay_webhook_ms);
        lasting.coop = fault.coop.or(lasting.coop);
        lasting.outage = fault.outage.or(lasting.outage);
        if fault.is_for_calls() {
            let once = fault.probability.is_none().then_some(1);
            ordered.queue.push(Queued {
                left: fault.count.or(once),
                chance: StdRng::seed_from_u64(fault.seed.unwrap_or_default()),
                fault,
            });
        }
        Ok(())
    }

    pub fn clear(&self) {
        *lock(&self.ordered) = Ordered::default();
    }

    /// The fault for a call, used up by one.
    pub fn take(&self, method: &str, path: &str, query: &str) -> Option<Fault> {
        let taken = self.next_for(method, path, query);
        if let Some(fault) = &taken {
            self.count(fault.word());
        }
        taken
    }

    /// How often each kind has happened: `{"status 503": 12, "webhook dropped": 7}`.
    pub fn hits(&self) -> BTreeMap<String, u64> {
        lock(&self.hits).clone()
    }

    fn count(&self, what: String) {
        *lock(&self.hits).entry(what).or_default() += 1;
    }

    fn next_for(&self, method: &str, path: &str, query: &str) -> Option<Fault> {
        let mut ordered = lock(&self.ordered);
        if ordered.lasting.outage == Some(true) {
            return Some(Fault {
                drop_connection: true,
                ..Fault::default()
            });
        }
        // Opening a socket is no call of the API, and most orders don't mean it.
        if path == "/" || ordered.queue.is_empty() {
            return None;
        }
        ordered.queue.retain(|queued| queued.left != Some(0));
        ordered.queue.iter_mut().find_map(|queued| {
            let probability = queued.fault.probability;
            let hit = queued.fault.matches(method, path, query)
                && probability.is_none_or(|p| queued.chance.random_bool(p));
            hit.then(|| {
                queued.left = queued.left.map(|n| n.saturating_sub(1));
                queued.fault.clone()
            })
        })
    }

    pub fn webhook(&self) -> Mishap {
        let mishap = self.next_webhook();
        let word = match mishap {
            Mishap::None => return mishap,
            Mishap::Dropped => "webhook dropped",
            Mishap::Doubled => "webhook doubled",
            Mishap::Delayed(_) => "webhook delayed",
            Mishap::Overtaken => "webhook overtaken",
        };
        self.count(word.to_owned());
        mishap
    }

    fn next_webhook(&self) -> Mishap {
        let mut ordered = lock(&self.ordered);
        let lasting = &ordered.lasting;
        let late = Duration::from_millis(lasting.delay_webhook_ms.unwrap_or(LATE_MS));
        let table = [
            (lasting.drop_webhook, Mishap::Dropped),
            (lasting.double_webhook, Mishap::Doubled),
            (lasting.delay_webhook, Mishap::Delayed(late)),
            (lasting.reorder_webhook, Mishap::Overtaken),
        ];
        table
            .into_iter()
            .find_map(|(p, mishap)| ordered.hits(p).then_some(mishap))
            .unwrap_or(Mishap::None)
    }

    pub fn socket(&self) -> SocketMishap {
        let mishap = self.next_socket();
        match mishap {
            SocketMishap::None => {}
            SocketMishap::Silent => self.count("socket silent".to_owned()),
            SocketMishap::Severed => self.count("socket severed".to_owned()),
        }
        mishap
    }

    fn next_socket(&self) -> SocketMishap {
        let mut ordered = lock(&self.ordered);
        let (message, socket) = (
            ordered.lasting.drop_socket_message,
            ordered.lasting.drop_socket,
        );
        if ordered.lasting.drop_websocket || ordered.hits(message) {
            SocketMishap::Silent
        } else if ordered.hits(socket) {
            SocketMishap::Severed
        } else {
            SocketMishap::None
        }
    }

    pub fn refresh_fails(&self) -> bool {
        let mut ordered = lock(&self.ordered);
        let p = ordered.lasting.refresh_failure;
        ordered.hits(p)
    }

    pub fn severs_opener(&self) -> bool {
        lock(&self.ordered).lasting.coop == Some(true)
    }

    /// Changes whenever all sockets are to be severed.
    pub fn severed(&self) -> watch::Receiver<u64> {
        self.severed.subscribe()
    }
}

impl Ordered {
    /// Chance is not touched where nothing is left to it.
    fn hits(&mut self, probability: Option<f64>) -> bool {
        probability.is_some_and(|p| self.chance.random_bool(p))
    }
}
