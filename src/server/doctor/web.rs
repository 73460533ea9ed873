//! The server as others reach it: its public address, the OAuth callback, the webhooks' address.
//!
//! May import `config`.

use std::time::Duration;

use url::Url;

use super::{
    Check, Target,
    probe::{Answer, Probe},
    webhook,
};
use crate::server::config::Config;

const PATIENCE: Duration = Duration::from_secs(10);

pub async fn checks(config: &Config, target: &Target) -> Vec<Check> {
    const ID: &str = "public_url";
    let public = &config.server.public_url;
    let origin = public.origin().ascii_serialization();
    let start = "Start the server, or correct PUBLIC_URL, DNS and proxy; then run this again. The callback and the webhooks' address were not looked at.";
    let probe = match Probe::new(public.clone(), None, PATIENCE) {
        Ok(probe) => probe,
        Err(reason) => return vec![Check::failed(ID, reason, "Report this.")],
    };
    let alive = match probe.get(&["health", "live"], &[]).await {
        Ok(answer) => answer,
        Err(reason) => {
            let summary = format!("nobody answers at {origin}: {reason}");
            return vec![Check::warning(ID, summary, start)];
        }
    };
    if alive.status != 200 {
        let summary = format!(
            "what answers at {origin} is no Patchbay ({})",
            alive.named()
        );
        return vec![Check::failed(ID, summary, start)];
    }
    let mut checks = vec![Check::ok(ID, format!("the server answers at {origin}"))];
    checks.push(callback(&probe, config, target).await);
    checks.push(webhook::check(&probe, config).await);
    checks
}

/// Nango's own callback, where our callback has to lead.
async fn callback(probe: &Probe, config: &Config, target: &Target) -> Check {
    const ID: &str = "callback";
    const QUERY: [(&str, &str); 2] = [("state", "patchbay-doctor"), ("code", "a b&c")];
    let path = ["api", "v1", "connectors", "callback"];
    let address = probe.url(&path, &[]);
    let answer = match probe.get(&path, &QUERY).await {
        Ok(answer) => answer,
        Err(reason) => {
            let fix = "Look at the proxy before the server.";
            return Check::failed(ID, format!("{address} does not answer: {reason}"), fix);
        }
    };
    let base = match target {
        Target::Real { base_url, .. } | Target::Sandbox { base_url, .. } => base_url,
        _ => &config.nango.base_url,
    };
    match leads_to(&answer, base, &QUERY, target.is_sandbox()) {
        Ok(()) => Check::ok(
            ID,
            format!("{address} hands people on to Nango, query and all"),
        ),
        Err(what) => Check::failed(
            ID,
            format!("{address} {what}"),
            "Let the proxy pass this path and its query on unchanged, and restart the server if NANGO_BASE_URL was changed.",
        ),
    }
}

fn leads_to(
    answer: &Answer,
    base: &Url,
    query: &[(&str, &str)],
    sandbox: bool,
) -> Result<(), String> {
    if answer.status != 308 {
        return Err(format!("answers {} instead of 308", answer.named()));
    }
    let location = answer.location.as_deref().and_then(|l| Url::parse(l).ok());
    let Some(location) = location else {
        return Err("leads nowhere".to_owned());
    };
    let end = format!("{}/oauth/callback", base.path().trim_end_matches('/'));
    // A sandbox on any free port is another one than the one started for this.
    let there = (sandbox || location.origin() == base.origin()) && location.path() == end;
    if !there {
        let to = location.origin().ascii_serialization();
        return Err(format!("leads to {to}{} instead of Nango", location.path()));
    }
    let kept = location.query_pairs().eq(query
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into())));
    if kept {
        Ok(())
    } else {
        Err("loses the query".to_owned())
    }
}
