//! What is refused in a manifest, and how `MANIFESTS_DIR` adds and replaces.

use std::path::PathBuf;

use patchbay::{
    domain::connector::Auth,
    server::manifest::{Registry, connector_id},
};
use serde_json::{Value, json};

use super::{fresh_dir, project};

fn fixture(name: &str) -> Value {
    let path = project("tests/fixtures/manifests").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A directory with one changed copy of the fixture `typed-key`.
fn changed(name: &str, change: impl FnOnce(&mut Value)) -> PathBuf {
    let dir = fresh_dir(name);
    let mut manifest = fixture("typed-key.json");
    change(&mut manifest);
    std::fs::write(dir.join("typed-key.json"), manifest.to_string()).unwrap();
    dir
}

/// The complaints about such a copy, without the directory.
fn complaints(name: &str, change: impl FnOnce(&mut Value)) -> Vec<String> {
    let dir = changed(name, change);
    let errors = Registry::load(Some(&dir)).unwrap_err().to_string();
    let dir = format!("{}/", dir.display());
    errors.lines().map(|line| line.replace(&dir, "")).collect()
}

#[test]
fn the_fixtures_are_sound() {
    let registry = Registry::load(Some(&project("tests/fixtures/manifests"))).unwrap();
    let off = registry.by_slug("switched-off").unwrap();
    let unavailable = off.connector().unavailable.unwrap();
    assert_eq!(unavailable.code, "connector_disabled");
    assert!(
        unavailable
            .reason
            .starts_with("Switched Off is switched off")
    );
    assert_eq!(off.auth(), Auth::Popup);
    assert_eq!(off.provider(), "switched-off");
    let icon = off.connector().icon;
    assert_eq!((icon.color, icon.monogram.as_deref()), (None, Some("SO")));
    assert!(!off.connector().asks_first);

    let typed = registry
        .find(&connector_id("typed-key").to_string())
        .unwrap();
    assert_eq!(typed.slug, "typed-key");
    assert_eq!(typed.auth(), Auth::Credentials);
    assert_eq!(typed.provider(), "typed-key");
    let details = typed.details();
    assert!(details.connector.asks_first && details.connector.unavailable.is_none());
    assert_eq!(details.connector.icon.color.as_deref(), Some("#635BFF"));
    assert_eq!((details.inputs.len(), details.credentials.len()), (3, 2));
    assert_eq!(details.auth_mode, "BASIC");
    assert!(registry.find("nothing-of-that-name").is_none());
    assert!(
        registry
            .find(&connector_id("nothing").to_string())
            .is_none()
    );
}

#[test]
fn the_sprite_holds_the_marks_and_its_version_follows_it() {
    let fixtures = Registry::load(Some(&project("tests/fixtures/manifests"))).unwrap();
    let symbol = "<symbol id=\"typed-key\" viewBox=\"0 0 24 24\"><path d=\"M0 0h24v24H0z\"/>\
                  </symbol>";
    assert!(fixtures.sprite().contains(symbol));
    assert!(fixtures.sprite().ends_with("</symbol></svg>"));
    assert!(!fixtures.sprite().contains("switched-off"));
    let dir = changed("sprite", |m| m["icon"]["path"] = json!("M0 0h12v12H0z"));
    let other = Registry::load(Some(&dir)).unwrap();
    assert_eq!(fixtures.look_version().len(), 12);
    assert_ne!(fixtures.look_version(), other.look_version());
}

#[test]
fn a_directory_adds_and_replaces() {
    let built_in = Registry::load(None).unwrap();
    let dir = changed("replace", |_| {});
    // Beside the new one, a changed Gmail; neither the schema nor a note is a manifest.
    let mut gmail: Value =
        serde_json::from_str(include_str!("../../manifests/gmail.json")).unwrap();
    gmail["name"] = json!("Our Gmail");
    gmail["nango"]["enabled"] = json!(false);
    std::fs::write(dir.join("gmail.json"), gmail.to_string()).unwrap();
    std::fs::write(dir.join("schema.json"), "{}").unwrap();
    std::fs::write(dir.join("README.md"), "not JSON").unwrap();
    let registry = Registry::load(Some(&dir)).unwrap();
    assert_eq!(registry.all().len(), built_in.all().len() + 1);
    assert_eq!(built_in.by_slug("gmail").unwrap().name, "Gmail");
    let ours = registry.by_slug("gmail").unwrap();
    assert_eq!(
        (ours.name.as_str(), ours.nango.enabled),
        ("Our Gmail", false)
    );
    assert_eq!(ours.id(), built_in.by_slug("gmail").unwrap().id());
    let names: Vec<String> = registry
        .all()
        .iter()
        .map(|m| m.name.to_lowercase())
        .collect();
    assert!(names.is_sorted(), "{names:?}");
}

#[test]
fn a_directory_that_is_not_there_is_told() {
    let errors = Registry::load(Some(&project("no-such-dir"))).unwrap_err();
    let wanted = format!(
        "{}: can't be read (MANIFESTS_DIR): ",
        project("no-such-dir").display()
    );
    assert!(errors.to_string().starts_with(&wanted), "{errors}");
}

#[test]
fn what_is_no_json_is_told_with_its_line_beside_the_others() {
    let dir = changed("no-json", |m| m["category"] = json!("Toys"));
    std::fs::write(dir.join("a.json"), "{\n  \"slug\": a\n}").unwrap();
    let errors = Registry::load(Some(&dir)).unwrap_err();
    let lines: Vec<String> = errors.to_string().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 2, "{errors}");
    let wanted = format!(
        "{}: is not JSON: expected value at line 2 column 11",
        dir.join("a.json").display()
    );
    assert_eq!(lines[0], wanted);
    assert!(lines[1].contains("typed-key.json: category: “Toys” is none of Accounting, "));
}

