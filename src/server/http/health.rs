//! Health: for load balancers and people at three in the morning.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::ApiError;
use crate::{domain::problem::Problem, server::services::Services};

/// All is well.
#[derive(Serialize, ToSchema)]
pub struct Healthy {
    /// `ok`
    pub status: &'static str,
    pub version: &'static str,
    /// What somebody should look at: `nango_connections_missing` (Nango lists far fewer connections
    /// than are bound here, so nothing is taken for vanished).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<&'static str>,
}

const OK: Healthy = Healthy {
    status: "ok",
    version: env!("CARGO_PKG_VERSION"),
    alarms: Vec::new(),
};

/// The process runs.
#[utoipa::path(get, path = "/health/live", operation_id = "health_live", tag = "health",
    responses((status = 200, body = Healthy)))]
pub async fn live() -> Json<Healthy> {
    Json(OK)
}

/// The server can do its work: its database answers.
#[utoipa::path(get, path = "/health/ready", operation_id = "health_ready", tag = "health",
    responses(
    (status = 200, body = Healthy),
    (status = 503, body = Problem, content_type = "application/problem+json"),
))]
pub async fn ready(State(services): State<Services>) -> Result<Json<Healthy>, ApiError> {
    services.health.ready().await?;
    let alarms = services.health.alarms();
    Ok(Json(Healthy { alarms, ..OK }))
}
