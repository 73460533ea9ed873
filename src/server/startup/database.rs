//! The database at the start: migrated, with this installation's connectors in it. May import what
//! `startup` does.

use secrecy::ExposeSecret;

use super::StartError;
use crate::server::{
    clock::Clock,
    config::Config,
    db::{Db, DbError, connector, lease as lease_row},
    manifest::Registry,
    services::{ServiceError, core::Core, lease},
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

/// Migrations and LISTEN go past a pooler, where there is one.
pub async fn direct(config: &Config, db: &Db) -> Result<Db, DbError> {
    match &config.database.direct_url {
        Some(url) => Db::connect(url.expose_secret()).await,
        None => Ok(db.clone()),
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
/// instance may hold it, or a dead one for some seconds more.
pub async fn take_lease(core: &Core) -> Result<(), StartError> {
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
