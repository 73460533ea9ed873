//! Which row a click on Connect or Reconnect is about.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{ServiceError, connect::Request, core::Core, error};
use crate::{
    domain::{attempt::AttemptKind, connection::Status, timestamp::Timestamp, user::User},
    server::{
        db::{Tx, connection},
        manifest::Manifest,
    },
};

/// The row that a click is about.
pub struct Target {
    pub row: connection::Row,
    pub new: bool,
    pub kind: AttemptKind,
}

/// Which row: the named one, the one there is, one that is free again, or a new one.
pub async fn target(
    core: &Core,
    tx: &mut Tx,
    person: &User,
    manifest: &Manifest,
    request: &Request,
) -> Result<Target, ServiceError> {
    let rows = connection::of_user_and_connector(tx, person.id, manifest.id()).await?;
    let several = rows.len() > 1;
    let mut rows = rows.into_iter().map(|found| found.row);
    let live = |row: &connection::Row| row.nango_connection_id.is_some();
    let row = match request.connection_id {
        Some(id) => Some(
            rows.find(|row| row.id == id)
                .ok_or_else(error::connection_unknown)?,
        ),
        None if request.reconnect && several => {
            return Err(error::connection_ambiguous().into());
        }
        None if request.reconnect => rows.next(),
        None if manifest.multiple_accounts => rows.find(|row| !live(row)),
        None => rows.next(),
    };
    if request.reconnect && !row.as_ref().is_some_and(live) {
        return Err(error::not_connected().into());
    }
    let Some(row) = row else {
        let now = core.clock.now();
        return Ok(Target {
            row: new_row(core.clock.new_id(), person.id, manifest, now),
            new: true,
            kind: AttemptKind::Connect,
        });
    };
    if live(&row) && !request.reconnect && request.connection_id.is_none() {
        return Err(error::already_connected().into());
    }
    let kind = if live(&row) {
        AttemptKind::Reconnect
    } else {
        AttemptKind::Connect
    };
    Ok(Target {
        row,
        new: false,
        kind,
    })
}

/// A row keeps the key it was connected with: a manifest may change meanwhile.
pub fn provider_config_key(manifest: &Manifest, target: &Target) -> String {
    match (&target.kind, &target.row.provider_config_key) {
        (AttemptKind::Reconnect, Some(key)) => key.clone(),
        _ => manifest.nango.provider_key.clone(),
    }
}

fn new_row(id: Uuid, user_id: Uuid, manifest: &Manifest, now: Timestamp) -> connection::Row {
    connection::Row {
        id,
        user_id,
        connector_id: manifest.id(),
        nango_connection_id: None,
        status: Status::Pending,
        connected_at: None,
        disconnected_at: None,
        last_synced_at: None,
        config: BTreeMap::new(),
        last_error: None,
        error_count: 0,
        created_at: now,
        updated_at: now,
        version: 1,
        provider_config_key: None,
        account: None,
        lost_connection_id: None,
    }
}
