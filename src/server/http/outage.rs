//! Pages while the database does not do what it should, or the server only starts: which answers
//! become one. What is on them, `pages::outage` says.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};

use super::{assets, headers, problem::Refusal};
use crate::{
    domain::problem::Problem,
    pages::outage::{Look, Outage},
    server::{
        services::{Services, outage},
        state::AppState,
    },
};

/// After so many seconds a page looks again.
const AGAIN: u64 = outage::RETRY_AFTER_SECONDS;

/// A refusal because of the database, where a page was asked for, becomes a page.
pub async fn pages(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let path = request.uri().path().to_owned();
    let page = reads && !path.starts_with("/api/") && !path.starts_with("/health/");
    let wanted = page && takes_html(request.headers());
    let query = request.uri().query().unwrap_or_default().to_owned();
    let response = next.run(request).await;
    if !wanted {
        return response;
    }
    let refused = response.extensions().get::<Refusal>();
    let Some(Refusal(problem)) = refused.filter(|Refusal(found)| outage::is_outage(&found.code))
    else {
        return response;
    };
    if path == "/connectors" {
        catalogue(&state.services, problem, &query)
    } else {
        small(problem)
    }
}

/// Whoever says nothing takes anything.
pub fn takes_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT);
    let accept = accept.map_or("*/*", |value| value.to_str().unwrap_or_default());
    accept.contains("text/html") || accept.contains("*/*")
}

/// The problem alone.
pub fn small(problem: &Problem) -> Response {
    let nonce = headers::nonce();
    let policy = headers::small_page_policy(&nonce);
    answer(page(problem).small(&nonce), &policy)
}

/// What can be connected, without what is.
fn catalogue(services: &Services, problem: &Problem, search: &str) -> Response {
    let pages = &services.pages;
    let look = Look {
        root: assets::root(),
        brands: pages.brands(),
        icons: pages.icons(),
    };
    let page = page(problem).catalogue(pages.connectors(), search, &look);
    answer(page, &headers::page_policy(&headers::nonce()))
}

const fn page(problem: &Problem) -> Outage<'_> {
    Outage {
        problem,
        again: AGAIN,
    }
}

fn answer(page: String, policy: &str) -> Response {
    let mut response = (StatusCode::SERVICE_UNAVAILABLE, Html(page)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from(AGAIN));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(policy) = HeaderValue::from_str(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}
