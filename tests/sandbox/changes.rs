//! What is made and changed with the secret key: integrations, imports, tags, metadata; and
//! refreshes that are given up.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Bench, KEY, answer, code};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

async fn patch(bench: &Bench, path: &str, body: &Value) -> (u16, Value) {
    let call = bench.call(Method::PATCH, path).bearer_auth(KEY).json(body);
    answer(call).await
}

#[tokio::test]
async fn an_integration_is_made_renamed_and_deleted_with_its_connections() {
    let bench = Bench::new().await;
    let wanted = json!({
        "provider": "trello",
        "unique_key": "boards",
        "forward_webhooks": false,
        "credentials": {
            "type": "OAUTH1", "client_id": "id", "client_secret": "hush", "scopes": "read,write",
        },
    });
    let (status, body) = answer(bench.post("/integrations", &wanted)).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["data"]["display_name"], "Trello");
    assert_eq!(body["data"]["forward_webhooks"], false);
    let (_, body) = answer(bench.get("/integrations/boards?include=credentials")).await;
    let shown = &body["data"]["credentials"];
    assert_eq!(
        (&shown["client_id"], &shown["scopes"]),
        (&json!("id"), &json!("read,write"))
    );
    assert_ne!(shown["client_secret"], "hush", "secrets are not kept");
    let (status, body) = answer(bench.get("/integrations/boards?include=all")).await;
    assert_eq!((status, code(&body)), (400, "invalid_query_params"));

    let (status, body) = patch(
        &bench,
        "/integrations/boards",
        &json!({"unique_key": "slack"}),
    )
    .await;
    assert_eq!((status, code(&body)), (400, "invalid_body"));
    let (status, _) = patch(
        &bench,
        "/integrations/boards",
        &json!({"unique_key": "cards"}),
    )
    .await;
    assert_eq!(status, 200);
    assert_eq!(answer(bench.get("/integrations/boards")).await.0, 404);
    bench.connect("u", "cards").await;
    let (status, body) = patch(&bench, "/integrations/cards", &json!({"unique_key": "b"})).await;
    assert_eq!(status, 400);
    let message = "Can't rename an integration with active connections";
    assert_eq!(body["error"]["message"], message);
    let (status, _) = patch(&bench, "/integrations/nope", &json!({})).await;
    assert_eq!(status, 404);

    assert_eq!(answer(bench.delete("/integrations/cards")).await.0, 200);
    assert!(bench.connections("").await.is_empty());
    let (status, body) = answer(bench.delete("/integrations/cards")).await;
    assert_eq!((status, code(&body)), (404, "not_found"));
}

#[tokio::test]
async fn an_integration_needs_the_credentials_of_its_mode() {
    let bench = Bench::new().await;
    let key = "-----BEGIN RSA PRIVATE KEY-----\nx\n-----END RSA PRIVATE KEY-----";
    let app = |private_key: &str| {
        json!({
            "provider": "github-app", "unique_key": "app",
            "credentials": {
                "type": "APP", "app_id": "1", "app_link": "https://github.com/apps/x",
                "private_key": private_key,
            },
        })
    };
    let (status, body) = answer(bench.post("/integrations", &app("nonsense"))).await;
    assert_eq!((status, code(&body)), (400, "invalid_body"));
    assert_eq!(body["error"]["errors"].as_array().unwrap().len(), 2);
    let (status, _) = answer(bench.post("/integrations", &app(key))).await;
    assert_eq!(status, 200);
    for (credentials, expected) in [
        (json!({"type": "NONSENSE"}), "invalid credentials object"),
        (json!("text"), "invalid credentials object"),
        (
            json!({"type": "OAUTH1", "client_id": "a", "client_secret": "b", "scopes": "a b"}),
            "Invalid input",
        ),
    ] {
        let wanted = json!({"provider": "trello", "unique_key": "t", "credentials": credentials});
        let (status, body) = answer(bench.post("/integrations", &wanted)).await;
        assert_eq!(
            (status, code(&body)),
            (400, "invalid_body"),
            "{credentials}"
        );
        assert_eq!(body["error"]["errors"][0]["message"], expected);
    }
    let other = json!({
        "provider": "trello", "unique_key": "t",
        "credentials": {"type": "OAUTH2", "client_id": "a", "client_secret": "b"},
    });
    let (_, body) = answer(bench.post("/integrations", &other)).await;
    let message = "incompatible credentials auth type and provider auth";
    assert_eq!(body["error"]["message"], message);
}

