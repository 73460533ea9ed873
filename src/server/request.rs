//! What belongs to one request wherever its work goes: its id, and the trace that it is a part of.
//!
//! May import nothing of ours. The id is a task's own value, as nothing on the way depends on it: a
//! log line, a call to Nango, an answer only carry it. Work that a request leaves to a task of its
//! own takes it along by [`carry`].

use std::future::Future;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context,
    propagation::{Extractor, Injector, TextMapPropagator},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use uuid::Uuid;

/// The target of spans that log lines show: they are there whatever the log's filter says, because
/// a line without its request is worth little.
pub const SHOWN: &str = "patchbay::request";
/// The target of spans that only traces show: they cost nothing where nobody collects any.
pub const TRACED: &str = "patchbay::trace";

pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken from somebody else.
const LONGEST: usize = 64;

/// What a request is called, from the proxy in front to Nango.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    pub fn new(id: Uuid) -> Self {
        let mut buffer = Uuid::encode_buffer();
        let text: &str = id.hyphenated().encode_lower(&mut buffer);
        // Digits and hyphens are a header's value.
        Self(HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("-")))
    }

    /// Somebody else's id, where it can stand in a header, a log line and an address unchanged.
    pub fn taken(value: &HeaderValue) -> Option<Self> {
        let bytes = value.as_bytes();
        let sane = (1..=LONGEST).contains(&bytes.len())
            && bytes
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
        sane.then(|| Self(value.clone()))
    }

    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a task works for.
#[derive(Clone)]
struct Request {
    id: RequestId,
    /// The root of what this server adds to the trace; disabled where nobody collects any.
    span: Span,
}

tokio::task_local! {
    static CURRENT: Request;
}

/// Does something for a request.
pub fn scope<T>(
    id: RequestId,
    span: Span,
    work: impl Future<Output = T>,
) -> impl Future<Output = T> {
    CURRENT.scope(Request { id, span }, work)
}

/// The request that is being worked for, if there is one.
pub fn current() -> Option<RequestId> {
    CURRENT.try_with(|request| request.id.clone()).ok()
}

/// Takes the request along into a task of its own, and the current span. The trace's root comes along
/// by itself, below that span: a span that only the log knows hides it, and then what the task does
/// would begin a trace of its own.
pub fn carry<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    let request = CURRENT.try_with(Clone::clone).ok();
    let work = work.in_current_span();
    async move {
        match request {
            Some(request) => {
                let root = request.span.clone();
                CURRENT.scope(request, work).instrument(root).await
            }
            None => work.await,
        }
    }
}

/// Writes onto a call to somebody else what it is part of: the request's id, and the trace (W3C
/// Trace Context) where one is recorded.
pub fn propagate(span: &Span, headers: &mut HeaderMap) {
    if let Some(id) = current() {
        headers.insert(HEADER, id.header());
    }
    if !span.is_disabled() {
        TraceContextPropagator::new().inject_context(&span.context(), &mut Out(headers));
    }
}

/// Makes a span part of the trace that a request's headers name.
pub fn continue_trace(span: &Span, headers: &HeaderMap) {
    if !span.is_disabled() && headers.contains_key("traceparent") {
        let parent =
            TraceContextPropagator::new().extract_with_context(&Context::new(), &In(headers));
        // Nobody collects traces: then there is nothing to be part of.
        let _ = span.set_parent(parent);
    }
}

struct Out<'a>(&'a mut HeaderMap);

impl Injector for Out<'_> {
    fn set(&mut self, key: &str, value: String) {
        let name = HeaderName::from_bytes(key.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value))
            && !value.is_empty()
        {
            self.0.insert(name, value);
        }
    }
}

struct In<'a>(&'a HeaderMap);

impl Extractor for In<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_sane_is_taken() {
        let longest = "a".repeat(64);
        for (value, taken) in [
            ("0199-ab.C_9", true),
            ("a", true),
            (longest.as_str(), true),
            ("", false),
            ("a b", false),
            ("a\"b", false),
            ("a/b", false),
            ("é", false),
            ("a,b", false),
        ] {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            assert_eq!(RequestId::taken(&value).is_some(), taken, "{value:?}");
        }
        let long = HeaderValue::from_str(&"a".repeat(65)).unwrap();
        assert_eq!(RequestId::taken(&long), None);
    }

    #[tokio::test]
    async fn a_task_of_its_own_takes_the_request_along() {
        let id = RequestId::new(Uuid::from_u128(7));
        assert_eq!(id.as_str(), "00000000-0000-0000-0000-000000000007");
        let found = scope(id.clone(), Span::none(), async {
            let lost = tokio::spawn(async { current() }).await.unwrap();
            assert_eq!(lost, None);
            tokio::spawn(carry(async { current() })).await.unwrap()
        });
        assert_eq!(found.await, Some(id));
        assert_eq!(carry(async { current() }).await, None);
    }
}
