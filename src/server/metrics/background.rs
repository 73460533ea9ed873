//! The work that no request asks for.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use prometheus_client::registry::Registry;

use super::{Counters, counters};

#[derive(Debug)]
pub struct Background {
    panics: Counters<1>,
    runs: Counters<1>,
    /// Since when this instance owes a comparison with Nango's list; `None` where it is another's.
    due_since: Mutex<Option<Instant>>,
}

impl Background {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let runs = counters(
            registry,
            "patchbay_reconciler_runs",
            "Comparisons with Nango's whole list on this instance",
            &[[("outcome", "done")], [("outcome", "failed")]],
        );
        Self {
            panics: counters(
                registry,
                "patchbay_background_restarts",
                "Background tasks that broke off and were started again",
                &[],
            ),
            runs,
            due_since: Mutex::new(None),
        }
    }

    /// There is such a task.
    pub fn has(&self, task: &'static str) {
        drop(self.panics.get_or_create(&[("task", task)]));
    }

    pub fn restarted(&self, task: &'static str) {
        self.panics.get_or_create(&[("task", task)]).inc();
    }

    /// The comparison is this instance's to do.
    pub fn reconciler_on_duty(&self) {
        self.due().get_or_insert_with(Instant::now);
    }

    /// Another instance's, or nobody's.
    pub fn reconciler_off_duty(&self) {
        *self.due() = None;
    }

    pub fn reconciled(&self, done: bool) {
        let outcome = if done { "done" } else { "failed" };
        self.runs.get_or_create(&[("outcome", outcome)]).inc();
        if done {
            *self.due() = Some(Instant::now());
        }
    }

    /// How long ago the last comparison ended, or this instance's duty began; zero without a duty.
    pub fn reconciler_lag(&self) -> Duration {
        self.due().map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn due(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.due_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
