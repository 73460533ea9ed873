//! `/api/v1/events`: every change of the person's connections, as server-sent events.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::Stream;
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
    domain::{connection::Connection, problem::Problem},
    server::{live::Message, services::Services},
};

/// A stream ends after so long, and the browser comes back by itself: that renews its session and its
/// cookie, which no open stream could.
const LIFETIME: i64 = 60 * 60 * 1000;

/// How often a stream looks whether its session still lives.
const SESSION_CHECK: Duration = Duration::from_secs(15);

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
))]
pub async fn stream(
    signed_in: SignedIn,
    State(services): State<Services>,
) -> Result<Response, ApiError> {
    let person = signed_in.user.id;
    let changes = services.events.subscribe(person);
    let snapshot = services.events.snapshot(person).await?;
    let events = events(services, signed_in, snapshot, changes);
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15));
    Ok(Sse::new(events).keep_alive(keep_alive).into_response())
}

fn events(
    services: Services,
    SignedIn {
        user,
        session,
        proof,
    }: SignedIn,
    snapshot: Vec<Connection>,
    mut changes: tokio::sync::broadcast::Receiver<Message>,
) -> impl Stream<Item = Result<Event, Infallible>> {
    async_stream::stream! {
        let began = services.accounts.now();
        let mut check = interval(SESSION_CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        check.tick().await;
        yield Ok(event("snapshot", &snapshot).retry(Duration::from_secs(1)));
        loop {
            tokio::select! {
                change = changes.recv() => match change {
                    Ok(Message::Changed(connection)) => yield Ok(event("connection", &Arc::unwrap_or_clone(connection))),
                    Ok(Message::SessionsEnded) => if !lives(&services, &session, &proof, user.id).await { break },
                    // Too far behind: everything again. A database that does not answer ends the
                    // stream, and the browser comes back.
                    Ok(Message::Resync) | Err(RecvError::Lagged(_)) => match services.events.snapshot(user.id).await {
                        Ok(snapshot) => yield Ok(event("snapshot", &snapshot)),
                        Err(_) => return,
                    },
                    Err(RecvError::Closed) => return,
                },
                _ = check.tick() => {
                    if !lives(&services, &session, &proof, user.id).await { break }
                    if services.accounts.now().0.saturating_sub(began.0) >= LIFETIME { return }
                },
            }
        }
        yield Ok(Event::default().event("bye").data("{}"));
    }
}

fn event(name: &str, data: &impl serde::Serialize) -> Event {
    let data = serde_json::to_string(data).unwrap_or_default();
    Event::default().event(name).data(data)
}

/// The session is still the person's, the token still valid, and the person still let in. A store
/// that does not answer is no verdict.
async fn lives(
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
