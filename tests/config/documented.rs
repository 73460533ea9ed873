//! The documents say what the code does: settings, problems, addresses, controls, checks, links.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use patchbay::server::{
    config::{FILE_VARIABLE, PORT_VARIABLE, SETTINGS},
    http,
    services::dictionary::CALLS,
};
use regex::Regex;

use super::project;

const GUIDE: &str = "docs/NANGO_OAUTH_IMPLEMENTATION.md";
const SANDBOX: &str = "docs/SANDBOX.md";

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(project("").join(path)).unwrap()
}

/// Every Rust file below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
    found
}

fn all_matches(pattern: &str, text: &str) -> BTreeSet<String> {
    let pattern = Regex::new(pattern).unwrap();
    let found = pattern.captures_iter(text);
    found.map(|found| found[1].to_owned()).collect()
}

fn missing<'a>(wanted: impl IntoIterator<Item = &'a String>, text: &str) -> Vec<&'a String> {
    let wanted = wanted.into_iter();
    wanted.filter(|word| !text.contains(*word)).collect()
}

#[test]
fn the_readme_lists_every_setting_with_its_default() {
    let readme = read("README.md");
    let rows: BTreeMap<&str, &str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
        .collect();
    for setting in SETTINGS {
        let row = rows
            .get(setting.env)
            .unwrap_or_else(|| panic!("README.md does not list {}", setting.env));
        if let Some(default) = setting.default
            && setting.env != "SANDBOX_SECRET_KEY"
        {
            assert!(
                row.starts_with(&format!("`{default}` | ")),
                "{}: {row}",
                setting.env
            );
        }
    }
    for name in [PORT_VARIABLE, FILE_VARIABLE] {
        assert!(rows.contains_key(name), "README.md does not list {name}");
    }
}

/// Status and code of every problem that the server answers.
fn problems() -> BTreeSet<(u16, String)> {
    let written = Regex::new(r#"\b(?:Problem::new|refused)\(\s*(\d{3}),\s*"([a-z_]+)""#).unwrap();
    let mut problems: BTreeSet<(u16, String)> = CALLS
        .iter()
        .map(|(status, entry)| (*status, entry.code.to_owned()))
        .collect();
    for file in sources(&project("src/server")) {
        let source = fs::read_to_string(file).unwrap();
        let source = source.split("#[cfg(test)]").next().unwrap();
        for found in written.captures_iter(source) {
            problems.insert((found[1].parse().unwrap(), found[2].to_owned()));
        }
    }
    problems
}

#[test]
fn the_guide_lists_every_problem_and_no_other() {
    let problems = problems();
    assert!(problems.len() >= 40, "{problems:?}");
    let guide = read(GUIDE);
    let (_, section) = guide.split_once("\n### Problems\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let row = Regex::new(r"(?m)^\| (\d{3}) \| `([a-z_]+)` \|").unwrap();
    let listed: BTreeSet<(u16, String)> = row
        .captures_iter(section)
        .map(|found| (found[1].parse().unwrap(), found[2].to_owned()))
        .collect();
    let unlisted: Vec<_> = problems.difference(&listed).collect();
    let unknown: Vec<_> = listed.difference(&problems).collect();
    assert!(unlisted.is_empty(), "{GUIDE} does not list {unlisted:?}");
    assert!(
        unknown.is_empty(),
        "{GUIDE} lists {unknown:?}, which no code says"
    );
}

#[test]
fn the_guide_says_what_failures_of_nango_say() {
    let guide = read(GUIDE);
    for (status, entry) in CALLS {
        let row = format!(
            "| {status} | `{}` | {} {}",
            entry.code, entry.sentence, entry.next
        );
        assert!(guide.contains(&row), "{GUIDE} lacks {row}");
    }
}

#[test]
fn the_guide_has_every_address_of_the_api() {
    let document: serde_json::Value = serde_json::from_str(&http::openapi_json()).unwrap();
    let guide = read(GUIDE);
    let mut count = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let address = format!("`{} {path}`", method.to_uppercase());
            assert!(guide.contains(&address), "{GUIDE} lacks {address}");
            count += 1;
        }
    }
    assert!(count >= 17, "{count}");
}

