//! From a setting's text to its value, or to the sentence that says why not.

use std::{
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
};

use http::{HeaderName, HeaderValue};
use ipnet::IpNet;
use secrecy::SecretString;
use tracing_subscriber::EnvFilter;
use url::{Host, Url};

use super::LogFormat;
use crate::server::address;

/// The value as a message may show it. What contains an `@` may be an address with a password in
/// it, put into the wrong setting.
pub(super) fn quoted(text: &str) -> String {
    if text.contains('@') {
        return "the value".to_owned();
    }
    let shown: String = text.chars().take(80).flat_map(char::escape_debug).collect();
    let more = if text.chars().count() > 80 { "…" } else { "" };
    format!("“{shown}{more}”")
}

pub(super) fn socket(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!(
            "{} is not an IP address with a port, such as 127.0.0.1:3000",
            quoted(text)
        )
    })
}

/// Addresses and networks, between commas. An IPv4 address in IPv6 clothes counts as IPv4.
pub(super) fn networks(text: &str) -> Result<Vec<IpNet>, String> {
    let parts = text.split(',').map(str::trim);
    parts.filter(|part| !part.is_empty()).map(network).collect()
}

fn network(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address.to_canonical()));
    }
    match text.parse::<IpNet>() {
        Ok(network) if network.prefix_len() > 0 => Ok(network.trunc()),
        // Whoever trusts everybody would take any address that a client makes up.
        Ok(_) => Err(format!("{} is the whole internet", quoted(text))),
        Err(_) => Err(format!(
            "{} is neither an IP address nor a network such as 10.0.0.0/8",
            quoted(text)
        )),
    }
}

pub(super) fn port(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(format!("{} is not a port from 1 to 65535", quoted(text))),
    }
}

/// An http or https address.
pub(super) fn web_address(text: &str) -> Result<Url, String> {
    let wrong = || format!("{} is not an http or https address", quoted(text));
    let url = Url::parse(text).map_err(|_| wrong())?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(wrong());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not carry a user name or password".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("{} must end before the ? or #", quoted(text)));
    }
    Ok(url)
}

/// An http or https address with nothing behind the host.
pub(super) fn origin(text: &str) -> Result<Url, String> {
    let url = web_address(text)?;
    if url.path() != "/" {
        return Err(format!(
            "{} must have no path: Patchbay answers at the root of its host",
            quoted(text)
        ));
    }
    Ok(url)
}

/// Whether an address leads to this very machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.to_canonical().is_loopback(),
        Some(Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            name == "localhost" || name.ends_with(".localhost")
        }
        None => false,
    }
}

/// A database's address; the password in it is why no message repeats it.
pub(super) fn database(text: &str) -> Result<SecretString, String> {
    address::check(text)?;
    Ok(SecretString::from(text))
}

pub(super) fn postgres(text: &str) -> Result<SecretString, String> {
    address::postgres(text)?;
    Ok(SecretString::from(text))
}

/// A key that goes into a header; never repeated in a message.
pub(super) fn secret(text: &str) -> Result<SecretString, String> {
    if text.chars().all(|c| c.is_ascii_graphic()) {
        return Ok(SecretString::from(text));
    }
    Err("contains a space or a character that no key has; was it copied whole?".to_owned())
}

pub(super) fn flag(text: &str) -> Result<bool, String> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(format!("{} is neither true nor false", quoted(text))),
    }
}

pub(super) fn number(text: &str, range: RangeInclusive<u64>) -> Result<u64, String> {
    match text.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(format!(
            "{} is not a whole number from {} to {}",
            quoted(text),
            range.start(),
            range.end()
        )),
    }
}

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    Ok(PathBuf::from(text))
}

/// `name=value` between commas, as OpenTelemetry has it; values may be percent-encoded, and are never
/// repeated in a message.
pub(super) fn headers(text: &str) -> Result<SecretString, String> {
    let fine = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
        HeaderValue::from_str(value.trim()).ok()
    };
    match text.split(',').position(|pair| fine(pair).is_none()) {
        None => Ok(SecretString::from(text)),
        Some(index) => Err(format!(
            "entry {} of it is not name=value, as in authorization=Bearer%20KEY,x-team=a",
            index + 1
        )),
    }
}

pub(super) fn service_name(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

pub(super) fn ratio(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
        _ => Err(format!("{} is not a number from 0 to 1", quoted(text))),
    }
}

pub(super) fn log_filter(text: &str) -> Result<String, String> {
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(format!(
            "{} is not a log filter such as info or warn,patchbay=debug",
            quoted(text)
        )),
    }
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "pretty" => Ok(LogFormat::Pretty),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("{} is neither pretty nor json", quoted(text))),
    }
}
