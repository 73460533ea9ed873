//! `/api/v1/admin`: who there is, for administrators.

use axum::{
    Json,
    extract::{Path, State},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{body::Params, problem::ApiError, session::SignedIn};
use crate::{
    domain::{problem::Problem, user::Person},
    server::services::{
        Services,
        people::{self, LARGEST_PAGE},
    },
};

/// Which people are wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// The last id of the page before; without it, from the beginning.
    after: Option<Uuid>,
    /// So many at the most; 50 where nothing is said.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
}

/// People by id.
#[derive(Serialize, ToSchema)]
pub struct People {
    pub users: Vec<Person>,
    /// Where the next page begins; null on the last one.
    #[schema(required)]
    pub next: Option<Uuid>,
}

/// Everybody who ever signed in, by id, a page at a time.
#[utoipa::path(get, path = "/api/v1/admin/users", operation_id = "list_users", tag = "admin", security(("session" = [])), params(PageQuery), responses(
    (status = 200, body = People),
    (status = 400, description = "The query cannot be read.", body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "Not an administrator.", body = Problem, content_type = "application/problem+json"),
))]
pub async fn list(
    _: SignedIn,
    State(services): State<Services>,
    Params(query): Params<PageQuery>,
) -> Result<Json<People>, ApiError> {
    let limit = query.limit.unwrap_or(50).clamp(1, LARGEST_PAGE);
    let users = services
        .people
        .page(query.after.unwrap_or_default(), limit)
        .await?;
    let full = i64::try_from(users.len()).is_ok_and(|count| count == limit);
    let next = users.last().filter(|_| full).map(|person| person.id);
    Ok(Json(People { users, next }))
}

/// Keeps somebody out from now on: their sessions end, and nobody signs in as them.
#[utoipa::path(post, path = "/api/v1/admin/users/{id}/disable", operation_id = "disable_user", tag = "admin", security(("session" = [])),
    params(("id" = Uuid, Path)), responses(
    (status = 200, body = Person),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "Not an administrator.", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such person.", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "It is one's own account.", body = Problem, content_type = "application/problem+json"),
))]
pub async fn disable(
    SignedIn { user, .. }: SignedIn,
    State(services): State<Services>,
    Path(id): Path<String>,
) -> Result<Json<Person>, ApiError> {
    let id = named(&id)?;
    Ok(Json(services.people.disable(id, Some(user.id)).await?))
}

/// Lets somebody in again.
#[utoipa::path(post, path = "/api/v1/admin/users/{id}/enable", operation_id = "enable_user", tag = "admin", security(("session" = [])),
    params(("id" = Uuid, Path)), responses(
    (status = 200, body = Person),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "Not an administrator.", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such person.", body = Problem, content_type = "application/problem+json"),
))]
pub async fn enable(
    SignedIn { user, .. }: SignedIn,
    State(services): State<Services>,
    Path(id): Path<String>,
) -> Result<Json<Person>, ApiError> {
    let id = named(&id)?;
    Ok(Json(services.people.enable(id, Some(user.id)).await?))
}

fn named(id: &str) -> Result<Uuid, Problem> {
    Uuid::parse_str(id).map_err(|_| people::unknown())
}
