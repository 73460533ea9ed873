//! The 99 manifests that ship: sound, agreed with Nango, and each one about its own product.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
};

use patchbay::server::manifest::{Manifest, Registry};

fn all() -> Vec<Manifest> {
    Registry::load(None).unwrap().all().to_vec()
}

#[test]
fn there_are_99_over_the_categories_and_auth_modes() {
    let all = all();
    assert_eq!(all.len(), 99);
    let off: Vec<&str> = all
        .iter()
        .filter(|m| !m.nango.enabled)
        .map(|m| m.slug.as_str())
        .collect();
    assert!(off.is_empty(), "switched off: {off:?}");
    let categories: BTreeSet<&str> = all.iter().map(|m| m.category.as_str()).collect();
    assert!(categories.len() >= 14, "{categories:?}");
    let mut modes: BTreeMap<&str, usize> = BTreeMap::new();
    for manifest in &all {
        *modes.entry(&manifest.nango.auth_mode).or_default() += 1;
    }
    assert!(modes["OAUTH2"] >= 70, "{modes:?}");
    for mode in ["API_KEY", "BASIC", "OAUTH2_CC"] {
        assert!(modes.contains_key(mode), "{modes:?}");
    }
}

#[test]
fn zendesk_and_shopify_need_a_subdomain() {
    let all = all();
    for slug in ["zendesk", "shopify"] {
        let manifest = all.iter().find(|m| m.slug == slug).unwrap();
        let field = manifest
            .inputs
            .iter()
            .find(|f| f.name == "subdomain")
            .unwrap();
        assert!(!field.optional && field.pattern.is_some(), "{field:?}");
    }
}

#[test]
fn names_and_texts_belong_to_one_connector_each() {
    type Text = fn(&Manifest) -> &String;
    let texts: [(&str, Text); 4] = [
        ("name", |m| &m.name),
        ("summary", |m| &m.summary),
        ("description", |m| &m.description),
        ("disconnect_stops", |m| &m.disconnect_stops),
    ];
    let all = all();
    for (field, text) in texts {
        let mut seen: HashMap<&str, &str> = HashMap::new();
        for manifest in &all {
            if let Some(other) = seen.insert(text(manifest), &manifest.slug) {
                panic!("{} and {other} share their {field}", manifest.slug);
            }
        }
    }
}

/// Its words in lower case, without the product's own name.
fn words(manifest: &Manifest, text: &str) -> Vec<String> {
    let text = text
        .to_lowercase()
        .replace(&manifest.name.to_lowercase(), " ");
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn no_description_fits_another_connector_by_swapping_the_name() {
    let all = all();
    let mut whole: HashMap<Vec<String>, &str> = HashMap::new();
    let mut runs: HashMap<Vec<String>, &str> = HashMap::new();
    let mut shared = Vec::new();
    for manifest in &all {
        let description = words(manifest, &manifest.description);
        if let Some(other) = whole.insert(description.clone(), &manifest.slug) {
            shared.push(format!(
                "{} and {other}: the whole description",
                manifest.slug
            ));
        }
        for text in [description, words(manifest, &manifest.summary)] {
            for run in text.windows(8) {
                if let Some(other) = runs.insert(run.to_vec(), &manifest.slug)
                    && other != manifest.slug
                {
                    shared.push(format!("{} and {other}: {}", manifest.slug, run.join(" ")));
                }
            }
        }
    }
    assert!(shared.is_empty(), "{shared:#?}");
}

/// One line of `providers.tsv`.
pub struct Provider {
    pub auth_mode: String,
    /// Connection configuration and whether it is optional.
    pub config: Vec<(String, bool)>,
    credentials: Vec<(String, bool)>,
}

pub fn providers(path: &Path) -> HashMap<String, Provider> {
    let text = std::fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("NANGO_RECORDINGS: {}: {error}", path.display()));
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next().unwrap().split('\t').collect();
    let column = |name: &str| {
        let at = head.iter().position(|h| *h == name);
        at.unwrap_or_else(|| panic!("{} has no column {name}", path.display()))
    };
    let (key, mode) = (column("provider"), column("auth_mode"));
    let (config, credentials) = (
        column("connection_config_fields"),
        column("credential_fields"),
    );
    let fields = |text: &str| {
        text.split(',')
            .filter(|field| !field.is_empty())
            .map(|field| match field.strip_suffix('?') {
                Some(name) => (name.to_owned(), true),
                None => (field.to_owned(), false),
            })
            .collect()
    };
    lines
        .map(|line| {
            let cells: Vec<&str> = line.split('\t').collect();
            let provider = Provider {
                auth_mode: cells[mode].to_owned(),
                config: fields(cells[config]),
                credentials: fields(cells[credentials]),
            };
            (cells[key].to_owned(), provider)
        })
        .collect()
}

