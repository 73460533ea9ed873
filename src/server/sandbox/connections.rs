//! Connections: listed, read, changed and deleted with the secret key.
//!
//! May import the sandbox's `answers`, `call`, `refresh`, `sessions` (the deprecated end user),
//! `shown`, `state`, `tags`, `validate` and `webhook_url`.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use serde_json::{Map, Value, json};

use super::{
    answers::{self, Answer, Refusal},
    call::Call,
    refresh::{self, Failed},
    sessions, shown,
    state::{Connection, Sandbox},
    tags::{self, Tags},
    validate::{self, Issues},
    webhook_url,
};
use crate::domain::timestamp::Timestamp;

const MOST: u64 = 2000;
const LIST_PARAMS: [&str; 8] = [
    "connectionId",
    "search",
    "endUserId",
    "integrationId",
    "endUserOrganizationId",
    "tags",
    "limit",
    "page",
];
const YES: [&str; 6] = ["true", "1", "yes", "on", "y", "enabled"];
const NO: [&str; 6] = ["false", "0", "no", "off", "n", "disabled"];

pub async fn list(State(sandbox): State<Arc<Sandbox>>, call: Call) -> Answer {
    call.account(&sandbox)?;
    let mut issues = Issues::default();
    let wanted = wanted_tags(&call, &mut issues);
    let limit = number(&call, &mut issues, "limit", 1, Some(MOST)).unwrap_or(MOST);
    let page = number(&call, &mut issues, "page", 0, None).unwrap_or(0);
    call.unknown_params(&mut issues, &LIST_PARAMS);
    issues.refuse_query()?;
    let take = usize::try_from(limit).unwrap_or(usize::MAX);
    let skip = usize::try_from(page.saturating_mul(limit)).unwrap_or(usize::MAX);
    let entries: Vec<Value> = sandbox.read(|state| {
        state
            .connections
            .newest_first(&wanted, call.param("connectionId"))
            .filter(|c| matches(c, &call, &wanted))
            .skip(skip)
            .take(take)
            .map(shown::entry)
            .collect()
    });
    Ok(answers::ok(&json!({"connections": entries})))
}

fn wanted_tags(call: &Call, issues: &mut Issues) -> Tags {
    if let Some(text) = call.param("tags") {
        return tags::read(issues, &json!(text));
    }
    let given = call.params("tags");
    if given.is_empty() {
        return Tags::new();
    }
    tags::read(issues, &Value::Object(given))
}

fn number(
    call: &Call,
    issues: &mut Issues,
    name: &str,
    least: i64,
    most: Option<u64>,
) -> Option<u64> {
    let text = call.param(name)?;
    let path = validate::path(&[name]);
    let Ok(number) = text.trim().parse::<i64>() else {
        let message = "Invalid input: expected number, received NaN";
        issues.push("invalid_type", message, path);
        return None;
    };
    if number < least {
        let message = format!("Too small: expected number to be >={least}");
        issues.push("too_small", &message, path);
        return None;
    }
    let number = number.unsigned_abs();
    if let Some(most) = most.filter(|most| number > *most) {
        let message = format!("Too big: expected number to be <={most}");
        issues.push("too_big", &message, path);
        return None;
    }
    Some(number)
}

fn matches(connection: &Connection, call: &Call, wanted: &Tags) -> bool {
    let end_user = |pointer: &str| {
        connection
            .end_user
            .as_ref()
            .and_then(|user| user.pointer(pointer))
            .and_then(Value::as_str)
    };
    let is = |param: &str, value: Option<&str>| {
        call.param(param).is_none_or(|wanted| value == Some(wanted))
    };
    wanted
        .iter()
        .all(|(key, value)| connection.tags.get(key) == Some(value))
        && is("connectionId", Some(&connection.connection_id))
        && is("endUserId", end_user("/id"))
        && is("endUserOrganizationId", end_user("/organization/id"))
        && call
            .param("integrationId")
            .is_none_or(|list| list.split(',').any(|key| key == connection.integration))
        && call.param("search").is_none_or(|text| {
            [
                Some(connection.connection_id.as_str()),
                end_user("/id"),
                end_user("/email"),
                end_user("/display_name"),
            ]
            .into_iter()
            .flatten()
            .any(|field| field.contains(text))
        })
}

pub async fn show(
    State(sandbox): State<Arc<Sandbox>>,
    Path(id): Path<String>,
    call: Call,
) -> Answer {
    call.account(&sandbox)?;
    let mut issues = Issues::default();
    let key = required_key(&call, &mut issues);
    let with_refresh_token = flag(&call, &mut issues, "refresh_token");
    let force = flag(&call, &mut issues, "force_refresh");
    flag(&call, &mut issues, "refresh_github_app_jwt_token");
    call.unknown_params(
        &mut issues,
        &[
            "provider_config_key",
            "refresh_token",
            "force_refresh",
            "refresh_github_app_jwt_token",
        ],
    );
    issues.refuse_query()?;
    check_id(&id)?;
    let key = key.unwrap_or_default();
    if !sandbox.read(|state| state.integrations.contains_key(&key)) {
        return Err(unknown_integration());
    }
    let now = sandbox.clock.now();
    let log_id = sandbox.log_id();
    let refused = sandbox.faults.refresh_fails();
    sandbox
        .change(|state| {
            state.reading(&id, &key, refused, |connection| {
                let read = refresh::before_use(connection, now, log_id, force);
                answer(connection, now, read, with_refresh_token)
            })
        })
        .ok_or_else(not_found)?
}

