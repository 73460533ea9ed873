//! What the settings come to, as `patchbay config print` shows it, and what may not be shown.

use std::collections::{BTreeMap, BTreeSet};

use patchbay::server::config::{
    Config, OIDC_PROVIDER, Origin, SETTINGS, Secrecy, Setting, Settings,
};

use super::fresh_dir;

type Env<'a> = &'a [(&'a str, &'a str)];

fn explained(name: &str, file: &str, env: Env) -> (Config, Settings) {
    let path = fresh_dir(name).join("Leptos.toml");
    std::fs::write(&path, file).unwrap();
    let env: BTreeMap<&str, &str> = env.iter().copied().collect();
    Config::explained(Some(&path), &|name| {
        env.get(name).map(|value| (*value).to_owned())
    })
    .unwrap()
}

/// Something in every corner; what is secret is `hunter2`.
const FILE: &str = "[server]\ntrusted_proxies = \"10.0.0.0/8\"\n\
    [nango]\ntimeout_seconds = 0x14\nsecret_key = \"hunter2\"\n\
    [oidc]\nproviders = \"google, corp\"\n\
    [oidc.google]\nissuer = \"https://accounts.google.com\"\nclient_id = \"a\\\"b\"\n\
    client_secret = \"hunter2\"\n";
const ENV: Env = &[
    ("PORT", "8080"),
    ("PUBLIC_URL", "https://connect.example.com/"),
    ("DATABASE_URL", "postgres://u:hunter2@db/patchbay"),
    ("DATABASE_DIRECT_URL", "postgres://u@direct/patchbay"),
    ("NANGO_ENABLED", " 1 "),
    ("NANGO_CALLS_PER_MINUTE", "0060"),
    ("NANGO_WEBHOOK_SIGNING_KEY", "hunter2"),
    ("SANDBOX_SECRET_KEY", "hunter2"),
    ("OIDC_GOOGLE_CLIENT_ID", "from\\the\"environment\""),
    ("OIDC_CORP_ISSUER", "http://127.0.0.1:9000/realms/corp/"),
    ("OIDC_CORP_CLIENT_ID", "patchbay"),
    ("TOKEN_ISSUER", "https://issuer.example"),
    ("TOKEN_AUDIENCE", "patchbay"),
    ("TOKEN_SECRET", "hunter2-hunter2-hunter2-hunter2-hunter2"),
    ("RUST_LOG", "warn,patchbay=debug"),
];

#[test]
fn every_setting_is_read_and_shown() {
    let (_, settings) = explained("shown", "", &[]);
    let shown: Vec<_> = settings.all.iter().map(|s| s.env.as_str()).collect();
    let wanted: Vec<_> = SETTINGS.iter().map(|s| s.env).collect();
    assert_eq!(shown, wanted);
    let text = settings.to_string();
    for setting in SETTINGS {
        assert!(text.contains(&format!("{} ", setting.key)), "{text}");
    }
    let (_, settings) = explained("shown-provider", FILE, ENV);
    let shown: BTreeSet<_> = settings.all.iter().map(|s| s.env.as_str()).collect();
    for setting in OIDC_PROVIDER {
        let env = setting.env.replacen("NAME", "GOOGLE", 1);
        assert!(shown.contains(env.as_str()), "{shown:?}");
    }
}

#[test]
fn what_is_printed_can_be_read_again_with_the_secrets_beside_it() {
    let (config, settings) = explained("again", FILE, ENV);
    let text = settings.to_string();
    let secrets: BTreeMap<&str, &str> = [
        ("DATABASE_URL", "postgres://u:hunter2@db/patchbay"),
        ("NANGO_SECRET_KEY", "hunter2"),
        ("NANGO_WEBHOOK_SIGNING_KEY", "hunter2"),
        ("SANDBOX_SECRET_KEY", "hunter2"),
        ("OIDC_GOOGLE_CLIENT_SECRET", "hunter2"),
        ("TOKEN_SECRET", "hunter2-hunter2-hunter2-hunter2-hunter2"),
    ]
    .into();
    let again = Config::read(&text, &|name| secrets.get(name).map(|v| (*v).to_owned()));
    let again = again.unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    assert_eq!(format!("{again:?}"), format!("{config:?}"), "{text}");
    // Nothing but the secrets was missing.
    let (config, settings) = explained("again-defaults", "", &[]);
    let again = Config::read(&settings.to_string(), &|_| None).unwrap();
    assert_eq!(format!("{again:?}"), format!("{config:?}"));
}

