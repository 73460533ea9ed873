//! Who may do what: the one table, and the one place that asks it.
//!
//! Every route has a line here. One that has none is closed to everybody, and fails the suite.

use axum::{
    extract::{FromRequestParts, MatchedPath, Request, State},
    http::{HeaderValue, Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};

use super::{
    assets,
    client::Client,
    problem::ApiError,
    session::{MaybeSignedIn, SignedIn},
};
use crate::{
    domain::{problem::Problem, user::Role},
    server::{
        services::origin::{self, Origin},
        state::AppState,
    },
};

/// Who may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Anyone,
    /// Whoever can prove it in the request itself: a webhook's signature.
    Signature,
    /// Anybody who is signed in, and only about what is their own.
    Person,
    Admin,
}

/// What a route answers to whoever has not signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Else {
    /// A problem (401).
    Problem,
    /// The sign-in page, and back here afterwards.
    SignIn,
    /// The sign-in page: what was posted is lost.
    SignInAnew,
}

/// A line of the table: method, path as it is registered, who may, and what others get.
#[derive(Clone, Debug)]
pub struct Rule {
    pub method: Method,
    pub path: &'static str,
    pub who: Who,
    pub otherwise: Else,
}

const fn rule(method: Method, path: &'static str, who: Who, otherwise: Else) -> Rule {
    Rule {
        method,
        path,
        who,
        otherwise,
    }
}

const fn api(method: Method, path: &'static str, who: Who) -> Rule {
    rule(method, path, who, Else::Problem)
}

const fn page(path: &'static str) -> Rule {
    rule(Method::GET, path, Who::Person, Else::SignIn)
}

const fn form(path: &'static str) -> Rule {
    rule(Method::POST, path, Who::Person, Else::SignInAnew)
}

const fn open(method: Method, path: &'static str) -> Rule {
    rule(method, path, Who::Anyone, Else::Problem)
}

/// Every route.
pub const RULES: &[Rule] = &[
    // Pages
    open(Method::GET, "/"),
    page("/connectors"),
    page("/connectors/{slug}"),
    page("/attempts/{id}"),
    page("/account"),
    // Signing in and out
    open(Method::GET, "/sign-in"),
    open(Method::POST, "/sign-in/demo"),
    open(Method::POST, "/sign-in/password"),
    open(Method::GET, "/sign-up"),
    open(Method::POST, "/sign-up"),
    open(Method::POST, "/sign-out"),
    open(Method::GET, "/sign-in/oidc/{provider}"),
    open(Method::GET, "/sign-in/oidc/{provider}/callback"),
    open(Method::POST, "/sign-in/token"),
    api(Method::POST, "/api/v1/session", Who::Person),
    api(Method::DELETE, "/api/v1/session", Who::Person),
    // Forms
    form("/connectors/{slug}/connect"),
    form("/connectors/{slug}/reconnect"),
    form("/connectors/{slug}/disconnect"),
    form("/connections/{id}/name"),
    form("/attempts/{id}/finish"),
    form("/attempts/{id}/cancel"),
    form("/account/password"),
    form("/account/sessions/end"),
    rule(
        Method::GET,
        "/attempts/{id}/open",
        Who::Person,
        Else::SignInAnew,
    ),
    // Files
    open(Method::GET, "/icons/{file}"),
    open(Method::GET, "/assets/{version}/{*path}"),
    // REST
    api(Method::POST, "/api/fn/{*name}", Who::Person),
    api(Method::GET, "/api/v1/connectors", Who::Person),
    // A provider's answer is handed on for anyone; an attempt is looked at for its own person only.
    open(Method::GET, "/api/v1/connectors/callback"),
    api(Method::GET, "/api/v1/connectors/{id}", Who::Person),
    api(Method::GET, "/api/v1/connectors/{id}/status", Who::Person),
    api(Method::GET, "/api/v1/connectors/{id}/history", Who::Person),
    api(Method::GET, "/api/v1/history", Who::Person),
    api(Method::GET, "/api/v1/admin/audit", Who::Admin),
    api(Method::POST, "/api/v1/connectors/{id}/connect", Who::Person),
    api(
        Method::POST,
        "/api/v1/connectors/{id}/reconnect",
        Who::Person,
    ),
    api(
        Method::POST,
        "/api/v1/connectors/{id}/disconnect",
        Who::Person,
    ),
    api(Method::GET, "/api/v1/connections", Who::Person),
    api(Method::PATCH, "/api/v1/connections/{id}", Who::Person),
    api(Method::GET, "/api/v1/attempts/{id}", Who::Person),
    api(Method::POST, "/api/v1/attempts/{id}/finish", Who::Person),
    api(Method::POST, "/api/v1/attempts/{id}/cancel", Who::Person),
    api(Method::GET, "/api/v1/events", Who::Person),
    api(Method::POST, "/api/v1/webhooks/nango", Who::Signature),
    // Who there is
    api(Method::GET, "/api/v1/admin/users", Who::Admin),
    api(Method::POST, "/api/v1/admin/users/{id}/disable", Who::Admin),
    api(Method::POST, "/api/v1/admin/users/{id}/enable", Who::Admin),
    open(Method::GET, "/api/v1/openapi.json"),
    open(Method::GET, "/health/live"),
    open(Method::GET, "/health/ready"),
    open(Method::GET, "/health/startup"),
];

