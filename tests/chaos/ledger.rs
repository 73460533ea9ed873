//! What was acknowledged, and how the servers answered: what everything is compared with in the end.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde_json::Value;

/// A change that a server has said is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// The attempt has succeeded.
    Connected {
        attempt: String,
    },
    Disconnected {
        connection: String,
    },
    Renamed {
        connection: String,
    },
}

/// A button that was pressed until it was answered.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    pub pressed: Instant,
    pub answered: Instant,
}

#[derive(Debug, Default)]
pub struct Ledger(Mutex<Kept>);

#[derive(Debug, Default)]
pub struct Kept {
    pub done: Vec<Done>,
    /// The highest version of each connection that anybody was told of.
    pub versions: HashMap<String, i64>,
    /// How often each status was answered.
    pub answers: BTreeMap<u16, usize>,
    /// No answer came in time, or the line broke.
    pub unanswered: usize,
    /// Answers that must not be.
    pub amiss: Vec<String>,
    /// What a person was told against what they had been told before.
    pub contradictions: Vec<String>,
    /// Longer than a moment.
    pub waits: Vec<Wait>,
    /// Event streams opened, and events on them.
    pub streams: usize,
    pub events: usize,
}

/// Shorter waits are no outage.
const MOMENT: Duration = Duration::from_millis(500);

impl Ledger {
    pub fn read(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn done(&self, done: Done) {
        self.read().done.push(done);
    }

    pub fn contradiction(&self, what: String) {
        self.read().contradictions.push(what);
    }

    pub fn unanswered(&self) {
        self.read().unanswered += 1;
    }

    /// This connection was told of, in an answer or an event.
    pub fn told(&self, connection: &Value) {
        let version = connection["version"].as_i64();
        let (Some(id), Some(version)) = (connection["id"].as_str(), version) else {
            return;
        };
        let mut kept = self.read();
        let known = kept.versions.entry(id.to_owned()).or_default();
        *known = version.max(*known);
    }

    pub fn waited(&self, pressed: Instant) {
        let answered = Instant::now();
        if answered - pressed > MOMENT {
            self.read().waits.push(Wait { pressed, answered });
        }
    }

    /// Counts an answer. Of failures only 502 and 503 may be, as a problem with a code, and 503 with
    /// a time for another try.
    pub fn answered(&self, what: &str, answer: &Answer) {
        let mut kept = self.read();
        *kept.answers.entry(answer.status).or_default() += 1;
        let complaint = match answer.status {
            0..500 => None,
            502 | 503 if !answer.is_problem => Some("no problem"),
            503 if answer.retry_after.is_none() => Some("no Retry-After"),
            502 | 503 => None,
            _ => Some("not among those that may be"),
        };
        if let Some(complaint) = complaint {
            let Answer { status, body, .. } = answer;
            kept.amiss
                .push(format!("{what}: {status} {complaint}: {body}"));
        }
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
    pub is_problem: bool,
    pub retry_after: Option<u64>,
}

impl Answer {
    pub async fn read(response: reqwest::Response) -> reqwest::Result<Self> {
        let status = response.status().as_u16();
        let header = |name: &str| {
            let value = response.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        let is_problem = header("content-type").as_deref() == Some("application/problem+json");
        let retry_after = header("retry-after").and_then(|text| text.parse().ok());
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Self {
            status,
            is_problem: is_problem && body["code"].is_string(),
            body,
            retry_after,
        })
    }
}
