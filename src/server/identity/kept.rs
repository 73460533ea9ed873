//! What an issuer publishes, kept for a while: fetched on first use, renewed when it is old, and
//! used on while the issuer does not answer.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use super::http::FetchError;
use crate::domain::timestamp::Timestamp;

const MINUTE: i64 = 60_000;
/// After so long it is fetched anew.
const FRESH: i64 = 10 * MINUTE;
/// What cannot be renewed is used so long; afterwards nobody knows what was revoked meanwhile.
const USABLE: i64 = 24 * 60 * MINUTE;
/// A failure is not tried again before.
const PAUSE_EMPTY: i64 = 3_000;
const PAUSE: i64 = 30_000;
/// Nobody can make us ask more often than this for a key that is not there.
const ASKED: i64 = 30_000;

#[derive(Debug)]
pub struct Kept<T> {
    state: Mutex<State<T>>,
    /// One fetches, the others wait.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State<T> {
    value: Option<(Arc<T>, Timestamp)>,
    failed: Option<(FetchError, Timestamp)>,
    asked: Option<Timestamp>,
}

/// What there is without a fetch.
enum Found<T> {
    Fresh(Arc<T>),
    Old(Arc<T>),
    Failed(FetchError),
    Nothing,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                value: None,
                failed: None,
                asked: None,
            }),
            turn: tokio::sync::Mutex::default(),
        }
    }
}

impl<T> Kept<T> {
    pub async fn get<F>(
        &self,
        now: Timestamp,
        fetch: impl FnOnce() -> F,
    ) -> Result<Arc<T>, FetchError>
    where
        F: Future<Output = Result<T, FetchError>>,
    {
        match self.find(now) {
            Found::Fresh(value) => return Ok(value),
            Found::Failed(error) => return Err(error),
            Found::Old(value) => {
                // The others go on with what there is.
                let Ok(_turn) = self.turn.try_lock() else {
                    return Ok(value);
                };
                return Ok(self.renew(now, fetch).await.unwrap_or(value));
            }
            Found::Nothing => {}
        }
        let _turn = self.turn.lock().await;
        match self.find(now) {
            Found::Fresh(value) | Found::Old(value) => Ok(value),
            Found::Failed(error) => Err(error),
            Found::Nothing => self.renew(now, fetch).await,
        }
    }

    /// Something newer than `had`, in which what is looked for was not found. `None` where there
    /// is none, or where it was asked for a moment ago.
    pub async fn newer<F>(
        &self,
        had: &Arc<T>,
        now: Timestamp,
        fetch: impl FnOnce() -> F,
    ) -> Option<Arc<T>>
    where
        F: Future<Output = Result<T, FetchError>>,
    {
        let _turn = self.turn.lock().await;
        {
            let mut state = self.state();
            if let Some((value, _)) = &state.value
                && !Arc::ptr_eq(value, had)
            {
                return Some(value.clone());
            }
            if state.asked.is_some_and(|asked| now.0 - asked.0 < ASKED) {
                return None;
            }
            state.asked = Some(now);
        }
        self.renew(now, fetch).await.ok()
    }

    fn find(&self, now: Timestamp) -> Found<T> {
        let state = self.state();
        let age = |since: &Timestamp| now.0 - since.0;
        let failed = state.failed.as_ref();
        match &state.value {
            Some((value, at)) if age(at) < FRESH => Found::Fresh(value.clone()),
            Some((value, at)) if age(at) < USABLE => {
                if failed.is_some_and(|(_, at)| age(at) < PAUSE) {
                    Found::Fresh(value.clone())
                } else {
                    Found::Old(value.clone())
                }
            }
            _ => match failed {
                Some((error, at)) if age(at) < PAUSE_EMPTY => Found::Failed(error.clone()),
                _ => Found::Nothing,
            },
        }
    }

    async fn renew<F>(
        &self,
        now: Timestamp,
        fetch: impl FnOnce() -> F,
    ) -> Result<Arc<T>, FetchError>
    where
        F: Future<Output = Result<T, FetchError>>,
    {
        let fetched = fetch().await;
        let mut state = self.state();
        match fetched {
            Ok(value) => {
                let value = Arc::new(value);
                state.value = Some((value.clone(), now));
                state.failed = None;
                Ok(value)
            }
            Err(error) => {
                state.failed = Some((error.clone(), now));
                Err(error)
            }
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_000_000_000;

    async fn get(
        kept: &Kept<u32>,
        at: i64,
        answer: Result<u32, FetchError>,
    ) -> Result<u32, FetchError> {
        let now = Timestamp(START + at);
        kept.get(now, || async { answer }).await.map(|value| *value)
    }

    #[tokio::test]
    async fn what_is_fresh_is_not_fetched_again_and_what_is_old_is_kept_in_an_outage() {
        let kept = Kept::default();
        let down = || Err(FetchError::Timeout);
        assert_eq!(get(&kept, 0, Ok(1)).await, Ok(1));
        assert_eq!(get(&kept, FRESH - 1, Ok(2)).await, Ok(1));
        assert_eq!(get(&kept, FRESH, Ok(2)).await, Ok(2));
        assert_eq!(get(&kept, 3 * FRESH, down()).await, Ok(2));
        assert_eq!(
            get(&kept, 3 * FRESH + PAUSE - 1, Ok(3)).await,
            Ok(2),
            "a pause"
        );
        assert_eq!(get(&kept, FRESH + USABLE - 1, down()).await, Ok(2));
        assert_eq!(get(&kept, FRESH + USABLE + PAUSE, down()).await, down());
        assert_eq!(get(&kept, FRESH + USABLE + 2 * PAUSE, Ok(4)).await, Ok(4));
    }

    #[tokio::test]
    async fn a_failure_is_told_for_a_moment_without_asking() {
        let kept = Kept::default();
        let down = || Err(FetchError::Status(500));
        assert_eq!(get(&kept, 0, down()).await, down());
        assert_eq!(get(&kept, PAUSE_EMPTY - 1, Ok(1)).await, down());
        assert_eq!(get(&kept, PAUSE_EMPTY, Ok(1)).await, Ok(1));
    }

    #[tokio::test]
    async fn nobody_makes_it_ask_for_a_missing_key_again_and_again() {
        let kept = Kept::default();
        let newer = |had: Arc<u32>, at: i64, answer: u32| {
            let kept = &kept;
            async move {
                let now = Timestamp(START + at);
                kept.newer(&had, now, || async move { Ok(answer) }).await
            }
        };
        get(&kept, 0, Ok(1)).await.unwrap();
        let first = kept
            .get(Timestamp(START), || async { Ok(9) })
            .await
            .unwrap();
        let second = newer(first.clone(), 1, 2).await.unwrap();
        assert_eq!(*second, 2);
        assert_eq!(newer(second.clone(), ASKED, 3).await, None);
        // Whoever still has the old one gets what is there.
        assert_eq!(newer(first, 2, 3).await.map(|v| *v), Some(2));
        assert_eq!(newer(second, 1 + ASKED, 3).await.map(|v| *v), Some(3));
    }
}
