//! What Prometheus asks, at an address of its own: never on the public one. May import what `startup`
//! does.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::{net::TcpListener, task::JoinSet};

use super::{StartError, serve};
use crate::server::{
    http::access,
    metrics::{CONTENT_TYPE, Metrics, Sample},
    nango::NangoService,
    services::{Services, core::Core},
};

/// One for each server, with all routes that it has.
pub fn new() -> Metrics {
    Metrics::new(access::RULES.iter().map(|rule| rule.path))
}

/// A gauge: its name, what it tells, and how it is read.
type Gauge = (&'static str, &'static str, fn(&Core) -> Vec<Sample>);

/// Tells of what counts by itself: asked at each scrape, without waiting for anybody.
pub fn tell(core: &Arc<Core>) {
    let gauges: [Gauge; 7] = [
        (
            "patchbay_database_connections",
            "Connections to the database, by what they do.",
            |core| {
                let found = core.db.connections();
                let in_use = found.open.saturating_sub(found.idle);
                vec![
                    (&[("state", "in_use")], f64::from(in_use)),
                    (&[("state", "idle")], f64::from(found.idle)),
                ]
            },
        ),
        (
            "patchbay_database_connections_max",
            "How many connections to the database there may be.",
            |core| one(core.db.connections().max),
        ),
        ("patchbay_event_streams", "Open event streams.", |core| {
            one(u32::try_from(core.hub.streams()).unwrap_or(u32::MAX))
        }),
        (
            "patchbay_lease_held",
            "1 if this instance does the background's work.",
            |core| one(core.lease.held()),
        ),
        (
            "patchbay_reconciler_lag_seconds",
            "Since the last comparison with Nango's whole list; 0 without the lease.",
            |core| one(core.metrics.background.reconciler_lag().as_secs_f64()),
        ),
        (
            "patchbay_nango_paused",
            "1 while calls are paused because Nango does not answer.",
            |core| {
                core.nango()
                    .map_or_else(|_| Vec::new(), |n| one(*n.pauses().borrow()))
            },
        ),
        (
            "patchbay_nango_calls_left",
            "Calls that may go right now, of those that a minute allows.",
            |core| {
                let left = core.nango().ok().and_then(NangoService::calls_left);
                left.map_or_else(Vec::new, one)
            },
        ),
    ];
    for (name, help, read) in gauges {
        // The services hold the metrics: these must not hold the services in turn.
        let core_again = Arc::downgrade(core);
        core.metrics.compute(name, help, move || {
            core_again
                .upgrade()
                .map_or_else(Vec::new, |core| read(&core))
        });
    }
}

fn one(value: impl Into<f64>) -> Vec<Sample> {
    vec![(&[], value.into())]
}

/// Answers at this address until the background ends.
pub async fn listen(
    address: SocketAddr,
    services: Services,
    metrics: Metrics,
    background: &mut JoinSet<()>,
) -> Result<SocketAddr, StartError> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| StartError::Listen { address, source })?;
    let bound = listener.local_addr().unwrap_or(address);
    tracing::info!("metrics for Prometheus are at http://{bound}/metrics");
    let router = Router::new()
        .route("/metrics", get(scrape))
        .with_state((services, metrics));
    background.spawn(async move {
        let never = std::future::pending();
        serve::serve(listener, router, serve::Limits::default(), never).await;
    });
    Ok(bound)
}

async fn scrape(State((services, metrics)): State<(Services, Metrics)>) -> Response {
    services.counts.refresh().await;
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], metrics.text()).into_response()
}
