//! The way without JavaScript: forms that post and are sent on. They call the same services as
//! REST; a problem is kept in the session until the page that shows it.

use std::collections::BTreeMap;

use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use tower_sessions::Session;
use uuid::Uuid;

use super::{
    attempts::parse,
    body::FormBody,
    problem::ApiError,
    session::{FormSignedIn, SignedIn, unavailable},
};
use crate::{
    domain::problem::Problem,
    server::{
        services::{ServiceError, Services, connect},
        state::AppState,
    },
};

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/connectors/{slug}/connect", post(connect_form))
        .route("/connectors/{slug}/reconnect", post(reconnect_form))
        .route("/connectors/{slug}/disconnect", post(disconnect_form))
        .route("/connections/{id}/name", post(name_form))
        .route("/attempts/{id}/open", get(open))
        .route("/attempts/{id}/finish", post(finish))
        .route("/attempts/{id}/cancel", post(cancel))
}

/// A problem on its way to the page that shows it, with what was typed (never a secret).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Flash {
    pub problem: Option<Problem>,
    pub values: BTreeMap<String, String>,
}

impl Flash {
    pub fn is_empty(&self) -> bool {
        self.problem.is_none() && self.values.is_empty()
    }
}

const FLASH: &str = "flash";

/// Takes the flash out of the session.
pub async fn take_flash(session: &Session) -> Flash {
    // Removing marks the session as changed, which costs a write: only where there is one.
    if !matches!(session.get::<Flash>(FLASH).await, Ok(Some(_))) {
        return Flash::default();
    }
    session
        .remove(FLASH)
        .await
        .ok()
        .flatten()
        .unwrap_or_default()
}

type Fields = FormBody<BTreeMap<String, String>>;

async fn connect_form(
    FormSignedIn(signed_in): FormSignedIn,
    State(services): State<Services>,
    Path(slug): Path<String>,
    FormBody(fields): Fields,
) -> Result<Response, ApiError> {
    start(&signed_in, &services, &slug, fields).await
}

async fn reconnect_form(
    FormSignedIn(signed_in): FormSignedIn,
    State(services): State<Services>,
    Path(slug): Path<String>,
    FormBody(fields): Fields,
) -> Result<Response, ApiError> {
    // The row says whether there is something to renew: after an error without an account at
    // Nango, "Start again" is a connect.
    start(&signed_in, &services, &slug, fields).await
}

async fn start(
    SignedIn { user, session, .. }: &SignedIn,
    services: &Services,
    slug: &str,
    fields: BTreeMap<String, String>,
) -> Result<Response, ApiError> {
    let mut inputs = BTreeMap::new();
    let mut credentials = BTreeMap::new();
    let mut connection_id = None;
    for (name, value) in fields {
        if let Some(name) = name.strip_prefix("input.") {
            inputs.insert(name.to_owned(), value);
        } else if let Some(name) = name.strip_prefix("credential.") {
            credentials.insert(name.to_owned(), value);
        } else if name == "connection_id" {
            connection_id = Some(named(&value));
        }
    }
    let request = connect::Request {
        connection_id,
        reconnect: false,
        inputs: inputs.clone(),
        credentials: connect::secret(credentials),
    };
    match services.connect.start(user, slug, request).await {
        Ok(started) if started.oauth_url.is_none() => Ok(to_connector(slug)),
        Ok(started) => Ok(see_other(&format!("/attempts/{}", started.attempt_id))),
        Err(error) => {
            let shown = services.connect.shown_again(slug, inputs).await;
            explain(session, slug, connection_id, error, shown).await
        }
    }
}

/// Names an account; an empty name is none.
async fn name_form(
    FormSignedIn(SignedIn { user, session, .. }): FormSignedIn,
    State(services): State<Services>,
    Path(id): Path<String>,
    FormBody(fields): Fields,
) -> Result<Response, ApiError> {
    let id = named(&id);
    let name = fields.get("account").map(|name| name.trim());
    let name = name.filter(|name| !name.is_empty());
    match services.names.rename(&user, id, name).await {
        Ok(connection) => Ok(to_connector(&connection.connector)),
        Err(error) => {
            let all = services.pages.connections(&user).await?;
            match all.into_iter().find(|connection| connection.id == id) {
                Some(of) => explain(&session, &of.connector, None, error, BTreeMap::new()).await,
                None => Err(error.into()),
            }
        }
    }
}

