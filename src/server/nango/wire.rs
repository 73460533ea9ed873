//! The shapes of Nango's JSON, shared with the sandbox. Unknown fields are ignored when reading:
//! Nango adds some without notice.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::{Deserialize, Serialize, de::IgnoredAny};

/// `{"data": …}`
#[derive(Debug, Deserialize)]
pub struct Data<T> {
    pub data: T,
}

/// The answer to a new connect session.
#[derive(Debug, Deserialize)]
pub struct ConnectSession {
    pub token: SecretString,
    /// RFC 3339.
    pub expires_at: String,
}

/// `POST /connect/sessions`
#[derive(Debug, Serialize)]
pub struct NewConnectSession<'a> {
    pub tags: &'a BTreeMap<String, String>,
    pub allowed_integrations: [&'a str; 1],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub integrations_config_defaults: BTreeMap<&'a str, ConfigDefaults<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_url_override: Option<&'a str>,
}

/// `POST /connect/sessions/reconnect`. Without `tags` the connection's own tags would be wiped.
#[derive(Debug, Serialize)]
pub struct ReconnectSession<'a> {
    pub connection_id: &'a str,
    pub integration_id: &'a str,
    pub tags: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub integrations_config_defaults: BTreeMap<&'a str, ConfigDefaults<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_url_override: Option<&'a str>,
}

/// What a session fixes for one integration: it wins over the query of the popup's address.
#[derive(Debug, Serialize)]
pub struct ConfigDefaults<'a> {
    pub connection_config: &'a BTreeMap<String, String>,
}

/// `GET /connections`
#[derive(Debug, Deserialize)]
pub struct ConnectionList {
    pub connections: Vec<ListedConnection>,
}

/// An entry of the list: no credentials in it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ListedConnection {
    pub connection_id: String,
    pub provider_config_key: String,
    #[serde(default)]
    pub tags: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub errors: Vec<ConnectionFault>,
    /// RFC 3339 with an offset.
    #[serde(default)]
    pub created: String,
}

impl ListedConnection {
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags.as_ref()?.get(key).map(String::as_str)
    }
}

/// Why a connection is broken: `{"type": "auth", "log_id": …}`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ConnectionFault {
    #[serde(rename = "type")]
    pub kind: String,
}

/// `GET /connections/{id}`; credentials are not even read.
#[derive(Debug, Deserialize)]
pub struct Connection {
    pub connection_id: String,
    pub provider_config_key: String,
    #[serde(default)]
    pub tags: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub errors: Vec<ConnectionFault>,
    /// RFC 3339 with an offset.
    #[serde(default)]
    pub created_at: String,
    #[serde(default)]
    pub connection_config: Option<ConnectionConfig>,
}

/// Of a connection's configuration only what says that its installation waits for an approval.
#[derive(Debug, Deserialize)]
pub struct ConnectionConfig {
    #[serde(default, rename = "pendingLog")]
    pub pending_log: Option<IgnoredAny>,
}

/// `GET /connect/session`
#[derive(Debug, Deserialize)]
pub struct SessionAnswer {
    #[serde(default, rename = "websocketsPath")]
    pub websockets_path: Option<String>,
    #[serde(default)]
    pub allowed_integrations: Option<Vec<String>>,
}

/// `GET /integrations` and `GET /integrations/{key}`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Integration {
    pub unique_key: String,
    pub provider: String,
    #[serde(default)]
    pub display_name: Option<String>,
    #[serde(default)]
    pub logo: Option<String>,
    /// Whether Nango passes the provider's own webhooks on.
    #[serde(default)]
    pub forward_webhooks: Option<bool>,
    /// RFC 3339, both.
    #[serde(default)]
    pub created_at: Option<String>,
    #[serde(default)]
    pub updated_at: Option<String>,
}

/// The answer to typed credentials.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Created {
    pub connection_id: String,
    pub provider_config_key: String,
}

/// `{"success": true}`
#[derive(Debug, Deserialize)]
pub struct Success {
    pub success: bool,
}

/// A message of the WebSocket.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "message_type", rename_all = "snake_case")]
pub enum SocketMessage {
    ConnectionAck {
        ws_client_id: String,
    },
    Success {
        provider_config_key: String,
        connection_id: String,
        #[serde(default)]
        is_pending: bool,
    },
    Error {
        #[serde(default)]
        provider_config_key: String,
        #[serde(default)]
        error_type: String,
        #[serde(default)]
        error_desc: String,
    },
    #[serde(other)]
    Unknown,
}
