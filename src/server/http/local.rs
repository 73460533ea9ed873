//! The forms of local accounts: signing in with a password, and signing up. What is refused comes
//! back as the page with the reason; a password never does.

use std::collections::BTreeMap;

use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Redirect, Response},
    routing::post,
};
use secrecy::SecretString;
use serde::Deserialize;
use tower_sessions::Session;

use super::{body::FormBody, pages, problem::ApiError, session::begin};
use crate::server::{
    services::{local::NewAccount, pages::local_path},
    state::AppState,
};

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/sign-in/password", post(sign_in))
        // The page at the same address is one of `pages`.
        .route("/sign-up", post(sign_up))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignInForm {
    email: String,
    password: SecretString,
    #[serde(default)]
    next: String,
}

async fn sign_in(
    State(state): State<AppState>,
    session: Session,
    FormBody(form): FormBody<SignInForm>,
) -> Result<Response, ApiError> {
    let local = &state.services.local;
    match local.sign_in(&form.email, &form.password).await {
        Ok(entered) => {
            begin(&session, &entered, &state.services).await?;
            Ok(Redirect::to(local_path(&form.next)).into_response())
        }
        Err(error) => {
            let path = with_next("/sign-in", &form.next);
            let typed = [("email".to_owned(), form.email)].into();
            Ok(pages::again(state, None, &path, error.into(), typed).await)
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignUpForm {
    email: String,
    name: String,
    password: SecretString,
    #[serde(default)]
    next: String,
}

async fn sign_up(
    State(state): State<AppState>,
    session: Session,
    FormBody(form): FormBody<SignUpForm>,
) -> Result<Response, ApiError> {
    let new = NewAccount {
        email: form.email,
        name: form.name,
        password: form.password,
    };
    match state.services.local.sign_up(&new).await {
        Ok(entered) => {
            begin(&session, &entered, &state.services).await?;
            Ok(Redirect::to(local_path(&form.next)).into_response())
        }
        Err(error) if state.services.local.is_sign_up_open() => {
            let path = with_next("/sign-up", &form.next);
            let typed = BTreeMap::from([
                ("email".to_owned(), new.email),
                ("name".to_owned(), new.name),
            ]);
            Ok(pages::again(state, None, &path, error.into(), typed).await)
        }
        // There is no form to come back to.
        Err(error) => {
            Ok(pages::again(state, None, "/sign-in", error.into(), BTreeMap::new()).await)
        }
    }
}

/// The page's address, with where to go afterwards.
fn with_next(path: &str, next: &str) -> String {
    let all = percent_encoding::NON_ALPHANUMERIC;
    let next = percent_encoding::utf8_percent_encode(local_path(next), all);
    format!("{path}?next={next}")
}
