//! What the server counts, in Prometheus' terms. `docs/OBSERVING.md` lists the families; a test
//! compares.
//!
//! May import nothing of ours but `domain`. No global state: a value that start-up makes and hands
//! on, so that many servers of one process count apart. What is counted with each request has its
//! labels resolved beforehand; what happens a few times a second looks them up.

pub mod background;
pub mod computed;
pub mod database;
pub mod http;
pub mod live;
pub mod nango;
pub mod outcomes;
mod process;

use std::{
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
};

use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, histogram::Histogram, info::Info},
    registry::Registry,
};

pub use computed::Sample;

use crate::domain::timestamp::Timestamp;

/// What a scrape is answered in.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A label and its value: both are ours, none is anybody's input.
pub type Label = (&'static str, &'static str);
type Counters<const N: usize> = Family<[Label; N], Counter>;
type Histograms<const N: usize> = Family<[Label; N], Histogram, fn() -> Histogram>;

/// Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<All>);

#[derive(Debug)]
pub struct All {
    registry: Mutex<Registry>,
    pub http: http::Http,
    pub outcomes: outcomes::Outcomes,
    pub nango: nango::Nango,
    pub database: database::Database,
    pub live: live::Live,
    pub background: background::Background,
}

impl Deref for Metrics {
    type Target = All;

    fn deref(&self) -> &All {
        &self.0
    }
}

impl Metrics {
    /// `routes`: every path as it is registered; `started`: now.
    pub fn new(routes: impl IntoIterator<Item = &'static str>, started: Timestamp) -> Self {
        let mut registry = Registry::default();
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("patchbay_build", "The running version", build);
        registry.register_collector(Box::new(process::Process { started }));
        let all = All {
            http: http::Http::new(&mut registry, routes),
            outcomes: outcomes::Outcomes::new(&mut registry),
            nango: nango::Nango::new(&mut registry),
            database: database::Database::new(&mut registry),
            live: live::Live::new(&mut registry),
            background: background::Background::new(&mut registry),
            registry: Mutex::new(registry),
        };
        Self(Arc::new(all))
    }

    /// Everything, as OpenMetrics text. It asks nobody but this process.
    pub fn text(&self) -> String {
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::with_capacity(32 * 1024);
        // Writing into a String does not fail.
        let _ = encode(&mut text, &registry);
        text
    }

    /// A gauge that is read when somebody scrapes. `read` must be quick and wait for nobody.
    pub fn compute(
        &self,
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> Vec<Sample> + Send + Sync + 'static,
    ) {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        registry.register_collector(Box::new(computed::Computed::new(name, help, read)));
    }
}

/// `known`: those that are there, at zero, before anything is counted: a rate can only be told of what
/// was there before.
fn counters<const N: usize>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    known: &[[Label; N]],
) -> Counters<N> {
    let family = Counters::default();
    for labels in known {
        drop(family.get_or_create(labels));
    }
    registry.register(name, help, family.clone());
    family
}

fn histograms<const N: usize>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    buckets: fn() -> Histogram,
) -> Histograms<N> {
    let family = Histograms::new_with_constructor(buckets);
    registry.register(name, help, family.clone());
    family
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_500);

    #[test]
    fn the_process_started_when_counting_began() {
        let text = Metrics::new([], NOW).text();
        assert!(
            text.contains("\nprocess_start_time_seconds 1.5\n"),
            "{text}"
        );
    }

    #[test]
    fn servers_of_one_process_count_apart() {
        let (one, other) = (Metrics::new([], NOW), Metrics::new([], NOW));
        one.live.resynced("lagged");
        let line = r#"patchbay_live_resyncs_total{reason="lagged"} 1"#;
        assert!(one.text().contains(line), "{}", one.text());
        assert!(!other.text().contains(line));
        assert!(one.text().ends_with("# EOF\n"));
    }

    #[test]
    fn what_is_computed_is_read_when_somebody_asks() {
        let metrics = Metrics::new([], NOW);
        let calls = std::sync::atomic::AtomicU32::new(0);
        metrics.compute("patchbay_test_calls", "Calls.", move || {
            let so_far = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            vec![(&[("kind", "any")], f64::from(so_far))]
        });
        assert!(
            metrics
                .text()
                .contains(r#"patchbay_test_calls{kind="any"} 0.0"#)
        );
        assert!(
            metrics
                .text()
                .contains(r#"patchbay_test_calls{kind="any"} 1.0"#)
        );
    }
}
