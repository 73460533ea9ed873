//! One transaction, or one statement without any: what bounds it, and what becomes of its connection.
//!
//! May import `db` only.

use std::{
    io,
    ops::{Deref, DerefMut},
    sync::atomic::Ordering,
    time::Duration,
};

use sqlx::{PgConnection, TransactionManager, postgres::PgTransactionManager};
use tokio::{runtime::Handle, sync::OwnedSemaphorePermit, time::timeout};

use super::{PgServer, STATEMENT, is_broken, spares::Lent};
use crate::server::db::observe::Observed;

/// A migration, or another piece of work that nobody waits for.
const UNHURRIED: Duration = Duration::from_secs(600);
const WITHOUT_LIMITS: &str =
    "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";

/// A transaction; dropping it rolls back.
pub struct PgTx {
    lent: Option<Lent>,
    open: bool,
    flight: Flight,
    /// Given up after the connection has found its place.
    _turn: OwnedSemaphorePermit,
    /// Lasts as long as it does.
    pub(super) observed: Option<Observed>,
}

/// What is known of the statement that is on its way.
pub struct Flight {
    /// It was sent and not answered to its end, or it broke: the connection is of no more use.
    unfinished: bool,
    /// It did what it was meant to, and nothing of it is left over.
    well: bool,
    /// It was given up.
    late: bool,
    patience: Duration,
    server: PgServer,
}

impl PgTx {
    pub(super) fn new(lent: Lent, turn: OwnedSemaphorePermit, server: PgServer) -> Self {
        Self {
            lent: Some(lent),
            open: false,
            flight: Flight {
                unfinished: false,
                well: false,
                late: false,
                patience: STATEMENT,
                server,
            },
            _turn: turn,
            observed: None,
        }
    }

    /// Whether a statement that is prepared here may be used again.
    pub(in crate::server::db) fn keeps_statements(&self) -> bool {
        self.flight.server.has_sessions()
    }

    /// Nothing but one statement is on its way here, and the connection has broken under it: it may be
    /// said again elsewhere. Not what took too long: whoever asks has waited already.
    pub(in crate::server::db) const fn may_repeat(&self) -> bool {
        !self.open && self.flight.unfinished && !self.flight.late
    }

    pub(super) async fn begin(&mut self, statement: &'static str) -> Result<(), sqlx::Error> {
        let (flight, connection) = self.parts();
        let begin = PgTransactionManager::begin(connection, Some(statement.into()));
        flight.bound(begin).await?;
        self.open = true;
        Ok(())
    }

    /// Statements may be said here without a transaction around them, and it was in use a moment ago.
    pub(super) fn stands_alone(&self) -> bool {
        self.lent.as_ref().is_some_and(|lent| lent.bounded)
    }

    /// Makes it so, which also tells whether it answers at all.
    pub(super) async fn stand_alone(&mut self, statement: &str) -> Result<(), sqlx::Error> {
        let (flight, connection) = self.parts();
        let set = sqlx::Executor::execute(connection, statement);
        flight.bound(set).await?;
        if let Some(lent) = &mut self.lent {
            lent.bounded = true;
        }
        Ok(())
    }

    /// The connection, and what bounds each statement on it.
    #[expect(
        clippy::expect_used,
        reason = "the connection is taken out when the transaction is dropped, and not before"
    )]
    pub(in crate::server::db) fn parts(&mut self) -> (&mut Flight, &mut PgConnection) {
        let lent = self.lent.as_mut().expect("a connection");
        (&mut self.flight, &mut *lent.connection)
    }

    /// From here on nobody waits for an answer.
    pub(in crate::server::db) async fn unhurried(&mut self) -> Result<(), sqlx::Error> {
        self.flight.patience = UNHURRIED;
        let (flight, connection) = self.parts();
        let set = sqlx::Executor::execute(connection, WITHOUT_LIMITS);
        flight.bound(set).await.map(drop)
    }

    pub(in crate::server::db) async fn commit(mut self) -> Result<(), sqlx::Error> {
        let (flight, connection) = self.parts();
        flight
            .bound(PgTransactionManager::commit(connection))
            .await?;
        self.open = false;
        Ok(())
    }

    pub(in crate::server::db) async fn rollback(mut self) -> Result<(), sqlx::Error> {
        let (flight, connection) = self.parts();
        flight
            .bound(PgTransactionManager::rollback(connection))
            .await?;
        self.open = false;
        Ok(())
    }
}

impl Flight {
    /// Runs one statement. Who is dropped in the middle of it, or gives up, leaves it unfinished.
    pub(in crate::server::db) async fn bound<T>(
        &mut self,
        statement: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        self.unfinished = true;
        self.well = false;
        let Ok(done) = timeout(self.patience, statement).await else {
            self.late = true;
            self.server.suspect();
            let late = io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
            return Err(sqlx::Error::Io(late));
        };
        self.unfinished = false;
        self.well = done.is_ok();
        if self.well {
            self.server.state.answered.fetch_add(1, Ordering::SeqCst);
        }
        if let Err(error) = &done
            && is_broken(error)
        {
            self.unfinished = true;
            self.server.suspect();
        }
        done
    }
}

impl Drop for PgTx {
    fn drop(&mut self) {
        let Some(mut lent) = self.lent.take() else {
            return;
        };
        let runtime = Handle::try_current();
        let (Ok(runtime), false) = (&runtime, self.flight.unfinished) else {
            // Closed, and the server rolls back what was begun on it.
            drop(lent.connection.detach());
            return;
        };
        let server = &self.flight.server;
        if self.open {
            PgTransactionManager::start_rollback(&mut lent.connection);
            server.give_back(vec![lent]);
        } else if self.flight.well {
            server.keep(runtime, lent);
        } else {
            server.give_back(vec![lent]);
        }
    }
}

impl Deref for PgTx {
    type Target = PgConnection;

    #[expect(
        clippy::expect_used,
        reason = "the connection is taken out when the transaction is dropped, and not before"
    )]
    fn deref(&self) -> &PgConnection {
        &self.lent.as_ref().expect("a connection").connection
    }
}

impl DerefMut for PgTx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.parts().1
    }
}

impl std::fmt::Debug for PgTx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PgTx")
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}
