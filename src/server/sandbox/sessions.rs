//! Connect sessions: made and renewed with the secret key, read and deleted with their own token.
//!
//! May import the sandbox's `answers`, `call`, `state`, `tags`, `validate` and `webhook_url`.

use std::sync::Arc;

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use super::{
    answers::{self, Answer, Refusal},
    call::{self, Call},
    state::{SESSION_MS, Sandbox, Session},
    tags::{self, Tags},
    validate::{self, Issues, Path},
    webhook_url::{self, Exception},
};
use crate::domain::timestamp::Timestamp;

const CREATE: [&str; 7] = [
    "end_user",
    "organization",
    "tags",
    "allowed_integrations",
    "integrations_config_defaults",
    "overrides",
    "webhook_url_override",
];

const RECONNECT: [&str; 8] = [
    "connection_id",
    "integration_id",
    "end_user",
    "organization",
    "tags",
    "integrations_config_defaults",
    "overrides",
    "webhook_url_override",
];

pub async fn create(State(sandbox): State<Arc<Sandbox>>, call: Call) -> Answer {
    call.account(&sandbox)?;
    no_query(&call)?;
    let body = validate::object(call.body.as_ref())?;
    let mut issues = Issues::default();
    if !body.contains_key("tags") && !body.contains_key("end_user") {
        issues.wrong_type("object", None, validate::path(&["end_user"]));
    }
    let common = Common::read(&mut issues, body, exception(&sandbox));
    let allowed = allowed(&mut issues, body);
    issues.unrecognized(body.keys().map(String::as_str), &CREATE, Path::new());
    issues.refuse_body()?;
    known_integrations(&sandbox, body, allowed.as_deref())?;
    // An empty list restricts nothing.
    let allowed = allowed.filter(|list| !list.is_empty());
    save(&sandbox, &call, common.session(&sandbox, allowed, None))
}

pub async fn reconnect(State(sandbox): State<Arc<Sandbox>>, call: Call) -> Answer {
    call.account(&sandbox)?;
    no_query(&call)?;
    let body = validate::object(call.body.as_ref())?;
    let mut issues = Issues::default();
    let connection = issues.string(body, "connection_id", &[], true);
    let integration = issues.string(body, "integration_id", &[], true);
    let common = Common::read(&mut issues, body, exception(&sandbox));
    issues.unrecognized(body.keys().map(String::as_str), &RECONNECT, Path::new());
    issues.refuse_body()?;
    let found = connection
        .zip(integration)
        .filter(|(connection, integration)| {
            sandbox.read(|state| state.connection(connection, integration).is_some())
        });
    let Some((connection, integration)) = found else {
        return Err(answers::message(
            StatusCode::BAD_REQUEST,
            "invalid_body",
            "ConnectionID or IntegrationId does not exists",
        ));
    };
    known_integrations(&sandbox, body, None)?;
    let session = common.session(&sandbox, Some(vec![integration]), Some(connection));
    save(&sandbox, &call, session)
}

pub async fn show(State(sandbox): State<Arc<Sandbox>>, call: Call) -> Answer {
    let (_, session) = call.session(&sandbox)?;
    let mut data = json!({
        "endUser": session.end_user,
        "connectUISettings": {
            "showWatermark": true,
            "defaultTheme": "system",
            "theme": {"light": {"primary": "#00B2E3"}, "dark": {"primary": "#00B2E3"}},
        },
        "websocketsPath": "/",
    });
    if let Some(allowed) = session.allowed_integrations {
        data["allowed_integrations"] = json!(allowed);
    }
    if !session.defaults.is_empty() {
        let shown: Map<String, Value> = session
            .defaults
            .into_iter()
            .map(|(key, mut defaults)| {
                if let Value::Object(fields) = &mut defaults {
                    fields.remove("user_scopes");
                }
                (key, defaults)
            })
            .collect();
        data["integrations_config_defaults"] = Value::Object(shown);
    }
    if session.reconnects.is_some() {
        data["isReconnecting"] = json!(true);
    }
    Ok(answers::ok(&json!({"data": data})))
}

