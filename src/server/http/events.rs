//! `/api/v1/events`: every change of the person's connections, as server-sent events.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
};
use futures::{Stream, future::BoxFuture};
use tokio::{
    sync::broadcast::error::RecvError,
    time::{MissedTickBehavior, interval},
};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    problem::ApiError,
    session::{self, Proof, SignedIn},
};
use crate::{
    domain::{connection::Connection, problem::Problem, timestamp::Timestamp},
    server::{
        live::{Message, Subscription},
        services::{Services, sessions::SIGNED_IN_AT},
    },
};

/// A stream ends after so long, and the browser comes back by itself: that renews its session and its
/// cookie, which no open stream could.
const LIFETIME: i64 = 60 * 60 * 1000;

/// A stream is never silent for longer: a proxy would take it for dead.
const WORD: Duration = Duration::from_secs(15);

/// When to come back after the end of a stream: soon, and not all at once.
const BACK: (Duration, Duration) = (Duration::from_millis(500), Duration::from_millis(3000));

/// An event as it arrives, for the OpenAPI document.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `Sse` writes")]
pub struct StreamEvent {
    event: StreamEventKind,
    /// JSON: an array of connections, one connection, or `{}`.
    #[schema(content_media_type = "application/json")]
    data: String,
    /// How many milliseconds to wait before coming back.
    #[schema(required = false)]
    retry: u64,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum StreamEventKind {
    Snapshot,
    Connection,
    Bye,
}

/// Every stream begins with `snapshot` (an array of connections: all there are); each `connection`
/// after it is the whole state of one, to be applied where its `version` is newer. `bye` ends the
/// stream: the session is over.
#[utoipa::path(get, path = "/api/v1/events", operation_id = "events", tag = "connections",
    security(("session" = [])), responses(
    (status = 200, description = "`snapshot`, `connection` and `bye` events", body = StreamEvent, content_type = "text/event-stream"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 429, body = Problem, content_type = "application/problem+json", description = "this person has too many open"),
    (status = 503, body = Problem, content_type = "application/problem+json", description = "no room for another one, or the database does not answer"),
))]
pub async fn stream(
    signed_in: SignedIn,
    State(services): State<Services>,
) -> Result<Response, ApiError> {
    let person = signed_in.user.id;
    let digest = session::digest(&signed_in.session);
    let changes = services.events.subscribe(person, &digest)?;
    let snapshot = services.events.snapshot(person).await?;
    let events = events(services, signed_in, snapshot, changes);
    Ok(Sse::new(events).into_response())
}

fn events(
    services: Services,
    SignedIn {
        user,
        session,
        proof,
    }: SignedIn,
    snapshot: Vec<Connection>,
    mut changes: Subscription,
) -> impl Stream<Item = Result<Event, Infallible>> {
    async_stream::stream! {
        let began = services.accounts.now();
        let person = user.id;
        // Thousands of streams may be open for an hour: they keep no more than they need.
        drop(user);
        let mut word = interval(WORD);
        word.set_missed_tick_behavior(MissedTickBehavior::Delay);
        word.tick().await;
        let back = services.events.some_time(BACK.0, BACK.1);
        yield Ok(event("snapshot", &snapshot).retry(back));
        drop(snapshot);
        loop {
            tokio::select! {
                change = changes.recv() => match change {
                    Ok(Message::Changed(connection)) => yield Ok(event("connection", &Arc::unwrap_or_clone(connection))),
                    Ok(Message::SessionsEnded) => if !lives(&services, &session, &proof, person).await { break },
                    // Too far behind: everything again. A database that does not answer ends the
                    // stream, and the browser comes back.
                    Ok(Message::Resync) | Err(RecvError::Lagged(_)) => {
                        if change.is_err() {
                            services.events.lagged();
                        }
                        match Box::pin(services.events.snapshot_again(person)).await {
                            Ok(snapshot) => yield Ok(event("snapshot", &snapshot)),
                            Err(_) => return,
                        }
                    },
                    Ok(Message::Stopping) => {
                        let back = services.events.some_time(BACK.0, BACK.1);
                        yield Ok(Event::default().retry(back).comment("this server ends"));
                        return;
                    }
                    Err(RecvError::Closed) => return,
                },
                _ = word.tick() => {
                    // What is known here without the database. It is asked for all streams together.
                    let over = Box::pin(over(&services, &session, &proof)).await;
                    if over && !lives(&services, &session, &proof, person).await { break }
                    if services.accounts.now().0.saturating_sub(began.0) >= LIFETIME { return }
                    yield Ok(Event::default().comment(""));
                },
            }
        }
        yield Ok(Event::default().event("bye").data("{}"));
    }
}

/// The token has run out, or the session is as old as one may be.
async fn over(services: &Services, session: &tower_sessions::Session, proof: &Proof) -> bool {
    match proof {
        Proof::Bearer { expires_at } => services.accounts.now() >= *expires_at,
        Proof::Session => {
            let began = session.get::<i64>(SIGNED_IN_AT).await.ok().flatten();
            began.is_some_and(|began| !services.accounts.session_lasts(Timestamp(began)))
        }
    }
}

fn event(name: &str, data: &impl serde::Serialize) -> Event {
    let data = serde_json::to_string(data).unwrap_or_default();
    Event::default().event(name).data(data)
}

/// Boxed: what is needed now and then would be a part of every open stream otherwise, and there may be
/// thousands.
fn lives<'a>(
    services: &'a Services,
    session: &'a tower_sessions::Session,
    proof: &'a Proof,
    person: Uuid,
) -> BoxFuture<'a, bool> {
    Box::pin(is_alive(services, session, proof, person))
}

/// The session is still the person's, the token still valid, and the person still let in. A store
/// that does not answer is no verdict.
async fn is_alive(
    services: &Services,
    session: &tower_sessions::Session,
    proof: &Proof,
    person: Uuid,
) -> bool {
    let admitted = services.accounts.by_id(person).await;
    if admitted.is_ok_and(|user| user.is_none()) {
        return false;
    }
    if let Proof::Bearer { expires_at } = proof {
        return services.accounts.now() < *expires_at;
    }
    if session.load().await.is_err() {
        return true;
    }
    let found = session::person(session, services).await;
    found.map_or(true, |id| id == Some(person))
}
