//! What Nango tells a product's server on its own account: which events, in which bodies, signed
//! with what, sent to whom. The sending is in `delivery`.
//!
//! May import `domain` and the sandbox's `outcome`, `state` and `webhook_url`.

use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{outcome::Failure, state::Connection, tags::Tags, webhook_url::Exception};
use crate::domain::timestamp::Timestamp;

const ENVIRONMENT: &str = "dev";
/// Nango's own sentence and name for a refresh that the provider refused.
const REFRESH_FAILED: Fault = Fault {
    description: "The external API returned an error when trying to refresh the access token. Please try again later.",
    kind: "refresh_token_external_error",
};

/// The environment's webhook settings, as its dashboard has them. A fresh Nango has every switch
/// that matters here off.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    pub primary_url: Option<String>,
    pub secondary_url: Option<String>,
    /// Until the first rotation it is the secret key.
    #[serde(serialize_with = "exposed", deserialize_with = "hidden")]
    pub signing_key: Option<SecretString>,
    pub on_auth_creation: bool,
    pub on_auth_refresh_error: bool,
    pub on_sync_completion_always: bool,
    pub on_sync_error: bool,
    /// A real Nango never sends to loopback addresses, and to private ones only when told to.
    pub allow_loopback: bool,
    /// That policy: private addresses, and still not this machine.
    pub allow_private: bool,
}

impl Settings {
    pub fn exception(&self) -> Exception {
        match (self.allow_loopback, self.allow_private) {
            (true, _) => Exception::Loopback,
            (false, true) => Exception::Private,
            (false, false) => Exception::None,
        }
    }

    pub fn switch_all(&mut self, on: bool) {
        self.on_auth_creation = on;
        self.on_auth_refresh_error = on;
        self.on_sync_completion_always = on;
        self.on_sync_error = on;
    }

    /// Where an event goes, in this order; nowhere where its switch is off. An override takes the
    /// place of both addresses.
    pub fn targets(&self, event: &Event) -> Vec<String> {
        let wanted = match (event.kind, event.operation, event.success) {
            ("auth", Some("creation"), _) => self.on_auth_creation,
            ("auth", Some("refresh"), _) => self.on_auth_refresh_error,
            ("sync", _, false) => self.on_sync_error,
            ("sync", _, true) => !event.nothing_new || self.on_sync_completion_always,
            // An override has no switch of its own.
            _ => true,
        };
        if !wanted {
            return Vec::new();
        }
        if let Some(url) = event.url.as_ref().filter(|url| !url.trim().is_empty()) {
            return vec![url.clone()];
        }
        let urls = [&self.primary_url, &self.secondary_url];
        urls.into_iter().flatten().cloned().collect()
    }
}

fn exposed<S: Serializer>(key: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    key.as_ref()
        .map(ExposeSecret::expose_secret)
        .serialize(serializer)
}

fn hidden<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(SecretString::from))
}

/// Something to be told, its body ready to be signed.
#[derive(Clone, Debug)]
pub struct Event {
    /// `auth` or `sync`.
    pub kind: &'static str,
    pub operation: Option<&'static str>,
    pub success: bool,
    /// A sync that found nothing new.
    nothing_new: bool,
    pub connection_id: String,
    /// The session's or the connection's own address.
    pub url: Option<String>,
    pub body: String,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct Fault<'a> {
    pub description: &'a str,
    #[serde(rename = "type")]
    pub kind: &'a str,
}

/// Nango sorts the keys before it signs; so do the fields here.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Auth<'a> {
    auth_mode: &'a str,
    connection_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_user: Option<EndUser<'a>>,
    environment: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Fault<'a>>,
    from: &'a str,
    operation: &'a str,
    provider: &'a str,
    provider_config_key: &'a str,
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<&'a Tags>,
    #[serde(rename = "type")]
    kind: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EndUser<'a> {
    end_user_email: Option<&'a str>,
    end_user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization_id: Option<&'a str>,
    tags: Value,
}

/// A connection made (`creation`) or renewed (`override`). The end user is the session's, not the
/// connection's.
pub fn authorized(
    connection: &Connection,
    operation: &'static str,
    end_user: Option<&Value>,
) -> Event {
    let end_user = end_user.map(|user| {
        let text = |pointer: &str| user.pointer(pointer).and_then(Value::as_str);
        EndUser {
            end_user_email: text("/email"),
            end_user_id: text("/id"),
            organization_id: text("/organization/id"),
            tags: match user.get("tags") {
                Some(tags @ Value::Object(_)) => tags.clone(),
                _ => serde_json::json!({}),
            },
        }
    });
    auth(connection, operation, end_user, None)
}

