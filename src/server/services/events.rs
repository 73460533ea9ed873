//! A person's event stream: the snapshot, and what comes after it.

use std::sync::Arc;

use tokio::sync::broadcast;
use uuid::Uuid;

use super::{
    ServiceError,
    core::{Announcement, Core},
    rows,
    sessions::{self, SessionsEnded},
};
use crate::{
    domain::connection::Connection,
    server::{db::connection, live::Message},
};

#[derive(Clone)]
pub struct Events(pub(super) Arc<Core>);

impl Events {
    /// Subscribe first, read [`Events::snapshot`] then: nothing falls between.
    pub fn subscribe(&self, user_id: Uuid) -> broadcast::Receiver<Message> {
        self.0.hub.subscribe(user_id)
    }

    /// Everything the person has.
    pub async fn snapshot(&self, user_id: Uuid) -> Result<Vec<Connection>, ServiceError> {
        let mut tx = self.0.db.read().await?;
        let found = connection::of_user(&mut tx, user_id).await?;
        tx.commit().await?;
        Ok(found
            .into_iter()
            .map(|row| rows::connection(&self.0.registry, row))
            .collect())
    }

    /// The database's notifications were interrupted.
    pub fn resync(&self) {
        self.0.hub.resync();
    }

    /// A change made by another instance, as the database's notification carries it.
    pub fn receive(&self, payload: &str) {
        match serde_json::from_str(payload) {
            Ok(Heard::Changed(announcement)) => self.0.publish(*announcement),
            Ok(Heard::Ended(ended)) => sessions::publish(&self.0, ended.sessions_ended),
            Err(error) => tracing::warn!(%error, "a notification cannot be read"),
        }
    }
}

/// What another instance may tell.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Heard {
    Changed(Box<Announcement>),
    Ended(SessionsEnded),
}
