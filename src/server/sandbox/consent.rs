//! The pretend provider: its consent page and the codes it hands out. It stands for another site,
//! so it knows no more than its query tells it: nothing of sessions, flows or connections.
//!
//! May import the sandbox's `answers`, `pages` and `state` (grants, and names of integrations).

use std::sync::Arc;

use axum::{
    Form,
    extract::{Query, State},
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::Response,
};
use serde::Deserialize;
use url::{Url, form_urlencoded::Serializer};

use super::{
    answers::{self, Answer, Refusal, escape},
    pages,
    state::{Grant, Sandbox},
};

const PAGE: &str = include_str!("consent.html");
const SCRIPT: &str = include_str!("consent.js");
const SUGGESTED: &str = "ada@northwind.example";
/// An account whose tokens the provider refuses.
const REFUSED: &str = "wrong@northwind.example";
const PENDING: &str = "pending@northwind.example";

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Ask {
    client_id: String,
    redirect_uri: String,
    state: String,
}

#[derive(Debug, Deserialize)]
pub struct Decision {
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    redirect_uri: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    account: String,
    decision: String,
}

pub async fn ask(
    State(sandbox): State<Arc<Sandbox>>,
    headers: HeaderMap,
    Query(ask): Query<Ask>,
) -> Answer {
    let name = provider(&sandbox, &headers, &ask)?;
    let mut page = show(StatusCode::OK, &name, &ask, SUGGESTED, "");
    if sandbox.faults.severs_opener() {
        let name = HeaderName::from_static("cross-origin-opener-policy");
        answers::set(&mut page, name, "same-origin");
    }
    Ok(page)
}

pub async fn decide(
    State(sandbox): State<Arc<Sandbox>>,
    headers: HeaderMap,
    Form(form): Form<Decision>,
) -> Answer {
    let ask = Ask {
        client_id: form.client_id,
        redirect_uri: form.redirect_uri,
        state: form.state,
    };
    let name = provider(&sandbox, &headers, &ask)?;
    let mut query = Serializer::new(String::new());
    let granted = ["allow", "pending", "fail"].contains(&form.decision.as_str());
    if granted {
        let account = match form.decision.as_str() {
            "fail" => REFUSED,
            // This one has asked its administrator.
            "pending" => PENDING,
            _ => form.account.trim(),
        };
        if account.is_empty() {
            let complaint = "Enter the name of an account.";
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return Ok(show(status, &name, &ask, "", complaint));
        }
        let code = sandbox.clock.random_id().simple().to_string();
        let grant = Grant {
            granted_at: sandbox.clock.now(),
            account: account.to_owned(),
        };
        query.append_pair("code", &code);
        sandbox.change(|state| state.grants.insert(code, grant));
    } else {
        query
            .append_pair("error", "access_denied")
            .append_pair("error_description", "The user denied the request");
    }
    query.append_pair("state", &ask.state);
    let location = format!("{}?{}", ask.redirect_uri, query.finish());
    Ok(answers::redirect(&location))
}

/// The provider's name. Like a real provider it serves only clients it knows, and sends people
/// back only to the address registered for them: Nango's callback beside this page.
fn provider(sandbox: &Sandbox, headers: &HeaderMap, ask: &Ask) -> Result<String, Refusal> {
    let host = headers
        .get(header::HOST)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    let registered = Url::parse(&format!("http://{host}/oauth/callback")).ok();
    let known = Url::parse(&ask.redirect_uri)
        .ok()
        .is_some_and(|uri| Some(uri) == registered);
    let name = sandbox.read(|state| {
        let stored = state.integrations.get(&ask.client_id)?;
        Some(stored.integration.display_name.clone())
    });
    name.filter(|_| known).ok_or_else(|| {
        let body = "<p class=\"mark\">Sandbox</p>\n<h1>This sign-in request is not valid</h1>\n<p>Close this window and start again from where you came.</p>";
        let page = pages::page("Sign-in request not valid", body, "");
        answers::html(StatusCode::BAD_REQUEST, page).into()
    })
}

fn show(status: StatusCode, provider: &str, ask: &Ask, account: &str, complaint: &str) -> Response {
    let (described, complaint) = if complaint.is_empty() {
        (String::new(), String::new())
    } else {
        (
            " aria-invalid=\"true\" aria-describedby=\"complaint\" autofocus".to_owned(),
            format!("<p class=\"bad\" id=\"complaint\" role=\"alert\">{complaint}</p>"),
        )
    };
    let mut body = String::with_capacity(PAGE.len() + 256);
    // One pass over the template: what is filled in is never read as a placeholder again.
    let mut rest = PAGE;
    while let Some((before, after)) = rest.split_once("{{") {
        body.push_str(before);
        let Some((name, after)) = after.split_once("}}") else {
            break;
        };
        match name {
            "provider" => body.push_str(&escape(provider)),
            "client_id" => body.push_str(&escape(&ask.client_id)),
            "redirect_uri" => body.push_str(&escape(&ask.redirect_uri)),
            "state" => body.push_str(&escape(&ask.state)),
            "account" => body.push_str(&escape(account)),
            "described" => body.push_str(&described),
            "complaint" => body.push_str(&complaint),
            _ => {}
        }
        rest = after;
    }
    body.push_str(rest);
    let title = format!("{provider} sandbox: allow access?");
    answers::html(status, pages::page(&title, &body, SCRIPT))
}
