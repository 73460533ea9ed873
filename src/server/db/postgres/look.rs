//! Whether the server is there: a look past the pool.
//!
//! May import `db` only.

use std::time::Duration;

use sqlx::Connection;
use tokio::time::timeout;

use super::PgServer;

/// So long it may take to answer.
const LOOK: Duration = Duration::from_secs(2);

/// What came of looking at the server.
pub(super) enum Look {
    There,
    Slow,
    Gone(String),
}

/// A connection of its own, and an answer over it: a pooler takes connections also while what is
/// behind it is away.
pub(super) async fn look(server: &PgServer) -> Look {
    let asked = async {
        let mut connection = server.connection().await?;
        connection.ping().await?;
        connection.close().await
    };
    match timeout(LOOK, asked).await {
        Ok(Ok(())) => Look::There,
        // It is there, and busy: what is open already may work.
        Ok(Err(sqlx::Error::Database(error))) if error.code().as_deref() == Some("53300") => {
            Look::There
        }
        Ok(Err(error)) => Look::Gone(error.to_string()),
        Err(_) => Look::Slow,
    }
}