pub async fn delete(State(sandbox): State<Arc<Sandbox>>, call: Call) -> Answer {
    let (token, _) = call.session(&sandbox)?;
    sandbox.change(|state| state.sessions.remove(&token));
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub fn exception(sandbox: &Sandbox) -> Exception {
    sandbox.read(|state| state.webhooks.exception())
}

fn no_query(call: &Call) -> Result<(), Refusal> {
    let mut issues = Issues::default();
    call.unknown_params(&mut issues, &[]);
    issues.refuse_query()
}

/// What both kinds of session may say.
#[derive(Default)]
struct Common {
    tags: Tags,
    end_user: Option<Value>,
    defaults: Map<String, Value>,
    webhook_url_override: Option<String>,
}

impl Common {
    fn read(issues: &mut Issues, body: &Map<String, Value>, exception: Exception) -> Self {
        let (end_user, derived) = end_user(issues, body);
        let mut common = Self {
            end_user,
            tags: derived,
            ..Self::default()
        };
        if let Some(value) = body.get("tags") {
            common.tags.extend(tags::read(issues, value));
        }
        if let Some(map) = issues.object(body, "integrations_config_defaults", &[], "record") {
            defaults(issues, map);
            common.defaults = map.clone();
        }
        issues.object(body, "overrides", &[], "record");
        common.webhook_url_override =
            webhook_url::read(issues, body, &mut common.defaults, exception);
        common
    }

    fn session(
        self,
        sandbox: &Sandbox,
        allowed_integrations: Option<Vec<String>>,
        reconnects: Option<String>,
    ) -> Session {
        Session {
            expires_at: Timestamp(sandbox.clock.now().0 + SESSION_MS),
            tags: self.tags,
            end_user: self.end_user,
            allowed_integrations,
            defaults: self.defaults,
            webhook_url_override: self.webhook_url_override,
            reconnects,
        }
    }
}

/// The deprecated `end_user` and `organization`, in the shape in which Nango shows them, and the
/// tags that follow from them.
pub fn end_user(issues: &mut Issues, body: &Map<String, Value>) -> (Option<Value>, Tags) {
    let mut found = Tags::new();
    let Some(user) = issues.object(body, "end_user", &[], "object") else {
        return (None, found);
    };
    let base = ["end_user"];
    let id = issues.string(user, "id", &base, true);
    let email = issues.string(user, "email", &base, false);
    if email.as_deref().is_some_and(|m| !validate::is_email(m)) {
        let path = validate::path(&["end_user", "email"]);
        issues.push("invalid_format", "Invalid email address", path);
    }
    let name = issues.string(user, "display_name", &base, false);
    let extra = user.get("tags").map(|value| tags::read(issues, value));
    let mut organization = Value::Null;
    if let Some(org) = issues.object(body, "organization", &[], "object") {
        let id = issues.string(org, "id", &["organization"], true);
        let name = issues.string(org, "display_name", &["organization"], false);
        organization = json!({"id": id, "display_name": name});
        note(&mut found, "organization_id", id);
        note(&mut found, "organization_display_name", name);
    }
    let shown = json!({
        "id": id,
        "display_name": name,
        "email": email,
        "tags": extra,
        "organization": organization,
    });
    note(&mut found, "end_user_id", id);
    note(&mut found, "end_user_email", email);
    note(&mut found, "end_user_display_name", name);
    found.extend(extra.unwrap_or_default());
    (Some(shown), found)
}

fn note(tags: &mut Tags, key: &str, value: Option<String>) {
    if let Some(value) = value {
        tags.insert(key.to_owned(), value);
    }
}

fn allowed(issues: &mut Issues, body: &Map<String, Value>) -> Option<Vec<String>> {
    let value = body.get("allowed_integrations")?;
    let Value::Array(list) = value else {
        issues.wrong_type(
            "array",
            Some(value),
            validate::path(&["allowed_integrations"]),
        );
        return None;
    };
    let mut allowed = Vec::new();
    for (index, item) in list.iter().enumerate() {
        match item.as_str() {
            Some(key) => allowed.push(key.to_owned()),
            None => issues.wrong_type(
                "string",
                Some(item),
                validate::path(&["allowed_integrations", &index.to_string()]),
            ),
        }
    }
    Some(allowed)
}

fn defaults(issues: &mut Issues, map: &Map<String, Value>) {
    for (key, value) in map {
        let base = ["integrations_config_defaults", key.as_str()];
        let Value::Object(fields) = value else {
            issues.wrong_type("object", Some(value), validate::path(&base));
            continue;
        };
        issues.string(fields, "user_scopes", &base, false);
        issues.object(fields, "authorization_params", &base, "record");
        issues.object(fields, "connection_config", &base, "object");
        issues.unrecognized(
            fields.keys().map(String::as_str),
            &["user_scopes", "authorization_params", "connection_config"],
            validate::path(&base),
        );
    }
}

/// Refuses what names an integration that does not exist; the links to documentation are for
/// paying accounts only.
fn known_integrations(
    sandbox: &Sandbox,
    body: &Map<String, Value>,
    allowed: Option<&[String]>,
) -> Result<(), Refusal> {
    let mut issues = Issues::default();
    sandbox.read(|state| {
        let mut check = |key: &str, path: &[&str]| {
            if !state.integrations.contains_key(key) {
                issues.push("custom", "Integration does not exist", validate::path(path));
            }
        };
        for (index, key) in allowed.unwrap_or_default().iter().enumerate() {
            check(key, &["allowed_integrations", &index.to_string()]);
        }
        for field in ["integrations_config_defaults", "overrides"] {
            let named = body.get(field).and_then(Value::as_object);
            for key in named.into_iter().flat_map(Map::keys) {
                check(key, &[field, key]);
            }
        }
    });
    issues.refuse_body()?;
    let overrides = body.get("overrides").and_then(Value::as_object);
    if overrides.is_some_and(|o| o.values().any(|v| v.get("docs_connect").is_some())) {
        return Err(answers::message(
            StatusCode::FORBIDDEN,
            "forbidden",
            "You are not allowed to override the docs connect url",
        ));
    }
    Ok(())
}

fn save(sandbox: &Sandbox, call: &Call, session: Session) -> Result<Response, Refusal> {
    let token = call::new_token(sandbox);
    let link = format!("{}/sandbox?session_token={token}", call.origin(sandbox));
    let body = json!({"data": {
        "token": token,
        "connect_link": link,
        "expires_at": session.expires_at,
    }});
    let now = sandbox.clock.now();
    sandbox.change(|state| {
        state.prune(now);
        state.sessions.insert(token, session);
    });
    Ok(answers::json(StatusCode::CREATED, &body))
}
