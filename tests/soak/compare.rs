//! Every row against the sandbox's own list, and against what each visit must have led to.
//!
//! May import the crate's `db`, and `person`, `place` and `visit` beside it.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use patchbay::{
    domain::{attempt::AttemptState, connection::Status, timestamp::Timestamp},
    server::{
        db::{Db, attempt, connection, owed_deletion, user},
        manifest::Registry,
    },
};
use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    person::{Page, Person},
    place::Place,
    visit::{Expected, Visited},
};

/// How long what is owed, and looked for by polling alone, may take in all.
const LIMIT: Duration = Duration::from_secs(240);

/// How the state of the world differs from what was asked for: all empty where nothing was lost.
#[derive(Debug, Default)]
pub struct Differences {
    /// Allowed and not called off, and yet not connected.
    pub lost: Vec<String>,
    /// Connected here, and nothing of the kind at Nango.
    pub invented: Vec<String>,
    /// At Nango with our tags, and no row is bound to it.
    pub orphans: Vec<String>,
    /// Attempts that say something else than their row.
    pub attempts: Vec<String>,
    /// What the event stream tells of a row is not the row.
    pub pages: Vec<String>,
    pub rows: usize,
    pub listed: usize,
    /// How many attempts ended in each state.
    pub states: BTreeMap<&'static str, usize>,
}

impl Differences {
    pub fn none(&self) -> bool {
        self.lost.is_empty()
            && self.invented.is_empty()
            && self.orphans.is_empty()
            && self.attempts.is_empty()
            && self.pages.is_empty()
    }
}

