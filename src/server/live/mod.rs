//! The hub: carries changes to the open pages of the person they belong to, within this process.
//!
//! May import `domain` only. Across instances the same messages travel by PostgreSQL's NOTIFY and
//! enter here; a page drops what it has already, so arriving twice is harmless.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::broadcast;
use uuid::Uuid;

use crate::domain::connection::Connection;

/// How many messages a slow page may lag behind before it gets a fresh snapshot instead.
const BACKLOG: usize = 64;

/// What travels to the streams of one person.
#[derive(Clone, Debug)]
pub enum Message {
    Changed(Arc<Connection>),
    /// Something may have been missed: read everything again.
    Resync,
    /// Sessions of this person have ended: each stream looks whether its own still lives.
    SessionsEnded,
}

/// Cheap to clone; all clones are one hub.
#[derive(Clone, Debug, Default)]
pub struct Hub {
    people: Arc<Mutex<HashMap<Uuid, broadcast::Sender<Message>>>>,
}

impl Hub {
    /// From now on. Read the snapshot after subscribing, so that nothing falls between.
    pub fn subscribe(&self, user_id: Uuid) -> broadcast::Receiver<Message> {
        let mut people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever closed all pages leaves an empty channel behind: swept when somebody comes.
        people.retain(|_, sender| sender.receiver_count() > 0);
        people
            .entry(user_id)
            .or_insert_with(|| broadcast::channel(BACKLOG).0)
            .subscribe()
    }

    /// To every open page of that person; to nobody where none is open.
    pub fn publish(&self, user_id: Uuid, message: Message) {
        let people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = people.get(&user_id) {
            // An error means that the last page has just closed.
            let _ = sender.send(message);
        }
    }
}

impl Hub {
    /// To everybody: changes made elsewhere may have been missed.
    pub fn resync(&self) {
        let people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        for sender in people.values() {
            let _ = sender.send(Message::Resync);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reaches_the_person_and_nobody_else() {
        let hub = Hub::default();
        let (ada, bob) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut to_ada = hub.subscribe(ada);
        let mut to_bob = hub.subscribe(bob);
        hub.publish(ada, Message::SessionsEnded);
        assert!(matches!(to_ada.try_recv(), Ok(Message::SessionsEnded)));
        assert!(to_bob.try_recv().is_err());
    }

    #[tokio::test]
    async fn forgets_people_without_pages() {
        let hub = Hub::default();
        drop(hub.subscribe(Uuid::from_u128(1)));
        let _kept = hub.subscribe(Uuid::from_u128(2));
        assert_eq!(hub.people.lock().unwrap().len(), 1);
    }
}
