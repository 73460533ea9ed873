//! Time, ids and randomness: the one place they come from, so that tests are exact.
//!
//! May import `domain` only. `clippy.toml` bans the sources themselves everywhere else.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use uuid::Uuid;

use crate::domain::timestamp::Timestamp;

/// A source of time and ids, cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Tests set the time; `None` is the machine's own clock.
    fixed: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that moves only when told to.
    pub fn fixed(at: Timestamp) -> Self {
        Self {
            fixed: Some(Arc::new(AtomicI64::new(at.0))),
        }
    }

    /// Moves a fixed clock on; the machine's clock stays as it is.
    pub fn advance(&self, ms: i64) {
        if let Some(fixed) = &self.fixed {
            fixed.fetch_add(ms, Ordering::SeqCst);
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the one source of time")]
    pub fn now(&self) -> Timestamp {
        match &self.fixed {
            Some(fixed) => Timestamp(fixed.load(Ordering::SeqCst)),
            None => Timestamp(chrono::Utc::now().timestamp_millis()),
        }
    }

    /// A UUIDv7: rows made one after the other lie beside each other in their index.
    #[expect(clippy::disallowed_methods, reason = "the one source of ids")]
    pub fn new_id(&self) -> Uuid {
        Uuid::now_v7()
    }

    /// A UUIDv4, where an id must not tell when it was made.
    #[expect(clippy::disallowed_methods, reason = "the one source of ids")]
    pub fn random_id(&self) -> Uuid {
        Uuid::new_v4()
    }
}

/// Crockford's base 32: no letter in it is taken for a digit, nor for another letter.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A short reference that nobody has had before, to be found again in the log (`K7M2-9QXD`).
pub fn reference() -> String {
    reference_of(Clock::system().random_id())
}

/// The reference of something that has an id: of its last 40 bits, the random ones in a v4 and
/// all but random in a v7.
pub fn reference_of(id: Uuid) -> String {
    let bits = id.as_u128();
    let mut text = String::with_capacity(9);
    for place in (0..8_u32).rev() {
        let index = usize::try_from((bits >> (5 * place)) & 31).unwrap_or_default();
        text.push(char::from(ALPHABET.get(index).copied().unwrap_or(b'0')));
        if place == 4 {
            text.push('-');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_reference_can_be_read_out() {
        let id = Uuid::from_u128(0xFFFF_FFFF_FFFF_FFFF_FF00_0000_0000_001F);
        assert_eq!(reference_of(id), "0000-000Z");
        assert_eq!(reference_of(Uuid::from_u128(1 << 39)), "G000-0000");
        for _ in 0..1000 {
            let text = reference();
            assert_eq!(text.len(), 9, "{text}");
            assert_eq!(text.chars().nth(4), Some('-'), "{text}");
            assert!(!text.contains(['I', 'L', 'O', 'U']), "{text}");
        }
    }

    #[test]
    fn references_differ_even_of_ids_made_one_after_the_other() {
        let clock = Clock::system();
        let all: HashSet<_> = (0..10_000).map(|_| reference_of(clock.new_id())).collect();
        assert!(all.len() > 9_998, "{}", all.len());
    }
}
