//! `/api/v1/admin/audit`: what happened, for administrators.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{body::Params, problem::ApiError};
use crate::{
    domain::{audit::AuditEntry, problem::Problem},
    server::services::Services,
};

/// Which page of the log.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct AuditParams {
    /// The number of the last entry of the page before.
    #[param(minimum = 0)]
    pub after: i64,
    /// 1 to 1000; 100 without it.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: i64,
}

impl Default for AuditParams {
    fn default() -> Self {
        Self {
            after: 0,
            limit: 100,
        }
    }
}

/// A page of the audit log, oldest first.
#[derive(Serialize, ToSchema)]
pub struct AuditPage {
    pub entries: Vec<AuditEntry>,
    /// What to ask for next with `after`; null where no entry follows yet.
    pub next: Option<i64>,
}

/// The sealed entries of the audit log. `patchbay audit verify` checks their chain.
#[utoipa::path(get, path = "/api/v1/admin/audit", operation_id = "list_audit_entries", tag = "admin", security(("session" = [])),
    params(AuditParams), responses(
    (status = 200, body = AuditPage),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
))]
pub async fn list(
    State(services): State<Services>,
    Params(page): Params<AuditParams>,
) -> Result<Json<AuditPage>, ApiError> {
    let log = &services.audit_log;
    let (after, limit) = (page.after.max(0), page.limit.clamp(1, 1_000));
    let entries = log.after(after, limit).await?;
    let full = i64::try_from(entries.len()).is_ok_and(|len| len >= limit);
    let next = entries.last().filter(|_| full).map(|entry| entry.seq);
    Ok(Json(AuditPage { entries, next }))
}
