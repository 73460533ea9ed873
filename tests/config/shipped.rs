//! The settings files in the repository say what the server does.

use patchbay::server::config::{Config, FILE_VARIABLE, OIDC_PROVIDER, PORT_VARIABLE, SETTINGS};

use super::{fresh_dir, project};

fn shipped(path: &str) -> String {
    std::fs::read_to_string(project(path)).unwrap()
}

/// The part of `Leptos.toml` from one section's head to the next.
fn section<'a>(file: &'a str, name: &str) -> &'a str {
    let head = format!("\n[{name}]\n");
    let (_, rest) = file
        .split_once(&head)
        .unwrap_or_else(|| panic!("no {head}"));
    rest.split("\n[").next().unwrap()
}

#[test]
fn leptos_toml_changes_nothing_as_shipped() {
    let shipped = Config::load(Some(&project("Leptos.toml")), &|_| None).unwrap();
    let empty = fresh_dir("shipped-empty").join("empty.toml");
    std::fs::write(&empty, "").unwrap();
    let defaults = Config::load(Some(&empty), &|_| None).unwrap();
    assert_eq!(format!("{shipped:?}"), format!("{defaults:?}"));
}

#[test]
fn leptos_toml_describes_every_setting_with_its_default() {
    let file = shipped("Leptos.toml");
    for setting in SETTINGS {
        let section = section(&file, setting.section);
        let paragraph = section
            .split("\n\n")
            .find(|text| text.contains(&format!("# {}: ", setting.env)))
            .unwrap_or_else(|| panic!("Leptos.toml does not describe {setting:?}"));
        let line = paragraph.trim_end().lines().last().unwrap();
        let written = match setting.default {
            Some(value) => {
                let quoted = format!("#{} = \"{value}\"", setting.key);
                let bare = format!("#{} = {value}", setting.key);
                line == quoted || line == bare
            }
            None => line.starts_with(&format!("# {} = ", setting.key)),
        };
        assert!(written, "{setting:?} is shown as {line}");
    }
}

#[test]
fn leptos_toml_shows_a_provider_with_every_setting() {
    let file = shipped("Leptos.toml");
    let shown = section(&file, "oidc");
    for setting in OIDC_PROVIDER {
        let variable = setting.env.replacen("NAME", "GOOGLE", 1);
        let paragraph = shown
            .split("\n\n")
            .find(|text| text.contains(&format!("# {variable}: ")))
            .unwrap_or_else(|| panic!("Leptos.toml does not describe {variable}"));
        let line = paragraph.trim_end().lines().last().unwrap();
        let written = match setting.default {
            Some(default) => line == format!("# {} = \"{default}\"", setting.key),
            None => line.starts_with(&format!("# {} = ", setting.key)),
        };
        assert!(written, "{variable} is shown as {line}");
    }
    // What is shown is right when it is written out.
    let lines = shown.lines().map(|line| match line.strip_prefix("# ") {
        Some(rest) if rest.contains(" = \"") || rest.starts_with('[') => rest,
        _ => line,
    });
    let text = format!("[oidc]\n{}", lines.collect::<Vec<_>>().join("\n"));
    let path = fresh_dir("shipped-provider").join("Leptos.toml");
    std::fs::write(
        &path,
        text.replace("\"google, corp\"", "\"google\"")
            .replace('…', "x"),
    )
    .unwrap();
    let config = Config::load(Some(&path), &|_| None).unwrap();
    let [provider] = &config.oidc[..] else {
        panic!("{:?}", config.oidc);
    };
    assert_eq!(provider.issuer, "https://accounts.google.com");
    assert_eq!(provider.scopes, ["profile", "email"]);
}

#[test]
fn leptos_toml_works_with_every_default_written_out() {
    let file = shipped("Leptos.toml");
    let lines: Vec<&str> = file
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if setting.starts_with(|c: char| c.is_ascii_lowercase()) => setting,
            _ => line,
        })
        .collect();
    let path = fresh_dir("shipped-written-out").join("Leptos.toml");
    std::fs::write(&path, lines.join("\n")).unwrap();
    let written = lines
        .iter()
        .filter(|line| line.contains(" = ") && !line.starts_with('#'));
    let defaults = SETTINGS.iter().filter(|s| s.default.is_some()).count();
    assert_eq!(written.count(), defaults);
    let config = Config::load(Some(&path), &|_| None).unwrap();
    let none = Config::load(Some(&project("Leptos.toml")), &|_| None).unwrap();
    assert_eq!(format!("{config:?}"), format!("{none:?}"));
}

#[test]
fn env_example_names_every_variable_with_its_default() {
    let file = shipped(".env.example");
    let value = |name: &str| {
        file.lines()
            .map(|line| line.trim_start_matches('#'))
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .unwrap_or_else(|| panic!(".env.example does not name {name}"))
            .to_owned()
    };
    for setting in SETTINGS {
        if let Some(default) = setting.default {
            assert_eq!(value(setting.env), default, "{}", setting.env);
        } else {
            value(setting.env);
        }
    }
    for setting in OIDC_PROVIDER {
        let variable = setting.env.replacen("NAME", "GOOGLE", 1);
        let written = value(&variable);
        assert!(
            setting.default.is_none_or(|default| default == written),
            "{variable}"
        );
    }
    value(PORT_VARIABLE);
    value(FILE_VARIABLE);
}
