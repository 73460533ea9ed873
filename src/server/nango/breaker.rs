//! Stops hammering a Nango that does not answer: a pure state machine that is told the time.
//!
//! May import nothing of ours.

use std::time::Duration;

use tokio::time::Instant;

/// So many failures in a row open it.
const THRESHOLD: u32 = 5;
/// A row that is broken by a silence this long begins anew.
const WINDOW: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How much of a pause chance may take away, so that many instances do not come back at once.
const SPREAD: f64 = 0.2;

#[derive(Clone, Copy, Debug)]
enum State {
    Closed {
        failures: u32,
        last: Instant,
    },
    Open {
        until: Instant,
        pause: Duration,
    },
    /// One call is out to see.
    Probing {
        pause: Duration,
    },
}

/// What a call is, once it is let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    Ordinary,
    /// The one that finds out whether Nango is back.
    Probe,
}

#[derive(Debug)]
pub struct Breaker {
    state: State,
}

impl Breaker {
    pub fn new(now: Instant) -> Self {
        Self {
            state: State::Closed {
                failures: 0,
                last: now,
            },
        }
    }

    /// Whether a call may go; if not, for how long not.
    pub fn admit(&mut self, now: Instant) -> Result<Pass, Duration> {
        match self.state {
            State::Closed { .. } => Ok(Pass::Ordinary),
            State::Open { until, .. } if until > now => Err(until - now),
            State::Open { pause, .. } => {
                self.state = State::Probing { pause };
                Ok(Pass::Probe)
            }
            State::Probing { .. } => Err(Duration::from_secs(1)),
        }
    }

    /// Nango answered, and be it with a refusal.
    pub fn succeed(&mut self, now: Instant) {
        self.state = State::Closed {
            failures: 0,
            last: now,
        };
    }

    /// No answer, or one that says Nango itself is broken. `chance` is in 0..1.
    pub fn fail(&mut self, now: Instant, pass: Pass, chance: f64) {
        match self.state {
            State::Closed { failures, last } => {
                let in_a_row = now.saturating_duration_since(last) <= WINDOW;
                let failures = if in_a_row { failures + 1 } else { 1 };
                self.state = if failures < THRESHOLD {
                    State::Closed {
                        failures,
                        last: now,
                    }
                } else {
                    open(now, FIRST_PAUSE, chance)
                };
            }
            State::Probing { pause } if pass == Pass::Probe => {
                self.state = open(now, (pause * 2).min(LONGEST_PAUSE), chance);
            }
            // A call from before the pause: it says nothing new.
            State::Open { .. } | State::Probing { .. } => {}
        }
    }

    /// The probe was given up without a verdict: the next call is one.
    pub fn abandon(&mut self, now: Instant, pass: Pass) {
        if let (Pass::Probe, State::Probing { pause }) = (pass, self.state) {
            self.state = State::Open { until: now, pause };
        }
    }

    /// Open, or not yet known to be over.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed { .. })
    }

    /// How long calls are still refused. `None` as soon as one would be let through.
    pub fn paused(&self, now: Instant) -> Option<Duration> {
        match self.state {
            State::Closed { .. } => None,
            State::Open { until, .. } => (until > now).then(|| until - now),
            State::Probing { .. } => Some(Duration::from_secs(1)),
        }
    }
}

fn open(now: Instant, pause: Duration, chance: f64) -> State {
    let until = now + pause.mul_f64(1.0 - SPREAD * chance.clamp(0.0, 1.0));
    State::Open { until, pause }
}
