//! What Nango knows of providers: at least one of each auth mode as Nango has it (in `FACTS`, one
//! a line, with descriptions of our own), and of every other provider of the sandbox's integrations
//! the least that Nango always tells.
//!
//! May import the sandbox's `answers`, `call`, `state` and `validate`.

use std::sync::{Arc, LazyLock};

use axum::{
    extract::{Path, State as Shared},
    http::StatusCode,
};
use serde_json::{Map, Value, json};

use super::{
    Integration,
    answers::{self, Answer},
    call::Call,
    state::{Sandbox, State},
    validate::{self, Issues},
};

const FACTS: &str = include_str!("providers.jsonl");

struct Known {
    name: String,
    facts: Value,
    /// As it stands in `FACTS`: there the fields of a form have their order, in `facts` not.
    text: &'static str,
}

static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| {
    FACTS
        .lines()
        .filter_map(|text| {
            let facts: Value = serde_json::from_str(text).ok()?;
            let name = facts.get("name")?.as_str()?.to_owned();
            Some(Known { name, facts, text })
        })
        .collect()
});

fn known(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name == name)
}

fn fact<'a>(name: &str, field: &str) -> Option<&'a Value> {
    known(name)?.facts.get(field)
}

/// What an integration needs to know of its provider.
pub struct Provider {
    pub display_name: String,
    pub auth_mode: String,
    /// The connection config that an OAuth flow can't start without.
    pub connection_config: Vec<String>,
}

/// Looks among the integrations' providers first: the operator's word on them goes before ours.
pub fn find(state: &State, name: &str) -> Option<Provider> {
    if let Some(seen) = state.known_providers.get(name) {
        return Some(Provider {
            display_name: seen.display_name.clone(),
            auth_mode: seen.auth_mode.clone(),
            connection_config: seen.connection_config.clone(),
        });
    }
    let text = |field| Some(fact(name, field)?.as_str()?.to_owned());
    Some(Provider {
        display_name: text("display_name")?,
        auth_mode: text("auth_mode")?,
        connection_config: required_config(name),
    })
}

fn required_config(name: &str) -> Vec<String> {
    let flag = |field: &Value, name: &str| field.get(name) == Some(&json!(true));
    fact(name, "connection_config")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter(|(_, field)| !flag(field, "automated") && !flag(field, "optional"))
        .map(|(field, _)| field.clone())
        .collect()
}

/// The credential fields without which the provider can't be asked for a token.
pub fn required_credentials(name: &str) -> Vec<&'static str> {
    fact(name, "credentials")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter(|(_, field)| field.get("optional") != Some(&json!(true)))
        .map(|(field, _)| field.as_str())
        .collect()
}

/// Whether the provider's installation starts on its own side, so that no popup opens for it.
pub fn is_outbound(name: &str) -> bool {
    fact(name, "installation") == Some(&json!("outbound"))
}

/// Whether Nango routes the provider's webhooks. Of a provider that is not among ours nothing is
/// known, and none is the rarer answer.
pub fn routes_webhooks(name: &str) -> bool {
    known(name).is_none_or(|known| known.facts.get("webhook_routing_script").is_some())
}

pub async fn list(Shared(sandbox): Shared<Arc<Sandbox>>, call: Call) -> Answer {
    call.caller(&sandbox)?;
    let mut issues = Issues::default();
    if let Some(search) = call.param("search") {
        validate::key(&mut issues, search, "search");
    }
    call.unknown_params(&mut issues, &["search"]);
    issues.refuse_query()?;
    let wanted = call.param("search").unwrap_or_default().to_lowercase();
    let origin = call.origin(&sandbox);
    let mut names: Vec<String> = KNOWN.iter().map(|known| known.name.clone()).collect();
    sandbox.read(|state| names.extend(state.known_providers.keys().cloned()));
    names.sort();
    names.dedup();
    let found: Vec<String> = names
        .iter()
        .filter(|name| name.to_lowercase().contains(&wanted))
        .filter_map(|name| told(&sandbox, name, &origin))
        .collect();
    let body = format!("{{\"data\":[{}]}}", found.join(","));
    Ok(answers::json_text(StatusCode::OK, body))
}

