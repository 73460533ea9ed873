//! The file, the environment, the defaults, and what is refused.

use std::{collections::HashMap, path::Path, time::Duration};

use patchbay::server::config::{Config, ConfigErrors, LogFormat, NangoMode, OffReason, Rate};
use secrecy::ExposeSecret;

use super::fresh_dir;

pub fn load_in(name: &str, file: &str, env: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let path = fresh_dir(name).join("Leptos.toml");
    std::fs::write(&path, file).unwrap();
    load_file(Some(&path), env)
}

fn load_file(path: Option<&Path>, env: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let env: HashMap<&str, &str> = env.iter().copied().collect();
    Config::load(path, &|name| env.get(name).map(|v| (*v).to_owned()))
}

/// The complaints, with the directory of the file left out.
pub fn complaints(name: &str, file: &str, env: &[(&str, &str)]) -> Vec<String> {
    let errors = load_in(name, file, env).unwrap_err().to_string();
    errors
        .lines()
        .map(|line| match line.find("Leptos.toml") {
            Some(at) if line.starts_with('/') => line[at..].to_owned(),
            _ => line.to_owned(),
        })
        .collect()
}

#[test]
fn defaults_serve_without_a_file() {
    let config = load_in("defaults", "", &[]).unwrap();
    assert_eq!(config.server.listen_addr.to_string(), "127.0.0.1:3000");
    assert_eq!(config.server.public_url.as_str(), "http://127.0.0.1:3000/");
    assert_eq!(config.database.url.expose_secret(), "data/patchbay.db");
    assert!(config.database.direct_url.is_none());
    assert!(config.nango.enabled && config.nango.secret_key.is_none());
    assert_eq!(config.nango.base_url.as_str(), "https://api.nango.dev/");
    assert_eq!(config.nango.timeout, Duration::from_secs(10));
    assert_eq!(config.nango.attempt_lifetime, Duration::from_secs(1800));
    assert_eq!(config.sandbox.listen_addr.to_string(), "127.0.0.1:3003");
    assert_eq!(config.sandbox.state_file, Path::new("data/sandbox.json"));
    assert_eq!(
        config.sandbox.secret_key.expose_secret(),
        "6f0f1f5e-5a4d-4b0c-9e57-2a1d3c4b5a69"
    );
    assert!(config.catalogue.manifests_dir.is_none());
    assert_eq!(config.session.idle, Duration::from_secs(14 * 86_400));
    assert_eq!(config.session.absolute, Duration::from_secs(30 * 86_400));
    assert!(config.server.trusted_proxies.is_empty());
    let rate = |per_second, burst| Rate { per_second, burst };
    assert_eq!(config.limits.requests, rate(100, 1000));
    assert_eq!(config.limits.changes, rate(10, 100));
    assert!(config.auth.local && !config.auth.sign_up);
    assert!(config.auth.demo);
    assert_eq!(config.log.filter, "info");
    assert_eq!(config.log.format, LogFormat::Pretty);
}

