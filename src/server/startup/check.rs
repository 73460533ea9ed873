//! `patchbay config check`: what the settings come to, without asking anybody. May import what
//! `startup` does.

use secrecy::ExposeSecret;

use super::serve::proxy_is_unnamed;
use crate::server::{
    address,
    config::{Config, NangoMode, NoDemo, OffReason, TokenKeys},
    doctor::{self, Check},
    manifest::{ManifestErrors, Registry},
};

/// What is on and what is off, and what to think about.
#[derive(Debug)]
pub struct Overview {
    /// What, and how it is.
    pub lines: Vec<(&'static str, String)>,
    pub checks: Vec<Check>,
}

pub fn overview(config: &Config) -> Result<Overview, ManifestErrors> {
    let registry = Registry::load(config.catalogue.manifests_dir.as_deref())?;
    let mut checks = doctor::settings::checks(config, &registry);
    if proxy_is_unnamed(config) {
        checks.push(Check::warning(
            "proxy",
            "PUBLIC_URL is https, so a proxy stands in front, and TRUSTED_PROXIES does not name it: everybody counts as one address",
            "Set TRUSTED_PROXIES to the addresses from which the proxy comes.",
        ));
    }
    let origin = config.server.public_url.origin().ascii_serialization();
    let lines = vec![
        ("people open", origin),
        ("listens on", config.server.listen_addr.to_string()),
        ("proxies", listed(&config.server.trusted_proxies)),
        ("database", database(config)),
        ("Nango", nango(config)),
        ("webhooks", webhooks(config)),
        ("sign-in", sign_in(config)),
        ("demo user", demo(config)),
        ("connectors", registry.all().len().to_string()),
    ];
    Ok(Overview { lines, checks })
}

fn listed(all: &[impl ToString]) -> String {
    let all: Vec<String> = all.iter().map(ToString::to_string).collect();
    if all.is_empty() {
        return "none".to_owned();
    }
    all.join(", ")
}

fn database(config: &Config) -> String {
    let url = config.database.url.expose_secret();
    let (shown, _) = address::shown(url);
    let kind = if address::is_postgres(url) {
        "PostgreSQL"
    } else {
        "SQLite"
    };
    let direct = config.database.direct_url.as_ref();
    match direct.map(|url| address::shown(url.expose_secret()).0) {
        Some(direct) => format!("{kind}, {shown}; LISTEN and migrations by {direct}"),
        None => format!("{kind}, {shown}"),
    }
}

fn nango(config: &Config) -> String {
    match config.nango_mode() {
        NangoMode::Real { base_url, .. } => {
            format!("on, {}", base_url.as_str().trim_end_matches('/'))
        }
        NangoMode::Sandbox => format!(
            "the sandbox in its place, on {}, since NANGO_SECRET_KEY is not set",
            config.sandbox.listen_addr
        ),
        NangoMode::Off(OffReason::Disabled) => "off: NANGO_ENABLED=false".to_owned(),
        NangoMode::Off(OffReason::NoKeyOnPublicAddress) => {
            "off: NANGO_SECRET_KEY is not set, and the sandbox is for loopback addresses only"
                .to_owned()
        }
    }
}

fn webhooks(config: &Config) -> String {
    match (
        &config.nango.webhook_signing_key,
        config.nango.webhook_override,
    ) {
        (Some(_), true) => "on, and asked for with each connection".to_owned(),
        (Some(_), false) => "on".to_owned(),
        (None, _) => "off: NANGO_WEBHOOK_SIGNING_KEY is not set".to_owned(),
    }
}

fn sign_in(config: &Config) -> String {
    let mut ways = Vec::new();
    match (config.auth.local, config.auth.sign_up) {
        (true, true) => ways.push("accounts of this server, which anybody may make".to_owned()),
        (true, false) => ways.push("accounts of this server".to_owned()),
        (false, _) => {}
    }
    for provider in &config.oidc {
        ways.push(format!("{} ({})", provider.name, provider.issuer));
    }
    if let Some(token) = &config.token {
        let keys = match &token.keys {
            TokenKeys::Jwks(url) => url.as_str(),
            TokenKeys::Secret(_) => "a shared secret",
        };
        ways.push(format!("tokens of {} ({keys})", token.issuer));
    }
    listed(&ways)
}

fn demo(config: &Config) -> String {
    match config.no_demo() {
        None => "on: whoever reaches this address may sign in",
        Some(NoDemo::Disabled) => "off: AUTH_DEMO=false",
        Some(NoDemo::PublicAddress) => "off: the address is public",
        Some(NoDemo::Proxy) => "off: TRUSTED_PROXIES names a proxy",
    }
    .to_owned()
}
