//! A SQLite file as this process shares it: any number read, one writes, in the order in which they
//! came.
//!
//! May import `db` only.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
    time::Duration,
};

use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::observe::{Observed, Watch};

/// Cheap to clone; all clones queue in the same row.
#[derive(Clone, Debug)]
pub struct SqliteFile {
    pool: SqlitePool,
    /// SQLite's own waiting is a row of ever longer naps, and whoever wakes up first wins: under
    /// load some never do, and fail with "database is locked".
    turn: Arc<Semaphore>,
    patience: Duration,
    pub(super) watch: Watch,
}

/// A transaction; one that writes keeps its turn until it ends.
#[derive(Debug)]
pub struct SqliteTx {
    // Rolled back before the turn is given up: fields are dropped in this order.
    inner: Transaction<'static, Sqlite>,
    _turn: Option<OwnedSemaphorePermit>,
    _observed: Observed,
}

impl SqliteFile {
    /// `patience`: how long a writer waits for its turn.
    pub fn new(pool: SqlitePool, patience: Duration) -> Self {
        Self {
            pool,
            turn: Arc::new(Semaphore::new(1)),
            patience,
            watch: Watch::default(),
        }
    }

    pub(super) async fn read(&self) -> Result<SqliteTx, sqlx::Error> {
        let begin = self.pool.begin();
        let (inner, observed) = self.watch.begin("sqlite", false, begin).await?;
        Ok(SqliteTx {
            inner,
            _turn: None,
            _observed: observed,
        })
    }

    /// A deferred transaction that reads, then writes, fails at once where another one wrote in
    /// between, whatever the busy timeout; an immediate one waits for its turn.
    pub(super) async fn write(&self) -> Result<SqliteTx, sqlx::Error> {
        let begin = async {
            let turn = timeout(self.patience, self.turn.clone().acquire_owned())
                .await
                .map_err(|_| sqlx::Error::PoolTimedOut)?
                .map_err(|_| sqlx::Error::PoolClosed)?;
            Ok((self.pool.begin_with("BEGIN IMMEDIATE").await?, turn))
        };
        let ((inner, turn), observed) = self.watch.begin("sqlite", true, begin).await?;
        Ok(SqliteTx {
            inner,
            _turn: Some(turn),
            _observed: observed,
        })
    }
}

impl SqliteTx {
    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        self.inner.commit().await
    }

    pub(super) async fn rollback(self) -> Result<(), sqlx::Error> {
        self.inner.rollback().await
    }
}

impl Deref for SqliteFile {
    type Target = SqlitePool;

    fn deref(&self) -> &SqlitePool {
        &self.pool
    }
}

impl Deref for SqliteTx {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.inner
    }
}

impl DerefMut for SqliteTx {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.inner
    }
}
