//! The database: SQLite or PostgreSQL behind one set of functions, one file a table.
//!
//! May import `domain`, `server::address`, `server::clock`, `server::metrics` and `server::request`;
//! never `nango`, `live`, `services` or `http`.
//!
//! Every function takes a transaction. Through a transaction pooler (Supabase, PgBouncer) two
//! statements outside one may run on two servers, and a named statement may meet one of the same
//! name that another client left behind: hence `persistent(false)` on every query. Each query is
//! one string with `$n` placeholders, which both databases read; where the dialects differ, a
//! [`Dialects`] holds the two side by side. The conformance suite runs every function on both.

use chrono::{DateTime, Utc};

pub use error::{DbError, Outage};
pub use postgres::{PgServer, PgTx};
pub use sqlite::{SqliteFile, SqliteTx};

use crate::{domain::timestamp::Timestamp, server::metrics::Metrics};

/// Runs one body on whichever connection the transaction holds.
macro_rules! on_db {
    ($tx:expr, $connection:ident => $body:expr) => {
        match $tx {
            $crate::server::db::Tx::Sqlite(inner) => {
                let $connection = &mut **inner;
                $body
            }
            $crate::server::db::Tx::Postgres(inner) => {
                let (flight, $connection) = inner.parts();
                flight.bound(async { $body }).await
            }
        }
    };
}

/// Runs one reading statement as cheaply as the database allows. A connection that had died while
/// nobody used it is found out by the statement itself, which is then said once more.
macro_rules! glance {
    ($db:expr, $tx:ident => $body:expr) => {{
        let mut first = $db.glance().await?;
        let done = {
            let $tx = &mut first;
            $body.await
        };
        if done.is_err() && first.may_repeat() {
            drop(first);
            let mut second = $db.read().await?;
            let $tx = &mut second;
            $body.await
        } else {
            done
        }
    }};
}

pub mod attempt;
pub mod audit;
pub mod backup;
mod connect;
// The columns of a connection stand in the sessions' statements too.
#[macro_use]
pub mod connection;
pub mod connector;
pub mod counts;
mod error;
mod heard;
pub mod inspect;
pub mod lease;
pub mod local_account;
mod migrate;
pub mod notify;
mod observe;
pub mod owed_deletion;
mod postgres;
pub mod session;
mod sqlite;
pub mod throttle;
pub mod user;

/// A pool of connections, cheap to clone.
#[derive(Clone)]
pub enum Db {
    Sqlite(SqliteFile),
    Postgres(PgServer),
}

/// A transaction; dropping it rolls back.
#[derive(Debug)]
pub enum Tx {
    Sqlite(SqliteTx),
    Postgres(PgTx),
}

impl Db {
    /// A transaction that reads. On SQLite it must not write: another writer may have moved on.
    pub async fn read(&self) -> Result<Tx, DbError> {
        Ok(match self {
            Self::Sqlite(file) => Tx::Sqlite(file.read().await?),
            Self::Postgres(server) => Tx::Postgres(server.read().await?),
        })
    }

    /// For one statement that reads, see [`glance!`].
    async fn glance(&self) -> Result<Tx, DbError> {
        Ok(match self {
            Self::Sqlite(file) => Tx::Sqlite(file.read().await?),
            Self::Postgres(server) => Tx::Postgres(server.glance().await?),
        })
    }

    /// Nothing stands between the server and its connections to PostgreSQL that would hand them to
    /// others: what is prepared on them stays there, and single statements need no transaction.
    pub fn keep_statements(&self) {
        if let Self::Postgres(server) = self {
            server.keep_statements();
        }
    }

    /// A transaction that may write.
    pub async fn write(&self) -> Result<Tx, DbError> {
        Ok(match self {
            Self::Sqlite(file) => Tx::Sqlite(file.write().await?),
            Self::Postgres(server) => Tx::Postgres(server.write().await?),
        })
    }

    /// Counts here from now on; clones made before do not.
    #[must_use]
    pub fn watched(mut self, metrics: &Metrics) -> Self {
        match &mut self {
            Self::Sqlite(file) => file.watch.0 = Some(metrics.clone()),
            Self::Postgres(pool) => pool.watch.0 = Some(metrics.clone()),
        }
        self
    }

    /// Connections of the pool: those that are open, those of them that wait for work, and how many
    /// there may be.
    pub fn connections(&self) -> Connections {
        let of = |size: u32, idle: usize, max: u32| Connections {
            open: size,
            idle: u32::try_from(idle).unwrap_or(u32::MAX).min(size),
            max,
        };
        match self {
            Self::Sqlite(p) => of(p.size(), p.num_idle(), p.options().get_max_connections()),
            Self::Postgres(p) => of(p.size(), p.idle(), p.most()),
        }
    }

