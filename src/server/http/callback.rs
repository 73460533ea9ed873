//! `/api/v1/connectors/callback`: the customer's own OAuth callback, and our own "I've finished".

use axum::{
    extract::{RawQuery, State},
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use url::form_urlencoded;
use utoipa::IntoParams;

use super::{
    attempts::parse,
    headers,
    problem::ApiError,
    session::{MaybeSignedIn, SignedIn},
};
use crate::{
    domain::{
        attempt::{AttemptState, AttemptStatus},
        problem::Problem,
    },
    server::services::{Services, error},
};

/// What the address may carry. Nango names the state in three ways.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "describes the query in the OpenAPI document; it is read pair by pair"
)]
pub struct CallbackParams {
    state: Option<String>,
    payload: Option<String>,
    #[param(rename = "customField")]
    custom_field: Option<String>,
    /// The id of an attempt of the signed-in person, to be settled by asking Nango. Not looked at
    /// beside one of the others.
    attempt: Option<String>,
}

/// With `state`, `payload` or `customField`: on to Nango's own callback, query kept. With
/// `attempt`: settles it by asking Nango, tells the opener, and closes.
#[utoipa::path(get, path = "/api/v1/connectors/callback", operation_id = "callback", tag = "connectors",
    params(CallbackParams), responses(
    (status = 200, description = "A small page that tells its opener and closes", content_type = "text/html"),
    (status = 308, description = "Nango's own OAuth callback"),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 502, body = Problem, content_type = "application/problem+json"),
    (status = 503, body = Problem, content_type = "application/problem+json"),
))]
pub async fn callback(
    // Read only where it is needed: a provider's answer is handed on without a database.
    signed_in: Result<MaybeSignedIn, ApiError>,
    State(services): State<Services>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = query.unwrap_or_default();
    let attempt = match asked(&query) {
        Asked::Forward => return forward(&services, &query),
        Asked::Attempt(attempt) => parse(&attempt)?,
        Asked::Nothing => {
            return Err(Problem::new(
                400,
                "callback_unreadable",
                "This address is where a provider sends people back to.",
                "It needs one of state, payload, customField or attempt.",
            )
            .into());
        }
    };
    let SignedIn { user, .. } = signed_in?.0.ok_or_else(ApiError::signed_out)?;
    let status = services.attempts.finish(&user, attempt, None).await?;
    let nonce = headers::nonce();
    let policy = headers::small_page_policy(&nonce);
    let page = Html(page(&status, &nonce));
    Ok(([(header::CONTENT_SECURITY_POLICY, policy)], page).into_response())
}

/// What a query is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A provider's answer.
    Forward,
    /// Our own "I've finished": what calls itself the attempt's id.
    Attempt(String),
    Nothing,
}

/// A provider's answer is handed on whatever else it carries: reading it is Nango's part.
pub fn asked(query: &str) -> Asked {
    let mut attempt = None;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "state" | "payload" | "customField" => return Asked::Forward,
            "attempt" => attempt = attempt.or(Some(value)),
            _ => {}
        }
    }
    attempt.map_or(Asked::Nothing, |id| Asked::Attempt(id.into_owned()))
}

/// Nango's callback and nowhere else; the query is handed on as it came.
pub fn location(callback: &str, query: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("{callback}?{query}")).ok()
}

fn forward(services: &Services, query: &str) -> Result<Response, ApiError> {
    let location = location(services.pages.nango_callback().as_str(), query)
        .ok_or_else(|| ApiError::from(error::attempt_unknown()))?;
    Ok((
        StatusCode::PERMANENT_REDIRECT,
        [(header::LOCATION, location)],
    )
        .into_response())
}

fn page(status: &AttemptStatus, nonce: &str) -> String {
    let (heading, text) = match status.state {
        AttemptState::Succeeded => ("Connected", "You can close this window."),
        AttemptState::Open => (
            "Nothing has arrived yet",
            "Finish signing in in the other window, then come back.",
        ),
        AttemptState::Failed | AttemptState::Expired | AttemptState::Cancelled => {
            ("Not connected", "Close this window and start again.")
        }
    };
    let state = serde_json::to_string(&status.state).unwrap_or_default();
    format!(
        r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{heading} · Patchbay</title>
<style nonce="{nonce}">body{{font:16px/1.5 system-ui,sans-serif;display:grid;place-content:center;min-height:100vh;margin:0;padding:24px;text-align:center}}</style>
<main><h1>{heading}</h1><p>{text}</p><p><a href="/connectors">All connectors</a></p></main>
<script nonce="{nonce}">
if (window.opener) {{
  window.opener.postMessage({{ type: "patchbay_attempt", attempt: "{id}", state: {state} }}, location.origin);
  if ({state} !== "open") window.close();
}}
</script>
</html>
"#,
        id = status.attempt_id,
    )
}
