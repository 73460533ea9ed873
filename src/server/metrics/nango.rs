//! Calls to Nango.

use std::time::Duration;

use prometheus_client::{metrics::histogram::Histogram, registry::Registry};

use super::{Counters, Histograms, counters, histograms};

fn buckets() -> Histogram {
    Histogram::new([0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0])
}

#[derive(Debug)]
pub struct Nango {
    calls: Counters<2>,
    duration: Histograms<1>,
}

impl Nango {
    pub(super) fn new(registry: &mut Registry) -> Self {
        Self {
            calls: counters(
                registry,
                "patchbay_nango_calls",
                "Calls to Nango with their repetitions, and how they ended",
                &[],
            ),
            duration: histograms(
                registry,
                "patchbay_nango_call_duration_seconds",
                "How long a call to Nango took, waiting and repetitions included",
                buckets,
            ),
        }
    }

    pub fn called(&self, operation: &'static str, outcome: &'static str, took: Duration) {
        let operation = ("operation", operation);
        let labels = [operation, ("outcome", outcome)];
        self.calls.get_or_create(&labels).inc();
        let duration = self.duration.get_or_create(&[operation]);
        duration.observe(took.as_secs_f64());
    }
}
