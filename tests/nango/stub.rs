//! A server that answers with the very bytes it is given, also where they are no HTTP at all.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use patchbay::server::nango::{Jitter, NangoService, Settings};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use url::Url;

pub const KEY: &str = "0c9f4b1e-8a37-4d0e-b5a4-6f1d2e3c4b5a";

/// A request, as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// The bytes of an answer, and how they are sent.
#[derive(Clone, Debug)]
pub enum Reply {
    Bytes(Vec<u8>),
    /// Nothing at all, and the line stays open.
    Silence,
}

impl Reply {
    pub fn new(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let mut bytes = format!("HTTP/1.1 {status} X\r\n").into_bytes();
        for (name, value) in headers {
            bytes.extend(format!("{name}: {value}\r\n").bytes());
        }
        if status != 204 {
            bytes.extend(format!("content-length: {}\r\n", body.len()).bytes());
        }
        bytes.extend(b"connection: close\r\n\r\n");
        bytes.extend(body);
        Self::Bytes(bytes)
    }

    pub fn json(status: u16, body: &str) -> Self {
        Self::new(
            status,
            &[("content-type", "application/json")],
            body.as_bytes(),
        )
    }

    pub fn html(status: u16, body: &str) -> Self {
        Self::new(status, &[("content-type", "text/html")], body.as_bytes())
    }

    /// Says that more comes than does.
    pub fn cut_off(body: &str) -> Self {
        let bytes = format!(
            "HTTP/1.1 200 X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len() + 100
        );
        Self::Bytes(bytes.into_bytes())
    }
}

type Answers = dyn Fn(&Seen, usize) -> Reply + Send + Sync;

pub struct Stub {
    pub base: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Stub {
    /// `answers` is told the request, and how many came to the same path before it.
    pub async fn start(answers: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> Self {
        let answers: Arc<Answers> = Arc::new(answers);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let all = seen.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, answers.clone(), all.clone()));
            }
        });
        Self { base, seen, task }
    }

    /// Answers one after the other; the last one goes on. What the client asks by the way
    /// (`GET /connect/session`) is refused.
    pub async fn script(replies: Vec<Reply>) -> Self {
        Self::start(move |seen, nth| {
            if seen.path == "/connect/session" {
                return Reply::json(404, "{}");
            }
            replies
                .get(nth)
                .or(replies.last())
                .expect("a reply")
                .clone()
        })
        .await
    }

    /// Without those that the client asks by the way.
    pub fn seen(&self) -> Vec<Seen> {
        let mut seen = self.seen.lock().unwrap().clone();
        seen.retain(|seen| seen.path != "/connect/session");
        seen
    }

    pub fn service(&self) -> NangoService {
        service(&self.base, Duration::from_secs(5), None)
    }

    pub fn patient(&self, timeout: Duration) -> NangoService {
        service(&self.base, timeout, None)
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Chance is always the worst.
pub fn service(base: &str, timeout: Duration, calls_per_minute: Option<u32>) -> NangoService {
    NangoService::new(Settings {
        base_url: Url::parse(base).expect("an address"),
        secret_key: KEY.to_owned().into(),
        timeout,
        calls_per_minute,
        jitter: Jitter::new(|| 1.0),
    })
    .expect("a client")
}

async fn serve(mut stream: TcpStream, answers: Arc<Answers>, all: Arc<Mutex<Vec<Seen>>>) {
    let Some(seen) = read(&mut stream).await else {
        return;
    };
    let nth = {
        let mut all = all.lock().unwrap();
        let nth = all.iter().filter(|other| other.path == seen.path).count();
        all.push(seen.clone());
        nth
    };
    match answers(&seen, nth) {
        Reply::Bytes(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Reply::Silence => std::future::pending().await,
    }
}

async fn read(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Seen {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body,
    })
}
