//! Integrations, to be made, changed and deleted.
//!
//! May import the sandbox's `answers`, `call`, `integrations`, `providers`, `state` and `validate`.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use serde_json::{Map, Value, json};

use super::{
    Integration,
    answers::{self, Answer, Refusal},
    call::Call,
    integrations::{entry, unknown},
    providers,
    state::{Sandbox, Settings, StoredIntegration},
    validate::{self, Issues},
};

const MAKE: [&str; 7] = [
    "provider",
    "unique_key",
    "display_name",
    "forward_webhooks",
    "credentials",
    "integration_config",
    "custom",
];
const CHANGE: [&str; 6] = [
    "unique_key",
    "display_name",
    "credentials",
    "forward_webhooks",
    "integration_config",
    "custom",
];
/// The modes that need a client of the operator's own.
const WITH_CLIENT: [&str; 4] = ["OAUTH1", "OAUTH2", "APP", "CUSTOM"];
/// What is never written down.
const SECRETS: [&str; 3] = ["client_secret", "private_key", "webhook_secret"];

pub async fn create(State(sandbox): State<Arc<Sandbox>>, call: Call) -> Answer {
    call.account(&sandbox)?;
    no_query(&call)?;
    let body = validate::object(call.body.as_ref())?;
    let mut issues = Issues::default();
    let provider = name(&mut issues, body, "provider");
    let wanted = Wanted::read(&mut issues, body, &MAKE);
    if !body.contains_key("unique_key") {
        issues.wrong_type("string", None, validate::path(&["unique_key"]));
    }
    issues.refuse_body()?;
    let Some(facts) = sandbox.read(|state| providers::find(state, &provider)) else {
        return Err(not_a_string("Invalid provider", "provider"));
    };
    match wanted.credentials_type() {
        Some(kind) if kind != facts.auth_mode => return Err(incompatible()),
        None if WITH_CLIENT.contains(&facts.auth_mode.as_str()) => {
            return Err(invalid("Missing credentials"));
        }
        _ => {}
    }
    let key = wanted.unique_key.clone().unwrap_or_default();
    let now = sandbox.clock.now();
    let mut stored = StoredIntegration {
        integration: Integration {
            unique_key: key.clone(),
            provider,
            display_name: facts.display_name,
            auth_mode: facts.auth_mode,
            connection_config: facts.connection_config,
        },
        created_at: now,
        updated_at: now,
        settings: Settings::default(),
    };
    wanted.apply(&mut stored);
    let shown = entry(&stored, &call.origin(&sandbox));
    let taken = sandbox.change(|state| {
        let taken = state.integrations.contains_key(&key);
        if !taken {
            state.integrations.insert(key, stored);
        }
        taken
    });
    if taken {
        return Err(not_a_string("Unique key already exists", "uniqueKey"));
    }
    Ok(answers::ok(&json!({"data": shown})))
}

pub async fn update(
    State(sandbox): State<Arc<Sandbox>>,
    Path(key): Path<String>,
    call: Call,
) -> Answer {
    call.account(&sandbox)?;
    no_query(&call)?;
    let body = validate::object(call.body.as_ref())?;
    let mut issues = Issues::default();
    let wanted = Wanted::read(&mut issues, body, &CHANGE);
    issues.refuse_body()?;
    validate::key_in_path(&key, "uniqueKey")?;
    let now = sandbox.clock.now();
    let origin = call.origin(&sandbox);
    let shown = sandbox.change(|state| {
        let Some(mut stored) = state.integrations.get(&key).cloned() else {
            return Err(unknown(&key));
        };
        let kind = wanted.credentials_type();
        if kind.is_some_and(|kind| kind != stored.integration.auth_mode) {
            return Err(incompatible());
        }
        if let Some(renamed) = wanted.unique_key.as_ref().filter(|new| **new != key) {
            if state.integrations.contains_key(renamed) {
                return Err(invalid("uniqueKey is already used by another integration"));
            }
            if state.connections.iter().any(|c| c.integration == key) {
                return Err(invalid(
                    "Can't rename an integration with active connections",
                ));
            }
        }
        wanted.apply(&mut stored);
        stored.updated_at = now;
        let shown = entry(&stored, &origin);
        state.integrations.remove(&key);
        let key = stored.integration.unique_key.clone();
        state.integrations.insert(key, stored);
        Ok(shown)
    })?;
    Ok(answers::ok(&json!({"data": shown})))
}

/// Takes its connections along.
pub async fn delete(
    State(sandbox): State<Arc<Sandbox>>,
    Path(key): Path<String>,
    call: Call,
) -> Answer {
    call.account(&sandbox)?;
    no_query(&call)?;
    validate::key_in_path(&key, "uniqueKey")?;
    let removed = sandbox.change(|state| {
        let removed = state.integrations.remove(&key);
        state.connections.retain(|c| c.integration != key);
        removed
    });
    if removed.is_none() {
        let message = "Integration does not exist";
        return Err(answers::message(
            StatusCode::NOT_FOUND,
            "not_found",
            message,
        ));
    }
    Ok(answers::ok(&json!({"success": true})))
}

fn no_query(call: &Call) -> Result<(), Refusal> {
    let mut issues = Issues::default();
    call.unknown_params(&mut issues, &[]);
    issues.refuse_query()
}

fn invalid(message: &str) -> Refusal {
    answers::message(StatusCode::BAD_REQUEST, "invalid_body", message)
}

fn incompatible() -> Refusal {
    invalid("incompatible credentials auth type and provider auth")
}

