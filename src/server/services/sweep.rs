//! What is due by the database: attempts that nobody finished, deletions owed to Nango.

use std::{sync::Arc, time::Duration};

use super::{
    ServiceError,
    core::Core,
    look,
    settle::{self, Outcome},
};
use crate::{
    domain::timestamp::Timestamp,
    server::{
        db::{attempt, connection, owed_deletion},
        metrics::outcomes::Way,
        nango::{NangoError, NangoService},
    },
};

/// Deletions read at once.
const DELETIONS: i64 = 20;
/// How often the database is asked for deletions without being told of one.
const EVERY: Duration = Duration::from_secs(15);
/// The pause after the first failed deletion; it doubles, up to an hour.
const DELETION_PAUSE_MS: i64 = 30_000;
const LONGEST_PAUSE_MS: i64 = 3_600_000;

/// Closes what is overdue, which is the lease's holder to do, and returns the attempts to watch.
pub async fn sweep(core: &Core, held: bool) -> Result<Vec<attempt::Row>, ServiceError> {
    let now = core.clock.now();
    let mut tx = core.db.read().await?;
    let overdue = if held {
        attempt::overdue(&mut tx, now).await?
    } else {
        Vec::new()
    };
    tx.commit().await?;
    if !overdue.is_empty() && core.nango().is_ok() {
        // One last look: who allowed in the last second is connected, not expired.
        if let Err(error) = look::look(core, &overdue).await {
            tracing::info!(%error, "the last look before expiry failed");
        }
    }
    for attempt in &overdue {
        // One that cannot be closed must not keep the others open.
        if let Err(error) = settle::settle(core, attempt.id, Outcome::Expired, Way::Expiry).await {
            tracing::warn!(%error, attempt = %attempt.id, "an overdue attempt stays open");
        }
    }
    let mut tx = core.db.read().await?;
    let watched = attempt::watched(&mut tx, core.clock.now()).await?;
    tx.commit().await?;
    Ok(watched)
}

/// Deletes what is owed, for ever. Apart from the watch: a Nango that hangs must not keep people
/// waiting for their outcome.
pub async fn keep_deleting(core: Arc<Core>) {
    loop {
        // Rung for one of its own, an instance need not hold the lease: deleting twice is harmless.
        let rung = core.watch.until_deletion_owed(EVERY).await;
        if (rung || core.lease.held())
            && let Err(error) = delete_owed(&core).await
        {
            tracing::warn!(%error, "deletions are still owed to Nango");
        }
    }
}

/// All that are due: several rings are heard as one. One that fails is postponed, so there is an
/// end.
async fn delete_owed(core: &Core) -> Result<(), ServiceError> {
    let Ok(nango) = core.nango().map(NangoService::background) else {
        return Ok(());
    };
    loop {
        let mut tx = core.db.read().await?;
        let owed = owed_deletion::due(&mut tx, core.clock.now(), DELETIONS).await?;
        tx.commit().await?;
        for deletion in &owed {
            delete(core, &nango, deletion).await?;
        }
        if i64::try_from(owed.len()).is_ok_and(|len| len < DELETIONS) {
            return Ok(());
        }
    }
}

async fn delete(
    core: &Core,
    nango: &NangoService,
    owed: &owed_deletion::Row,
) -> Result<(), ServiceError> {
    let mut tx = core.db.read().await?;
    let bound = connection::by_nango_id(&mut tx, &owed.nango_connection_id).await?;
    tx.commit().await?;
    let result = if bound.is_some() {
        // Bound to a row after all: never deleted as an orphan.
        Ok(())
    } else {
        nango
            .delete_connection(&owed.nango_connection_id, &owed.provider_config_key)
            .await
    };
    // What Nango cannot do for one it cannot do for the others either: they wait untried.
    let held_back = |error: &NangoError| {
        error.retry_after_seconds().is_some() || matches!(error, NangoError::RateLimited { .. })
    };
    if let Err(error) = result {
        if held_back(&error) {
            return Err(error.into());
        }
        tracing::warn!(%error, "a deletion is still owed to Nango");
        let doubled = DELETION_PAUSE_MS << owed.tries.clamp(0, 7);
        let next = core.clock.now().0 + doubled.min(LONGEST_PAUSE_MS);
        let mut tx = core.db.write().await?;
        owed_deletion::postpone(&mut tx, owed.id, Timestamp(next)).await?;
        return tx.commit().await.map_err(Into::into);
    }
    let mut tx = core.db.write().await?;
    owed_deletion::done(&mut tx, owed.id).await?;
    tx.commit().await?;
    Ok(())
}
