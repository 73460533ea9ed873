//! One transaction, or one statement without any: what bounds it, and what becomes of its connection.
//!
//! May import `db` only.

use std::{
    io,
    ops::{Deref, DerefMut},
    time::Duration,
};

use sqlx::{
    PgConnection, Postgres, TransactionManager, pool::PoolConnection,
    postgres::PgTransactionManager,
};
use tokio::{runtime::Handle, time::timeout};

use super::{PgServer, STATEMENT, is_broken};
use crate::server::db::observe::Observed;

/// A migration, or another piece of work that nobody waits for.
const UNHURRIED: Duration = Duration::from_secs(600);
const WITHOUT_LIMITS: &str =
    "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";

/// A transaction; dropping it rolls back.
pub struct PgTx {
    connection: Option<PoolConnection<Postgres>>,
    open: bool,
    flight: Flight,
    /// Lasts as long as it does.
    pub(super) observed: Option<Observed>,
}

/// What is known of the statement that is on its way.
pub struct Flight {
    /// It was sent and not answered to its end, or it broke: the connection is of no more use.
    unfinished: bool,
    /// It was given up.
    late: bool,
    patience: Duration,
    server: PgServer,
}

impl PgTx {
    pub(super) fn new(connection: PoolConnection<Postgres>, server: PgServer) -> Self {
        Self {
            connection: Some(connection),
            open: false,
            flight: Flight {
                unfinished: false,
                late: false,
                patience: STATEMENT,
                server,
            },
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

    /// The connection, and what bounds each statement on it.
    #[expect(
        clippy::expect_used,
        reason = "the connection is taken out when the transaction is dropped, and not before"
    )]
    pub(in crate::server::db) fn parts(&mut self) -> (&mut Flight, &mut PgConnection) {
        let connection = self.connection.as_mut().expect("a connection");
        (&mut self.flight, &mut *connection)
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
        let Ok(done) = timeout(self.patience, statement).await else {
            self.late = true;
            self.server.suspect();
            let late = io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
            return Err(sqlx::Error::Io(late));
        };
        self.unfinished = false;
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
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if self.flight.unfinished {
            // Closed, and the server rolls back what was begun on it.
            drop(connection.detach());
            return;
        }
        if self.open {
            PgTransactionManager::start_rollback(&mut connection);
        }
        // The pool looks whether it still answers; one that does not must not keep its place there.
        runtime.spawn(timeout(STATEMENT, connection.return_to_pool()));
    }
}

impl Deref for PgTx {
    type Target = PgConnection;

    #[expect(
        clippy::expect_used,
        reason = "the connection is taken out when the transaction is dropped, and not before"
    )]
    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().expect("a connection")
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
