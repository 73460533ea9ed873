//! Commands that use what the server would, and are none: the sandbox alone, migrating, the doctor. May
//! import what `startup` does.

use super::{StartError, database, nango, shutdown};
use crate::server::{
    clock::Clock,
    config::Config,
    doctor,
    manifest::{ManifestErrors, Registry},
    sandbox,
};

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
    database::migrate(&config).await?;
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