/// The provider refused to renew the credentials.
pub fn refresh_failed(connection: &Connection) -> Event {
    auth(connection, "refresh", None, Some(REFRESH_FAILED))
}

fn auth(
    connection: &Connection,
    operation: &'static str,
    end_user: Option<EndUser<'_>>,
    error: Option<Fault<'_>>,
) -> Event {
    let success = error.is_none();
    let body = text(&Auth {
        auth_mode: &connection.auth_mode,
        connection_id: &connection.connection_id,
        end_user,
        environment: ENVIRONMENT,
        error,
        from: "nango",
        operation,
        provider: &connection.provider,
        provider_config_key: &connection.integration,
        success,
        tags: Some(&connection.tags),
        kind: "auth",
    });
    Event {
        kind: "auth",
        operation: Some(operation),
        success,
        nothing_new: false,
        connection_id: connection.connection_id.clone(),
        url: connection.webhook_url_override.clone(),
        body,
    }
}

/// A flow that failed at the provider. It knows nothing but what the flow was about: no tags, and
/// an id that no connection has, or that of a healthy one in a reconnect.
pub struct FailedFlow<'a> {
    pub connection_id: &'a str,
    pub integration: &'a str,
    pub provider: &'a str,
    pub auth_mode: &'a str,
    pub url: Option<&'a str>,
}

pub fn failed(flow: &FailedFlow<'_>, failure: &Failure) -> Event {
    let kind = match failure.kind {
        "callback_err" => "invalid_callback",
        _ => "unknown",
    };
    let body = text(&Auth {
        auth_mode: flow.auth_mode,
        connection_id: flow.connection_id,
        end_user: None,
        environment: ENVIRONMENT,
        error: Some(Fault {
            description: &failure.description,
            kind,
        }),
        from: "nango",
        operation: "creation",
        provider: flow.provider,
        provider_config_key: flow.integration,
        success: false,
        tags: None,
        kind: "auth",
    });
    Event {
        kind: "auth",
        operation: Some("creation"),
        success: false,
        nothing_new: false,
        connection_id: flow.connection_id.to_owned(),
        url: flow.url.map(str::to_owned),
        body,
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sync<'a> {
    connection_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Fault<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_at: Option<Timestamp>,
    from: &'a str,
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified_after: Option<Timestamp>,
    provider_config_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    query_time_stamp: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_results: Option<Found>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<Timestamp>,
    success: bool,
    sync_name: &'a str,
    sync_type: &'a str,
    sync_variant: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
}

/// What a sync brought.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Found {
    pub added: u64,
    pub deleted: u64,
    pub updated: u64,
}

/// One run of a sync of a connection.
pub struct Run<'a> {
    pub name: &'a str,
    pub model: &'a str,
    pub started_at: Timestamp,
    pub ended_at: Timestamp,
    pub result: Result<Found, Fault<'a>>,
}

pub fn synced(connection: &Connection, run: &Run<'_>) -> Event {
    let found = run.result.ok();
    let error = run.result.err();
    let on_success = found.map(|_| run.started_at);
    let body = text(&Sync {
        connection_id: &connection.connection_id,
        error,
        failed_at: error.map(|_| run.ended_at),
        from: "nango",
        model: run.model,
        modified_after: on_success,
        provider_config_key: &connection.integration,
        query_time_stamp: on_success,
        response_results: found,
        started_at: error.map(|_| run.started_at),
        success: found.is_some(),
        sync_name: run.name,
        sync_type: "INCREMENTAL",
        sync_variant: "base",
        kind: "sync",
    });
    Event {
        kind: "sync",
        operation: None,
        success: found.is_some(),
        nothing_new: found.is_some_and(|f| f.added + f.deleted + f.updated == 0),
        connection_id: connection.connection_id.clone(),
        url: connection.webhook_url_override.clone(),
        body,
    }
}

fn text(body: &impl Serialize) -> String {
    // Strings, numbers and maps with string keys: there is nothing that JSON could refuse.
    serde_json::to_string(body).unwrap_or_default()
}

/// Both signatures, `X-Nango-Hmac-Sha256` and the `X-Nango-Signature` of old, in hex.
pub fn signatures(key: &SecretString, body: &str) -> (String, String) {
    let key = key.expose_secret();
    let hmac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).map(|mut mac| {
        mac.update(body.as_bytes());
        hex(&mac.finalize().into_bytes())
    });
    let legacy = Sha256::new().chain_update(key).chain_update(body);
    // HMAC takes keys of any length.
    (hmac.unwrap_or_default(), hex(&legacy.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
