//! Connections that are brought along: made with credentials from elsewhere, without a flow.
//!
//! May import the sandbox's `answers`, `call`, `credentials`, `sessions` (the deprecated end user),
//! `shown`, `state`, `tags`, `validate` and `webhook_url`.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use serde_json::{Map, Value};

use super::{
    answers::{self, Answer, Refusal},
    call::Call,
    credentials, sessions, shown,
    state::{Authorized, Sandbox, Session},
    tags,
    validate::{self, Issues},
    webhook_url,
};

const FIELDS: [&str; 8] = [
    "provider_config_key",
    "metadata",
    "connection_config",
    "webhook_url_override",
    "connection_id",
    "credentials",
    "end_user",
    "tags",
];

/// What the credentials of a type have to say and what they may say beside it.
fn credential_fields(kind: &str) -> Option<(&'static [&'static str], &'static [&'static str])> {
    Some(match kind {
        "OAUTH2" => (
            &["access_token"],
            &["refresh_token", "expires_at", "config_override"],
        ),
        "OAUTH2_CC" => (
            &["token", "client_id", "client_secret"],
            &["client_certificate", "client_private_key", "expires_at"],
        ),
        "OAUTH1" => (&["oauth_token", "oauth_token_secret"], &[]),
        "API_KEY" => (&["apiKey"], &[]),
        "BASIC" => (&["username", "password"], &[]),
        "NONE" => (&[], &[]),
        "TBA" => (&["token_id", "token_secret"], &["config_override"]),
        "APP" | "CUSTOM" => (&["app_id", "installation_id"], &[]),
        _ => return None,
    })
}

pub async fn create(State(sandbox): State<Arc<Sandbox>>, call: Call) -> Answer {
    call.account(&sandbox)?;
    let mut issues = Issues::default();
    call.unknown_params(&mut issues, &[]);
    issues.refuse_query()?;
    let body = validate::object(call.body.as_ref())?;
    let wanted = Import::read(&sandbox, body)?;
    let key = wanted.integration.as_str();
    let Some(auth_mode) = sandbox.read(|state| {
        let stored = state.integrations.get(key)?;
        Some(stored.integration.auth_mode.clone())
    }) else {
        let message = "Integration does not exist";
        return Err(answers::message(
            StatusCode::NOT_FOUND,
            "not_found",
            message,
        ));
    };
    let kind = wanted.kind();
    if kind != auth_mode {
        return Err(invalid(&format!(
            "Provider {auth_mode} does not support {kind} auth"
        )));
    }
    if kind == "TBA" && !wanted.connection_config.contains_key("accountId") {
        return Err(invalid(
            "Missing accountId in connection_config. This is required to create a TBA connection.",
        ));
    }
    if matches!(kind, "API_KEY" | "BASIC" | "TBA") {
        let given: Vec<String> = wanted
            .credentials
            .values()
            .filter_map(|value| value.as_str().map(str::to_owned))
            .collect();
        credentials::provider_accepts(&given)?;
    }
    let shown = wanted.save(&sandbox);
    Ok(answers::json(StatusCode::CREATED, &shown))
}

fn invalid(message: &str) -> Refusal {
    answers::message(StatusCode::BAD_REQUEST, "invalid_body", message)
}

struct Import {
    integration: String,
    connection_id: String,
    metadata: Value,
    connection_config: Map<String, Value>,
    credentials: Map<String, Value>,
    /// Carries what a session would: tags, end user, address for webhooks.
    session: Session,
}

