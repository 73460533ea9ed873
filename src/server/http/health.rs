//! Health: for load balancers, for what restarts the server, and for people at three in the morning.

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
    /// than are bound here, so nothing is taken for vanished), `live_updates_interrupted` (what other
    /// instances change is not heard just now, so pages show it late).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<&'static str>,
}

const OK: Healthy = Healthy {
    status: "ok",
    version: env!("CARGO_PKG_VERSION"),
    alarms: Vec::new(),
};

/// The process can go on by itself. 503: only a restart helps.
#[utoipa::path(get, path = "/health/live", operation_id = "health_live", tag = "health",
    responses(
    (status = 200, body = Healthy),
    (status = 503, body = Problem, content_type = "application/problem+json"),
))]
pub async fn live(State(services): State<Services>) -> Result<Json<Healthy>, ApiError> {
    services.health.live().await?;
    Ok(Json(OK))
}

/// The same while the server waits for its database: there is nothing yet that could break off.
pub async fn starts() -> Json<Healthy> {
    Json(OK)
}

/// The server can do its work: its database answers, and it is not about to stop.
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

/// The server has started: its database is migrated, and it serves. 503 before that, and where only a
/// restart helps.
#[utoipa::path(get, path = "/health/startup", operation_id = "health_startup", tag = "health",
    responses(
    (status = 200, body = Healthy),
    (status = 503, body = Problem, content_type = "application/problem+json"),
))]
pub async fn startup(State(services): State<Services>) -> Result<Json<Healthy>, ApiError> {
    // Whoever is asked here has had a database: the router is made of it. An outage of it later is
    // nothing that whoever looks here all the time should restart the server for.
    services.health.live().await?;
    Ok(Json(OK))
}
