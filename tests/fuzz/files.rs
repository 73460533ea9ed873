//! What an operator writes: the settings, as a file and in the environment, and manifests.

use std::cell::RefCell;

use patchbay::server::{
    config::{Config, ConfigErrors, Kind, NangoMode, OIDC_PROVIDER, Place, SETTINGS, TokenKeys},
    manifest::{Checker, Manifest},
};
use proptest::{collection::vec, prelude::*, sample::select};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::{Verdict, fuzz, mangled, share};

/// Stands wherever a secret may stand, and in no message.
const SECRET: &str = "5ecr37-d0-n0t-te11-5ecr37-d0-n0t-te11";

/// By its name: a new setting that holds a key is a secret here without a line of its own. The
/// address of a database has a password in it.
fn is_secret(variable: &str) -> bool {
    ["SECRET", "_KEY", "PASSWORD", "DATABASE", "HEADERS"]
        .iter()
        .any(|part| variable.contains(part))
}

/// Whatever the settings: the sandbox is for this machine only, and neither a refusal nor the
/// settings themselves tell a secret.
fn sound(outcome: Result<Config, ConfigErrors>, told_elsewhere: bool) -> Verdict {
    match outcome {
        Ok(config) => {
            let sandbox = matches!(config.nango_mode(), NangoMode::Sandbox);
            prop_assert!(!sandbox || config.is_loopback(), "a sandbox for everybody");
            prop_assert!(matches!(
                config.server.public_url.scheme(),
                "http" | "https"
            ));
            let shown = format!("{config:?}");
            prop_assert!(told_elsewhere || !shown.contains(SECRET), "{}", shown);
        }
        Err(errors) => {
            let text = errors.to_string();
            prop_assert!(!errors.0.is_empty() && !text.is_empty());
            prop_assert!(told_elsewhere || !text.contains(SECRET), "{}", text);
            for error in &errors.0 {
                let name = match &error.place {
                    Place::Env(name) => name.clone(),
                    Place::File { key, .. } => variable(key),
                };
                let told = is_secret(&name) && error.reason.contains(SECRET);
                prop_assert!(!told, "{}", error);
            }
        }
    }
    Ok(())
}

/// `[token] secret` as a variable: `TOKEN_SECRET`.
fn variable(key: &str) -> String {
    let words = key.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join("_").to_ascii_uppercase()
}

/// One provider, as `[oidc] providers` names it.
const PROVIDER: &str = "google";

/// The settings of that provider too, each with its variable.
fn settings() -> Vec<(String, &'static str, String, Kind, Option<&'static str>)> {
    SETTINGS
        .iter()
        .chain(&OIDC_PROVIDER)
        .map(|setting| {
            let section = setting.section.replace("NAME", PROVIDER);
            let env = setting.env.replacen("NAME", "GOOGLE", 1);
            (section, setting.key, env, setting.kind, setting.default)
        })
        .collect()
}

/// Every setting with its default, or with something of the right kind.
fn settings_text() -> String {
    let mut text = String::new();
    let mut last = String::new();
    for (section, key, env, kind, default) in settings() {
        if section != last {
            text.push_str(&format!("\n[{section}]\n"));
            last = section;
        }
        let value = match &*env {
            "DATABASE_URL" | "DATABASE_DIRECT_URL" => {
                format!("postgres://user:{SECRET}@db.example:5432/patchbay")
            }
            "OTEL_EXPORTER_OTLP_HEADERS" => format!("authorization={SECRET}"),
            name if name.ends_with("_ADDR") => default.unwrap_or("127.0.0.1:9464").to_owned(),
            "OIDC_PROVIDERS" => PROVIDER.to_owned(),
            "TOKEN_ALGORITHMS" => "HS256".to_owned(),
            // The two kinds of keys are never mixed.
            "TOKEN_JWKS_URL" => continue,
            name if is_secret(name) => SECRET.to_owned(),
            name if name.ends_with("ISSUER") => "https://issuer.example".to_owned(),
            name if ["URL", "ORIGINS", "ENDPOINT"]
                .iter()
                .any(|e| name.ends_with(e)) =>
            {
                default.unwrap_or("https://a.example").to_owned()
            }
            "TRUSTED_PROXIES" => "10.0.0.0/8".to_owned(),
            _ => default.unwrap_or("x").to_owned(),
        };
        match kind {
            Kind::Text => text.push_str(&format!("{key} = {value:?}\n")),
            Kind::Number | Kind::Flag => text.push_str(&format!("{key} = {value}\n")),
        }
    }
    text
}

