//! What Nango's webhooks say. A body is believed only after its signature: see [`super::signature`].
//!
//! May import nothing of ours. New types, operations and fields appear without notice: what is not
//! known here is named and passed on, never refused.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// One webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Webhook {
    Auth(Auth),
    Sync(Sync),
    /// `forward`, `async_action`, and whatever comes next.
    Other {
        kind: String,
    },
}

/// What was done to a connection's credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    Creation,
    /// A reconnect.
    Override,
    Refresh,
    Other(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    pub operation: Operation,
    pub success: bool,
    /// Of a failed creation: one that never existed.
    pub connection_id: String,
    pub provider_config_key: String,
    pub provider: String,
    pub auth_mode: String,
    pub environment: String,
    /// Absent in a failed creation.
    pub tags: Option<BTreeMap<String, String>>,
    pub error: Option<Fault>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sync {
    pub connection_id: String,
    pub provider_config_key: String,
    pub sync_name: String,
    pub model: String,
    pub success: bool,
    /// RFC 3339, all three.
    pub modified_after: Option<String>,
    pub started_at: Option<String>,
    pub failed_at: Option<String>,
    pub error: Option<Fault>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub kind: String,
    pub description: String,
}

/// Why a body is no webhook.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum WebhookError {
    #[error("the body is not a JSON object")]
    NotAnObject,
    #[error("the webhook has no {0}")]
    Missing(&'static str),
}

impl Webhook {
    pub fn parse(body: &[u8]) -> Result<Self, WebhookError> {
        let Ok(Value::Object(body)) = serde_json::from_slice(body) else {
            return Err(WebhookError::NotAnObject);
        };
        let body = Body(body);
        match body.text("type").as_str() {
            "auth" => body.auth().map(Self::Auth),
            "sync" => body.sync().map(Self::Sync),
            kind => Ok(Self::Other {
                kind: kind.to_owned(),
            }),
        }
    }
}

struct Body(Map<String, Value>);

impl Body {
    fn auth(&self) -> Result<Auth, WebhookError> {
        Ok(Auth {
            operation: match self.text("operation").as_str() {
                "creation" => Operation::Creation,
                "override" => Operation::Override,
                "refresh" => Operation::Refresh,
                other => Operation::Other(other.to_owned()),
            },
            success: self.success()?,
            connection_id: self.needed("connectionId")?,
            provider_config_key: self.needed("providerConfigKey")?,
            provider: self.text("provider"),
            auth_mode: self.text("authMode"),
            environment: self.text("environment"),
            tags: self.tags(),
            error: self.error(),
        })
    }

    fn sync(&self) -> Result<Sync, WebhookError> {
        Ok(Sync {
            connection_id: self.needed("connectionId")?,
            provider_config_key: self.needed("providerConfigKey")?,
            sync_name: self.text("syncName"),
            model: self.text("model"),
            success: self.success()?,
            modified_after: self.optional("modifiedAfter"),
            started_at: self.optional("startedAt"),
            failed_at: self.optional("failedAt"),
            error: self.error(),
        })
    }

    fn optional(&self, name: &str) -> Option<String> {
        self.0.get(name)?.as_str().map(str::to_owned)
    }

    fn text(&self, name: &str) -> String {
        self.optional(name).unwrap_or_default()
    }

    fn needed(&self, name: &'static str) -> Result<String, WebhookError> {
        self.optional(name)
            .filter(|value| !value.is_empty())
            .ok_or(WebhookError::Missing(name))
    }

    /// Without it nobody knows which of two opposite things has happened.
    fn success(&self) -> Result<bool, WebhookError> {
        let success = self.0.get("success").and_then(Value::as_bool);
        success.ok_or(WebhookError::Missing("success"))
    }

    fn tags(&self) -> Option<BTreeMap<String, String>> {
        let tags = self.0.get("tags")?.as_object()?.iter();
        let tags = tags.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
        Some(tags.collect())
    }

    fn error(&self) -> Option<Fault> {
        let error = self.0.get("error")?.as_object()?;
        let text = |name: &str| {
            let value = error.get(name).and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        Some(Fault {
            kind: text("type"),
            description: text("description"),
        })
    }
}
