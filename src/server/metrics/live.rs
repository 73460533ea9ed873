//! Open pages, and what is told to them.

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

use super::{Counters, counters};

#[derive(Debug)]
pub struct Live {
    messages: Counter,
    resyncs: Counters<1>,
    /// 1 as long as changes of other instances are heard.
    listening: Gauge,
}

impl Live {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let (listening, messages) = (Gauge::default(), Counter::default());
        listening.set(1);
        registry.register(
            "patchbay_live_listening",
            "1 while changes of other instances arrive; always 1 on SQLite",
            listening.clone(),
        );
        registry.register(
            "patchbay_live_messages",
            "Changes told to the open pages of this instance",
            messages.clone(),
        );
        Self {
            messages,
            resyncs: counters(
                registry,
                "patchbay_live_resyncs",
                "New snapshots: a page lagged, or LISTEN was interrupted",
                &[[("reason", "lagged")], [("reason", "listen")]],
            ),
            listening,
        }
    }

    pub fn told(&self) {
        self.messages.inc();
    }

    /// `reason`: `lagged` or `listen`.
    pub fn resynced(&self, reason: &'static str) {
        self.resyncs.get_or_create(&[("reason", reason)]).inc();
    }

    pub fn listening(&self, listens: bool) {
        self.listening.set(listens.into());
    }
}