#[test]
fn proxies_and_limits_are_read_and_nonsense_is_refused() {
    let env = [
        (
            "TRUSTED_PROXIES",
            "127.0.0.1, 10.1.2.3/8 ,::ffff:192.0.2.1, 2001:db8::/32,",
        ),
        ("LIMITS_REQUESTS_PER_SECOND", "0"),
        ("LIMITS_CHANGES_BURST", "1"),
        ("LIMITS_EVENT_STREAMS", "1"),
        ("LIMITS_CONNECTIONS", "1"),
    ];
    let config = load_in("proxies", "", &env).unwrap();
    let proxies: Vec<_> = config
        .server
        .trusted_proxies
        .iter()
        .map(ToString::to_string)
        .collect();
    let wanted = [
        "127.0.0.1/32",
        "10.0.0.0/8",
        "192.0.2.1/32",
        "2001:db8::/32",
    ];
    assert_eq!(proxies, wanted);
    assert_eq!(
        (
            config.limits.requests.per_second,
            config.limits.changes.burst
        ),
        (0, 1)
    );
    let env = [
        ("TRUSTED_PROXIES", "10.0.0.1, proxy.example"),
        ("SESSION_ABSOLUTE_DAYS", "0"),
        ("LIMITS_REQUESTS_BURST", "0"),
        ("LIMITS_CHANGES_PER_SECOND", "-1"),
    ];
    assert_eq!(
        complaints(
            "bad-limits",
            "[server]\ntrusted_proxies = \"0.0.0.0/0\"\n",
            &env
        ),
        [
            "environment variable TRUSTED_PROXIES: “proxy.example” is neither an IP address nor a network such as 10.0.0.0/8",
            "environment variable SESSION_ABSOLUTE_DAYS: “0” is not a whole number from 1 to 365",
            "environment variable LIMITS_REQUESTS_BURST: “0” is not a whole number from 1 to 1000000",
            "environment variable LIMITS_CHANGES_PER_SECOND: “-1” is not a whole number from 0 to 1000000",
        ]
    );
    assert_eq!(
        complaints(
            "everybody",
            "[server]\ntrusted_proxies = \"0.0.0.0/0\"\n",
            &[]
        ),
        ["Leptos.toml:2: [server] trusted_proxies: “0.0.0.0/0” is the whole internet"]
    );
}

#[test]
fn the_environment_wins_over_the_file_and_empty_counts_as_unset() {
    let file = "[nango]\nbase_url = \"https://one.example\"\nenabled = false\n\
                timeout_seconds = 0x14\n[log]\nformat = \"json\"\n";
    let env = [
        ("NANGO_BASE_URL", "https://two.example"),
        ("NANGO_ENABLED", " 1 "),
        ("LOG_FORMAT", "  "),
    ];
    let config = load_in("environment", file, &env).unwrap();
    assert_eq!(config.nango.base_url.as_str(), "https://two.example/");
    assert!(config.nango.enabled);
    assert_eq!(config.nango.timeout, Duration::from_secs(20));
    assert_eq!(config.log.format, LogFormat::Json);
}

#[test]
fn a_bare_port_means_all_addresses_and_listen_addr_wins_over_it() {
    let listens = |file: &str, env: &[(&str, &str)]| {
        let config = load_in("port", file, env).unwrap();
        config.server.listen_addr.to_string()
    };
    let file = "[server]\nlisten_addr = \"127.0.0.1:4000\"\n";
    let both = [("PORT", "10000"), ("LISTEN_ADDR", "[::1]:5000")];
    assert_eq!(listens(file, &[]), "127.0.0.1:4000");
    assert_eq!(listens(file, &[("PORT", "10000")]), "0.0.0.0:10000");
    assert_eq!(listens(file, &both), "[::1]:5000");
}

#[test]
fn every_error_is_told_at_once_with_its_place() {
    let file = "[server]\nlisten_addr = \"localhost\"\npublic_url = \"https://a.example/app\"\n\
                listen = \"x\"\n\n[nango]\nbase_url = \"nango\"\ntimeout_seconds = \"10\"\n\
                attempt_minutes = 31\n\n[logs]\nfilter = \"info\"\n[session]\nidle_days = 0\n\
                [catalogue]\nmanifests_dir = \"\"\n";
    let env = [
        ("NANGO_ENABLED", "yes"),
        ("RUST_LOG", "patchbay=loud"),
        ("DATABASE_URL", "mysql://root:hunter2@db/x"),
        ("NANGO_SECRET_KEY", "two words hunter2"),
    ];
    assert_eq!(
        complaints("all-at-once", file, &env),
        [
            "Leptos.toml:2: [server] listen_addr: “localhost” is not an IP address with a port, \
             such as 127.0.0.1:3000",
            "Leptos.toml:3: [server] public_url: “https://a.example/app” must have no path: \
             Patchbay answers at the root of its host",
            "Leptos.toml:4: [server] listen: there is no such setting; [server] has listen_addr, \
             public_url, trusted_proxies",
            "Leptos.toml:7: [nango] base_url: “nango” is not an http or https address",
            "Leptos.toml:8: [nango] timeout_seconds: must be a whole number",
            "Leptos.toml:9: [nango] attempt_minutes: “31” is not a whole number from 1 to 30",
            "Leptos.toml:11: [logs]: there is no such section; there are [server], [database], \
             [nango], [sandbox], [catalogue], [session], [limits], [auth], [oidc], [token], [log], [metrics], [traces]",
            "Leptos.toml:14: [session] idle_days: “0” is not a whole number from 1 to 365",
            "Leptos.toml:16: [catalogue] manifests_dir: is empty; leave the line out for the \
             default",
            "environment variable DATABASE_URL: is neither a file’s path nor an address that \
             begins with postgres:// or sqlite:",
            "environment variable NANGO_ENABLED: “yes” is neither true nor false",
            "environment variable NANGO_SECRET_KEY: contains a space or a character that no key \
             has; was it copied whole?",
            "environment variable RUST_LOG: “patchbay=loud” is not a log filter such as info or \
             warn,patchbay=debug",
        ]
    );
}

