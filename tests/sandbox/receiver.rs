//! A product's server: takes webhooks, keeps them, and answers as its path says.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
};
use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::{Digest, Sha256};

#[derive(Clone, Debug)]
pub struct Got {
    pub path: String,
    pub hmac: String,
    pub legacy: String,
    pub body: String,
    pub at: Instant,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn is_signed_with(&self, key: &str) -> bool {
        (self.hmac.as_str(), self.legacy.as_str()) == {
            let (hmac, legacy) = signatures(key, &self.body);
            (&*hmac.leak(), &*legacy.leak())
        }
    }
}

/// Both signatures, computed without the sandbox's code.
pub fn signatures(key: &str, body: &str) -> (String, String) {
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let legacy = Sha256::digest(format!("{key}{body}").as_bytes());
    (hex(&mac.finalize().into_bytes()), hex(&legacy))
}

#[derive(Clone)]
pub struct Receiver {
    pub base: String,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Receiver {
    pub async fn start() -> Self {
        let got: Arc<Mutex<Vec<Got>>> = Arc::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr: SocketAddr = listener.local_addr().unwrap();
        let app = Router::new().fallback(take).with_state(got.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let base = format!("http://{addr}");
        Self { base, got }
    }

    pub fn all(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    pub fn forget(&self) {
        self.got.lock().unwrap().clear();
    }

    /// So many, or what came instead.
    pub async fn settled(&self, count: usize) -> Vec<Got> {
        let end = Instant::now() + Duration::from_secs(3);
        while self.all().len() < count && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(80)).await;
        self.all()
    }

    /// So many and not one more, within a moment.
    pub async fn exactly(&self, count: usize) -> Vec<Got> {
        let all = self.settled(count).await;
        assert_eq!(all.len(), count, "{all:#?}");
        all
    }
}

/// `/status/503/anything` is answered 503.
async fn take(
    State(got): State<Arc<Mutex<Vec<Got>>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let header = |name| headers.get(name).map_or("", |v| v.to_str().unwrap());
    assert_eq!(header("content-type"), "application/json");
    got.lock().unwrap().push(Got {
        path: uri.path().to_owned(),
        hmac: header("x-nango-hmac-sha256").to_owned(),
        legacy: header("x-nango-signature").to_owned(),
        body: String::from_utf8(body.to_vec()).unwrap(),
        at: Instant::now(),
    });
    let status = uri.path().strip_prefix("/status/");
    let status = status.and_then(|rest| rest.get(..3)?.parse().ok());
    status.unwrap_or(StatusCode::OK)
}