#[tokio::test]
async fn an_import_makes_or_overwrites_a_connection_and_keeps_no_secret() {
    let bench = Bench::new().await;
    let import = |key: &str, credentials: Value, user: &str| {
        let body = json!({
            "provider_config_key": key,
            "connection_id": "mine",
            "credentials": credentials,
            "end_user": {"id": user},
            "tags": {"plan": "Pro"},
            "metadata": {"by": user},
        });
        bench.post("/connections", &body)
    };
    let basic = json!({"type": "BASIC", "username": "", "password": "hush"});
    let (status, body) = answer(import("twilio", basic.clone(), "ada")).await;
    assert_eq!((status, &body["credentials"]), (201, &basic));
    assert_eq!(body["tags"], json!({"end_user_id": "ada", "plan": "Pro"}));
    assert_eq!(body["created_at"], "2026-11-22T13:34:50.123Z");
    let (status, _) = answer(import("twilio", basic.clone(), "bob")).await;
    assert_eq!(status, 201);
    let made = bench.only("bob").await;
    assert_eq!(
        (&made["connection_id"], &made["metadata"]["by"]),
        (&json!("mine"), &json!("bob"))
    );
    let (_, body) = answer(bench.get("/connections/mine?provider_config_key=twilio")).await;
    assert!(!body.to_string().contains("hush"));

    let (status, body) = answer(import("slack", basic, "ada")).await;
    assert_eq!((status, code(&body)), (400, "invalid_body"));
    let message = "Provider OAUTH2 does not support BASIC auth";
    assert_eq!(body["error"]["message"], message);
    let wrong = json!({"type": "API_KEY", "apiKey": "wrong"});
    let (status, body) = answer(import("openai", wrong, "ada")).await;
    assert_eq!((status, code(&body)), (400, "connection_test_failed"));
    let unknown = json!({"type": "BILL"});
    let (status, body) = answer(import("openai", unknown, "ada")).await;
    assert_eq!((status, code(&body)), (400, "invalid_body"));
    let issue = &body["error"]["errors"][0];
    assert_eq!(issue["path"], json!(["credentials", "type"]));
}

#[tokio::test]
async fn a_change_replaces_all_tags_and_sets_and_clears_the_address() {
    let bench = Bench::new().await;
    let id = bench.connect("ada", "slack").await;
    let path = format!("/connections/{id}?provider_config_key=slack");
    let tags = json!({"tags": {"Team": "Blue"}});
    assert_eq!(patch(&bench, &path, &tags).await.0, 200);
    let url = json!({"webhook_url_override": "https://hooks.example.com/x"});
    assert_eq!(patch(&bench, &path, &url).await.0, 200);
    let (_, body) = answer(bench.get(&path)).await;
    assert_eq!(body["tags"], json!({"team": "Blue"}));
    assert_eq!(body["webhook_url_override"], url["webhook_url_override"]);
    let clear = json!({"webhook_url_override": ""});
    assert_eq!(patch(&bench, &path, &clear).await.0, 200);
    let (_, body) = answer(bench.get(&path)).await;
    assert_eq!(body["webhook_url_override"], Value::Null);
    assert_eq!(
        body["tags"],
        json!({"team": "Blue"}),
        "not what was not said"
    );

    let loopback = json!({"webhook_url_override": "http://127.0.0.1:9/x"});
    let (status, body) = patch(&bench, &path, &loopback).await;
    assert_eq!((status, code(&body)), (400, "invalid_body"));
    let elsewhere = format!("/connections/{id}?provider_config_key=nope");
    let (status, body) = patch(&bench, &elsewhere, &tags).await;
    assert_eq!((status, code(&body)), (400, "unknown_provider_config"));
}

