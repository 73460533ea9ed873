//! The settings section by section, with their defaults. `Leptos.toml` and `.env.example` describe
//! each of them; a test compares.
//!
//! Each function reads all its settings before the first `?`, so that every error is met.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use secrecy::ExposeSecret;
use url::Url;

use super::{
    Auth, Catalogue, Database, Limits, Log, Metrics, Nango, PORT_VARIABLE, Rate, Sandbox, Server,
    Session, Traces,
    effective::Origin,
    parse,
    sign_in::{
        OIDC_PROVIDERS, TOKEN_ALGORITHMS, TOKEN_AUDIENCE, TOKEN_ISSUER, TOKEN_JWKS_URL,
        TOKEN_NAME_CLAIM, TOKEN_ORIGINS, TOKEN_SECRET,
    },
    source::{Kind, Secrecy, Setting, Source},
};
use crate::server::address;

pub(super) const fn text(
    section: &'static str,
    key: &'static str,
    env: &'static str,
) -> Setting<'static> {
    Setting {
        section,
        key,
        env,
        kind: Kind::Text,
        default: None,
        secrecy: Secrecy::Open,
    }
}

const LISTEN_ADDR: Setting<'static> =
    text("server", "listen_addr", "LISTEN_ADDR").or("127.0.0.1:3000");
/// Its default is made of the address.
const PUBLIC_URL: Setting<'static> = text("server", "public_url", "PUBLIC_URL");
const TRUSTED_PROXIES: Setting<'static> = text("server", "trusted_proxies", "TRUSTED_PROXIES");
const DATABASE_URL: Setting<'static> = text("database", "url", "DATABASE_URL")
    .or("data/patchbay.db")
    .with_password();
const DIRECT_URL: Setting<'static> =
    text("database", "direct_url", "DATABASE_DIRECT_URL").with_password();
const NANGO_ENABLED: Setting<'static> = text("nango", "enabled", "NANGO_ENABLED")
    .holds(Kind::Flag)
    .or("true");
const NANGO_BASE_URL: Setting<'static> =
    text("nango", "base_url", "NANGO_BASE_URL").or("https://api.nango.dev");
const NANGO_SECRET_KEY: Setting<'static> = text("nango", "secret_key", "NANGO_SECRET_KEY").secret();
const NANGO_SIGNING_KEY: Setting<'static> =
    text("nango", "webhook_signing_key", "NANGO_WEBHOOK_SIGNING_KEY").secret();
const NANGO_OVERRIDE: Setting<'static> =
    text("nango", "webhook_override", "NANGO_WEBHOOK_OVERRIDE")
        .holds(Kind::Flag)
        .or("false");
const NANGO_CALLS: Setting<'static> = text("nango", "calls_per_minute", "NANGO_CALLS_PER_MINUTE")
    .holds(Kind::Number)
    .or("180");
const NANGO_RECONCILE: Setting<'static> =
    text("nango", "reconcile_seconds", "NANGO_RECONCILE_SECONDS")
        .holds(Kind::Number)
        .or("300");
const NANGO_TIMEOUT: Setting<'static> = text("nango", "timeout_seconds", "NANGO_TIMEOUT_SECONDS")
    .holds(Kind::Number)
    .or("10");
const NANGO_ATTEMPT: Setting<'static> = text("nango", "attempt_minutes", "NANGO_ATTEMPT_MINUTES")
    .holds(Kind::Number)
    .or("30");
pub(super) const SANDBOX_ADDR: Setting<'static> =
    text("sandbox", "listen_addr", "SANDBOX_LISTEN_ADDR").or("127.0.0.1:3003");
const SANDBOX_STATE: Setting<'static> =
    text("sandbox", "state_file", "SANDBOX_STATE_FILE").or("data/sandbox.json");
pub(super) const SANDBOX_KEY: Setting<'static> =
    text("sandbox", "secret_key", "SANDBOX_SECRET_KEY")
        .or("6f0f1f5e-5a4d-4b0c-9e57-2a1d3c4b5a69")
        .secret();
const MANIFESTS_DIR: Setting<'static> = text("catalogue", "manifests_dir", "MANIFESTS_DIR");
const SESSION_IDLE: Setting<'static> = text("session", "idle_days", "SESSION_IDLE_DAYS")
    .holds(Kind::Number)
    .or("14");
