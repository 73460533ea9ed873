//! `/api/v1/connectors`: the catalogue, and connecting.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Path, State},
};
use serde::{Deserialize, Serialize};
use utoipa::{
    IntoParams, ToSchema,
    openapi::schema::{Object, ObjectBuilder, Type},
};
use uuid::Uuid;

use super::{
    body::{JsonBody, Params},
    problem::{ApiError, ChangeRefused},
    session::SignedIn,
};
use crate::{
    domain::{
        attempt::Started,
        catalogue::{self, Entry, Folded, Sort, StatusFilter},
        connection::{Connection, Shown},
        connector::{Connector, ConnectorDetails},
        problem::Problem,
    },
    server::services::{Services, connect},
};

/// The catalogue's filters, as in the page's address.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct ListParams {
    /// Search words.
    pub q: String,
    /// A category's name.
    pub category: String,
    /// `connected`, `pending`, `needs_attention` or `not_connected`.
    pub status: String,
    /// `name`, `-name`, `category` or `-last_synced_at`; connected first without it.
    pub sort: String,
}

/// A connector with what the person has of it.
#[derive(Serialize, ToSchema)]
pub struct ConnectorEntry {
    #[serde(flatten)]
    pub connector: Connector,
    /// The status that matters most of its connections.
    pub status: Shown,
    pub connections: Vec<Connection>,
}

#[derive(Serialize, ToSchema)]
pub struct CategoryCount {
    pub category: String,
    /// Under the other filters.
    pub count: usize,
}

#[derive(Serialize, ToSchema)]
pub struct ConnectorList {
    pub connectors: Vec<ConnectorEntry>,
    pub categories: Vec<CategoryCount>,
}

/// A connector's details with what the person has of it.
#[derive(Serialize, ToSchema)]
pub struct ConnectorAnswer {
    #[serde(flatten)]
    pub details: ConnectorDetails,
    pub status: Shown,
    pub connections: Vec<Connection>,
}

#[derive(Serialize, ToSchema)]
pub struct StatusAnswer {
    /// The connector's slug.
    pub connector: String,
    pub status: Shown,
    pub connections: Vec<Connection>,
}

/// Typed credentials: redacted wherever they might be printed.
pub type Credentials = BTreeMap<String, secrecy::SecretString>;

/// What starts a connection.
#[derive(Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
pub struct ConnectBody {
    /// Which account, where the person has several.
    pub connection_id: Option<Uuid>,
    /// Connection configuration, by Nango's names (`subdomain`).
    pub inputs: BTreeMap<String, String>,
    /// Typed credentials, where no window asks for them, by Nango's names (`apiKey`). They are handed
    /// to Nango and kept nowhere here.
    #[schema(schema_with = texts_by_name)]
    pub credentials: Credentials,
}

/// Written out: the derive would want to print the default, and secrets are never printed.
fn texts_by_name() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some(
            "Typed credentials, where no window asks for them, by Nango's names (`apiKey`). They \
             are handed to Nango and kept nowhere here.",
        ))
        .additional_properties(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DisconnectBody {
    /// Which account; needed where the person has several.
    pub connection_id: Option<Uuid>,
}

/// The catalogue with the person's connections.
#[utoipa::path(get, path = "/api/v1/connectors", operation_id = "list_connectors", tag = "connectors",
    security(("session" = [])), params(ListParams), responses(
    (status = 200, body = ConnectorList),
    (status = 401, body = Problem, content_type = "application/problem+json"),
))]
pub async fn list(
    SignedIn { user, .. }: SignedIn,
    State(services): State<Services>,
    Params(params): Params<ListParams>,
) -> Result<Json<ConnectorList>, ApiError> {
    let page = services.pages.catalogue(&user).await?;
    let mut by_connector: BTreeMap<Uuid, Vec<Connection>> = BTreeMap::new();
    for connection in page.connections {
        let of = by_connector.entry(connection.connector_id).or_default();
        of.push(connection);
    }
    let none = Vec::new();
    let folded: Vec<Folded> = page
        .connectors
        .iter()
        .map(|connector| Folded::new(connector, str::to_lowercase))
        .collect();
    let entries: Vec<Entry<'_>> = page
        .connectors
        .iter()
        .zip(&folded)
        .map(|(connector, folded)| {
            let connections = by_connector.get(&connector.id).unwrap_or(&none);
            let synced = connections.iter().filter_map(|c| c.last_synced_at).max();
            Entry {
                connector,
                folded,
                shown: catalogue::shown(connections),
                last_synced_ms: synced.map_or(0, |t| t.0),
            }
        })
        .collect();
    let query = catalogue::Query {
        q: params.q,
        category: params.category,
        status: StatusFilter::parse(&params.status),
        sort: Sort::parse(&params.sort),
    };
    let listing = catalogue::list(&entries, &query, str::to_lowercase);
    let connectors = listing
        .rows
        .iter()
        .filter_map(|&row| entries.get(row))
        .map(|entry| ConnectorEntry {
            connector: entry.connector.clone(),
            status: entry.shown,
            connections: by_connector
                .get(&entry.connector.id)
                .cloned()
                .unwrap_or_default(),
        })
        .collect();
    let categories = listing
        .categories
        .into_iter()
        .map(|(category, count)| CategoryCount { category, count })
        .collect();
    Ok(Json(ConnectorList {
        connectors,
        categories,
    }))
}

