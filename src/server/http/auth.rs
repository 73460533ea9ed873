//! Signing in and out, first form: one demo user, on loopback only.

use axum::{
    Extension, Router,
    extract::State,
    http::{HeaderMap, Version},
    response::{IntoResponse, Redirect, Response},
    routing::post,
};
use serde::Deserialize;
use tower_sessions::Session;

use super::{
    body::FormBody,
    guard,
    problem::ApiError,
    session::{MaybeSignedIn, SignedIn, SignedOut, begin, digest, half_done},
};
use crate::{
    domain::problem::Problem,
    server::{
        services::{Services, pages::local_path},
        state::AppState,
    },
};

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/sign-in/demo", post(demo))
        .route("/sign-out", post(sign_out))
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct DemoForm {
    next: String,
    /// Another demo user, to try what two people see.
    name: Option<String>,
}

async fn demo(
    State(services): State<Services>,
    session: Session,
    version: Version,
    headers: HeaderMap,
    FormBody(form): FormBody<DemoForm>,
) -> Result<Response, ApiError> {
    let name = form.name.as_deref().unwrap_or("demo");
    if name.is_empty() || name.len() > 20 || !name.bytes().all(|b| b.is_ascii_lowercase()) {
        return Err(Problem::new(
            422,
            "name_invalid",
            "A demo user's name has up to 20 small letters.",
            "",
        )
        .into());
    }
    let loopback = guard::is_loopback(version, &headers);
    let entered = services.accounts.demo(loopback, name).await?;
    begin(&session, &entered, &services).await?;
    Ok(Redirect::to(local_path(&form.next)).into_response())
}

async fn sign_out(
    State(services): State<Services>,
    MaybeSignedIn(signed_in): MaybeSignedIn,
) -> Result<Response, ApiError> {
    if let Some(SignedIn { user, session, .. }) = signed_in {
        services
            .sessions
            .sign_out(user.id, &digest(&session))
            .await?;
        // What is left of it is the cookie.
        session.flush().await.map_err(half_done)?;
    }
    Ok((Extension(SignedOut), Redirect::to("/sign-in")).into_response())
}
