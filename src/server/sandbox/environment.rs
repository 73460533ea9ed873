//! The environment's webhook settings: the key that Nango itself lets rotate, and, as a control,
//! what a real one has in its dashboard.
//!
//! May import the sandbox's `answers`, `call`, `control`, `delivery`, `state`, `validate` and
//! `webhook_url`.

use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answers::{self, Answer},
    call::Call,
    control::{self, done},
    state::Sandbox,
    validate::{self, Issues},
    webhook_url,
};

/// The most deliveries that one call shows.
const MOST: usize = 50_000;

/// `POST /environment/webhook-signing-key/rotate`: a new signing key; the API keys stay.
pub async fn rotate_signing_key(State(sandbox): State<Arc<Sandbox>>, call: Call) -> Answer {
    call.account(&sandbox)?;
    let key = sandbox.clock.random_id().to_string();
    let body = json!({"data": {"webhook_signing_key": key}});
    sandbox.change(|state| state.webhooks.signing_key = Some(key.into()));
    Ok(answers::ok(&body))
}

/// What is left out stays as it is; an empty address takes one away.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Change {
    #[serde(alias = "primary_url")]
    url: Option<String>,
    secondary_url: Option<String>,
    signing_key: Option<String>,
    allow_loopback: Option<bool>,
    allow_private: Option<bool>,
    /// All four switches at once.
    enabled: Option<bool>,
    on_auth_creation: Option<bool>,
    on_auth_refresh_error: Option<bool>,
    on_sync_completion_always: Option<bool>,
    on_sync_error: Option<bool>,
}

/// `PUT /sandbox/control/webhooks`.
pub async fn change_webhooks(State(sandbox): State<Arc<Sandbox>>, call: Call) -> Answer {
    call.account(&sandbox)?;
    let change: Change = control::read(&call)?;
    let mut issues = Issues::default();
    let mut policy = sandbox.read(|state| state.webhooks.clone());
    let (loopback, private) = (change.allow_loopback, change.allow_private);
    policy.allow_loopback = loopback.unwrap_or(policy.allow_loopback);
    policy.allow_private = private.unwrap_or(policy.allow_private);
    for (name, url) in [
        ("primary_url", &change.url),
        ("secondary_url", &change.secondary_url),
    ] {
        let Some(url) = url else { continue };
        if let Err((code, message)) = webhook_url::check(&json!(url), policy.exception()) {
            issues.push(code, message, validate::path(&[name]));
        }
    }
    issues.refuse_body()?;
    let some = |text: String| (!text.is_empty()).then_some(text);
    sandbox.change(|state| {
        let settings = &mut state.webhooks;
        settings.allow_loopback = policy.allow_loopback;
        settings.allow_private = policy.allow_private;
        if let Some(on) = change.enabled {
            settings.switch_all(on);
        }
        if let Some(url) = change.url {
            settings.primary_url = some(url);
        }
        if let Some(url) = change.secondary_url {
            settings.secondary_url = some(url);
        }
        if let Some(key) = change.signing_key {
            settings.signing_key = some(key).map(Into::into);
        }
        for (old, new) in [
            (&mut settings.on_auth_creation, change.on_auth_creation),
            (
                &mut settings.on_auth_refresh_error,
                change.on_auth_refresh_error,
            ),
            (
                &mut settings.on_sync_completion_always,
                change.on_sync_completion_always,
            ),
            (&mut settings.on_sync_error, change.on_sync_error),
        ] {
            *old = new.unwrap_or(*old);
        }
    });
    Ok(show(&sandbox))
}

/// `GET /sandbox/control/webhooks`, without the key.
pub async fn webhooks(State(sandbox): State<Arc<Sandbox>>, call: Call) -> Answer {
    call.account(&sandbox)?;
    Ok(show(&sandbox))
}

fn show(sandbox: &Sandbox) -> axum::response::Response {
    let body: Value = sandbox.read(|state| {
        let settings = &state.webhooks;
        json!({
            "primary_url": settings.primary_url.as_deref().unwrap_or_default(),
            "secondary_url": settings.secondary_url.as_deref().unwrap_or_default(),
            "on_auth_creation": settings.on_auth_creation,
            "on_auth_refresh_error": settings.on_auth_refresh_error,
            "on_sync_completion_always": settings.on_sync_completion_always,
            "on_sync_error": settings.on_sync_error,
            "allow_loopback": settings.allow_loopback,
            "allow_private": settings.allow_private,
        })
    });
    answers::ok(&body)
}

/// `GET /sandbox/control/deliveries?limit=&connection_id=`: newest first.
pub async fn deliveries(State(sandbox): State<Arc<Sandbox>>, call: Call) -> Answer {
    call.account(&sandbox)?;
    let limit = call.param("limit").and_then(|text| text.parse().ok());
    let found = sandbox
        .deliveries
        .list(limit.unwrap_or(MOST), call.param("connection_id"));
    Ok(answers::ok(&json!({"deliveries": found})))
}

pub async fn forget_deliveries(State(sandbox): State<Arc<Sandbox>>, call: Call) -> Answer {
    call.account(&sandbox)?;
    sandbox.deliveries.forget();
    Ok(done())
}
