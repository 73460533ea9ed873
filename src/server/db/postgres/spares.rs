//! Connections between two visits. What a visit has left clean goes to the next one as it is: the pool
//! itself asks each connection that comes back whether it still answers, and that is as much work as
//! a statement. Here they stay for seconds only, so that the pool goes on looking after them.
//!
//! May import `db` only.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sqlx::{Postgres, pool::PoolConnection};
use tokio::{
    sync::{Notify, futures::Notified},
    time::Instant,
};

/// What nobody has used for so long goes back to the pool.
pub(super) const IDLE: Duration = Duration::from_secs(5);
/// So does what has been away from it for so long.
const AWAY: Duration = Duration::from_secs(60);

/// A connection that the pool has lent, and since when.
pub(super) struct Lent {
    pub connection: PoolConnection<Postgres>,
    /// Statements may stand by themselves on it: the server ends what takes too long.
    pub bounded: bool,
    since: Instant,
}

impl Lent {
    pub(super) fn new(connection: PoolConnection<Postgres>) -> Self {
        Self {
            connection,
            bounded: false,
            since: Instant::now(),
        }
    }

    pub(super) fn is_due(&self) -> bool {
        self.since.elapsed() >= AWAY
    }
}

#[derive(Default)]
pub(super) struct Spares {
    kept: Mutex<Kept>,
    /// Rung for each that is kept.
    news: Notify,
}

#[derive(Default)]
struct Kept {
    /// The one that was used last stands last, and is used next.
    spares: Vec<(Lent, Instant)>,
    /// Somebody looks after them.
    tended: bool,
}

impl Spares {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take(&self) -> Option<Lent> {
        self.kept().spares.pop().map(|(lent, _)| lent)
    }

    /// Whether somebody has to look after them from now on.
    pub(super) fn put(&self, lent: Lent) -> bool {
        let mut kept = self.kept();
        kept.spares.push((lent, Instant::now()));
        let untended = !std::mem::replace(&mut kept.tended, true);
        drop(kept);
        self.news.notify_one();
        untended
    }

    /// One is kept from now on, or was kept when nobody waited.
    pub(super) fn kept_one(&self) -> Notified<'_> {
        self.news.notified()
    }

    /// Those that nobody uses any more, and whether others are left to look after.
    pub(super) fn unused(&self) -> (Vec<Lent>, bool) {
        let mut kept = self.kept();
        let fresh = kept
            .spares
            .iter()
            .position(|(_, used)| used.elapsed() < IDLE);
        let until = fresh.unwrap_or(kept.spares.len());
        let unused = kept.spares.drain(..until).map(|(lent, _)| lent).collect();
        kept.tended = !kept.spares.is_empty();
        (unused, kept.tended)
    }

    pub(super) fn all(&self) -> Vec<Lent> {
        self.kept().spares.drain(..).map(|(lent, _)| lent).collect()
    }

    pub(super) fn close(&self) {
        for lent in self.all() {
            drop(lent.connection.detach());
        }
    }

    pub(super) fn len(&self) -> usize {
        self.kept().spares.len()
    }
}

impl Drop for Spares {
    fn drop(&mut self) {
        // Nobody may be left who could give them back.
        self.close();
    }
}
