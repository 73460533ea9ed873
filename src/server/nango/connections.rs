//! Nango's connections: list, read, delete.

use std::collections::BTreeMap;

use reqwest::Method;

use super::{
    NangoError, NangoService,
    client::{Call, NO_BODY, Query},
    retry::Repeat,
    wire::{Connection, ConnectionFault, ConnectionList, ListedConnection, Success},
};

/// What became of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionState {
    /// RFC 3339 with an offset.
    pub created_at: String,
    pub errors: Vec<ConnectionFault>,
    /// Its installation waits for somebody's approval at the provider.
    pub pending: bool,
    pub tags: BTreeMap<String, String>,
}

impl NangoService {
    /// One page, newest first. A page past the end is empty.
    pub async fn list_connections(
        &self,
        limit: u16,
        page: u16,
    ) -> Result<Vec<ListedConnection>, NangoError> {
        let (limit, page) = (limit.to_string(), page.to_string());
        let query = [("limit", limit.as_str()), ("page", page.as_str())];
        self.list(&query).await
    }

    /// Those with this tag; the value is case-sensitive.
    pub async fn connections_tagged(
        &self,
        key: &str,
        value: &str,
    ) -> Result<Vec<ListedConnection>, NangoError> {
        let key = format!("tags[{key}]");
        self.list(&[(&key, value)]).await
    }

    /// The list's entry of one connection; `None` where Nango does not know it.
    pub async fn listed_connection(
        &self,
        connection_id: &str,
    ) -> Result<Option<ListedConnection>, NangoError> {
        let list = self.list(&[("connectionId", connection_id)]).await?;
        Ok(list
            .into_iter()
            .find(|entry| entry.connection_id == connection_id))
    }

    async fn list(&self, query: Query<'_>) -> Result<Vec<ListedConnection>, NangoError> {
        let call = Call::get(&["connections"], query);
        let list: ConnectionList = self.call(call, NO_BODY).await?;
        Ok(list.connections)
    }

    /// The state of one connection. This needs the key's `read` scope and may refresh the
    /// provider's token. That it cannot is a fact of the connection's health, not a failure of the
    /// call: its code is `invalid_credentials`.
    pub async fn connection_state(
        &self,
        connection_id: &str,
        provider_config_key: &str,
    ) -> Result<ConnectionState, NangoError> {
        let (segments, query) = (
            ["connections", connection_id],
            [("provider_config_key", provider_config_key)],
        );
        let call = Call {
            tolerated: &["invalid_credentials"],
            ..Call::get(&segments, &query)
        };
        let found: Connection = self.call(call, NO_BODY).await?;
        let config = found.connection_config;
        Ok(ConnectionState {
            created_at: found.created_at,
            errors: found.errors,
            pending: config.is_some_and(|config| config.pending_log.is_some()),
            tags: found.tags.unwrap_or_default(),
        })
    }

    /// Deletes a connection. One that Nango does not know counts as deleted, so this is safe to
    /// repeat.
    pub async fn delete_connection(
        &self,
        connection_id: &str,
        provider_config_key: &str,
    ) -> Result<(), NangoError> {
        let answer: Result<Success, NangoError> = self
            .call(
                Call {
                    method: Method::DELETE,
                    segments: &["connections", connection_id],
                    query: &[("provider_config_key", provider_config_key)],
                    repeat: Repeat::Harmless,
                    tolerated: &["unknown_connection"],
                },
                NO_BODY,
            )
            .await;
        match answer {
            Ok(Success { success: true }) => Ok(()),
            Ok(Success { success: false }) => Err(NangoError::Unreadable {
                status: 200,
                reason: "the connection was not deleted".to_owned(),
            }),
            Err(error) if error.code() == Some("unknown_connection") => Ok(()),
            Err(error) => Err(error),
        }
    }
}
