//! The socket finds its path: Nango's usual one, or the one that a self-hosted server tells.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{OriginalUri, WebSocketUpgrade, ws::Message},
    response::Response,
    routing::{any, get, post},
};
use patchbay::server::nango::NangoService;
use serde_json::{Value, json};

use crate::{
    holding::session,
    stub::{Reply, Stub, service},
};

const LIMIT: Duration = Duration::from_millis(800);

struct Nango {
    base: String,
    opened: Arc<Mutex<Vec<String>>>,
    told: Arc<Mutex<usize>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Nango {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Nango {
    /// Its sockets are at `at`; a session is told `says`.
    async fn start(at: &str, prefix: &str, says: Option<&str>) -> Self {
        let opened = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::new(Mutex::new(0));
        let facts = match says {
            Some(path) => json!({"data": {"websocketsPath": path, "allowed_integrations": null}}),
            None => json!({"data": {}}),
        };
        let (seen, asked) = (opened.clone(), told.clone());
        let inner = Router::new()
            .route(
                at,
                any(move |OriginalUri(uri), upgrade| ack(upgrade, uri.path().to_owned(), seen)),
            )
            .route(
                "/connect/sessions",
                post(|| async {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    Json(json!({"data": {"token": "t", "expires_at": ""}}))
                }),
            )
            .route(
                "/connect/session",
                get(move || async move {
                    *asked.lock().unwrap() += 1;
                    Json::<Value>(facts)
                }),
            );
        // A nested "/" answers without the slash at its end too, so it is put beside it.
        let router = if prefix.is_empty() {
            inner
        } else {
            Router::new().nest(prefix, inner)
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let base = format!(
            "http://{}{prefix}",
            listener.local_addr().expect("an address")
        );
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("serving");
        });
        Self {
            base,
            opened,
            told,
            task,
        }
    }

    fn service(&self) -> NangoService {
        service(&self.base, Duration::from_secs(2), None)
    }
}

async fn ack(upgrade: WebSocketUpgrade, path: String, opened: Arc<Mutex<Vec<String>>>) -> Response {
    opened.lock().unwrap().push(path);
    upgrade.on_upgrade(|mut socket| async move {
        let ack = r#"{"message_type":"connection_ack","ws_client_id":"me"}"#;
        let _ = socket.send(Message::text(ack)).await;
        let _ = socket.recv().await;
    })
}

/// The first flow asks for its session at the same time, as the services do.
async fn first_flow(nango: &NangoService) -> Option<String> {
    let (session, socket) = tokio::join!(session(nango, None), nango.open_socket(LIMIT));
    session.expect("a session");
    socket.ok().map(|socket| socket.ws_client_id.clone())
}

#[tokio::test]
async fn the_path_that_a_session_tells_is_used_and_kept() {
    for (at, prefix, path) in [("/ws", "", "/ws"), ("/ws", "/nango", "/nango/ws")] {
        let server = Nango::start(at, prefix, Some("/ws")).await;
        let nango = server.service();
        assert_eq!(first_flow(&nango).await.as_deref(), Some("me"), "{prefix}");
        assert_eq!(*server.opened.lock().unwrap(), [path]);
        assert_eq!(first_flow(&nango.background()).await.as_deref(), Some("me"));
        assert_eq!(*server.opened.lock().unwrap(), [path, path]);
        assert_eq!(*server.told.lock().unwrap(), 1, "asked once in a life");
    }
}

#[tokio::test]
async fn the_cloud_tells_nothing_and_has_the_usual_path() {
    let server = Nango::start("/", "", None).await;
    let nango = server.service();
    assert!(nango.open_socket(LIMIT).await.is_ok());
    for _ in 0..2 {
        assert_eq!(first_flow(&nango).await.as_deref(), Some("me"));
        // What the session tells comes a moment later.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(*server.opened.lock().unwrap(), ["/", "/", "/"]);
}

#[tokio::test]
async fn without_a_socket_the_wait_ends_at_its_limit() {
    let server = Nango::start("/elsewhere", "", None).await;
    assert_eq!(first_flow(&server.service()).await, None);
    let silent = Stub::script(vec![Reply::Silence]).await;
    let started = std::time::Instant::now();
    assert!(silent.service().open_socket(LIMIT).await.is_err());
    assert!(started.elapsed() < LIMIT + Duration::from_millis(300));
}