#[test]
fn no_secret_is_printed_and_its_place_is() {
    let (_, settings) = explained("secrets", FILE, ENV);
    let (text, json) = (settings.to_string(), settings.json());
    for printed in [&text, &json, &format!("{settings:?}")] {
        assert!(!printed.contains("hunter2"), "{printed}");
    }
    for line in [
        "# url = \"postgres://u:•••@db/patchbay\"  # environment variable DATABASE_URL",
        "direct_url = \"postgres://u@direct/patchbay\"  # environment variable DATABASE_DIRECT_URL",
        "# webhook_signing_key = \"•••\"  # environment variable NANGO_WEBHOOK_SIGNING_KEY",
        "listen_addr = \"0.0.0.0:8080\"  # environment variable PORT",
        "calls_per_minute = 60  # environment variable NANGO_CALLS_PER_MINUTE",
        "enabled = true  # environment variable NANGO_ENABLED",
        "reconcile_seconds = 300  # default",
        "name = \"Google\"  # made of other settings",
        "algorithms = \"HS256\"  # made of other settings",
        "# manifests_dir is not set (MANIFESTS_DIR)",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    let of_the_file = text.lines().filter(|line| line.contains("Leptos.toml:"));
    let of_the_file: Vec<_> = of_the_file.collect();
    assert_eq!(of_the_file.len(), 6, "{text}");
    assert!(
        of_the_file[1].starts_with("# secret_key = \"•••\"  # /"),
        "{text}"
    );
    assert!(of_the_file[1].ends_with("Leptos.toml:5"), "{text}");
    let entries: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    let key = entries.iter().find(|e| e["variable"] == "NANGO_SECRET_KEY");
    let key = key.unwrap();
    assert_eq!(
        (&key["hidden"], &key["value"]),
        (&true.into(), &"•••".into())
    );
    let unset = entries.iter().find(|e| e["variable"] == "MANIFESTS_DIR");
    assert!(unset.unwrap()["value"].is_null());
}

/// Whoever adds a setting that is a secret is told here to say so.
#[test]
fn what_sounds_like_a_secret_is_one() {
    let sounds = |setting: &&Setting<'_>| {
        let words = [
            "SECRET",
            "PASSWORD",
            "SIGNING_KEY",
            "API_KEY",
            "HEADERS",
            "DATABASE",
        ];
        words.iter().any(|word| setting.env.contains(word))
    };
    let all: Vec<_> = SETTINGS.iter().chain(&OIDC_PROVIDER).collect();
    let sounding: Vec<_> = all.into_iter().filter(sounds).collect();
    assert!(sounding.len() >= 7, "{sounding:?}");
    for setting in sounding {
        assert_ne!(setting.secrecy, Secrecy::Open, "{setting:?}");
    }
}

#[test]
fn origins_are_told() {
    let file = "[limits]\n\nchanges_burst = 5\n";
    let (_, settings) = explained("origins", file, &[("LOG_FORMAT", "json")]);
    let origin = |env: &str| settings.get(env).unwrap().origin.clone();
    assert_eq!(origin("LIMITS_CHANGES_BURST"), Origin::File { line: 3 });
    assert_eq!(
        origin("LOG_FORMAT"),
        Origin::Environment("LOG_FORMAT".to_owned())
    );
    assert_eq!(origin("RUST_LOG"), Origin::Default);
    assert_eq!(origin("PUBLIC_URL"), Origin::Derived);
    assert_eq!(origin("NANGO_SECRET_KEY"), Origin::Unset);
}

#[test]
fn variables_that_are_nearly_ours_are_noticed() {
    let (_, settings) = explained("unknown", FILE, ENV);
    let names = [
        "PATH",
        "SESSION_MANAGER",
        "PORT",
        "PATCHBAY_CONFIG",
        "NANGO_SECRETKEY",
        "NANGO_SECRET_KEY",
        "OIDC_GOOGLE_ISSUER",
        "OIDC_GOGGLE_ISSUER",
        "LIMITS_",
    ];
    assert_eq!(
        settings.unknown(names.into_iter()),
        ["LIMITS_", "NANGO_SECRETKEY", "OIDC_GOGGLE_ISSUER"]
    );
}
