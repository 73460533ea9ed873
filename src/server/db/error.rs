//! Why the database did not do what it was asked for, and what that means for whoever asked.
//!
//! May import `db` only.

use std::io;

#[derive(Debug, thiserror::Error)]
pub enum DbError {
    #[error("the database reports: {0}")]
    Sqlx(#[from] sqlx::Error),
    /// A commit was sent, and no answer came: it may have come about.
    #[error("the database did not answer whether it was done: {0}")]
    Unanswered(sqlx::Error),
    #[error("the database could not be brought up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A newer version has taken away what this one needs.
    #[error(
        "a newer version has taken away what this one needs (migration {version}, “{description}”): \
         run the newer one, or go back to a backup"
    )]
    Contracted { version: i64, description: String },
    /// The address names no database that Patchbay can use.
    #[error("DATABASE_URL {reason}")]
    Url { reason: String },
    /// The address is fine, the database behind it did not open. Carries no password.
    #[error("cannot open the database {place}: {reason}")]
    Open {
        place: String,
        reason: String,
        /// Waiting may help: it is not there yet, starting up, or too busy.
        passes: bool,
    },
    /// The row is not what this transaction read: a defect, every change holds the person's lock.
    #[error("a row changed under a transaction that held its lock")]
    Conflict,
    /// A stored word this version does not know.
    #[error("the database holds an unknown word: {0}")]
    Corrupt(String),
}

/// What is wrong with the database, for whoever is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// It does not answer, or not in time.
    Away,
    /// It takes no writes: its disk is full. It reads all the same.
    Full,
    /// It takes no writes: it is somebody's copy, or its file may not be written. It reads all the same.
    ReadOnly,
}

impl DbError {
    /// Whether a row broke a unique index: a second open attempt of one connection, a Nango
    /// connection that is bound to another row. On PostgreSQL the transaction is lost with it.
    pub fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Sqlx(sqlx::Error::Database(e)) if e.is_unique_violation())
    }

    pub fn outage(&self) -> Outage {
        let (Self::Sqlx(sqlx::Error::Database(error))
        | Self::Unanswered(sqlx::Error::Database(error))) = self
        else {
            return Outage::Away;
        };
        let code = error.code().unwrap_or_default();
        if error
            .try_downcast_ref::<sqlx::sqlite::SqliteError>()
            .is_none()
        {
            return match &*code {
                // The server's own disk.
                "53100" => Outage::Full,
                "25006" => Outage::ReadOnly,
                _ => Outage::Away,
            };
        }
        // The low byte is the kind, what is above it the details (sqlite.org/rescode.html).
        match code.parse::<u32>().unwrap_or_default() & 0xFF {
            13 => Outage::Full,
            8 => Outage::ReadOnly,
            _ => Outage::Away,
        }
    }

    /// Whether it is worth trying again in a moment, without anybody changing anything.
    pub fn passes(&self) -> bool {
        match self {
            Self::Open { passes, .. } => *passes,
            Self::Sqlx(error) | Self::Unanswered(error) => passes(error),
            Self::Migrate(sqlx::migrate::MigrateError::Execute(error))
            | Self::Migrate(sqlx::migrate::MigrateError::ExecuteMigration(error, _)) => {
                passes(error)
            }
            _ => false,
        }
    }

    /// Of a commit: whatever is no answer leaves open whether it was done.
    pub(super) fn of_commit(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::Tls(_) => {
                Self::Unanswered(error)
            }
            // The server ended the connection: 57P0x.
            sqlx::Error::Database(ref found)
                if found.code().is_some_and(|code| code.starts_with("57P")) =>
            {
                Self::Unanswered(error)
            }
            _ => Self::Sqlx(error),
        }
    }
}

/// Whether a PostgreSQL that answers so may answer otherwise in a moment.
pub(super) fn passes(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() != io::ErrorKind::NotFound,
        sqlx::Error::PoolTimedOut | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            let says = |what: &str| error.message().contains(what);
            match &*code {
                // PgBouncer has one code for all: for what is behind it and does not answer, and for
                // what will never work.
                "08P01" => !(says("no such") || says("authentication failed")),
                // Connection failures; too many connections, no memory; starting up and shutting down.
                code => {
                    code.starts_with("08")
                        || code.starts_with("53")
                        || code.starts_with("57P")
                        // A lock that somebody else holds.
                        || code == "55P03"
                }
            }
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_without_an_answer_is_no_refusal() {
        let cut = || sqlx::Error::Io(io::Error::from(io::ErrorKind::UnexpectedEof));
        assert!(matches!(DbError::of_commit(cut()), DbError::Unanswered(_)));
        assert!(matches!(
            DbError::of_commit(sqlx::Error::RowNotFound),
            DbError::Sqlx(_)
        ));
        assert!(DbError::Unanswered(cut()).passes());
        assert!(!DbError::Conflict.passes());
    }
}
