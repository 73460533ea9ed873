//! The database, as those see it who wait for a connection.

use std::time::Duration;

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::{Counters, counters, histograms};

fn buckets() -> Histogram {
    Histogram::new([
        0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0,
    ])
}

#[derive(Debug)]
pub struct Database {
    reads: Histogram,
    writes: Histogram,
    timeouts: Counter,
    errors: Counters<1>,
    /// What was counted of late.
    waiting: Waiting,
    up: Gauge,
}

#[derive(Debug)]
struct Waiting {
    attempts: Gauge,
    deletions: Gauge,
    unsealed: Gauge,
}

impl Database {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let begin = histograms(
            registry,
            "patchbay_database_begin_duration_seconds",
            "From asking for a transaction to having it: the wait for a connection, and BEGIN",
            buckets,
        );
        let errors = counters(
            registry,
            "patchbay_database_begin_failures",
            "Transactions that could not begin; timeout: no connection was free in time",
            &[[("reason", "timeout")], [("reason", "error")]],
        );
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        Self {
            reads: begin.get_or_create_owned(&[("access", "read")]),
            writes: begin.get_or_create_owned(&[("access", "write")]),
            timeouts: errors.get_or_create_owned(&[("reason", "timeout")]),
            errors,
            waiting: Waiting {
                attempts: gauge(
                    "patchbay_open_attempts",
                    "Attempts that wait for an outcome",
                ),
                deletions: gauge(
                    "patchbay_owed_deletions",
                    "Connections that Nango has yet to forget",
                ),
                unsealed: gauge(
                    "patchbay_audit_unsealed_entries",
                    "Entries of the audit log that wait for their seal",
                ),
            },
            up: gauge(
                "patchbay_database_up",
                "1 if the database answered when these were last counted",
            ),
        }
    }

    pub fn begun(&self, writes: bool, took: Duration) {
        let histogram = if writes { &self.writes } else { &self.reads };
        histogram.observe(took.as_secs_f64());
    }

    pub fn timed_out(&self) {
        self.timeouts.inc();
    }

    pub fn failed(&self) {
        self.errors.get_or_create(&[("reason", "error")]).inc();
    }

    pub fn counted(&self, open_attempts: i64, owed_deletions: i64, unsealed_entries: i64) {
        self.waiting.attempts.set(open_attempts);
        self.waiting.deletions.set(owed_deletions);
        self.waiting.unsealed.set(unsealed_entries);
        self.up.set(1);
    }

    /// It does not answer: the counts stay as they were.
    pub fn down(&self) {
        self.up.set(0);
    }
}
