//! A person in a popup, without a browser: goes the way of an authorization link to its end. Made
//! for load tests; it takes the same routes as the browser, and knows what a browser would see.
//!
//! May import the sandbox's `answers`, `call`, `control`, `listener` and `state`, and its router.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{ConnectInfo, Request, State},
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tower::ServiceExt;
use url::{Url, form_urlencoded::Serializer};
use uuid::Uuid;

use super::{
    answers::{self, Answer},
    call::Call,
    control,
    listener::Line,
    state::Sandbox,
};

const LARGEST_PAGE: usize = 256 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Consent {
    oauth_url: Url,
    decision: Decision,
    #[serde(default = "suggested")]
    account: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Decision {
    Allow,
    Deny,
    /// Allowed, and the provider then refuses to exchange the code.
    Fail,
    /// Allowed, and the installation waits for somebody's approval.
    Pending,
    /// The window is closed without an answer.
    Close,
}

impl Decision {
    fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Fail => "fail",
            Self::Pending => "pending",
            Self::Close => "close",
        }
    }
}

fn suggested() -> String {
    "ada@northwind.example".to_owned()
}

/// `POST /sandbox/control/consent` → `{outcome, status, connection_id, error}` where `outcome` is
/// `success`, `failed` (the last page says so), `refused` (before the provider) or `closed`.
pub async fn consent(State(sandbox): State<Arc<Sandbox>>, call: Call) -> Answer {
    call.account(&sandbox)?;
    let order: Consent = control::read(&call)?;
    let browser = Browser {
        router: super::router(sandbox.clone()),
        host: order.oauth_url.authority().to_owned(),
    };
    let link = path(&order.oauth_url);
    let start = browser.go(Method::GET, &link, None).await;
    let Some(provider) = location(&start) else {
        return Ok(end("refused", None, start).await);
    };
    let flow = provider
        .query_pairs()
        .find(|(name, _)| name == "state")
        .and_then(|(_, id)| Uuid::try_parse(&id).ok());
    let connection_id = flow
        .and_then(|id| sandbox.read(|state| state.flows.get(&id).map(|f| f.connection_id.clone())));
    if matches!(order.decision, Decision::Close) {
        return Ok(end("closed", connection_id, start).await);
    }
    let form = Serializer::new(String::new())
        .extend_pairs(provider.query_pairs())
        .append_pair("decision", order.decision.word())
        .append_pair("account", &order.account)
        .finish();
    let decided = browser.go(Method::POST, &path(&provider), Some(form)).await;
    let Some(back) = location(&decided) else {
        return Ok(end("refused", connection_id, decided).await);
    };
    let last = browser.go(Method::GET, &path(&back), None).await;
    let outcome = match last.status() {
        StatusCode::OK => "success",
        _ => "failed",
    };
    Ok(end(outcome, connection_id, last).await)
}

struct Browser {
    router: Router,
    host: String,
}

impl Browser {
    async fn go(&self, method: Method, path: &str, form: Option<String>) -> Response {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.host)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .extension(ConnectInfo(Line::default()))
            .body(form.map_or_else(Body::empty, Body::from));
        let Ok(request) = request else {
            return answers::code(StatusCode::BAD_REQUEST, "invalid_oauth_url").into_response();
        };
        match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

fn path(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

/// Where the browser is sent.
fn location(response: &Response) -> Option<Url> {
    let value = response.headers().get(header::LOCATION)?;
    Url::parse(value.to_str().ok()?).ok()
}

async fn end(outcome: &str, connection_id: Option<String>, last: Response) -> Response {
    let status = last.status();
    let bytes = to_bytes(last.into_body(), LARGEST_PAGE).await;
    let text = bytes
        .map(|b| String::from_utf8_lossy(&b).into_owned())
        .unwrap_or_default();
    let error = if status.is_client_error() || status.is_server_error() {
        let said = text
            .split_once("window.__nangoOAuthError = ")
            .and_then(|(_, rest)| rest.lines().next())
            .map_or(text.as_str(), |line| line.trim_end_matches(';'));
        serde_json::from_str(said).unwrap_or(Value::Null)
    } else {
        Value::Null
    };
    answers::ok(&json!({
        "outcome": outcome,
        "status": status.as_u16(),
        "connection_id": connection_id,
        "error": error,
    }))
}