#[test]
fn breaches_of_the_schema_are_told_by_field() {
    let told = complaints("schema", |m| {
        m["summary"] = json!("Too short.");
        m["icon"] = json!({ "color": "red" });
        m["scopes"] = json!([]);
        m["colour"] = json!("#FFFFFF");
        m["inputs"][0]["pattern"] = json!(7);
        m["inputs"][1]["name"] = json!("1st");
        m["nango"].as_object_mut().unwrap().remove("provider_key");
        m.as_object_mut().unwrap().remove("before_you_go");
    });
    let mut told = told;
    told.sort();
    assert_eq!(
        told,
        [
            "typed-key.json: before_you_go: is missing",
            "typed-key.json: has no “colour”",
            "typed-key.json: icon.color: “red” does not match ^#[0-9A-F]{6}$",
            "typed-key.json: icon: needs either a path or a monogram, not both",
            "typed-key.json: inputs[0].pattern: the value is not of type \"string\"",
            "typed-key.json: inputs[1].name: “1st” does not match ^[A-Za-z][A-Za-z0-9_]*$",
            "typed-key.json: nango.provider_key: is missing",
            "typed-key.json: scopes: has fewer than 1 entries",
            "typed-key.json: summary: has 10 characters, 20 are the least",
        ]
    );
}

#[test]
fn what_a_schema_can_not_say_is_told_too() {
    let told = complaints("semantics", |m| {
        m["inputs"][0]["example"] = json!("Not Fitting");
        m["inputs"][1]["example"] = json!("ap");
        m["inputs"][2]["name"] = json!("host");
        m["inputs"][2]["pattern"] = json!("^(a$");
        m["credentials"][0]["pattern"] = json!("^\\d+$");
        m["credentials"][1]["name"] = json!("secret");
    });
    assert_eq!(
        told,
        [
            "typed-key.json: inputs[0].example: “Not Fitting” does not match the pattern",
            "typed-key.json: inputs[1].example: “ap” is none of the options",
            "typed-key.json: inputs[2].name: “host” is the name of an earlier field",
            "typed-key.json: inputs[2].pattern: does not compile: unclosed group",
            "typed-key.json: credentials[0].pattern: uses \\d, which not every engine reads alike",
            "typed-key.json: credentials[1].name: BASIC has no “secret”, only username and \
             password",
        ]
    );
    let told = complaints("option", |m| {
        m["inputs"][1]["pattern"] = json!("^eu$");
    });
    assert_eq!(
        told,
        ["typed-key.json: inputs[1].options: “us” does not match the pattern"]
    );
}