/// Whether the secret stands where no secret belongs: as a name, or as what is to be shown.
fn is_told_elsewhere(table: &toml::Table, path: &str) -> bool {
    table.iter().any(|(name, value)| {
        let path = format!("{path} {name}");
        name.contains(SECRET)
            || match value {
                toml::Value::Table(inner) => is_told_elsewhere(inner, &path),
                value => !is_secret(&variable(&path)) && value.to_string().contains(SECRET),
            }
    })
}

#[test]
fn every_secret_of_the_settings_is_taken_for_one() {
    let text = settings_text();
    let config = Config::read(&text, &|_| None).unwrap_or_else(|e| panic!("{e}\n{text}"));
    assert!(!format!("{config:?}").contains(SECRET));
    for (name, held) in [
        ("NANGO_SECRET_KEY", config.nango.secret_key),
        (
            "NANGO_WEBHOOK_SIGNING_KEY",
            config.nango.webhook_signing_key,
        ),
        ("SANDBOX_SECRET_KEY", Some(config.sandbox.secret_key)),
        ("DATABASE_URL", Some(config.database.url)),
        ("DATABASE_DIRECT_URL", config.database.direct_url),
        (
            "OIDC_GOOGLE_CLIENT_SECRET",
            config.oidc[0].client_secret.clone(),
        ),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            config.traces.and_then(|traces| traces.headers),
        ),
        (
            "TOKEN_SECRET",
            config.token.and_then(|token| match token.keys {
                TokenKeys::Secret(secret) => Some(secret),
                TokenKeys::Jwks(_) => None,
            }),
        ),
    ] {
        let held = held.unwrap_or_else(|| panic!("no {name}"));
        assert!(
            is_secret(name) && held.expose_secret().contains(SECRET),
            "{name}"
        );
    }
}

#[test]
fn any_settings_file_is_read_or_refused() {
    let full = settings_text();
    let shipped = std::fs::read_to_string("Leptos.toml").expect("the file that ships");
    let small =
        format!("[server]\nlisten_addr = \"127.0.0.1:3000\"\n[nango]\nsecret_key = \"{SECRET}\"\n");
    let token = format!("[token]\nissuer = \"a\"\naudience = \"b\"\nsecret = \"{SECRET}\"\n");
    let cases = mangled::text(&[&full, &shipped, &small, &token, ""]);
    fuzz("Leptos.toml", share::CONFIG_TEXT, cases, |text| {
        let read = text.parse::<toml::Table>();
        let told = read.is_ok_and(|table| is_told_elsewhere(&table, ""));
        sound(Config::read(&text, &|_| None), told)
    });
}

/// With these a token and a provider are set up, and what is wrong with their secrets is met.
const TRUST: [(&str, &str); 5] = [
    ("OIDC_PROVIDERS", PROVIDER),
    ("OIDC_GOOGLE_ISSUER", "https://issuer.example"),
    ("OIDC_GOOGLE_CLIENT_ID", "patchbay"),
    ("TOKEN_ISSUER", "https://product.example"),
    ("TOKEN_AUDIENCE", "patchbay"),
];

/// Where in a secret's value the secret itself stands.
#[derive(Clone, Copy, Debug)]
enum Stands {
    Alone,
    First,
    Last,
}

#[test]
fn any_environment_is_read_or_refused() {
    let names: Vec<String> = settings()
        .into_iter()
        .map(|(_, _, env, _, _)| env)
        .chain(["PORT", "NO_SUCH"].map(str::to_owned))
        .collect();
    let secrets: Vec<String> = names.iter().filter(|n| is_secret(n)).cloned().collect();
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
        "HS256,HS512",
        "10.0.0.0/8",
    ]);
    let stands = select(&[Stands::Alone, Stands::First, Stands::Last][..]);
    let names = prop_oneof![2 => select(names), 1 => select(secrets)];
    let cases = (vec((names, values, stands), 0..6), any::<bool>());
    fuzz(
        "environment",
        share::CONFIG_ENVIRONMENT,
        cases,
        |(all, trust)| {
            let value = |name: &str| {
                let found = all.iter().find(|(known, _, _)| known == name);
                if let Some((_, value, stands)) = found {
                    // A secret's value may well be refused.
                    return Some(match stands {
                        _ if !is_secret(name) => value.clone(),
                        Stands::Alone => SECRET.to_owned(),
                        Stands::First => format!("{SECRET}{value}"),
                        Stands::Last => format!("{value}{SECRET}"),
                    });
                }
                let found = TRUST.iter().find(|(known, _)| trust && *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            sound(Config::read("", &value), false)
        },
    );
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
