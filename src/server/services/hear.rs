//! What the server's own WebSocket to Nango says of a flow, and what Nango's words mean.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    core::Core,
    dictionary,
    settle::{self, Outcome},
};
use crate::server::{
    db::attempt,
    metrics::outcomes::Way,
    nango::{socket::Socket, wire::SocketMessage},
};

/// Waits for the one announcement of a flow.
pub async fn listen(core: Arc<Core>, attempt: attempt::Row, mut socket: Socket) {
    while let Some(message) = socket.next().await {
        let result = match message {
            SocketMessage::Success {
                provider_config_key,
                connection_id,
                is_pending,
            } if provider_config_key == attempt.provider_config_key => {
                core.watch
                    .confirm(&core, &attempt, &connection_id, is_pending, Way::Socket)
                    .await
            }
            SocketMessage::Error {
                error_type,
                error_desc,
                ..
            } => {
                let outcome = failure(attempt.id, &error_type, &error_desc);
                settle::settle(&core, attempt.id, outcome, Way::Socket).await
            }
            _ => continue,
        };
        if let Err(error) = result {
            tracing::warn!(%error, attempt = %attempt.id, "the socket's outcome is left to the poll");
            core.watch.hurry(attempt.id);
        }
        return;
    }
}

/// What Nango's words about a flow mean for its attempt; the log keeps the words themselves, beside
/// the reference that the person is shown.
pub fn failure(attempt: Uuid, error_type: &str, description: &str) -> Outcome {
    let entry = dictionary::flow_failure(error_type, description);
    tracing::warn!(
        %attempt,
        reference = dictionary::attempt_reference(attempt),
        code = entry.code,
        error_type = dictionary::one_line(error_type, 60),
        description = dictionary::one_line(dictionary::loggable(description), 500),
        "a flow failed at Nango"
    );
    entry.outcome(attempt)
}
