//! Installations that wait for somebody's approval: the connection is there, but Nango can't use it
//! yet. Real ones are approved at the provider, which tells Nango; here the controls do.
//!
//! May import the sandbox's `answers`, `call`, `state` and `webhook`.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use serde_json::{Map, Value, json};

use super::{
    answers::{self, Answer},
    call::Call,
    state::{Connection, Sandbox},
    webhook,
};

/// The connection config of one that waits. `log_id` names the log entry of the flow.
pub fn waiting(log_id: String) -> Map<String, Value> {
    Map::from_iter([
        ("pending".to_owned(), json!(true)),
        ("pendingLog".to_owned(), json!(log_id)),
    ])
}

/// What Nango learns of an app's installation when a person comes back from it. With auth mode
/// `CUSTOM` an account whose name says "pending" has asked its administrator.
pub fn installation(auth_mode: &str, account: &str, log_id: String) -> Map<String, Value> {
    let app_id = ("app_id".to_owned(), json!("424242"));
    let installed = ("installation_id".to_owned(), json!("38631545"));
    match auth_mode {
        "CUSTOM" if account.to_lowercase().contains("pending") => {
            let mut config = waiting(log_id);
            config.extend([app_id]);
            config
        }
        "CUSTOM" => Map::from_iter([installed]),
        "APP" => Map::from_iter([app_id, installed]),
        _ => Map::new(),
    }
}

pub fn is_waiting(connection: &Connection) -> bool {
    connection.connection_config.contains_key("pendingLog")
}

impl Sandbox {
    /// Whether a connection still waits for its approval.
    pub fn is_pending(&self, connection_id: &str, integration: &str) -> bool {
        self.read(|state| {
            state
                .connection(connection_id, integration)
                .is_some_and(is_waiting)
        })
    }
}

/// Somebody approves at the provider: Nango finishes the connection and announces it once more.
pub async fn approve(
    State(sandbox): State<Arc<Sandbox>>,
    Path(id): Path<String>,
    call: Call,
) -> Answer {
    call.account(&sandbox)?;
    let now = sandbox.clock.now();
    let approved = sandbox.change(|state| {
        let connection = state.connections.any_mut(&id)?;
        if !is_waiting(connection) {
            return Some(None);
        }
        // Nango itself leaves `pending` behind; only the log entry tells.
        connection.connection_config.remove("pendingLog");
        let name = match connection.auth_mode.as_str() {
            "OAUTH2" => "installation.uuid",
            _ => "installation_id",
        };
        connection
            .connection_config
            .insert(name.to_owned(), json!("38631545"));
        connection.authorized_at = now;
        connection.updated_at = now;
        let event = webhook::authorized(connection, "override", None);
        state.tell(event);
        Some(Some(()))
    });
    match approved {
        None => Err(answers::message(
            StatusCode::NOT_FOUND,
            "not_found",
            "Failed to find connection",
        )),
        Some(None) => Err(answers::message(
            StatusCode::CONFLICT,
            "not_pending",
            "The connection does not wait for an approval",
        )),
        Some(Some(())) => Ok(answers::ok(&json!({"success": true}))),
    }
}
