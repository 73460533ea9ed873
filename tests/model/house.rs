//! Two servers on one database, the sandbox before them, and whoever keeps what Nango would have
//! sent: the webhooks come when a step says so, and only then.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Router, body::Bytes, extract::State, routing::post};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    app::{TestApp, eventually},
    nango::{KEY, Pretend},
    support::db::TestDb,
};

const MINUTE: i64 = 60 * 1000;
/// An attempt's life, as configured by default.
pub const LIFE: i64 = 30 * MINUTE;

type Bodies = Arc<Mutex<Vec<Value>>>;

pub struct House {
    /// How often each was started.
    pub apps: [(TestApp, u32); 2],
    pub nango: Arc<Pretend>,
    bodies: Bodies,
    /// How many people there were before.
    pub people: u32,
    opened_at: i64,
    db: TestDb,
}

impl House {
    pub async fn open(db: TestDb) -> Self {
        let first = TestApp::frozen(&db).await;
        let second = first.twin().await;
        let nango = first.nango.clone();
        let bodies = keep_webhooks(&nango).await;
        let opened_at = first.clock.now().0;
        let apps = [(first, 0), (second, 0)];
        Self {
            apps,
            nango,
            bodies,
            people: 0,
            opened_at,
            db,
        }
    }

    pub async fn close(mut self) {
        for (app, _) in &mut self.apps {
            app.stop().await;
        }
        self.nango.stop().await;
        self.db.assert_no_named_statements().await;
    }

    /// A session's end is told by the machine's clock: this one may not be days ahead of it.
    pub fn is_of_use(&self) -> bool {
        self.now() - self.opened_at < 7 * 24 * 60 * MINUTE
    }

    pub fn now(&self) -> i64 {
        self.apps[0].0.clock.now().0
    }

    /// The webhooks that Nango has made so far.
    pub fn webhooks(&self) -> Vec<Value> {
        lock(&self.bodies).clone()
    }

    /// Waits for one more than there were: Nango makes it a moment after what it tells.
    pub async fn webhook_after(&self, before: usize) -> Value {
        eventually("a webhook of Nango", || async {
            lock(&self.bodies).get(before).cloned()
        })
        .await
    }

    pub fn forget_webhooks(&self) {
        lock(&self.bodies).clear();
    }

    /// A server ends with its sockets, whatever they were about to say, and another one starts.
    pub async fn restart(&mut self, which: &[usize], pass_ms: i64) {
        self.nango.fault(json!({"cut_sockets": true})).await;
        for index in which {
            self.apps[*index].0.stop().await;
        }
        self.apps[0].0.clock.advance(pass_ms);
        for index in which {
            self.apps[*index].0.restart().await;
        }
        for (_, started) in &mut self.apps {
            *started += 1;
        }
    }

    /// Nango's API fails; windows that are open already lead on.
    pub async fn nango_down(&self) {
        let fault = json!({"path_prefix": "/connect", "status": 503, "count": 1_000_000});
        self.nango.fault(fault).await;
    }
}

/// An address for all webhooks of this Nango.
async fn keep_webhooks(nango: &Pretend) -> Bodies {
    let bodies: Bodies = Arc::default();
    let take = async |State(bodies): State<Bodies>, body: Bytes| {
        let body = serde_json::from_slice(&body).expect("JSON");
        lock(&bodies).push(body);
    };
    let router = Router::new()
        .route("/", post(take))
        .with_state(bodies.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let settings = json!({"allow_loopback": true, "enabled": true, "url": url});
    let path = format!("{}/sandbox/control/webhooks", nango.base);
    let answer = reqwest::Client::new()
        .request(Method::PUT, path)
        .timeout(Duration::from_secs(10))
        .bearer_auth(KEY)
        .json(&settings)
        .send()
        .await
        .expect("the sandbox");
    assert!(answer.status().is_success(), "{answer:?}");
    bodies
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
