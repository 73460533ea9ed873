//! The one writer of the audit log's chain: it gives what was committed its seal, one after the
//! other. It runs where the lease is held; should two run all the same, the table's keys let one
//! of them through, and the other goes on behind it.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{audit_chain, core::Core};
use crate::server::db::{Db, DbError, audit::chain};

/// How soon after its commit an entry is sealed, more or less.
const EVERY: Duration = Duration::from_millis(700);
/// Sealed in one transaction: on SQLite nobody else writes meanwhile.
const AT_ONCE: i64 = 100;
/// How often another writer may be faster before this one leaves it to the next round.
const LOST_AT_MOST: u32 = 5;

/// Seals for ever, while this instance holds the lease.
pub async fn keep(core: Arc<Core>) {
    loop {
        sleep(EVERY).await;
        if core.lease.held()
            && let Err(error) = seal_waiting(&core.db).await
        {
            tracing::warn!(%error, "the audit log is sealed later");
        }
    }
}

/// Seals all that waits, and says how many entries that were.
pub async fn seal_waiting(db: &Db) -> Result<u64, DbError> {
    let (mut sealed, mut lost) = (0, 0);
    loop {
        let mut tx = db.read().await?;
        let waits = chain::anything_waits(&mut tx).await?;
        tx.commit().await?;
        if !waits {
            return Ok(sealed);
        }
        match seal_some(db).await {
            Ok(0) => return Ok(sealed),
            Ok(count) => sealed += count,
            Err(error) if error.is_unique_violation() && lost < LOST_AT_MOST => lost += 1,
            Err(error) => return Err(error),
        }
    }
}

async fn seal_some(db: &Db) -> Result<u64, DbError> {
    let mut tx = db.write().await?;
    let mut head = chain::head(&mut tx).await?;
    let waiting = chain::waiting(&mut tx, AT_ONCE).await?;
    let mut count = 0;
    for event in &waiting {
        let seal = audit_chain::next(head.as_ref(), event);
        chain::seal(&mut tx, &seal).await?;
        head = Some(seal);
        count += 1;
    }
    tx.commit().await?;
    Ok(count)
}