#[test]
fn the_guide_has_every_auth_mode_and_every_check_of_the_doctor() {
    let guide = read(GUIDE);
    let schema: serde_json::Value = serde_json::from_str(&read("manifests/schema.json")).unwrap();
    let modes = &schema["properties"]["nango"]["properties"]["auth_mode"]["enum"];
    let (_, table) = guide.split_once("\n## Auth modes\n").unwrap();
    let table = table.split("\n## ").next().unwrap();
    for mode in modes.as_array().unwrap() {
        let mode = format!("`{}`", mode.as_str().unwrap());
        assert!(table.contains(&mode), "{GUIDE} lacks {mode}");
    }
    let (_, doctor) = guide.split_once("\n## patchbay doctor\n").unwrap();
    let doctor = doctor.split("\n## ").next().unwrap();
    let mut checks = BTreeSet::new();
    for file in sources(&project("src/server/doctor")) {
        let source = fs::read_to_string(file).unwrap();
        checks.extend(all_matches(r#"ID: &str = "([a-z_.]+)""#, &source));
        checks.extend(all_matches(r#""((?:scope|database)[a-z_.]*)","#, &source));
    }
    assert!(checks.len() >= 20, "{checks:?}");
    let lacking = missing(&checks, doctor);
    assert!(lacking.is_empty(), "{GUIDE} lacks the checks {lacking:?}");
}

#[test]
fn the_sandboxs_controls_faults_and_options_are_described() {
    let text = read(SANDBOX);
    let routes = all_matches(
        r#""(/sandbox/control/[^"]+)""#,
        &read("src/server/sandbox/mod.rs"),
    );
    assert!(routes.len() >= 11, "{routes:?}");
    let lacking = missing(&routes, &text);
    assert!(lacking.is_empty(), "{SANDBOX} lacks {lacking:?}");

    let source = read("src/server/sandbox/faults.rs");
    let (_, fault) = source.split_once("pub struct Fault {").unwrap();
    let fault = fault.split("\n}").next().unwrap();
    let fields = all_matches(r"pub ([a-z_]+):", fault);
    assert!(fields.len() >= 20, "{fields:?}");
    let fields: BTreeSet<String> = fields.iter().map(|name| format!("`{name}`")).collect();
    let lacking = missing(&fields, &text);
    assert!(lacking.is_empty(), "{SANDBOX} lacks {lacking:?}");

    let source = read("src/server/cli/sandbox.rs");
    let (_, arguments) = source.split_once("struct SandboxArgs {").unwrap();
    let arguments = arguments.split("\n}").next().unwrap();
    let options = all_matches(r"#\[arg\(long[^\]]*\)\]\s+([a-z_]+):", arguments);
    assert!(options.len() >= 6, "{options:?}");
    let options: BTreeSet<String> = options
        .iter()
        .map(|name| format!("`--{}", name.replace('_', "-")))
        .collect();
    let lacking = missing(&options, &text);
    assert!(lacking.is_empty(), "{SANDBOX} lacks {lacking:?}");
}

/// A heading's anchor, as forges make it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    let mut code = false;
    let mut found = BTreeSet::new();
    for line in text.lines() {
        code ^= line.starts_with("```");
        if !code && line.starts_with('#') {
            found.insert(anchor(line.trim_start_matches('#')));
        }
    }
    found
}

#[test]
fn links_between_the_documents_lead_somewhere() {
    let mut documents = vec![PathBuf::from("README.md"), PathBuf::from("CHANGELOG.md")];
    for entry in fs::read_dir(project("docs")).unwrap() {
        let name = entry.unwrap().file_name();
        if name.to_string_lossy().ends_with(".md") {
            documents.push(Path::new("docs").join(name));
        }
    }
    let mut count = 0;
    for document in &documents {
        let text = read(document);
        for link in all_matches(r"\]\(([^)\s]+)\)", &text) {
            if link.contains("://") {
                continue;
            }
            count += 1;
            let (file, place) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() {
                document.clone()
            } else {
                document.parent().unwrap().join(file)
            };
            let at = document.display();
            assert!(project("").join(&target).exists(), "{at}: {link}");
            let known = place.is_empty() || anchors(&read(&target)).contains(place);
            assert!(known, "{at}: {link} leads to no heading");
        }
    }
    assert!(count >= 20, "{count}");
}
