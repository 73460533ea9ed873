//! `/sign-in/oidc/{provider}`: to the provider, and back.
//!
//! A link leads there, not a form: the policy on forms would apply to the provider's address too.

use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use serde::Deserialize;
use tower_sessions::Session;

use super::{
    body::Params,
    forms,
    problem::ApiError,
    session::{MaybeSignedIn, begin, keep_briefly, unavailable},
};
use crate::{
    domain::problem::Problem,
    server::{
        services::{
            ServiceError, Services,
            oidc::{self, Answer, Pending},
            pages::local_path,
        },
        state::AppState,
    },
};

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/sign-in/oidc/{provider}", get(start))
        .route("/sign-in/oidc/{provider}/callback", get(callback))
}

/// The session's entry with the sign-ins that are on their way.
const WAITING: &str = "oidc";

#[derive(Default, Deserialize)]
#[serde(default)]
struct Start {
    next: String,
}

async fn start(
    State(services): State<Services>,
    MaybeSignedIn(signed_in): MaybeSignedIn,
    session: Session,
    Path(provider): Path<String>,
    Params(Start { next }): Params<Start>,
) -> Result<Response, ApiError> {
    let next = local_path(&next);
    if signed_in.is_some() {
        return Ok(Redirect::to(next).into_response());
    }
    match services.oidc.begin(&provider, next).await {
        Ok((url, pending)) => {
            let mut all = waiting(&session).await?;
            services.oidc.keep(&mut all, pending);
            keep_briefly(&session).await?;
            session.insert(WAITING, all).await.map_err(unavailable)?;
            Ok(Redirect::to(url.as_str()).into_response())
        }
        Err(error) => explain(&session, error).await,
    }
}

async fn callback(
    State(services): State<Services>,
    MaybeSignedIn(signed_in): MaybeSignedIn,
    session: Session,
    Path(provider): Path<String>,
    Params(answer): Params<Answer>,
) -> Result<Response, ApiError> {
    let mut all = waiting(&session).await?;
    let Some(pending) = services.oidc.take(&mut all, &provider, &answer) else {
        let lost = oidc::lost(&provider);
        // Back and forward lead here again: whoever is in already just goes on.
        if signed_in.is_some() {
            return Ok(Redirect::to("/connectors").into_response());
        }
        return explain(&session, lost.into()).await;
    };
    // Used, before anybody is asked about it.
    session.insert(WAITING, all).await.map_err(unavailable)?;
    session.save().await.map_err(unavailable)?;
    match services.oidc.finish(&pending, answer).await {
        Ok(entered) => {
            begin(&session, &entered, &services).await?;
            Ok(Redirect::to(local_path(&pending.next)).into_response())
        }
        Err(error) => explain(&session, error).await,
    }
}

async fn waiting(session: &Session) -> Result<Vec<Pending>, ApiError> {
    let all = session.get(WAITING).await.map_err(unavailable)?;
    Ok(all.unwrap_or_default())
}

/// The sign-in page says what went wrong.
pub async fn explain(session: &Session, error: ServiceError) -> Result<Response, ApiError> {
    keep_briefly(session).await?;
    forms::keep_problem(session, Problem::from(error)).await?;
    Ok(Redirect::to("/sign-in").into_response())
}
