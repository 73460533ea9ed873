//! Which Nango the server talks to: a real one, the sandbox, or none. May import what `startup` does.

use std::net::SocketAddr;

use secrecy::SecretString;
use tokio::task::JoinSet;
use url::Url;

use super::StartError;
use crate::{
    domain::problem::Problem,
    server::{
        clock::Clock,
        config::{Config, NangoMode, OffReason},
        doctor,
        manifest::Registry,
        nango::{Jitter, NangoError, NangoService, Settings},
        sandbox,
        services::{
            core::{Nango, WebhookSettings},
            personal,
        },
    },
};

/// Nango, the sandbox in its place, or the reason why connecting is off.
pub async fn connect(
    config: &Config,
    registry: &Registry,
    clock: &Clock,
    background: &mut JoinSet<()>,
) -> Result<Nango, StartError> {
    let (base_url, key, sandbox) = match config.nango_mode() {
        NangoMode::Real {
            base_url,
            secret_key,
        } => (base_url, secret_key, false),
        NangoMode::Sandbox => {
            let settings = sandbox_config(config, registry);
            let key = settings.secret_key.clone();
            let running = sandbox::start(settings, clock.clone()).await?;
            let base_url = loopback_url(running.addr);
            tracing::info!("no NANGO_SECRET_KEY: the sandbox answers on {base_url}");
            background.spawn(async move {
                let _running = running;
                std::future::pending::<()>().await;
            });
            (base_url, key, true)
        }
        NangoMode::Off(reason) => {
            let problem = off(reason);
            tracing::warn!("{}", problem.sentence());
            return Ok(Nango::Off(Box::new(problem)));
        }
    };
    let service = service(config, base_url, key)?;
    Ok(Nango::On { service, sandbox })
}

fn service(
    config: &Config,
    base_url: Url,
    secret_key: SecretString,
) -> Result<NangoService, NangoError> {
    NangoService::new(Settings {
        base_url,
        secret_key,
        timeout: config.nango.timeout,
        calls_per_minute: Some(config.nango.calls_per_minute),
        jitter: Jitter::default(),
    })
}

/// The same for a command that ends: a running server's sandbox is used as it is, and one that is
/// started for this has to be stopped.
pub async fn for_a_command(
    config: &Config,
    registry: &Registry,
    clock: &Clock,
) -> Result<(Nango, Option<sandbox::Running>), StartError> {
    let (target, running) = doctors_target(config, registry, clock).await;
    let nango = match target {
        doctor::Target::Real {
            base_url,
            secret_key,
        } => Nango::On {
            service: service(config, base_url, secret_key)?,
            sandbox: false,
        },
        doctor::Target::Sandbox {
            base_url,
            secret_key,
            ..
        } => Nango::On {
            service: service(config, base_url, secret_key)?,
            sandbox: true,
        },
        doctor::Target::Disabled => Nango::Off(Box::new(off(OffReason::Disabled))),
        doctor::Target::NoKey => Nango::Off(Box::new(off(OffReason::NoKeyOnPublicAddress))),
        doctor::Target::NoSandbox { reason } => personal::unavailable(&reason),
    };
    Ok((nango, running))
}

fn off(reason: OffReason) -> Problem {
    match reason {
        OffReason::Disabled => Problem::new(
            503,
            "nango_disabled",
            "Connecting is switched off on this server.",
            "Whoever runs it has set NANGO_ENABLED=false.",
        ),
        OffReason::NoKeyOnPublicAddress => Problem::new(
            503,
            "nango_key_missing",
            "Connecting is off: this server has no Nango secret key.",
            "Whoever runs it has to set NANGO_SECRET_KEY; the sandbox exists on a local address only.",
        ),
    }
}

pub fn sandbox_config(config: &Config, registry: &Registry) -> sandbox::Config {
    let integrations = registry.all().iter().map(|manifest| sandbox::Integration {
        unique_key: manifest.nango.provider_key.clone(),
        provider: manifest.provider().to_owned(),
        display_name: manifest.name.clone(),
        auth_mode: manifest.nango.auth_mode.clone(),
        connection_config: manifest
            .inputs
            .iter()
            .filter(|input| !input.optional)
            .map(|input| input.name.clone())
            .collect(),
    });
    sandbox::Config {
        listen: config.sandbox.listen_addr,
        state_file: Some(config.sandbox.state_file.clone()),
        secret_key: config.sandbox.secret_key.clone(),
        integrations: integrations.collect(),
        rate_limit_per_minute: (!config.sandbox.unlimited).then_some(200),
        webhook: config
            .sandbox
            .webhook
            .clone()
            .map(|webhook| sandbox::WebhookSettings {
                url: webhook.url,
                secondary_url: webhook.secondary_url,
                signing_key: webhook.signing_key,
                allow_loopback: webhook.allow_loopback,
            }),
    }
}

#[expect(
    clippy::expect_used,
    reason = "start-up; a socket address is always a valid authority"
)]
fn loopback_url(address: SocketAddr) -> Url {
    Url::parse(&format!("http://{address}")).expect("a socket address")
}

pub fn webhooks(config: &Config) -> WebhookSettings {
    let url = config
        .nango
        .webhook_override
        .then(|| config.server.public_url.join("/api/v1/webhooks/nango"))
        .and_then(Result::ok);
    let key = config.nango.webhook_signing_key.clone();
    WebhookSettings::new(key, url.map(String::from))
}

/// What the doctor looks at, and the sandbox that was started for it.
pub async fn doctors_target(
    config: &Config,
    registry: &Registry,
    clock: &Clock,
) -> (doctor::Target, Option<sandbox::Running>) {
    let target = match config.nango_mode() {
        NangoMode::Real {
            base_url,
            secret_key,
        } => doctor::Target::Real {
            base_url,
            secret_key,
        },
        NangoMode::Off(OffReason::Disabled) => doctor::Target::Disabled,
        NangoMode::Off(OffReason::NoKeyOnPublicAddress) => doctor::Target::NoKey,
        NangoMode::Sandbox => {
            let mut settings = sandbox_config(config, registry);
            let secret_key = settings.secret_key.clone();
            // Looking at it makes no file where there is none.
            settings.state_file = settings.state_file.filter(|file| file.exists());
            match sandbox::start(settings, clock.clone()).await {
                Ok(running) => {
                    let target = doctor::Target::Sandbox {
                        base_url: loopback_url(running.addr),
                        secret_key,
                        started: true,
                    };
                    return (target, Some(running));
                }
                // Most likely a server is running, and this is its sandbox.
                Err(sandbox::SandboxError::Listen { addr, source })
                    if source.kind() == std::io::ErrorKind::AddrInUse =>
                {
                    doctor::Target::Sandbox {
                        base_url: loopback_url(addr),
                        secret_key,
                        started: false,
                    }
                }
                Err(error) => doctor::Target::NoSandbox {
                    reason: error.to_string(),
                },
            }
        }
    };
    (target, None)
}
