//! The hub: carries changes to the open pages of the person they belong to, within this process.
//!
//! May import `domain` and `metrics` only. Across instances the same messages travel by PostgreSQL's NOTIFY and
//! enter here; a page drops what it has already, so arriving twice is harmless.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::broadcast;
use uuid::Uuid;

use crate::{domain::connection::Connection, server::metrics::Metrics};

/// How many messages a slow page may lag behind before it gets a fresh snapshot instead. The room for
/// them is taken with the first page of a person: it counts where there are thousands.
const BACKLOG: usize = 16;

/// So many streams one person may have: a browser has one, whatever the number of its tabs.
pub const PER_PERSON: usize = 20;

/// What travels to the streams of one person.
#[derive(Clone, Debug)]
pub enum Message {
    Changed(Arc<Connection>),
    /// Something may have been missed: read everything again.
    Resync,
    /// Sessions of this person have ended: each stream looks whether its own still lives.
    SessionsEnded,
    /// This instance stops: come back, to another one or to the next.
    Stopping,
}

/// Why there is no stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// This person has as many as one may have.
    Person,
    /// The instance has as many as it may have.
    Instance,
    Stopping,
}

/// Cheap to clone; all clones are one hub.
#[derive(Clone, Debug)]
pub struct Hub(Arc<Mutex<Open>>, Option<Metrics>);

#[derive(Debug)]
struct Open {
    people: HashMap<Uuid, Person>,
    streams: usize,
    most: usize,
    next: u64,
    stopping: bool,
}

#[derive(Debug)]
struct Person {
    sender: broadcast::Sender<Message>,
    /// By the number of the stream, the session's digest; `None`: it was let in by something else.
    streams: Vec<(u64, Option<Box<str>>)>,
}

/// One open stream; dropping it closes it.
#[derive(Debug)]
pub struct Subscription {
    receiver: broadcast::Receiver<Message>,
    hub: Hub,
    person: Uuid,
    number: u64,
}

impl Default for Hub {
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

impl Hub {
    /// With room for so many streams.
    pub fn new(most: usize) -> Self {
        let open = Open {
            people: HashMap::new(),
            streams: 0,
            most,
            next: 0,
            stopping: false,
        };
        Self(Arc::new(Mutex::new(open)), None)
    }

    /// Counts here what it tells.
    #[must_use]
    pub fn watched(mut self, metrics: &Metrics) -> Self {
        self.1 = Some(metrics.clone());
        self
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on. Read the snapshot after subscribing, so that nothing falls between. `session` is
    /// the digest of the session that asks.
    pub fn subscribe(&self, person: Uuid, session: Option<&str>) -> Result<Subscription, Refused> {
        let mut open = self.open();
        if open.stopping {
            return Err(Refused::Stopping);
        }
        if open.streams >= open.most {
            return Err(Refused::Instance);
        }
        let number = open.next;
        let of = open.people.entry(person).or_insert_with(|| Person {
            sender: broadcast::channel(BACKLOG).0,
            streams: Vec::new(),
        });
        if of.streams.len() >= PER_PERSON {
            return Err(Refused::Person);
        }
        of.streams.push((number, session.map(Box::from)));
        let receiver = of.sender.subscribe();
        open.next += 1;
        open.streams += 1;
        Ok(Subscription {
            receiver,
            hub: self.clone(),
            person,
            number,
        })
    }

    /// To every open page of that person; to nobody where none is open.
    pub fn publish(&self, person: Uuid, message: Message) {
        if let Some(of) = self.open().people.get(&person) {
            // An error means that the last page has just closed.
            if of.sender.send(message).is_ok()
                && let Some(metrics) = &self.1
            {
                metrics.live.told();
            }
        }
    }

    /// To everybody: changes made elsewhere may have been missed.
    pub fn resync(&self) {
        if let Some(metrics) = &self.1 {
            metrics.live.resynced("listen");
        }
        self.to_all(&Message::Resync);
    }

    /// All streams end, and no more are opened.
    pub fn stop(&self) {
        self.open().stopping = true;
        self.to_all(&Message::Stopping);
    }

    fn to_all(&self, message: &Message) {
        for of in self.open().people.values() {
            let _ = of.sender.send(message.clone());
        }
    }

    /// How many streams are open.
    pub fn streams(&self) -> usize {
        self.open().streams
    }

    /// Whoever has a page open.
    pub fn people(&self) -> Vec<Uuid> {
        self.open().people.keys().copied().collect()
    }

    /// Every open stream: whose it is, and the digest of its session.
    pub fn sessions(&self) -> Vec<(Uuid, Option<Box<str>>)> {
        let open = self.open();
        let of = |(person, of): (&Uuid, &Person)| {
            let streams = of.streams.iter();
            let all: Vec<_> = streams
                .map(|(_, session)| (*person, session.clone()))
                .collect();
            all
        };
        open.people.iter().flat_map(of).collect()
    }
}

impl Subscription {
    pub async fn recv(&mut self) -> Result<Message, broadcast::error::RecvError> {
        self.receiver.recv().await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut open = self.hub.open();
        open.streams = open.streams.saturating_sub(1);
        let Some(of) = open.people.get_mut(&self.person) else {
            return;
        };
        of.streams.retain(|(number, _)| *number != self.number);
        if of.streams.is_empty() {
            open.people.remove(&self.person);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: Uuid = Uuid::from_u128(1);
    const BOB: Uuid = Uuid::from_u128(2);

    #[tokio::test]
    async fn reaches_the_person_and_nobody_else() {
        let hub = Hub::default();
        let mut to_ada = hub.subscribe(ADA, None).unwrap();
        let mut to_bob = hub.subscribe(BOB, None).unwrap();
        hub.publish(ADA, Message::SessionsEnded);
        assert!(matches!(to_ada.recv().await, Ok(Message::SessionsEnded)));
        assert!(to_bob.receiver.try_recv().is_err());
    }

    #[tokio::test]
    async fn forgets_people_without_pages() {
        let hub = Hub::default();
        let first = hub.subscribe(ADA, Some("a")).unwrap();
        let second = hub.subscribe(ADA, Some("b")).unwrap();
        assert_eq!((hub.people(), hub.streams()), (vec![ADA], 2));
        drop(first);
        assert_eq!(hub.sessions(), [(ADA, Some("b".into()))]);
        drop(second);
        assert_eq!((hub.people(), hub.streams()), (vec![], 0));
    }

    #[tokio::test]
    async fn there_is_room_for_so_many() {
        let hub = Hub::new(PER_PERSON + 1);
        let mut open: Vec<_> = (0..PER_PERSON).map(|_| hub.subscribe(ADA, None)).collect();
        assert!(open.iter().all(Result::is_ok));
        assert_eq!(hub.subscribe(ADA, None).unwrap_err(), Refused::Person);
        let _bobs = hub.subscribe(BOB, None).unwrap();
        assert_eq!(hub.subscribe(BOB, None).unwrap_err(), Refused::Instance);
        open.pop();
        let mut last = hub.subscribe(ADA, None).unwrap();
        hub.stop();
        assert!(matches!(last.recv().await, Ok(Message::Stopping)));
        assert_eq!(hub.subscribe(BOB, None).unwrap_err(), Refused::Stopping);
    }
}
