//! The settings of OpenID Connect providers, of the host product's token and of the demo user, and what
//! is refused.

use std::collections::HashMap;

use patchbay::server::config::{Config, ConfigErrors, NoDemo, TokenKeys};
use secrecy::ExposeSecret;

use super::fresh_dir;

fn load(name: &str, file: &str, env: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let path = fresh_dir(name).join("Leptos.toml");
    std::fs::write(&path, file).unwrap();
    let env: HashMap<&str, &str> = env.iter().copied().collect();
    Config::load(Some(&path), &|name| env.get(name).map(|v| (*v).to_owned()))
}

/// The complaints, with the directory of the file left out.
fn complaints(name: &str, file: &str, env: &[(&str, &str)]) -> Vec<String> {
    let errors = load(name, file, env).unwrap_err().to_string();
    let short = |line: &str| match line.find("Leptos.toml") {
        Some(at) if line.starts_with('/') => line[at..].to_owned(),
        _ => line.to_owned(),
    };
    errors.lines().map(short).collect()
}

#[test]
fn providers_come_from_the_file_and_the_environment() {
    let file = "[oidc]\nproviders = \"corp_2, google\"\n\
                [oidc.google]\nissuer = \"https://accounts.google.com\"\nclient_id = \"file\"\n\
                client_secret = \"hunter2\"\nname = \"Google Workspace\"\nscopes = \"openid email\"\n";
    let env = [
        ("OIDC_CORP_2_ISSUER", "http://127.0.0.1:9000/realms/corp/"),
        ("OIDC_CORP_2_CLIENT_ID", "patchbay"),
        ("OIDC_GOOGLE_CLIENT_ID", "env"),
    ];
    let config = load("oidc", file, &env).unwrap();
    let [corp, google] = &config.oidc[..] else {
        panic!("{:?}", config.oidc);
    };
    assert_eq!((&*corp.id, &*corp.name), ("corp_2", "Corp_2"));
    // To the letter, the slash too.
    assert_eq!(corp.issuer, "http://127.0.0.1:9000/realms/corp/");
    assert!(corp.client_secret.is_none());
    assert_eq!(corp.scopes, ["profile", "email"]);
    assert_eq!(
        (&*google.name, &*google.client_id),
        ("Google Workspace", "env")
    );
    let secret = google.client_secret.as_ref().unwrap();
    assert_eq!(secret.expose_secret(), "hunter2");
    assert_eq!(google.scopes, ["email"]);
    assert!(!format!("{config:?}").contains("hunter2"));
    assert!(load("oidc-none", "", &[]).unwrap().oidc.is_empty());
    assert!(load("token-none", "", &[]).unwrap().token.is_none());
}

#[test]
fn what_is_wrong_with_a_provider_is_told_where_it_stands() {
    let file = "[oidc]\nproviders = \"google, corp\"\n\
                [oidc.google]\nissuer = \"http://accounts.google.com\"\nclient = \"x\"\n\
                scopes = \"a\\\"b\"\n[oidc.gogle]\nname = \"Google\"\n[oidc.Corp]\n\
                [nango.eu]\nenabled = true\n";
    let env = [("OIDC_CORP_ISSUER", "corp"), ("OIDC_CORP_NAME", "\u{7}x")];
    assert_eq!(
        complaints("oidc-wrong", file, &env),
        [
            "Leptos.toml:2: [oidc] providers: needs [oidc.google] client_id or \
             OIDC_GOOGLE_CLIENT_ID",
            "Leptos.toml:2: [oidc] providers: needs [oidc.corp] client_id or OIDC_CORP_CLIENT_ID",
            "Leptos.toml:4: [oidc.google] issuer: must be https: anybody on the way could change \
             what it answers",
            "Leptos.toml:5: [oidc.google] client: there is no such setting; [oidc.google] has \
             issuer, client_id, client_secret, name, scopes",
            "Leptos.toml:6: [oidc.google] scopes: are not scopes with spaces between them",
            "Leptos.toml:7: [oidc.gogle]: is not named in [oidc] providers",
            "Leptos.toml:9: [oidc.Corp]: is not named with up to 32 small letters, digits and _, \
             beginning with a letter",
            "Leptos.toml:10: [nango] eu: there is no such setting; [nango] has enabled, base_url, \
             secret_key, webhook_signing_key, webhook_override, calls_per_minute, \
             reconcile_seconds, timeout_seconds, attempt_minutes",
            "environment variable OIDC_CORP_ISSUER: “corp” is not an http or https address",
            "environment variable OIDC_CORP_NAME: must have at most 40 characters in one line",
        ]
    );
    for (names, reason) in [
        ("google, Corp", "a provider is not named with"),
        ("google, google", "names google twice"),
        ("google, ../x", "a provider is not named with"),
    ] {
        let told = complaints("oidc-names", "", &[("OIDC_PROVIDERS", names)]);
        assert!(told[0].contains(reason), "{told:?}");
    }
}

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const JWKS: (&str, &str) = ("TOKEN_JWKS_URL", "https://id.example/jwks.json");
const PINNED: [(&str, &str); 2] = [
    ("TOKEN_ISSUER", "https://id.example"),
    ("TOKEN_AUDIENCE", "app"),
];

fn with(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    PINNED.iter().chain(more).copied().collect()
}