#[test]
fn the_slug_is_the_file_s_name_and_none_that_addresses_need() {
    assert_eq!(
        complaints("slug", |m| m["slug"] = json!("typed-keys")),
        ["typed-key.json: slug: “typed-keys” differs from the file’s name"]
    );
    let uuid = connector_id("x").to_string();
    for slug in ["callback", uuid.as_str()] {
        let dir = fresh_dir("slug-reserved");
        let mut manifest = fixture("typed-key.json");
        manifest["slug"] = json!(slug);
        std::fs::write(dir.join(format!("{slug}.json")), manifest.to_string()).unwrap();
        let errors = Registry::load(Some(&dir)).unwrap_err().to_string();
        assert!(
            errors.ends_with("slug: has a meaning of its own in addresses"),
            "{errors}"
        );
    }
}

#[test]
fn credentials_agree_with_the_auth_mode() {
    let mode = |mode: &str, names: &[&str]| {
        let fields: Vec<Value> = names
            .iter()
            .map(|name| json!({ "name": name, "label": "Label" }))
            .collect();
        let dir = changed("modes", |m| {
            m["nango"]["auth_mode"] = json!(mode);
            m["credentials"] = json!(fields);
        });
        match Registry::load(Some(&dir)) {
            Ok(_) => String::new(),
            Err(errors) => {
                let text = errors.to_string();
                text.split_once(".json: ").unwrap().1.to_owned()
            }
        }
    };
    for (auth, names, reason) in [
        ("OAUTH2", &[][..], ""),
        ("API_KEY", &["apiKey"], ""),
        ("BASIC", &["username"], ""),
        ("BASIC", &["password"], ""),
        ("OAUTH2_CC", &["client_id", "client_secret"], ""),
        (
            "OAUTH2",
            &["apiKey"],
            "credentials: OAUTH2 asks in its own window, so there can be none",
        ),
        // None at all: they come from Nango.
        ("API_KEY", &[], ""),
        ("BASIC", &[], ""),
        ("JWT", &["issuer", "anything"], ""),
        ("TWO_STEP", &["token"], ""),
        (
            "OAUTH2_CC",
            &["client_id", "client_private_key", "client_certificate"],
            "",
        ),
        ("TBA", &["token_id", "token_secret"], ""),
        ("AWS_SIGV4", &["role_arn"], ""),
        (
            "MCP_OAUTH2",
            &["token"],
            "credentials: MCP_OAUTH2 asks in its own window, so there can be none",
        ),
        (
            "NONE",
            &["token"],
            "credentials: NONE asks for nothing, so there can be none",
        ),
        (
            "SIGNATURE",
            &["username"],
            "credentials: SIGNATURE needs password",
        ),
        (
            "BILL",
            &["username", "password"],
            "credentials: BILL needs organization_id and dev_key",
        ),
        (
            "OAUTH2_CC",
            &["client_id"],
            "credentials: OAUTH2_CC needs client_secret or client_private_key",
        ),
        (
            "API_KEY",
            &["apiKey", "password"],
            "credentials[1].name: API_KEY has no “password”, only apiKey",
        ),
    ] {
        assert_eq!(mode(auth, names), reason, "{auth} {names:?}");
    }
}

#[test]
fn only_oauth2_is_installed_from_the_other_side() {
    let told = complaints("installation", |m| {
        m["nango"]["installation"] = json!("outbound");
    });
    assert_eq!(
        told,
        ["typed-key.json: nango.installation: BASIC has no such thing"]
    );
}
