//! `/api/v1/attempts/{id}`

use axum::{
    Json,
    extract::{Path, State},
};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    body::JsonBody,
    problem::{ApiError, ChangeRefused},
    session::SignedIn,
};
use crate::{
    domain::{
        attempt::{AttemptStatus, Hint},
        problem::Problem,
    },
    server::services::{Services, error},
};

/// An id that is none leads nowhere either.
pub fn parse(id: &str) -> Result<Uuid, ApiError> {
    Uuid::parse_str(id).map_err(|_| ApiError::from(error::attempt_unknown()))
}

/// Where an attempt stands.
#[utoipa::path(get, path = "/api/v1/attempts/{id}", operation_id = "show_attempt", tag = "attempts",
    security(("session" = [])),
    params(("id" = Uuid, Path)), responses(
    (status = 200, body = AttemptStatus),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub async fn show(
    SignedIn { user, .. }: SignedIn,
    State(services): State<Services>,
    Path(id): Path<String>,
) -> Result<Json<AttemptStatus>, ApiError> {
    Ok(Json(services.attempts.status(&user, parse(&id)?).await?))
}

/// What is known beside it, if anything.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct FinishRequest {
    /// What the popup told the page that opened it.
    #[serde(default)]
    pub hint: Option<Hint>,
}

/// Nango's own words are shorter, in characters.
const MAX_TYPE: usize = 100;
const MAX_MESSAGE: usize = 500;

/// The person says they have finished: Nango is asked at once.
#[utoipa::path(post, path = "/api/v1/attempts/{id}/finish", operation_id = "finish_attempt", tag = "attempts",
    security(("session" = [])),
    params(("id" = Uuid, Path)), request_body = Option<FinishRequest>, responses(
    (status = 200, body = AttemptStatus, description = "`open` where nothing has arrived yet"),
    ChangeRefused,
))]
pub async fn finish(
    SignedIn { user, .. }: SignedIn,
    State(services): State<Services>,
    Path(id): Path<String>,
    JsonBody(request): JsonBody<FinishRequest>,
) -> Result<Json<AttemptStatus>, ApiError> {
    let hint = request.hint.map(|hint| {
        let Hint::Error {
            error_type,
            message,
        } = hint;
        Hint::Error {
            error_type: error_type.chars().take(MAX_TYPE).collect(),
            message: message.chars().take(MAX_MESSAGE).collect(),
        }
    });
    let status = services.attempts.finish(&user, parse(&id)?, hint).await?;
    Ok(Json(status))
}

/// Calls an attempt off; one that has ended stays as it is.
#[utoipa::path(post, path = "/api/v1/attempts/{id}/cancel", operation_id = "cancel_attempt", tag = "attempts",
    security(("session" = [])),
    params(("id" = Uuid, Path)), responses(
    (status = 200, body = AttemptStatus),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub async fn cancel(
    SignedIn { user, .. }: SignedIn,
    State(services): State<Services>,
    Path(id): Path<String>,
) -> Result<Json<AttemptStatus>, ApiError> {
    Ok(Json(services.attempts.cancel(&user, parse(&id)?).await?))
}
