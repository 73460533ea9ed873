//! The way out to Nango, shared by all clones of the service: the budgets and the breaker behind
//! one lock, and the waiting for them.
//!
//! May import `budget`, `breaker`, `error` and `retry` of this folder.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use super::{
    NangoError,
    breaker::{Breaker, Pass},
    budget::{Budget, Priority, Told, Turn},
    retry::Jitter,
};

/// Nango counts calls with the secret key and calls with a session token apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bucket {
    Key,
    Session,
}

#[derive(Debug)]
struct Inner {
    key: Budget,
    session: Budget,
    breaker: Breaker,
}

impl Inner {
    fn budget(&mut self, bucket: Bucket) -> &mut Budget {
        match bucket {
            Bucket::Key => &mut self.key,
            Bucket::Session => &mut self.session,
        }
    }
}

#[derive(Debug)]
pub struct Gate {
    inner: Mutex<Inner>,
    paused: watch::Sender<bool>,
    pub jitter: Jitter,
}

impl Gate {
    pub fn new(calls_per_minute: Option<u32>, jitter: Jitter) -> Self {
        let now = Instant::now();
        Self {
            inner: Mutex::new(Inner {
                key: Budget::new(calls_per_minute),
                session: Budget::new(None),
                breaker: Breaker::new(now),
            }),
            paused: watch::Sender::new(false),
            jitter,
        }
    }

    /// Waits until a call may go. It must be told how the call ended: see [`Permit`].
    pub async fn enter(
        &self,
        bucket: Bucket,
        priority: Priority,
        deadline: Instant,
    ) -> Result<Permit<'_>, NangoError> {
        loop {
            let now = Instant::now();
            let turn = {
                let mut inner = self.lock();
                // Asked before the budget, so that a call that may not go costs nothing.
                if let Some(wait) = inner.breaker.paused(now) {
                    return Err(NangoError::Paused {
                        retry_after_seconds: whole_seconds(wait),
                    });
                }
                match inner.budget(bucket).take(now, priority) {
                    Turn::Go => {
                        let pass = inner
                            .breaker
                            .admit(now)
                            .map_err(|wait| NangoError::Paused {
                                retry_after_seconds: whole_seconds(wait),
                            })?;
                        return Ok(Permit {
                            gate: self,
                            bucket,
                            pass,
                            open: true,
                        });
                    }
                    turn => turn,
                }
            };
            let (wait, error) = match turn {
                Turn::Go => continue,
                Turn::Closed(wait) => (
                    wait,
                    NangoError::RateLimited {
                        retry_after_seconds: Some(whole_seconds(wait)),
                    },
                ),
                Turn::Spent(wait) => (
                    wait,
                    NangoError::Busy {
                        retry_after_seconds: whole_seconds(wait),
                    },
                ),
            };
            if now + wait >= deadline {
                return Err(error);
            }
            sleep(wait).await;
        }
    }

    pub fn paused(&self) -> Option<Duration> {
        self.lock().breaker.paused(Instant::now())
    }

    /// Of the calls with the secret key.
    pub fn calls_left(&self) -> Option<u32> {
        self.lock().key.left(Instant::now())
    }

    pub fn calls_max(&self) -> Option<u32> {
        self.lock().key.per_minute()
    }

    pub fn pauses(&self) -> watch::Receiver<bool> {
        self.paused.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        let open = {
            let mut inner = self.lock();
            change(&mut inner);
            inner.breaker.is_open()
        };
        let changed = self
            .paused
            .send_if_modified(|paused| std::mem::replace(paused, open) != open);
        if changed && open {
            tracing::warn!("Nango does not answer: calls are paused");
        } else if changed {
            tracing::info!("Nango answers again");
        }
    }
}

/// A call that may go. Dropped without a verdict (nobody waits for it any more, or its failure may
/// be the provider's) it says nothing about Nango.
#[derive(Debug)]
pub struct Permit<'a> {
    gate: &'a Gate,
    bucket: Bucket,
    pass: Pass,
    open: bool,
}

impl Permit<'_> {
    /// Nango answered, whatever it said.
    pub fn answered(mut self, told: Told) {
        self.open = false;
        let now = Instant::now();
        self.gate.change(|inner| {
            inner.breaker.succeed(now);
            inner.budget(self.bucket).learn(now, told);
        });
    }

    /// No answer, or a 5xx.
    pub fn failed(mut self) {
        self.open = false;
        let (now, chance) = (Instant::now(), self.gate.jitter.draw());
        self.gate
            .change(|inner| inner.breaker.fail(now, self.pass, chance));
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.open {
            let now = Instant::now();
            self.gate
                .change(|inner| inner.breaker.abandon(now, self.pass));
        }
    }
}

/// Rounded up: nobody is told to come back too early.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_millis()
        .div_ceil(1000)
        .try_into()
        .unwrap_or(u64::MAX)
        .max(1)
}