#[tokio::test]
async fn metadata_of_several_connections_changes_together_or_not_at_all() {
    let bench = Bench::new().await;
    let first = bench.connect("ada", "slack").await;
    let second = bench.connect("bob", "slack").await;
    let say = |ids: Value, metadata: Value| json!({"connection_id": ids, "provider_config_key": "slack", "metadata": metadata});
    let path = "/connections/metadata";
    let half = say(json!([first, "nope"]), json!({"a": 1}));
    let (status, body) = answer(bench.post(path, &half)).await;
    assert_eq!((status, code(&body)), (404, "unknown_connection"));
    assert_eq!(bench.only("ada").await["metadata"], Value::Null);
    let both = say(json!([first, second]), json!({"a": 1, "b": {"c": 1}}));
    assert_eq!(answer(bench.post(path, &both)).await.0, 201);
    let merge = say(json!(first), json!({"b": {"d": 2}}));
    assert_eq!(patch(&bench, path, &merge).await.0, 200);
    assert_eq!(
        bench.only("ada").await["metadata"],
        json!({"a": 1, "b": {"d": 2}})
    );
    assert_eq!(bench.only("bob").await["metadata"], both["metadata"]);
    let (status, body) = answer(bench.post(path, &say(json!(7), json!({})))).await;
    assert_eq!((status, code(&body)), (400, "invalid_body"));

    let old = format!("/connection/{first}/metadata?provider_config_key=slack");
    assert_eq!(answer(bench.post(&old, &json!({"z": 1}))).await.0, 201);
    assert_eq!(bench.only("ada").await["metadata"], json!({"z": 1}));
    let unnamed = format!("/connection/{first}/metadata");
    let (status, body) = answer(bench.post(&unnamed, &json!({"z": 2}))).await;
    assert_eq!((status, code(&body)), (404, "unknown_connection"));
}

#[tokio::test]
async fn refreshes_are_given_up_on_the_fourth_day_and_only_force_tries_again() {
    let bench = Bench::new().await;
    let id = bench.connect("u", "hubspot").await;
    let control = format!("/sandbox/control/connections/{id}/break");
    answer(bench.post(&control, &json!({"unnoticed": true}))).await;
    let path = format!("/connections/{id}?provider_config_key=hubspot");
    let proxy = || {
        bench
            .get("/proxy/crm/v3/objects")
            .header("connection-id", &id)
            .header("provider-config-key", "hubspot")
    };
    for day in 0..4 {
        // Several on one day count once.
        for _ in 0..3 {
            let (status, body) = answer(bench.get(&path)).await;
            assert_eq!((status, code(&body)), (400, "invalid_credentials"), "{day}");
            if day == 3 {
                break;
            }
            bench.clock.advance(31_000);
        }
        if day < 3 {
            bench.clock.advance(DAY_MS - 93_000);
        }
    }
    let (status, body) = answer(bench.get(&path)).await;
    assert_eq!(status, 424);
    let message = "The refresh limit has been reached for this connection.";
    assert_eq!(body["error"]["message"], message);
    let (status, body) = answer(proxy()).await;
    assert_eq!((status, code(&body)), (424, "server_error"));
    answer(bench.delete(&control)).await;
    assert_eq!(answer(bench.get(&path)).await.0, 200);
    assert_eq!(answer(proxy()).await.0, 200);
    let (status, body) = answer(bench.get("/proxy/x")).await;
    assert_eq!((status, code(&body)), (400, "invalid_headers"));
    let unknown = "/sandbox/control/connections/nope/exhaust";
    assert_eq!(answer(bench.post(unknown, &json!({}))).await.0, 404);
}