#[test]
fn a_setting_outside_a_section_and_broken_toml_are_told_by_line() {
    assert_eq!(
        complaints("outside", "\nbase_url = \"x\"\n", &[("PORT", "0")]),
        [
            "Leptos.toml:2: base_url: stands in no section; there are [server], [database], \
             [nango], [sandbox], [catalogue], [session], [limits], [auth], [oidc], [token], [log], [metrics], [traces]",
            "environment variable PORT: “0” is not a port from 1 to 65535",
        ]
    );
    let broken = complaints(
        "broken",
        "[nango]\nsecret_key = hunter2\nbase_url = \"x\n",
        &[],
    );
    assert!(
        broken[0].starts_with("Leptos.toml:2: is not TOML: "),
        "{broken:?}"
    );
    assert!(
        broken.iter().any(|l| l.starts_with("Leptos.toml:3: ")),
        "{broken:?}"
    );
    assert!(!broken.concat().contains("hunter2"), "{broken:?}");
}

#[test]
fn secrets_show_neither_in_errors_nor_in_debug() {
    let env = [
        ("DATABASE_URL", "postgres://u:hunter2@db/patchbay"),
        (
            "DATABASE_DIRECT_URL",
            "postgres://u:hunter2@direct/patchbay",
        ),
        ("NANGO_SECRET_KEY", "hunter2"),
        ("NANGO_WEBHOOK_SIGNING_KEY", "hunter2"),
        ("SANDBOX_SECRET_KEY", "hunter2"),
    ];
    let config = load_in("debug", "", &env).unwrap();
    let key = config.nango.secret_key.as_ref().unwrap();
    assert_eq!(key.expose_secret(), "hunter2");
    assert!(!format!("{config:?} {:?}", config.nango_mode()).contains("hunter2"));

    // An address with a password in it, put where it does not belong.
    let misplaced = "postgres://u:hunter2@db/patchbay";
    for name in [
        "LISTEN_ADDR",
        "PUBLIC_URL",
        "NANGO_BASE_URL",
        "NANGO_ENABLED",
        "NANGO_TIMEOUT_SECONDS",
        "LOG_FORMAT",
        "PORT",
    ] {
        let told = complaints("misplaced", "", &[(name, misplaced)]);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(!told[0].contains("hunter2"), "{told:?}");
    }
    let told = complaints("userinfo", "", &[("PUBLIC_URL", "https://u:hunter2@h")]);
    assert_eq!(
        told,
        ["environment variable PUBLIC_URL: must not carry a user name or password"]
    );
}

#[test]
fn signing_up_needs_local_accounts() {
    let file = "[auth]\nlocal = false\nsign_up = true\n";
    assert_eq!(
        complaints("sign-up", file, &[]),
        [
            "Leptos.toml:3: [auth] sign_up: goes with local accounts only: set AUTH_LOCAL to true, \
          or this to false"
        ]
    );
    let config = load_in("sign-up-2", file, &[("AUTH_LOCAL", "true")]).unwrap();
    assert!(config.auth.local && config.auth.sign_up);
}

