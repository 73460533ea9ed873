//! A PostgreSQL server as this process shares it: every wait for it has a bound, a connection that
//! was left in the middle of something is never used again, and while the server is away nobody
//! queues for it.
//!
//! May import `db` only.

mod look;
mod spares;
mod transaction;

use std::{
    io,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use sqlx::{
    Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};

pub use transaction::PgTx;

use look::{Look, look};
use spares::{Lent, Spares};

use super::observe::Watch;

/// So long a transaction may take to begin, and then each of its statements. Together they are what
/// somebody waits for a 503.
const TO_BEGIN: Duration = Duration::from_secs(3);
const STATEMENT: Duration = Duration::from_secs(3);
/// A connection that has been idle answers `BEGIN` at once, or, behind a busy pooler, when it is its
/// turn; else it is dead.
const IDLE_ANSWERS: Duration = Duration::from_secs(2);
/// While the server is away, whoever comes waits so long for its return.
const RETURNS: Duration = Duration::from_millis(600);
/// How often it is looked for. One that is slow once is busy rather than away.
const LOOK_EVERY: Duration = Duration::from_millis(200);
const SLOW: u32 = 2;
/// Connections, and how many may wait for one; whoever comes on top of that is told at once.
const CONNECTIONS: u32 = 10;
const MOST_WAITING: usize = 512;

/// The server ends by itself what a client has left there with a lock in its hand: one that was
/// stopped, or cut off, in the middle of a transaction. `SET LOCAL` passes through any pooler, and
/// travels with the `BEGIN`.
const BEGIN_WRITE: &str = "BEGIN; SET LOCAL statement_timeout = 10000; \
    SET LOCAL idle_in_transaction_session_timeout = 10000";
/// Who reads has given up by then, and would leave a process of the server behind that waits for a lock.
const BEGIN_READ: &str = "BEGIN; SET LOCAL statement_timeout = 4000";
/// The same for a connection whose statements stand by themselves.
const ALONE: &str = "SET statement_timeout = 4000";

/// Cheap to clone; all clones are one pool.
#[derive(Clone)]
pub struct PgServer {
    pool: PgPool,
    state: Arc<State>,
    pub(super) watch: Watch,
}

struct State {
    /// Each connection is a session of our own at the server: nothing in between hands it to others.
    sessions: AtomicBool,
    /// Statements that were answered.
    answered: AtomicU64,
    waiting: AtomicUsize,
    /// As many as there may be connections: whoever has a turn finds one here or in the pool.
    turns: Arc<Semaphore>,
    spares: Spares,
    /// Somebody is looking whether the server is there.
    looking: AtomicBool,
    away: watch::Sender<bool>,
}

impl PgServer {
    /// Connects when it is first needed.
    pub(super) fn new(options: PgConnectOptions) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            // What has to be known is whether `BEGIN` is answered; that is asked anyway.
            .test_before_acquire(false)
            .acquire_timeout(TO_BEGIN)
            .connect_lazy_with(options);
        Self {
            pool,
            state: Arc::new(State {
                sessions: AtomicBool::new(false),
                answered: AtomicU64::new(0),
                waiting: AtomicUsize::new(0),
                turns: Arc::new(Semaphore::new(CONNECTIONS as usize)),
                spares: Spares::default(),
                looking: AtomicBool::new(false),
                away: watch::Sender::new(false),
            }),
            watch: Watch::default(),
        }
    }

    pub(super) async fn read(&self) -> Result<PgTx, sqlx::Error> {
        self.observed(false, Some(BEGIN_READ)).await
    }

    pub(super) async fn write(&self) -> Result<PgTx, sqlx::Error> {
        self.observed(true, Some(BEGIN_WRITE)).await
    }

    async fn observed(
        &self,
        writes: bool,
        statement: Option<&'static str>,
    ) -> Result<PgTx, sqlx::Error> {
        let begun = self
            .watch
            .begin("postgresql", writes, self.begun(statement));
        let (mut tx, observed) = begun.await?;
        tx.observed = Some(observed);
        Ok(tx)
    }

    /// For one statement that reads. Where connections are sessions of our own, it needs no
    /// transaction around it: of five round trips one is left.
    pub(super) async fn glance(&self) -> Result<PgTx, sqlx::Error> {
        if !self.has_sessions() || *self.state.away.borrow() {
            return self.read().await;
        }
        self.observed(false, None).await
    }

    /// It has been proved that no transaction pooler is in between.
    pub(super) fn keep_statements(&self) {
        self.state.sessions.store(true, Ordering::SeqCst);
    }

    fn has_sessions(&self) -> bool {
        self.state.sessions.load(Ordering::SeqCst)
    }

    /// Waits for the transactions in flight, for a moment, then closes every connection.
    pub(super) async fn close(&self) {
        // From here on nothing is kept.
        let closed = self.pool.close();
        self.give_back(self.state.spares.all());
        // A server that does not answer keeps nobody from ending.
        let _ = timeout(Duration::from_secs(1), closed).await;
    }

    /// A connection beside the pool's. The pool itself is nobody's but this module's: whoever asked it
    /// without waiting for their turn would find all of its connections kept here.
    pub async fn connection(&self) -> Result<PgConnection, sqlx::Error> {
        PgConnection::connect_with(&self.options()).await
    }

    pub(super) fn options(&self) -> Arc<PgConnectOptions> {
        self.pool.connect_options()
    }

    /// Connections that are open.
    pub fn size(&self) -> u32 {
        self.pool.size()
    }

    /// How many there may be.
    pub(super) fn most(&self) -> u32 {
        self.pool.options().get_max_connections()
    }

    /// Connections that wait for work.
    pub fn idle(&self) -> usize {
        self.pooled() + self.state.spares.len()
    }

    /// Those of them that nobody has used for a while.
    pub fn pooled(&self) -> usize {
        self.pool.num_idle()
    }

    async fn take(&self) -> Result<PgTx, sqlx::Error> {
        let turn = self.state.turns.clone().acquire_owned().await;
        let turn = turn.map_err(|_| sqlx::Error::PoolClosed)?;
        Ok(PgTx::new(self.lend().await?, turn, self.clone()))
    }

    /// A spare one, or one of the pool, whichever is there first: a server that grants fewer
    /// connections than the pool may have keeps nobody waiting for one more.
    async fn lend(&self) -> Result<Lent, sqlx::Error> {
        let mut acquired = pin!(self.pool.acquire());
        loop {
            let mut kept = pin!(self.state.spares.kept_one());
            kept.as_mut().enable();
            if let Some(lent) = self.state.spares.take() {
                return Ok(lent);
            }
            tokio::select! {
                acquired = &mut acquired => return acquired.map(Lent::new),
                () = kept => {}
            }
        }
    }

    /// Nothing is left over on this connection, and it answered just now: it is kept for whoever
    /// comes next.
    fn keep(&self, runtime: &Handle, lent: Lent) {
        if lent.is_due() {
            return self.give_back(vec![lent]);
        }
        if self.state.spares.put(lent) {
            runtime.spawn(self.clone().tend());
        }
        if self.pool.is_closed() {
            self.give_back(self.state.spares.all());
        }
    }

    async fn tend(self) {
        loop {
            sleep(spares::IDLE).await;
            let (unused, more) = self.state.spares.unused();
            self.give_back(unused);
            if !more {
                return;
            }
        }
    }

    fn give_back(&self, all: Vec<Lent>) {
        for mut lent in all {
            // The pool looks whether it still answers; one that does not must not keep its place.
            tokio::spawn(timeout(STATEMENT, lent.connection.return_to_pool()));
        }
    }

    /// `None`: no transaction, the connection alone.
    async fn begun(&self, statement: Option<&'static str>) -> Result<PgTx, sqlx::Error> {
        let _place = Place::take(&self.state)?;
        let begun = timeout(TO_BEGIN, self.until_begun(statement)).await;
        match begun {
            Ok(Ok(tx)) => Ok(tx),
            Ok(Err(error)) => {
                if is_broken(&error) {
                    self.suspect();
                }
                Err(error)
            }
            Err(_) => {
                self.suspect();
                Err(sqlx::Error::PoolTimedOut)
            }
        }
    }

    /// Connections that have died meanwhile are found out by `BEGIN`, which may be said again
    /// elsewhere.
    async fn until_begun(&self, statement: Option<&'static str>) -> Result<PgTx, sqlx::Error> {
        for _ in 0..=CONNECTIONS {
            let mut away = self.state.away.subscribe();
            if *away.borrow_and_update() {
                let back = timeout(RETURNS, away.wait_for(|away| !away)).await;
                if back.is_err() {
                    return Err(is_away());
                }
            }
            let mut tx = tokio::select! {
                taken = self.take() => taken?,
                _ = away.wait_for(|away| *away) => return Err(is_away()),
            };
            let proved = async {
                match statement {
                    Some(statement) => tx.begin(statement).await,
                    // Its statement will tell.
                    None if tx.stands_alone() => Ok(()),
                    None => tx.stand_alone(ALONE).await,
                }
            };
            match timeout(IDLE_ANSWERS, proved).await {
                Ok(Ok(())) => return Ok(tx),
                Ok(Err(error)) if is_broken(&error) => self.suspect(),
                Ok(Err(error)) => return Err(error),
                Err(_) => self.suspect(),
            }
        }
        Err(is_away())
    }

    /// Something broke or took too long: looks at the server itself, past the pool, until it answers.
    /// As long as it does not, nobody waits for it in the pool.
    fn suspect(&self) {
        if self.state.looking.swap(true, Ordering::SeqCst) {
            return;
        }
        let server = self.clone();
        tokio::spawn(async move {
            let mut slow = 0;
            while !server.pool.is_closed() {
                let answered = server.state.answered.load(Ordering::SeqCst);
                let mut found = look(&server).await;
                // No new connection, and yet what is open works: it is not away.
                if server.state.answered.load(Ordering::SeqCst) != answered {
                    found = Look::There;
                }
                slow = if matches!(found, Look::Slow) {
                    slow + 1
                } else {
                    0
                };
                let away = match found {
                    Look::There => false,
                    Look::Slow => slow >= SLOW || *server.state.away.borrow(),
                    Look::Gone(_) => true,
                };
                let was = server.state.away.send_replace(away);
                match found {
                    Look::There if was => tracing::info!("the database is back"),
                    Look::Gone(error) if !was => tracing::error!(error, "the database is away"),
                    Look::Slow if away && !was => {
                        tracing::error!("the database is away: it does not answer");
                    }
                    _ => {}
                }
                if slow == 0 && !away {
                    // Those that were there before may have lost their other end.
                    server.state.spares.close();
                    break;
                }
                sleep(LOOK_EVERY).await;
            }
            server.state.looking.store(false, Ordering::SeqCst);
        });
    }
}

fn is_away() -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(
        io::ErrorKind::NotConnected,
        "the database is away",
    ))
}

/// The connection, or the server behind it, is of no more use.
fn is_broken(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::WorkerCrashed => true,
        // 57P0x: it is shutting down or starting up, or somebody ended the connection; 08: the
        // connection failed, as a pooler has it; 25P03: it was idle in its transaction for too long.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            code.starts_with("57P") || code.starts_with("08") || code == "25P03"
        }),
        _ => false,
    }
}

/// A place among those who wait.
struct Place<'s>(&'s State);

impl<'s> Place<'s> {
    fn take(state: &'s State) -> Result<Self, sqlx::Error> {
        let place = Self(state);
        if state.waiting.fetch_add(1, Ordering::SeqCst) >= MOST_WAITING {
            return Err(sqlx::Error::PoolTimedOut);
        }
        Ok(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}
