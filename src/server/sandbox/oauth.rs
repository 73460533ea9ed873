//! The OAuth flow on Nango's side: the start, the provider's answer, the end. The provider itself
//! is in `consent`, and knows nothing of what is here.
//!
//! May import the sandbox's `answers`, `call`, `credentials` (what is refused), `outcome`, `pages`,
//! `pending`, `providers`, `state` and `webhook`.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    extract::{Path, State},
    http::{StatusCode, header},
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use url::form_urlencoded::Serializer;
use uuid::Uuid;

use super::{
    answers::{self, Answer, Refusal},
    call::Call,
    credentials::refused,
    outcome::{Failure, Outcome},
    pages, pending, providers,
    state::{Authorized, Flow, Grant, Sandbox, Session},
    tags::Tags,
    webhook::{self, FailedFlow},
};

/// The modes whose flow begins in the browser.
const OAUTH_MODES: [&str; 7] = [
    "OAUTH2",
    "OAUTH1",
    "MCP_OAUTH2",
    "MCP_OAUTH2_GENERIC",
    "APP",
    "CUSTOM",
    "INSTALL_PLUGIN",
];

pub async fn start(
    State(sandbox): State<Arc<Sandbox>>,
    Path(key): Path<String>,
    call: Call,
) -> Answer {
    let (token, session) = call.session_in_query(&sandbox)?;
    let connection_id = session
        .reconnects
        .clone()
        .unwrap_or_else(|| sandbox.clock.random_id().to_string());
    let ws_client_id = call.param("ws_client_id").map(str::to_owned);
    let fail = |failure: Failure| {
        let outcome = Outcome {
            integration: &key,
            connection_id: &connection_id,
            result: Err(&failure),
        };
        sandbox.finished(ws_client_id.as_deref(), &outcome);
        pages::failure(StatusCode::BAD_REQUEST, &failure)
    };

    let Some(stored) = sandbox.read(|state| state.integrations.get(&key).cloned()) else {
        return Ok(fail(Failure::new(
            "provider_config_err",
            format!("Could not find a Provider Config matching the \"{key}\" key."),
        )));
    };
    if !session.allows(&key) {
        return Err(not_allowed());
    }
    still_there(&sandbox, &session)?;
    let integration = stored.integration;
    if !OAUTH_MODES.contains(&integration.auth_mode.as_str()) {
        return Ok(fail(Failure::new(
            "provider_config_err",
            format!("Provider Config \"{key}\" is missing client ID, secret and/or scopes."),
        )));
    }
    if providers::is_outbound(&integration.provider) {
        return Ok(fail(Failure::new(
            "auth_mode_err",
            format!("Auth mode {} not supported.", integration.auth_mode),
        )));
    }
    let config = connection_config(&call, &session, &key);
    let authorize = format!("{}/sandbox/authorize", call.origin(&sandbox));
    let missing = integration.connection_config.iter().any(|name| {
        config
            .get(name)
            .and_then(Value::as_str)
            .is_none_or(str::is_empty)
    });
    if missing {
        let wanted: Vec<String> = integration
            .connection_config
            .iter()
            .map(|name| format!("{name}=${{connectionConfig.{name}}}"))
            .collect();
        return Ok(fail(Failure::new(
            "url_param_err",
            format!(
                "Missing Connection Config param(s) in Auth request to interpolate url {authorize}?{}. Provided Connection Config: {}",
                wanted.join("&"),
                Value::Object(config)
            ),
        )));
    }

    let state_id = sandbox.clock.random_id();
    let location = authorize_url(&authorize, &call, &sandbox, &session, &key, state_id);
    let now = sandbox.clock.now();
    let flow = Flow {
        started_at: now,
        integration: key,
        session_token: token,
        connection_id,
        connection_config: config,
        ws_client_id,
        webhook_url_override: session.webhook_url_override,
    };
    sandbox.change(|state| {
        state.prune(now);
        state.flows.insert(state_id, flow)
    });
    let mut response = answers::redirect(&location);
    let expires = chrono::DateTime::from_timestamp_millis(now.0 + 3_600_000).unwrap_or_default();
    let cookie = format!(
        "oauth2-{state_id}=1; Max-Age=3600; Path=/; Expires={}; HttpOnly; SameSite=Lax",
        expires.format("%a, %d %b %Y %H:%M:%S GMT")
    );
    answers::set(&mut response, header::SET_COOKIE, &cookie);
    Ok(response)
}

