//! What may be sent again, and when: pure rules.
//!
//! May import `error` of this folder.

use std::{fmt, sync::Arc, time::Duration};

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::NangoError;

/// The first and all that follow it.
pub const TRIES: u32 = 3;
const BASE: Duration = Duration::from_millis(200);
const CAP: Duration = Duration::from_secs(2);

/// Randomness between 0 and 1, so that many instances do not come back at once.
#[derive(Clone)]
pub struct Jitter(Arc<dyn Fn() -> f64 + Send + Sync>);

impl Jitter {
    pub fn new(source: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(source))
    }

    /// The same row of numbers each time.
    pub fn seeded(seed: u64) -> Self {
        let random = std::sync::Mutex::new(StdRng::seed_from_u64(seed));
        Self::new(move || {
            let mut random = random
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            random.random()
        })
    }

    pub fn draw(&self) -> f64 {
        (self.0)().clamp(0.0, 1.0)
    }
}

impl Default for Jitter {
    fn default() -> Self {
        Self::new(rand::random::<f64>)
    }
}

impl fmt::Debug for Jitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Jitter")
    }
}

/// What a repetition would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// It reads.
    Reads,
    /// It changes something, but twice is the same as once, or harmless.
    Harmless,
    /// It might make two of what was wanted once.
    Never,
}

/// Whether a failed try is worth another.
pub fn worth_another(repeat: Repeat, error: &NangoError) -> bool {
    match (repeat, error) {
        (Repeat::Never, _) => false,
        (_, NangoError::Unreachable { .. } | NangoError::RateLimited { .. }) => true,
        (_, NangoError::Failed { status, .. }) => match status {
            502..=504 => true,
            500 => repeat == Repeat::Reads,
            _ => false,
        },
        _ => false,
    }
}

/// Full jitter: anything from nothing to a limit that doubles with each failed try (1, 2 …).
pub fn backoff(failed: u32, chance: f64) -> Duration {
    let limit = BASE.saturating_mul(1 << failed.saturating_sub(1).min(16));
    limit.min(CAP).mul_f64(chance.clamp(0.0, 1.0))
}

/// How long one try may take: half of what is left, so that another fits in; the last takes all.
pub fn share(left: Duration, tries_left: u32, repeat: Repeat) -> Duration {
    if repeat == Repeat::Never || tries_left <= 1 {
        left
    } else {
        left / 2
    }
}
