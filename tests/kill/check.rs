//! The file itself, read beside the server: is everything in it that was acknowledged?
//!
//! May import `load` beside it.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use sqlx::{Connection, SqliteConnection};
use uuid::Uuid;

use crate::load::Load;

const SESSIONS: &str = r#"SELECT u.subject, s.id FROM session s JOIN "user" u ON u.id = s.user_id"#;
const ATTEMPTS: &str = "SELECT id FROM connect_attempt";
const NAMES: &str = "SELECT c.id, c.account, (SELECT count(*) FROM audit_event e
    WHERE e.connection_id = c.id AND e.action = 'rename') FROM user_connector_connection c";
const UNSEALED: &str = "SELECT count(*) FROM audit_unsealed";

/// What was acknowledged and is not there, and what SQLite itself complains of.
pub async fn missing(url: &str, load: &Load) -> Vec<String> {
    // What is acknowledged from here on may come too late for the look.
    let told = load.read().clone();
    let mut file = SqliteConnection::connect(url).await.expect("the file");
    let mut missing = Vec::new();
    let sound: String = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(&mut file)
        .await
        .expect("a check");
    if sound != "ok" {
        missing.push(sound);
    }
    let sessions: Vec<(String, String)> = all(&mut file, SESSIONS).await;
    let sessions: HashSet<(String, String)> = sessions.into_iter().collect();
    let lost = told.sessions.iter().filter(|one| !sessions.contains(one));
    missing.extend(lost.map(|(subject, _)| format!("the session of {subject}")));
    let attempts: Vec<(Uuid,)> = all(&mut file, ATTEMPTS).await;
    let attempts: HashSet<String> = attempts.iter().map(|(id,)| id.to_string()).collect();
    let lost = told.attempts.iter().filter(|one| !attempts.contains(*one));
    missing.extend(lost.map(|id| format!("the attempt {id}")));
    let names: Vec<(Uuid, Option<String>, i64)> = all(&mut file, NAMES).await;
    let names = names
        .into_iter()
        .map(|(id, name, times)| (id.to_string(), (name, times)));
    let names: HashMap<String, _> = names.collect();
    drop(file.close().await);
    let sent = load.read().names.clone();
    for (id, named) in told.names {
        let (name, times) = names.get(&id).cloned().unwrap_or_default();
        let number = name.and_then(|name| name.parse().ok()).unwrap_or(0);
        let latest = sent[&id].sent;
        if !(named.told..=latest).contains(&number) || times < named.times {
            missing.push(format!(
                "{id} is {number}, renamed {times} times: {named:?}"
            ));
        }
    }
    missing
}

async fn all<T>(file: &mut SqliteConnection, query: &str) -> Vec<T>
where
    T: for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow> + Send + Unpin,
{
    let found = sqlx::query_as(query).fetch_all(file).await;
    found.expect("what the file holds")
}

/// Waits until every entry of the audit log has its seal.
pub async fn sealed(url: &str, limit: Duration) {
    let start = Instant::now();
    loop {
        let mut file = SqliteConnection::connect(url).await.expect("the file");
        let waiting: i64 = sqlx::query_scalar(UNSEALED)
            .fetch_one(&mut file)
            .await
            .expect("a count");
        if waiting == 0 {
            return;
        }
        assert!(start.elapsed() < limit, "{waiting} entries without a seal");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
