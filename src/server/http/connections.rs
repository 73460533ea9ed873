//! `/api/v1/connections`

use axum::{
    Json,
    extract::{Path, State},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    body::JsonBody,
    problem::{ApiError, ChangeRefused},
    session::SignedIn,
};
use crate::{
    domain::{connection::Connection, problem::Problem},
    server::services::{Services, error},
};

/// Everything the person has.
#[derive(Serialize, ToSchema)]
pub struct Connections {
    pub connections: Vec<Connection>,
}

/// The person's connections, whatever their status.
#[utoipa::path(get, path = "/api/v1/connections", operation_id = "list_connections", tag = "connections",
    security(("session" = [])), responses(
    (status = 200, body = Connections),
    (status = 401, body = Problem, content_type = "application/problem+json"),
))]
pub async fn list(
    SignedIn { user, .. }: SignedIn,
    State(services): State<Services>,
) -> Result<Json<Connections>, ApiError> {
    let connections = services.pages.connections(&user).await?;
    Ok(Json(Connections { connections }))
}

/// What an account is to be called.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NameBody {
    /// The name, 1 to 80 characters; null for the name it has by itself.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(
        required,
        min_length = 1,
        max_length = 80,
        pattern = r"^[^\x00-\x1F\x7F-\x9F]*[^\s\x00-\x1F\x7F-\x9F][^\x00-\x1F\x7F-\x9F]*$"
    )]
    pub account: Option<String>,
}

/// Names an account, so that several of one connector can be told apart.
#[utoipa::path(patch, path = "/api/v1/connections/{id}", operation_id = "name_connection", tag = "connections",
    security(("session" = [])),
    params(("id" = Uuid, Path)), request_body = NameBody, responses(
    (status = 200, body = Connection),
    ChangeRefused,
))]
pub async fn rename(
    SignedIn { user, .. }: SignedIn,
    State(services): State<Services>,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<NameBody>,
) -> Result<Json<Connection>, ApiError> {
    let id = Uuid::parse_str(&id).map_err(|_| ApiError::from(error::connection_unknown()))?;
    let name = body.account.as_deref();
    Ok(Json(services.names.rename(&user, id, name).await?))
}
