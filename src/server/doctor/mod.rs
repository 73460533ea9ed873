//! `patchbay doctor`: looks at everything a working server needs, changes nothing, and says for
//! each thing whether it is well and what to do if not.
//!
//! May import `config`, `db`, `nango`, `manifest`, `clock` and `domain`. The calls of Nango are its
//! own plain ones: retries and the breaker of the server's client would hide what is wrong.

mod database;
mod integrations;
mod nango;
mod probe;
mod report;
pub mod settings;
mod web;
mod webhook;

use secrecy::SecretString;
use url::Url;

use super::{clock::Clock, config::Config, manifest::Registry};

pub use report::{Check, Report, Status};
pub use webhook::signature;

/// Which Nango is looked at.
#[derive(Clone, Debug)]
pub enum Target {
    Real {
        base_url: Url,
        secret_key: SecretString,
    },
    /// The stand-in; started for this, or that of a server which is running.
    Sandbox {
        base_url: Url,
        secret_key: SecretString,
        started: bool,
    },
    /// The stand-in does not start.
    NoSandbox { reason: String },
    /// `NANGO_ENABLED=false`.
    Disabled,
    /// No secret key on a public address.
    NoKey,
}

impl Target {
    fn access(&self) -> Option<(&Url, &SecretString)> {
        match self {
            Self::Real {
                base_url,
                secret_key,
            }
            | Self::Sandbox {
                base_url,
                secret_key,
                ..
            } => Some((base_url, secret_key)),
            _ => None,
        }
    }

    const fn is_sandbox(&self) -> bool {
        matches!(self, Self::Sandbox { .. })
    }
}

/// Everything, in the order in which a person would go about it.
pub async fn run(config: &Config, registry: &Registry, target: &Target, clock: &Clock) -> Report {
    let mut checks = settings::checks(config, registry);
    let nango = async {
        let mut checks = vec![nango::target(target)];
        if let Some((base_url, secret_key)) = target.access() {
            let timeout = config.nango.timeout;
            match probe::Probe::new(base_url.clone(), Some(secret_key.clone()), timeout) {
                Ok(probe) => checks.extend(nango::checks(&probe, registry, clock).await),
                Err(reason) => checks.push(Check::failed("key", reason, "Report this.")),
            }
        }
        checks
    };
    let (nango, web, database) = tokio::join!(
        nango,
        web::checks(config, target),
        database::checks(config, clock)
    );
    checks.extend(nango);
    checks.extend(web);
    checks.extend(database);
    Report { checks }
}
