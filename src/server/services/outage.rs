//! What people are told while the database does not do all that it should.

use crate::{
    domain::problem::Problem,
    server::db::{DbError, Outage, session},
};

/// After so many seconds it is worth another try: a database that is back is found within one.
pub const RETRY_AFTER_SECONDS: u64 = 5;

const NOTHING_CHANGED: &str = "Nothing was changed. Try again in a minute.";
const MAYBE: &str = "It may have come about: reload the page in a minute to see where it stands.";

/// Of a failure of the database.
pub fn problem(error: &DbError) -> Problem {
    let maybe = matches!(error, DbError::Unanswered(_));
    of(error.outage(), maybe)
}

/// The same of the session store, which gives no more than a text. `maybe`: what was asked for may
/// have been done already.
pub fn of_sessions(error: &str, maybe: bool) -> Problem {
    of(session::outage(error), maybe)
}

/// What the session layer could not write after the answer was made.
pub fn afterwards() -> Problem {
    of(Outage::Away, true)
}

/// Nothing was asked for but an answer, and there was none.
pub fn away() -> Problem {
    of(Outage::Away, false)
}

fn of(outage: Outage, maybe: bool) -> Problem {
    match outage {
        Outage::Away => Problem::new(
            503,
            "database_unavailable",
            "The database does not answer right now.",
            if maybe { MAYBE } else { NOTHING_CHANGED },
        ),
        Outage::Full => Problem::new(
            503,
            "storage_full",
            "The server's disk is full: nothing can be changed right now.",
            "What there is can be read. Whoever runs this server has to make room.",
        ),
        Outage::ReadOnly => Problem::new(
            503,
            "database_read_only",
            "The database takes no changes right now.",
            "What there is can be read. Try again in a minute.",
        ),
    }
}

/// Whether it is about the database, and so about every page.
pub fn is_outage(code: &str) -> bool {
    matches!(
        code,
        "database_unavailable" | "storage_full" | "database_read_only" | "starting"
    )
}
