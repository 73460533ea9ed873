//! Requests, by route: never by path, which anybody makes up.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use http::{Method, StatusCode};
use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::{Counters, Histograms, Metrics, counters, histograms};

/// Everything that has no route of its own: files, and pages that do not exist.
const FALLBACK: &str = "fallback";
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "_OTHER"];
/// By the hundreds of the status; who went away before the answer has none.
const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "aborted"];

fn buckets() -> Histogram {
    Histogram::new([
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    ])
}

/// One route and method, its labels resolved.
#[derive(Debug)]
struct Handles {
    classes: [Counter; CLASSES.len()],
    duration: Histogram,
}

/// A route's handles by method, each made when it is first asked for.
type Route = [OnceLock<Arc<Handles>>; METHODS.len()];

#[derive(Debug)]
pub struct Http {
    requests: Counters<3>,
    duration: Histograms<2>,
    in_flight: Gauge,
    routes: HashMap<&'static str, Route>,
}

impl Http {
    pub(super) fn new(
        registry: &mut Registry,
        routes: impl IntoIterator<Item = &'static str>,
    ) -> Self {
        let in_flight = Gauge::default();
        registry.register(
            "patchbay_http_requests_in_flight",
            "Requests that wait for their answer's head",
            in_flight.clone(),
        );
        let routes = routes.into_iter().chain([FALLBACK]);
        Self {
            requests: counters(
                registry,
                "patchbay_http_requests",
                "Requests, by the hundreds of their status",
                &[],
            ),
            duration: histograms(
                registry,
                "patchbay_http_request_duration_seconds",
                "From a request's head to its answer's head",
                buckets,
            ),
            in_flight,
            routes: routes.map(|route| (route, Route::default())).collect(),
        }
    }

    fn handles(&self, method: &Method, route: Option<&str>) -> Option<Arc<Handles>> {
        let found = route.and_then(|route| self.routes.get_key_value(route));
        let (route, methods) = found.or_else(|| self.routes.get_key_value(FALLBACK))?;
        let other = METHODS.len() - 1;
        let index = METHODS.iter().position(|known| *known == method.as_str());
        let index = index.unwrap_or(other);
        let (route, method) = (("route", *route), ("method", METHODS[index]));
        let handles = methods.get(index)?.get_or_init(|| {
            Arc::new(Handles {
                classes: CLASSES.map(|class| {
                    let labels = [method, route, ("status", class)];
                    self.requests.get_or_create_owned(&labels)
                }),
                duration: self.duration.get_or_create_owned(&[method, route]),
            })
        });
        Some(handles.clone())
    }
}

/// A request from its head to its answer's; dropped before, its client has gone.
#[derive(Debug)]
pub struct Ongoing {
    in_flight: Gauge,
    handles: Option<Arc<Handles>>,
    began: Instant,
    status: Option<StatusCode>,
}

impl Ongoing {
    pub fn begin(metrics: &Metrics, method: &Method, route: Option<&str>) -> Self {
        let http = &metrics.http;
        http.in_flight.inc();
        Self {
            in_flight: http.in_flight.clone(),
            handles: http.handles(method, route),
            began: Instant::now(),
            status: None,
        }
    }

    /// How long it has taken.
    pub fn answered(mut self, status: StatusCode) -> Duration {
        self.status = Some(status);
        self.began.elapsed()
    }
}

impl Drop for Ongoing {
    fn drop(&mut self) {
        self.in_flight.dec();
        let Some(handles) = &self.handles else {
            return;
        };
        let class = self.status.map_or(CLASSES.len() - 1, |status| {
            usize::from(status.as_u16() / 100).clamp(1, 5) - 1
        });
        if let Some(counter) = handles.classes.get(class) {
            counter.inc();
        }
        if self.status.is_some() {
            handles.duration.observe(self.began.elapsed().as_secs_f64());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::timestamp::Timestamp;

    #[test]
    fn a_request_counts_under_its_route_and_never_under_its_path() {
        let metrics = Metrics::new(["/connectors/{slug}"], Timestamp(0));
        let get = |route, status| {
            let ongoing = Ongoing::begin(&metrics, &Method::GET, route);
            ongoing.answered(status);
        };
        get(Some("/connectors/{slug}"), StatusCode::OK);
        get(Some("/made/up"), StatusCode::NOT_FOUND);
        get(None, StatusCode::SERVICE_UNAVAILABLE);
        drop(Ongoing::begin(&metrics, &Method::TRACE, None));
        let open = Ongoing::begin(&metrics, &Method::GET, None);
        let text = metrics.text();
        for line in [
            r#"patchbay_http_requests_total{method="GET",route="/connectors/{slug}",status="2xx"} 1"#,
            r#"patchbay_http_requests_total{method="GET",route="fallback",status="4xx"} 1"#,
            r#"patchbay_http_requests_total{method="GET",route="fallback",status="5xx"} 1"#,
            r#"patchbay_http_requests_total{method="_OTHER",route="fallback",status="aborted"} 1"#,
            r#"patchbay_http_request_duration_seconds_count{method="GET",route="fallback"} 2"#,
            "patchbay_http_requests_in_flight 1",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("made/up"), "{text}");
        drop(open);
    }
}
