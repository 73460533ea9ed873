//! The database at the start: migrated, with this installation's connectors in it. May import what
//! `startup` does.

use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::time::sleep;

use super::StartError;
use crate::server::{
    clock::Clock,
    config::Config,
    db::{Db, DbError, connector, lease as lease_row},
    manifest::Registry,
    services::{core::Core, lease},
};

/// The database of a server that has run before: a command makes none.
pub async fn existing(config: &Config) -> Result<Db, StartError> {
    let url = config.database.url.expose_secret();
    let Some(db) = Db::open_existing(url).await? else {
        return Err(StartError::NoDatabase);
    };
    db.close().await;
    Ok(Db::connect(url).await?)
}

/// The first pause between two tries, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Migrations and LISTEN go past a pooler, where there is one. Connects when it is first needed.
pub fn direct(config: &Config) -> Result<Option<Db>, DbError> {
    let url = config.database.direct_url.as_ref();
    url.map(|url| Db::lazily(url.expose_secret())).transpose()
}

/// The database, migrated, with this installation's connectors in it.
pub async fn open(config: &Config, registry: &Registry, clock: &Clock) -> Result<Db, DbError> {
    migrate(config).await?;
    let db = Db::connect(config.database.url.expose_secret()).await?;
    sync_connectors(&db, registry, clock).await?;
    Ok(db)
}

/// The same, and one that is not there yet is waited for. What will not heal by waiting, such as a
/// wrong password, is an error at once.
pub async fn wait_for(config: &Config, registry: &Registry, clock: &Clock) -> Result<Db, DbError> {
    let mut pause = FIRST_PAUSE;
    loop {
        match open(config, registry, clock).await {
            Err(error) if error.passes() => {
                tracing::warn!(
                    "waiting for the database: {error}; next try in {:.1} s",
                    pause.as_secs_f32()
                );
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            result => return result,
        }
    }
}

pub async fn migrate(config: &Config) -> Result<(), DbError> {
    let url = config.database.direct_url.as_ref();
    let url = url.unwrap_or(&config.database.url);
    let db = Db::connect(url.expose_secret()).await?;
    db.migrate().await?;
    db.close().await;
    Ok(())
}

/// An SQLite file has one server: whoever held the lease before is gone. On PostgreSQL another
/// instance may hold it, or a dead one for some seconds more. What fails here is tried again soon.
pub async fn take_lease(core: &Core) {
    let taken = async {
        if matches!(core.db, Db::Sqlite(_)) {
            let mut tx = core.db.write().await?;
            lease_row::clear(&mut tx).await?;
            tx.commit().await?;
        }
        lease::renew(core).await
    };
    if let Err(error) = taken.await {
        tracing::warn!(%error, "the lease is taken later");
    }
}

pub async fn sync_connectors(db: &Db, registry: &Registry, clock: &Clock) -> Result<(), DbError> {
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
