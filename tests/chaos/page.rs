//! A page that stays open: it holds an event stream at whichever instance it meets, comes back when
//! that breaks off, and takes in what is newer than what it has.
//!
//! May import `house` and `ledger` beside it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reqwest::Response;
use serde_json::Value;
use tokio::{task::JoinHandle, time::sleep};

use crate::{
    house::{House, client},
    ledger::{Answer, Ledger},
};

/// As long as no stream has asked for another pause.
const RETRY: Duration = Duration::from_secs(1);
/// A browser takes an answer that is no stream for the end, and the page asks anew.
const ANEW: Duration = Duration::from_secs(10);

pub type Shown = HashMap<String, Value>;

pub struct Page {
    seen: Arc<Mutex<Shown>>,
    reader: JoinHandle<()>,
}

impl Page {
    pub fn open(house: Arc<House>, ledger: Arc<Ledger>, token: String) -> Self {
        let seen: Arc<Mutex<Shown>> = Arc::default();
        let reader = tokio::spawn(read(house, ledger, token, seen.clone()));
        Self { seen, reader }
    }

    /// What it shows.
    pub fn shows(&self) -> Shown {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn read(house: Arc<House>, ledger: Arc<Ledger>, token: String, seen: Arc<Mutex<Shown>>) {
    let http = client(None);
    let mut retry = RETRY;
    loop {
        let url = format!("{}/api/v1/events", house.next().base);
        let pause = match http.get(&url).bearer_auth(&token).send().await {
            Ok(response) if response.status() == 200 => {
                ledger.read().streams += 1;
                follow(response, &ledger, &seen, &mut retry).await;
                retry
            }
            Ok(response) => {
                if let Ok(answer) = Answer::read(response).await {
                    ledger.answered("GET /api/v1/events", &answer);
                }
                ANEW
            }
            Err(_) => retry,
        };
        sleep(pause).await;
    }
}

async fn follow(
    mut response: Response,
    ledger: &Ledger,
    seen: &Mutex<Shown>,
    retry: &mut Duration,
) {
    let mut buffer = String::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        buffer.push_str(&String::from_utf8_lossy(&chunk));
        while let Some((block, rest)) = buffer.split_once("\n\n") {
            let block = block.to_owned();
            buffer = rest.to_owned();
            let field = |name: &str| {
                let mut lines = block.lines();
                lines.find_map(|line| line.strip_prefix(name).map(str::trim_start))
            };
            if let Some(pause) = field("retry:").and_then(|text| text.parse().ok()) {
                *retry = Duration::from_millis(pause);
            }
            let data = field("data:").and_then(|text| serde_json::from_str(text).ok());
            let news = match (field("event:"), data) {
                (Some("snapshot"), Some(Value::Array(all))) => all,
                (Some("connection"), Some(one)) => vec![one],
                (Some("bye"), _) => {
                    let what = "a stream says that its session is over".to_owned();
                    ledger.contradiction(what);
                    return;
                }
                _ => continue,
            };
            ledger.read().events += 1;
            for connection in news {
                ledger.told(&connection);
                take_in(seen, connection);
            }
        }
    }
}

fn take_in(seen: &Mutex<Shown>, connection: Value) {
    let Some(id) = connection["id"].as_str() else {
        return;
    };
    let version = |of: &Value| of["version"].as_i64().unwrap_or_default();
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let known = seen.get(id).map_or(0, version);
    if version(&connection) > known {
        seen.insert(id.to_owned(), connection);
    }
}