pub fn not_allowed() -> Refusal {
    answers::code(StatusCode::BAD_REQUEST, "integration_not_allowed")
}

/// A reconnect of what has gone meanwhile is refused, and told to nobody but the caller.
pub fn still_there(sandbox: &Sandbox, session: &Session) -> Result<(), Refusal> {
    let gone = session.reconnects.as_ref().is_some_and(|id| {
        sandbox.read(|state| state.connections.iter().all(|c| c.connection_id != *id))
    });
    if gone {
        return Err(answers::code(StatusCode::BAD_REQUEST, "invalid_connection"));
    }
    Ok(())
}

fn defaults<'a>(session: &'a Session, key: &str, field: &str) -> Option<&'a Value> {
    session.defaults.get(key)?.get(field)
}

/// What the browser sent, and over it what the session says.
pub fn connection_config(call: &Call, session: &Session, key: &str) -> Map<String, Value> {
    let mut config = call.params("params");
    if let Some(Value::Object(fixed)) = defaults(session, key, "connection_config") {
        config.extend(fixed.clone());
    }
    let scope = defaults(session, key, "user_scopes")
        .and_then(Value::as_str)
        .or_else(|| call.param("user_scope"));
    if let Some(scope) = scope {
        config.insert("user_scope".to_owned(), json!(scope));
    }
    config
}

fn authorize_url(
    authorize: &str,
    call: &Call,
    sandbox: &Sandbox,
    session: &Session,
    key: &str,
    state_id: Uuid,
) -> String {
    let mut query = Serializer::new(String::new());
    query
        .append_pair("response_type", "code")
        .append_pair("client_id", key)
        .append_pair(
            "redirect_uri",
            &format!("{}/oauth/callback", call.origin(sandbox)),
        )
        .append_pair("state", &state_id.to_string());
    let mut extra = call.params("authorization_params");
    if let Some(Value::Object(fixed)) = defaults(session, key, "authorization_params") {
        extra.extend(fixed.clone());
    }
    for (name, value) in &extra {
        query.append_pair(name, value.as_str().unwrap_or_default());
    }
    format!("{authorize}?{}", query.finish())
}

pub async fn callback(State(sandbox): State<Arc<Sandbox>>, call: Call) -> Answer {
    let refuse = |message: String| {
        let failure = Failure::new("state_err", message);
        Ok(pages::failure(StatusCode::BAD_REQUEST, &failure))
    };
    let given = ["state", "payload", "customField"]
        .into_iter()
        .find_map(|name| call.param(name));
    let Some(given) = given else {
        return refuse("No state found in callback".to_owned());
    };
    let Ok(state_id) = Uuid::try_parse(given) else {
        return refuse("invalid_oauth_state".to_owned());
    };
    // A state works once, whatever comes with it.
    let Some(flow) = sandbox.change(|state| state.flows.remove(&state_id)) else {
        return refuse(format!("No session found for state: \"{given}\""));
    };
    let result = exchange(&sandbox, &call).map(|grant| complete(&sandbox, &flow, &grant));
    if let Err(failure) = &result {
        tell_failure(&sandbox, &flow, failure);
    }
    let outcome = Outcome {
        integration: &flow.integration,
        connection_id: &flow.connection_id,
        result: result.as_ref().map(|_| ()),
    };
    sandbox.finished(flow.ws_client_id.as_deref(), &outcome);
    Ok(match &result {
        Ok(()) => pages::success(),
        Err(failure) => pages::failure(StatusCode::BAD_REQUEST, failure),
    })
}