#[test]
fn tokens_are_pinned_to_the_kind_of_their_keys() {
    let algorithms = |more: &[(&'static str, &'static str)]| {
        let token = load("token", "", &with(more)).unwrap().token.unwrap();
        format!("{:?}", token.algorithms)
    };
    let shared = ("TOKEN_SECRET", SECRET);
    assert_eq!(algorithms(&[JWKS]), "[RS256, ES256, EdDSA]");
    assert_eq!(algorithms(&[shared]), "[HS256]");
    assert_eq!(
        algorithms(&[JWKS, ("TOKEN_ALGORITHMS", "PS256 , ES384")]),
        "[PS256, ES384]"
    );
    let origins = (
        "TOKEN_ORIGINS",
        "https://App.Example:443, http://localhost:5173/",
    );
    let config = load("token-origins", "", &with(&[JWKS, origins])).unwrap();
    let token = config.token.unwrap();
    assert_eq!(
        token.origins,
        ["https://app.example", "http://localhost:5173"]
    );
    assert_eq!(token.name_claim, "name");
    assert!(matches!(token.keys, TokenKeys::Jwks(_)));

    let wrong = |more: &[(&'static str, &'static str)]| {
        complaints("token-wrong", "", &with(more)).join("\n")
    };
    for algorithms in ["HS256", "RS256, HS512"] {
        let told = wrong(&[JWKS, ("TOKEN_ALGORITHMS", algorithms)]);
        assert!(
            told.contains("TOKEN_ALGORITHMS: holds an algorithm of shared secrets"),
            "{told}"
        );
    }
    let told = wrong(&[shared, ("TOKEN_ALGORITHMS", "HS256, RS256")]);
    assert!(
        told.contains("TOKEN_ALGORITHMS: holds an algorithm of key pairs"),
        "{told}"
    );
    for none in ["none", "None", "ES512", "HS256;none"] {
        let told = wrong(&[shared, ("TOKEN_ALGORITHMS", none)]);
        assert!(told.contains("is not one of RS256"), "{told}");
    }
    let told = wrong(&[shared, JWKS]);
    assert!(
        told.contains("TOKEN_SECRET: goes without TOKEN_JWKS_URL"),
        "{told}"
    );
    assert!(!told.contains(SECRET), "{told}");
    let told = wrong(&[("TOKEN_SECRET", "short-hunter2")]);
    assert!(
        told.contains("is shorter than 32 bytes") && !told.contains("hunter2"),
        "{told}"
    );
    let told = wrong(&[shared, ("TOKEN_ALGORITHMS", "HS512")]);
    assert!(told.contains("is shorter than 64 bytes"), "{told}");
    let told = wrong(&[("TOKEN_JWKS_URL", "http://id.example/jwks.json")]);
    assert!(told.contains("TOKEN_JWKS_URL: must be https"), "{told}");
    let told = wrong(&[]);
    assert!(
        told.contains("TOKEN_ISSUER: needs TOKEN_JWKS_URL or TOKEN_SECRET"),
        "{told}"
    );
}

#[test]
fn a_token_without_an_issuer_or_an_audience_is_no_token() {
    let told = complaints("token-unpinned", "", &[JWKS]);
    assert_eq!(
        told,
        [
            "environment variable TOKEN_JWKS_URL: needs TOKEN_ISSUER too: it is pinned",
            "environment variable TOKEN_JWKS_URL: needs TOKEN_AUDIENCE too: it is pinned",
        ]
    );
    for own in ["demo", "local", "erased"] {
        let env = [JWKS, ("TOKEN_ISSUER", own), ("TOKEN_AUDIENCE", "app")];
        let told = complaints("token-own", "", &env);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].contains("TOKEN_ISSUER: is what Patchbay itself calls"),
            "{told:?}"
        );
    }
}

#[test]
fn the_demo_user_is_there_for_this_machine_only() {
    let no_demo = |env: &[(&str, &str)]| load("demo", "", env).unwrap().no_demo();
    let key = ("NANGO_SECRET_KEY", "k1");
    let public = ("PUBLIC_URL", "https://connect.example.com");
    let everywhere = ("LISTEN_ADDR", "0.0.0.0:3000");
    let proxy = ("TRUSTED_PROXIES", "127.0.0.1");
    let (on, off) = (("AUTH_DEMO", "true"), ("AUTH_DEMO", "false"));
    for (env, reason) in [
        (&[][..], None),
        (&[key], None),
        (&[proxy], Some(NoDemo::Proxy)),
        (&[proxy, on], Some(NoDemo::Proxy)),
        (&[public], Some(NoDemo::PublicAddress)),
        (&[everywhere], Some(NoDemo::PublicAddress)),
        // No setting opens it to strangers.
        (&[public, on], Some(NoDemo::PublicAddress)),
        (&[everywhere, on], Some(NoDemo::PublicAddress)),
        (&[off], Some(NoDemo::Disabled)),
        (&[key, off], Some(NoDemo::Disabled)),
        (&[public, off], Some(NoDemo::Disabled)),
    ] {
        assert_eq!(no_demo(env), reason, "{env:?}");
    }
    let file = "[auth]\ndemo = false\n";
    let config = load("demo-file", file, &[]).unwrap();
    assert_eq!(config.no_demo(), Some(NoDemo::Disabled));
    assert_eq!(
        complaints("demo-wrong", file, &[("AUTH_DEMO", "yes")]),
        ["environment variable AUTH_DEMO: “yes” is neither true nor false"]
    );
}
