//! Whether the server can do its work, and whether it can go on by itself.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, timeout};

use super::{ServiceError, core::Core, reconcile::Reconcile};
use crate::{domain::problem::Problem, server::db::counts};

/// A database that does not answer within this is not there, as far as a balancer is concerned.
const PATIENCE: Duration = Duration::from_secs(2);
/// A runtime that takes longer than this for nothing does nothing else either.
const PULSE: Duration = Duration::from_secs(2);
/// So many times in a row a background task may break off before the process is beyond help.
const BREAKS: u32 = 5;
/// A task that has run for so long has recovered.
const CALM: Duration = Duration::from_secs(120);

/// What shutdown and the background have told.
#[derive(Debug, Default)]
pub struct State {
    stopping: AtomicBool,
    /// Changes of other instances are not heard just now.
    deaf: AtomicBool,
    /// Tasks that broke off: how often in a row, and when last.
    broken: Mutex<HashMap<&'static str, (u32, Instant)>>,
}

impl State {
    /// A background task has broken off: how often in a row.
    fn broke_off(&self, task: &'static str, now: Instant) -> u32 {
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        let (times, last) = broken.entry(task).or_insert((0, now));
        if now.duration_since(*last) > CALM {
            *times = 0;
        }
        *times += 1;
        *last = now;
        *times
    }

    /// A task that breaks off again and again.
    fn failing(&self, now: Instant) -> Option<&'static str> {
        let broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        broken
            .iter()
            .find(|(_, (times, last))| *times >= BREAKS && now.duration_since(*last) <= CALM)
            .map(|(task, _)| *task)
    }
}

#[derive(Clone)]
pub struct Health(pub(super) Arc<Core>);

impl Health {
    /// From now on a balancer is told to send nobody here any more.
    pub fn stop(&self) {
        self.0.health.stopping.store(true, Ordering::Relaxed);
    }

    /// There is such a background task.
    pub fn has(&self, task: &'static str) {
        self.0.metrics.background.has(task);
    }

    /// It has broken off, and is started again. Returns how often in a row.
    pub fn broke_off(&self, task: &'static str) -> u32 {
        self.0.metrics.background.restarted(task);
        self.0.health.broke_off(task, Instant::now())
    }

    /// Whether changes of other instances are heard.
    pub fn listens(&self, listens: bool) {
        self.0.health.deaf.store(!listens, Ordering::Relaxed);
        self.0.metrics.live.listening(listens);
    }

    pub fn is_stopping(&self) -> bool {
        self.0.health.stopping.load(Ordering::Relaxed)
    }

    /// Alive: the runtime gets on with a task and a timer of its own, and no background task breaks
    /// off again and again. What a restart would not mend (the database, Nango) does not count.
    pub async fn live(&self) -> Result<(), Problem> {
        if let Some(task) = self.0.health.failing(Instant::now()) {
            tracing::error!(
                task,
                "not alive: a background task breaks off again and again"
            );
            return Err(not_alive());
        }
        let pulse = tokio::spawn(tokio::time::sleep(Duration::from_millis(1)));
        match timeout(PULSE, pulse).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(not_alive()),
        }
    }

    /// Ready: not about to stop, and the database answers soon. A Nango that can't be reached does
    /// not make the server unready: the catalogue still shows, and says so.
    pub async fn ready(&self) -> Result<(), ServiceError> {
        if self.is_stopping() {
            return Err(super::error::stopping().into());
        }
        let asked = timeout(PATIENCE, async {
            let mut tx = self.0.db.read().await?;
            counts::answers(&mut tx).await?;
            tx.commit().await?;
            Ok::<(), ServiceError>(())
        });
        asked
            .await
            .unwrap_or_else(|_| Err(super::outage::away().into()))
    }

    /// What somebody should look at, though the server works.
    pub fn alarms(&self) -> Vec<&'static str> {
        let missing = Reconcile(self.0.clone()).last().is_some_and(|r| r.alarm);
        let deaf = self.0.health.deaf.load(Ordering::Relaxed);
        [
            missing.then_some("nango_connections_missing"),
            // No reason to send people elsewhere: pages show what is so, only later, and where all
            // instances are deaf nobody would be left.
            deaf.then_some("live_updates_interrupted"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

fn not_alive() -> Problem {
    Problem::new(
        503,
        "not_alive",
        "This server cannot go on by itself.",
        "Restart it; its log says what happened.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_breaks_off_again_and_again_is_told_and_one_that_recovers_is_not() {
        let (state, now) = (State::default(), Instant::now());
        for times in 1..BREAKS {
            assert_eq!(state.broke_off("lease", now), times);
        }
        assert_eq!(state.failing(now), None);
        assert_eq!(state.broke_off("lease", now), BREAKS);
        assert_eq!(state.failing(now + CALM), Some("lease"));
        let later = now + CALM + Duration::from_secs(1);
        assert_eq!(state.failing(later), None);
        assert_eq!(state.broke_off("lease", later), 1);
        assert_eq!(state.failing(later), None);
    }
}
