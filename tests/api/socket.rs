//! Nango's socket: it may hang, lie or name somebody else's connection.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::any,
};
use serde_json::json;
use tokio::net::TcpListener;

use crate::{
    app::{TestApp, client},
    nango::{Decision, Pretend},
    person::text,
};

/// Nango behind something that lets every call through, and every WebSocket wait for ever.
async fn without_sockets(nango: &Pretend) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let router = Router::new()
        .route("/", any(std::future::pending::<()>))
        .fallback(pass_on)
        .with_state((client(), nango.base.clone()));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

async fn pass_on(
    State((http, base)): State<(reqwest::Client, String)>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
    let path = parts.uri.path_and_query().map_or("/", |p| p.as_str());
    let mut onward = http
        .request(parts.method, format!("{base}{path}"))
        .body(body);
    for name in ["authorization", "content-type"] {
        if let Some(value) = parts.headers.get(name) {
            onward = onward.header(name, value);
        }
    }
    let answer = onward.send().await.expect("the sandbox");
    let status = answer.status();
    (status, answer.bytes().await.expect("a body")).into_response()
}

/// The value of a parameter of an address.
fn param(url: &str, name: &str) -> String {
    let url = reqwest::Url::parse(url).expect("an address");
    let found = url.query_pairs().find(|(n, _)| n == name);
    found.expect("the parameter").1.into_owned()
}

on_both! {
    async fn connect_does_not_wait_for_a_socket_that_hangs(db: &TestDb) {
        let nango = Arc::new(Pretend::start().await);
        let proxy = without_sockets(&nango).await;
        let settings = [("NANGO_BASE_URL", proxy.as_str())];
        let app = TestApp::at(db, nango, patchbay::server::clock::Clock::system(), &settings).await;
        let ada = app.sign_in("ada").await;
        // Nango's calls have ten seconds: an answer within three has not waited for the socket.
        let started = tokio::time::timeout(Duration::from_secs(3), ada.connect("gmail"))
            .await
            .expect("an answer in time");
        let url = text(&started["oauth_url"]);
        assert!(!url.contains("ws_client_id"), "{url}");
        let direct = url.replacen(&proxy, &app.nango.base, 1);
        app.nango.popup(&direct, Decision::Allow).await;
        ada.until("gmail", "connected").await;
    }

    async fn a_connection_of_another_person_is_never_bound(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let started = ada.connect("gmail").await;
        let other = app.sign_in("grace").await.connect("zoom").await;
        let ada_id = app.user_id("ada").await.to_string();
        let grace_id = app.user_id("grace").await.to_string();
        let socket = param(text(&started["oauth_url"]), "ws_client_id");
        // Wrong person, wrong attempt, no tags at all, wrong integration. The first of them comes
        // on Ada's own socket.
        let tags = json!({"attempt_id": started["attempt_id"], "end_user_id": grace_id});
        app.nango.connect_with_tags("google-mail", &tags, Some(&socket)).await;
        let tags = json!({"attempt_id": other["attempt_id"], "end_user_id": ada_id});
        app.nango.connect_with_tags("google-mail", &tags, None).await;
        app.nango.connect_with_tags("google-mail", &json!({}), None).await;
        let tags = json!({"attempt_id": started["attempt_id"], "end_user_id": ada_id});
        app.nango.connect_with_tags("slack", &tags, None).await;

        let finish = format!("/api/v1/attempts/{}/finish", text(&started["attempt_id"]));
        assert_eq!(ada.post(&finish, &json!({})).await.ok()["state"], "open");
        assert_eq!(ada.connection("gmail").await["status"], "pending");
        // Nor is what belongs to somebody else deleted.
        assert_eq!(app.nango.connections().await.len(), 4);

        // The right one is found, though the socket has spoken already.
        app.nango.popup(text(&started["oauth_url"]), Decision::Allow).await;
        ada.until("gmail", "connected").await;
        assert_eq!(app.nango.connections().await.len(), 5);
    }
}
