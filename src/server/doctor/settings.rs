//! Settings and addresses: what can be told without asking anybody.
//!
//! May import `config` and `manifest`.

use secrecy::ExposeSecret;
use url::{Host, Url};

use super::Check;
use crate::server::{config::Config, manifest::Registry};

pub fn checks(config: &Config, registry: &Registry) -> Vec<Check> {
    let connectors = registry.all().len();
    vec![
        Check::ok(
            "settings",
            format!("the settings can be used; {connectors} connectors have a manifest"),
        ),
        addresses(config),
        signing_key(config),
    ]
}

/// An address of this machine only.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.to_canonical().is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

fn addresses(config: &Config) -> Check {
    const ID: &str = "addresses";
    let listen = config.server.listen_addr;
    let public = &config.server.public_url;
    let origin = public.origin().ascii_serialization();
    let local = is_loopback(public);
    if !local && public.scheme() == "http" {
        return Check::warning(
            ID,
            format!("people come by {origin}, without encryption"),
            "Put the server behind a proxy that speaks https, and set PUBLIC_URL to its https address.",
        );
    }
    if local && !listen.ip().to_canonical().is_loopback() {
        return Check::warning(
            ID,
            format!(
                "the server listens on {listen}, which others reach, but calls itself {origin}"
            ),
            "Set PUBLIC_URL to the address that people open, or LISTEN_ADDR to a loopback address.",
        );
    }
    if local && listen.port() != 0 && public.port_or_known_default() != Some(listen.port()) {
        return Check::warning(
            ID,
            format!("the server listens on {listen}, but calls itself {origin}"),
            "Give PUBLIC_URL the port of LISTEN_ADDR, unless a proxy on this machine forwards it.",
        );
    }
    let base = &config.nango.base_url;
    if base.scheme() == "http" && !is_loopback(base) {
        return Check::warning(
            ID,
            "NANGO_BASE_URL is http: the secret key and people's credentials travel readable",
            "Use Nango's https address, unless the network between is yours alone.",
        );
    }
    Check::ok(ID, format!("listens on {listen}, people open {origin}"))
}

fn signing_key(config: &Config) -> Check {
    const ID: &str = "webhook.key";
    let secret = config.nango.secret_key.as_ref();
    match &config.nango.webhook_signing_key {
        None if secret.is_none() => Check::ok(ID, "not set; the sandbox works without webhooks"),
        None => Check::warning(
            ID,
            "NANGO_WEBHOOK_SIGNING_KEY is not set: webhooks are refused, and failed refreshes are found only by asking",
            "Copy the webhook signing key from the environment's settings in Nango, and switch the auth webhooks on there.",
        ),
        Some(key) if secret.is_some_and(|s| s.expose_secret() == key.expose_secret()) => {
            Check::warning(
                ID,
                "the signing key is the secret key: so it is only until one of them is renewed",
                "Renew the webhook signing key in Nango and set NANGO_WEBHOOK_SIGNING_KEY to it.",
            )
        }
        Some(_) => Check::ok(ID, "the webhook signing key is set"),
    }
}
