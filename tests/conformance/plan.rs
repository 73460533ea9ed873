//! The plans of the catalogue page's queries with 100,000 connections.

use patchbay::server::db::{Tx, connection, session};
use sqlx::Row;
use uuid::Uuid;

use crate::fixture::{connector_id, person, run};

/// 1,000 people with 100 connectors each, in no order as life makes them (sorted by person they
/// would lie side by side, and any index would do), and an attempt for every twentieth.
const SQLITE: &str = "
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
    INSERT INTO \"user\" (id, issuer, subject, display_name, created_at)
        SELECT randomblob(16), 'bulk', i, 'Person', '2026-11-22T13:34:50+00:00' FROM n;
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 98)
    INSERT INTO connector (id, slug, name, enabled, created_at, updated_at)
        SELECT randomblob(16), 'bulk' || i, 'Bulk', TRUE, '2026-11-22T13:34:50+00:00',
            '2026-11-22T13:34:50+00:00' FROM n;
    INSERT INTO user_connector_connection
        (id, user_id, connector_id, status, created_at, updated_at)
        SELECT randomblob(16), u.id, c.id, 'connected', '2026-11-22T13:34:50+00:00',
            '2026-11-22T13:34:50+00:00' FROM \"user\" u, connector c ORDER BY random();
    INSERT INTO connect_attempt (id, user_id, connector_id, connection_id, kind, state,
            provider_config_key, created_at, expires_at)
        SELECT randomblob(16), user_id, connector_id, id, 'connect',
            CASE rowid % 1000 WHEN 0 THEN 'open' ELSE 'succeeded' END, 'key', created_at,
            updated_at
        FROM user_connector_connection WHERE rowid % 20 = 0;";

const POSTGRES: &str = "
    INSERT INTO \"user\" (id, issuer, subject, display_name, created_at)
        SELECT gen_random_uuid(), 'bulk', i, 'Person', now() FROM generate_series(1, 999) i;
    INSERT INTO connector (id, slug, name, enabled, created_at, updated_at)
        SELECT gen_random_uuid(), 'bulk' || i, 'Bulk', TRUE, now(), now()
        FROM generate_series(1, 98) i;
    INSERT INTO user_connector_connection
        (id, user_id, connector_id, status, created_at, updated_at)
        SELECT gen_random_uuid(), u.id, c.id, 'connected', now(), now()
        FROM \"user\" u, connector c ORDER BY random();
    INSERT INTO connect_attempt (id, user_id, connector_id, connection_id, kind, state,
            provider_config_key, created_at, expires_at)
        SELECT gen_random_uuid(), user_id, connector_id, id, 'connect',
            CASE WHEN n % 1000 = 0 THEN 'open' ELSE 'succeeded' END, 'key', created_at, updated_at
        FROM (SELECT *, row_number() OVER () AS n FROM user_connector_connection) c
        WHERE n % 20 = 0;
    ANALYZE;";

/// What a query asks for.
enum Asked {
    OfUser(Uuid),
    AtConnector(Uuid, Uuid),
    BySession,
}

async fn plan(tx: &mut Tx, sql: &str, asked: Asked) -> String {
    macro_rules! lines {
        ($inner:expr, $explain:literal, $column:literal) => {{
            let sql = format!("{} {sql}", $explain);
            let query = sqlx::query(&sql).persistent(false);
            let query = match asked {
                Asked::OfUser(user) => query.bind(user),
                Asked::AtConnector(user, connector) => query.bind(user).bind(connector),
                Asked::BySession => query
                    .bind("digest")
                    .bind(chrono::DateTime::<chrono::Utc>::UNIX_EPOCH),
            };
            let rows = query.fetch_all(&mut **$inner).await.expect("a plan");
            rows.iter()
                .map(|row| row.get::<String, _>($column))
                .collect::<Vec<_>>()
        }};
    }
    let lines = match tx {
        Tx::Sqlite(inner) => lines!(inner, "EXPLAIN QUERY PLAN", "detail"),
        Tx::Postgres(inner) => lines!(inner, "EXPLAIN", "QUERY PLAN"),
    };
    lines.join("\n")
}

on_both! {
    async fn the_catalogue_uses_the_composite_index(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let user = person(&mut tx).await;
        run(&mut tx, SQLITE, POSTGRES).await.unwrap();
        // The page's own query: everything the person has, each once.
        let found = connection::of_user(&mut tx, user).await.unwrap();
        assert_eq!(found.len(), 100);

        let gmail = connector_id("gmail");
        for (sql, asked) in [
            (connection::OF_USER, Asked::OfUser(user)),
            (connection::OF_USER_AND_CONNECTOR, Asked::AtConnector(user, gmail)),
            (session::along::LOAD, Asked::BySession),
        ] {
            let plan = plan(&mut tx, sql, asked).await;
            assert!(
                plan.contains("user_connector_connection_user_id_connector_id"),
                "{sql}\n{plan}"
            );
            // Neither table is read from end to end.
            for line in plan.lines() {
                for scan in ["SCAN c ", "SCAN a ", "Seq Scan on user_", "Seq Scan on connect_"] {
                    assert!(!format!("{line} ").contains(scan), "{sql}\n{plan}");
                }
            }
        }
    }
}
