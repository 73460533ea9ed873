//! What Nango has: the list of integrations, asked for in the background once a minute, so that a
//! page says at once what cannot be connected, and never waits for Nango.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, watch::Receiver},
    time::sleep,
};

use super::{core::Core, error};
use crate::{
    domain::{connector::Unavailable, problem::Problem},
    server::{
        manifest::Manifest,
        nango::{NangoError, NangoService},
    },
};

/// Between two calls while all is well.
const EVERY: Duration = Duration::from_secs(60);
/// Between two calls while Nango fails: people want to hear that it is back.
const RETRY: Duration = Duration::from_secs(5);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Known {
    /// Not asked yet: everything counts as there, a click will tell.
    #[default]
    Nothing,
    Keys(BTreeSet<String>),
    Failing(Problem),
}

/// The last answer.
#[derive(Clone, Debug, Default)]
pub struct Integrations {
    known: Arc<RwLock<Known>>,
    /// Counts what was news.
    edition: Arc<AtomicU64>,
    /// Somebody's call failed: the minute's pause is too long now.
    failed: Arc<Notify>,
}

impl Integrations {
    /// Why nothing can be connected at the moment.
    pub fn failing(&self) -> Option<Problem> {
        match &*self.known.read().unwrap_or_else(PoisonError::into_inner) {
            Known::Failing(problem) => Some(problem.clone()),
            _ => None,
        }
    }

    /// Why this connector can't be connected.
    pub fn unavailable(&self, manifest: &Manifest) -> Option<Unavailable> {
        let problem = if !manifest.nango.enabled {
            error::connector_disabled()
        } else {
            match &*self.known.read().unwrap_or_else(PoisonError::into_inner) {
                Known::Keys(keys) if !keys.contains(&manifest.nango.provider_key) => {
                    error::integration_missing()
                }
                _ => return None,
            }
        };
        Some(Unavailable {
            reason: problem.sentence(),
            code: problem.code,
        })
    }

    /// What a call for somebody taught on the way: the page should say it before the next minute.
    pub fn learn(&self, error: &NangoError) {
        if matches!(
            error,
            NangoError::Unreachable { .. }
                | NangoError::Unauthorized { .. }
                | NangoError::Paused { .. }
        ) {
            self.set(Known::Failing(error::nango(error)));
            self.failed.notify_one();
        }
    }

    fn set(&self, news: Known) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if *known != news {
            *known = news;
            self.edition.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Another number for another answer. Read it before the answer: then it is never too new.
    pub fn edition(&self) -> u64 {
        self.edition.load(Ordering::SeqCst)
    }
}

/// Asks once.
pub async fn refresh(core: &Core) {
    let Ok(nango) = core.nango() else { return };
    let known = match nango.background().list_integrations().await {
        Ok(list) => Known::Keys(list.into_iter().map(|i| i.unique_key).collect()),
        Err(error) => {
            tracing::warn!(%error, "the integrations cannot be listed");
            match error {
                // A busy or stumbling Nango says nothing about what it has.
                NangoError::RateLimited { .. }
                | NangoError::Busy { .. }
                | NangoError::Failed { .. } => return,
                _ => Known::Failing(error::nango(&error)),
            }
        }
    };
    core.integrations.set(known);
}

/// Asks for ever.
pub async fn keep_fresh(core: Arc<Core>) {
    let mut pauses = core.nango().ok().map(NangoService::pauses);
    loop {
        refresh(&core).await;
        let pause = if core.integrations.failing().is_some() {
            RETRY
        } else {
            EVERY
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = core.integrations.failed.notified() => sleep(RETRY).await,
            // Whoever's call it was that Nango answered again, or did not.
            true = changed(&mut pauses) => {}
        }
    }
}

/// Waits for the next change; for ever where there is nothing that changes.
async fn changed(pauses: &mut Option<Receiver<bool>>) -> bool {
    match pauses {
        Some(pauses) => pauses.changed().await.is_ok(),
        None => std::future::pending().await,
    }
}
