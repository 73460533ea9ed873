//! Who is asking: the person of the session's cookie, or of a bearer token.

use std::sync::Arc;

use axum::{
    extract::{FromRef, FromRequestParts, Request},
    http::{Extensions, HeaderMap, HeaderValue, Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use tower_sessions::{Expiry, MemoryStore, Session};
use uuid::Uuid;

use super::problem::ApiError;
use crate::{
    domain::{problem::Problem, timestamp::Timestamp, user::User},
    server::services::{
        Services,
        accounts::Entered,
        origin, outage,
        sessions::{self, ADDRESS, PERSON, SIGNED_IN_AT, USER_AGENT, VALID_FROM},
        tokens::Bearer,
    },
};

/// The session's entry that says whose it is; the session's table has a column for it too.
pub const USER_ID: &str = "user_id";

/// By what a person is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The cookie: a browser sends it by itself, so unsafe methods need a proof of their own.
    Session,
    /// The host product's token, valid until then. Whoever sends it means to.
    Bearer { expires_at: Timestamp },
}

/// A signed-in person; without one the request ends with 401.
#[derive(Clone)]
pub struct SignedIn {
    pub user: User,
    /// With a bearer token: one that nobody has, and that is never written.
    pub session: Session,
    pub proof: Proof,
}

/// A signed-in person, or nobody.
pub struct MaybeSignedIn(pub Option<SignedIn>);

impl<S> FromRequestParts<S> for SignedIn
where
    S: Send + Sync,
    Services: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        MaybeSignedIn::from_request_parts(parts, state)
            .await?
            .0
            .ok_or_else(ApiError::signed_out)
    }
}

/// What was found out about a request already.
#[derive(Clone)]
struct Known(Option<SignedIn>);

impl<S> FromRequestParts<S> for MaybeSignedIn
where
    S: Send + Sync,
    Services: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        if let Some(Known(known)) = parts.extensions.get::<Known>() {
            return Ok(Self(known.clone()));
        }
        let found = find(parts, &Services::from_ref(state)).await?;
        parts.extensions.insert(Known(found.clone()));
        Ok(Self(found))
    }
}

/// Who was found to be asking; nobody where it was not asked yet.
pub fn known(extensions: &Extensions) -> Option<&User> {
    let Known(found) = extensions.get::<Known>()?;
    found.as_ref().map(|signed_in| &signed_in.user)
}

/// A token counts where there is one, and then the cookie does not: the two never mix.
async fn find(parts: &Parts, services: &Services) -> Result<Option<SignedIn>, ApiError> {
    if let Some(token) = bearer(&parts.headers)? {
        let (user, expires_at) = services.tokens.verify(token).await?;
        return Ok(Some(SignedIn {
            user,
            session: Session::new(None, Arc::new(MemoryStore::default()), None),
            proof: Proof::Bearer { expires_at },
        }));
    }
    let Some(session) = parts.extensions.get::<Session>().cloned() else {
        return Ok(None);
    };
    let Some(id) = person(&session, services).await? else {
        return Ok(None);
    };
    // Known already, but where the session is not as it was read.
    let read = session.get::<User>(PERSON).await.ok().flatten();
    let user = match read.filter(|user| user.id == id) {
        Some(user) => Some(user),
        None => services.accounts.by_id(id).await?,
    };
    if user.is_some() {
        renew(&session, services).await?;
    }
    Ok(user.map(|user| SignedIn {
        user,
        session,
        proof: Proof::Session,
    }))
}

/// The bearer token, where the request carries one (RFC 6750, section 2.1). Any other scheme is
/// refused rather than passed over: whoever sends one expects it to be looked at.
pub fn bearer(headers: &HeaderMap) -> Result<Option<Bearer<'_>>, ApiError> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let token = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    match token {
        Some(token) if !token.is_empty() => Ok(Some(Bearer(token))),
        _ => Err(crate::server::services::tokens::refused().into()),
    }
}