/// A refusal that looks like an issue, and has a code that no other issue has.
fn not_a_string(message: &str, field: &str) -> Refusal {
    let issue = json!({"code": "invalid_string", "message": message, "path": [field]});
    let body = json!({"error": {"code": "invalid_body", "errors": [issue]}});
    answers::json(StatusCode::BAD_REQUEST, &body).into()
}

/// What both calls may say.
struct Wanted {
    unique_key: Option<String>,
    display_name: Option<String>,
    forward_webhooks: Option<bool>,
    credentials: Option<Map<String, Value>>,
}

impl Wanted {
    fn read(issues: &mut Issues, body: &Map<String, Value>, known: &[&str]) -> Self {
        let unique_key = body
            .contains_key("unique_key")
            .then(|| name(issues, body, "unique_key"));
        let display_name = issues.string(body, "display_name", &[], false);
        if let Some(text) = display_name.as_deref() {
            validate::longest(issues, text, 255, validate::path(&["display_name"]));
        }
        let forward_webhooks = match body.get("forward_webhooks") {
            None => None,
            Some(Value::Bool(forward)) => Some(*forward),
            other => {
                let path = validate::path(&["forward_webhooks"]);
                issues.wrong_type("boolean", other, path);
                None
            }
        };
        let credentials = body
            .get("credentials")
            .map(|given| credentials(issues, given));
        for field in ["integration_config", "custom"] {
            let given = issues.object(body, field, &[], "record");
            for (key, value) in given.into_iter().flatten() {
                if !value.is_string() {
                    issues.wrong_type("string", Some(value), validate::path(&[field, key]));
                }
            }
        }
        issues.unrecognized(
            body.keys().map(String::as_str),
            known,
            validate::Path::new(),
        );
        Self {
            unique_key,
            display_name,
            forward_webhooks,
            credentials,
        }
    }

    fn credentials_type(&self) -> Option<&str> {
        self.credentials.as_ref()?.get("type")?.as_str()
    }

    fn apply(&self, stored: &mut StoredIntegration) {
        let integration = &mut stored.integration;
        if let Some(key) = &self.unique_key {
            integration.unique_key.clone_from(key);
        }
        if let Some(name) = &self.display_name {
            integration.display_name.clone_from(name);
        }
        if let Some(forward) = self.forward_webhooks {
            stored.settings.keeps_webhooks = !forward;
        }
        if let Some(given) = &self.credentials {
            let mut kept = given.clone();
            kept.retain(|name, _| !SECRETS.contains(&name.as_str()));
            stored.settings.credentials = Some(kept);
        }
    }
}

fn name(issues: &mut Issues, body: &Map<String, Value>, field: &str) -> String {
    match body.get(field) {
        Some(Value::String(text)) => {
            if field == "provider" {
                validate::matches(issues, text, "a-zA-Z0-9_-", field);
            } else {
                validate::key(issues, text, field);
            }
            text.clone()
        }
        other => {
            issues.wrong_type("string", other, validate::path(&[field]));
            String::new()
        }
    }
}

fn credentials(issues: &mut Issues, given: &Value) -> Map<String, Value> {
    const BASE: &str = "credentials";
    let object = given.as_object();
    let kind = object.and_then(|given| given.get("type")?.as_str());
    let (required, optional): (&[&str], &[&str]) = match kind {
        Some("OAUTH1" | "OAUTH2" | "TBA") => (
            &["client_id", "client_secret"],
            &["scopes", "webhook_secret"],
        ),
        Some("APP") => (&["app_id", "app_link", "private_key"], &[]),
        Some("CUSTOM") => (
            &[
                "client_id",
                "client_secret",
                "app_id",
                "app_link",
                "private_key",
            ],
            &[],
        ),
        _ => {
            // One sentence for all that is no credentials at all.
            let code = if object.is_some() {
                "invalid_union"
            } else {
                "invalid_type"
            };
            let field: &[&str] = if object.is_some() {
                &[BASE, "type"]
            } else {
                &[BASE]
            };
            issues.push(code, "invalid credentials object", validate::path(field));
            return Map::new();
        }
    };
    let given = object.cloned().unwrap_or_default();
    for field in required {
        let text = issues.string(&given, field, &[BASE], true);
        if *field == "private_key" {
            private_key(issues, text.as_deref().unwrap_or_default());
        }
    }
    for field in optional {
        issues.possibly_empty(&given, field, &[BASE], false);
    }
    if let Some(text) = given.get("scopes").and_then(Value::as_str) {
        scopes(issues, text);
    }
    let known: Vec<&str> = required
        .iter()
        .chain(optional)
        .copied()
        .chain(["type"])
        .collect();
    let names = given.keys().map(String::as_str);
    issues.unrecognized(names, &known, validate::path(&[BASE]));
    given
}

/// Comma-separated, without a space.
fn scopes(issues: &mut Issues, text: &str) {
    let sound = |scope: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || ":/_.*-".contains(c);
        !scope.is_empty() && scope.chars().all(inner)
    };
    if !text.is_empty() && !text.split(',').all(sound) {
        let path = validate::path(&["credentials", "scopes"]);
        issues.push("invalid_union", "Invalid input", path);
    }
}

fn private_key(issues: &mut Issues, text: &str) {
    let path = || validate::path(&["credentials", "private_key"]);
    for (sound, word, part) in [
        (
            text.starts_with("-----BEGIN RSA PRIVATE KEY----"),
            "start with",
            "-----BEGIN RSA PRIVATE KEY----",
        ),
        (
            text.ends_with("-----END RSA PRIVATE KEY-----"),
            "end with",
            "-----END RSA PRIVATE KEY-----",
        ),
    ] {
        if !sound {
            let message = format!("Invalid string: must {word} \"{part}\"");
            issues.push("invalid_format", &message, path());
        }
    }
}
