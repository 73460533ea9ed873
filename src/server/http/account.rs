//! The forms of the account page: another password, and ending sessions.

use std::collections::BTreeMap;

use axum::{
    Extension, Router,
    extract::State,
    response::{IntoResponse, Redirect, Response},
    routing::post,
};
use secrecy::SecretString;
use serde::Deserialize;

use super::{
    body::FormBody,
    pages,
    problem::ApiError,
    session::{FormSignedIn, SignedIn, SignedOut, digest, half_done, set_valid_from},
};
use crate::server::{services::Services, state::AppState};

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/account/password", post(password))
        .route("/account/sessions/end", post(end_sessions))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PasswordForm {
    present: SecretString,
    new: SecretString,
    /// The account's address, for the browser's own store of passwords; nobody else reads it.
    #[serde(default, rename = "username")]
    _username: String,
}

async fn password(
    State(state): State<AppState>,
    FormSignedIn(signed_in): FormSignedIn,
    FormBody(form): FormBody<PasswordForm>,
) -> Result<Response, ApiError> {
    let SignedIn { user, session, .. } = &signed_in;
    let local = &state.services.local;
    let this = digest(session);
    match local
        .change_password(user, &form.present, &form.new, &this)
        .await
    {
        Ok(from) => {
            // The session goes on, and whoever knew its id does not.
            set_valid_from(session, from).await?;
            session.cycle_id().await.map_err(half_done)?;
            Ok(Redirect::to("/account?done=password").into_response())
        }
        Err(error) => {
            let values = BTreeMap::new();
            Ok(pages::again(state, Some(&signed_in), "/account", error.into(), values).await)
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndForm {
    /// A session's digest, or `others`: all but the one that asks.
    id: String,
}

async fn end_sessions(
    State(services): State<Services>,
    FormSignedIn(SignedIn { user, session, .. }): FormSignedIn,
    FormBody(form): FormBody<EndForm>,
) -> Result<Response, ApiError> {
    let this = digest(&session);
    if form.id == "others" {
        services.sessions.end_others(&user, &this).await?;
    } else if form.id == this {
        services.sessions.sign_out(user.id, &this).await?;
        session.flush().await.map_err(half_done)?;
        return Ok((Extension(SignedOut), Redirect::to("/sign-in")).into_response());
    } else {
        services.sessions.end(&user, &form.id).await?;
    }
    Ok(Redirect::to("/account?done=sessions").into_response())
}