pub async fn show(
    Shared(sandbox): Shared<Arc<Sandbox>>,
    Path(name): Path<String>,
    call: Call,
) -> Answer {
    call.caller(&sandbox)?;
    let mut issues = Issues::default();
    call.unknown_params(&mut issues, &[]);
    issues.refuse_query()?;
    let mut issues = Issues::default();
    validate::matches(&mut issues, &name, "a-zA-Z0-9_-", "provider");
    issues.refuse("invalid_uri_params")?;
    let Some(text) = told(&sandbox, &name, &call.origin(&sandbox)) else {
        return Err(answers::message(
            StatusCode::NOT_FOUND,
            "not_found",
            &format!("Unknown provider {name}"),
        ));
    };
    let body = format!("{{\"data\":{text}}}");
    Ok(answers::json_text(StatusCode::OK, body))
}

/// A provider as JSON text.
fn told(sandbox: &Sandbox, name: &str, origin: &str) -> Option<String> {
    let text = match known(name) {
        Some(known) => known.text.to_owned(),
        None => {
            let seen = sandbox.read(|state| state.known_providers.get(name).cloned())?;
            least(&seen).to_string()
        }
    };
    let logo = json!(format!("{origin}/images/template-logos/{name}.svg"));
    let open = text.strip_suffix('}')?;
    Some(format!("{open},\"logo_url\":{logo}}}"))
}

fn least(seen: &Integration) -> Value {
    let mut data = json!({
        "name": seen.provider,
        "display_name": seen.display_name,
        "categories": [],
        "auth_mode": seen.auth_mode,
        "docs": format!("https://nango.dev/docs/integrations/all/{}", seen.provider),
    });
    let fields = |names: &[(&str, &str)]| -> Value {
        let shown: Map<String, Value> = names
            .iter()
            .map(|(field, title)| {
                let shown = json!({"type": "string", "title": title, "description": ""});
                ((*field).to_owned(), shown)
            })
            .collect();
        Value::Object(shown)
    };
    if !seen.connection_config.is_empty() {
        let named: Vec<(&str, &str)> = seen
            .connection_config
            .iter()
            .map(|field| (field.as_str(), field.as_str()))
            .collect();
        data["connection_config"] = fields(&named);
    }
    // Of BASIC nothing: some providers take a key in place of one of the two and have no other field,
    // and the real Nango names that one alone.
    if seen.auth_mode == "API_KEY" {
        data["credentials"] = fields(&[("apiKey", "API Key")]);
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_facts_is_read_and_each_auth_mode_is_among_them() {
        assert_eq!(KNOWN.len(), FACTS.lines().count());
        for mode in [
            "API_KEY",
            "APP",
            "AWS_SIGV4",
            "BASIC",
            "BILL",
            "CUSTOM",
            "INSTALL_PLUGIN",
            "JWT",
            "MCP_OAUTH2",
            "MCP_OAUTH2_GENERIC",
            "NONE",
            "OAUTH1",
            "OAUTH2",
            "SIGNATURE",
            "TBA",
            "TWO_STEP",
        ] {
            let has = |known: &Known| known.facts["auth_mode"] == mode;
            assert!(KNOWN.iter().any(has), "{mode}");
        }
    }

    #[test]
    fn a_form_asks_for_what_is_neither_optional_nor_filled_in_by_nango() {
        assert_eq!(required_config("sentry-oauth"), ["actor", "hostname"]);
        assert!(required_config("github-app").is_empty());
        assert_eq!(required_credentials("aws-sigv4"), ["role_arn"]);
        assert!(is_outbound("sentry-oauth") && !is_outbound("slack"));
    }
}