const SESSION_ABSOLUTE: Setting<'static> =
    text("session", "absolute_days", "SESSION_ABSOLUTE_DAYS")
        .holds(Kind::Number)
        .or("30");
const LIMITS_REQUESTS: Setting<'static> = text(
    "limits",
    "requests_per_second",
    "LIMITS_REQUESTS_PER_SECOND",
)
.holds(Kind::Number)
.or("100");
const LIMITS_REQUESTS_BURST: Setting<'static> =
    text("limits", "requests_burst", "LIMITS_REQUESTS_BURST")
        .holds(Kind::Number)
        .or("1000");
const LIMITS_CHANGES: Setting<'static> =
    text("limits", "changes_per_second", "LIMITS_CHANGES_PER_SECOND")
        .holds(Kind::Number)
        .or("10");
const LIMITS_CHANGES_BURST: Setting<'static> =
    text("limits", "changes_burst", "LIMITS_CHANGES_BURST")
        .holds(Kind::Number)
        .or("100");
const LIMITS_STREAMS: Setting<'static> = text("limits", "event_streams", "LIMITS_EVENT_STREAMS")
    .holds(Kind::Number)
    .or("20000");
const LIMITS_CONNECTIONS: Setting<'static> = text("limits", "connections", "LIMITS_CONNECTIONS")
    .holds(Kind::Number)
    .or("0");
const AUTH_LOCAL: Setting<'static> = text("auth", "local", "AUTH_LOCAL")
    .holds(Kind::Flag)
    .or("true");
const AUTH_SIGN_UP: Setting<'static> = text("auth", "sign_up", "AUTH_SIGN_UP")
    .holds(Kind::Flag)
    .or("false");
const AUTH_DEMO: Setting<'static> = text("auth", "demo", "AUTH_DEMO")
    .holds(Kind::Flag)
    .or("true");
const LOG_FILTER: Setting<'static> = text("log", "filter", "RUST_LOG").or("info");
const LOG_FORMAT: Setting<'static> = text("log", "format", "LOG_FORMAT").or("pretty");

pub(super) const METRICS_ADDR: Setting<'static> = text("metrics", "listen_addr", "METRICS_ADDR");
const OTLP_ENDPOINT: Setting<'static> = text("traces", "endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT");
const OTLP_HEADERS: Setting<'static> =
    text("traces", "headers", "OTEL_EXPORTER_OTLP_HEADERS").secret();
const OTEL_SERVICE: Setting<'static> =
    text("traces", "service_name", "OTEL_SERVICE_NAME").or("patchbay");
const OTEL_RATIO: Setting<'static> = text("traces", "ratio", "OTEL_TRACES_SAMPLER_ARG").or("1");

/// Every setting there is, in the order of the file.
pub const SETTINGS: [Setting<'static>; 44] = [
    LISTEN_ADDR,
    PUBLIC_URL,
    TRUSTED_PROXIES,
    DATABASE_URL,
    DIRECT_URL,
    NANGO_ENABLED,
    NANGO_BASE_URL,
    NANGO_SECRET_KEY,
    NANGO_SIGNING_KEY,
    NANGO_OVERRIDE,
    NANGO_CALLS,
    NANGO_RECONCILE,
    NANGO_TIMEOUT,
    NANGO_ATTEMPT,
    SANDBOX_ADDR,
    SANDBOX_STATE,
    SANDBOX_KEY,
    MANIFESTS_DIR,
    SESSION_IDLE,
    SESSION_ABSOLUTE,
    LIMITS_REQUESTS,
    LIMITS_REQUESTS_BURST,
    LIMITS_CHANGES,
    LIMITS_CHANGES_BURST,
    LIMITS_STREAMS,
    LIMITS_CONNECTIONS,
    AUTH_LOCAL,
    AUTH_SIGN_UP,
    AUTH_DEMO,
    OIDC_PROVIDERS,
    TOKEN_ISSUER,
    TOKEN_AUDIENCE,
    TOKEN_JWKS_URL,
    TOKEN_SECRET,
    TOKEN_ALGORITHMS,
    TOKEN_NAME_CLAIM,
    TOKEN_ORIGINS,
    LOG_FILTER,
    LOG_FORMAT,
    METRICS_ADDR,
    OTLP_ENDPOINT,
    OTLP_HEADERS,
    OTEL_SERVICE,
    OTEL_RATIO,
];