async fn disconnect_form(
    FormSignedIn(SignedIn { user, session, .. }): FormSignedIn,
    State(services): State<Services>,
    Path(slug): Path<String>,
    FormBody(fields): Fields,
) -> Result<Response, ApiError> {
    let id = fields.get("connection_id");
    let connection_id = id.map(|id| named(id));
    match services.disconnect.run(&user, &slug, connection_id).await {
        Ok(_) => Ok(to_connector(&slug)),
        Err(error) => explain(&session, &slug, None, error, BTreeMap::new()).await,
    }
}

/// Another window for an open attempt. A plain address, so that a link can lead there: it makes a
/// new connect session and changes nothing here.
async fn open(
    FormSignedIn(SignedIn { user, session, .. }): FormSignedIn,
    State(services): State<Services>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let id = parse(&id)?;
    match services.attempts.open(&user, id).await {
        Ok(url) => Ok(Redirect::to(&url).into_response()),
        Err(ServiceError::Problem(problem)) if problem.code == "attempt_over" => {
            Ok(see_other(&format!("/attempts/{id}")))
        }
        Err(error) => explain_attempt(&session, id, error).await,
    }
}

async fn finish(
    FormSignedIn(SignedIn { user, session, .. }): FormSignedIn,
    State(services): State<Services>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let id = parse(&id)?;
    match services.attempts.finish(&user, id, None).await {
        Ok(_) => Ok(see_other(&format!("/attempts/{id}?asked=1"))),
        Err(error) => explain_attempt(&session, id, error).await,
    }
}

async fn cancel(
    FormSignedIn(SignedIn { user, session, .. }): FormSignedIn,
    State(services): State<Services>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let id = parse(&id)?;
    match services.attempts.cancel(&user, id).await {
        Ok(status) => Ok(to_connector(&status.connection.connector)),
        Err(error) => explain_attempt(&session, id, error).await,
    }
}

/// What went wrong with an attempt is told on its own page, where one can go on.
async fn explain_attempt(
    session: &Session,
    id: Uuid,
    error: ServiceError,
) -> Result<Response, ApiError> {
    let problem = Problem::from(error);
    if problem.code == "attempt_unknown" {
        return Err(problem.into());
    }
    keep(session, problem, BTreeMap::new()).await?;
    Ok(see_other(&format!("/attempts/{id}")))
}

/// An id that is none names nobody's account, not the only one there is.
fn named(id: &str) -> Uuid {
    Uuid::parse_str(id).unwrap_or_default()
}

/// `form`: the account that the form on the next page shall be about.
async fn explain(
    session: &Session,
    slug: &str,
    form: Option<Uuid>,
    error: ServiceError,
    values: BTreeMap<String, String>,
) -> Result<Response, ApiError> {
    let problem = Problem::from(error);
    if problem.code == "connector_unknown" {
        return Err(problem.into());
    }
    // An id that is nobody's, or somebody else's, names no account to go on with.
    let form = form.filter(|_| problem.code != "connection_unknown");
    keep(session, problem, values).await?;
    let mut path = connector_path(slug);
    if let Some(id) = form {
        path.push_str(&format!("?connection_id={id}"));
    }
    Ok(see_other(&path))
}

/// Keeps a problem for the next page that shows one.
pub async fn keep_problem(session: &Session, problem: Problem) -> Result<(), ApiError> {
    keep(session, problem, BTreeMap::new()).await
}

async fn keep(
    session: &Session,
    problem: Problem,
    values: BTreeMap<String, String>,
) -> Result<(), ApiError> {
    let flash = Flash {
        problem: Some(problem),
        values,
    };
    session.insert(FLASH, flash).await.map_err(unavailable)
}

fn to_connector(slug: &str) -> Response {
    see_other(&connector_path(slug))
}

fn connector_path(slug: &str) -> String {
    let slug = percent_encoding::utf8_percent_encode(slug, percent_encoding::NON_ALPHANUMERIC);
    // What needs no escape stays readable.
    let slug = slug.to_string().replace("%2D", "-");
    format!("/connectors/{slug}")
}

fn see_other(path: &str) -> Response {
    Redirect::to(path).into_response()
}
