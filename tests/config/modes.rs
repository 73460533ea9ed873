//! Every auth mode of Nango: what its connectors ask for, from the manifest and from Nango.

use std::{collections::BTreeMap, path::Path};

use patchbay::{
    domain::connector::{Auth, Field},
    server::manifest::{Form, Manifest, Offer, Offers, Registry},
};
use secrecy::{ExposeSecret, SecretString};

use super::{catalogue::providers, project};

fn registry() -> Registry {
    Registry::load(Some(&project("tests/fixtures/manifests/modes"))).unwrap()
}

/// The details' inputs and credentials.
fn asked(manifest: &Manifest, form: &Form) -> [Vec<Field>; 2] {
    let mut details = manifest.details();
    form.show(&mut details);
    [details.inputs, details.credentials]
}

fn names(fields: &[Field]) -> Vec<&str> {
    fields.iter().map(|field| field.name.as_str()).collect()
}

fn offer(name: &str, optional: bool) -> Offer {
    Offer {
        name: name.to_owned(),
        optional,
        ..Offer::default()
    }
}

#[test]
fn each_mode_asks_in_its_own_way() {
    let registry = registry();
    for (slug, mode, auth, asks_first, known) in [
        ("trello-oauth1", "OAUTH1", Auth::Popup, false, true),
        ("github-app", "APP", Auth::Popup, false, true),
        ("github-app-oauth", "CUSTOM", Auth::Popup, false, true),
        (
            "crisp-plugin-install",
            "INSTALL_PLUGIN",
            Auth::Popup,
            false,
            true,
        ),
        ("asana-mcp", "MCP_OAUTH2", Auth::Popup, false, true),
        ("mcp-generic", "MCP_OAUTH2_GENERIC", Auth::Popup, true, true),
        ("agencyzoom", "TWO_STEP", Auth::Credentials, true, false),
        ("apple-app-store", "JWT", Auth::Credentials, true, false),
        ("netsuite-tba", "TBA", Auth::Credentials, true, true),
        ("emarsys", "SIGNATURE", Auth::Credentials, true, true),
        ("bill", "BILL", Auth::Credentials, true, true),
        ("aws-sigv4", "AWS_SIGV4", Auth::Credentials, true, true),
        ("unauthenticated", "NONE", Auth::Credentials, false, true),
        ("sentry-oauth", "OAUTH2", Auth::Credentials, true, true),
    ] {
        let manifest = registry.by_slug(slug).unwrap();
        assert_eq!(manifest.nango.auth_mode, mode);
        assert_eq!(manifest.auth(), auth, "{slug}");
        assert_eq!(manifest.connector().asks_first, asks_first, "{slug}");
        assert_eq!(manifest.form(None).is_known(), known, "{slug}");
    }
}

#[test]
fn the_fixtures_agree_with_nango() {
    let Some(recordings) = std::env::var_os("NANGO_RECORDINGS").filter(|v| !v.is_empty()) else {
        println!("skipped: NANGO_RECORDINGS names no folder with providers.tsv");
        return;
    };
    let providers = providers(&Path::new(&recordings).join("providers.tsv"));
    let registry = registry();
    for file in std::fs::read_dir(project("tests/fixtures/manifests/modes")).unwrap() {
        let path = file.unwrap().path();
        let slug = path.file_stem().unwrap().to_str().unwrap();
        let manifest = registry.by_slug(slug).unwrap();
        let provider = &providers[manifest.provider()];
        assert_eq!(manifest.nango.auth_mode, provider.auth_mode, "{slug}");
        for (name, optional) in &provider.config {
            let named = manifest.inputs.iter().any(|input| input.name == *name);
            assert!(named || *optional, "{slug} lacks {name}");
        }
    }
}

#[test]
fn where_the_manifest_names_none_the_fields_are_nango_s() {
    let registry = registry();
    let apple = registry.by_slug("apple-app-store").unwrap();
    let offers = Offers {
        inputs: vec![offer("scope", true)],
        credentials: vec![
            Offer {
                title: Some("Private key ID".to_owned()),
                ..offer("privateKeyId", false)
            },
            offer("issuerId", false),
            Offer {
                pattern: Some("^-----BEGIN.*$".to_owned()),
                ..offer("privateKey", false)
            },
        ],
    };
    let form = apple.form(Some(&offers));
    assert!(form.is_known());
    let [inputs, credentials] = asked(apple, &form);
    assert_eq!(names(&inputs), ["scope"]);
    assert!(inputs[0].optional && !inputs[0].secret);
    assert_eq!(
        names(&credentials),
        ["privateKeyId", "issuerId", "privateKey"]
    );
    let shown: Vec<_> = credentials
        .iter()
        .map(|f| (f.label.as_str(), f.secret, f.multiline))
        .collect();
    assert_eq!(
        shown,
        [
            ("Private key ID", false, false),
            ("Issuer ID", false, false),
            ("Private key", true, true),
        ]
    );
    // A pattern for one line says nothing about several.
    assert_eq!(credentials[2].pattern, None);
}

