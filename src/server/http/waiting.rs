//! What is answered while the server starts: that it lives, and that there is nothing else yet.

use std::time::Duration;

use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::get,
};
use tracing::Span;
use uuid::Uuid;

use super::{health, observe::is_probe, outage, problem::ApiError};
use crate::{
    domain::problem::Problem,
    server::{
        metrics::{Metrics, http::Ongoing},
        request::{self, HEADER, RequestId},
    },
};

/// It takes no longer where the database is there.
const SOON: Duration = Duration::from_secs(2);

/// Everything that is answered until the server has started.
pub fn router(metrics: Metrics, new_id: fn() -> Uuid) -> Router {
    Router::new()
        .route("/health/live", get(health::starts))
        .fallback(starting)
        .layer(from_fn(move |request: Request, next: Next| {
            around(metrics.clone(), new_id(), request, next)
        }))
}

/// A request has its id and is counted, as later on; who has sent it does not count yet.
async fn around(metrics: Metrics, id: Uuid, request: Request, next: Next) -> Response {
    let id = RequestId::new(id);
    let counted =
        (!is_probe(request.uri().path())).then(|| Ongoing::begin(&metrics, request.method(), None));
    let header = id.header();
    let mut response = request::scope(id, Span::none(), next.run(request)).await;
    if let Some(ongoing) = counted {
        ongoing.answered(response.status());
    }
    response.headers_mut().insert(HEADER, header);
    response
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
