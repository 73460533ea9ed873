//! Connections in the shapes in which Nango shows them.
//!
//! May import `domain` and the sandbox's `state`.

use serde_json::{Map, Value, json};

use super::state::Connection;
use crate::domain::timestamp::Timestamp;

pub const TOKEN_LIFE_MS: i64 = 3_600_000;

/// Stands where Nango would show what was typed.
pub const NOT_KEPT: &str = "sandbox-not-kept";

/// An entry of the list.
pub fn entry(connection: &Connection) -> Value {
    let mut shown = common(connection);
    shown.insert("created".into(), json!(offset_time(connection.created_at)));
    Value::Object(shown)
}

/// One connection with its credentials.
pub fn full(connection: &Connection, now: Timestamp, credentials: &Value) -> Value {
    with_times(connection, now, credentials, offset_time)
}

/// The same as the answer to an import writes it.
pub fn imported(connection: &Connection, now: Timestamp, credentials: &Value) -> Value {
    with_times(connection, now, credentials, |at| at.to_rfc3339())
}

fn with_times(
    connection: &Connection,
    now: Timestamp,
    credentials: &Value,
    time: impl Fn(Timestamp) -> String,
) -> Value {
    let mut shown = common(connection);
    for (name, value) in [
        ("connection_config", json!(connection.connection_config)),
        (
            "webhook_url_override",
            json!(connection.webhook_url_override),
        ),
        ("created_at", json!(time(connection.created_at))),
        ("updated_at", json!(time(connection.updated_at))),
        ("last_fetched_at", json!(time(now))),
        ("credentials", credentials.clone()),
    ] {
        shown.insert(name.to_owned(), value);
    }
    Value::Object(shown)
}

fn common(connection: &Connection) -> Map<String, Value> {
    let shown = json!({
        "id": connection.id,
        "connection_id": connection.connection_id,
        "provider_config_key": connection.integration,
        "provider": connection.provider,
        "errors": connection.errors(),
        "end_user": connection.end_user,
        "tags": connection.tags,
        "metadata": connection.metadata,
    });
    shown.as_object().cloned().unwrap_or_default()
}

/// PostgreSQL's way of writing UTC, which Nango passes on.
fn offset_time(at: Timestamp) -> String {
    at.to_rfc3339().replace('Z', "+00:00")
}

/// Pretend credentials: what was typed is not kept.
pub fn credentials(connection: &Connection, with_refresh_token: bool) -> Value {
    let expires_at = Timestamp(connection.authorized_at.0 + TOKEN_LIFE_MS);
    let token = format!("sandbox-at-{}", connection.id);
    let raw = json!({"access_token": token, "expires_in": 3600, "token_type": "Bearer"});
    let mode = connection.auth_mode.as_str();
    let typed = |fields: &[&str], made: Value| {
        let mut shown = made.as_object().cloned().unwrap_or_default();
        shown.insert("type".to_owned(), json!(mode));
        for field in fields {
            shown.insert((*field).to_owned(), json!(NOT_KEPT));
        }
        Value::Object(shown)
    };
    let with_token = json!({"token": token, "expires_at": expires_at});
    match mode {
        "API_KEY" => typed(&["apiKey"], json!({})),
        "BASIC" => typed(&["username", "password"], json!({})),
        "OAUTH2_CC" => {
            let made = json!({"token": token, "expires_at": expires_at, "raw": raw});
            typed(&["client_id", "client_secret"], made)
        }
        "OAUTH1" => typed(
            &[],
            json!({
                "oauth_token": token,
                "oauth_token_secret": NOT_KEPT,
                "raw": {"oauth_token": token, "oauth_token_secret": NOT_KEPT},
            }),
        ),
        "TBA" => typed(
            &["token_id", "token_secret"],
            json!({"config_override": {}}),
        ),
        "SIGNATURE" => typed(&["username", "password"], with_token),
        "JWT" => typed(&[], with_token),
        "TWO_STEP" => {
            let made = json!({"token": token, "expires_at": expires_at, "raw": {"token": token}});
            typed(&[], made)
        }
        "BILL" => {
            let fields = ["username", "password", "organization_id", "dev_key"];
            let made = json!({
                "session_id": token,
                "user_id": "sandbox",
                "expires_at": expires_at,
                "raw": {"sessionId": token},
            });
            typed(&fields, made)
        }
        "AWS_SIGV4" => {
            let fields = ["access_key_id", "secret_access_key", "session_token"];
            let mut made = json!({"expires_at": expires_at, "raw": {}});
            for name in ["role_arn", "region", "service", "external_id"] {
                made[name] = json!(connection.connection_config.get(name));
            }
            typed(&fields, made)
        }
        "APP" => typed(
            &[],
            json!({"access_token": token, "expires_at": expires_at, "raw": raw}),
        ),
        "NONE" => json!({}),
        _ => oauth2(connection, &token, expires_at, with_refresh_token),
    }
}

fn oauth2(
    connection: &Connection,
    token: &str,
    expires_at: Timestamp,
    with_refresh_token: bool,
) -> Value {
    let mut raw = json!({
        "access_token": token,
        "expires_in": 3600,
        "token_type": "Bearer",
        "scope": "sandbox",
    });
    let mut shown = json!({"type": connection.auth_mode, "access_token": token});
    // Slack's tokens never expire.
    if connection.provider != "slack" {
        raw["expires_at"] = json!(expires_at);
        shown["expires_at"] = json!(expires_at);
    }
    if with_refresh_token {
        let refresh = json!(format!("sandbox-rt-{}", connection.id));
        raw["refresh_token"] = refresh.clone();
        shown["refresh_token"] = refresh;
    }
    shown["raw"] = raw;
    shown
}