#[test]
fn the_manifest_s_word_counts_and_nango_fills_what_it_lacks() {
    let registry = registry();
    let netsuite = registry.by_slug("netsuite-tba").unwrap();
    let rich = |name: &str| Offer {
        title: Some("Nango’s title".to_owned()),
        description: Some("Nango’s words.".to_owned()),
        example: Some("42".to_owned()),
        pattern: Some("^4.*$".to_owned()),
        optional: true,
        ..offer(name, true)
    };
    let offers = Offers {
        inputs: vec![rich("accountId"), rich("extra"), offer("needed", false)],
        credentials: vec![
            rich("token_id"),
            rich("token_secret"),
            offer("other", false),
        ],
    };
    let [inputs, credentials] = asked(netsuite, &netsuite.form(Some(&offers)));
    // Nango refuses credentials that the mode does not know.
    assert_eq!(names(&credentials), ["token_id", "token_secret"]);
    assert_eq!(names(&inputs), ["accountId", "needed"]);
    let account = &inputs[0];
    assert_eq!(account.label, "NetSuite account ID");
    assert_eq!(account.example.as_deref(), Some("1234567_SB1"));
    assert_eq!(account.pattern.as_deref(), Some("^[0-9A-Za-z_]+$"));
    assert_eq!(account.help.as_deref(), Some("Nango’s words."));
    assert!(account.optional);
    assert_eq!(credentials[0].pattern.as_deref(), Some("^4.*$"));
    // It says that this one is secret, whatever its name ends in.
    assert!(credentials[0].secret && credentials[1].secret);
}

#[test]
fn a_pattern_of_nango_s_is_used_as_far_as_it_can_be_read() {
    let registry = registry();
    let agency = registry.by_slug("agencyzoom").unwrap();
    let form = |pattern: &str| {
        let user = Offer {
            pattern: Some(pattern.to_owned()),
            ..offer("username", false)
        };
        agency.form(Some(&Offers {
            inputs: Vec::new(),
            credentials: vec![user],
        }))
    };
    let takes = |form: &Form, value: &str| {
        let typed = BTreeMap::from([("username".to_owned(), SecretString::from(value))]);
        Registry::check_credentials(form, &typed).is_ok()
    };
    // Not for a browser, but the server reads it.
    let unportable = form(r"^[\w.-]+$");
    assert_eq!(asked(agency, &unportable)[1][0].pattern, None);
    assert!(takes(&unportable, "a.b-c") && !takes(&unportable, "a b"));
    // For nobody here.
    let unreadable = form("^(?!x)");
    assert!(takes(&unreadable, "x"));
}

#[test]
fn keys_of_several_lines_stay_as_typed_but_for_their_line_ends() {
    let registry = registry();
    let apple = registry.by_slug("apple-app-store").unwrap();
    let form = apple.form(Some(&Offers {
        inputs: Vec::new(),
        credentials: vec![offer("privateKey", false)],
    }));
    let check = |value: &str| {
        let typed = BTreeMap::from([("privateKey".to_owned(), SecretString::from(value))]);
        let accepted = Registry::check_credentials(&form, &typed);
        accepted.map(|all| all["privateKey"].expose_secret().to_owned())
    };
    assert_eq!(
        check(" -----BEGIN KEY-----\r\nAB\tC\rD\r\n").unwrap(),
        " -----BEGIN KEY-----\nAB\tC\nD\n"
    );
    let long = "x\n".repeat(5000);
    assert_eq!(check(&long).unwrap(), long);
    let told = check("hunter2\u{7}").unwrap_err();
    assert_eq!(
        told[0].message,
        "Private key has a character that can’t be seen in it."
    );
}

#[test]
fn a_credential_is_secret_unless_somebody_says_otherwise() {
    let registry = registry();
    let secret = |slug: &str| {
        let manifest = registry.by_slug(slug).unwrap();
        let [_, credentials] = asked(manifest, &manifest.form(None));
        let fields = credentials.into_iter();
        fields.map(|f| (f.name, f.secret)).collect::<Vec<_>>()
    };
    let told = |fields: &[(&str, bool)]| -> Vec<(String, bool)> {
        fields.iter().map(|(n, s)| ((*n).to_owned(), *s)).collect()
    };
    assert_eq!(
        secret("bill"),
        told(&[
            ("username", false),
            ("password", true),
            ("organization_id", false),
            ("dev_key", true),
        ])
    );
    // The manifest says so of the id.
    assert_eq!(
        secret("netsuite-tba"),
        told(&[("token_id", true), ("token_secret", true)])
    );
    assert_eq!(
        secret("personio"),
        told(&[("client_id", false), ("client_secret", true)])
    );
}

#[test]
fn secret_inputs_are_not_shown_again() {
    let registry = registry();
    let sentry = registry.by_slug("sentry-oauth").unwrap();
    let form = sentry.form(Some(&Offers {
        inputs: vec![Offer {
            secret: true,
            ..offer("hook_secret", false)
        }],
        credentials: Vec::new(),
    }));
    assert!(form.is_open("hostname"));
    assert!(!form.is_open("hook_secret") && !form.is_open("nothing"));
}
