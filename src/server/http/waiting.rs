//! What is answered while the server starts: that it lives, and that there is nothing else yet.

use std::time::Duration;

use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};

use super::{health, outage, problem::ApiError};
use crate::domain::problem::Problem;

/// It takes no longer where the database is there.
const SOON: Duration = Duration::from_secs(2);

/// Everything that is answered until the server has started.
pub fn router() -> Router {
    Router::new()
        .route("/health/live", get(health::starts))
        .fallback(starting)
}

async fn starting(request: Request) -> Response {
    let problem = Problem::new(
        503,
        "starting",
        "This server is starting.",
        "It waits for its database. Try again in a moment.",
    );
    let path = request.uri().path();
    let program = path.starts_with("/api/") || path.starts_with("/health/");
    let mut response = if program || !outage::takes_html(request.headers()) {
        ApiError::from(problem)
            .retry_after(SOON.as_secs())
            .into_response()
    } else {
        outage::small(&problem)
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}
