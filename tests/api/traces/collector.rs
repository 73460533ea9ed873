//! A collector of OTLP's protobuf, as far as a test needs it, and a Nango that is listened in on.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::post,
};
use tokio::net::TcpListener;

use crate::app::client;

#[derive(Clone, Debug)]
pub struct Span {
    pub trace: String,
    pub id: String,
    pub parent: String,
    pub name: String,
    attributes: Vec<(String, String)>,
}

impl Span {
    pub fn attribute(&self, key: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(k, _)| k == key);
        found.map(|(_, value)| value.as_str())
    }
}

type Taken = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

pub struct Collector {
    pub base: String,
    taken: Taken,
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    base
}

impl Collector {
    pub async fn start() -> Self {
        let taken = Taken::default();
        let take = async |State(taken): State<Taken>, headers: HeaderMap, body: Bytes| {
            let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
            taken.push((headers, body));
            StatusCode::OK
        };
        let router = Router::new()
            .route("/otlp/v1/traces", post(take))
            .with_state(taken.clone());
        Self {
            base: serve(router).await,
            taken,
        }
    }

    fn taken(&self) -> Vec<(HeaderMap, Bytes)> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.clone()
    }

    /// Of the first batch.
    pub fn header(&self, name: &str) -> Option<String> {
        let taken = self.taken();
        let value = taken.first()?.0.get(name)?.to_str().ok()?;
        Some(value.to_owned())
    }

    pub fn raw(&self) -> Vec<u8> {
        self.taken()
            .into_iter()
            .flat_map(|(_, body)| body)
            .collect()
    }

    pub fn spans(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        for (_, body) in self.taken() {
            // ExportTraceServiceRequest, ResourceSpans, ScopeSpans, Span
            for resource in parts(&body, 1) {
                for scope in parts(resource, 2) {
                    spans.extend(parts(scope, 2).into_iter().map(span));
                }
            }
        }
        spans
    }
}

fn span(bytes: &[u8]) -> Span {
    let first = |number| parts(bytes, number).first().copied().unwrap_or_default();
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let attributes = parts(bytes, 9).into_iter().map(|pair| {
        let key = parts(pair, 1).first().copied().unwrap_or_default();
        let value = parts(pair, 2).first().copied().unwrap_or_default();
        let value = match fields(value).first() {
            Some((_, Field::Bytes(bytes))) => text(bytes),
            Some((_, Field::Number(number))) => number.to_string(),
            None => String::new(),
        };
        (text(key), value)
    });
    Span {
        trace: hex(first(1)),
        id: hex(first(2)),
        parent: hex(first(4)),
        name: text(first(5)),
        attributes: attributes.collect(),
    }
}

enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of this number that hold bytes: texts, messages.
fn parts(bytes: &[u8], number: u64) -> Vec<&[u8]> {
    let found = fields(bytes).into_iter().filter(|(n, _)| *n == number);
    let found = found.filter_map(|(_, field)| match field {
        Field::Bytes(bytes) => Some(bytes),
        Field::Number(_) => None,
    });
    found.collect()
}

/// Protobuf's wire format.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let field = match key & 7 {
            0 => Field::Number(varint(&mut bytes)),
            1 => {
                let (number, rest) = bytes.split_at(8);
                bytes = rest;
                Field::Number(u64::from_le_bytes(number.try_into().expect("8 bytes")))
            }
            2 => {
                let length = usize::try_from(varint(&mut bytes)).expect("a length");
                let (part, rest) = bytes.split_at(length);
                bytes = rest;
                Field::Bytes(part)
            }
            5 => {
                let (number, rest) = bytes.split_at(4);
                bytes = rest;
                Field::Number(u32::from_le_bytes(number.try_into().expect("4 bytes")).into())
            }
            other => panic!("wire type {other}"),
        };
        found.push((key >> 3, field));
    }
    found
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    while let Some((byte, rest)) = bytes.split_first() {
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

type Heard = Arc<Mutex<Vec<(String, HeaderMap)>>>;

/// Hands every call on to Nango, and keeps its head.
pub struct Recorder {
    pub base: String,
    heard: Heard,
}

impl Recorder {
    pub async fn before(nango: &str) -> Self {
        let heard = Heard::default();
        let router = Router::new()
            .fallback(hand_on)
            .with_state((heard.clone(), nango.to_owned()));
        Self {
            base: serve(router).await,
            heard,
        }
    }

    /// The request's id and the trace of the call that made the session.
    pub fn session(&self) -> (Option<String>, Option<String>) {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let found = heard.iter().find(|(path, _)| path == "/connect/sessions");
        let (_, headers) = found.expect("a session");
        let of = |name| {
            headers
                .get(name)
                .and_then(|v| v.to_str().ok())
                .map(str::to_owned)
        };
        (of("x-request-id"), of("traceparent"))
    }
}

async fn hand_on(State((heard, nango)): State<(Heard, String)>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let mut headers = parts.headers;
    {
        let mut all = heard.lock().unwrap_or_else(PoisonError::into_inner);
        all.push((path, headers.clone()));
    }
    headers.remove("host");
    headers.remove("content-length");
    let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
    let at = parts.uri.path_and_query().map_or("/", |p| p.as_str());
    let request = client().request(parts.method, format!("{nango}{at}"));
    let answer = request
        .headers(headers)
        .body(body)
        .send()
        .await
        .expect("Nango");
    let mut response = Response::builder().status(answer.status());
    if let Some(kind) = answer.headers().get("content-type") {
        response = response.header("content-type", kind);
    }
    let body = answer.bytes().await.expect("a body");
    response.body(Body::from(body)).expect("a response")
}
