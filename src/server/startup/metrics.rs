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
use tokio::{sync::watch, task::JoinSet};

use super::{StartError, bind, serve};
use crate::server::{
    clock::Clock,
    config::Config,
    http::access,
    metrics::{CONTENT_TYPE, Metrics, Sample},
    nango::NangoService,
    services::{Services, core::Core},
};

/// One for each server, with all routes that it has.
pub fn new(clock: &Clock) -> Metrics {
    Metrics::new(access::RULES.iter().map(|rule| rule.path), clock.now())
}

/// A gauge: its name, what it tells, and how it is read.
type Gauge = (&'static str, &'static str, fn(&Core) -> Vec<Sample>);

/// Tells of what counts by itself: asked at each scrape, without waiting for anybody.
pub fn tell(core: &Arc<Core>) {
    let gauges: [Gauge; 8] = [
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
        (
            "patchbay_nango_calls_max",
            "Calls that a minute allows.",
            |core| {
                let most = core.nango().ok().and_then(NangoService::calls_max);
                most.map_or_else(Vec::new, one)
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

/// What is there before the database is.
pub struct Counting {
    pub metrics: Metrics,
    pub endpoint: Option<Endpoint>,
    pub background: JoinSet<()>,
}

impl Counting {
    pub async fn begin(config: &Config, clock: &Clock) -> Result<Self, StartError> {
        let (metrics, mut background) = (new(clock), JoinSet::new());
        let address = config.metrics.addr;
        let endpoint = Endpoint::open(address, &metrics, &mut background).await?;
        Ok(Self {
            metrics,
            endpoint,
            background,
        })
    }
}

/// Where Prometheus asks. It answers from the first moment on: a server that waits for its database is
/// what somebody has to be told of.
pub struct Endpoint {
    pub address: SocketAddr,
    routes: watch::Sender<Router>,
}

impl Endpoint {
    /// Answers at this address, where there is one, until the background ends.
    pub async fn open(
        address: Option<SocketAddr>,
        metrics: &Metrics,
        background: &mut JoinSet<()>,
    ) -> Result<Option<Self>, StartError> {
        let Some(address) = address else {
            return Ok(None);
        };
        let (listener, address) = bind(address, "METRICS_ADDR").await?;
        tracing::info!("metrics for Prometheus are at http://{address}/metrics");
        let routes = watch::Sender::new(routes(None, metrics.clone()));
        let router = routes.subscribe();
        background.spawn(async move {
            let never = std::future::pending();
            serve::serve(listener, router, serve::Limits::default(), never).await;
        });
        Ok(Some(Self { address, routes }))
    }

    /// From now on there is a database in which something can be counted.
    pub fn count(&self, services: Services, metrics: Metrics) {
        let _until_now = self.routes.send_replace(routes(Some(services), metrics));
    }
}

fn routes(services: Option<Services>, metrics: Metrics) -> Router {
    Router::new()
        .route("/metrics", get(scrape))
        .with_state((services, metrics))
}

async fn scrape(State((services, metrics)): State<(Option<Services>, Metrics)>) -> Response {
    if let Some(services) = services {
        services.counts.refresh().await;
    }
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], metrics.text()).into_response()
}
