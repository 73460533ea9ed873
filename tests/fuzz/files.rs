//! What an operator writes: the settings, as a file and in the environment, and manifests.

use std::cell::RefCell;

use patchbay::server::{
    config::{Config, Kind, NangoMode, SETTINGS},
    manifest::{Checker, Manifest},
};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};

use crate::{Verdict, fuzz, mangled, share};

/// Stands wherever a secret may stand, and in no message.
const SECRET: &str = "5ecr37-d0-n0t-te11";

/// Whatever the settings: the sandbox is for this machine only, and no refusal repeats a secret.
fn sound(outcome: Result<Config, patchbay::server::config::ConfigErrors>) -> Verdict {
    match outcome {
        Ok(config) => {
            let sandbox = matches!(config.nango_mode(), NangoMode::Sandbox);
            prop_assert!(!sandbox || config.is_loopback(), "a sandbox for everybody");
            prop_assert!(matches!(
                config.server.public_url.scheme(),
                "http" | "https"
            ));
        }
        Err(errors) => {
            let text = errors.to_string();
            prop_assert!(!errors.0.is_empty() && !text.is_empty());
            prop_assert!(!text.contains(SECRET), "{}", text);
        }
    }
    Ok(())
}

/// Every setting with its default, or with something of the right kind.
fn settings_text() -> String {
    let mut text = String::new();
    let mut section = "";
    for setting in SETTINGS {
        if setting.section != section {
            section = setting.section;
            text.push_str(&format!("\n[{section}]\n"));
        }
        let value = if setting.key.contains("key") {
            SECRET
        } else {
            setting.default.unwrap_or("x")
        };
        match setting.kind {
            Kind::Text => text.push_str(&format!("{} = {value:?}\n", setting.key)),
            Kind::Number | Kind::Flag => text.push_str(&format!("{} = {value}\n", setting.key)),
        }
    }
    text
}

#[test]
fn any_settings_file_is_read_or_refused() {
    let full = settings_text();
    let shipped = std::fs::read_to_string("Leptos.toml").expect("the file that ships");
    let small =
        format!("[server]\nlisten_addr = \"127.0.0.1:3000\"\n[nango]\nsecret_key = \"{SECRET}\"\n");
    let cases = mangled::text(&[&full, &shipped, &small, ""]);
    fuzz("Leptos.toml", share::CONFIG_TEXT, cases, |text| {
        // A key that is written as a table's name is no secret any more.
        let outcome = Config::read(&text, &|_| None);
        if outcome
            .as_ref()
            .is_err_and(|errors| errors.to_string().contains(SECRET))
        {
            let named = text.lines().any(|line| {
                line.split('=')
                    .next()
                    .is_some_and(|name| name.contains(SECRET))
            });
            prop_assert!(named || !text.contains("_key"), "{:?}", outcome);
            return Ok(());
        }
        sound(outcome)
    });
}

#[test]
fn any_environment_is_read_or_refused() {
    let names: Vec<&'static str> = SETTINGS
        .iter()
        .map(|setting| setting.env)
        .chain(["PORT", "NO_SUCH"])
        .collect();
    let values = mangled::text(&[
        "127.0.0.1:3000",
        "0.0.0.0:80",
        "https://connect.example.com",
        "http://localhost:3000",
        "data/patchbay.db",
        "postgres://user:pa%2Fss@db.example:5432/patchbay",
        "sqlite://x",
        "true",
        "180",
        "30",
        "info",
        "warn,patchbay=debug",
        "json",
    ]);
    let cases = vec((select(names), values), 0..6);
    fuzz("environment", share::CONFIG_ENVIRONMENT, cases, |all| {
        sound(Config::read("", &|name| {
            let secret = name.ends_with("_KEY");
            let found = all.iter().find(|(known, _)| *known == name);
            // A key gets a value too, and one that may well be refused.
            found.map(|(_, value)| {
                if secret {
                    format!("{SECRET} {value}")
                } else {
                    value.clone()
                }
            })
        }))
    });
}