#[test]
fn a_direct_address_needs_postgres_behind_it() {
    let file = "[database]\ndirect_url = \"postgres://u:p@db/x\"\n";
    assert_eq!(
        complaints("direct", file, &[]),
        [
            "Leptos.toml:2: [database] direct_url: goes with a PostgreSQL database only: set \
          DATABASE_URL too"
        ]
    );
    assert!(
        load_in(
            "direct-2",
            file,
            &[("DATABASE_URL", "postgresql://u:p@db/x")]
        )
        .is_ok()
    );
    for path in ["x.db", "sqlite:///srv/x.db", "/srv/a b.db"] {
        let config = load_in("paths", "", &[("DATABASE_URL", path)]).unwrap();
        assert_eq!(config.database.url.expose_secret(), path);
    }
}

#[test]
fn the_file_is_named_by_argument_then_by_variable() {
    let dir = fresh_dir("named");
    let (one, two) = (dir.join("one.toml"), dir.join("two.toml"));
    std::fs::write(&one, "[session]\nidle_days = 1\n").unwrap();
    std::fs::write(&two, "[session]\nidle_days = 2\n").unwrap();
    let days = |file: Option<&Path>, env: &[(&str, &str)]| {
        load_file(file, env).unwrap().session.idle.as_secs() / 86_400
    };
    let variable = [("PATCHBAY_CONFIG", two.to_str().unwrap())];
    assert_eq!(days(Some(&one), &variable), 1);
    assert_eq!(days(None, &variable), 2);
    assert_eq!(days(None, &[("PATCHBAY_CONFIG", "")]), 14);

    let missing = dir.join("missing.toml");
    let errors = load_file(Some(&missing), &[]).unwrap_err().to_string();
    let wanted = format!("{}: can't be read: ", missing.display());
    assert!(errors.starts_with(&wanted), "{errors}");
}

#[test]
fn loopback_means_both_addresses() {
    let loopback = |listen: &str, public: &str| {
        let env = [("LISTEN_ADDR", listen), ("PUBLIC_URL", public)];
        load_in("loopback", "", &env).unwrap().is_loopback()
    };
    for (listen, public) in [
        ("127.0.0.1:3000", ""),
        ("127.8.8.8:3000", "http://localhost:3000"),
        ("[::1]:3000", "http://[::1]:3000"),
        ("127.0.0.1:3000", "https://patchbay.localhost"),
        ("127.0.0.1:3000", "http://LOCALHOST."),
        ("[::ffff:127.0.0.1]:3000", "http://127.0.0.1"),
    ] {
        assert!(loopback(listen, public), "{listen} {public}");
    }
    for (listen, public) in [
        ("0.0.0.0:3000", ""),
        ("0.0.0.0:3000", "http://localhost:3000"),
        ("127.0.0.1:3000", "https://connect.example.com"),
        ("127.0.0.1:3000", "https://localhost.example.com"),
        ("127.0.0.1:3000", "https://notlocalhost"),
        ("192.168.1.2:3000", "http://127.0.0.1"),
    ] {
        assert!(!loopback(listen, public), "{listen} {public}");
    }
}

#[test]
fn the_mode_follows_switch_key_and_address() {
    let mode = |env: &[(&str, &str)]| load_in("mode", "", env).unwrap().nango_mode();
    let key = ("NANGO_SECRET_KEY", "k1");
    let public = ("PUBLIC_URL", "https://connect.example.com");
    let off = ("NANGO_ENABLED", "0");
    assert!(matches!(mode(&[]), NangoMode::Sandbox));
    for env in [&[key][..], &[key, public]] {
        let NangoMode::Real {
            base_url,
            secret_key,
        } = mode(env)
        else {
            panic!("not real");
        };
        assert_eq!(base_url.as_str(), "https://api.nango.dev/");
        assert_eq!(secret_key.expose_secret(), "k1");
    }
    for (env, reason) in [
        (&[public][..], OffReason::NoKeyOnPublicAddress),
        (&[("PORT", "10000")], OffReason::NoKeyOnPublicAddress),
        (&[off], OffReason::Disabled),
        (&[off, key], OffReason::Disabled),
    ] {
        let NangoMode::Off(off) = mode(env) else {
            panic!("not off: {env:?}");
        };
        assert_eq!(off, reason);
    }
}
