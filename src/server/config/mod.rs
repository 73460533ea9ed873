//! The server's settings: `Leptos.toml`, the environment above it, and the defaults below both.
//!
//! May import `address` only. The environment comes in as a function, so tests never set it.

mod effective;
mod error;
mod named;
mod parse;
mod sections;
mod sign_in;
mod source;
mod together;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;

pub use effective::{Effective, Origin, Settings};
pub use error::{ConfigError, ConfigErrors, Place};
pub use sections::SETTINGS;
pub use sign_in::{OIDC_PROVIDER, OidcProvider, Token, TokenKeys};
pub use source::{Kind, Secrecy, Setting};

/// The file that is read where none is named, if it is there.
pub const DEFAULT_FILE: &str = "Leptos.toml";
/// Names another file.
pub const FILE_VARIABLE: &str = "PATCHBAY_CONFIG";
/// The port alone, as Render and its like set it.
pub const PORT_VARIABLE: &str = "PORT";

/// Every setting, read and checked.
#[derive(Clone, Debug)]
pub struct Config {
    pub server: Server,
    pub database: Database,
    pub nango: Nango,
    pub sandbox: Sandbox,
    pub catalogue: Catalogue,
    pub session: Session,
    pub limits: Limits,
    pub auth: Auth,
    /// In the order of the sign-in page.
    pub oidc: Vec<OidcProvider>,
    /// `None`: no token of anybody's is accepted.
    pub token: Option<Token>,
    pub log: Log,
    pub metrics: Metrics,
    /// `None`: nobody collects traces.
    pub traces: Option<Traces>,
}

#[derive(Clone, Debug)]
pub struct Server {
    pub listen_addr: SocketAddr,
    /// The origin people see: http or https, without a path.
    pub public_url: Url,
    /// Whose word about the client's address counts.
    pub trusted_proxies: Vec<IpNet>,
}

/// Database addresses are secrets as a whole: they may carry a password.
#[derive(Clone, Debug)]
pub struct Database {
    /// A file's path, `sqlite:…` or `postgres://…`.
    pub url: SecretString,
    /// PostgreSQL without a pooler between, for LISTEN and migrations.
    pub direct_url: Option<SecretString>,
}

#[derive(Clone, Debug)]
pub struct Nango {
    pub enabled: bool,
    pub base_url: Url,
    pub secret_key: Option<SecretString>,
    pub webhook_signing_key: Option<SecretString>,
    /// Each connection's webhooks come here, whatever addresses are set in Nango.
    pub webhook_override: bool,
    /// Calls to Nango, all of this server's together.
    pub calls_per_minute: u32,
    /// How often all connections are compared with Nango's.
    pub reconcile: Duration,
    /// How long one call may take.
    pub timeout: Duration,
    /// How long an attempt stays open.
    pub attempt_lifetime: Duration,
}

#[derive(Clone, Debug)]
pub struct Sandbox {
    pub listen_addr: SocketAddr,
    pub state_file: PathBuf,
    pub secret_key: SecretString,
    /// Said on the command line of `patchbay sandbox` only: `serve`'s own one sends none, as no
    /// Nango reaches a laptop.
    pub webhook: Option<SandboxWebhook>,
    /// No rate limit, for load tests.
    pub unlimited: bool,
}

#[derive(Clone, Debug)]
pub struct SandboxWebhook {
    pub url: Url,
    pub secondary_url: Option<Url>,
    pub signing_key: Option<SecretString>,
    pub allow_loopback: bool,
}

#[derive(Clone, Debug)]
pub struct Catalogue {
    /// Manifests that add to the built-in ones or replace them.
    pub manifests_dir: Option<PathBuf>,
}

#[derive(Clone, Debug)]
pub struct Session {
    /// A session ends when it was not used for so long.
    pub idle: Duration,
    /// And at the latest so long after signing in.
    pub absolute: Duration,
}

#[derive(Clone, Debug)]
pub struct Limits {
    /// Everything that comes from one address.
    pub requests: Rate,
    /// What one person changes.
    pub changes: Rate,
    /// Open event streams, of all people.
    pub event_streams: usize,
    /// Open connections; 0: as many as the process may have files open, less a quarter.
    pub connections: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// 0: no limit.
    pub per_second: u32,
    /// So many at once.
    pub burst: u32,
}

#[derive(Clone, Debug)]
pub struct Auth {
    /// People may sign in with an e-mail address and a password kept here.
    pub local: bool,
    /// Whoever comes may make such an account.
    pub sign_up: bool,
    /// Whoever reaches the server may sign in as a demo user; on loopback addresses only.
    pub demo: bool,
}

/// Why there is no demo user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoDemo {
    /// `AUTH_DEMO=false`.
    Disabled,
    /// Others than this machine may reach the server, or address it by another name.
    PublicAddress,
    /// `TRUSTED_PROXIES` says so.
    Proxy,
}

