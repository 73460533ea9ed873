//! Nango: is it there, is the key right, what may it do, is its clock ours, does its socket open.
//!
//! May import `nango`, `manifest` and `clock`.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::{
    Check, Target, integrations,
    probe::{Answer, Probe},
};
use crate::server::{
    clock::Clock,
    manifest::Registry,
    nango::{
        Jitter, NangoService, Settings,
        wire::{Data, Integration},
    },
};

/// How far the clocks may be apart.
const SKEW_WARNING_MS: i64 = 60_000;
const SKEW_FAILED_MS: i64 = 300_000;

const KEYS: &str = "Environment Settings → API Keys in Nango";

pub fn target(target: &Target) -> Check {
    const ID: &str = "nango";
    match target {
        Target::Real { base_url, .. } => Check::ok(ID, format!("the real one, at {base_url}")),
        Target::Sandbox {
            base_url,
            started: true,
            ..
        } => Check::ok(
            ID,
            format!("no NANGO_SECRET_KEY: the sandbox, started for this at {base_url}"),
        ),
        Target::Sandbox { base_url, .. } => Check::ok(
            ID,
            format!("no NANGO_SECRET_KEY: the sandbox of a running server, at {base_url}"),
        ),
        Target::NoSandbox { reason } => Check::failed(
            ID,
            format!("no NANGO_SECRET_KEY, and the sandbox does not start: {reason}"),
            "Set NANGO_SECRET_KEY, or correct SANDBOX_LISTEN_ADDR, SANDBOX_STATE_FILE and SANDBOX_SECRET_KEY.",
        ),
        Target::Disabled => Check::warning(
            ID,
            "connecting is switched off: NANGO_ENABLED=false",
            "Unset NANGO_ENABLED to switch it on.",
        ),
        Target::NoKey => Check::failed(
            ID,
            "connecting is off: there is no NANGO_SECRET_KEY, and the sandbox exists on a local address only",
            format!("Set NANGO_SECRET_KEY to a key from {KEYS}."),
        ),
    }
}

pub async fn checks(probe: &Probe, registry: &Registry, clock: &Clock) -> Vec<Check> {
    let answer = match probe.get(&["integrations"], &[]).await {
        Ok(answer) => answer,
        Err(reason) => {
            return vec![Check::failed(
                "key",
                format!("Nango cannot be reached at {}: {reason}", probe.base()),
                "Check NANGO_BASE_URL, and whether this machine may call it (proxy, firewall, DNS).",
            )];
        }
    };
    let mut checks = vec![key(&answer), skew(&answer, clock)];
    let list = answer
        .json::<Data<Vec<Integration>>>()
        .filter(|_| answer.status == 200);
    let known = list.as_ref().and_then(|list| list.data.first());
    if matches!(answer.status, 200 | 403) {
        let some_key = known.map_or("patchbay-doctor", |known| known.unique_key.as_str());
        checks.extend(scopes(probe, &answer, some_key, clock).await);
    }
    if let Some(list) = list {
        checks.extend(integrations::checks(probe, registry, &list.data).await);
    }
    checks.push(socket(probe).await);
    checks
}

fn key(answer: &Answer) -> Check {
    const ID: &str = "key";
    match answer.status {
        200 if answer.json::<Data<Vec<Integration>>>().is_some() => {
            Check::ok(ID, "Nango takes the key")
        }
        403 => Check::ok(ID, "Nango knows the key, but it may not do everything"),
        401 => Check::failed(
            ID,
            format!("Nango refuses the key ({})", answer.named()),
            format!(
                "Copy NANGO_SECRET_KEY again from {KEYS}; it must be of the very Nango and environment that NANGO_BASE_URL names."
            ),
        ),
        429 => Check::warning(
            ID,
            "Nango's rate limit is reached: nothing can be told of the key",
            "Run this again in a minute.",
        ),
        status if status >= 500 => Check::failed(
            ID,
            format!("Nango has a failure of its own ({})", answer.named()),
            "See Nango's status page, or the log of your own Nango.",
        ),
        _ => Check::failed(
            ID,
            format!(
                "what answers at NANGO_BASE_URL is not Nango's API ({})",
                answer.named()
            ),
            "Set NANGO_BASE_URL to the API's address, not the dashboard's.",
        ),
    }
}

