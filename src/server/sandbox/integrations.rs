//! Integrations, to be read. They are changed in `integration_changes`.
//!
//! May import the sandbox's `answers`, `call`, `providers`, `shown`, `state` and `validate`.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use serde_json::{Value, json};

use super::{
    answers::{self, Answer, Refusal},
    call::{Call, Caller},
    providers,
    shown::NOT_KEPT,
    state::{Sandbox, StoredIntegration},
    validate::{self, Issues},
};

pub async fn list(State(sandbox): State<Arc<Sandbox>>, call: Call) -> Answer {
    let caller = call.caller(&sandbox)?;
    let origin = call.origin(&sandbox);
    let shown: Vec<Value> = sandbox.read(|state| {
        state
            .integrations
            .values()
            .filter(|stored| match &caller {
                Caller::Account => true,
                Caller::Session(session) => session.allows(&stored.integration.unique_key),
            })
            .map(|stored| entry(stored, &origin))
            .collect()
    });
    Ok(answers::ok(&json!({"data": shown})))
}

pub async fn show(
    State(sandbox): State<Arc<Sandbox>>,
    Path(key): Path<String>,
    call: Call,
) -> Answer {
    call.account(&sandbox)?;
    let mut issues = Issues::default();
    let includes = |what: &str| call.query.iter().any(|(_, value)| value == what);
    let sound = |value: &str| matches!(value, "webhook" | "credentials");
    if call
        .query
        .iter()
        .any(|(name, value)| name == "include" && !sound(value))
    {
        issues.push(
            "invalid_union",
            "Invalid input",
            validate::path(&["include"]),
        );
    }
    call.unknown_params(&mut issues, &["include"]);
    issues.refuse_query()?;
    validate::key_in_path(&key, "uniqueKey")?;
    let origin = call.origin(&sandbox);
    let Some(stored) = sandbox.read(|state| state.integrations.get(&key).cloned()) else {
        return Err(unknown(&key));
    };
    let mut data = entry(&stored, &origin);
    if includes("webhook") {
        data["webhook_url"] = if providers::routes_webhooks(&stored.integration.provider) {
            json!(format!("{origin}/webhook/sandbox/{key}"))
        } else {
            Value::Null
        };
    }
    if includes("credentials") {
        data["credentials"] = credentials(&stored);
    }
    Ok(answers::ok(&json!({"data": data})))
}

pub fn unknown(key: &str) -> Refusal {
    answers::message(
        StatusCode::NOT_FOUND,
        "not_found",
        &format!("Integration \"{key}\" does not exist"),
    )
}

/// The client's credentials: what was told of them, or pretend ones. Their secrets are not kept.
fn credentials(stored: &StoredIntegration) -> Value {
    let integration = &stored.integration;
    let told = |name: &str, otherwise: &str| {
        let given = stored.settings.credentials.as_ref();
        let told = given.and_then(|given| given.get(name)).cloned();
        told.unwrap_or_else(|| json!(otherwise))
    };
    let mode = integration.auth_mode.as_str();
    let key = integration.unique_key.as_str();
    match mode {
        "OAUTH1" | "OAUTH2" | "TBA" => json!({
            "type": mode,
            "client_id": told("client_id", key),
            "client_secret": NOT_KEPT,
            "scopes": told("scopes", ""),
            "webhook_secret": null,
        }),
        "APP" => json!({
            "type": mode,
            "app_id": told("app_id", key),
            "private_key": NOT_KEPT,
            "app_link": told("app_link", ""),
        }),
        "CUSTOM" => json!({
            "type": mode,
            "client_id": told("client_id", key),
            "client_secret": NOT_KEPT,
            "app_id": told("app_id", key),
            "app_link": told("app_link", ""),
            "private_key": NOT_KEPT,
        }),
        _ => Value::Null,
    }
}

pub fn entry(stored: &StoredIntegration, origin: &str) -> Value {
    let integration = &stored.integration;
    json!({
        "unique_key": integration.unique_key,
        "provider": integration.provider,
        "display_name": integration.display_name,
        "logo": format!("{origin}/images/template-logos/{}.svg", integration.provider),
        "forward_webhooks": !stored.settings.keeps_webhooks,
        "created_at": stored.created_at,
        "updated_at": stored.updated_at,
    })
}
