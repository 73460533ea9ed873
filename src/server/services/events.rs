//! A person's event stream: the snapshot, and what comes after it.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use tokio::time::sleep;
use uuid::Uuid;

use super::{
    ServiceError,
    core::{Announcement, Core},
    error, rows,
    sessions::{self, SessionsEnded},
};
use crate::{
    domain::connection::Connection,
    server::{
        db::{DbError, connection, session, user},
        live::{Message, Refused, Subscription},
    },
};

/// How often it is looked whether the sessions of all open streams still live, for what nobody
/// announced.
const CHECK: Duration = Duration::from_secs(15);
/// Of so many streams, or people, at once.
const CHUNK: usize = 500;

/// Open streams that read everything again at the same time.
pub const AGAIN_AT_ONCE: usize = 4;

#[derive(Clone)]
pub struct Events(pub(super) Arc<Core>);

/// What was known of each person's connections when it was last looked ([`Events::look`]).
pub type Known = HashMap<Uuid, i64>;

impl Events {
    /// Subscribe first, read [`Events::snapshot`] then: nothing falls between. `session` is the digest
    /// of the session that asks; empty where there is none.
    pub fn subscribe(&self, person: Uuid, session: &str) -> Result<Subscription, ServiceError> {
        let session = (!session.is_empty()).then_some(session);
        self.0
            .hub
            .subscribe(person, session)
            .map_err(|refused| match refused {
                Refused::Person => later(error::too_many_streams(), 10),
                Refused::Instance => later(error::streams_full(), 10),
                Refused::Stopping => later(error::stopping(), 1),
            })
    }

    /// Everything the person has.
    pub async fn snapshot(&self, user_id: Uuid) -> Result<Vec<Connection>, ServiceError> {
        let mut tx = self.0.db.read().await?;
        let found = connection::of_user(&mut tx, user_id).await?;
        tx.commit().await?;
        Ok(found
            .into_iter()
            .map(|row| rows::connection(&self.0.registry, row))
            .collect())
    }

    /// The same for an open stream that may have missed something. Thousands may have to at once, as
    /// after an interruption: a few do, and people's requests come in between.
    pub async fn snapshot_again(&self, user_id: Uuid) -> Result<Vec<Connection>, ServiceError> {
        // It is never closed.
        let _turn = self.0.again.acquire().await.ok();
        self.snapshot(user_id).await
    }

    /// The database's notifications were interrupted.
    pub fn resync(&self) {
        self.0.hub.resync();
    }

    /// A page was too far behind, and gets everything again.
    pub fn lagged(&self) {
        self.0.metrics.live.resynced("lagged");
    }

    /// How many streams are open.
    pub fn open(&self) -> usize {
        self.0.hub.streams()
    }

    /// Ends all streams, with a hint when to come back.
    pub fn stop(&self) {
        self.0.hub.stop();
    }

    /// A time between these two, another one for each who asks: not all come back at once.
    pub fn some_time(&self, least: Duration, most: Duration) -> Duration {
        let [low, ..] = self.0.clock.random_id().into_bytes();
        least + (most - least) * u32::from(low) / 255
    }

    /// A change made by another instance, as the database's notification carries it.
    pub fn receive(&self, payload: &str) {
        match serde_json::from_str(payload) {
            Ok(Heard::Changed(announcement)) => self.0.publish(*announcement),
            Ok(Heard::Ended(ended)) => sessions::publish(&self.0, ended.sessions_ended),
            Err(error) => {
                // Of a newer version, perhaps: whatever it was, the database has it.
                tracing::warn!(%error, "a notification cannot be read");
                self.resync();
            }
        }
    }

    /// Looks what has changed of those who have a page open here; where NOTIFY cannot be heard. Whose
    /// sum of versions is another than before gets everything again, and so does who was not known.
    pub async fn look(&self, known: &mut Known) -> Result<(), ServiceError> {
        let people = self.0.hub.people();
        let here: HashSet<Uuid> = people.iter().copied().collect();
        known.retain(|person, _| here.contains(person));
        for some in people.chunks(CHUNK) {
            let mut tx = self.0.db.read().await?;
            let found = connection::versions(&mut tx, some).await?;
            tx.commit().await?;
            for person in some {
                let sum = found.get(person).copied().unwrap_or_default();
                if known.insert(*person, sum) != Some(sum) {
                    self.0.hub.publish(*person, Message::Resync);
                }
            }
        }
        Ok(())
    }
}

fn later(problem: crate::domain::problem::Problem, seconds: u64) -> ServiceError {
    ServiceError::Later {
        problem: Box::new(problem),
        seconds,
    }
}

/// Looks for ever whether the sessions of all open streams live: together, since thousands that each
/// look for themselves would keep the database busy.
pub async fn keep_checking(core: Arc<Core>) {
    loop {
        sleep(CHECK).await;
        if let Err(error) = check(&core).await {
            tracing::warn!(%error, "open streams are not checked");
        }
    }
}

/// Tells the streams whose session or person was not found; each then looks for itself.
async fn check(core: &Core) -> Result<(), DbError> {
    for some in core.hub.sessions().chunks(CHUNK) {
        let people: Vec<Uuid> = some.iter().map(|(person, _)| *person).collect();
        let ids: Vec<&str> = some.iter().filter_map(|(_, id)| id.as_deref()).collect();
        let mut tx = core.db.read().await?;
        let active = user::active(&mut tx, &people).await?;
        let living = session::living(&mut tx, &ids, core.clock.now()).await?;
        tx.commit().await?;
        let over: HashSet<Uuid> = some
            .iter()
            .filter(|(person, id)| {
                let lives = id.as_deref().is_none_or(|id| living.contains(id));
                !lives || !active.contains(person)
            })
            .map(|(person, _)| *person)
            .collect();
        for person in over {
            sessions::publish(core, person);
        }
    }
    Ok(())
}

/// What another instance may tell.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Heard {
    Changed(Box<Announcement>),
    Ended(SessionsEnded),
}