/// The manifests that ship, by slug.
fn shipped() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("manifests").expect("the manifests") {
        let path = entry.expect("an entry").path();
        let stem = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if stem != "schema" && path.extension().is_some_and(|ending| ending == "json") {
            found.push((stem, std::fs::read_to_string(&path).expect("a manifest")));
        }
    }
    found.sort();
    found
}

/// An accepted manifest can be shown: in addresses, in the sprite, and to the browser.
fn shows(manifest: &Manifest, stem: &str) -> Verdict {
    prop_assert_eq!(&manifest.slug, stem);
    let plain = |text: &str| !text.contains(['<', '>', '"', '&']);
    prop_assert!(plain(&manifest.slug) && manifest.icon.path.as_deref().is_none_or(plain));
    prop_assert_eq!(&manifest.connector().slug, stem);
    let details = serde_json::to_string(&manifest.details());
    prop_assert!(details.is_ok());
    Ok(())
}

fn check(checker: &RefCell<Checker>, stem: &str, json: &[u8]) -> Verdict {
    let mut checker = checker.borrow_mut();
    checker.errors.clear();
    let found = checker.read("fuzz.json", stem, json);
    prop_assert!(
        !checker.errors.is_empty() || found.is_some(),
        "refused without a word"
    );
    match found {
        Some(manifest) if checker.errors.is_empty() => shows(&manifest, stem),
        _ => Ok(()),
    }
}

#[test]
fn any_manifests_text_is_read_or_refused() {
    let shipped = shipped();
    let texts: Vec<&str> = shipped.iter().map(|(_, text)| text.as_str()).collect();
    let stems: Vec<String> = shipped.iter().map(|(stem, _)| stem.clone()).collect();
    let checker = RefCell::new(Checker::new().expect("the schema"));
    let cases = (mangled::bytes(&texts), select(stems));
    fuzz(
        "manifest text",
        share::MANIFEST_TEXT,
        cases,
        |(json, stem)| check(&checker, &stem, &json),
    );
}

/// How many values are in this one, itself included.
fn count(value: &Value) -> usize {
    match value {
        Value::Array(all) => 1 + all.iter().map(count).sum::<usize>(),
        Value::Object(all) => 1 + all.values().map(count).sum::<usize>(),
        _ => 1,
    }
}

/// Puts something else in the place of the value that is reached after so many others.
fn replace(value: &mut Value, at: &mut usize, other: &Value) {
    if *at == 0 {
        *value = other.clone();
    }
    *at = at.wrapping_sub(1);
    match value {
        Value::Array(all) => all.iter_mut().for_each(|value| replace(value, at, other)),
        Value::Object(all) => all.values_mut().for_each(|value| replace(value, at, other)),
        _ => {}
    }
}

fn other() -> impl Strategy<Value = Value> {
    let text = mangled::text(&[
        "gmail",
        "^[a-z0-9-]+$",
        "OAUTH2",
        "API_KEY",
        "(",
        "[",
        "(?=x)",
        "a{1,99999}",
        "((((a*)*)*)*)*",
        "M0 0h24v24z",
        "#EA4335",
        "https://example.com",
        "${connectionConfig.subdomain}",
    ]);
    prop_oneof![
        6 => text.prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => Just(json!([])),
        1 => Just(json!({})),
        1 => Just(json!([{ "name": "a", "label": "A" }, { "name": "a", "label": "A" }])),
        1 => Just(json!({ "enabled": true, "provider_key": "x", "auth_mode": "OAUTH2" })),
    ]
}

#[test]
fn any_manifests_values_are_read_or_refused() {
    let shipped: Vec<(String, Value)> = shipped()
        .into_iter()
        .map(|(stem, text)| (stem, serde_json::from_str(&text).expect("JSON")))
        .collect();
    let checker = RefCell::new(Checker::new().expect("the schema"));
    let cases = (0..shipped.len(), vec((any::<u16>(), other()), 1..4));
    fuzz(
        "manifest values",
        share::MANIFEST_VALUE,
        cases,
        |(which, changes)| {
            let (stem, mut value) = shipped[which].clone();
            for (at, other) in &changes {
                let mut at = usize::from(*at) % count(&value);
                replace(&mut value, &mut at, other);
            }
            check(&checker, &stem, value.to_string().as_bytes())
        },
    );
}
