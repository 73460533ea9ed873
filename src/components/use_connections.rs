//! `use_connections`: one reactive store of the person's connections, fed by the page and by the
//! event stream. May import `domain` and `browser`.
//!
//! Beside the connections it holds what is in motion on this page (`flow`) and what is announced.

use leptos::prelude::*;
use uuid::Uuid;

use super::stage::{Flow, Stage, attempt_of, find};
use crate::{
    browser::{document, popup, store},
    domain::{
        connection::{Connection, Shown, Status},
        event::Event,
    },
};

/// Everything the islands of a page share.
#[derive(Clone, Debug, Default)]
pub struct Store {
    all: Vec<Connection>,
    pub(super) flows: Vec<Flow>,
    /// What connectors are called in announcements, by slug.
    names: Vec<(String, String)>,
    /// Said politely to screen readers.
    pub said: String,
    /// Said at once.
    pub alarm: String,
    /// The event stream has been down for a while.
    pub down: bool,
}

/// What the page knows of one connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ours {
    pub connections: Vec<Connection>,
    /// What is in motion.
    pub flow: Option<Flow>,
}

/// The page's connections.
#[derive(Clone)]
pub struct Connections(pub(super) ArcRwSignal<Store>);

/// The page's connections.
pub fn use_connections() -> Connections {
    store::shared(|| Connections(ArcRwSignal::default()))
}

impl Connections {
    /// What the page came with.
    pub fn seed(&self, connections: Vec<Connection>) {
        self.change(|store| {
            for connection in connections {
                merge(&mut store.all, connection);
            }
        });
    }

    /// What to call a connector in announcements.
    pub fn seed_name(&self, slug: &str, name: &str) {
        self.0.update_untracked(|store| {
            store.names.push((slug.to_owned(), name.to_owned()));
        });
    }

    pub(super) fn name(&self, slug: &str) -> String {
        self.0.with_untracked(|store| {
            let known = store.names.iter().find(|(known, _)| known == slug);
            known.map_or_else(|| slug.to_owned(), |(_, name)| name.clone())
        })
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Store)) {
        self.0.update(change);
    }

    /// Takes in what is newer than what is known, and settles what that ends.
    pub fn apply(&self, event: Event) {
        let mut ended = Vec::new();
        let mut all = self.all_untracked();
        let news = match event {
            Event::Connection(connection) => vec![*connection],
            Event::Snapshot(list) => {
                forget_missing(&mut all, &list);
                list
            }
        };
        for connection in news {
            let known = all.iter().find(|known| known.id == connection.id);
            let stood = known.is_some_and(|known| known.status == Status::Connected);
            let before = known.and_then(attempt_of);
            let after = attempt_of(&connection);
            if merge(&mut all, connection.clone())
                && let Some(before) = before
                && after != Some(before)
            {
                ended.push((before, connection, stood));
            }
        }
        self.change(|store| store.all = all);
        for (attempt, connection, stood) in ended {
            self.settle(attempt, &connection, stood);
        }
    }

    /// An attempt came to its end: the window closes and the outcome is said. `stood`: the
    /// account was connected all the while, so that its state does not tell the outcome.
    fn settle(&self, attempt: Uuid, connection: &Connection, stood: bool) {
        let slug = &connection.connector;
        let flow = self.flow_untracked(slug);
        // The page is busy with a newer attempt, whose own answer tells how it went.
        if flow
            .as_ref()
            .is_some_and(|flow| flow.attempt != Some(attempt) && flow.stage != Stage::Refused)
        {
            return;
        }
        popup::close(slug);
        self.end_flow(slug);
        // Superseded on another page, or cancelled by the person: no outcome to tell.
        if connection.attempt.is_some() || flow.is_some_and(|f| f.stage == Stage::Cancelling) {
            return;
        }
        let name = self.name(slug);
        match (&connection.last_error, connection.shown()) {
            (_, Shown::Connected) if stood => self.ask_outcome(slug.clone(), attempt),
            (Some(error), _) => self.alarm(format!("{name} was not connected: {error}")),
            (None, Shown::Pending) => self.say(format!("{name} is waiting for approval.")),
            (None, Shown::Connected) => {
                document::end_outage();
                self.say(format!("{name} is connected."));
            }
            (None, _) => self.say(format!("{name} was not connected.")),
        }
    }

    pub(super) fn say(&self, text: String) {
        self.change(|store| store.said = text);
    }

    pub(super) fn alarm(&self, text: String) {
        self.change(|store| store.alarm = text);
    }

    /// Forgets what was said: only what changes is read out, so the same words would not be.
    pub(super) fn hush(&self) {
        self.change(|store| {
            store.said.clear();
            store.alarm.clear();
        });
    }

    /// What is known of one connector now.
    pub fn ours(&self, slug: &str) -> Ours {
        self.0.with(|store| {
            let ours = store.all.iter().filter(|c| c.connector == slug);
            Ours {
                connections: ours.cloned().collect(),
                flow: find(&store.flows, slug),
            }
        })
    }

    /// What is known of one connector; what concerns others does not wake those who follow it.
    pub fn of(&self, slug: &str) -> Memo<Ours> {
        let (connections, slug) = (self.clone(), slug.to_owned());
        Memo::new(move |_| connections.ours(&slug))
    }

    /// All of them, followed.
    pub fn all(&self) -> Vec<Connection> {
        self.0.with(|store| store.all.clone())
    }

    pub(super) fn all_untracked(&self) -> Vec<Connection> {
        self.0.with_untracked(|store| store.all.clone())
    }

    /// The open attempt of a connector's connection, if it is known.
    pub(super) fn open_attempt(&self, slug: &str) -> Option<Uuid> {
        self.0.with_untracked(|store| {
            store
                .all
                .iter()
                .filter(|connection| connection.connector == slug)
                .find_map(attempt_of)
        })
    }
}

