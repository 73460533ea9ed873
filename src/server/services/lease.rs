//! The lease: of several instances one does the work that would cost Nango's call budget twice, or
//! disturb itself. It is a row with an expiry, renewed while its holder lives.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{ServiceError, core::Core};
use crate::server::db::lease;

const NAME: &str = "background";
/// How long a holder that died is waited for.
const LENGTH: Duration = Duration::from_secs(8);
const RENEW: Duration = Duration::from_secs(2);
/// Given up so long before it runs out: a call on its way may take a moment.
const MARGIN: Duration = Duration::from_secs(1);

/// What this instance knows of the lease.
#[derive(Debug)]
pub struct Lease {
    holder: Uuid,
    /// By the clock that nobody can set; `None` where somebody else holds it.
    until: Mutex<Option<Instant>>,
}

impl Lease {
    /// `holder` is this instance's own id.
    pub const fn new(holder: Uuid) -> Self {
        Self {
            holder,
            until: Mutex::new(None),
        }
    }

    /// This instance's own id.
    pub const fn holder(&self) -> Uuid {
        self.holder
    }

    /// Whether this instance does the background's work now.
    pub fn held(&self) -> bool {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() + MARGIN < until)
    }

    fn set(&self, until: Option<Instant>) -> Option<Instant> {
        let mut place = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut place, until)
    }
}

/// Takes or renews it once.
pub async fn renew(core: &Core) -> Result<bool, ServiceError> {
    // Counted from before it is asked for: here it never lasts longer than there.
    let until = Instant::now() + LENGTH;
    let length = i64::try_from(LENGTH.as_millis()).unwrap_or(i64::MAX);
    let mut tx = core.db.write().await?;
    let taken = lease::take(&mut tx, NAME, core.lease.holder, length, core.clock.now()).await?;
    tx.commit().await?;
    let was = core.lease.set(taken.then_some(until));
    if taken && was.is_none() {
        // The row names its holder by this.
        tracing::info!(holder = %core.lease.holder, "this instance does the background's work");
    } else if !taken && was.is_some() {
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
    core.lease.set(None);
    let mut tx = core.db.write().await?;
    lease::release(&mut tx, NAME, core.lease.holder).await?;
    tx.commit().await?;
    Ok(())
}
