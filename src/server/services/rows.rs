//! Rows of the database as the domain's types.

use crate::{
    domain::connection::Connection,
    server::{db::connection::WithAttempt, manifest::Registry},
};

/// A connection as pages and programs see it. A connector whose manifest is gone is named by its
/// id: the row is still the person's.
pub fn connection(registry: &Registry, found: WithAttempt) -> Connection {
    let row = found.row;
    Connection {
        id: row.id,
        connector_id: row.connector_id,
        connector: registry
            .by_id(row.connector_id)
            .map_or_else(|| row.connector_id.to_string(), |m| m.slug.clone()),
        status: row.status,
        account: row.account,
        connected_at: row.connected_at,
        disconnected_at: row.disconnected_at,
        last_synced_at: row.last_synced_at,
        last_error: row.last_error,
        error_count: row.error_count,
        created_at: row.created_at,
        updated_at: row.updated_at,
        version: row.version,
        attempt: found.attempt,
    }
}
