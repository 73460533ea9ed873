//! `POST /api/v1/webhooks/nango`: signed by Nango, so neither session nor origin is asked for.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
};

use std::time::Duration;

use tokio::time::timeout;

use super::{
    body::{Unread, within},
    problem::ApiError,
};
use crate::{
    domain::problem::Problem,
    server::services::{self, Services, error},
};

/// The longest body that is read: 1 MB.
const LIMIT: usize = 1024 * 1024;
/// A body that takes longer to arrive is not Nango's.
const PATIENCE: Duration = Duration::from_secs(10);

/// Receives a webhook of Nango. What is of no concern here (other types, other people's
/// connections) is answered 200 as well.
#[utoipa::path(post, path = "/api/v1/webhooks/nango", operation_id = "receive_webhook", tag = "webhooks",
    params(("X-Nango-Hmac-Sha256" = String, Header, description = "hex HMAC-SHA256 of the raw body, with the webhook signing key")),
    request_body(content = Object, content_type = "application/json", description = "as Nango sends it, at most 1 MB"),
    responses(
    (status = 200, description = "taken"),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 413, body = Problem, content_type = "application/problem+json"),
    (status = 502, body = Problem, content_type = "application/problem+json"),
    (status = 503, body = Problem, content_type = "application/problem+json", description = "no signing key is set, or too much at once: Nango comes again"),
))]
pub async fn receive(
    State(services): State<Services>,
    headers: HeaderMap,
    request: Request,
) -> Result<StatusCode, ApiError> {
    // The legacy `X-Nango-Signature` proves nothing in its place: a plain hash of key and body can
    // be extended by whoever has seen one.
    let signature = headers.get(services::webhooks::SIGNATURE_HEADER);
    let signature = signature.and_then(|value| value.to_str().ok());
    // Before the body is read: a stranger's costs nothing.
    services.webhooks.expects(signature)?;
    let reading = services.webhooks.reading().await?;
    let body = timeout(PATIENCE, within(request.into_body(), LIMIT));
    let body = body.await.map_err(|_| error::webhook_unreadable())?;
    let body = body.map_err(|why| match why {
        Unread::TooLarge => error::webhook_too_large(),
        Unread::CutOff => error::webhook_unreadable(),
    })?;
    drop(reading);
    services.webhooks.receive(signature, &body).await?;
    Ok(StatusCode::OK)
}
