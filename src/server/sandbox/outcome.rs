//! How a flow ended, told on the socket. Webhooks are told by `state` and `oauth`: they hear of more
//! than flows.
//!
//! May import the sandbox's `faults`, `pending` (through the state), `socket` and `state`.

use serde_json::json;

use super::{faults::SocketMishap, state::Sandbox};

pub struct Outcome<'a> {
    pub integration: &'a str,
    pub connection_id: &'a str,
    pub result: Result<(), &'a Failure>,
}

/// A flow that failed.
#[derive(Debug)]
pub struct Failure {
    /// The socket's word for it (`callback_err`).
    pub kind: &'static str,
    /// The socket's sentence.
    pub description: String,
    /// The page's sentence, where it is another one.
    pub shown: Option<String>,
}

impl Failure {
    pub fn new(kind: &'static str, description: String) -> Self {
        Self {
            kind,
            description,
            shown: None,
        }
    }
}

impl Sandbox {
    /// Announces the end of a flow.
    pub fn finished(&self, ws_client_id: Option<&str>, outcome: &Outcome<'_>) {
        let Some(client) = ws_client_id else {
            return;
        };
        match self.faults.socket() {
            SocketMishap::None => {}
            SocketMishap::Silent => return,
            SocketMishap::Severed => {
                self.sockets.sever(client);
                return;
            }
        }
        let message = match outcome.result {
            Ok(()) => json!({
                "message_type": "success",
                "provider_config_key": outcome.integration,
                "connection_id": outcome.connection_id,
                "is_pending": self.is_pending(outcome.connection_id, outcome.integration),
            }),
            Err(failure) => json!({
                "message_type": "error",
                "provider_config_key": outcome.integration,
                "connection_id": outcome.connection_id,
                "error_type": failure.kind,
                "error_desc": failure.description,
            }),
        };
        self.sockets.announce(client, message);
    }
}
