//! Telling other instances that something changed: PostgreSQL's LISTEN/NOTIFY. SQLite has one
//! instance and needs none.
//!
//! May import `db` only.

use sqlx::postgres::{PgListener, PgPoolOptions};

use super::{Db, DbError, Tx};

pub const CHANNEL: &str = "patchbay";

/// Sent when the transaction commits, not at all if it rolls back. PostgreSQL takes fewer than
/// 8,000 bytes: one connection fits, its texts are ours and its inputs at most 255 characters.
pub async fn announce(tx: &mut Tx, payload: &str) -> Result<(), DbError> {
    if let Tx::Postgres(inner) = tx {
        sqlx::query("SELECT pg_notify($1, $2)")
            .persistent(false)
            .bind(CHANNEL)
            .bind(payload)
            .execute(&mut **inner)
            .await?;
    }
    Ok(())
}

/// A listener on [`CHANNEL`], with a connection of its own beside the pool's: it keeps it for
/// life. It reconnects by itself; what was said meanwhile is lost, which `try_recv` tells by
/// `None`. LISTEN does not work through a transaction pooler: give it a direct connection.
pub async fn listener(db: &Db) -> Result<Option<PgListener>, DbError> {
    let Db::Postgres(pool) = db else {
        return Ok(None);
    };
    let own = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_lazy_with((*pool.connect_options()).clone());
    let mut listener = PgListener::connect_with(&own).await?;
    listener.listen(CHANNEL).await?;
    Ok(Some(listener))
}
