//! The server's own WebSocket to Nango: it announces the outcome of the one flow whose address
//! carries its id.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures::{SinkExt, StreamExt};
use secrecy::SecretString;
use tokio::{net::TcpStream, sync::watch};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite::Message};
use url::Url;

use super::{NangoError, NangoService, wire::SocketMessage};
use crate::server::request;

/// An open socket that has said its id.
pub struct Socket {
    pub ws_client_id: String,
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

/// Where the server listens for sockets, once a connect session has told it.
#[derive(Debug)]
pub struct Path {
    told: watch::Sender<Option<String>>,
    /// Somebody is asking already.
    asking: AtomicBool,
}

impl Default for Path {
    fn default() -> Self {
        Self {
            told: watch::Sender::new(None),
            asking: AtomicBool::new(false),
        }
    }
}

const USUAL: &str = "/";

impl NangoService {
    /// Opens a socket and waits for its id, for `limit` at most. It needs no key: the id is the
    /// secret.
    pub async fn open_socket(&self, limit: Duration) -> Result<Socket, NangoError> {
        tokio::time::timeout(limit.min(self.timeout), self.connect_socket())
            .await
            .map_err(|_| unreachable("the socket did not open in time"))?
    }

    async fn connect_socket(&self) -> Result<Socket, NangoError> {
        let mut told = self.socket_path.told.subscribe();
        let known = told.borrow_and_update().clone();
        let first = self.connect_at(known.as_deref().unwrap_or(USUAL)).await;
        if known.is_some() || first.is_ok() {
            return first;
        }
        // The very first flow asks for its session at the same time, and that will tell the path.
        let path = match told.wait_for(Option::is_some).await {
            Ok(path) => path.clone(),
            Err(_) => None,
        };
        match path {
            Some(path) if path != USUAL => self.connect_at(&path).await,
            _ => first,
        }
    }

    async fn connect_at(&self, path: &str) -> Result<Socket, NangoError> {
        let url = self.socket_url(path)?;
        let (mut stream, _) = tokio_tungstenite::connect_async(url.as_str())
            .await
            .map_err(|error| unreachable(&error.to_string()))?;
        while let Some(message) = stream.next().await {
            let message = message.map_err(|error| unreachable(&error.to_string()))?;
            if let Some(SocketMessage::ConnectionAck { ws_client_id }) = read(&message) {
                return Ok(Socket {
                    ws_client_id,
                    stream,
                });
            }
        }
        Err(unreachable("the socket closed before it said its id"))
    }

    /// The server knows its own path only; a proxy's prefix is ours to keep.
    fn socket_url(&self, path: &str) -> Result<Url, NangoError> {
        let mut url = self.base_url.clone();
        let scheme = if url.scheme() == "http" { "ws" } else { "wss" };
        if url.set_scheme(scheme).is_err() {
            return Err(unreachable("the base address has no WebSocket form"));
        }
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/{}", path.trim_start_matches('/')));
        Ok(url)
    }

    /// Asks once in the life of the service, beside the flow that the session is for. Where it
    /// fails the next session asks again.
    pub(super) fn learn_socket_path(&self, token: &SecretString) {
        let path = &self.socket_path;
        if path.told.borrow().is_some() || path.asking.swap(true, Ordering::AcqRel) {
            return;
        }
        let (service, token) = (self.clone(), token.clone());
        tokio::spawn(request::carry(async move {
            if let Ok(facts) = service.connect_session_facts(&token).await {
                let path = facts.websockets_path.filter(|path| !path.is_empty());
                let path = path.unwrap_or_else(|| USUAL.to_owned());
                service.socket_path.told.send_replace(Some(path));
            }
            service.socket_path.asking.store(false, Ordering::Release);
        }));
    }
}

impl Socket {
    /// The next message that means something; `None` when the socket is gone.
    pub async fn next(&mut self) -> Option<SocketMessage> {
        loop {
            match self.stream.next().await? {
                Ok(Message::Ping(payload)) => {
                    // The library answers on the next write; flushing is that write.
                    if self.stream.send(Message::Pong(payload)).await.is_err() {
                        return None;
                    }
                }
                Ok(message) => {
                    if let Some(message) = read(&message) {
                        return Some(message);
                    }
                }
                Err(_) => return None,
            }
        }
    }
}

fn read(message: &Message) -> Option<SocketMessage> {
    let Message::Text(text) = message else {
        return None;
    };
    serde_json::from_str(text).ok()
}

fn unreachable(reason: &str) -> NangoError {
    NangoError::Unreachable {
        reason: reason.to_owned(),
    }
}
