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

/// Cheap to clone; all clones queue in the same row.
#[derive(Clone, Debug)]
pub struct SqliteFile {
    pool: SqlitePool,
    /// SQLite's own waiting is a row of ever longer naps, and whoever wakes up first wins: under
    /// load some never do, and fail with "database is locked".
    turn: Arc<Semaphore>,
    patience: Duration,
}

/// A transaction; one that writes keeps its turn until it ends.
#[derive(Debug)]
pub struct SqliteTx {
    // Rolled back before the turn is given up: fields are dropped in this order.
    inner: Transaction<'static, Sqlite>,
    _turn: Option<OwnedSemaphorePermit>,
}

impl SqliteFile {
    /// `patience`: how long a writer waits for its turn.
    pub fn new(pool: SqlitePool, patience: Duration) -> Self {
        Self {
            pool,
            turn: Arc::new(Semaphore::new(1)),
            patience,
        }
    }

    pub(super) async fn read(&self) -> Result<SqliteTx, sqlx::Error> {
        Ok(SqliteTx {
            inner: self.pool.begin().await?,
            _turn: None,
        })
    }

    /// A deferred transaction that reads, then writes, fails at once where another one wrote in
    /// between, whatever the busy timeout; an immediate one waits for its turn.
    pub(super) async fn write(&self) -> Result<SqliteTx, sqlx::Error> {
        let turn = timeout(self.patience, self.turn.clone().acquire_owned())
            .await
            .map_err(|_| sqlx::Error::PoolTimedOut)?
            .map_err(|_| sqlx::Error::PoolClosed)?;
        Ok(SqliteTx {
            inner: self.pool.begin_with("BEGIN IMMEDIATE").await?,
            _turn: Some(turn),
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