fn answer(
    connection: &Connection,
    now: Timestamp,
    read: Result<(), Failed>,
    with_refresh_token: bool,
) -> Answer {
    let Err(failed) = read else {
        let credentials = shown::credentials(connection, with_refresh_token);
        return Ok(answers::ok(&shown::full(connection, now, &credentials)));
    };
    let body = json!({"error": {
        "code": "invalid_credentials",
        "message": failed.message(),
        "payload": {"connection": shown::full(connection, now, &json!({}))},
    }});
    Err(answers::json(failed.status(), &body).into())
}

pub fn not_found() -> Refusal {
    answers::message(
        StatusCode::NOT_FOUND,
        "not_found",
        "Failed to find connection",
    )
}

fn unknown_integration() -> Refusal {
    answers::message(
        StatusCode::BAD_REQUEST,
        "unknown_provider_config",
        "Provider does not exists",
    )
}

fn flag(call: &Call, issues: &mut Issues, name: &str) -> bool {
    let Some(text) = call.param(name) else {
        return false;
    };
    let text = text.to_lowercase();
    if !YES.contains(&text.as_str()) && !NO.contains(&text.as_str()) {
        let options: Vec<String> = YES.iter().chain(&NO).map(|o| format!("\"{o}\"")).collect();
        let message = format!("Invalid option: expected one of {}", options.join("|"));
        issues.push("invalid_value", &message, validate::path(&[name]));
    }
    YES.contains(&text.as_str())
}

fn required_key(call: &Call, issues: &mut Issues) -> Option<String> {
    let key = call.param("provider_config_key").map(str::to_owned);
    match &key {
        Some(key) => validate::key(issues, key, "provider_config_key"),
        None => issues.wrong_type("string", None, validate::path(&["provider_config_key"])),
    }
    key
}

fn check_id(id: &str) -> Result<(), Refusal> {
    let mut issues = Issues::default();
    validate::connection_id(&mut issues, id, validate::path(&["connectionId"]));
    issues.refuse("invalid_uri_params")
}

/// Replaces all tags, never merges; an empty address clears the override.
pub async fn update(
    State(sandbox): State<Arc<Sandbox>>,
    Path(id): Path<String>,
    call: Call,
) -> Answer {
    call.account(&sandbox)?;
    let mut issues = Issues::default();
    let key = required_key(&call, &mut issues).unwrap_or_default();
    call.unknown_params(&mut issues, &["provider_config_key"]);
    issues.refuse_query()?;
    let body = validate::object(call.body.as_ref())?;
    let mut issues = Issues::default();
    let (end_user, mut wanted) = sessions::end_user(&mut issues, body);
    if let Some(value) = body.get("tags") {
        wanted.extend(tags::read(&mut issues, value));
    }
    let url = webhook_url::read(
        &mut issues,
        body,
        &mut Map::new(),
        sessions::exception(&sandbox),
    );
    issues.unrecognized(
        body.keys().map(String::as_str),
        &["end_user", "tags", "webhook_url_override"],
        validate::Path::new(),
    );
    issues.refuse_body()?;
    check_id(&id)?;
    if !sandbox.read(|state| state.integrations.contains_key(&key)) {
        return Err(unknown_integration());
    }
    let changes_tags = body.contains_key("tags") || end_user.is_some();
    sandbox
        .change(|state| {
            let connection = state.connection_mut(&id, &key)?;
            if changes_tags {
                connection.tags = wanted;
            }
            if end_user.is_some() {
                connection.end_user = end_user;
            }
            if body.contains_key("webhook_url_override") {
                connection.webhook_url_override = url;
            }
            Some(())
        })
        .ok_or_else(not_found)?;
    Ok(answers::ok(&json!({"success": true})))
}

pub async fn delete(
    State(sandbox): State<Arc<Sandbox>>,
    Path(id): Path<String>,
    call: Call,
) -> Answer {
    call.account(&sandbox)?;
    check_id(&id)?;
    let mut issues = Issues::default();
    let key = required_key(&call, &mut issues).unwrap_or_default();
    call.unknown_params(&mut issues, &["provider_config_key"]);
    issues.refuse_query()?;
    let gone = sandbox.change(|state| state.connections.remove(&id, &key));
    if gone.is_none() {
        return Err(answers::code(StatusCode::BAD_REQUEST, "unknown_connection"));
    }
    Ok(answers::ok(&json!({"success": true})))
}
