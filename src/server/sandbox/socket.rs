//! The WebSocket at `/`: it names the client at once, announces one flow, and stays open.
//!
//! May import the sandbox's `answers` and `state`.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    extract::{
        State,
        ws::{Message, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    response::Response,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    answers,
    state::{Sandbox, lock},
};

/// Clients that have not had their announcement yet. `None` severs the line.
#[derive(Debug, Default)]
pub struct Sockets(Mutex<HashMap<String, mpsc::UnboundedSender<Option<Value>>>>);

impl Sockets {
    /// Tells a client how its flow ended, once: after that the id is forgotten.
    pub fn announce(&self, ws_client_id: &str, message: Value) {
        if let Some(client) = lock(&self.0).remove(ws_client_id) {
            // A client that has gone meanwhile needs no message.
            let _ = client.send(Some(message));
        }
    }

    /// Drops a client's line in place of the announcement.
    pub fn sever(&self, ws_client_id: &str) {
        if let Some(client) = lock(&self.0).remove(ws_client_id) {
            let _ = client.send(None);
        }
    }
}

pub async fn open(
    State(sandbox): State<Arc<Sandbox>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    match upgrade {
        Ok(upgrade) => upgrade.on_upgrade(move |socket| serve(sandbox, socket)),
        // A person who opens the address is shown what this is.
        Err(_) => answers::redirect("/sandbox"),
    }
}

async fn serve(sandbox: Arc<Sandbox>, mut socket: WebSocket) {
    let id = sandbox.clock.random_id().to_string();
    let (sender, mut messages) = mpsc::unbounded_channel();
    lock(&sandbox.sockets.0).insert(id.clone(), sender);
    let ack = json!({"message_type": "connection_ack", "ws_client_id": id});
    let mut severed = sandbox.faults.severed();
    let mut open = socket.send(text(&ack)).await.is_ok();
    while open {
        tokio::select! {
            Some(message) = messages.recv() => open = match message {
                Some(message) => socket.send(text(&message)).await.is_ok(),
                None => false,
            },
            Ok(()) = severed.changed() => open = false,
            // What the client says is ignored.
            received = socket.recv() => open = matches!(received, Some(Ok(m)) if !matches!(m, Message::Close(_))),
            () = sandbox.stopped() => open = false,
        }
    }
    lock(&sandbox.sockets.0).remove(&id);
}

fn text(message: &Value) -> Message {
    Message::Text(message.to_string().into())
}
