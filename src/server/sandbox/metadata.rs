//! Metadata of connections: `POST` replaces it, `PATCH` merges its first level, and there is no
//! `PUT`. The paths of old name one connection, in the address and the headers.
//!
//! May import the sandbox's `answers`, `call`, `state` and `validate`.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use serde_json::{Map, Value, json};

use super::{
    answers::{self, Answer, Refusal},
    call::Call,
    state::Sandbox,
    validate::{self, Issues},
};

#[derive(Clone, Copy)]
enum How {
    Replace,
    Merge,
}

impl How {
    fn status(self) -> StatusCode {
        match self {
            Self::Replace => StatusCode::CREATED,
            Self::Merge => StatusCode::OK,
        }
    }

    fn apply(self, metadata: &mut Value, given: &Map<String, Value>) {
        match (self, metadata) {
            (Self::Merge, Value::Object(old)) => old.extend(given.clone()),
            (_, metadata) => *metadata = Value::Object(given.clone()),
        }
    }
}

pub async fn replace(State(sandbox): State<Arc<Sandbox>>, call: Call) -> Answer {
    several(&sandbox, &call, How::Replace)
}

pub async fn merge(State(sandbox): State<Arc<Sandbox>>, call: Call) -> Answer {
    several(&sandbox, &call, How::Merge)
}

pub async fn replace_one(
    State(sandbox): State<Arc<Sandbox>>,
    Path(id): Path<String>,
    call: Call,
) -> Answer {
    one(&sandbox, &call, &id, How::Replace)
}

pub async fn merge_one(
    State(sandbox): State<Arc<Sandbox>>,
    Path(id): Path<String>,
    call: Call,
) -> Answer {
    one(&sandbox, &call, &id, How::Merge)
}

/// All of the connections named, or none.
fn several(sandbox: &Sandbox, call: &Call, how: How) -> Answer {
    call.account(sandbox)?;
    let mut issues = Issues::default();
    call.unknown_params(&mut issues, &[]);
    issues.refuse_query()?;
    let body = validate::object(call.body.as_ref())?;
    let mut issues = Issues::default();
    let ids = ids(&mut issues, body);
    let key = text(&mut issues, body.get("provider_config_key"));
    let empty = Map::new();
    let given = match body.get("metadata") {
        Some(Value::Object(given)) => given,
        other => {
            issues.wrong_type("record", other, validate::path(&["metadata"]));
            &empty
        }
    };
    issues.unrecognized(
        body.keys().map(String::as_str),
        &["connection_id", "provider_config_key", "metadata"],
        validate::Path::new(),
    );
    issues.refuse_body()?;
    let missing = sandbox.change(|state| {
        let missing = ids
            .iter()
            .find(|id| state.connection(id, &key).is_none())
            .cloned();
        if missing.is_none() {
            for id in &ids {
                if let Some(connection) = state.connection_mut(id, &key) {
                    how.apply(&mut connection.metadata, given);
                }
            }
        }
        missing
    });
    if let Some(id) = missing {
        return Err(unknown(&id, &key, ids.len() > 1));
    }
    Ok(answers::json(how.status(), &json!(body)))
}

fn unknown(id: &str, key: &str, among_others: bool) -> Refusal {
    let mut message = format!(
        "Connection with connection id {id} and provider config key {key} not found. Please make sure the connection exists in the Nango dashboard"
    );
    if among_others {
        message.push_str(
            ". No actions were taken on any of the connections as a result of this failure.",
        );
    }
    answers::message(StatusCode::NOT_FOUND, "unknown_connection", &message)
}

/// One id, or a list of them.
fn ids(issues: &mut Issues, body: &Map<String, Value>) -> Vec<String> {
    let path = || validate::path(&["connection_id"]);
    match body.get("connection_id") {
        Some(Value::String(id)) => {
            validate::connection_id(issues, id, path());
            vec![id.clone()]
        }
        Some(Value::Array(list)) if list.iter().all(Value::is_string) => {
            let ids: Vec<String> = list
                .iter()
                .filter_map(|id| id.as_str().map(str::to_owned))
                .collect();
            for (index, id) in ids.iter().enumerate() {
                let path = validate::path(&["connection_id", &index.to_string()]);
                validate::connection_id(issues, id, path);
            }
            ids
        }
        _ => {
            issues.push("invalid_union", "Invalid input", path());
            Vec::new()
        }
    }
}

fn text(issues: &mut Issues, value: Option<&Value>) -> String {
    match value {
        Some(Value::String(key)) => {
            validate::key(issues, key, "provider_config_key");
            key.clone()
        }
        other => {
            issues.wrong_type("string", other, validate::path(&["provider_config_key"]));
            String::new()
        }
    }
}

fn one(sandbox: &Sandbox, call: &Call, id: &str, how: How) -> Answer {
    call.account(sandbox)?;
    let header = call.headers.get("provider-config-key");
    let key = call
        .param("provider_config_key")
        .or_else(|| header?.to_str().ok())
        .unwrap_or_default();
    let empty = Map::new();
    let given = call.body.as_ref().and_then(Value::as_object);
    let given = given.unwrap_or(&empty);
    let found = sandbox.change(|state| {
        let connection = state.connection_mut(id, key)?;
        how.apply(&mut connection.metadata, given);
        Some(())
    });
    if found.is_none() {
        let named = format!(
            "{{\n  \"connectionId\": {},\n  \"providerConfigKey\": {}\n}}",
            json!(id),
            json!(key)
        );
        let message = format!(
            "No connection matching the provided params of 'connection_id' and 'provider_config_key'. Please make sure these values exist in the Nango dashboard {named}"
        );
        let body = json!({"error": {
            "message": message,
            "code": "unknown_connection",
            "payload": {"connectionId": id, "providerConfigKey": key},
        }});
        return Err(answers::json(StatusCode::NOT_FOUND, &body).into());
    }
    Ok(answers::json(how.status(), &json!(given)))
}
