//! The pages and the server functions: both run with the same context.

use std::{collections::BTreeMap, sync::Arc};

use any_spawner::Executor;
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use leptos::{
    nonce::use_nonce,
    prelude::{provide_context, use_context},
    server_fn::error::SERVER_FN_ERROR_HEADER,
};
use leptos_axum::ResponseOptions;
use tower_sessions::Session;

use super::{
    assets, body, catalogue,
    forms::{self, take_flash},
    headers,
    problem::ApiError,
    session::{MaybeSignedIn, SignedIn, digest},
};
use crate::{
    app::{self, AssetRoot, Brands, Flash, StatusSetter},
    domain::{page::CataloguePage, problem::Problem, user::User},
    server::{
        services::Services,
        state::{AppState, CurrentSession, signed_out},
    },
};

/// So many bytes has a problem at the most.
const MAX_PROBLEM: usize = 64 * 1024;

pub fn routes() -> Router<AppState> {
    // What rendering runs on; a second call finds it there. Leptos' own list of routes would start it
    // too, but while one thread makes that list, pages of all others in the process load nothing and
    // hang for ever (leptos-rs/leptos#4773).
    let _ = Executor::init_tokio();
    let prints = catalogue::Prints::default();
    let catalogue = async move |state: State<AppState>, person: SignedIn, request: Request| {
        catalogue::show(prints.clone(), state, person, request).await
    };
    Router::new()
        .route("/connectors", get(catalogue))
        .route("/connectors/{slug}", get(personal))
        .route("/attempts/{id}", get(personal))
        .route("/account", get(personal))
        .route("/sign-in", get(sign_in))
        .route("/sign-up", get(sign_up))
        .route("/api/fn/{*name}", post(server_fn))
}

/// The start page is the catalogue.
pub async fn home() -> Redirect {
    Redirect::to("/connectors")
}

/// A page of a signed-in person.
async fn personal(
    State(state): State<AppState>,
    SignedIn { user, session, .. }: SignedIn,
    request: Request,
) -> Response {
    let flash = take_flash(&session).await;
    let person = Some((user, CurrentSession(digest(&session))));
    render(state, person, flash, request).await
}

async fn sign_in(
    State(state): State<AppState>,
    MaybeSignedIn(signed_in): MaybeSignedIn,
    session: Session,
    request: Request,
) -> Response {
    if signed_in.is_some() {
        return Redirect::to("/connectors").into_response();
    }
    // What came of a sign-in elsewhere.
    let flash = take_flash(&session).await;
    render(state, None, flash, request).await
}

/// Where nobody may make an account, nobody is asked to.
async fn sign_up(
    State(state): State<AppState>,
    MaybeSignedIn(signed_in): MaybeSignedIn,
    request: Request,
) -> Response {
    if signed_in.is_some() {
        return Redirect::to("/connectors").into_response();
    }
    if !state.services.local.is_sign_up_open() {
        return Redirect::to("/sign-in").into_response();
    }
    render(state, None, forms::Flash::default(), request).await
}

/// A page once more, as the answer to a form that was refused: with the reason, its status, and
/// what had been typed (never a secret).
pub async fn again(
    state: AppState,
    signed_in: Option<&SignedIn>,
    path: &str,
    refused: ApiError,
    values: BTreeMap<String, String>,
) -> Response {
    let person = signed_in.map(|SignedIn { user, session, .. }| {
        let session = CurrentSession(digest(session));
        (user.clone(), session)
    });
    let headers = refused.headers();
    let status = StatusCode::from_u16(refused.problem.status);
    let flash = forms::Flash {
        problem: Some(refused.problem),
        values,
    };
    let Ok(request) = Request::get(path).body(Body::empty()) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = render(state, person, flash, request).await;
    *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().extend(headers);
    response
}

/// A page that does not exist; the router's fallback comes here.
pub async fn not_found(state: AppState, user: Option<User>, request: Request) -> Response {
    let person = user.map(|user| (user, CurrentSession::default()));
    let mut response = render(state, person, forms::Flash::default(), request).await;
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

pub async fn render(
    state: AppState,
    person: Option<(User, CurrentSession)>,
    flash: forms::Flash,
    request: Request,
) -> Response {
    render_catalogue(state, person, flash, request, None).await
}

/// The same, with what the catalogue shows, where it is known already. One function for both: each other
/// closure would have all pages compiled once more, which is most of a megabyte.
pub async fn render_catalogue(
    state: AppState,
    person: Option<(User, CurrentSession)>,
    flash: forms::Flash,
    request: Request,
    known: Option<CataloguePage>,
) -> Response {
    let options = state.leptos.clone();
    let services = state.services.clone();
    let context = move || {
        if let Some(known) = &known {
            provide_context(known.clone());
        }
        provide(&services, person.as_ref());
        set_policy();
        provide_context(AssetRoot(assets::root()));
        provide_context(Brands(Some(services.pages.brands())));
        provide_context(Flash(flash.problem.clone(), flash.values.clone()));
        provide_context(StatusSetter(Arc::new(|status| {
            if let (Some(options), Ok(status)) = (
                use_context::<ResponseOptions>(),
                StatusCode::from_u16(status),
            ) {
                options.set_status(status);
            }
        })));
    };
    let shell = move || app::shell(options.clone());
    leptos_axum::render_app_async_with_context(context, shell)(request).await
}

/// The page's policy has the nonce that Leptos has drawn for its script.
fn set_policy() {
    let (Some(options), Some(nonce)) = (use_context::<ResponseOptions>(), use_nonce()) else {
        return;
    };
    if let Ok(policy) = HeaderValue::from_str(&headers::page_policy(&nonce)) {
        options.insert_header(header::CONTENT_SECURITY_POLICY, policy);
    }
}

async fn server_fn(
    State(state): State<AppState>,
    MaybeSignedIn(signed_in): MaybeSignedIn,
    request: Request,
) -> Response {
    // Leptos would read a body of any length.
    let request = match body::bounded(request).await {
        Ok(request) => request,
        Err(refused) => return refused.into_response(),
    };
    let person = signed_in.map(|signed_in| {
        let session = CurrentSession(digest(&signed_in.session));
        (signed_in.user, session)
    });
    if person.is_none() {
        return ApiError::from(signed_out()).into_response();
    }
    let services = state.services.clone();
    let context = move || provide(&services, person.as_ref());
    let response = leptos_axum::handle_server_fns_with_context(context, request)
        .await
        .into_response();
    with_own_status(response).await
}

/// A refused server function answers 500 whatever the reason; the problem inside knows better, and
/// a mistyped key is no failure of the server.
async fn with_own_status(response: Response) -> Response {
    if !response.headers().contains_key(SERVER_FN_ERROR_HEADER) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_PROBLEM).await else {
        return parts.status.into_response();
    };
    let told = serde_json::from_slice::<Problem>(&body).ok();
    if let Some(status) = told.and_then(|problem| StatusCode::from_u16(problem.status).ok()) {
        parts.status = status;
    }
    Response::from_parts(parts, Body::from(body))
}

fn provide(services: &Services, person: Option<&(User, CurrentSession)>) {
    provide_context(services.clone());
    if let Some((user, session)) = person {
        provide_context(user.clone());
        provide_context(session.clone());
    }
}
