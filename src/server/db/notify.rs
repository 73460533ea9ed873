//! Telling other instances that something changed: PostgreSQL's LISTEN/NOTIFY. SQLite has one
//! instance and needs none.
//!
//! May import `db` only.

use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};

use super::{Db, DbError, Tx};

pub const CHANNEL: &str = "patchbay";

/// So long a connection may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Sent when the transaction commits, not at all if it rolls back. PostgreSQL takes fewer than
/// 8,000 bytes: one connection fits, its texts are ours and its inputs at most 255 characters.
pub async fn announce(tx: &mut Tx, payload: &str) -> Result<(), DbError> {
    if let Tx::Postgres(inner) = tx {
        let (flight, connection) = inner.parts();
        let notify = sqlx::query("SELECT pg_notify($1, $2)")
            .persistent(false)
            .bind(CHANNEL)
            .bind(payload)
            .execute(connection);
        flight.bound(notify).await?;
    }
    Ok(())
}

/// Says something to whoever listens on that channel.
pub async fn say(db: &Db, channel: &str) -> Result<(), DbError> {
    let mut tx = db.write().await?;
    if let Tx::Postgres(inner) = &mut tx {
        let (flight, connection) = inner.parts();
        let notify = sqlx::query("SELECT pg_notify($1, '')")
            .persistent(false)
            .bind(channel)
            .execute(connection);
        flight.bound(notify).await?;
    }
    tx.commit().await
}

/// A listener on [`CHANNEL`] and on one of the caller's own, with a connection of its own beside the
/// pool's. It does not connect again by itself: after `None` or an error it is of no more use, and what
/// was said meanwhile is lost. LISTEN does not work through a transaction pooler: give it a direct
/// connection.
pub async fn listener(db: Db, own: String) -> Result<Option<PgListener>, DbError> {
    let Db::Postgres(server) = db else {
        return Ok(None);
    };
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .acquire_timeout(PATIENCE)
        .connect_lazy_with((*server.options()).clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    listener.listen(&own).await?;
    Ok(Some(listener))
}
