//! Puts the server together: the one `build` that the program and the tests share.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use futures::FutureExt;
use leptos::prelude::LeptosOptions;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    task::JoinSet,
    time::timeout,
};
use tower_sessions::{Expiry, SessionManagerLayer, cookie::SameSite};

use super::{
    clock::Clock,
    config::Config,
    db::{Db, DbError, session},
    http,
    identity::Identity,
    live::Hub,
    manifest::{ManifestErrors, Registry},
    metrics::Metrics,
    nango::NangoError,
    sandbox,
    services::{
        Services,
        core::{Core, LocalSettings, Nango},
        counts, events, fields, health, integrations, lease, passwords,
        personal::PersonalError,
        reconcile, seal, sweep,
        watch::{self as watched, Watch},
    },
    state::{AppState, Parts},
};

use crate::domain::problem::Problem;

pub mod audit;
mod background;
pub mod backup;
pub mod check;
mod commands;
mod database;
mod identity;
mod listen;
pub mod metrics;
mod nango;
pub mod people;
pub mod personal;
pub mod serve;

pub use commands::{doctor, migrate, sandbox};

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Manifests(#[from] ManifestErrors),
    #[error("the database (DATABASE_URL): {0}")]
    Db(#[from] DbError),
    #[error(transparent)]
    Sandbox(#[from] sandbox::SandboxError),
    #[error("the client for sign-ins: {0}")]
    SignIn(#[from] reqwest::Error),
    #[error("Nango's client: {0}")]
    Nango(#[from] NangoError),
    #[error("can't listen on {address} ({setting}): {source}")]
    Listen {
        address: SocketAddr,
        setting: &'static str,
        source: std::io::Error,
    },
    #[error("{}", .0.sentence())]
    Refused(Box<Problem>),
    #[error("there is no database at DATABASE_URL yet: the server makes it when it first runs")]
    NoDatabase,
    #[error("writing: {0}")]
    Output(std::io::Error),
    #[error(transparent)]
    Personal(#[from] PersonalError),
    #[error(transparent)]
    Backup(#[from] backup::BackupError),
}

impl StartError {
    /// The settings or the manifests are wrong: starting again will not help.
    pub const fn is_configuration(&self) -> bool {
        match self {
            Self::Manifests(_) | Self::Db(DbError::Url { .. }) => true,
            Self::Sandbox(error) => matches!(error, sandbox::SandboxError::SecretKey),
            Self::Backup(error) => error.is_configuration(),
            _ => false,
        }
    }
}

/// So long the end waits for requests under way.
const GRACE: Duration = Duration::from_secs(5);

/// So long the end waits for the database.
const AT_THE_END: Duration = Duration::from_secs(2);

/// A server that is ready to listen. Its background work ends when it is dropped.
pub struct App {
    pub router: Router,
    pub services: Services,
    pub db: Db,
    pub background: JoinSet<()>,
    /// Where Prometheus asks.
    pub metrics_addr: Option<SocketAddr>,
    core: Arc<Core>,
}

impl App {
    /// Ends the background's work and lets another instance go on with it at once. What began here
    /// and is not over is found in the database by whoever has the lease. A database that does not
    /// answer keeps nobody: all of this would be nice, and nothing of it is needed.
    pub async fn stop(mut self) {
        self.background.shutdown().await;
        let work = async {
            if let Err(error) = lease::release(&self.core).await {
                tracing::warn!(%error, "the lease runs out by itself");
            }
            if let Err(error) = seal::seal_waiting(&self.db).await {
                tracing::warn!(%error, "the audit log's last entries are sealed at the next start");
            }
            self.db.close().await;
        };
        if timeout(AT_THE_END, work).await.is_err() {
            tracing::warn!("the database was not waited for");
        }
    }
}

/// Builds everything but the listener: database (migrated), services, background work, router.
pub async fn build(config: &Config, clock: Clock) -> Result<App, StartError> {
    let registry = Arc::new(Registry::load(config.catalogue.manifests_dir.as_deref())?);
    let counting = metrics::Counting::begin(config, &clock).await?;
    let db = database::open(config, &registry, &clock).await?;
    build_on(config, clock, registry, db, counting).await
}

async fn build_on(
    config: &Config,
    clock: Clock,
    registry: Arc<Registry>,
    db: Db,
    counting: metrics::Counting,
) -> Result<App, StartError> {
    let metrics::Counting {
        metrics,
        endpoint,
        mut background,
    } = counting;
    let db = db.watched(&metrics);
    let nango = nango::connect(config, &registry, &clock, &mut background).await?;
    let nango = nango.watched(&metrics);
    let core = assemble(
        config,
        &db,
        metrics,
        nango,
        registry,
        &clock,
        identity::connect(config, &clock)?,
    );
    start(config, clock, db, core, endpoint, background).await
}

/// What the services share. Nothing runs yet.
fn assemble(
    config: &Config,
    db: &Db,
    metrics: Metrics,
    nango: Nango,
    registry: Arc<Registry>,
    clock: &Clock,
    identity: Identity,
) -> Arc<Core> {
    Arc::new(Core {
        db: db.clone(),
        nango,
        hub: Hub::new(serve::Limits::of(config).streams(config)).watched(&metrics),
        clock: clock.clone(),
        registry,
        integrations: integrations::Integrations::default(),
        fields: fields::Fields::default(),
        watch: Watch::default(),
        lease: lease::Lease::new(clock.random_id()),
        reconcile: reconcile::Memory::default(),
        reconcile_every: config.nango.reconcile,
        webhooks: nango::webhooks(config),
        attempt_lifetime: config.nango.attempt_lifetime,
        nango_base: config.nango.base_url.clone(),
        demo: config.no_demo().is_none(),
        session_idle: config.session.idle,
        session_lifetime: config.session.absolute,
        local: LocalSettings {
            on: config.auth.local,
            sign_up: config.auth.sign_up,
        },
        passwords: passwords::Passwords::default(),
        identity,
        again: Semaphore::new(events::AGAIN_AT_ONCE),
        metrics,
        health: health::State::default(),
        counts: counts::Memory::default(),
    })
}

/// The background work and the router.
async fn start(
    config: &Config,
    clock: Clock,
    db: Db,
    core: Arc<Core>,
    endpoint: Option<metrics::Endpoint>,
    mut background: JoinSet<()>,
) -> Result<App, StartError> {
    let services = Services::new(core.clone());
    database::take_lease(&core).await;
    // Each takes the core anew when it is started again.
    macro_rules! keep {
        ($($name:literal: $task:path,)*) => {$({
            let core = core.clone();
            let work = move || $task(core.clone());
            background.spawn(background::keep(services.health.clone(), $name, work));
        })*};
    }
    keep! {
        "lease": lease::keep,
        "reconcile": reconcile::keep,
        "integrations": integrations::keep_fresh,
        "deletions": sweep::keep_deleting,
        "seal": seal::keep,
        "watch": watched::run,
        "watch_late": watched::run_late,
        "streams": events::keep_checking,
    }
    metrics::tell(&core);
    let direct = database::direct(config)?;
    let between = listen::Between::find(&db, direct, core.lease.holder()).await;
    if let Some(between) = between {
        let (between, services) = (Arc::new(between), services.clone());
        let health = services.health.clone();
        let work = move || listen::keep(between.clone(), services.clone());
        background.spawn(background::keep(health, "listen", work));
    }
    let store = session::Store::new(db.clone(), clock);
    background.spawn(forget_sessions(store.clone(), services.clone()));
    let web = serve::web(config);
    let https = web.https;
    let state = AppState::from(Parts {
        services: services.clone(),
        leptos: leptos_options(),
        web,
        metrics: core.metrics.clone(),
    });
    if let Some(endpoint) = &endpoint {
        endpoint.count(services.clone(), core.metrics.clone());
    }
    let router = http::router(state, sessions(config, store, https));
    Ok(App {
        router,
        services,
        db,
        background,
        metrics_addr: endpoint.map(|endpoint| endpoint.address),
        core,
    })
}

/// Listens at the address of this setting; where the port is 0, the system has chosen one.
async fn bind(
    address: SocketAddr,
    setting: &'static str,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| StartError::Listen {
            address,
            setting,
            source,
        })?;
    let bound = listener.local_addr().unwrap_or(address);
    Ok((listener, bound))
}

/// `patchbay serve`. Its address answers from the first moment, if only that the server starts: a
/// database that is not there yet is waited for.
pub async fn serve(config: Config) -> Result<(), StartError> {
    let clock = Clock::system();
    let registry = Arc::new(Registry::load(config.catalogue.manifests_dir.as_deref())?);
    let address = config.server.listen_addr;
    let (listener, address) = bind(address, "LISTEN_ADDR").await?;
    let end = shutdown().boxed().shared();
    let counting = metrics::Counting::begin(&config, &clock).await?;
    let waiting = http::waiting::router(counting.metrics.clone(), serve::web(&config).new_id);
    let router = watch::Sender::new(waiting);
    let server = tokio::spawn(serve::serve(
        listener,
        router.subscribe(),
        serve::Limits::of(&config),
        end.clone(),
    ));
    let app = async {
        let db = database::wait_for(&config, &registry, &clock).await?;
        build_on(&config, clock.clone(), registry.clone(), db, counting).await
    };
    let app = tokio::select! {
        app = app => app?,
        () = end.clone() => return Ok(()),
    };
    let _starting = router.send_replace(app.router.clone());
    serve::say_what_is_open(&config);
    // The last that a start says.
    tracing::info!(
        database = app.db.kind(),
        "Patchbay answers on http://{address}"
    );
    end.await;
    // Not ready any more; and event streams, which would stay open for ever, end at once.
    app.services.health.stop();
    app.services.events.stop();
    // Requests under way are waited for, and no longer than this.
    if timeout(GRACE, server).await.is_err() {
        tracing::warn!("requests under way were not waited for");
    }
    app.stop().await;
    Ok(())
}

/// The session's cookie: HttpOnly, SameSite=Lax; under https Secure and bound to this very host.
fn sessions(
    config: &Config,
    store: session::Store,
    https: bool,
) -> SessionManagerLayer<session::Store> {
    let idle = time::Duration::try_from(config.session.idle).unwrap_or(time::Duration::days(14));
    SessionManagerLayer::new(store)
        .with_name(if https { "__Host-patchbay" } else { "patchbay" })
        .with_secure(https)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_path("/")
        .with_expiry(Expiry::OnInactivity(idle))
}

async fn forget_sessions(store: session::Store, services: Services) {
    loop {
        if let Err(error) = store.delete_expired().await {
            tracing::warn!(%error, "expired sessions stay");
        }
        if let Err(error) = services.local.sweep().await {
            tracing::warn!(%error, "counts of failed sign-ins stay");
        }
        tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
    }
}

fn leptos_options() -> LeptosOptions {
    LeptosOptions::builder()
        .output_name("patchbay")
        .site_root("target/site")
        .site_pkg_dir("pkg")
        .build()
}

async fn shutdown() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
