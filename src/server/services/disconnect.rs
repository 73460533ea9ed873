//! Disconnect: at Nango first, then here. If Nango can't be reached the row stays as it is.

use std::sync::Arc;

use uuid::Uuid;

use super::{ServiceError, core::Core, error, rows, settle, to_the_end};
use crate::{
    domain::{
        connection::{Connection, Status},
        user::User,
    },
    server::{
        db::{attempt, connection, user},
        manifest::Manifest,
        nango::NangoError,
        services::settle::audit,
    },
};

#[derive(Clone)]
pub struct Disconnect(pub(super) Arc<Core>);

impl Disconnect {
    /// `connection_id` may be left out where the person has one account only.
    pub async fn run(
        &self,
        person: &User,
        connector: &str,
        connection_id: Option<Uuid>,
    ) -> Result<Connection, ServiceError> {
        let (this, person, connector) = (self.clone(), person.clone(), connector.to_owned());
        to_the_end(async move { this.disconnect(&person, &connector, connection_id).await }).await
    }

    async fn disconnect(
        &self,
        person: &User,
        connector: &str,
        connection_id: Option<Uuid>,
    ) -> Result<Connection, ServiceError> {
        let core = &self.0;
        // An account outlives its manifest: by the connector's id it can still be disconnected.
        let manifest = core.registry.find(connector);
        let connector_id = manifest
            .map(Manifest::id)
            .or_else(|| Uuid::parse_str(connector).ok())
            .ok_or_else(error::connector_unknown)?;
        let mut tx = core.db.read().await?;
        let rows = connection::of_user_and_connector(&mut tx, person.id, connector_id).await?;
        tx.commit().await?;
        if manifest.is_none() && rows.is_empty() {
            return Err(error::connector_unknown().into());
        }
        let target = match connection_id {
            Some(id) => rows.into_iter().find(|found| found.row.id == id),
            None => {
                let mut live: Vec<_> = rows
                    .into_iter()
                    .filter(|found| found.row.status != Status::Disconnected)
                    .collect();
                if live.len() > 1 {
                    return Err(error::connection_ambiguous().into());
                }
                live.pop()
            }
        }
        .ok_or_else(error::connection_unknown)?;

        if let Some(nango_id) = &target.row.nango_connection_id {
            let key = target.row.provider_config_key.as_deref();
            let key = key
                .or_else(|| manifest.map(|manifest| manifest.nango.provider_key.as_str()))
                .ok_or_else(error::connector_unknown)?;
            let deleted = core.nango()?.delete_connection(nango_id, key).await;
            deleted.inspect_err(|error: &NangoError| core.integrations.learn(error))?;
        }
        self.close(person, target.row.id, target.row.nango_connection_id)
            .await
    }

    /// Writes down what is done at Nango. A connect that has bound another account meanwhile is
    /// left alone: that account was not what the person disconnected.
    async fn close(
        &self,
        person: &User,
        id: Uuid,
        deleted: Option<String>,
    ) -> Result<Connection, ServiceError> {
        let core = &self.0;
        let now = core.clock.now();
        let mut tx = core.db.write().await?;
        user::lock(&mut tx, person.id).await?;
        let found = connection::get(&mut tx, id)
            .await?
            .ok_or_else(error::connection_unknown)?;
        let mut row = found.row;
        if row.nango_connection_id == deleted && row.status != Status::Disconnected {
            attempt::cancel_of(&mut tx, id, now).await?;
            row.status = Status::Disconnected;
            row.nango_connection_id = None;
            row.lost_connection_id = None;
            row.disconnected_at = Some(now);
            row.last_error = None;
            row.error_count = 0;
            settle::write(&mut tx, &mut row, now).await?;
            audit(core, &mut tx, "disconnect", Some(person.id), &row, None).await?;
        }
        let announcement = core.announce(&mut tx, id).await?;
        let found = connection::get(&mut tx, id)
            .await?
            .ok_or_else(error::connection_unknown)?;
        tx.commit().await?;
        if let Some(announcement) = announcement {
            core.publish(announcement);
        }
        Ok(rows::connection(&core.registry, found))
    }
}
