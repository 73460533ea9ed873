//! HTTP: one file a resource. Handlers read the request, call one service, write the answer.
//!
//! May import `services`, `state`, `domain`, `metrics` and `request`; never `db`, `nango` or `live`'s senders.

pub mod access;
pub mod account;
pub mod admin;
pub mod assets;
pub mod attempts;
pub mod audit;
pub mod auth;
pub mod body;
pub mod callback;
pub mod catalogue;
pub mod client;
pub mod connections;
pub mod connectors;
pub mod events;
pub mod exchange;
pub mod forms;
pub mod guard;
pub mod headers;
pub mod health;
pub mod history;
pub mod limits;
pub mod local;
pub mod observe;
pub mod oidc;
pub mod openapi;
pub mod outage;
pub mod packed;
pub mod pages;
pub mod problem;
pub mod session;
pub mod waiting;
pub mod webhooks;

use axum::{Extension, Router, extract::DefaultBodyLimit, middleware, routing::get};
use tower::ServiceBuilder;
use tower_http::compression::{CompressionLayer, CompressionLevel};
use tower_sessions::{SessionManagerLayer, SessionStore};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::state::AppState;

/// The REST routes: whatever is registered here is in the OpenAPI document.
fn api() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(openapi::document())
        .routes(routes!(connectors::list))
        .routes(routes!(callback::callback))
        .routes(routes!(connectors::show))
        .routes(routes!(connectors::status))
        .routes(routes!(connectors::connect))
        .routes(routes!(connectors::reconnect))
        .routes(routes!(connectors::disconnect))
        .routes(routes!(history::of_connector))
        .routes(routes!(history::of_person))
        .routes(routes!(connections::list))
        .routes(routes!(connections::rename))
        .routes(routes!(attempts::show))
        .routes(routes!(attempts::finish))
        .routes(routes!(attempts::cancel))
        .routes(routes!(events::stream))
        .routes(routes!(admin::list))
        .routes(routes!(admin::disable))
        .routes(routes!(admin::enable))
        .routes(routes!(audit::list))
        .routes(routes!(exchange::create, exchange::delete))
        .routes(routes!(webhooks::receive))
        .routes(routes!(openapi::show))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(health::startup))
}

/// The OpenAPI document of this version.
pub fn openapi_json() -> String {
    let (_, document) = api().split_for_parts();
    openapi::completed(document)
        .to_pretty_json()
        .unwrap_or_default()
        // utoipa writes a link's field under its name in Rust.
        .replace("\"operation_id\": ", "\"operationId\": ")
}

/// Everything the server answers.
pub fn router<S: SessionStore + Clone>(
    state: AppState,
    sessions: SessionManagerLayer<S>,
) -> Router {
    let (api, _) = api().split_for_parts();
    let limits = limits::Limits::new(&state.web);
    // From the outside in: the first one sees a request first. One stack, as a layer of the router
    // each would be cloned by every layer around it, for each request.
    let around = ServiceBuilder::new()
        .layer(middleware::from_fn_with_state(
            state.clone(),
            observe::around,
        ))
        .layer(
            CompressionLayer::new()
                .gzip(true)
                .br(true)
                .quality(CompressionLevel::Fastest),
        )
        .layer(middleware::from_fn_with_state(state.clone(), headers::add))
        .layer(middleware::map_response(session::keep_cookie))
        .layer(middleware::from_fn_with_state(state.clone(), outage::pages))
        .layer(middleware::map_response(session::or_unavailable))
        .layer(middleware::from_fn(session::with_connections))
        .layer(sessions)
        .layer(middleware::map_response(session::answered))
        .layer(middleware::from_fn_with_state(state.clone(), client::tell))
        .layer(DefaultBodyLimit::max(limits::BODY))
        .layer(middleware::from_fn_with_state(limits.clone(), limits::time))
        .layer(middleware::from_fn_with_state(
            limits.clone(),
            limits::requests,
        ))
        .layer(middleware::from_fn_with_state(
            state.clone(),
            guard::same_origin,
        ))
        .layer(middleware::from_fn_with_state(state.clone(), access::check))
        .layer(middleware::from_fn_with_state(limits, limits::changes));
    Router::new()
        .merge(api)
        .merge(pages::routes())
        .route("/", get(pages::home))
        .route(
            "/icons/{file}",
            get(assets::icons).layer(Extension(assets::Look::default())),
        )
        .route("/assets/{version}/{*path}", get(assets::versioned))
        .merge(account::routes())
        .merge(auth::routes())
        .merge(exchange::routes())
        .merge(oidc::routes())
        .merge(forms::routes())
        .merge(local::routes())
        .fallback(assets::fallback)
        .method_not_allowed_fallback(async || assets::method_not_allowed())
        .layer(around)
        .with_state(state)
}
