//! What happens around every call, whatever it is about: pre-flights, counting, faults, headers.
//!
//! May import the sandbox's `answers`, `call`, `delivery`, `limits`, `listener` and `state`.

use std::{io, sync::Arc, time::Duration};

use axum::{
    body::{Body, to_bytes},
    extract::{MatchedPath, Request, State},
    http::{HeaderName, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};

use super::{answers, call::Counted, limits, listener::Line, state::Sandbox};

/// As Nango has them: any origin may call, and these headers may come and go.
const CORS_ALLOWED: &str = "Authorization, Content-Type, Accept, Origin, X-Requested-With, Nango-Activity-Log-Id, Nango-Is-Dry-Run, Nango-Is-Sync, Provider-Config-Key, Connection-Id, Sentry-Trace, Baggage";
const CORS_EXPOSED: &str = "Authorization, Etag, Content-Type, Content-Length, X-Nango-Signature, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset";

/// What happens around every call: pre-flights, counting, faults, headers.
pub async fn around(
    State(sandbox): State<Arc<Sandbox>>,
    mut request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    if path == "/sandbox" || path.starts_with("/sandbox/") {
        let response = next.run(request).await;
        // Controls cause some themselves.
        sandbox.send_webhooks();
        return response;
    }
    if request.method() == Method::OPTIONS {
        return preflight();
    }
    let pattern = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("(unknown)", MatchedPath::as_str);
    sandbox.count(format!("{} {pattern}", request.method()));
    let query = request.uri().query().unwrap_or_default();
    let fault = sandbox.faults.take(request.method().as_str(), &path, query);
    let fault = fault.unwrap_or_default();
    pause(fault.latency_ms).await;
    if fault.drop_connection {
        if let Some(line) = request.extensions().get::<Line>() {
            line.cut();
        }
        return StatusCode::BAD_GATEWAY.into_response();
    }
    if let Some(status) = fault.status.and_then(|s| StatusCode::from_u16(s).ok()) {
        if fault.html {
            return answers::html(status, gateway_page(status));
        }
        let again = fault.retry_after.unwrap_or(1);
        return injected(&sandbox, status, &request, again);
    }
    let counted = Counted::default();
    request.extensions_mut().insert(counted.clone());
    let mut response = next.run(request).await;
    if let Some(standing) = counted.standing() {
        standing.write(&mut response);
    }
    let exposed = header::ACCESS_CONTROL_EXPOSE_HEADERS;
    answers::set(&mut response, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    answers::set(&mut response, exposed, CORS_EXPOSED);
    sandbox.send_webhooks();
    pause(fault.answer_after_ms).await;
    if fault.cut_off {
        return cut_off(response).await;
    }
    response
}

async fn pause(ms: Option<u64>) {
    if let Some(ms) = ms {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

fn gateway_page(status: StatusCode) -> String {
    format!(
        "<html>\r\n<head><title>{status}</title></head>\r\n<body>\r\n<center><h1>{status}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
}

/// The first half of the answer; then the line breaks.
async fn cut_off(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    let mut bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    bytes.truncate(bytes.len() / 2);
    let halves = stream::once(async move { Ok(bytes) }).chain(stream::once(async {
        // What was written before reaches the client first.
        pause(Some(20)).await;
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    }));
    Response::from_parts(parts, Body::from_stream(halves))
}

fn preflight() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (
            header::ACCESS_CONTROL_ALLOW_METHODS,
            "GET,HEAD,PUT,PATCH,POST,DELETE",
        ),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, CORS_ALLOWED),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, CORS_EXPOSED),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ] {
        answers::set(&mut response, name, value);
    }
    response
}

/// The answer of a fault: 429 as a spent minute has it, 5xx as a failure inside Nango.
fn injected(sandbox: &Sandbox, status: StatusCode, request: &Request, again: u32) -> Response {
    if status == StatusCode::TOO_MANY_REQUESTS {
        let response = limits::too_many(request.method().as_str(), request.uri().path());
        let mut response = response.into_response();
        let now = sandbox.clock.now().0 / 1000;
        for (name, value) in [
            ("x-ratelimit-limit", "200".to_owned()),
            ("x-ratelimit-remaining", "0".to_owned()),
            ("x-ratelimit-reset", (now + i64::from(again)).to_string()),
            ("retry-after", again.to_string()),
        ] {
            answers::set(&mut response, HeaderName::from_static(name), &value);
        }
        return response;
    }
    if status.is_server_error() {
        return answers::server_error(status, &sandbox.clock.random_id().to_string());
    }
    answers::message(
        status,
        "injected_fault",
        "Ordered from the sandbox's controls.",
    )
    .into_response()
}