#[derive(Clone, Debug)]
pub struct Log {
    /// Directives in tracing's own syntax; checked.
    pub filter: String,
    pub format: LogFormat,
}

#[derive(Clone, Debug)]
pub struct Metrics {
    /// Where Prometheus asks, apart from people; `None`: nowhere.
    pub addr: Option<SocketAddr>,
}

/// Where traces go, by OTLP over HTTP.
#[derive(Clone, Debug)]
pub struct Traces {
    /// The collector's own address: `/v1/traces` is added to it.
    pub endpoint: Url,
    /// As the variable has them, `name=value` between commas: they may hold a key.
    pub headers: Option<SecretString>,
    pub service_name: String,
    /// Which part of the traces that begin here is recorded, 0 to 1.
    pub ratio: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Pretty,
    Json,
}

/// Which Nango the server talks to.
#[derive(Clone, Debug)]
pub enum NangoMode {
    Real {
        base_url: Url,
        secret_key: SecretString,
    },
    /// The stand-in, on a port of its own.
    Sandbox,
    /// Connecting is off.
    Off(OffReason),
}

/// Why connecting is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffReason {
    /// `NANGO_ENABLED=false`.
    Disabled,
    /// No secret key, and the sandbox must not be reachable by strangers.
    NoKeyOnPublicAddress,
}

impl Config {
    /// Reads `file`, else the one that `PATCHBAY_CONFIG` names, else `./Leptos.toml` if it exists;
    /// then the environment. Reports everything that is wrong at once.
    pub fn load(
        file: Option<&Path>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigErrors> {
        Self::explained(file, env).map(|(config, _)| config)
    }

    /// The same, with what each setting is and where it comes from.
    pub fn explained(
        file: Option<&Path>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(Self, Settings), ConfigErrors> {
        let named = file.map(Path::to_path_buf).or_else(|| {
            env(FILE_VARIABLE)
                .filter(|path| !path.trim().is_empty())
                .map(PathBuf::from)
        });
        Self::of(source::Source::open(named.as_deref(), env))
    }

    /// The same from a file's text.
    pub fn read(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigErrors> {
        Self::of(source::Source::of_text(text, env)).map(|(config, _)| config)
    }

    fn of(mut source: source::Source<'_>) -> Result<(Self, Settings), ConfigErrors> {
        let server = sections::server(&mut source);
        let database = sections::database(&mut source);
        let nango = sections::nango(&mut source);
        let sandbox = sections::sandbox(&mut source);
        let catalogue = sections::catalogue(&mut source);
        let session = sections::session(&mut source);
        let limits = sections::limits(&mut source);
        let auth = sections::auth(&mut source);
        let oidc = sign_in::oidc(&mut source);
        let token = sign_in::token(&mut source);
        let log = sections::log(&mut source);
        let metrics = sections::metrics(&mut source);
        let traces = sections::traces(&mut source);
        let config = || {
            Some(Self {
                server: server?,
                database: database?,
                nango: nango?,
                sandbox: sandbox?,
                catalogue,
                session: session?,
                limits: limits?,
                auth: auth?,
                oidc: oidc?,
                token: token?,
                log: log?,
                metrics,
                traces: traces?,
            })
        };
        let config = config();
        if let Some(config) = &config {
            together::check(&mut source, config);
        }
        source.finish(config)
    }

    /// Only this machine can reach the server, and people address it as this machine.
    pub fn is_loopback(&self) -> bool {
        let listens = self.server.listen_addr.ip().to_canonical().is_loopback();
        listens && parse::is_loopback(&self.server.public_url)
    }

    /// Why nobody may sign in as a demo user; `None` where a request from this machine may.
    pub fn no_demo(&self) -> Option<NoDemo> {
        if !self.auth.demo {
            Some(NoDemo::Disabled)
        } else if !self.is_loopback() {
            Some(NoDemo::PublicAddress)
        } else if !self.server.trusted_proxies.is_empty() {
            Some(NoDemo::Proxy)
        } else {
            None
        }
    }

    /// What people connect are real accounts: neither the sandbox nor a Nango on this machine.
    pub fn is_nango_real(&self) -> bool {
        match self.nango_mode() {
            NangoMode::Real { base_url, .. } => !parse::is_loopback(&base_url),
            NangoMode::Sandbox | NangoMode::Off(_) => false,
        }
    }

    pub fn nango_mode(&self) -> NangoMode {
        if !self.nango.enabled {
            return NangoMode::Off(OffReason::Disabled);
        }
        match &self.nango.secret_key {
            Some(secret_key) => NangoMode::Real {
                base_url: self.nango.base_url.clone(),
                secret_key: secret_key.clone(),
            },
            None if self.is_loopback() => NangoMode::Sandbox,
            None => NangoMode::Off(OffReason::NoKeyOnPublicAddress),
        }
    }
}
