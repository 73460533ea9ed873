//! A person with a browser: signs in, presses buttons (again, where the server asks for patience),
//! and keeps a page open that follows the event stream.
//!
//! May import `place` beside it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use reqwest::{Client, Response, header::SET_COOKIE};
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};

use crate::place::{Place, client};

/// So often a button is pressed in vain before that is a defect.
const TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(400);

#[derive(Clone)]
pub struct Person {
    pub name: String,
    pub http: Client,
    /// One or two instances; requests go to one after the other.
    bases: Arc<Vec<String>>,
    turn: Arc<AtomicU64>,
    /// Buttons that had to be pressed once more.
    pub again: Arc<AtomicU64>,
    cookie: String,
}

/// What the server said no to: the status, and its code or text.
#[derive(Debug)]
pub struct Refused(u16, String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.0, self.1)
    }
}

impl Person {
    pub async fn sign_in(place: &Place, number: usize, again: Arc<AtomicU64>) -> Self {
        let name = name(number);
        let base = &place.bases[0];
        let answer = place
            .http
            .post(format!("{base}/sign-in/demo"))
            .header("origin", base)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("name={name}"))
            .send()
            .await
            .expect("an answer");
        let cookie = answer.headers().get(SET_COOKIE).expect("a cookie");
        let cookie = cookie.to_str().expect("text").split(';').next();
        Self {
            name,
            http: place.http.clone(),
            bases: Arc::new(place.bases.clone()),
            turn: Arc::default(),
            again,
            cookie: cookie.expect("a cookie").to_owned(),
        }
    }

    fn base(&self) -> &str {
        let turn = usize::try_from(self.turn.fetch_add(1, Ordering::Relaxed)).expect("a number");
        &self.bases[turn % self.bases.len()]
    }

    pub async fn get(&self, path: &str) -> Response {
        let url = format!("{}{path}", self.base());
        let request = self.http.get(url).header("cookie", &self.cookie);
        request.send().await.expect("an answer")
    }

    async fn once(&self, path: &str, body: &Value) -> Result<Value, Refused> {
        let url = format!("{}{path}", self.base());
        let request = self.http.post(url).header("cookie", &self.cookie);
        let answer = request.json(body).send().await.expect("an answer");
        read(answer).await
    }

    /// Presses once, whatever comes of it.
    pub async fn tell(&self, path: &str, body: &Value) {
        drop(self.once(path, body).await);
    }

    /// Presses until the server has done it, or says that it will not. While Nango stumbles it says
    /// 5xx or 429: a person waits a moment and presses again.
    pub async fn press(&self, path: &str, body: &Value) -> Result<Value, Refused> {
        for _ in 0..TRIES {
            match self.once(path, body).await {
                Err(Refused(status, _)) if status == 429 || status >= 500 => {
                    self.again.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(PAUSE).await;
                }
                other => return other,
            }
        }
        panic!("{path}: {TRIES} times in vain");
    }

    /// Connect or reconnect: the attempt's id and the popup's address.
    pub async fn start(&self, slug: &str, what: &str) -> Result<(String, String), Refused> {
        let path = format!("/api/v1/connectors/{slug}/{what}");
        let started = self.press(&path, &json!({})).await?;
        let text = |name: &str| started[name].as_str().expect("a text").to_owned();
        Ok((text("attempt_id"), text("oauth_url")))
    }

    /// Another window of the same attempt; none where it is over.
    pub async fn second_window(&self, attempt: &str) -> Option<String> {
        for _ in 0..TRIES {
            let answer = self.get(&format!("/attempts/{attempt}/open")).await;
            let to = answer.headers().get("location").cloned();
            let to = to.and_then(|to| to.to_str().ok().map(str::to_owned));
            match (answer.status().as_u16(), to) {
                (303, Some(to)) if to.contains("/oauth/connect/") => return Some(to),
                // The attempt's own page says what is wrong, or that it is over.
                (303, _) if self.attempt_state(attempt).await != "open" => return None,
                (status, _) if status == 303 || status == 429 || status >= 500 => {
                    self.again.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(PAUSE).await;
                }
                _ => return None,
            }
        }
        panic!("no second window, {TRIES} times in vain");
    }

    pub async fn attempt_state(&self, attempt: &str) -> String {
        let answer = self.get(&format!("/api/v1/attempts/{attempt}")).await;
        let status = read(answer).await.expect("the attempt");
        status["state"].as_str().expect("a state").to_owned()
    }

    /// Opens a page that stays open.
    pub fn page(&self, base: usize) -> Page {
        let seen: Seen = Arc::default();
        let (sender, events) = mpsc::unbounded_channel();
        let url = format!("{}/api/v1/events", self.bases[base % self.bases.len()]);
        let (cookie, map) = (self.cookie.clone(), seen.clone());
        let reader = tokio::spawn(async move {
            let http = client(None);
            loop {
                let request = http.get(&url).header("cookie", &cookie);
                if let Ok(response) = request.send().await {
                    follow(response, &map, &sender).await;
                }
                // As a browser does.
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
        Page {
            seen,
            events,
            reader,
        }
    }
}

async fn read(answer: Response) -> Result<Value, Refused> {
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("a body");
    let body: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    if status == 200 {
        return Ok(body);
    }
    let code = body["code"].as_str().unwrap_or(&text).to_owned();
    Err(Refused(status, code))
}

/// Small letters only, as demo users have.
fn name(number: usize) -> String {
    let letters = number.to_string().into_bytes();
    let letters = letters.iter().map(|digit| char::from(digit - b'0' + b'a'));
    letters.collect::<String>() + "soak"
}

type Seen = Arc<Mutex<HashMap<String, Value>>>;

pub struct Page {
    seen: Seen,
    /// Each change that is newer than what the page has, and when it came.
    pub events: mpsc::UnboundedReceiver<(Instant, Value)>,
    reader: JoinHandle<()>,
}

impl Page {
    /// What the page shows.
    pub fn shows(&self) -> HashMap<String, Value> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn follow(
    mut response: Response,
    seen: &Seen,
    news: &mpsc::UnboundedSender<(Instant, Value)>,
) {
    let mut buffer = String::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let at = Instant::now();
        buffer.push_str(&String::from_utf8_lossy(&chunk));
        while let Some((block, rest)) = buffer.split_once("\n\n") {
            let (block, rest) = (block.to_owned(), rest.to_owned());
            buffer = rest;
            let data = block.lines().find_map(|l| l.strip_prefix("data:"));
            let data = data.and_then(|text| serde_json::from_str(text.trim_start()).ok());
            let all = match data {
                Some(Value::Array(all)) => all,
                Some(one) => vec![one],
                None => continue,
            };
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            for connection in all {
                let Some(id) = connection["id"].as_str() else {
                    continue;
                };
                let version = |c: &Value| c["version"].as_i64().unwrap_or_default();
                let known = seen.get(id).map_or(0, version);
                if version(&connection) > known {
                    seen.insert(id.to_owned(), connection.clone());
                    let _ = news.send((at, connection));
                }
            }
        }
    }
}
