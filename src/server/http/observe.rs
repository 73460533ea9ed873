//! Around everything: a request gets its id, its spans and its place in the metrics.

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, Method},
    middleware::Next,
    response::Response,
};
use tracing::{Instrument, Span, field::Empty};

use super::client;
use crate::server::{
    metrics::http::Ongoing,
    request::{self, HEADER, RequestId, SHOWN, TRACED},
    state::AppState,
};

/// What asks every few seconds, and is nobody's request.
pub fn is_probe(path: &str) -> bool {
    matches!(path, "/health/live" | "/health/ready" | "/health/startup")
}

pub async fn around(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let id = id(&state, &request);
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map(MatchedPath::as_str);
    let (method, path) = (request.method(), request.uri().path());
    let ongoing = Ongoing::begin(&state.metrics, method, route);
    let probe = is_probe(path);
    // The path only: a query may hold a token.
    let shown = if probe {
        Span::none()
    } else {
        tracing::info_span!(
            target: SHOWN,
            "http",
            method = method.as_str(),
            path,
            request_id = id.as_str(),
        )
    };
    let traced = if probe {
        Span::none()
    } else {
        shown.in_scope(|| traced(method, path, route, &id))
    };
    if !traced.is_disabled() && client::is_from_proxy(&request, &state.web.trusted_proxies) {
        request::continue_trace(&traced, request.headers());
    }
    let (header, root) = (id.header(), traced.clone());
    let work = async move {
        let mut response = next.run(request).instrument(traced.clone()).await;
        let status = response.status();
        let (failed, ms) = (
            status.is_server_error(),
            ongoing.answered(status).as_millis(),
        );
        response.headers_mut().insert(HEADER, header);
        traced.record("http.response.status_code", status.as_u16());
        if failed {
            traced.record("otel.status_code", "ERROR");
        }
        let status = status.as_u16();
        if failed && !probe {
            tracing::warn!(status, ms, "answered with a failure");
        } else {
            tracing::debug!(status, ms, "answered");
        }
        response
    };
    request::scope(id, root, work.instrument(shown)).await
}

/// The id that a trusted proxy has given it, where it is a sane one; else a new one.
fn id(state: &AppState, request: &Request) -> RequestId {
    given(request.headers())
        .filter(|_| client::is_from_proxy(request, &state.web.trusted_proxies))
        .unwrap_or_else(|| RequestId::new((state.web.new_id)()))
}

fn given(headers: &HeaderMap) -> Option<RequestId> {
    headers.get(HEADER).and_then(RequestId::taken)
}

/// The root of what this server adds to a trace, named and filled as OpenTelemetry's conventions for
/// HTTP servers have it.
fn traced(method: &Method, path: &str, route: Option<&str>, id: &RequestId) -> Span {
    tracing::info_span!(
        target: TRACED,
        "http.server",
        otel.name = match route {
            Some(route) => format!("{method} {route}"),
            None => method.to_string(),
        },
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method.as_str(),
        http.route = route,
        http.response.status_code = Empty,
        url.path = path,
        request_id = id.as_str(),
    )
}