pub(super) fn server(source: &mut Source<'_>) -> Option<Server> {
    let listen_addr = listen_addr(source);
    let public_url = source.get(&PUBLIC_URL, parse::origin);
    let trusted_proxies = source.get(&TRUSTED_PROXIES, parse::networks);
    let listen_addr = listen_addr?;
    let public_url = match public_url {
        Some(url) => url,
        None => {
            let own = own_origin(listen_addr)?;
            if !source.has(&PUBLIC_URL) {
                let shown = own.origin().ascii_serialization();
                source.used(&PUBLIC_URL, Some(&shown), Origin::Derived);
            }
            own
        }
    };
    Some(Server {
        listen_addr,
        public_url,
        trusted_proxies: trusted_proxies.unwrap_or_default(),
    })
}

/// `LISTEN_ADDR`, else a bare `PORT` on all addresses, else the file.
fn listen_addr(source: &mut Source<'_>) -> Option<SocketAddr> {
    if source.variable(LISTEN_ADDR.env).is_none()
        && let Some(port) = source.variable(PORT_VARIABLE)
    {
        return match parse::port(&port) {
            Ok(port) => {
                let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
                let origin = Origin::Environment(PORT_VARIABLE.to_owned());
                source.used(&LISTEN_ADDR, Some(&address.to_string()), origin);
                Some(address)
            }
            Err(reason) => {
                source.refuse_variable(PORT_VARIABLE, reason);
                None
            }
        };
    }
    source.get(&LISTEN_ADDR, parse::socket)
}

fn own_origin(addr: SocketAddr) -> Option<Url> {
    Url::parse(&format!("http://{addr}")).ok()
}

pub(super) fn database(source: &mut Source<'_>) -> Option<Database> {
    let url = source.get(&DATABASE_URL, parse::database);
    let direct_url = source.get(&DIRECT_URL, parse::postgres);
    let url = url?;
    // Without this, a forgotten DATABASE_URL would quietly keep people's connections in a file.
    if direct_url.is_some() && !address::is_postgres(url.expose_secret()) {
        let reason = "goes with a PostgreSQL database only: set DATABASE_URL too".to_owned();
        source.refuse(&DIRECT_URL, reason);
    }
    Some(Database { url, direct_url })
}

pub(super) fn nango(source: &mut Source<'_>) -> Option<Nango> {
    let enabled = source.get(&NANGO_ENABLED, parse::flag);
    let base_url = source.get(&NANGO_BASE_URL, parse::web_address);
    let secret_key = source.get(&NANGO_SECRET_KEY, parse::secret);
    let webhook_signing_key = source.get(&NANGO_SIGNING_KEY, parse::secret);
    let webhook_override = source.get(&NANGO_OVERRIDE, parse::flag);
    let calls = source.get(&NANGO_CALLS, |text| parse::number(text, 10..=100_000));
    let reconcile = source.get(&NANGO_RECONCILE, |text| parse::number(text, 5..=86_400));
    let seconds = source.get(&NANGO_TIMEOUT, |text| parse::number(text, 1..=120));
    // Nango's own session ends after 30 minutes: a longer attempt could not succeed.
    let minutes = source.get(&NANGO_ATTEMPT, |text| parse::number(text, 1..=30));
    if webhook_override == Some(true) && webhook_signing_key.is_none() {
        let reason = "needs NANGO_WEBHOOK_SIGNING_KEY: without it the webhooks that are sent here are refused".to_owned();
        source.refuse(&NANGO_OVERRIDE, reason);
    }
    Some(Nango {
        enabled: enabled?,
        base_url: base_url?,
        secret_key,
        webhook_signing_key,
        webhook_override: webhook_override?,
        calls_per_minute: u32::try_from(calls?).unwrap_or(u32::MAX),
        reconcile: Duration::from_secs(reconcile?),
        timeout: Duration::from_secs(seconds?),
        attempt_lifetime: Duration::from_secs(60 * minutes?),
    })
}