    /// The database's name, for people.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }

    /// Waits for the transactions in flight, then closes every connection. A PostgreSQL that does not
    /// answer is not waited for.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    pub open: u32,
    pub idle: u32,
    pub max: u32,
}

/// The pools' own output would carry addresses.
impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Db").field(&self.kind()).finish()
    }
}

impl Tx {
    /// For `persistent`, of the few statements that are run for every page.
    fn keeps_statements(&self) -> bool {
        match self {
            Self::Sqlite(_) => true,
            Self::Postgres(tx) => tx.keeps_statements(),
        }
    }

    fn may_repeat(&self) -> bool {
        matches!(self, Self::Postgres(tx) if tx.may_repeat())
    }

    pub async fn commit(self) -> Result<(), DbError> {
        let done = match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
        };
        done.map_err(DbError::of_commit)
    }

    /// Nobody waits for what this transaction does: its statements may take minutes.
    pub async fn unhurried(&mut self) -> Result<(), DbError> {
        if let Self::Postgres(tx) = self {
            tx.unhurried().await?;
        }
        Ok(())
    }
}

/// One query in both dialects.
struct Dialects {
    sqlite: &'static str,
    postgres: &'static str,
}

impl Dialects {
    const fn of(&self, tx: &Tx) -> &'static str {
        match tx {
            Tx::Sqlite(_) => self.sqlite,
            Tx::Postgres(_) => self.postgres,
        }
    }
}

/// A moment as both databases take it, clamped to the years 0 to 9999: beyond them SQLite's text
/// would not sort as the moments do.
fn stored(at: Timestamp) -> DateTime<Utc> {
    const YEAR_0: i64 = -62_167_219_200_000;
    const YEAR_9999_END: i64 = 253_402_300_799_999;
    DateTime::from_timestamp_millis(at.0.clamp(YEAR_0, YEAR_9999_END)).unwrap_or_default()
}

const fn moment(at: DateTime<Utc>) -> Timestamp {
    Timestamp(at.timestamp_millis())
}

/// The value of a stored word, or which word of which column is unknown.
fn word<T>(value: Option<T>, column: &str, text: &str) -> Result<T, DbError> {
    value.ok_or_else(|| DbError::Corrupt(format!("{column} is “{text}”")))
}

#[cfg(test)]
mod tests {
    use chrono::SecondsFormat;

    use super::*;

    /// Moments from the year 0 to 9999, evenly strewn and always the same.
    fn moments() -> impl Iterator<Item = Timestamp> {
        let mut state: u64 = 0x9E37_79B9_7F4A_7C15;
        (0..5000).map(move |_| {
            // xorshift64
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let span = 253_402_300_800_000_u64 + 62_167_219_200_000;
            Timestamp((state % span).cast_signed() - 62_167_219_200_000)
        })
    }

    #[test]
    fn the_domains_timestamp_agrees_with_chrono() {
        for at in moments() {
            let chronos = stored(at);
            let text = chronos.to_rfc3339_opts(SecondsFormat::Millis, true);
            assert_eq!(at.to_rfc3339(), text);
            assert_eq!(Timestamp::parse(&text), Some(at));
            assert_eq!(at.day(), chronos.format("%-d %b %-Y").to_string());
            assert_eq!(moment(chronos), at);
        }
    }

    /// Every day there is and isn't from 1999 to 2001, a leap year of the 400 among them.
    #[test]
    fn the_domains_timestamp_knows_the_days_that_chrono_knows() {
        for year in 1999..=2001 {
            for month in 0..=13 {
                for day in 0..=32 {
                    let text = format!("{year}-{month:02}-{day:02}T01:02:03Z");
                    let chronos = DateTime::parse_from_rfc3339(&text).ok();
                    assert_eq!(
                        Timestamp::parse(&text),
                        chronos.map(|c| Timestamp(c.timestamp_millis())),
                        "{text}"
                    );
                }
            }
        }
        for text in ["+999-01-01T00:00:00Z", "2000-+1-01T00:00:00Z"] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_moment_out_of_range_is_clamped() {
        assert_eq!(
            moment(stored(Timestamp(i64::MAX))).to_rfc3339(),
            "9999-12-31T23:59:59.999Z"
        );
        assert_eq!(
            moment(stored(Timestamp(i64::MIN))).to_rfc3339(),
            "0000-01-01T00:00:00.000Z"
        );
    }

    #[test]
    fn an_unknown_word_says_where_it_stands() {
        let error = word::<()>(None, "connect_attempt.kind", "dance").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the database holds an unknown word: connect_attempt.kind is “dance”"
        );
    }
}
