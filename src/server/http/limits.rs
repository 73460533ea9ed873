//! How much anybody may ask, how long it may take, and how large a body may be.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::future::BoxFuture;
use tower::{Layer, ServiceExt};
use tower_governor::{
    GovernorError, GovernorLayer, governor::GovernorConfigBuilder, key_extractor::KeyExtractor,
};
use uuid::Uuid;

use super::{
    access::{self, Who},
    client::{Client, neighbourhood},
    observe::is_probe,
    problem::ApiError,
    session,
};
use crate::{
    domain::problem::Problem,
    server::state::{Rate, Web},
};

/// The largest body that is read: the longest form has some keys of a few kB. Webhooks have a limit
/// of their own.
pub const BODY: usize = 64 * 1024;

/// After so many requests, whoever has been quiet is forgotten: the table never holds more than
/// those who were there lately, and so many.
const FORGET_EVERY: u32 = 4096;

type Gate = Arc<dyn Fn(Request, Next) -> BoxFuture<'static, Response> + Send + Sync>;

/// The buckets; `None` where there is no limit.
#[derive(Clone)]
pub struct Limits {
    requests: Option<Gate>,
    changes: Option<Gate>,
    patience: Duration,
}

impl Limits {
    pub fn new(web: &Web) -> Self {
        Self {
            requests: gate(web.requests, ByAddress),
            changes: gate(web.changes, ByPerson),
            patience: web.patience,
        }
    }
}

/// Those who look whether the server is well have a bucket of their own: where a proxy is not told
/// of, everybody shares one, and a flood must not make the server look ill. Webhooks have none: they
/// come in floods from one address, and each is bounded by its signature and by how many are handled
/// at once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Caller {
    address: IpAddr,
    looks_after_us: bool,
}

#[derive(Clone, Copy)]
struct ByAddress;

impl KeyExtractor for ByAddress {
    type Key = Caller;

    fn extract<T>(&self, request: &axum::http::Request<T>) -> Result<Caller, GovernorError> {
        let client = request.extensions().get::<Client>().copied();
        let Client(address) = client.unwrap_or_default();
        Ok(Caller {
            address: neighbourhood(address.unwrap_or(Ipv4Addr::UNSPECIFIED.into())),
            looks_after_us: is_probe(request.uri().path()),
        })
    }
}

#[derive(Clone, Copy)]
struct ByPerson;

impl KeyExtractor for ByPerson {
    type Key = Option<Uuid>;

    fn extract<T>(&self, request: &axum::http::Request<T>) -> Result<Self::Key, GovernorError> {
        Ok(session::known(request.extensions()).map(|user| user.id))
    }
}

fn gate<K>(rate: Rate, key: K) -> Option<Gate>
where
    K: KeyExtractor + Send + Sync + 'static,
    K::Key: Send + Sync,
{
    let period = Duration::from_secs(1).checked_div(rate.per_second)?;
    let config = GovernorConfigBuilder::default()
        .period(period)
        .burst_size(rate.burst)
        .key_extractor(key)
        .finish()?;
    let limiter = config.limiter().clone();
    let layer = GovernorLayer::new(config).error_handler(refusal);
    let seen = Arc::new(AtomicU32::new(0));
    Some(Arc::new(move |request, next| {
        if seen.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
        let answer = layer.layer(next).oneshot(request);
        Box::pin(async move { answer.await.unwrap_or_else(|never| match never {}) })
    }))
}

fn refusal(error: GovernorError) -> Response<Body> {
    let wait = match error {
        // It is rounded down, and who comes too early is refused again.
        GovernorError::TooManyRequests { wait_time, .. } => wait_time.saturating_add(1),
        GovernorError::UnableToExtractKey | GovernorError::Other { .. } => 1,
    };
    tracing::debug!(wait, "refused: too many requests");
    let problem = Problem::new(
        429,
        "rate_limited",
        "That was too much in too short a time.",
        "Nothing was changed. Try again in a moment.",
    );
    ApiError::from(problem).retry_after(wait).into_response()
}

/// What one address may ask.
pub async fn requests(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    match limits.requests {
        Some(gate) if !brings_a_signature(&request) => gate(request, next).await,
        _ => next.run(request).await,
    }
}

/// What one person may change, whatever the address. Stands behind the access table: it is known by
/// then who is asking. Those who are not known have passed [`requests`].
pub async fn changes(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    let changes = !is_safe(request.method()) && session::known(request.extensions()).is_some();
    match limits.changes {
        Some(gate) if changes => gate(request, next).await,
        _ => next.run(request).await,
    }
}

/// Ends what takes too long to be answered. Work that must come to its end does so all the same; an
/// event stream is answered at once, and its body is not waited for.
pub async fn time(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    match tokio::time::timeout(limits.patience, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            tracing::warn!(path, "given up: the request took too long");
            ApiError::from(Problem::new(
                503,
                "took_too_long",
                "This took too long.",
                "It may still come about: reload the page to see where it stands.",
            ))
            .into_response()
        }
    }
}

/// It reads only, says RFC 9110.
pub fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// A route that is let in by its signature, and by nothing that a browser sends by itself.
pub fn brings_a_signature(request: &Request) -> bool {
    let path = request.extensions().get::<MatchedPath>();
    path.and_then(|path| access::who(request.method(), path.as_str())) == Some(Who::Signature)
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use axum::{Router, middleware::from_fn_with_state, routing::get};

    use super::*;

    #[tokio::test]
    async fn what_takes_too_long_is_given_up_and_what_streams_is_not() {
        let none = Rate {
            per_second: 0,
            burst: 1,
        };
        let web = Web {
            https: false,
            origin: "".into(),
            trusted_proxies: Arc::new([]),
            requests: none,
            changes: none,
            patience: Duration::from_millis(50),
            new_id: || uuid::Uuid::nil(),
        };
        let stream = || async {
            let slow = futures::stream::once(async {
                tokio::time::sleep(Duration::from_millis(150)).await;
                Ok::<_, std::io::Error>("late")
            });
            Body::from_stream(slow)
        };
        let router = Router::new()
            .route("/hangs", get(|| async { pending::<()>().await }))
            // A body that never comes.
            .route("/reads", get(|body: String| async { body }))
            .route("/streams", get(stream))
            .layer(from_fn_with_state(Limits::new(&web), time));
        for path in ["/hangs", "/reads"] {
            let never = futures::stream::pending::<Result<&str, std::io::Error>>();
            let request = Request::builder().uri(path);
            let request = request.body(Body::from_stream(never)).unwrap();
            let answer = router.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.status(), 503, "{path}");
            assert!(answer.headers().contains_key("retry-after"), "{path}");
            let body = axum::body::to_bytes(answer.into_body(), 1000).await;
            let body = String::from_utf8(body.unwrap().into()).unwrap();
            assert!(body.contains(r#""code":"took_too_long""#), "{body}");
        }
        let request = Request::builder().uri("/streams").body(Body::empty());
        let answer = router.oneshot(request.unwrap()).await.unwrap();
        let body = axum::body::to_bytes(answer.into_body(), 1000).await;
        assert_eq!(body.unwrap(), "late");
    }
}