fn skew(answer: &Answer, clock: &Clock) -> Check {
    const ID: &str = "clock";
    let Some(date) = answer.date else {
        return Check::warning(
            ID,
            "Nango's answer has no date to compare with",
            "Make sure that this machine keeps its clock by NTP.",
        );
    };
    // A Date header has whole seconds.
    let apart = clock.now().0 - date - 500;
    let seconds = apart.abs() / 1000;
    let summary = if seconds < 2 {
        "agrees with Nango's".to_owned()
    } else {
        let way = if apart > 0 { "ahead of" } else { "behind" };
        format!("{seconds} s {way} Nango's")
    };
    let fix = "Let this machine keep its clock by NTP: sessions and attempts end by it.";
    match apart.abs() {
        apart if apart > SKEW_FAILED_MS => Check::failed(ID, summary, fix),
        apart if apart > SKEW_WARNING_MS => Check::warning(ID, summary, fix),
        _ => Check::ok(ID, summary),
    }
}

/// Each scope is tried by a call that can do no harm: what it names does not exist.
async fn scopes(probe: &Probe, listed: &Answer, some_key: &str, clock: &Clock) -> Vec<Check> {
    let nobody = clock.random_id().to_string();
    let of = [("provider_config_key", some_key)];
    let one = ["connections", nobody.as_str()];
    let refused_anyway = json!({ "patchbay_doctor": true });
    let (sessions, list, read, delete) = tokio::join!(
        probe.call(
            Method::POST,
            &["connect", "sessions"],
            &[],
            Some(&refused_anyway)
        ),
        probe.get(&["connections"], &[("limit", "1")]),
        probe.get(&one, &of),
        probe.call(Method::DELETE, &one, &of, None),
    );
    vec![
        scope(
            "scope.connect_sessions_write",
            "environment:connect_sessions:write",
            "nobody can connect",
            sessions.as_ref(),
        ),
        scope(
            "scope.connections_list",
            "environment:connections:list",
            "no outcome can be confirmed",
            list.as_ref(),
        ),
        scope(
            "scope.connections_read",
            "environment:connections:read",
            "an installation that waits for approval is not noticed",
            read.as_ref(),
        ),
        scope(
            "scope.connections_delete",
            "environment:connections:delete",
            "nobody can disconnect",
            delete.as_ref(),
        ),
        scope(
            "scope.integrations_list",
            "environment:integrations:list",
            "the catalogue cannot say what is set up",
            Ok(listed),
        ),
    ]
}

fn scope(id: &'static str, name: &str, without: &str, answer: Result<&Answer, &String>) -> Check {
    let untold = |why: String| {
        Check::warning(
            id,
            format!("whether the key has {name} cannot be told: {why}"),
            "Run this again in a minute.",
        )
    };
    match answer {
        Err(reason) => untold(reason.clone()),
        Ok(answer) => match answer.status {
            403 => Check::failed(
                id,
                format!("the key lacks {name}: {without}"),
                format!("Give the key this scope, or make a new one with it, under {KEYS}."),
            ),
            401 | 429 | 500.. => untold(answer.named()),
            _ => Check::ok(id, format!("the key has {name}")),
        },
    }
}

async fn socket(probe: &Probe) -> Check {
    const ID: &str = "socket";
    let limit = probe.timeout.min(Duration::from_secs(5));
    let key = probe.key().cloned().unwrap_or_default();
    let opened = match NangoService::new(Settings {
        base_url: probe.base().clone(),
        secret_key: key,
        timeout: probe.timeout,
        calls_per_minute: None,
        jitter: Jitter::default(),
    }) {
        Ok(service) => service.open_socket(limit).await.map(drop),
        Err(error) => Err(error),
    };
    match opened {
        Ok(()) => Check::ok(ID, "Nango's WebSocket opens and says its id"),
        Err(error) => Check::warning(
            ID,
            format!("Nango's WebSocket does not open: {error}"),
            "Let WebSocket upgrades through to Nango (a proxy often needs a line for it). Until then outcomes come by webhooks and by asking, some seconds later; a denial is then learnt from the popup only.",
        ),
    }
}
