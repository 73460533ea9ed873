//! From the callback's answer to "connected" on the event stream, by each way back alone.
//!
//! How the others are kept away: the socket is silent, webhooks are dropped, and each look of the
//! poll (known by the `limit` in its query) takes longer than any sample may. Only the hint makes
//! that same look itself: there the poll stays as it is, and is two seconds away when the hint
//! comes.
//!
//! May import `person` and `place` beside it.

use std::{sync::Arc, time::Duration};

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    person::{Page, Person},
    place::Place,
};

/// So many people at a time; each waits for their own.
const LANES: usize = 4;
/// Polling alone takes seconds, of which nearly all is waiting.
const LANES_OF_POLL: usize = 20;
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Socket,
    Webhook,
    Poll,
    Hint,
}

impl Way {
    pub const ALL: [Self; 4] = [Self::Socket, Self::Webhook, Self::Hint, Self::Poll];

    pub fn name(self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Webhook => "webhook",
            Self::Poll => "poll",
            Self::Hint => "hint",
        }
    }
}

#[derive(Debug)]
pub struct Measured {
    pub way: Way,
    /// In milliseconds, sorted.
    pub times: Vec<u128>,
}

impl Measured {
    pub fn percentile(&self, percent: usize) -> u128 {
        let at = (self.times.len() * percent).div_ceil(100).max(1) - 1;
        self.times.get(at).copied().unwrap_or_default()
    }
}

/// A place of its own: what the soak leaves behind is not to be measured.
pub async fn measure(database: &str, samples: usize, seed: u64, slugs: &[String]) -> Vec<Measured> {
    let settings = [("NANGO_TIMEOUT_SECONDS", "120")];
    let place = Arc::new(Place::start(database, 1, &settings).await);
    let mut all = Vec::new();
    for (number, way) in Way::ALL.into_iter().enumerate() {
        place.clear_faults().await;
        if way != Way::Socket {
            place.fault(json!({"drop_websocket": true})).await;
        }
        if way != Way::Webhook {
            place.fault(json!({"drop_webhook": 1.0})).await;
        }
        if matches!(way, Way::Socket | Way::Webhook) {
            let slow = json!({
                "latency_ms": 30_000, "probability": 1.0,
                "path_prefix": "/connections", "query_contains": "limit=",
            });
            place.fault(slow).await;
        }
        let lanes = if way == Way::Poll {
            LANES_OF_POLL
        } else {
            LANES
        };
        let lanes = lanes.min(samples);
        let mut tasks = Vec::new();
        for lane in 0..lanes {
            let place = place.clone();
            let slugs = slugs.to_vec();
            let share = samples / lanes + usize::from(lane < samples % lanes);
            let lane_seed = seed + u64::try_from(100 * number + lane).expect("a number");
            tasks.push(tokio::spawn(async move {
                let name = 100_000 + 1000 * number + lane;
                let person = Person::sign_in(&place, name, Arc::default()).await;
                let random = StdRng::seed_from_u64(lane_seed);
                samples_of(&place, &person, way, share, random, &slugs).await
            }));
        }
        let mut times = Vec::new();
        for task in tasks {
            times.extend(task.await.expect("a lane"));
        }
        times.sort_unstable();
        all.push(Measured { way, times });
    }
    place.clear_faults().await;
    if let Ok(place) = Arc::try_unwrap(place) {
        place.stop().await;
    }
    all
}

async fn samples_of(
    place: &Place,
    person: &Person,
    way: Way,
    count: usize,
    mut random: StdRng,
    slugs: &[String],
) -> Vec<u128> {
    let mut page = person.page(0);
    let mut times = Vec::new();
    for sample in 0..count {
        let slug = &slugs[sample % slugs.len()];
        let started = person.start(slug, "connect").await;
        let (attempt, url) = started.unwrap_or_else(|e| panic!("{slug}: {e}"));
        if way == Way::Poll {
            // The person reads the consent page, so that the poll's next turn is any time away.
            let reading = random.random_range(0..4000);
            tokio::time::sleep(Duration::from_millis(reading)).await;
        }
        assert_eq!(place.consent(&url, "allow").await, "success", "{slug}");
        let allowed = Instant::now();
        if way == Way::Hint {
            let path = format!("/api/v1/attempts/{attempt}/finish");
            person.tell(&path, &json!({})).await;
        }
        let at = connected(&mut page, slug).await;
        // The socket may be faster than the popup's own answer.
        times.push(at.saturating_duration_since(allowed).as_millis());
        let path = format!("/api/v1/connectors/{slug}/disconnect");
        let gone = person.press(&path, &json!({})).await;
        gone.unwrap_or_else(|e| panic!("{path}: {e}"));
    }
    times
}

async fn connected(page: &mut Page, slug: &str) -> Instant {
    let is_it = |c: &Value| c["connector"] == slug && c["status"] == "connected";
    loop {
        let next = tokio::time::timeout(PATIENCE, page.events.recv()).await;
        let (at, connection) = next
            .unwrap_or_else(|_| panic!("{slug}: not connected in time"))
            .expect("a page");
        if is_it(&connection) {
            return at;
        }
    }
}
