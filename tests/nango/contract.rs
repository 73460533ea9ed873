//! Every recorded answer to a call that this client makes gives the right value or error.
//!
//! Right values are read from the recording itself; right errors stand in `outcomes`, by file and
//! step.

use std::collections::{BTreeMap, BTreeSet};

use patchbay::server::nango::{
    NangoError, NangoService,
    sessions::{Flow, Session},
    wire::{Created, Integration, ListedConnection},
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::{
    outcomes::ERRORS,
    recordings::{self, Step},
    stub::{Reply, Stub},
};

/// Recordings that show a part of the answer only, the part in question there.
const EXCERPTS: [&str; 5] = [
    "34-connection-patch /steps/1",
    "34-connection-patch /steps/3",
    "34-connection-patch /steps/5",
    "35-metadata /steps/2",
    "35-metadata /steps/4",
];
const ID: &str = "some-connection";
const INTEGRATION: &str = "google-mail";

#[tokio::test]
async fn every_recorded_answer_gives_the_right_value_or_error() {
    let Some(steps) = recordings::steps() else {
        return;
    };
    let total = steps.len();
    let (mut values, mut errors) = (0, BTreeMap::new());
    let mut never_called: BTreeMap<String, usize> = BTreeMap::new();
    for step in &steps {
        if EXCERPTS.contains(&step.name.as_str()) {
            assert!(step.body.get("connection_id").is_none(), "{}", step.name);
            continue;
        }
        let Some(call) = Called::of(step) else {
            let kind = step.path.split('/').take(3).collect::<Vec<_>>().join("/");
            *never_called
                .entry(format!("{} {kind}", step.method))
                .or_default() += 1;
            continue;
        };
        match call.made(step).await {
            Ok(value) => {
                assert!(
                    step.status < 300 || call.tolerates(step),
                    "{}: a value",
                    step.name
                );
                assert_eq!(value, call.wanted(step), "{}", step.name);
                values += 1;
            }
            Err(error) => {
                errors.insert(step.name.clone(), outcome(&error));
            }
        }
    }
    println!(
        "{total} steps: {values} right values, {} errors, never called: {never_called:#?}",
        errors.len()
    );
    let table: BTreeMap<String, String> = ERRORS
        .trim()
        .lines()
        .map(|line| line.split_once(" = ").expect("name = outcome"))
        .map(|(name, outcome)| (name.to_owned(), outcome.to_owned()))
        .collect();
    let names: BTreeSet<&String> = table.keys().chain(errors.keys()).collect();
    let mut wrong = Vec::new();
    for name in names {
        let (wanted, found) = (table.get(name), errors.get(name));
        if wanted != found {
            wrong.push(format!(
                "{name} = {}",
                found.map_or("no error", String::as_str)
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "other errors than in the table:\n{}",
        wrong.join("\n")
    );
    assert!(values >= 94, "only {values} values");
    assert!(errors.len() >= 108, "only {} errors", errors.len());
}

/// What the client would have called to get this answer.
#[derive(Clone, Copy, Debug)]
enum Called<'a> {
    Integrations,
    Provider(&'a str),
    NewSession,
    Reconnect,
    Facts,
    List,
    State,
    Delete,
    Typed(&'static str),
}

impl<'a> Called<'a> {
    fn of(step: &'a Step) -> Option<Self> {
        let segments: Vec<&str> = step.path.split('/').skip(1).collect();
        // With a session's token this client reads the session and nothing else. (A provider
        // looks the same to everybody.)
        if step.authorization.contains("nango_connect_session_")
            && step.status < 300
            && segments != ["connect", "session"]
            && !step.path.starts_with("/providers/")
        {
            return None;
        }
        Some(match (step.method.as_str(), segments.as_slice()) {
            ("GET", ["integrations"]) => Self::Integrations,
            ("GET", ["providers", name]) => Self::Provider(name),
            ("POST", ["connect", "sessions"]) => Self::NewSession,
            ("POST", ["connect", "sessions", "reconnect"]) => Self::Reconnect,
            ("GET", ["connect", "session"]) => Self::Facts,
            ("GET", ["connections"]) => Self::List,
            ("GET", ["connections", _]) => Self::State,
            ("DELETE", ["connections", _]) => Self::Delete,
            ("POST", ["api-auth", "api-key", _]) => Self::Typed("API_KEY"),
            ("POST", ["api-auth", "basic", _]) => Self::Typed("BASIC"),
            _ => return None,
        })
    }

    /// Refusals that are answers like any other.
    fn tolerates(self, step: &Step) -> bool {
        let code = step.body.pointer("/error/code").and_then(Value::as_str);
        matches!((self, code), (Self::Delete, Some("unknown_connection")))
    }

    async fn made(self, step: &Step) -> Result<Value, NangoError> {
        let recorded = reply(step);
        let session = Reply::json(201, r#"{"data":{"token":"t","expires_at":""}}"#);
        let typed = matches!(self, Self::Typed(_));
        let facts = matches!(self, Self::Facts);
        let stub = Stub::start(move |seen, _| match seen.path.as_str() {
            "/connect/session" if !facts => Reply::json(404, "{}"),
            "/connect/sessions" if typed => session.clone(),
            _ => recorded.clone(),
        })
        .await;
        let nango = stub.service();
        Ok(match self {
            Self::Integrations => {
                let all = nango.list_integrations().await?;
                all.iter().map(integration).collect()
            }
            Self::Provider(name) => {
                let found = nango.provider(name).await?;
                json!([found.name, found.auth_mode])
            }
            Self::NewSession => json!(start(&nango, None).await?.token.expose_secret()),
            Self::Reconnect => json!(start(&nango, Some(ID)).await?.token.expose_secret()),
            Self::Facts => {
                let facts = nango.connect_session_facts(&"t".to_owned().into()).await?;
                json!([facts.websockets_path, facts.allowed_integrations])
            }
            Self::List => {
                let list = nango.list_connections(100, 0).await?;
                list.iter().map(listed).collect()
            }
            Self::State => {
                let state = nango.connection_state(ID, INTEGRATION).await?;
                let errors: Vec<&str> = state.errors.iter().map(|e| e.kind.as_str()).collect();
                json!([state.created_at, state.pending, state.tags, errors])
            }
            Self::Delete => {
                nango.delete_connection(ID, INTEGRATION).await?;
                Value::Null
            }
            Self::Typed(mode) => {
                let session = start(&nango, None).await?;
                let typed = nango
                    .create_with_credentials(&session, mode, &BTreeMap::new())
                    .await?;
                created(&typed)
            }
        })
    }

    /// The same, read from the recording.
    fn wanted(self, step: &Step) -> Value {
        let body = &step.body;
        let data = &body["data"];
        let kinds = |entry: &Value| -> Vec<Value> {
            let errors = entry["errors"].as_array().cloned().unwrap_or_default();
            errors.iter().map(|error| error["type"].clone()).collect()
        };
        let tags = |entry: &Value| match &entry["tags"] {
            Value::Null => json!({}),
            tags => tags.clone(),
        };
        let of = |entry: &Value| {
            json!([
                entry["unique_key"],
                entry["provider"],
                entry["display_name"],
                entry["forward_webhooks"]
            ])
        };
        match self {
            Self::Integrations => data.as_array().unwrap().iter().map(of).collect(),
            Self::Provider(_) => json!([data["name"], data["auth_mode"]]),
            Self::NewSession | Self::Reconnect => data["token"].clone(),
            Self::Facts => json!([
                data["websocketsPath"],
                data.get("allowed_integrations")
                    .filter(|all| all.is_array())
                    .cloned()
                    .unwrap_or(json!([]))
            ]),
            Self::List => body["connections"]
                .as_array()
                .unwrap()
                .iter()
                .map(|e| {
                    json!([
                        e["connection_id"],
                        e["provider_config_key"],
                        tags(e),
                        kinds(e)
                    ])
                })
                .collect(),
            Self::State => json!([
                body["created_at"],
                body.pointer("/connection_config/pendingLog").is_some(),
                tags(body),
                kinds(body)
            ]),
            Self::Delete => Value::Null,
            Self::Typed(_) => json!([body["connectionId"], body["providerConfigKey"]]),
        }
    }
}

async fn start(nango: &NangoService, reconnect: Option<&str>) -> Result<Session, NangoError> {
    nango
        .create_connection(Flow {
            provider_config_key: INTEGRATION,
            tags: BTreeMap::from([("end_user_id".to_owned(), "1".to_owned())]),
            connection_config: &BTreeMap::new(),
            params: &BTreeMap::new(),
            reconnect,
            webhook_url_override: None,
        })
        .await
}

fn integration(entry: &Integration) -> Value {
    json!([
        entry.unique_key,
        entry.provider,
        entry.display_name,
        entry.forward_webhooks
    ])
}

fn listed(entry: &ListedConnection) -> Value {
    let errors: Vec<&str> = entry.errors.iter().map(|e| e.kind.as_str()).collect();
    let tags = entry.tags.clone().unwrap_or_default();
    json!([entry.connection_id, entry.provider_config_key, tags, errors])
}

fn created(created: &Created) -> Value {
    json!([created.connection_id, created.provider_config_key])
}

/// The recorded answer, byte for byte as far as it was recorded.
fn reply(step: &Step) -> Reply {
    let body = match &step.body {
        Value::Null => Vec::new(),
        Value::String(text) => text.clone().into_bytes(),
        json => serde_json::to_vec(json).unwrap(),
    };
    let headers: Vec<(&str, &str)> = step
        .headers
        .iter()
        .filter(|(name, _)| name != "content-length")
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    Reply::new(step.status, &headers, &body)
}

/// An error in one line: its kind, its facts, and what the client makes of it.
fn outcome(error: &NangoError) -> String {
    let mut words = match error {
        NangoError::Unauthorized { code } => format!("unauthorized {code}"),
        NangoError::Forbidden { code, message } => format!("forbidden {code}: {message}"),
        NangoError::RateLimited {
            retry_after_seconds,
        } => format!("rate limited {retry_after_seconds:?}"),
        NangoError::Refused {
            status,
            code,
            message,
        } => format!("{status} {code}: {message}"),
        other => format!("{other:?}"),
    };
    for (is, word) in [
        (error.is_connection_gone(), "connection gone"),
        (error.is_integration_missing(), "integration missing"),
        (error.is_credential_refusal(), "credentials refused"),
        (error.is_tag_rule_broken(), "tag rule"),
    ] {
        if is {
            words.push_str(&format!(" [{word}]"));
        }
    }
    words
}