/// What in the manifest disagrees with Nango's provider.
fn disagreements(manifest: &Manifest, provider: Option<&Provider>) -> Vec<String> {
    let Some(provider) = provider else {
        return vec![format!("Nango has no provider {}", manifest.provider())];
    };
    let mut found = Vec::new();
    let mode = manifest.nango.auth_mode.as_str();
    if mode != provider.auth_mode {
        found.push(format!(
            "auth mode {mode}, Nango’s is {}",
            provider.auth_mode
        ));
    }
    // Where the list names none, the auth mode says which ones Nango's endpoint takes.
    let by_mode: &[(&str, bool)] = match mode {
        "API_KEY" => &[("apiKey", false)],
        "BASIC" => &[("username", true), ("password", true)],
        "OAUTH2_CC" => &[("client_id", false), ("client_secret", false)],
        _ => &[],
    };
    let by_mode: Vec<(String, bool)> = by_mode.iter().map(|(n, o)| ((*n).to_owned(), *o)).collect();
    let credentials = if provider.credentials.is_empty() {
        &by_mode
    } else {
        &provider.credentials
    };
    for (kind, ours, theirs) in [
        ("input", &manifest.inputs, &provider.config),
        ("credential", &manifest.credentials, credentials),
    ] {
        for (name, optional) in theirs {
            match ours.iter().find(|field| field.name == *name) {
                None if !optional => found.push(format!("{kind} {name} is missing")),
                Some(field) if field.optional && !optional => {
                    found.push(format!("{kind} {name} is not optional"));
                }
                _ => {}
            }
        }
        for field in ours {
            if !theirs.iter().any(|(name, _)| *name == field.name) {
                found.push(format!("{kind} {} is unknown to Nango", field.name));
            }
        }
    }
    found
}

#[test]
fn every_manifest_agrees_with_nango() {
    let Some(recordings) = std::env::var_os("NANGO_RECORDINGS").filter(|v| !v.is_empty()) else {
        println!("skipped: NANGO_RECORDINGS names no folder with providers.tsv");
        return;
    };
    let providers = providers(&Path::new(&recordings).join("providers.tsv"));
    let mut found = Vec::new();
    for manifest in all() {
        let provider = providers.get(manifest.provider());
        let told = disagreements(&manifest, provider).into_iter();
        found.extend(told.map(|reason| format!("{}: {reason}", manifest.slug)));
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_comparison_with_nango_finds_each_disagreement() {
    let all = all();
    let zendesk = all.iter().find(|m| m.slug == "zendesk").unwrap();
    let theirs = |auth_mode: &str, config: &[(&str, bool)]| Provider {
        auth_mode: auth_mode.to_owned(),
        config: config.iter().map(|(n, o)| ((*n).to_owned(), *o)).collect(),
        credentials: Vec::new(),
    };
    let told = |provider: &Provider| disagreements(zendesk, Some(provider));
    assert!(told(&theirs("OAUTH2", &[("subdomain", false)])).is_empty());
    assert!(told(&theirs("OAUTH2", &[("subdomain", true)])).is_empty());
    assert_eq!(
        disagreements(zendesk, None),
        ["Nango has no provider zendesk"]
    );
    assert_eq!(
        told(&theirs(
            "BASIC",
            &[("subdomain", false), ("region", false), ("x", true)]
        )),
        [
            "auth mode OAUTH2, Nango’s is BASIC",
            "input region is missing"
        ]
    );
    assert_eq!(
        told(&theirs("OAUTH2", &[("host", false)])),
        [
            "input host is missing",
            "input subdomain is unknown to Nango"
        ]
    );
    let mut optional = zendesk.clone();
    optional.inputs[0].optional = true;
    assert_eq!(
        disagreements(&optional, Some(&theirs("OAUTH2", &[("subdomain", false)]))),
        ["input subdomain is not optional"]
    );
}
