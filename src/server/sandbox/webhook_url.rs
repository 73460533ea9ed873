//! Which addresses Nango takes for webhooks: http and https, and none of a private network. The
//! recorded server was told to make an exception for loopback, and so can the sandbox be; or for
//! private networks only, as an operator's outbound policy does.
//!
//! May import `validate` only.

use std::net::IpAddr;

use serde_json::{Map, Value};
use url::{Host, Url};

use super::validate::{self, Issues};

/// Which private addresses are taken all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exception {
    None,
    /// Private and link-local ones, and never this machine.
    Private,
    /// All of them.
    Loopback,
}

const FIELD: &str = "webhook_url_override";
const DEPRECATED: &str = ". Note: connection_config.webhook_url is deprecated; use top-level webhook_url_override instead.";

/// Reads `webhook_url_override`, or the `webhook_url` in a connection config that came before it;
/// an empty one says nothing, but says it: the old one is not asked then. The old ones are taken
/// out of `defaults`.
pub fn read(
    issues: &mut Issues,
    body: &Map<String, Value>,
    defaults: &mut Map<String, Value>,
    exception: Exception,
) -> Option<String> {
    let mut found = None;
    for (key, value) in defaults {
        let Some(Value::Object(config)) = value.get_mut("connection_config") else {
            continue;
        };
        let Some(old) = config.remove("webhook_url") else {
            continue;
        };
        if config.is_empty()
            && let Value::Object(fields) = value
        {
            fields.remove("connection_config");
        }
        match check(&old, exception) {
            Ok(url) => found = found.or(url),
            Err((code, message)) => {
                let message = format!("{message}{DEPRECATED}");
                let place = [
                    "integrations_config_defaults",
                    key.as_str(),
                    "connection_config",
                    "webhook_url",
                ];
                issues.push(code, &message, validate::path(&place));
            }
        }
    }
    let Some(value) = body.get(FIELD) else {
        return found;
    };
    match check(value, exception) {
        Ok(url) => url,
        Err((code, message)) => {
            issues.push(code, message, validate::path(&[FIELD]));
            None
        }
    }
}

/// An address, none where it is empty, or the issue's code and message.
pub fn check(
    value: &Value,
    exception: Exception,
) -> Result<Option<String>, (&'static str, &'static str)> {
    let text = value.as_str().unwrap_or_default();
    if value.as_str() == Some("") {
        return Ok(None);
    }
    let Ok(url) = Url::parse(text) else {
        return Err(("invalid_union", "Invalid input"));
    };
    let host = url.host_str().unwrap_or_default();
    if host == "nango.dev" || host.ends_with(".nango.dev") {
        let message = "Webhook URLs cannot point to Nango's domain (nango.dev).";
        return Err(("custom", message));
    }
    if !is_allowed(&url, exception) {
        return Err(("custom", "This webhook URL is not allowed."));
    }
    Ok(Some(text.to_owned()))
}

pub fn is_allowed(url: &Url, exception: Exception) -> bool {
    if !matches!(url.scheme(), "http" | "https") {
        return false;
    }
    match url.host() {
        None => false,
        Some(_) if exception == Exception::Loopback => true,
        // A policy looks at what stands in the address; names are resolved when something is sent.
        Some(Host::Domain(_)) if exception == Exception::Private => true,
        Some(Host::Ipv4(v4)) if exception == Exception::Private => !is_local(IpAddr::V4(v4)),
        Some(Host::Ipv6(v6)) if exception == Exception::Private => !is_local(IpAddr::V6(v6)),
        Some(Host::Domain(name)) => name != "localhost" && !name.ends_with(".localhost"),
        Some(Host::Ipv4(v4)) => is_public(IpAddr::V4(v4)),
        Some(Host::Ipv6(v6)) => is_public(IpAddr::V6(v6)),
    }
}

/// The same for what a name stands for.
pub fn is_blocked(address: IpAddr, exception: Exception) -> bool {
    match exception {
        Exception::None => !is_public(address),
        Exception::Private => is_local(address),
        Exception::Loopback => false,
    }
}

fn is_local(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_loopback() || address.is_unspecified()
}

fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            !(v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified())
        }
        IpAddr::V6(v6) => {
            !(v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_unique_local()
                || v6.is_unicast_link_local())
        }
    }
}
