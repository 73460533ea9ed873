//! A person's own history.

use axum::{
    Json,
    extract::{Path, State},
};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::{body::Params, problem::ApiError, session::SignedIn};
use crate::{
    domain::{audit::History, problem::Problem},
    server::services::Services,
};

/// Which page of it.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct PageParams {
    /// The `next` of the page before.
    pub before: Option<Uuid>,
    /// So many at the most: 1 to 100, less or more counts as the nearest; 20 without it.
    pub limit: i64,
}

impl Default for PageParams {
    fn default() -> Self {
        Self {
            before: None,
            limit: 20,
        }
    }
}

/// What happened with one connector, newest first: your own doing, and what became of it.
#[utoipa::path(get, path = "/api/v1/connectors/{id}/history", tag = "connections", security(("session" = [])),
    params(("id" = String, Path, description = "The connector's id or slug"), PageParams), responses(
    (status = 200, body = History),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub async fn of_connector(
    SignedIn { user, .. }: SignedIn,
    State(services): State<Services>,
    Path(id): Path<String>,
    Params(page): Params<PageParams>,
) -> Result<Json<History>, ApiError> {
    let history = &services.history;
    let found = history
        .of_connector(&user, &id, page.before, page.limit)
        .await?;
    Ok(Json(found))
}

/// All that happened, signing in included, newest first.
#[utoipa::path(get, path = "/api/v1/history", tag = "connections", security(("session" = [])),
    params(PageParams), responses(
    (status = 200, body = History),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
))]
pub async fn of_person(
    SignedIn { user, .. }: SignedIn,
    State(services): State<Services>,
    Params(page): Params<PageParams>,
) -> Result<Json<History>, ApiError> {
    let history = &services.history;
    let found = history.of_person(&user, page.before, page.limit).await?;
    Ok(Json(found))
}