/// One connector: what it is, what it asks for, what the person has of it.
#[utoipa::path(get, path = "/api/v1/connectors/{id}", operation_id = "show_connector", tag = "connectors",
    security(("session" = [])), params(("id" = String, Path, description = "The connector's id or slug")), responses(
    (status = 200, body = ConnectorAnswer),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub async fn show(
    SignedIn { user, .. }: SignedIn,
    State(services): State<Services>,
    Path(id): Path<String>,
) -> Result<Json<ConnectorAnswer>, ApiError> {
    let page = services.pages.connector(&user, &id).await?;
    Ok(Json(ConnectorAnswer {
        status: catalogue::shown(&page.connections),
        details: page.details,
        connections: page.connections,
    }))
}

/// How it stands with one connector.
#[utoipa::path(get, path = "/api/v1/connectors/{id}/status", operation_id = "connector_status", tag = "connectors",
    security(("session" = [])),
    params(("id" = String, Path, description = "The connector's id or slug")), responses(
    (status = 200, body = StatusAnswer),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
pub async fn status(
    SignedIn { user, .. }: SignedIn,
    State(services): State<Services>,
    Path(id): Path<String>,
) -> Result<Json<StatusAnswer>, ApiError> {
    let page = services.pages.connector(&user, &id).await?;
    Ok(Json(StatusAnswer {
        connector: page.details.connector.slug,
        status: catalogue::shown(&page.connections),
        connections: page.connections,
    }))
}

/// Starts connecting an account. Open `oauth_url` in a window; where it is absent the typed
/// credentials have settled it already.
#[utoipa::path(post, path = "/api/v1/connectors/{id}/connect", operation_id = "connect", tag = "connectors",
    security(("session" = [])),
    params(("id" = String, Path, description = "The connector's id or slug")),
    request_body = Option<ConnectBody>, responses(
    (status = 200, body = Started, links(
        ("attempt" = (operation_id = "show_attempt", parameters(("id" = "$response.body#/attempt_id")))),
        ("finish" = (operation_id = "finish_attempt", parameters(("id" = "$response.body#/attempt_id")))),
        ("cancel" = (operation_id = "cancel_attempt", parameters(("id" = "$response.body#/attempt_id")))),
        ("name" = (operation_id = "name_connection", parameters(("id" = "$response.body#/connection/id")))),
    )),
    ChangeRefused,
))]
pub async fn connect(
    SignedIn { user, .. }: SignedIn,
    State(services): State<Services>,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<ConnectBody>,
) -> Result<Json<Started>, ApiError> {
    let request = request(body, false);
    Ok(Json(services.connect.start(&user, &id, request).await?))
}

/// Renews the access of a connected account; its connection is kept, whatever comes of it.
#[utoipa::path(post, path = "/api/v1/connectors/{id}/reconnect", operation_id = "reconnect", tag = "connectors",
    security(("session" = [])),
    params(("id" = String, Path, description = "The connector's id or slug")),
    request_body = Option<ConnectBody>, responses(
    (status = 200, body = Started, links(
        ("attempt" = (operation_id = "show_attempt", parameters(("id" = "$response.body#/attempt_id")))),
        ("finish" = (operation_id = "finish_attempt", parameters(("id" = "$response.body#/attempt_id")))),
        ("cancel" = (operation_id = "cancel_attempt", parameters(("id" = "$response.body#/attempt_id")))),
        ("name" = (operation_id = "name_connection", parameters(("id" = "$response.body#/connection/id")))),
    )),
    ChangeRefused,
))]
pub async fn reconnect(
    SignedIn { user, .. }: SignedIn,
    State(services): State<Services>,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<ConnectBody>,
) -> Result<Json<Started>, ApiError> {
    let request = request(body, true);
    Ok(Json(services.connect.start(&user, &id, request).await?))
}

/// Disconnects an account: at Nango first, then here.
#[utoipa::path(post, path = "/api/v1/connectors/{id}/disconnect", operation_id = "disconnect", tag = "connectors",
    security(("session" = [])),
    params(("id" = String, Path, description = "The connector's id or slug")),
    request_body = Option<DisconnectBody>, responses(
    (status = 200, body = Connection),
    ChangeRefused,
))]
pub async fn disconnect(
    SignedIn { user, .. }: SignedIn,
    State(services): State<Services>,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<DisconnectBody>,
) -> Result<Json<Connection>, ApiError> {
    let connection = services
        .disconnect
        .run(&user, &id, body.connection_id)
        .await?;
    Ok(Json(connection))
}

fn request(body: ConnectBody, reconnect: bool) -> connect::Request {
    connect::Request {
        connection_id: body.connection_id,
        reconnect,
        inputs: body.inputs,
        credentials: body.credentials,
    }
}