/// A signed-in person who posted a form; others are led to the sign-in page.
pub struct FormSignedIn(pub SignedIn);

impl<S> FromRequestParts<S> for FormSignedIn
where
    S: Send + Sync,
    Services: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let MaybeSignedIn(person) = MaybeSignedIn::from_request_parts(parts, state)
            .await
            .map_err(IntoResponse::into_response)?;
        person
            .map(Self)
            .ok_or_else(|| Redirect::to("/sign-in").into_response())
    }
}

/// When the session was last renewed, in milliseconds since 1970.
const LAST_SEEN_AT: &str = "last_seen_at";

/// A session that is used is renewed so often: more often would make every request a write.
const RENEW_EVERY: i64 = 15 * 60 * 1000;

/// Begins the session's idle time anew, whatever asks: a page, a call of the API, an event stream.
async fn renew(session: &Session, services: &Services) -> Result<(), ApiError> {
    let last = session
        .get::<i64>(LAST_SEEN_AT)
        .await
        .map_err(unavailable)?;
    let now = services.accounts.now();
    if last.is_some_and(|last| now.0.saturating_sub(last) < RENEW_EVERY) {
        return Ok(());
    }
    seen(session, now, services).await
}

async fn seen(session: &Session, now: Timestamp, services: &Services) -> Result<(), ApiError> {
    // By the server's clock, not by the session layer's own.
    let idle = i64::try_from(services.accounts.session_idle().as_millis()).unwrap_or(i64::MAX);
    let over = i128::from(now.0.saturating_add(idle)) * 1_000_000;
    if let Ok(over) = time::OffsetDateTime::from_unix_timestamp_nanos(over) {
        session.set_expiry(Some(Expiry::AtDateTime(over)));
    }
    let seen = session.insert(LAST_SEEN_AT, now.0).await;
    seen.map_err(unavailable)
}

/// So long lives the session of somebody who has not signed in: a sign-in takes no longer.
const WITHOUT_A_PERSON: time::Duration = time::Duration::minutes(15);

/// Whoever is nobody yet leaves nothing behind for longer than a sign-in takes.
pub async fn keep_briefly(session: &Session) -> Result<(), ApiError> {
    let found = session.get::<Uuid>(USER_ID).await.map_err(unavailable)?;
    if found.is_none() {
        session.set_expiry(Some(Expiry::OnInactivity(WITHOUT_A_PERSON)));
    }
    Ok(())
}

/// Lets a person in: a new session of their own. Whoever was signed in before is signed out; nothing
/// of theirs is taken along, not even a form's words, and whoever knew the old id stays outside.
pub async fn begin(
    session: &Session,
    entered: &Entered,
    services: &Services,
) -> Result<(), ApiError> {
    leave(session, services).await?;
    services.sessions.make_room(&entered.user).await?;
    let now = services.accounts.now();
    let signed_in_at = session.insert(SIGNED_IN_AT, now.0).await;
    signed_in_at.map_err(unavailable)?;
    seen(session, now, services).await?;
    // For the person's own list of where they are signed in; it ends with the session.
    let origin = origin::current().unwrap_or_default();
    for (name, value) in [(ADDRESS, origin.address), (USER_AGENT, origin.user_agent)] {
        if let Some(value) = value {
            session.insert(name, value).await.map_err(unavailable)?;
        }
    }
    set_valid_from(session, entered.valid_from).await?;
    let id = entered.user.id;
    session.insert(USER_ID, id).await.map_err(unavailable)
}

/// Signs out whoever is signed in, and goes on as nobody, under a new id and with nothing of theirs.
pub async fn leave(session: &Session, services: &Services) -> Result<(), ApiError> {
    let before = session.get::<Uuid>(USER_ID).await.map_err(unavailable)?;
    if let Some(before) = before {
        services.sessions.give_way(before, &digest(session)).await?;
    }
    session.clear().await;
    session.cycle_id().await.map_err(half_done)
}