/// Trades the code for the provider's grant.
fn exchange(sandbox: &Sandbox, call: &Call) -> Result<Grant, Failure> {
    let Some(code) = call.param("code") else {
        return Err(no_code(call));
    };
    let grant = sandbox.change(|state| state.grants.remove(code));
    let (error, description) = match grant {
        Some(grant) if !refused(&grant.account) => return Ok(grant),
        Some(_) => ("invalid_client", "Bad client credentials"),
        None => ("invalid_grant", "The code is not known, or was used before"),
    };
    // Nango passes on its HTTP client's error as it is, indented by two.
    let text = format!(
        "{{\n  \"name\": \"Error\",\n  \"message\": \"Response Error: 400 Bad Request\",\n  \"provider_error_payload\": {{\n    \"error\": \"{error}\",\n    \"error_description\": \"{description}\"\n  }}\n}}"
    );
    Err(Failure::new("unknown_err", text))
}

fn no_code(call: &Call) -> Failure {
    let said: BTreeMap<&str, &str> = call
        .query
        .iter()
        .filter(|(name, _)| name != "state")
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let list: Vec<String> = said
        .iter()
        .filter(|(name, _)| name.starts_with("error"))
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    let mut description = "Did not get authorization code in the callback.".to_owned();
    if !list.is_empty() {
        description.push_str(" Provider error: ");
        description.push_str(&list.join("; "));
    }
    Failure {
        kind: "callback_err",
        description,
        shown: Some(json!(said).to_string()),
    }
}

fn tell_failure(sandbox: &Sandbox, flow: &Flow, failure: &Failure) {
    sandbox.change(|state| {
        let Some(stored) = state.integrations.get(&flow.integration) else {
            return;
        };
        let flow = FailedFlow {
            connection_id: &flow.connection_id,
            integration: &flow.integration,
            provider: &stored.integration.provider,
            auth_mode: &stored.integration.auth_mode,
            url: flow.webhook_url_override.as_deref(),
        };
        let event = webhook::failed(&flow, failure);
        state.tell(event);
    });
}

fn complete(sandbox: &Sandbox, flow: &Flow, grant: &Grant) {
    let now = sandbox.clock.now();
    let log_id = sandbox.log_id();
    sandbox.change(|state| {
        // An expired session still gives its tags, a deleted one none.
        let session = state.sessions.get(&flow.session_token).cloned();
        let session = session.unwrap_or_else(|| Session {
            expires_at: now,
            tags: Tags::new(),
            end_user: None,
            allowed_integrations: None,
            defaults: Map::new(),
            webhook_url_override: flow.webhook_url_override.clone(),
            reconnects: None,
        });
        let mut config = flow.connection_config.clone();
        let mut times = 1;
        if let Some(stored) = state.integrations.get(&flow.integration) {
            let integration = &stored.integration;
            config.extend(learned(&integration.provider, &grant.account));
            let mode = &integration.auth_mode;
            let installed = pending::installation(mode, &grant.account, log_id);
            // An app that is installed at once is saved for the person, then for itself: two
            // webhooks.
            if mode == "CUSTOM" && !installed.contains_key("pendingLog") {
                times = 2;
            }
            config.extend(installed);
        }
        for _ in 0..times {
            state.authorize(
                Authorized {
                    integration: &flow.integration,
                    connection_id: &flow.connection_id,
                    session: Some(&session),
                    connection_config: config.clone(),
                    metadata: Value::Null,
                },
                now,
            );
        }
    });
}

/// What Nango learns of the account from some providers after the flow.
fn learned(provider: &str, account: &str) -> Map<String, Value> {
    let found = match provider {
        "google-mail" => {
            let hash = Sha256::digest(account.as_bytes());
            let hex: String = hash.iter().map(|b| format!("{b:02x}")).collect();
            json!({"emailAddressHash": hex})
        }
        "slack" => json!({"team.id": "T0SANDBOX", "bot_user_id": "U0SANDBOX"}),
        "hubspot" => json!({"portalId": 424_242}),
        _ => return Map::new(),
    };
    found.as_object().cloned().unwrap_or_default()
}
