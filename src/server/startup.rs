//! Puts the server together: the one `build` that the program and the tests share.

use std::{net::SocketAddr, sync::Arc};

use axum::Router;
use leptos::prelude::LeptosOptions;
use secrecy::ExposeSecret;
use tokio::{net::TcpListener, task::JoinSet};
use tower_sessions::{Expiry, SessionManagerLayer, cookie::SameSite};

use super::{
    clock::Clock,
    config::Config,
    db::{Db, DbError, connector, lease as lease_row, notify, session},
    doctor, http,
    identity::Identity,
    live::Hub,
    manifest::{ManifestErrors, Registry},
    nango::NangoError,
    sandbox,
    services::{
        ServiceError, Services,
        core::{Core, LocalSettings, Nango},
        fields, integrations, lease, passwords,
        personal::PersonalError,
        reconcile, seal, sweep, watch,
    },
    state::AppState,
};

use crate::domain::problem::Problem;

pub mod audit;
mod identity;
mod nango;
pub mod people;
pub mod personal;
pub mod serve;

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Manifests(#[from] ManifestErrors),
    #[error("the database: {0}")]
    Db(#[from] DbError),
    #[error("the sandbox: {0}")]
    Sandbox(#[from] sandbox::SandboxError),
    #[error("the client for sign-ins: {0}")]
    SignIn(#[from] reqwest::Error),
    #[error("Nango's client: {0}")]
    Nango(#[from] NangoError),
    #[error("{address}: {source}")]
    Listen {
        address: SocketAddr,
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
}

impl StartError {
    /// The settings or the manifests are wrong: starting again will not help.
    pub const fn is_configuration(&self) -> bool {
        matches!(self, Self::Manifests(_))
    }
}

/// A server that is ready to listen. Its background work ends when it is dropped.
pub struct App {
    pub router: Router,
    pub services: Services,
    pub db: Db,
    pub background: JoinSet<()>,
    core: Arc<Core>,
}

impl App {
    /// Ends the background's work and lets another instance go on with it at once.
    pub async fn stop(mut self) {
        self.background.shutdown().await;
        if let Err(error) = seal::seal_waiting(&self.db).await {
            tracing::warn!(%error, "the audit log's last entries are sealed at the next start");
        }
        if let Err(error) = lease::release(&self.core).await {
            tracing::warn!(%error, "the lease runs out by itself");
        }
        self.db.close().await;
    }
}

/// Builds everything but the listener: database (migrated), services, background work, router.
pub async fn build(config: &Config, clock: Clock) -> Result<App, StartError> {
    let registry = Arc::new(Registry::load(config.catalogue.manifests_dir.as_deref())?);
    migrate_database(config).await?;
    let db = Db::connect(config.database.url.expose_secret()).await?;
    sync_connectors(&db, &registry, &clock).await?;
    let mut background = JoinSet::new();
    let nango = nango::connect(config, &registry, &clock, &mut background).await?;
    let core = assemble(
        config,
        &db,
        nango,
        registry,
        &clock,
        identity::connect(config, &clock)?,
    );
    start(config, clock, db, core, background).await
}

/// What the services share. Nothing runs yet.
fn assemble(
    config: &Config,
    db: &Db,
    nango: Nango,
    registry: Arc<Registry>,
    clock: &Clock,
    identity: Identity,
) -> Arc<Core> {
    Arc::new(Core {
        db: db.clone(),
        nango,
        hub: Hub::default(),
        clock: clock.clone(),
        registry,
        integrations: integrations::Integrations::default(),
        fields: fields::Fields::default(),
        watch: watch::Watch::default(),
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
    })
}

/// The background work and the router.
async fn start(
    config: &Config,
    clock: Clock,
    db: Db,
    core: Arc<Core>,
    mut background: JoinSet<()>,
) -> Result<App, StartError> {
    let services = Services::new(core.clone());
    take_lease(&core).await?;
    background.spawn(lease::keep(core.clone()));
    background.spawn(reconcile::keep(core.clone()));
    background.spawn(integrations::keep_fresh(core.clone()));
    background.spawn(sweep::keep_deleting(core.clone()));
    background.spawn(seal::keep(core.clone()));
    background.spawn(watch::run(core.clone()));
    background.spawn(watch::run_late(core.clone()));
    let direct = direct(config, &db).await?;
    if let Some(listener) = notify::listener(&direct).await? {
        background.spawn(listen(listener, services.clone()));
    }
    let store = session::Store::new(db.clone(), clock);
    background.spawn(forget_sessions(store.clone(), services.clone()));
    let web = serve::web(config);
    let https = web.https;
    let state = AppState {
        services: services.clone(),
        leptos: leptos_options(),
        web,
    };
    let router = http::router(state).layer(sessions(config, store, https));
    Ok(App {
        router,
        services,
        db,
        background,
        core,
    })
}

/// `patchbay serve`
pub async fn serve(config: Config) -> Result<(), StartError> {
    let app = build(&config, Clock::system()).await?;
    let address = config.server.listen_addr;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| StartError::Listen { address, source })?;
    let address = listener.local_addr().unwrap_or(address);
    tracing::info!(
        database = app.db.kind(),
        "Patchbay answers on http://{address}"
    );
    serve::say_what_is_open(&config);
    let server = serve::serve(
        listener,
        app.router.clone(),
        serve::Limits::default(),
        shutdown(),
    );
    tokio::select! {
        () = server => {}
        // Event streams stay open for ever: nobody waits for them longer than this.
        () = grace() => {}
    }
    app.stop().await;
    Ok(())
}

/// `patchbay sandbox`
pub async fn sandbox(config: Config) -> Result<(), StartError> {
    let registry = Registry::load(config.catalogue.manifests_dir.as_deref())?;
    let running =
        sandbox::start(nango::sandbox_config(&config, &registry), Clock::system()).await?;
    tracing::info!("the sandbox answers on http://{}", running.addr);
    shutdown().await;
    running.stop().await?;
    Ok(())
}

/// `patchbay migrate`
pub async fn migrate(config: Config) -> Result<(), StartError> {
    migrate_database(&config).await?;
    tracing::info!("migrated");
    Ok(())
}

/// `patchbay doctor`: looks at what [`serve`] would use, and starts nothing but the sandbox.
pub async fn doctor(config: &Config) -> Result<doctor::Report, ManifestErrors> {
    let registry = Registry::load(config.catalogue.manifests_dir.as_deref())?;
    let clock = Clock::system();
    let (target, running) = nango::doctors_target(config, &registry, &clock).await;
    let report = doctor::run(config, &registry, &target, &clock).await;
    if let Some(running) = running
        && let Err(error) = running.stop().await
    {
        tracing::warn!(%error, "the sandbox's state stays as it was");
    }
    Ok(report)
}

/// The database of a server that has run before: a command makes none.
async fn existing(config: &Config) -> Result<Db, StartError> {
    let url = config.database.url.expose_secret();
    let Some(db) = Db::open_existing(url).await? else {
        return Err(StartError::NoDatabase);
    };
    db.close().await;
    Ok(Db::connect(url).await?)
}

/// Migrations and LISTEN go past a pooler, where there is one.
async fn direct(config: &Config, db: &Db) -> Result<Db, DbError> {
    match &config.database.direct_url {
        Some(url) => Db::connect(url.expose_secret()).await,
        None => Ok(db.clone()),
    }
}

async fn migrate_database(config: &Config) -> Result<(), DbError> {
    let url = config.database.direct_url.as_ref();
    let url = url.unwrap_or(&config.database.url);
    let db = Db::connect(url.expose_secret()).await?;
    db.migrate().await?;
    db.close().await;
    Ok(())
}

/// An SQLite file has one server: whoever held the lease before is gone. On PostgreSQL another
/// instance may hold it, or a dead one for some seconds more.
async fn take_lease(core: &Core) -> Result<(), StartError> {
    if matches!(core.db, Db::Sqlite(_)) {
        let mut tx = core.db.write().await?;
        lease_row::clear(&mut tx).await?;
        tx.commit().await?;
    }
    match lease::renew(core).await {
        Ok(_) => Ok(()),
        Err(ServiceError::Db(error)) => Err(error.into()),
        Err(error) => {
            tracing::warn!(%error, "the lease is taken later");
            Ok(())
        }
    }
}

async fn sync_connectors(db: &Db, registry: &Registry, clock: &Clock) -> Result<(), DbError> {
    let connectors: Vec<connector::NewConnector> = registry
        .all()
        .iter()
        .map(|manifest| connector::NewConnector {
            id: manifest.id(),
            slug: manifest.slug.clone(),
            name: manifest.name.clone(),
            enabled: manifest.nango.enabled,
        })
        .collect();
    let mut tx = db.write().await?;
    connector::sync(&mut tx, &connectors, clock.now()).await?;
    tx.commit().await
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

/// Changes made by other instances.
async fn listen(mut listener: sqlx::postgres::PgListener, services: Services) {
    loop {
        match listener.try_recv().await {
            Ok(Some(notification)) => services.events.receive(notification.payload()),
            // The connection was lost and is there again; what came between is not known.
            Ok(None) => services.events.resync(),
            Err(error) => {
                tracing::warn!(%error, "notifications are interrupted");
                // Subscribing again is what proves the connection; only then is it known what
                // was missed: everything until now.
                while listener.listen(notify::CHANNEL).await.is_err() {
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                }
                services.events.resync();
            }
        }
    }
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

async fn grace() {
    shutdown().await;
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
}
