//! How attempts ended and by which way that came, and what became of webhooks.

use prometheus_client::registry::Registry;

use super::{Counters, counters};

/// By which way an attempt's outcome came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Webhook,
    Socket,
    /// The shared list, or the query of a reconnect.
    Poll,
    /// The popup's message, or the person's "I've finished".
    Hint,
    /// Nango's own answer to typed credentials.
    Answer,
    /// Nobody finished it in time.
    Expiry,
    /// The person called it off, or began anew.
    Person,
    /// What every other way had lost.
    Reconciler,
}

impl Way {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Socket => "socket",
            Self::Poll => "poll",
            Self::Hint => "hint",
            Self::Answer => "answer",
            Self::Expiry => "expiry",
            Self::Person => "person",
            Self::Reconciler => "reconciler",
        }
    }
}

#[derive(Debug)]
pub struct Outcomes {
    attempts: Counters<2>,
    webhooks: Counters<2>,
    conditions: Counters<1>,
}

impl Outcomes {
    pub(super) fn new(registry: &mut Registry) -> Self {
        Self {
            attempts: counters(
                registry,
                "patchbay_attempts_ended",
                "Attempts that ended on this instance, and by which way that came",
                &[
                    [("outcome", "connected"), ("way", "webhook")],
                    [("outcome", "connected"), ("way", "socket")],
                    [("outcome", "connected"), ("way", "poll")],
                    [("outcome", "connected"), ("way", "hint")],
                    [("outcome", "connected"), ("way", "answer")],
                    [("outcome", "connected"), ("way", "reconciler")],
                    [("outcome", "failed"), ("way", "socket")],
                    [("outcome", "denied"), ("way", "socket")],
                    [("outcome", "denied"), ("way", "hint")],
                    [("outcome", "expired"), ("way", "expiry")],
                    [("outcome", "cancelled"), ("way", "person")],
                    [("outcome", "superseded"), ("way", "person")],
                ],
            ),
            webhooks: counters(
                registry,
                "patchbay_webhooks",
                "Webhooks of Nango, and what became of them",
                &[
                    [("type", "auth"), ("outcome", "accepted")],
                    [("type", "auth"), ("outcome", "failed")],
                    [("type", "sync"), ("outcome", "accepted")],
                    [("type", "sync"), ("outcome", "failed")],
                    [("type", "unknown"), ("outcome", "bad_signature")],
                ],
            ),
            conditions: counters(
                registry,
                "patchbay_connection_changes",
                "Connections that broke, recovered, vanished or the like, as this instance found",
                &[
                    [("change", "broken")],
                    [("change", "recovered")],
                    [("change", "vanished")],
                ],
            ),
        }
    }

    pub fn attempt_ended(&self, outcome: &'static str, way: Way) {
        let labels = [("outcome", outcome), ("way", way.word())];
        self.attempts.get_or_create(&labels).inc();
    }

    pub fn condition_changed(&self, change: &'static str) {
        self.conditions.get_or_create(&[("change", change)]).inc();
    }

    pub fn webhook(&self, kind: &'static str, outcome: &'static str) {
        let labels = [("type", kind), ("outcome", outcome)];
        self.webhooks.get_or_create(&labels).inc();
    }
}
