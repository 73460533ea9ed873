//! What is told of calls to Nango: how often, how they ended, how long they took, and a span each.
//!
//! May import `error` of this folder, `metrics` and `request`. No query and no id of a connection is
//! told: a query holds tokens.

use std::time::Instant;

use reqwest::{Method, Request};
use tracing::{Span, field::Empty};
use url::Url;

use super::NangoError;
use crate::server::{
    metrics::Metrics,
    request::{self, TRACED},
};

/// What a call is for, in a word: its address without what differs from call to call.
pub fn operation(method: &Method, base: &Url, url: &Url) -> &'static str {
    let path = url.path();
    let path = path
        .strip_prefix(base.path().trim_end_matches('/'))
        .unwrap_or(path);
    let mut segments = path.trim_matches('/').split('/');
    let head = (segments.next().unwrap_or_default(), segments.next());
    match (method.as_str(), head) {
        ("GET", ("connections", None)) => "list_connections",
        ("GET", ("connections", Some(_))) => "get_connection",
        ("DELETE", ("connections", Some(_))) => "delete_connection",
        ("POST", ("connect", Some("sessions"))) => match segments.next() {
            Some("reconnect") => "create_reconnect_session",
            _ => "create_session",
        },
        ("GET", ("connect", Some("session"))) => "get_session",
        ("GET", ("integrations", None)) => "list_integrations",
        ("GET", ("providers", Some(_))) => "get_provider",
        ("POST", ("auth", Some("oauth-outbound"))) => "start_installation",
        ("POST", ("api-auth" | "oauth2" | "auth", Some(_))) => "create_with_credentials",
        _ => "other",
    }
}

/// A call that is under way, its repetitions included.
pub struct Observed {
    operation: &'static str,
    span: Span,
    began: Instant,
}

/// Begins a call, and writes onto it whose it is.
pub fn begin(base: &Url, request: &mut Request) -> Observed {
    let operation = operation(request.method(), base, request.url());
    let span = span(operation, base, request.method());
    request::propagate(&span, request.headers_mut());
    Observed {
        operation,
        span,
        began: Instant::now(),
    }
}

impl Observed {
    pub fn span(&self) -> Span {
        self.span.clone()
    }

    pub fn end(self, metrics: Option<&Metrics>, error: Option<&NangoError>) {
        let outcome = error.map_or("ok", NangoError::kind);
        if let Some(error) = error {
            if let Some(status) = error.status() {
                self.span.record("http.response.status_code", status);
            }
            self.span.record("error.type", outcome);
            self.span.record("otel.status_code", "ERROR");
        }
        if let Some(metrics) = metrics {
            let took = self.began.elapsed();
            metrics.nango.called(self.operation, outcome, took);
        }
    }
}

fn span(operation: &'static str, base: &Url, method: &Method) -> Span {
    let span = tracing::info_span!(
        target: TRACED,
        "nango",
        otel.name = operation,
        otel.kind = "client",
        otel.status_code = Empty,
        http.request.method = method.as_str(),
        http.response.status_code = Empty,
        server.address = base.host_str(),
        server.port = base.port_or_known_default(),
        error.type = Empty,
        request_id = Empty,
    );
    if !span.is_disabled()
        && let Some(id) = request::current()
    {
        span.record("request_id", id.as_str());
    }
    span
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_has_a_name_that_tells_nothing_of_whose_it_is() {
        for (method, path, name) in [
            (Method::GET, "connections?limit=100", "list_connections"),
            (
                Method::GET,
                "connections/abc?provider_config_key=x",
                "get_connection",
            ),
            (Method::DELETE, "connections/abc", "delete_connection"),
            (Method::POST, "connect/sessions", "create_session"),
            (
                Method::POST,
                "connect/sessions/reconnect",
                "create_reconnect_session",
            ),
            (Method::GET, "connect/session", "get_session"),
            (Method::GET, "integrations", "list_integrations"),
            (Method::GET, "providers/slack", "get_provider"),
            (
                Method::POST,
                "auth/oauth-outbound/slack",
                "start_installation",
            ),
            (
                Method::POST,
                "api-auth/api-key/resend",
                "create_with_credentials",
            ),
            (
                Method::POST,
                "auth/unauthenticated/x",
                "create_with_credentials",
            ),
            (Method::GET, "elsewhere", "other"),
        ] {
            for base in ["https://api.nango.dev", "https://proxy.example/nango/"] {
                let base = Url::parse(base).unwrap();
                let slash = base.as_str().trim_end_matches('/');
                let url = Url::parse(&format!("{slash}/{path}")).unwrap();
                assert_eq!(operation(&method, &base, &url), name, "{url}");
            }
        }
    }
}