impl Import {
    fn read(sandbox: &Sandbox, body: &Map<String, Value>) -> Result<Self, Refusal> {
        let mut issues = Issues::default();
        let integration = issues.possibly_empty(body, "provider_config_key", &[], true);
        let metadata = issues.object(body, "metadata", &[], "record").cloned();
        let config = issues.object(body, "connection_config", &[], "object");
        let url = webhook_url::read(
            &mut issues,
            body,
            &mut Map::new(),
            sessions::exception(sandbox),
        );
        let id = issues.possibly_empty(body, "connection_id", &[], false);
        let credentials = credentials_of(&mut issues, body);
        let (end_user, mut tags) = sessions::end_user(&mut issues, body);
        if let Some(value) = body.get("tags") {
            tags.extend(tags::read(&mut issues, value));
        }
        issues.unrecognized(
            body.keys().map(String::as_str),
            &FIELDS,
            validate::Path::new(),
        );
        issues.refuse_body()?;
        Ok(Self {
            integration: integration.unwrap_or_default(),
            connection_id: id.unwrap_or_else(|| sandbox.clock.random_id().to_string()),
            metadata: Value::Object(metadata.unwrap_or_default()),
            connection_config: config.cloned().unwrap_or_default(),
            credentials,
            session: Session {
                expires_at: sandbox.clock.now(),
                tags,
                end_user,
                allowed_integrations: None,
                defaults: Map::new(),
                webhook_url_override: url,
                reconnects: None,
            },
        })
    }

    fn kind(&self) -> &str {
        let kind = self.credentials.get("type").and_then(Value::as_str);
        kind.unwrap_or_default()
    }

    /// Makes the connection and gives it in the answer's shape. The credentials are told back, as
    /// Nango does, and not kept.
    fn save(&self, sandbox: &Sandbox) -> Value {
        let mut credentials = Value::Object(self.credentials.clone());
        if self.kind().starts_with("OAUTH") {
            credentials["raw"] = Value::Object(self.credentials.clone());
        }
        let now = sandbox.clock.now();
        sandbox.change(|state| {
            state.authorize(
                Authorized {
                    integration: &self.integration,
                    connection_id: &self.connection_id,
                    session: Some(&self.session),
                    connection_config: self.connection_config.clone(),
                    metadata: self.metadata.clone(),
                },
                now,
            );
            let made = state.connection_mut(&self.connection_id, &self.integration);
            made.map(|connection| {
                // One that was there is overwritten.
                connection.metadata = self.metadata.clone();
                shown::imported(connection, now, &credentials)
            })
            .unwrap_or_default()
        })
    }
}

fn credentials_of(issues: &mut Issues, body: &Map<String, Value>) -> Map<String, Value> {
    const BASE: &str = "credentials";
    let Some(Value::Object(given)) = body.get(BASE) else {
        issues.wrong_type("object", body.get(BASE), validate::path(&[BASE]));
        return Map::new();
    };
    let kind = given.get("type").and_then(Value::as_str);
    let Some((required, optional)) = kind.and_then(credential_fields) else {
        let path = validate::path(&[BASE, "type"]);
        issues.push("invalid_union", "Invalid input", path);
        return Map::new();
    };
    for name in required {
        if kind == Some("BASIC") {
            issues.possibly_empty(given, name, &[BASE], true);
        } else {
            issues.string(given, name, &[BASE], true);
        }
    }
    for name in optional {
        match *name {
            "config_override" => {
                issues.object(given, name, &[BASE], "object");
            }
            // A date may be written in many ways.
            "expires_at" => {}
            _ => {
                issues.string(given, name, &[BASE], false);
            }
        }
    }
    let known: Vec<&str> = required
        .iter()
        .chain(optional)
        .copied()
        .chain(["type"])
        .collect();
    issues.unrecognized(
        given.keys().map(String::as_str),
        &known,
        validate::path(&[BASE]),
    );
    given.clone()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_an_import_may_say_of_each_type() {
        let say = |credentials: Value| {
            let body = json!({"credentials": credentials});
            let mut issues = Issues::default();
            credentials_of(&mut issues, body.as_object().unwrap());
            issues.is_empty()
        };
        assert!(say(json!({"type": "NONE"})));
        assert!(say(
            json!({"type": "BASIC", "username": "", "password": ""})
        ));
        assert!(!say(json!({"type": "API_KEY", "apiKey": ""})));
        assert!(!say(json!({"type": "NONE", "token": "x"})));
        assert!(!say(json!({"type": "BILL"})));
        assert!(!say(json!("NONE")));
    }
}
