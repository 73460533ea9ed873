//! How much waits in the database, for the metrics: counted when somebody scrapes, and no more often
//! than is good for it.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use super::{ServiceError, core::Core};
use crate::server::db::counts;

/// What was counted so lately is not counted again, however many scrape.
const FRESH: Duration = Duration::from_secs(5);
/// A scrape waits no longer for it: then the counts stay as they were.
const PATIENCE: Duration = Duration::from_secs(2);

/// When it was tried last.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Option<Instant>>);

#[derive(Clone)]
pub struct Counted(pub(super) Arc<Core>);

impl Counted {
    /// Brings the metrics up to date. Who comes while somebody counts does not wait.
    pub async fn refresh(&self) {
        let Ok(mut last) = self.0.counts.0.try_lock() else {
            return;
        };
        if last.is_some_and(|last| last.elapsed() < FRESH) {
            return;
        }
        let counted = timeout(PATIENCE, self.count()).await;
        *last = Some(Instant::now());
        let database = &self.0.metrics.database;
        match counted {
            Ok(Ok(counts)) => database.counted(
                counts.open_attempts,
                counts.owed_deletions,
                counts.unsealed_entries,
            ),
            Ok(Err(error)) => {
                tracing::debug!(%error, "nothing was counted for the metrics");
                database.down();
            }
            Err(_) => database.down(),
        }
    }

    async fn count(&self) -> Result<counts::Counts, ServiceError> {
        let mut tx = self.0.db.read().await?;
        let found = counts::counts(&mut tx).await?;
        tx.commit().await?;
        Ok(found)
    }
}
