//! The lease: of several instances one does the work that would cost Nango's call budget twice, or
//! disturb itself. It is a row with an expiry, renewed while its holder lives.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use tokio::time::sleep;
use uuid::Uuid;

use super::{ServiceError, core::Core};
use crate::{domain::timestamp::Timestamp, server::db::lease};

const NAME: &str = "background";
/// How long a holder that died is waited for.
const LENGTH_MS: i64 = 8_000;
const RENEW: Duration = Duration::from_secs(2);
/// Given up so long before it runs out: a call on its way may take a moment.
const MARGIN_MS: i64 = 1_000;

/// What this instance knows of the lease.
#[derive(Debug)]
pub struct Lease {
    holder: Uuid,
    /// In milliseconds of the clock; 0 where somebody else holds it.
    until: AtomicI64,
}

impl Lease {
    /// `holder` is this instance's own id.
    pub const fn new(holder: Uuid) -> Self {
        Self {
            holder,
            until: AtomicI64::new(0),
        }
    }

    /// Whether this instance does the background's work now.
    pub fn held(&self, now: Timestamp) -> bool {
        now.0 < self.until.load(Ordering::SeqCst) - MARGIN_MS
    }
}

/// Takes or renews it once.
pub async fn renew(core: &Core) -> Result<bool, ServiceError> {
    let now = core.clock.now();
    let until = Timestamp(now.0 + LENGTH_MS);
    let mut tx = core.db.write().await?;
    let taken = lease::take(&mut tx, NAME, core.lease.holder, until, now).await?;
    tx.commit().await?;
    let was = core
        .lease
        .until
        .swap(if taken { until.0 } else { 0 }, Ordering::SeqCst);
    if taken && was == 0 {
        // The row names its holder by this.
        tracing::info!(holder = %core.lease.holder, "this instance does the background's work");
    } else if !taken && was != 0 {
        tracing::warn!("another instance does the background's work now");
    }
    Ok(taken)
}

/// Renews it for ever. A database that does not answer lets it run out.
pub async fn keep(core: Arc<Core>) {
    loop {
        sleep(RENEW).await;
        if let Err(error) = renew(&core).await {
            tracing::warn!(%error, "the lease cannot be renewed");
        }
    }
}

/// Gives it back, so that another instance need not wait.
pub async fn release(core: &Core) -> Result<(), ServiceError> {
    core.lease.until.store(0, Ordering::SeqCst);
    let mut tx = core.db.write().await?;
    lease::release(&mut tx, NAME, core.lease.holder).await?;
    tx.commit().await?;
    Ok(())
}
