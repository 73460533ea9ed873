//! What is wrong only beside other settings. May import `config`.

use std::net::{IpAddr, SocketAddr};

use secrecy::ExposeSecret;
use uuid::Uuid;

use super::{
    Config, NangoMode,
    sections::{METRICS_ADDR, SANDBOX_ADDR, SANDBOX_KEY},
    source::Source,
};

pub(super) fn check(source: &mut Source<'_>, config: &Config) {
    let (server, sandbox) = (config.server.listen_addr, config.sandbox.listen_addr);
    let metrics_at = |other| {
        config
            .metrics
            .addr
            .is_some_and(|metrics| same(metrics, other))
    };
    if metrics_at(server) {
        let reason = "is where the server itself listens; Prometheus needs an address of its own";
        source.refuse(&METRICS_ADDR, reason.to_owned());
    }
    // Without the sandbox, nothing of the rest matters.
    if !matches!(config.nango_mode(), NangoMode::Sandbox) {
        return;
    }
    if metrics_at(sandbox) {
        let reason = "is where the sandbox listens; Prometheus needs an address of its own";
        source.refuse(&METRICS_ADDR, reason.to_owned());
    }
    if same(server, sandbox) {
        let reason = "is where the server itself listens; without NANGO_SECRET_KEY the sandbox needs an address of its own";
        source.refuse(&SANDBOX_ADDR, reason.to_owned());
    }
    let key = Uuid::parse_str(config.sandbox.secret_key.expose_secret());
    if !key.is_ok_and(|key| key.get_version_num() == 4) {
        let reason = "is no UUID of version 4, as Nango's keys are";
        source.refuse(&SANDBOX_KEY, reason.to_owned());
    }
}

/// Whether who listens at one of them leaves no place for the other.
fn same(one: SocketAddr, other: SocketAddr) -> bool {
    // `[::]` means IPv4 as well, as Linux has it.
    let covers = |all: IpAddr, other: IpAddr| {
        all == other || all.is_unspecified() && (all.is_ipv6() || other.is_ipv4())
    };
    let (here, there) = (one.ip(), other.ip());
    one.port() != 0 && one.port() == other.port() && (covers(here, there) || covers(there, here))
}
