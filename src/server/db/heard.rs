//! Whether NOTIFY said over one database address is heard over another: through a transaction pooler
//! LISTEN seems to work, and hears nothing.
//!
//! May import `db` and `server::clock`.

use std::{sync::Arc, time::Duration};

use sqlx::{
    Connection, Executor, PgConnection, Row,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use tokio::time::timeout;

use super::{Db, DbError};
use crate::server::clock::Clock;

/// A look at the same connections so many times finds a pooler that hands them round.
const LOOKS: usize = 3;

impl Db {
    /// Whether what is said here is heard there, within so long. SQLite has nobody else to hear.
    pub async fn is_heard_by(self, other: Self, limit: Duration) -> Result<bool, DbError> {
        let (Self::Postgres(here), Self::Postgres(direct)) = (self, other) else {
            return Ok(true);
        };
        let options = direct.options();
        // Where this tells, no LISTEN is left behind at a connection of the pooler.
        if is_shared(options.clone()).await? {
            return Ok(false);
        }
        // Heard by nobody else, whatever a pooler keeps of it.
        let channel = format!("patchbay_{}", Clock::system().random_id().simple());
        let own = PgPoolOptions::new()
            .max_connections(1)
            .connect_lazy_with(options.as_ref().clone());
        let mut listener = PgListener::connect_with(&own).await?;
        listener.listen(&channel).await?;
        let mut tx = here.write().await?;
        let (flight, connection) = tx.parts();
        let notify = sqlx::query("SELECT pg_notify($1, '')")
            .persistent(false)
            .bind(&channel)
            .execute(connection);
        flight.bound(notify).await?;
        tx.commit().await?;
        let heard = timeout(limit, listener.recv()).await;
        let heard = matches!(heard, Ok(Ok(_)));
        let _ = listener.unlisten_all().await;
        drop(listener);
        let _ = timeout(Duration::from_secs(1), own.close()).await;
        Ok(heard)
    }
}

/// Two connections at once, and both at the same process of the server: a pooler hands it to each
/// for a statement, and to nobody for long.
async fn is_shared(options: Arc<PgConnectOptions>) -> Result<bool, sqlx::Error> {
    let mut one = PgConnection::connect_with(&options).await?;
    let mut two = PgConnection::connect_with(&options).await?;
    let mut shared = false;
    for _ in 0..LOOKS {
        shared |= process(&mut one).await? == process(&mut two).await?;
    }
    one.close().await?;
    two.close().await?;
    Ok(shared)
}

async fn process(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    // Bare text is a simple query: one round trip, which no pooler takes apart.
    let row = connection.fetch_one("SELECT pg_backend_pid()").await?;
    row.try_get(0)
}
