//! How many calls a minute may be sent, and by whom: a pure scheduler that is told the time.
//!
//! It remembers when the calls of the last minute went, so that no 60 seconds ever hold more than
//! the number it was given: a bucket that refills beside its burst would let through up to twice
//! that. A burst may take the whole number at once; whoever comes after it waits until the first
//! of its calls is a minute old.
//!
//! May import nothing of ours. [`super::gate`] holds one of these per bucket that Nango counts in.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);
/// Nango tells the end of its minute in whole seconds: two of them so near are the same one.
const ROUNDING: Duration = Duration::from_secs(5);
/// So that rounding never makes a caller ask once too often.
const HAIR: Duration = Duration::from_millis(1);

/// Who waits for the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Priority {
    /// Somebody looks at the page.
    #[default]
    Person,
    /// Nobody does.
    Background,
}

/// What the budget says to a call that wants to go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Turn {
    /// It is counted: send it.
    Go,
    /// Nango itself has said not to call before then.
    Closed(Duration),
    /// The budget has nothing left for it; something will be by then.
    Spent(Duration),
}

/// What an answer says about Nango's own counting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The answer is a 429.
    pub refused: bool,
    /// `X-RateLimit-Remaining`
    pub remaining: Option<u32>,
    /// Until Nango counts from the start again: `Retry-After`, or `X-RateLimit-Reset`.
    pub renewed_in: Option<Duration>,
}

/// What Nango said is left until it counts from the start again.
#[derive(Clone, Copy, Debug)]
struct Word {
    left: u32,
    until: Instant,
}

/// The calls of the last minute, what Nango said of its own counting, and the time before which it
/// wants no call at all.
#[derive(Debug)]
pub struct Budget {
    per_minute: Option<u32>,
    /// When the calls of the last minute went, the oldest first.
    sent: VecDeque<Instant>,
    word: Option<Word>,
    closed_until: Option<Instant>,
}

impl Budget {
    /// `None`: as many as one likes, as far as Nango does not say otherwise.
    pub fn new(per_minute: Option<u32>) -> Self {
        Self {
            per_minute,
            sent: VecDeque::new(),
            word: None,
            closed_until: None,
        }
    }

    pub const fn per_minute(&self) -> Option<u32> {
        self.per_minute
    }

    /// Asks for one call.
    pub fn take(&mut self, now: Instant, priority: Priority) -> Turn {
        if let Some(wait) = self.closed(now) {
            return Turn::Closed(wait);
        }
        let Some(per_minute) = self.per_minute else {
            return Turn::Go;
        };
        self.forget(now);
        // Calls that wait for nobody's click leave half to people.
        let needed = match priority {
            Priority::Person => 1,
            Priority::Background => per_minute.div_ceil(2).max(1),
        };
        // So many of the last minute's calls are too many for this one.
        let room = usize::try_from(per_minute.saturating_sub(needed)).unwrap_or(usize::MAX);
        let of_ours = self
            .sent
            .len()
            .checked_sub(room + 1)
            .and_then(|last| self.sent.get(last))
            .map(|at| (*at + MINUTE).saturating_duration_since(now));
        let of_nangos = self
            .word
            .filter(|word| word.left < needed)
            .map(|word| word.until.saturating_duration_since(now));
        if let Some(wait) = of_ours.max(of_nangos) {
            return Turn::Spent(wait + HAIR);
        }
        self.sent.push_back(now);
        if let Some(word) = &mut self.word {
            word.left = word.left.saturating_sub(1);
        }
        Turn::Go
    }

    /// How many calls of people may go right now; `None`: as many as one likes.
    pub fn left(&mut self, now: Instant) -> Option<u32> {
        let per_minute = self.per_minute?;
        self.forget(now);
        if self.closed(now).is_some() {
            return Some(0);
        }
        let sent = u32::try_from(self.sent.len()).unwrap_or(u32::MAX);
        let ours = per_minute.saturating_sub(sent);
        Some(self.word.map_or(ours, |word| word.left.min(ours)))
    }

    /// How long Nango still wants no call.
    pub fn closed(&self, now: Instant) -> Option<Duration> {
        let until = self.closed_until?;
        (until > now).then(|| until - now)
    }

    /// Nango counts for all instances together, so its word lowers what we believe to have. When
    /// its minute is over just that word is forgotten: our own count goes on.
    pub fn learn(&mut self, now: Instant, told: Told) {
        self.forget(now);
        let left = if told.refused {
            Some(0)
        } else {
            told.remaining
        };
        if let Some(left) = left {
            let until = now + told.renewed_in.unwrap_or(MINUTE);
            self.word = Some(match self.word {
                // An answer from the minute before came late.
                Some(word) if until + ROUNDING < word.until => word,
                Some(word) if until <= word.until + ROUNDING => Word {
                    left: left.min(word.left),
                    until: until.max(word.until),
                },
                _ => Word { left, until },
            });
        }
        if let Some(renewed_in) = told.renewed_in {
            let at = now + renewed_in;
            if left == Some(0) && self.closed_until.is_none_or(|until| until < at) {
                self.closed_until = Some(at);
            }
        }
    }

    fn forget(&mut self, now: Instant) {
        while self.sent.front().is_some_and(|at| *at + MINUTE <= now) {
            self.sent.pop_front();
        }
        if self.word.is_some_and(|word| word.until <= now) {
            self.word = None;
        }
    }
}
