//! The connections, oldest first, with the two ways in which they are looked up at once: by their
//! id, and by the tag that names one attempt. With twenty thousand of them no call may walk through
//! all.
//!
//! May import the sandbox's `state` and `tags`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{state::Connection, tags::Tags};

/// The tag that a product gives each attempt of its own.
const ATTEMPT: &str = "attempt_id";

#[derive(Debug, Default)]
pub struct Connections {
    /// By the number that grows.
    all: BTreeMap<u64, Connection>,
    by_id: HashMap<String, BTreeSet<u64>>,
    /// May name connections that no longer have the tag: whoever looks up checks again.
    by_attempt: HashMap<String, BTreeSet<u64>>,
    /// Handed out to be changed since the index was brought up to date.
    touched: BTreeSet<u64>,
}

impl Connections {
    /// Oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Connection> {
        self.all.values()
    }

    /// Those that may have these tags and this id, newest first; the caller still checks.
    pub fn newest_first<'a>(
        &'a self,
        tags: &Tags,
        connection_id: Option<&str>,
    ) -> Box<dyn Iterator<Item = &'a Connection> + 'a> {
        let found: BTreeSet<u64> = if let Some(id) = connection_id {
            self.by_id.get(id).cloned().unwrap_or_default()
        } else if let Some(attempt) = tags.get(ATTEMPT) {
            let indexed = self.by_attempt.get(attempt).into_iter().flatten();
            indexed.chain(&self.touched).copied().collect()
        } else {
            return Box::new(self.all.values().rev());
        };
        let found = found.into_iter().rev();
        Box::new(found.filter_map(|number| self.all.get(&number)))
    }

    pub fn get(&self, id: &str, integration: &str) -> Option<&Connection> {
        self.with_id(id).find(|c| c.integration == integration)
    }

    pub fn get_mut(&mut self, id: &str, integration: &str) -> Option<&mut Connection> {
        let number = self.get(id, integration)?.id;
        self.touch(number)
    }

    /// The first with this id, whatever its integration.
    pub fn any_mut(&mut self, id: &str) -> Option<&mut Connection> {
        let number = self.with_id(id).next()?.id;
        self.touch(number)
    }

    fn with_id(&self, id: &str) -> impl Iterator<Item = &Connection> {
        let numbers = self.by_id.get(id).into_iter().flatten();
        numbers.filter_map(|number| self.all.get(number))
    }

    fn touch(&mut self, number: u64) -> Option<&mut Connection> {
        self.settle();
        self.touched.insert(number);
        self.all.get_mut(&number)
    }

    pub fn push(&mut self, connection: Connection) {
        self.settle();
        let number = connection.id;
        let id = connection.connection_id.clone();
        self.by_id.entry(id).or_default().insert(number);
        self.all.insert(number, connection);
        self.index(number);
    }

    pub fn remove(&mut self, id: &str, integration: &str) -> Option<Connection> {
        let number = self.get(id, integration)?.id;
        self.forget(number)
    }

    pub fn retain(&mut self, keep: impl Fn(&Connection) -> bool) {
        let gone: Vec<u64> = self
            .all
            .values()
            .filter(|c| !keep(c))
            .map(|c| c.id)
            .collect();
        for number in gone {
            self.forget(number);
        }
    }

    fn forget(&mut self, number: u64) -> Option<Connection> {
        self.settle();
        let gone = self.all.remove(&number)?;
        if let Some(numbers) = self.by_id.get_mut(&gone.connection_id) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.by_id.remove(&gone.connection_id);
            }
        }
        if let Some(attempt) = gone.tags.get(ATTEMPT)
            && let Some(numbers) = self.by_attempt.get_mut(attempt)
        {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.by_attempt.remove(attempt);
            }
        }
        Some(gone)
    }

    /// Finds the tags of those that were handed out before.
    fn settle(&mut self) {
        for number in std::mem::take(&mut self.touched) {
            self.index(number);
        }
    }

    fn index(&mut self, number: u64) {
        let tags = self.all.get(&number).map(|c| &c.tags);
        if let Some(attempt) = tags.and_then(|tags| tags.get(ATTEMPT)) {
            let attempt = attempt.clone();
            self.by_attempt.entry(attempt).or_default().insert(number);
        }
    }
}

impl Serialize for Connections {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Connections {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut connections = Self::default();
        for connection in Vec::<Connection>::deserialize(deserializer)? {
            connections.push(connection);
        }
        Ok(connections)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    const EPOCH: &str = "1970-01-01T00:00:00.000Z";

    fn connection(number: u64, id: &str, integration: &str, attempt: &str) -> Connection {
        Connection {
            id: number,
            connection_id: id.to_owned(),
            integration: integration.to_owned(),
            tags: Tags::from([(ATTEMPT.to_owned(), attempt.to_owned())]),
            ..serde_json::from_value(json!({
                "id": 0, "connection_id": "", "integration": "", "provider": "", "auth_mode": "",
                "tags": {}, "end_user": null, "metadata": Value::Null, "connection_config": {},
                "webhook_url_override": null, "created_at": EPOCH, "updated_at": EPOCH,
                "authorized_at": EPOCH, "broken": null,
            }))
            .unwrap()
        }
    }

    fn found(store: &Connections, attempt: &str) -> Vec<u64> {
        let wanted = Tags::from([(ATTEMPT.to_owned(), attempt.to_owned())]);
        let candidates = store.newest_first(&wanted, None);
        let found = candidates.filter(|c| c.tags == wanted);
        found.map(|c| c.id).collect()
    }

    #[test]
    fn a_connection_is_found_by_its_attempt_after_its_tags_were_changed() {
        let mut store = Connections::default();
        store.push(connection(1, "a", "slack", "first"));
        store.push(connection(2, "b", "slack", "first"));
        assert_eq!(found(&store, "first"), [2, 1]);
        let renewed = store.get_mut("a", "slack").unwrap();
        renewed.tags.insert(ATTEMPT.to_owned(), "second".to_owned());
        assert_eq!(found(&store, "second"), [1]);
        assert_eq!(found(&store, "first"), [2]);
        // Still so once the index was brought up to date.
        store.push(connection(3, "c", "slack", "third"));
        assert_eq!(found(&store, "second"), [1]);
        store.remove("a", "slack").unwrap();
        assert_eq!(found(&store, "second"), Vec::<u64>::new());
        assert!(store.remove("a", "slack").is_none());
    }

    #[test]
    fn one_id_may_stand_for_two_integrations() {
        let mut store = Connections::default();
        store.push(connection(1, "a", "slack", "x"));
        store.push(connection(2, "a", "notion", "x"));
        assert_eq!(store.get("a", "notion").unwrap().id, 2);
        assert!(store.get("a", "github").is_none());
        store.retain(|c| c.integration != "slack");
        assert!(store.get("a", "slack").is_none());
        assert_eq!(store.newest_first(&Tags::new(), Some("a")).count(), 1);
        let text = serde_json::to_string(&store).unwrap();
        let again: Connections = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (again.iter().count(), again.get("a", "notion").unwrap().id),
            (1, 2)
        );
    }
}
