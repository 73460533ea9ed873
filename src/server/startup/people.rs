//! The services for the command line: people are made and changed without a running server, and
//! beside one.

use std::sync::Arc;

use secrecy::ExposeSecret;

use super::{Config, Registry, StartError, assemble, database};
use crate::{
    domain::problem::Problem,
    server::{
        clock::Clock,
        db::Db,
        services::{ServiceError, Services, core::Nango},
    },
};

/// The services with nothing running behind them: Nango is not asked, nothing listens.
pub async fn services(config: &Config, clock: Clock) -> Result<(Services, Db), StartError> {
    let registry = Arc::new(Registry::load(config.catalogue.manifests_dir.as_deref())?);
    database::migrate(config).await?;
    let db = Db::connect(config.database.url.expose_secret()).await?;
    let off = Nango::Off(Box::new(Problem::internal()));
    let core = assemble(
        config,
        &db,
        super::metrics::new(&clock),
        off,
        registry,
        &clock,
        super::identity::connect(config, &clock)?,
    );
    Ok((Services::new(core), db))
}

impl From<ServiceError> for StartError {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Db(error) => Self::Db(error),
            ServiceError::Nango(error) => Self::Nango(error),
            ServiceError::Problem(problem) | ServiceError::Later { problem, .. } => {
                Self::Refused(problem)
            }
        }
    }
}
