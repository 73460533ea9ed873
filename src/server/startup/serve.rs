//! Serving: takes connections and bounds what a slow or greedy one may cost.
//!
//! A loop of our own around hyper, because `axum::serve` offers none of these bounds, and all that it
//! needs is in the tree already. HTTP/1.1 only, as before: HTTP/2 is the proxy's part.

use std::{
    convert::Infallible,
    future::Future,
    io::ErrorKind,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, extract::ConnectInfo, response::Response};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};
use tower::ServiceExt;

use crate::server::{
    clock::Clock,
    config::{self, Config, NoDemo},
    state::{Rate, Web},
};

/// How long a request may take beside one call to Nango.
const PATIENCE: Duration = Duration::from_secs(30);

/// What one connection may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Until its first request is there, from the first to the last byte of its head.
    pub first_head: Duration,
    /// Until the next one is there. Longer than the 60 seconds for which common load balancers keep
    /// an idle connection: if the server hung up first, a request would now and then be lost.
    pub next_head: Duration,
    /// The bytes of a head: the address and all headers. What is longer gets 431, from hyper.
    pub head: usize,
    /// Connections at the same time; whoever comes on top of that waits until one ends.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            first_head: Duration::from_secs(10),
            next_head: Duration::from_secs(75),
            head: 32 * 1024,
            connections: Semaphore::MAX_PERMITS,
        }
    }
}

impl Limits {
    /// As many connections as the settings say, else as the process may have files open, less a
    /// quarter, for the database, Nango and what else there is.
    pub fn of(config: &Config) -> Self {
        let set = Some(config.limits.connections).filter(|set| *set > 0);
        let connections = set.unwrap_or_else(|| open_files().map_or(768, |files| files / 4 * 3));
        Self {
            connections: connections.min(Semaphore::MAX_PERMITS),
            ..Self::default()
        }
    }

    /// Event streams: as many as the settings say, and never so many that nobody else finds a place.
    pub fn streams(&self, config: &Config) -> usize {
        config
            .limits
            .event_streams
            .min((self.connections / 4 * 3).max(1))
    }
}

/// How many files this process may have open, where the system says so.
fn open_files() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    let soft = line.split_whitespace().next()?;
    Some(soft.parse().unwrap_or(usize::MAX))
}

/// What answers. It may change while connections are open: a server answers before it has started.
#[derive(Clone, Debug)]
pub struct Routes(watch::Receiver<Router>);

impl From<Router> for Routes {
    fn from(router: Router) -> Self {
        Self(watch::channel(router).1)
    }
}

impl From<watch::Receiver<Router>> for Routes {
    fn from(router: watch::Receiver<Router>) -> Self {
        Self(router)
    }
}

/// What whoever runs the server should know of the ways in.
pub fn say_what_is_open(config: &Config) {
    match config.no_demo() {
        None if config.is_nango_real() => tracing::warn!(
            "whoever reaches this address may sign in as a demo user and connect real accounts: good on a computer of your own; before a proxy stands in front of it, set PUBLIC_URL or AUTH_DEMO=false"
        ),
        None => tracing::info!(
            "whoever reaches this address may sign in as a demo user; before a proxy stands in front of it, set PUBLIC_URL or AUTH_DEMO=false"
        ),
        Some(NoDemo::Proxy) => tracing::info!(
            "there is no demo user, since TRUSTED_PROXIES says that a proxy stands in front"
        ),
        Some(NoDemo::PublicAddress | NoDemo::Disabled) => {}
    }
    if proxy_is_unnamed(config) {
        tracing::warn!(
            "PUBLIC_URL is https, so a proxy stands in front, and TRUSTED_PROXIES does not name it: everybody counts as one address, in the limits, for wrong passwords and in the audit log"
        );
    }
}

/// What the web side needs to know of the settings.
pub fn web(config: &Config) -> Web {
    let rate = |of: config::Rate| Rate {
        per_second: of.per_second,
        burst: of.burst,
    };
    let public = &config.server.public_url;
    Web {
        https: public.scheme() == "https",
        origin: public.origin().ascii_serialization().into(),
        trusted_proxies: config.server.trusted_proxies.clone().into(),
        requests: rate(config.limits.requests),
        changes: rate(config.limits.changes),
        patience: PATIENCE + config.nango.timeout,
        new_id: || Clock::system().new_id(),
    }
}

/// Whether there is a proxy that nobody has named, so that everybody seems to come from its address:
/// with https a proxy stands in front, as Patchbay speaks HTTP.
pub fn proxy_is_unnamed(config: &Config) -> bool {
    let server = &config.server;
    server.public_url.scheme() == "https"
        && server.trusted_proxies.is_empty()
        && !config.is_loopback()
}

/// Serves until `end`, then waits for the requests that are under way.
pub async fn serve(
    listener: TcpListener,
    routes: impl Into<Routes>,
    limits: Limits,
    end: impl Future<Output = ()>,
) {
    let routes = routes.into();
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut end = std::pin::pin!(end);
    loop {
        let (stream, peer, place) = tokio::select! {
            accepted = accept_one(&listener, &places) => accepted,
            () = &mut end => break,
        };
        // Without it a small answer waits 40 ms for the next one.
        let _ = stream.set_nodelay(true);
        let (routes, watcher) = (routes.clone(), graceful.watcher());
        tokio::spawn(async move {
            connection(stream, peer, routes, limits, watcher).await;
            drop(place);
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

/// The next connection, as soon as there is a place for it.
async fn accept_one(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>) {
    if places.available_permits() == 0 {
        tracing::warn!("no place for another connection: see LIMITS_CONNECTIONS");
    }
    // It is never closed.
    let place = places.clone().acquire_owned().await.ok();
    let (stream, peer) = accept(listener).await;
    (stream, peer, place)
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // That client's own trouble.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ConnectionAborted
                        | ErrorKind::ConnectionRefused
                        | ErrorKind::ConnectionReset
                ) => {}
            // Usually too many open files: it passes, and to ask at once would only burn the CPU.
            Err(error) => {
                tracing::error!(%error, "no connection can be taken");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    routes: Routes,
    limits: Limits,
    watcher: Watcher,
) {
    let asked = Arc::new(AtomicBool::new(false));
    let has_asked = asked.clone();
    let service = service_fn(move |request| {
        has_asked.store(true, Ordering::Relaxed);
        answer(routes.0.borrow().clone(), peer, request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.next_head)
        .max_buf_size(limits.head)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = std::pin::pin!(watcher.watch(connection));
    let first = tokio::time::timeout(limits.first_head, &mut served).await;
    let ended = match first {
        Ok(ended) => ended,
        Err(_) if !asked.load(Ordering::Relaxed) => {
            tracing::debug!("hung up: no request came");
            return;
        }
        Err(_) => served.await,
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection has broken off");
    }
}

async fn answer(
    router: Router,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    router.oneshot(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_that_nobody_has_named_is_noticed() {
        for (public_url, proxies, expected) in [
            ("https://patchbay.example", "", true),
            ("https://patchbay.example", "10.0.0.1", false),
            ("http://patchbay.example", "", false),
            ("https://localhost", "", false),
            ("", "", false),
        ] {
            let env = |name: &str| match name {
                "PUBLIC_URL" => Some(public_url.to_owned()),
                "TRUSTED_PROXIES" => Some(proxies.to_owned()),
                _ => None,
            };
            let config = Config::read("", &env).unwrap();
            let found = proxy_is_unnamed(&config);
            assert_eq!(found, expected, "{public_url} {proxies}");
        }
    }
}
