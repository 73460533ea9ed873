//! Fills the database: so many connections, ten a person, of whom most never come.

use std::process::Command;

use crate::Result;

const PER_PERSON: u64 = 10;

/// Makes the database anew.
pub fn create(postgres: &str, name: &str) -> Result<String> {
    drop_it(postgres, name)?;
    sql(postgres, &format!("CREATE DATABASE {name}"))?;
    let (server, _) = postgres
        .rsplit_once('/')
        .ok_or("a URL without a database")?;
    Ok(format!("{server}/{name}"))
}

pub fn drop_it(postgres: &str, name: &str) -> Result<()> {
    sql(
        postgres,
        &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
    )
}

/// Everybody who is signed in has ten connections: eight connected, one broken, one given up. The
/// rest belongs to others.
pub fn connections(database: &str, rows: u64) -> Result<()> {
    let people = rows / PER_PERSON;
    sql(
        database,
        &format!(
            r#"
INSERT INTO "user" (id, issuer, subject, display_name, created_at)
SELECT gen_random_uuid(), 'bench', gen_random_uuid()::text, 'Bench ' || n, now()
FROM generate_series(1, {people} - (SELECT count(*) FROM "user")) n;

INSERT INTO user_connector_connection
  (id, user_id, connector_id, nango_connection_id, status, connected_at, disconnected_at,
   last_synced_at, last_error, error_count, created_at, updated_at, provider_config_key, account)
SELECT gen_random_uuid(), p.id, c.id,
  CASE WHEN c.n <= 9 THEN gen_random_uuid()::text END,
  CASE WHEN c.n <= 8 THEN 'connected' WHEN c.n = 9 THEN 'error' ELSE 'disconnected' END,
  now() - interval '3 days', CASE WHEN c.n = 10 THEN now() END,
  now() - c.n * interval '7 minutes',
  CASE WHEN c.n = 9 THEN 'Access to the account has stopped working. Reconnect it.' END,
  0, now() - interval '3 days', now(), c.slug, 'person' || c.n || '@example.com'
FROM (SELECT id, row_number() OVER () AS k FROM "user"
      WHERE NOT EXISTS (SELECT FROM user_connector_connection u WHERE u.user_id = "user".id)) p
CROSS JOIN LATERAL (
  -- Ten connectors, other ones for each person.
  SELECT id, slug, row_number() OVER (ORDER BY slug) AS n
  FROM (SELECT id, slug, row_number() OVER (ORDER BY slug) AS at FROM connector) all_of_them
  WHERE (at + p.k) % 10 = 0 ORDER BY slug LIMIT {PER_PERSON}
) c;
ANALYZE;
"#
        ),
    )
}

fn sql(database: &str, text: &str) -> Result<()> {
    let done = Command::new("psql")
        .args(["-qAtX", "-v", "ON_ERROR_STOP=1", "-c", text, database])
        .output()?;
    if done.status.success() {
        return Ok(());
    }
    Err(format!("psql: {}", String::from_utf8_lossy(&done.stderr)).into())
}
