//! Table `connector`: what the manifests name, so that connections have something to refer to.
//!
//! May import `db` and `domain`.

use std::collections::HashMap;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{DbError, Dialects, Tx, stored};
use crate::domain::timestamp::Timestamp;

/// A connector as its manifest has it; `id` is the UUIDv5 of the slug.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct NewConnector {
    pub id: Uuid,
    pub slug: String,
    pub name: String,
    pub enabled: bool,
}

// All rows travel as one JSON array, the only list that both databases take as a parameter: two
// round trips, whether there are ninety-nine connectors or a thousand.
const UPSERT: Dialects = Dialects {
    // `WHERE true` parts SELECT from ON CONFLICT, which SQLite would read as a join's ON.
    sqlite: "INSERT INTO connector (id, slug, name, enabled, created_at, updated_at)
        SELECT unhex(value ->> 'id', '-'), value ->> 'slug', value ->> 'name',
            value ->> 'enabled', $2, $2
        FROM json_each($1) WHERE true
        ON CONFLICT (id) DO UPDATE SET slug = excluded.slug, name = excluded.name,
            enabled = excluded.enabled, updated_at = excluded.updated_at
        WHERE (connector.slug, connector.name, connector.enabled)
            IS NOT (excluded.slug, excluded.name, excluded.enabled)",
    postgres: "INSERT INTO connector (id, slug, name, enabled, created_at, updated_at)
        SELECT id, slug, name, enabled, $2, $2
        FROM jsonb_to_recordset($1) AS x (id uuid, slug text, name text, enabled boolean)
        ON CONFLICT (id) DO UPDATE SET slug = excluded.slug, name = excluded.name,
            enabled = excluded.enabled, updated_at = excluded.updated_at
        WHERE (connector.slug, connector.name, connector.enabled)
            IS DISTINCT FROM (excluded.slug, excluded.name, excluded.enabled)",
};
const DISABLE_MISSING: Dialects = Dialects {
    sqlite: "UPDATE connector SET enabled = FALSE, updated_at = $2
        WHERE enabled AND id NOT IN (SELECT unhex(value ->> 'id', '-') FROM json_each($1))",
    postgres: "UPDATE connector SET enabled = FALSE, updated_at = $2
        WHERE enabled AND id NOT IN (SELECT id FROM jsonb_to_recordset($1) AS x (id uuid))",
};

/// Makes the table say what the manifests say. A connector that is gone is disabled, never
/// deleted: people's connections refer to it. A row that says the same already is not touched.
pub async fn sync(tx: &mut Tx, connectors: &[NewConnector], now: Timestamp) -> Result<(), DbError> {
    if let Tx::Postgres(inner) = &mut *tx {
        // Two instances with different manifests would lock the rows in different orders and
        // deadlock. This lock lets readers and foreign-key checks pass.
        let (flight, connection) = inner.parts();
        let lock = sqlx::query("LOCK TABLE connector IN SHARE ROW EXCLUSIVE MODE")
            .persistent(false)
            .execute(connection);
        flight.bound(lock).await?;
    }
    let list: Value = connectors
        .iter()
        .map(|c| json!({"id": c.id, "slug": c.slug, "name": c.name, "enabled": c.enabled}))
        .collect();
    for dialects in [&UPSERT, &DISABLE_MISSING] {
        let sql = dialects.of(tx);
        on_db!(&mut *tx, c => sqlx::query(sql)
            .persistent(false)
            .bind(&list)
            .bind(stored(now))
            .execute(c)
            .await
            .map(drop))?;
    }
    Ok(())
}

const ALL: &str = "SELECT id, slug, name, enabled FROM connector ORDER BY slug";

/// Every connector there ever was, by slug.
pub async fn all(tx: &mut Tx) -> Result<Vec<NewConnector>, DbError> {
    Ok(on_db!(tx, c => sqlx::query_as(ALL).persistent(false).fetch_all(c).await)?)
}

const SLUGS: &str = "SELECT id, slug FROM connector";

/// The slug of every connector there ever was, by id.
pub async fn slugs(tx: &mut Tx) -> Result<HashMap<Uuid, String>, DbError> {
    let all: Vec<(Uuid, String)> =
        on_db!(tx, c => sqlx::query_as(SLUGS).persistent(false).fetch_all(c).await)?;
    Ok(all.into_iter().collect())
}