/// Puts a connection in unless what is known is as new; tells whether it did.
fn merge(all: &mut Vec<Connection>, connection: Connection) -> bool {
    match all.iter_mut().find(|known| known.id == connection.id) {
        Some(known) if known.version >= connection.version => false,
        Some(known) => {
            *known = connection;
            true
        }
        None => {
            all.push(connection);
            true
        }
    }
}

/// What a snapshot lacks is gone, unless it came to be after the snapshot was taken.
fn forget_missing(all: &mut Vec<Connection>, snapshot: &[Connection]) {
    let taken = snapshot
        .iter()
        .map(|connection| connection.updated_at)
        .max();
    all.retain(|known| {
        known.attempt.is_some()
            || taken.is_some_and(|taken| known.updated_at > taken)
            || snapshot.iter().any(|connection| connection.id == known.id)
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::timestamp::Timestamp;

    fn connection(id: u128, version: i64, status: Status, at: i64) -> Connection {
        Connection {
            id: Uuid::from_u128(id),
            connector_id: Uuid::nil(),
            connector: "gmail".into(),
            status,
            account: None,
            connected_at: None,
            disconnected_at: None,
            last_synced_at: None,
            last_error: None,
            error_count: 0,
            created_at: Timestamp(0),
            updated_at: Timestamp(at),
            version,
            attempt: None,
        }
    }

    #[test]
    fn only_what_is_newer_is_taken_in() {
        let mut all = vec![connection(1, 2, Status::Connected, 0)];
        assert!(!merge(&mut all, connection(1, 1, Status::Pending, 0)));
        assert!(!merge(&mut all, connection(1, 2, Status::Pending, 0)));
        assert_eq!(all[0].status, Status::Connected);
        assert!(merge(&mut all, connection(1, 3, Status::Error, 0)));
        assert_eq!(all[0].status, Status::Error);
        assert!(merge(&mut all, connection(2, 1, Status::Pending, 0)));
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn a_snapshot_forgets_the_gone_but_not_the_newer() {
        let mut all = vec![
            connection(1, 1, Status::Connected, 10),
            connection(2, 1, Status::Connected, 5),
            connection(3, 1, Status::Pending, 99),
        ];
        forget_missing(&mut all, &[connection(1, 1, Status::Connected, 10)]);
        let left: Vec<u128> = all.iter().map(|c| c.id.as_u128()).collect();
        assert_eq!(left, [1, 3]);
    }
}