pub(super) fn sandbox(source: &mut Source<'_>) -> Option<Sandbox> {
    let listen_addr = source.get(&SANDBOX_ADDR, parse::socket);
    let state_file = source.get(&SANDBOX_STATE, parse::path);
    let secret_key = source.get(&SANDBOX_KEY, parse::secret);
    Some(Sandbox {
        listen_addr: listen_addr?,
        state_file: state_file?,
        secret_key: secret_key?,
        webhook: None,
        unlimited: false,
    })
}

pub(super) fn catalogue(source: &mut Source<'_>) -> Catalogue {
    Catalogue {
        manifests_dir: source.get(&MANIFESTS_DIR, parse::path),
    }
}

pub(super) fn session(source: &mut Source<'_>) -> Option<Session> {
    let mut days = |setting| {
        let days = source.get(setting, |text| parse::number(text, 1..=365))?;
        Some(Duration::from_secs(days * 24 * 60 * 60))
    };
    let (idle, absolute) = (days(&SESSION_IDLE), days(&SESSION_ABSOLUTE));
    Some(Session {
        idle: idle?,
        absolute: absolute?,
    })
}

pub(super) fn limits(source: &mut Source<'_>) -> Option<Limits> {
    let requests = rate(source, &LIMITS_REQUESTS, &LIMITS_REQUESTS_BURST);
    let changes = rate(source, &LIMITS_CHANGES, &LIMITS_CHANGES_BURST);
    let mut most = |setting, least| {
        let number = source.get(setting, |text| parse::number(text, least..=MOST.into()))?;
        usize::try_from(number).ok()
    };
    let (event_streams, connections) = (most(&LIMITS_STREAMS, 1), most(&LIMITS_CONNECTIONS, 0));
    Some(Limits {
        requests: requests?,
        changes: changes?,
        event_streams: event_streams?,
        connections: connections?,
    })
}

/// So much is more than any server answers.
const MOST: u32 = 1_000_000;

fn rate(source: &mut Source<'_>, per_second: &Setting, burst: &Setting) -> Option<Rate> {
    let mut number = |setting, least| {
        let number = source.get(setting, |text| parse::number(text, least..=MOST.into()))?;
        u32::try_from(number).ok()
    };
    let (per_second, burst) = (number(per_second, 0), number(burst, 1));
    Some(Rate {
        per_second: per_second?,
        burst: burst?,
    })
}

pub(super) fn auth(source: &mut Source<'_>) -> Option<Auth> {
    let local = source.get(&AUTH_LOCAL, parse::flag);
    let sign_up = source.get(&AUTH_SIGN_UP, parse::flag);
    let demo = source.get(&AUTH_DEMO, parse::flag);
    if (local, sign_up) == (Some(false), Some(true)) {
        let reason = "goes with local accounts only: set AUTH_LOCAL to true, or this to false";
        source.refuse(&AUTH_SIGN_UP, reason.to_owned());
    }
    Some(Auth {
        local: local?,
        sign_up: sign_up?,
        demo: demo?,
    })
}

pub(super) fn log(source: &mut Source<'_>) -> Option<Log> {
    let filter = source.get(&LOG_FILTER, parse::log_filter);
    let format = source.get(&LOG_FORMAT, parse::log_format);
    Some(Log {
        filter: filter?,
        format: format?,
    })
}

pub(super) fn metrics(source: &mut Source<'_>) -> Metrics {
    Metrics {
        addr: source.get(&METRICS_ADDR, parse::socket),
    }
}

/// `Some(None)`: without a collector.
pub(super) fn traces(source: &mut Source<'_>) -> Option<Option<Traces>> {
    let wanted = source.has(&OTLP_ENDPOINT);
    let endpoint = source.get(&OTLP_ENDPOINT, parse::web_address);
    let headers = source.get(&OTLP_HEADERS, parse::headers);
    let service_name = source.get(&OTEL_SERVICE, parse::service_name);
    let ratio = source.get(&OTEL_RATIO, parse::ratio);
    let (service_name, ratio) = (service_name?, ratio?);
    if !wanted {
        return Some(None);
    }
    Some(Some(Traces {
        endpoint: endpoint?,
        headers,
        service_name,
        ratio,
    }))
}