/// What ends all of the person's sessions from now on ends this one; what did before does not.
pub async fn set_valid_from(session: &Session, from: Timestamp) -> Result<(), ApiError> {
    session
        .insert(VALID_FROM, from.0)
        .await
        .map_err(unavailable)
}

/// The person of a session. However much it is used, one day it is over, and then it is removed; so
/// is one that does not say when it began.
pub async fn person(session: &Session, services: &Services) -> Result<Option<Uuid>, ApiError> {
    let id = session.get::<Uuid>(USER_ID).await.map_err(unavailable)?;
    let Some(id) = id else {
        return Ok(None);
    };
    let began = session.get::<i64>(SIGNED_IN_AT).await;
    let began = began.map_err(unavailable)?.map(Timestamp);
    if began.is_some_and(|began| services.accounts.session_lasts(began)) {
        return Ok(Some(id));
    }
    // Where it cannot be removed, it is over all the same.
    if let Err(error) = session.flush().await {
        tracing::warn!(%error, "a session that is over stays");
    }
    Ok(None)
}

/// How this session is named among the person's own; nothing with a bearer token.
pub fn digest(session: &Session) -> String {
    let id = session.id().map(|id| sessions::digest(&id.to_string()));
    id.unwrap_or_default()
}

/// The session store does not answer.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err asks for"
)]
pub fn unavailable(error: tower_sessions::session::Error) -> ApiError {
    tracing::error!(%error, "sessions");
    no_database(outage::of_sessions(&error.to_string(), false))
}

/// The same, where something has been changed already.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err asks for"
)]
pub fn half_done(error: tower_sessions::session::Error) -> ApiError {
    tracing::error!(%error, "sessions");
    no_database(outage::of_sessions(&error.to_string(), true))
}

fn no_database(problem: Problem) -> ApiError {
    ApiError::from(problem).retry_after(outage::RETRY_AFTER_SECONDS)
}

/// Stands on the answer to whoever asked to be signed out here.
#[derive(Clone, Copy)]
pub struct SignedOut;

/// The cookie of a session that is over stays with the browser, unless it has just been signed out:
/// another tab may have signed in meanwhile, and by the time of the answer its cookie is a newer one.
pub async fn keep_cookie(mut response: Response) -> Response {
    if response.extensions().get::<SignedOut>().is_none() {
        let all = response.headers_mut();
        let kept: Vec<_> = all.get_all(header::SET_COOKIE).iter().cloned().collect();
        all.remove(header::SET_COOKIE);
        for value in kept {
            if !takes_away(&value) {
                all.append(header::SET_COOKIE, value);
            }
        }
    }
    response
}

/// Whether it empties a cookie (RFC 6265, section 5.2).
fn takes_away(value: &HeaderValue) -> bool {
    let pair = value.as_bytes().split(|byte| *byte == b';').next();
    pair.is_some_and(|pair| pair.ends_with(b"="))
}

/// What shows all of a person's connections, and is asked for most.
const SHOW_ALL: [&str; 3] = ["/connectors", "/api/v1/connectors", "/api/v1/connections"];

/// There they are read along with the session.
pub async fn with_connections(request: Request, next: Next) -> Response {
    let shows_all = request.method() == Method::GET && SHOW_ALL.contains(&request.uri().path());
    if shows_all {
        sessions::with_connections(next.run(request)).await
    } else {
        next.run(request).await
    }
}

/// Stands on every answer that comes from behind the session layer.
#[derive(Clone, Copy)]
struct Answered;

pub async fn answered(mut response: Response) -> Response {
    response.extensions_mut().insert(Answered);
    response
}

/// Where a session cannot be written, its layer throws the answer away and gives a bare 500 in its
/// place: that becomes a problem like any other of the database. What was asked for is done by then.
pub async fn or_unavailable(response: Response) -> Response {
    if response.extensions().get::<Answered>().is_some() {
        return response;
    }
    no_database(outage::afterwards()).into_response()
}
