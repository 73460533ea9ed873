//! Whether the server can do its work.

use std::sync::{Arc, atomic::Ordering};

use super::{ServiceError, core::Core, error, reconcile::Reconcile};

#[derive(Clone)]
pub struct Health(pub(super) Arc<Core>);

impl Health {
    /// Ready: the database answers. A Nango that can't be reached does not make the server
    /// unready: the catalogue still shows, and says so.
    pub async fn ready(&self) -> Result<(), ServiceError> {
        if self.0.stopping.load(Ordering::SeqCst) {
            return Err(error::stopping().into());
        }
        let tx = self.0.db.read().await?;
        tx.commit().await?;
        Ok(())
    }

    /// From now on the server is not ready any more: it is about to end.
    pub fn stop(&self) {
        self.0.stopping.store(true, Ordering::SeqCst);
    }

    /// What somebody should look at, though the server works.
    pub fn alarms(&self) -> Vec<&'static str> {
        let alarm = Reconcile(self.0.clone()).last().is_some_and(|r| r.alarm);
        alarm
            .then_some("nango_connections_missing")
            .into_iter()
            .collect()
    }
}
