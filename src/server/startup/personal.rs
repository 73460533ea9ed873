//! `patchbay user export` and `erase`. May import what `startup` does.

use serde_json::Value;
use uuid::Uuid;

use super::{
    StartError,
    database::{self, existing},
    nango,
};
use crate::server::{
    clock::Clock,
    config::Config,
    manifest::Registry,
    services::{
        personal::{self, Erased},
        seal,
    },
};

/// Everything about a person.
pub async fn export(config: &Config, id: Uuid) -> Result<Value, StartError> {
    let db = existing(config).await?;
    let found = personal::export(&db, &Clock::system(), id).await?;
    db.close().await;
    Ok(found)
}

/// Forgets a person, at Nango first. A server may be running meanwhile.
pub async fn erase(config: &Config, id: Uuid) -> Result<Erased, StartError> {
    existing(config).await?.close().await;
    database::migrate(config).await?;
    let db = existing(config).await?;
    let registry = Registry::load(config.catalogue.manifests_dir.as_deref())?;
    let clock = Clock::system();
    let (nango, running) = nango::for_a_command(config, &registry, &clock).await?;
    let erased = personal::erase(&db, &nango, &clock, id).await;
    if let Some(running) = running {
        running.stop().await?;
    }
    let erased = erased?;
    // No server need be running: then nobody else would.
    if let Err(error) = seal::seal_waiting(&db).await {
        tracing::warn!(%error, "the audit log is sealed when the server runs");
    }
    db.close().await;
    Ok(erased)
}