fn find(method: &Method, path: &str) -> Option<&'static Rule> {
    // A page answers HEAD as it does GET.
    let method = if method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    RULES
        .iter()
        .find(|rule| rule.path == path && rule.method == *method)
}

/// Who may do this, where the table knows the route.
pub fn who(method: &Method, path: &str) -> Option<Who> {
    find(method, path).map(|rule| rule.who)
}

/// Asks the table before every handler.
pub async fn check(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let origin = origin_of(&parts);
    let refused = admit(&mut parts, &state).await.err();
    match refused {
        Some(response) => response,
        None => origin::scope(origin, next.run(Request::from_parts(parts, body))).await,
    }
}

async fn admit(parts: &mut Parts, state: &AppState) -> Result<(), Response> {
    let Some(path) = parts.extensions.get::<MatchedPath>().cloned() else {
        // A file, or a page that does not exist.
        return Ok(());
    };
    let rule = rule_for(&parts.method, path.as_str())?;
    let role = match rule.who {
        Who::Anyone | Who::Signature => return Ok(()),
        Who::Person => Role::User,
        Who::Admin => Role::Admin,
    };
    let MaybeSignedIn(found) = MaybeSignedIn::from_request_parts(parts, state)
        .await
        .map_err(IntoResponse::into_response)?;
    let Some(SignedIn { user, .. }) = found else {
        return Err(match rule.otherwise {
            Else::Problem => ApiError::signed_out().into_response(),
            Else::SignInAnew => Redirect::to("/sign-in").into_response(),
            Else::SignIn => {
                let here = parts.uri.path_and_query().map_or("/", |p| p.as_str());
                let all = percent_encoding::NON_ALPHANUMERIC;
                let next = percent_encoding::utf8_percent_encode(here, all);
                Redirect::to(&format!("/sign-in?next={next}")).into_response()
            }
        });
    };
    if user.role < role {
        return Err(ApiError::from(not_allowed()).into_response());
    }
    Ok(())
}

/// The line of a registered path. Without one nobody comes further, whatever the router would say.
fn rule_for(method: &Method, path: &str) -> Result<&'static Rule, Response> {
    if let Some(rule) = find(method, path) {
        return Ok(rule);
    }
    let allowed = allowed(path);
    if allowed.is_empty() {
        tracing::error!(path, "a route has no line in the access table");
        return Err(ApiError::from(not_allowed()).into_response());
    }
    let mut response = assets::method_not_allowed().into_response();
    if let Ok(value) = HeaderValue::from_str(&allowed.join(", ")) {
        response.headers_mut().insert(header::ALLOW, value);
    }
    Err(response)
}

/// The methods that a path has, HEAD beside GET.
fn allowed(path: &str) -> Vec<&'static str> {
    let rules = RULES.iter().filter(|rule| rule.path == path);
    rules
        .flat_map(|rule| match rule.method {
            Method::GET => vec!["GET", "HEAD"],
            ref other => vec![other.as_str()],
        })
        .collect()
}

fn not_allowed() -> Problem {
    Problem::new(
        403,
        "not_allowed",
        "You may not do that here.",
        "Ask an administrator of this server.",
    )
}

/// So much of a program's name is kept.
const MAX_USER_AGENT: usize = 200;

fn origin_of(parts: &Parts) -> Origin {
    let user_agent = parts
        .headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .map(|text| text.chars().take(MAX_USER_AGENT).collect());
    let client = parts.extensions.get::<Client>().copied();
    let Client(address) = client.unwrap_or_default();
    Origin {
        address: address.map(|address| address.to_string()),
        user_agent,
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn without_a_line_nobody_comes_further() {
        assert!(rule_for(&Method::GET, "/connectors").is_ok());
        assert!(rule_for(&Method::HEAD, "/connectors").is_ok());
        for (method, path, status, allow) in [
            (Method::PUT, "/connectors", 405, Some("GET, HEAD")),
            (
                Method::OPTIONS,
                "/api/v1/session",
                405,
                Some("POST, DELETE"),
            ),
            (Method::HEAD, "/api/v1/webhooks/nango", 405, Some("POST")),
            (Method::GET, "/connectors/{other}", 403, None),
        ] {
            let refused = rule_for(&method, path).unwrap_err();
            assert_eq!(refused.status(), status, "{method} {path}");
            let found = refused.headers().get(header::ALLOW);
            assert_eq!(found.map(|value| value.to_str().unwrap()), allow, "{path}");
        }
    }

    #[test]
    fn an_origin_has_the_clients_address_and_program() {
        let request = Request::builder()
            .header("user-agent", "a".repeat(300))
            .header("x-forwarded-for", "198.51.100.7")
            .body(Body::empty());
        let (mut parts, _) = request.unwrap().into_parts();
        assert_eq!(origin_of(&parts).address, None);
        let client = "2001:db8::7".parse().ok();
        parts.extensions.insert(Client(client));
        let origin = origin_of(&parts);
        assert_eq!(origin.address.as_deref(), Some("2001:db8::7"));
        assert_eq!(origin.user_agent.map(|text| text.len()), Some(200));
    }
}
