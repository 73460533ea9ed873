//! What people type for a connector's fields.

use std::collections::BTreeMap;

use patchbay::server::manifest::Registry;
use secrecy::{ExposeSecret, SecretString};

use super::project;

fn registry() -> Registry {
    Registry::load(Some(&project("tests/fixtures/manifests"))).unwrap()
}

fn inputs(typed: &[(&str, &str)]) -> Result<BTreeMap<String, String>, Vec<String>> {
    let registry = registry();
    let typed = typed
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let form = registry.by_slug("typed-key").unwrap().form(None);
    Registry::check_inputs(&form, &typed).map_err(|errors| {
        let told = errors.into_iter();
        told.map(|e| format!("{}: {}", e.field, e.message))
            .collect()
    })
}

fn credentials(typed: &[(&str, &str)]) -> Result<Vec<(String, String)>, Vec<String>> {
    let registry = registry();
    let typed = typed
        .iter()
        .map(|(name, value)| ((*name).to_owned(), SecretString::from(*value)))
        .collect();
    let form = registry.by_slug("typed-key").unwrap().form(None);
    match Registry::check_credentials(&form, &typed) {
        Ok(accepted) => {
            let plain = accepted.into_iter();
            Ok(plain
                .map(|(n, v)| (n, v.expose_secret().to_owned()))
                .collect())
        }
        Err(errors) => {
            let told = errors.into_iter();
            Err(told
                .map(|e| format!("{}: {}", e.field, e.message))
                .collect())
        }
    }
}

#[test]
fn inputs_are_trimmed_and_empty_optional_ones_left_out() {
    let typed = [("host", "  acme-2 "), ("region", "us"), ("workspace", "  ")];
    let accepted = inputs(&typed).unwrap();
    let pairs: Vec<(&str, &str)> = accepted
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    assert_eq!(pairs, [("host", "acme-2"), ("region", "us")]);
}

#[test]
fn each_wrong_input_is_told() {
    assert_eq!(
        inputs(&[("region", "ap"), ("workspace", "a\u{7}b"), ("Other\n", "x")]).unwrap_err(),
        [
            "host: Host is needed.",
            "region: Region: choose one of eu, us.",
            "workspace: Workspace has a line break or another character that can’t be seen in it.",
            "Other: Typed Key does not ask for this.",
        ]
    );
    let long = "a".repeat(256);
    for (host, message) in [
        ("Acme", "host: Host should look like “acme”."),
        (
            "acme\nevil",
            "host: Host has a line break or another character that can’t be seen in it.",
        ),
        ("acme.example.com/x", "host: Host should look like “acme”."),
        (long.as_str(), "host: Host is longer than 255 characters."),
    ] {
        assert_eq!(
            inputs(&[("host", host), ("region", "eu")]).unwrap_err(),
            [message]
        );
    }
    assert!(inputs(&[("host", &long[1..]), ("region", "eu")]).is_ok());
}

#[test]
fn a_pattern_means_the_whole_value() {
    // Its alternatives are each anchored at one end only.
    let password = ("password", "p");
    assert!(credentials(&[("username", "amy"), password]).is_ok());
    assert!(credentials(&[("username", "amy5"), password]).is_err());
    assert!(credentials(&[("username", "-5"), password]).is_err());
}

#[test]
fn secrets_stay_as_typed_and_are_never_repeated() {
    let accepted = credentials(&[("username", " amy "), ("password", " hunter2 ")]).unwrap();
    assert_eq!(
        accepted,
        [
            ("password".to_owned(), " hunter2 ".to_owned()),
            ("username".to_owned(), "amy".to_owned()),
        ]
    );
    let long = "hunter2".repeat(586);
    for password in ["   ", "hunter2\n", long.as_str()] {
        let told = credentials(&[("username", "hunter2!"), ("password", password)]).unwrap_err();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(!told.concat().contains("hunter2"), "{told:?}");
    }
    let told = credentials(&[("username", "amy"), ("password", " "), ("host", "hunter2")]);
    assert_eq!(
        told.unwrap_err(),
        [
            "password: Password is needed.",
            "host: Typed Key does not ask for this.",
        ]
    );
}
