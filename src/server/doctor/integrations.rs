//! Nango's integrations against the manifests: missing, renamed, of another provider or auth mode.
//!
//! May import `manifest` and `nango`'s wire types.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use serde::Deserialize;

use super::{Check, probe::Probe};
use crate::server::{
    manifest::{Manifest, Registry},
    nango::wire::{Data, Integration},
};

/// Nango's rate limit is 200 a minute, and a server may be at work beside.
const MOST_CALLS: usize = 100;

#[derive(Deserialize)]
struct Provider {
    name: String,
    auth_mode: String,
    #[serde(default)]
    installation: Option<String>,
}

impl Provider {
    fn way_in(self) -> (String, WayIn) {
        let way = WayIn {
            auth_mode: self.auth_mode,
            outbound: self.installation.as_deref() == Some("outbound"),
        };
        (self.name, way)
    }
}

/// How one signs in: with a window in the way of an outbound installation, or the other way round,
/// every attempt fails (`auth_mode_err`).
#[derive(PartialEq, Eq)]
struct WayIn {
    auth_mode: String,
    outbound: bool,
}

impl WayIn {
    fn of(manifest: &Manifest) -> Self {
        Self {
            auth_mode: manifest.nango.auth_mode.clone(),
            outbound: manifest.is_outbound(),
        }
    }

    fn told(&self) -> String {
        let outbound = if self.outbound {
            " with installation outbound"
        } else {
            ""
        };
        format!("{}{outbound}", self.auth_mode)
    }
}

pub async fn checks(probe: &Probe, registry: &Registry, found: &[Integration]) -> Vec<Check> {
    let by_key: BTreeMap<&str, &Integration> = found
        .iter()
        .map(|integration| (integration.unique_key.as_str(), integration))
        .collect();
    let wanted: Vec<&Manifest> = registry.all().iter().filter(|m| m.nango.enabled).collect();
    let keys: BTreeSet<&str> = wanted
        .iter()
        .map(|manifest| manifest.nango.provider_key.as_str())
        .collect();
    let mut there = Vec::new();
    let mut missing = Vec::new();
    let mut renamed = Vec::new();
    let mut others = Vec::new();
    for manifest in wanted {
        let (slug, key) = (&manifest.slug, manifest.nango.provider_key.as_str());
        match by_key.get(key) {
            Some(integration) if integration.provider == manifest.provider() => {
                there.push(manifest);
            }
            Some(integration) => others.push(format!(
                "{slug}: “{key}” is of provider {} in Nango, of {} in the manifest",
                integration.provider,
                manifest.provider()
            )),
            None => {
                // One that another manifest names is no candidate for this one.
                let elsewhere: Vec<&str> = found
                    .iter()
                    .filter(|i| i.provider == manifest.provider())
                    .map(|i| i.unique_key.as_str())
                    .filter(|key| !keys.contains(key))
                    .collect();
                if elsewhere.is_empty() {
                    missing.push(slug.as_str());
                } else {
                    let elsewhere = elsewhere.join("”, “");
                    renamed.push(format!(
                        "{slug}: “{key}” is wanted, Nango has “{elsewhere}”"
                    ));
                }
            }
        }
    }
    vec![
        present(there.len(), &missing),
        renamings(renamed),
        providers(others),
        auth_modes(probe, &there).await,
    ]
}

fn present(there: usize, missing: &[&str]) -> Check {
    const ID: &str = "integrations.missing";
    let fix = "Create them in Nango under the manifest's key, or switch the connectors off (nango.enabled in the manifest).";
    if missing.is_empty() {
        return Check::ok(ID, format!("all {there} connectors have their integration"));
    }
    let details = vec![missing.join(", ")];
    if there == 0 {
        let summary = "no connector has an integration in Nango: nothing can be connected";
        return Check::failed(ID, summary, fix).with(details);
    }
    let all = there + missing.len();
    let summary = format!(
        "{} of {all} connectors have no integration in Nango",
        missing.len()
    );
    Check::warning(ID, summary, fix).with(details)
}

fn renamings(renamed: Vec<String>) -> Check {
    const ID: &str = "integrations.renamed";
    if renamed.is_empty() {
        return Check::ok(ID, "no integration goes by another key");
    }
    Check::failed(
        ID,
        format!("{} connectors' integrations go by another key in Nango", renamed.len()),
        "Set nango.provider_key in the manifest to Nango's key (and nango.provider to the provider), or create the integration under the manifest's key.",
    )
    .with(renamed)
}

fn providers(others: Vec<String>) -> Check {
    const ID: &str = "integrations.provider";
    if others.is_empty() {
        return Check::ok(ID, "every integration is of its manifest's provider");
    }
    Check::failed(
        ID,
        format!("{} integrations are of another provider than their manifest's", others.len()),
        "Correct nango.provider in the manifest, or create the integration anew with the right provider.",
    )
    .with(others)
}

async fn auth_modes(probe: &Probe, there: &[&Manifest]) -> Check {
    const ID: &str = "integrations.auth_mode";
    let wanted: BTreeSet<&str> = there.iter().map(|manifest| manifest.provider()).collect();
    let modes = match all_modes(probe).await {
        Some(modes) => modes,
        None => single_modes(probe, &wanted).await,
    };
    let mut wrong = Vec::new();
    let mut untold = Vec::new();
    for manifest in there {
        let ours = WayIn::of(manifest);
        match modes.get(manifest.provider()) {
            Some(theirs) if *theirs == ours => {}
            Some(theirs) => wrong.push(format!(
                "{}: {} in Nango, {} in the manifest",
                manifest.slug,
                theirs.told(),
                ours.told()
            )),
            None => untold.push(manifest.slug.as_str()),
        }
    }
    if !wrong.is_empty() {
        return Check::failed(
            ID,
            format!("{} connectors sign in another way in Nango", wrong.len()),
            "Correct nango.auth_mode and nango.installation in the manifest.",
        )
        .with(wrong);
    }
    if !untold.is_empty() {
        return Check::warning(
            ID,
            format!("Nango did not tell how {} connectors sign in", untold.len()),
            "Run this again in a minute.",
        )
        .with(vec![untold.join(", ")]);
    }
    Check::ok(ID, "every integration signs in as its manifest says")
}

/// Of all providers at once.
async fn all_modes(probe: &Probe) -> Option<BTreeMap<String, WayIn>> {
    let answer = probe.get(&["providers"], &[]).await.ok()?;
    let list: Data<Vec<Provider>> = answer.json()?;
    Some(list.data.into_iter().map(Provider::way_in).collect())
}

/// One by one, where there is no list.
async fn single_modes(probe: &Probe, wanted: &BTreeSet<&str>) -> BTreeMap<String, WayIn> {
    let calls = wanted.iter().take(MOST_CALLS).map(|name| async move {
        let answer = probe.get(&["providers", name], &[]).await.ok()?;
        let provider: Data<Provider> = answer.json()?;
        Some(((*name).to_owned(), provider.data.way_in().1))
    });
    stream::iter(calls)
        .buffer_unordered(4)
        .filter_map(std::future::ready)
        .collect()
        .await
}
