//! Connect sessions: the token that lets one person connect one integration, for 30 minutes.

use std::collections::BTreeMap;

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{
    NangoError, NangoService,
    client::Call,
    retry::Repeat,
    wire::{
        ConfigDefaults, ConnectSession, Data, NewConnectSession, ReconnectSession, SessionAnswer,
    },
};

/// What a flow is started with.
#[derive(Clone, Debug)]
pub struct Flow<'a> {
    /// The integration's unique key.
    pub provider_config_key: &'a str,
    /// At most ten; keys are lower-cased by Nango, values kept.
    pub tags: BTreeMap<String, String>,
    /// Connection configuration, checked by us: Nango does not check patterns. It travels in the
    /// session itself, where nobody but Nango reads it, and wins over `params`.
    pub connection_config: &'a BTreeMap<String, String>,
    /// What of it may stand in an address, which browsers, proxies and logs keep: no secrets.
    pub params: &'a BTreeMap<String, String>,
    /// Set: a reconnect, which keeps this id.
    pub reconnect: Option<&'a str>,
    /// Set: this connection's webhooks go there, and no longer to the operator's own addresses.
    pub webhook_url_override: Option<&'a str>,
}

/// What a connect session may know of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionFacts {
    /// The path of the WebSocket; self-hosted servers tell it.
    pub websockets_path: Option<String>,
    /// Empty where all are.
    pub allowed_integrations: Vec<String>,
}

/// A connect session, and the address that the popup opens.
#[derive(Debug)]
pub struct Session {
    pub token: SecretString,
    pub provider_config_key: String,
    params: BTreeMap<String, String>,
    base: Url,
}

impl NangoService {
    /// A connect session for one flow, and with it the address of the popup.
    pub async fn create_connection(&self, flow: Flow<'_>) -> Result<Session, NangoError> {
        let defaults = if flow.connection_config.is_empty() {
            BTreeMap::new()
        } else {
            BTreeMap::from([(
                flow.provider_config_key,
                ConfigDefaults {
                    connection_config: flow.connection_config,
                },
            )])
        };
        let answer: Data<ConnectSession> = match flow.reconnect {
            None => {
                let body = NewConnectSession {
                    tags: &flow.tags,
                    allowed_integrations: [flow.provider_config_key],
                    integrations_config_defaults: defaults,
                    webhook_url_override: flow.webhook_url_override,
                };
                self.call(new_session(&["connect", "sessions"]), Some(&body))
                    .await?
            }
            Some(connection_id) => {
                let body = ReconnectSession {
                    connection_id,
                    integration_id: flow.provider_config_key,
                    tags: &flow.tags,
                    integrations_config_defaults: defaults,
                    webhook_url_override: flow.webhook_url_override,
                };
                let path = ["connect", "sessions", "reconnect"];
                self.call(new_session(&path), Some(&body)).await?
            }
        };
        self.learn_socket_path(&answer.data.token);
        Ok(Session {
            token: answer.data.token,
            provider_config_key: flow.provider_config_key.to_owned(),
            params: flow.params.clone(),
            base: self.base_url.clone(),
        })
    }

    /// What the server tells the holder of a connect session.
    pub async fn connect_session_facts(
        &self,
        token: &SecretString,
    ) -> Result<SessionFacts, NangoError> {
        let answer: Data<SessionAnswer> =
            self.read_as_session(&["connect", "session"], token).await?;
        Ok(SessionFacts {
            websockets_path: answer.data.websockets_path,
            allowed_integrations: answer.data.allowed_integrations.unwrap_or_default(),
        })
    }
}

/// A session that nobody uses is harmless, so asking twice is.
const fn new_session<'a>(segments: &'a [&'a str]) -> Call<'a> {
    Call {
        method: Method::POST,
        segments,
        query: &[],
        repeat: Repeat::Harmless,
        tolerated: &[],
    }
}

impl Session {
    /// Where the popup goes. It carries the session's token, as Nango wants it: never log it.
    pub fn oauth_url(&self, ws_client_id: Option<&str>) -> String {
        let mut url = self.endpoint(&["oauth", "connect", &self.provider_config_key]);
        if let Some(id) = ws_client_id {
            url.query_pairs_mut().append_pair("ws_client_id", id);
        }
        url.into()
    }

    /// An address that this session authorises, with the open part of the connection configuration.
    pub(super) fn endpoint(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("connect_session_token", self.token.expose_secret());
            for (name, value) in &self.params {
                query.append_pair(&format!("params[{name}]"), value);
            }
        }
        url
    }
}
