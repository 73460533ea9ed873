//! What only the sandbox has: faults to order, connections to break, syncs to run, calls counted.
//! No fault and no rate limit touches the controls themselves.
//!
//! May import the sandbox's `answers`, `call`, `faults`, `state` and `webhook`.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answers::{self, Answer, Refusal},
    call::Call,
    faults::Fault,
    state::{Broken, Connection, Sandbox, State as Kept},
    webhook::{self, Found, Run},
};

pub async fn order_fault(State(sandbox): State<Arc<Sandbox>>, call: Call) -> Answer {
    call.account(&sandbox)?;
    let ordered = sandbox.faults.order(read::<Fault>(&call)?);
    ordered.map_err(|complaint| {
        answers::message(StatusCode::BAD_REQUEST, "invalid_body", complaint)
    })?;
    Ok(done())
}

pub async fn clear_faults(State(sandbox): State<Arc<Sandbox>>, call: Call) -> Answer {
    call.account(&sandbox)?;
    sandbox.faults.clear();
    Ok(done())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Break {
    /// Nango finds out only when somebody reads the credentials.
    unnoticed: bool,
}

/// The provider revokes the credentials: a refresh fails from now on, and unless `unnoticed`
/// Nango's own refresh has just failed.
pub async fn break_connection(
    State(sandbox): State<Arc<Sandbox>>,
    Path(id): Path<String>,
    call: Call,
) -> Answer {
    call.account(&sandbox)?;
    let unnoticed = read::<Break>(&call)?.unnoticed;
    let broken = Broken {
        log_id: (!unnoticed).then(|| sandbox.log_id()),
        last_failure: (!unnoticed).then(|| sandbox.clock.now()),
    };
    on_connection(&sandbox, &id, |connection| {
        connection.broken = Some(broken);
        (!unnoticed).then(|| webhook::refresh_failed(connection))
    })
}

/// The provider accepts the credentials again, and Nango has noticed.
pub async fn mend_connection(
    State(sandbox): State<Arc<Sandbox>>,
    Path(id): Path<String>,
    call: Call,
) -> Answer {
    call.account(&sandbox)?;
    // A recovery is told to nobody.
    on_connection(&sandbox, &id, |connection| {
        connection.broken = None;
        None
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ran {
    success: bool,
    #[serde(default = "sync_name")]
    sync_name: String,
    #[serde(default = "model")]
    model: String,
    #[serde(default = "one")]
    added: u64,
    #[serde(default)]
    updated: u64,
    #[serde(default)]
    deleted: u64,
    /// A sentence, or `{type, description}`.
    error: Option<RunError>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RunError {
    Sentence(String),
    Named {
        #[serde(rename = "type")]
        kind: String,
        description: String,
    },
}

fn sync_name() -> String {
    "records".to_owned()
}

fn model() -> String {
    "Record".to_owned()
}

fn one() -> u64 {
    1
}

/// A sync of the connection has just run.
pub async fn run_sync(
    State(sandbox): State<Arc<Sandbox>>,
    Path(id): Path<String>,
    call: Call,
) -> Answer {
    call.account(&sandbox)?;
    let ran: Ran = read(&call)?;
    let now = sandbox.clock.now();
    let (kind, description) = match &ran.error {
        Some(RunError::Named { kind, description }) => (kind.as_str(), description.as_str()),
        Some(RunError::Sentence(text)) => ("script_internal_error", text.as_str()),
        None => ("script_internal_error", "The sync failed."),
    };
    let result = if ran.success {
        Ok(Found {
            added: ran.added,
            deleted: ran.deleted,
            updated: ran.updated,
        })
    } else {
        Err(webhook::Fault { description, kind })
    };
    let run = Run {
        name: &ran.sync_name,
        model: &ran.model,
        started_at: now,
        ended_at: now,
        result,
    };
    on_connection(&sandbox, &id, |connection| {
        Some(webhook::synced(connection, &run))
    })
}

/// An integration removed in Nango's dashboard takes its connections along.
pub async fn remove_integration(
    State(sandbox): State<Arc<Sandbox>>,
    Path(key): Path<String>,
    call: Call,
) -> Answer {
    call.account(&sandbox)?;
    let removed = sandbox.change(|state| {
        state.connections.retain(|c| c.integration != key);
        state.integrations.remove(&key)
    });
    if removed.is_none() {
        return Err(answers::message(
            StatusCode::NOT_FOUND,
            "not_found",
            "Integration does not exist",
        ));
    }
    Ok(done())
}

/// `{calls: {"GET /connections": 3, …}, faults: {"status 503": 1, …}}` since the start.
pub async fn calls(State(sandbox): State<Arc<Sandbox>>, call: Call) -> Answer {
    call.account(&sandbox)?;
    Ok(answers::ok(&json!({
        "calls": sandbox.counts(),
        "faults": sandbox.faults.hits(),
    })))
}

/// Acts on a connection and tells what comes of it.
fn on_connection(
    sandbox: &Sandbox,
    id: &str,
    act: impl FnOnce(&mut Connection) -> Option<webhook::Event>,
) -> Answer {
    let found = sandbox.change(|state: &mut Kept| {
        let event = act(state.connections.any_mut(id)?);
        if let Some(event) = event {
            state.tell(event);
        }
        Some(())
    });
    match found {
        Some(()) => Ok(done()),
        None => Err(answers::message(
            StatusCode::NOT_FOUND,
            "not_found",
            "Failed to find connection",
        )),
    }
}

pub fn read<T: for<'de> Deserialize<'de>>(call: &Call) -> Result<T, Refusal> {
    let body = call.body.clone().unwrap_or_else(|| json!({}));
    serde_json::from_value(body).map_err(|error| {
        answers::message(StatusCode::BAD_REQUEST, "invalid_body", &error.to_string())
    })
}

pub fn done() -> axum::response::Response {
    let body: Value = json!({"success": true});
    answers::ok(&body)
}