/// The reconciler's turn, and then time for what is owed and for outcomes that only polling finds.
pub async fn settle_down(place: &Place, visits: &[Visited]) -> Duration {
    let start = Instant::now();
    // Webhooks that were late or overtaken come within this.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let reconcile = &place.apps[0].services.reconcile;
    while let Err(error) = reconcile.run().await {
        assert!(start.elapsed() < LIMIT, "reconciling: {error}");
        // The breaker's or a 429's pause is not over yet.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let db = &place.apps[0].db;
    owed_now(db).await;
    loop {
        let owed = owed(db).await;
        let waiting = unfinished(db, visits).await;
        if owed == 0 && waiting == 0 {
            return start.elapsed();
        }
        if start.elapsed() > LIMIT {
            eprintln!("{owed} deletions owed, {waiting} attempts unfinished");
            return start.elapsed();
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// A deletion that failed waits half a minute and more for its next try: not here.
async fn owed_now(db: &Db) {
    const NOW: &str = "UPDATE owed_deletion SET next_try_at = created_at";
    let done = match db {
        Db::Sqlite(pool) => sqlx::query(NOW).execute(&**pool).await.map(drop),
        Db::Postgres(server) => {
            let mut operator = server.connection().await.expect("a connection");
            let query = sqlx::query(NOW).persistent(false);
            query.execute(&mut operator).await.map(drop)
        }
    };
    done.expect("an update");
}

async fn owed(db: &Db) -> usize {
    let mut tx = db.read().await.expect("a transaction");
    let owed = owed_deletion::due(&mut tx, Timestamp(i64::MAX), 10_000).await;
    owed.expect("the owed deletions").len()
}

async fn state(db: &Db, id: &str) -> AttemptState {
    let id = Uuid::parse_str(id).expect("an id");
    let mut tx = db.read().await.expect("a transaction");
    let attempt = attempt::get(&mut tx, id).await.expect("an attempt");
    attempt.expect("an attempt").state
}

/// Attempts that must succeed and have not yet.
async fn unfinished(db: &Db, visits: &[Visited]) -> usize {
    let mut waiting = 0;
    for visited in visits.iter().filter(|visited| visited.succeeds) {
        let last = visited.attempts.last().expect("an attempt");
        waiting += usize::from(state(db, last).await != AttemptState::Succeeded);
    }
    waiting
}

pub async fn compare(
    place: &Place,
    people: &[Person],
    pages: &[(usize, Page)],
    visits: &[Visited],
) -> Differences {
    let db = &place.apps[0].db;
    let registry = Registry::load(None).expect("the manifests");
    let mut found = Differences::default();
    let list = place.connections().await;
    found.listed = list.len();
    let mut listed: HashMap<&str, &Value> = HashMap::new();
    for entry in &list {
        listed.insert(text(entry, "connection_id"), entry);
    }

    let mut rows = HashMap::new();
    let mut bound = HashSet::new();
    for (number, person) in people.iter().enumerate() {
        let user_id = user_id(place, &person.name).await;
        let mut tx = db.read().await.expect("a transaction");
        let of = connection::of_user(&mut tx, user_id).await.expect("rows");
        drop(tx);
        found.rows += of.len();
        pages_agree(person, number, pages, &of, &mut found).await;
        for one in of {
            let row = one.row;
            let manifest = registry.by_id(row.connector_id).expect("a connector");
            if let Some(id) = &row.nango_connection_id {
                bound.insert(id.clone());
                let entry = listed.get(id.as_str());
                let same = entry.is_some_and(|entry| {
                    entry["tags"]["end_user_id"] == user_id.to_string()
                        && entry["provider_config_key"] == manifest.nango.provider_key
                });
                if !same {
                    let row = format!("{row:?}");
                    found.invented.push(format!("{row} {entry:?}"));
                }
            } else if row.status == Status::Connected {
                found
                    .invented
                    .push(format!("connected to nothing: {row:?}"));
            }
            let place = (number, manifest.slug.clone());
            if let Some(other) = rows.insert(place, row) {
                found.invented.push(format!("a second row: {other:?}"));
            }
        }
    }
    for (id, entry) in &listed {
        if !bound.contains(*id) {
            found.orphans.push(entry.to_string());
        }
    }
    for visited in visits {
        let Some(row) = rows.get(&(visited.visit.person, visited.slug.clone())) else {
            found.lost.push(format!("no row: {visited:?}"));
            continue;
        };
        let mut states = Vec::new();
        for attempt in &visited.attempts {
            let state = state(db, attempt).await;
            *found.states.entry(state.as_str()).or_default() += 1;
            states.push(state);
        }
        let succeeded = states.last() == Some(&AttemptState::Succeeded);
        let connected = row.status == Status::Connected && row.nango_connection_id.is_some();
        let wanted = match visited.expected {
            Expected::Connected => true,
            Expected::NotConnected => false,
            Expected::AsTheAttempt => succeeded,
        };
        match (wanted, connected) {
            (true, false) => found.lost.push(format!("{visited:?} {states:?} {row:?}")),
            (false, true) => found
                .invented
                .push(format!("{visited:?} {states:?} {row:?}")),
            _ => {}
        }
        if visited.succeeds && !succeeded {
            found.attempts.push(format!("{visited:?} {states:?}"));
        }
    }
    found
}

/// The snapshot of a page opened now, and what a page shows that was open all the while.
async fn pages_agree(
    person: &Person,
    number: usize,
    pages: &[(usize, Page)],
    rows: &[connection::WithAttempt],
    found: &mut Differences,
) {
    let mut fresh = person.page(number);
    let mut snapshot = HashMap::new();
    while snapshot.len() < rows.len() {
        let next = tokio::time::timeout(Duration::from_secs(10), fresh.events.recv());
        let Ok(Some((_, connection))) = next.await else {
            break;
        };
        snapshot.insert(text(&connection, "id").to_owned(), connection);
    }
    drop(fresh);
    let long_open = pages.iter().filter(|(of, _)| *of == number);
    let shown = long_open.map(|(_, page)| page.shows());
    for (which, shown) in [snapshot].into_iter().chain(shown).enumerate() {
        if shown.len() != rows.len() {
            let count = format!("{which}: {} of {} rows", shown.len(), rows.len());
            found.pages.push(format!("{} {count}", person.name));
        }
        for one in rows {
            let row = &one.row;
            let Some(connection) = shown.get(&row.id.to_string()) else {
                continue;
            };
            let same = connection["version"] == row.version
                && connection["status"] == row.status.as_str()
                && connection["attempt"].is_object() == one.attempt.is_some();
            if !same {
                found
                    .pages
                    .push(format!("{which}: {connection} is {one:?}"));
            }
        }
    }
}

async fn user_id(place: &Place, name: &str) -> Uuid {
    let new = user::NewUser {
        id: place.clock.new_id(),
        issuer: "demo",
        subject: name,
        display_name: name,
        email: None,
    };
    let mut tx = place.apps[0].db.write().await.expect("a transaction");
    let user = user::upsert(&mut tx, &new, place.clock.now()).await;
    tx.commit().await.expect("a commit");
    user.expect("a user").id
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().expect("a text")
}
