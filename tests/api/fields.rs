//! What a form asks for where only Nango knows it: a Nango of the test's own, which tells.

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{Path as Segment, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};

use crate::{
    app::{TestApp, eventually},
    support::db::TestDb,
};

#[derive(Clone, Default)]
struct Told {
    slow: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    refusal: Arc<Mutex<Option<(u16, Value)>>>,
}

async fn provider(Segment(name): Segment<String>, State(told): State<Told>) -> Response {
    told.asked.fetch_add(1, Ordering::SeqCst);
    if told.slow.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    let refusal = told.refusal.lock().expect("a lock").clone();
    if let Some((status, error)) = refusal {
        let status = StatusCode::from_u16(status).expect("a status");
        return (status, Json(json!({ "error": error }))).into_response();
    }
    if name != "agencyzoom" {
        let error = json!({"error": {"code": "not_found", "message": "Unknown provider"}});
        return (StatusCode::NOT_FOUND, Json(error)).into_response();
    }
    let field = |title: &str, order: u8, secret: bool| {
        json!({"type": "string", "title": title, "order": order, "secret": secret,
            "description": "As in AgencyZoom.", "example": "ada", "pattern": "^[a-z0-9 ]+$"})
    };
    Json(json!({"data": {
        "name": "agencyzoom",
        "display_name": "AgencyZoom",
        "auth_mode": "TWO_STEP",
        "credentials": {
            "password": field("AgencyZoom password", 2, true),
            "username": field("AgencyZoom user", 1, false),
        },
    }}))
    .into_response()
}

/// A server whose Nango is this stub.
async fn start(db: &TestDb, told: &Told) -> TestApp {
    let integrations = || async {
        let of = |key: &str| json!({"unique_key": key, "provider": key});
        Json(json!({"data": [of("agencyzoom"), of("apple-app-store"), of("unauthenticated")]}))
    };
    let stub = Router::new()
        .route("/integrations", get(integrations))
        .route("/providers/{name}", get(provider))
        .with_state(told.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, stub).await.expect("serving") });
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/manifests/modes");
    let manifests = manifests.display().to_string();
    let settings = [
        ("NANGO_BASE_URL", base.as_str()),
        ("MANIFESTS_DIR", manifests.as_str()),
    ];
    TestApp::with(db, &settings).await
}

on_both! {
    async fn the_fields_of_a_two_step_sign_in_come_from_nango(db: &TestDb) {
        let told = Told::default();
        let app = start(db, &told).await;
        let ada = app.sign_in("ada").await;
        let details = ada.get("/api/v1/connectors/agencyzoom").await.ok();
        let wanted = json!([
            {"name": "username", "label": "AgencyZoom user", "help": "As in AgencyZoom.",
             "example": "ada", "pattern": "^[a-z0-9 ]+$"},
            {"name": "password", "label": "AgencyZoom password", "help": "As in AgencyZoom.",
             "example": "ada", "pattern": "^[a-z0-9 ]+$", "secret": true},
        ]);
        assert_eq!(details["credentials"], wanted);
        assert!(details.get("unavailable").is_none(), "{details}");
        let page = ada.get("/connectors/agencyzoom").await.text;
        assert!(page.contains("name=\"credential.username\""), "{page}");
        assert_eq!(told.asked.load(Ordering::SeqCst), 1);

        // The server checks by the same fields, and repeats no secret.
        let body = json!({"credentials": {"username": "Ada!", "password": "HUNTER2"}});
        let answer = ada.post("/api/v1/connectors/agencyzoom/connect", &body).await;
        let problem = answer.problem(422, "input_invalid");
        assert_eq!(problem["errors"][0]["message"], "AgencyZoom user should look like “ada”.");
        assert_eq!(problem["errors"][1]["message"], "AgencyZoom password does not look right.");
        let fields = [("credential.username", "Ada!"), ("credential.password", "HUNTER2")];
        let ours = [("origin", app.base.as_str())];
        ada.form("/connectors/agencyzoom/connect", &fields, &ours).await.redirect(303);
        let page = ada.get("/connectors/agencyzoom").await.text;
        assert!(page.contains("Some fields need another look.") && !page.contains("HUNTER2"));
    }

    async fn a_page_does_not_wait_for_a_slow_nango(db: &TestDb) {
        let told = Told::default();
        told.slow.store(true, Ordering::SeqCst);
        let app = start(db, &told).await;
        let ada = app.sign_in("ada").await;
        let path = "/api/v1/connectors/agencyzoom";
        let began = Instant::now();
        let details = ada.get(path).await.ok();
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        assert_eq!(details["unavailable"]["code"], "fields_unknown");
        let body = json!({"credentials": {"password": "x"}});
        ada.post(&format!("{path}/connect"), &body).await.problem(503, "fields_unknown");
        // The answer is not lost, and nobody asked twice.
        let details: Value = eventually("the fields are known", || async {
            let details = ada.get(path).await.ok();
            details.get("unavailable").is_none().then_some(details)
        })
        .await;
        assert_eq!(details["credentials"][0]["name"], "username");
        assert_eq!(told.asked.load(Ordering::SeqCst), 1);
    }

    async fn where_nothing_is_asked_one_click_is_all(db: &TestDb) {
        let app = start(db, &Told::default()).await;
        let ada = app.sign_in("ada").await;
        let details = ada.get("/api/v1/connectors/unauthenticated").await.ok();
        assert_eq!((&details["auth"], &details["asks_first"]), (&json!("credentials"), &json!(false)));
        let page = ada.get("/connectors?q=open+data").await.text;
        assert!(page.contains("formaction=\"/connectors/unauthenticated/connect\""), "{page}");
        // Nango has nothing to say of this one, so there is nothing to fill in.
        let details = ada.get("/api/v1/connectors/apple-app-store").await.ok();
        assert_eq!(details["unavailable"]["code"], "fields_unknown");
        let reason = details["unavailable"]["reason"].as_str().unwrap_or_default();
        assert!(reason.contains("patchbay doctor") && !reason.contains("minute"), "{reason}");
    }

    async fn a_refusal_is_told_as_what_it_is(db: &TestDb) {
        for (status, error, code) in [
            (401, json!({"code": "unknown_account"}), "nango_key_refused"),
            (
                403,
                json!({"code": "forbidden", "message": "Insufficient scope. Required: environment:providers:read"}),
                "nango_scope_missing",
            ),
        ] {
            let told = Told::default();
            *told.refusal.lock().expect("a lock") = Some((status, error));
            let app = start(db, &told).await;
            let ada = app.sign_in("ada").await;
            let details = ada.get("/api/v1/connectors/agencyzoom").await.ok();
            assert_eq!(details["unavailable"]["code"], code, "{details}");
            let reason = details["unavailable"]["reason"].as_str().unwrap_or_default();
            assert!(!reason.contains("minute"), "{reason}");
        }
    }
}
