//! The OpenAPI document, made from the handlers themselves.

use axum::{http::header, response::IntoResponse};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        ContentBuilder, Ref, RefOr, Response, ResponseBuilder,
        path::{Operation, PathItem},
        security::{
            ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
        },
    },
};

use crate::domain::problem::Problem;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Patchbay",
        description = "Connectors, connections and their state. Times are RFC 3339 in UTC. Errors are RFC 9457 problems with a stable `code`.",
        license(name = "MIT OR Apache-2.0")
    ),
    modifiers(&Session),
    components(schemas(Problem)),
    tags(
        (name = "connectors", description = "What can be connected, and connecting it"),
        (name = "connections", description = "What a person has connected"),
        (name = "attempts", description = "A click on Connect or Reconnect, from the click to its outcome"),
        (name = "admin", description = "Who there is and what happened, for administrators"),
        (name = "session", description = "The host product's token for a session, and signing out"),
        (name = "health", description = "Whether the server is well"),
    )
)]
struct Document;

struct Session;

impl Modify for Session {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        components.add_security_scheme(
            "session",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("patchbay"))),
        );
        let token = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT");
        components.add_security_scheme("bearer", SecurityScheme::Http(token.build()));
    }
}

/// The document without its paths: the router adds them.
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// Adds to every operation what stands before its handler and may answer in its place. A handler
/// names only what it says itself; where it has words of its own for a status, they stay.
pub fn completed(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    for item in document.paths.paths.values_mut() {
        for (changes, operation) in operations(item) {
            let closed = operation.security.is_some();
            for (status, description, wanted) in [
                ("401", "Nobody is signed in.", closed),
                (
                    "403",
                    "Not for this person, or the request came from another site.",
                    closed || changes,
                ),
                (
                    "429",
                    "Too many requests: `Retry-After` says when there is room again.",
                    true,
                ),
                (
                    "503",
                    "The database cannot be reached, or it took too long.",
                    true,
                ),
            ] {
                let responses = &mut operation.responses.responses;
                if wanted && !responses.contains_key(status) {
                    responses.insert(status.to_owned(), RefOr::T(problem(description)));
                }
            }
            accept_tokens(operation);
        }
    }
    document
}

/// Whatever a session may do, the host product's token may do too; what is about the session itself
/// says so by its tag.
fn accept_tokens(operation: &mut Operation) {
    let tags = operation.tags.as_ref();
    let about_it = tags.is_some_and(|tags| tags.iter().any(|tag| tag == "session"));
    if let Some(security) = operation.security.as_mut()
        && !about_it
    {
        security.push(SecurityRequirement::new::<_, _, String>("bearer", []));
    }
}

/// The operations of a path, and whether they may change something.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (bool, &mut Operation)> {
    [
        (false, &mut item.get),
        (true, &mut item.post),
        (true, &mut item.put),
        (true, &mut item.patch),
        (true, &mut item.delete),
    ]
    .into_iter()
    .filter_map(|(changes, operation)| Some((changes, operation.as_mut()?)))
}

fn problem(description: &str) -> Response {
    let schema = RefOr::Ref(Ref::from_schema_name("Problem"));
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", content)
        .build()
}

/// This document.
#[utoipa::path(get, path = "/api/v1/openapi.json", operation_id = "openapi", tag = "health",
    responses((status = 200, description = "OpenAPI 3.1")))]
pub async fn show() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "application/json")],
        super::openapi_json(),
    )
}
