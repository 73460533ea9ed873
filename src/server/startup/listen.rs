//! Changes made by other instances: heard by LISTEN, as long as it is proved again and again that it
//! hears; looked for each second where a pooler swallows it. May import what `startup` does.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::postgres::PgListener;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use uuid::Uuid;

use crate::server::{
    db::{Db, DbError, notify},
    services::{Services, events::Known},
};

/// So long after it was said, a word is heard, or never.
const HEARD: Duration = Duration::from_secs(2);
/// How often this instance says something to itself, and how long it waits to hear it. Whoever hears
/// nothing would not hear the others either: a connection may hang for hours without breaking.
const BEAT: Duration = Duration::from_secs(2);
const DEAF: Duration = Duration::from_secs(5);
/// A connection takes no longer.
const CONNECT: Duration = Duration::from_secs(5);
/// Between two tries to connect.
const AGAIN: Duration = Duration::from_secs(1);
/// Between two looks, where nothing is heard.
const LOOK: Duration = Duration::from_secs(1);

/// How this instance learns of what others change.
enum Way {
    Listen(Box<PgListener>),
    /// NOTIFY is not heard.
    Look,
    /// Which of them is found out later, and why.
    Later(String),
}

/// Both ends, and this instance's own channel.
pub struct Between {
    db: Db,
    /// Past a pooler, where there is one.
    direct: Db,
    own: String,
    /// Both are one, so that what is heard proves that no pooler is in between.
    is_direct: bool,
    /// What was found out at the start, for whoever begins with it.
    first: Mutex<Option<Way>>,
}

impl Between {
    /// Finds out how to learn of others. Nothing where there are none: SQLite. `direct` where it is
    /// another address than the database's own.
    pub async fn find(db: &Db, direct: Option<Db>, instance: Uuid) -> Option<Self> {
        if matches!(db, Db::Sqlite(_)) {
            return None;
        }
        let mut between = Self {
            is_direct: direct.is_none(),
            db: db.clone(),
            direct: direct.unwrap_or_else(|| db.clone()),
            own: format!("{}_{}", notify::CHANNEL, instance.simple()),
            first: Mutex::default(),
        };
        between.first = Mutex::new(Some(between.way().await));
        Some(between)
    }

    /// A database that fails at this moment is tried again later, by [`keep`].
    async fn way(&self) -> Way {
        match self.is_heard().await {
            Ok(true) => {
                if self.is_direct {
                    self.db.keep_statements();
                }
                self.listener().await
            }
            Ok(false) => {
                tracing::warn!(
                    "what other instances change is looked for each second: NOTIFY is not heard here, because a pooler is in between, or DATABASE_DIRECT_URL is another database; set DATABASE_DIRECT_URL to PostgreSQL itself"
                );
                Way::Look
            }
            Err(error) => Way::Later(error.to_string()),
        }
    }

    async fn is_heard(&self) -> Result<bool, DbError> {
        let asked = self.db.clone().is_heard_by(self.direct.clone(), HEARD);
        let asked = timeout(CONNECT + HEARD, asked).await;
        asked.unwrap_or(Err(DbError::Sqlx(sqlx::Error::PoolTimedOut)))
    }

    async fn listener(&self) -> Way {
        let listener = notify::listener(self.direct.clone(), self.own.clone());
        match timeout(CONNECT, listener).await {
            Ok(Ok(Some(listener))) => Way::Listen(Box::new(listener)),
            Ok(Ok(None)) => Way::Later("this database tells nothing".to_owned()),
            Ok(Err(error)) => Way::Later(error.to_string()),
            Err(_) => Way::Later("no answer".to_owned()),
        }
    }
}

/// Hears, or looks, for ever.
pub async fn keep(between: Arc<Between>, services: Services) {
    let first = between
        .first
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    let mut way = first.unwrap_or_else(|| Way::Later("the listener broke off".to_owned()));
    // Whether it has ever heard, and whether it is known that it does not.
    let (mut heard, mut deaf) = (false, false);
    loop {
        way = match way {
            // Where it was heard once no pooler is in between: one word came late.
            Way::Look if heard => Way::Later("one word came late".to_owned()),
            Way::Look => {
                if deaf {
                    services.health.listens(true);
                    services.events.resync();
                }
                return look(&services).await;
            }
            Way::Listen(listener) => {
                if deaf {
                    tracing::info!("notifications are back");
                    services.health.listens(true);
                    // What came between is not known.
                    services.events.resync();
                }
                (heard, deaf) = (true, false);
                Way::Later(hear(&between, *listener, &services).await.to_owned())
            }
            Way::Later(why) => {
                if deaf {
                    tracing::debug!(why, "no notifications yet");
                    sleep(AGAIN).await;
                } else {
                    tracing::warn!(
                        why,
                        "notifications are interrupted: what other instances change is not heard"
                    );
                    services.health.listens(false);
                    deaf = true;
                }
                between.way().await
            }
        };
    }
}

/// Until it hears no more; returns why.
async fn hear(between: &Between, mut listener: PgListener, services: &Services) -> &'static str {
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // When it was said what has not been heard yet.
    let mut said: Option<Instant> = None;
    loop {
        tokio::select! {
            heard = listener.try_recv() => match heard {
                Ok(Some(heard)) if heard.channel() == between.own => said = None,
                Ok(Some(heard)) => services.events.receive(heard.payload()),
                Ok(None) | Err(_) => return "the connection is lost",
            },
            _ = beat.tick() => {
                if said.is_some_and(|said| said.elapsed() > DEAF) {
                    return "nothing is heard";
                }
                let now = Instant::now();
                // A database that takes nothing at the moment proves nothing.
                if notify::say(&between.db, &between.own).await.is_ok() {
                    said.get_or_insert(now);
                }
            }
        }
    }
}

async fn look(services: &Services) {
    let mut known = Known::new();
    loop {
        sleep(LOOK).await;
        if let Err(error) = services.events.look(&mut known).await {
            tracing::debug!(%error, "what others change is not looked for");
        }
    }
}
