//! The edges of the design, read from the source: imports go only along the way of a click, and
//! feature gates stand only where the design allows them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A module's folder or file, and what of ours it may name.
const EDGES: &[(&str, &[&str])] = &[
    ("src/domain", &["domain"]),
    ("src/browser", &["domain", "browser"]),
    (
        "src/server_fns",
        &["domain", "server_fns", "server::state", "server::services"],
    ),
    (
        "src/components",
        &["domain", "server_fns", "browser", "components", "app"],
    ),
    (
        "src/pages",
        &[
            "domain",
            "server_fns",
            "browser",
            "components",
            "pages",
            "app",
        ],
    ),
    // What an address of a database may be; the settings and the database go by the same.
    ("src/server/address", &[]),
    ("src/server/config", &["server::address", "server::config"]),
    // What anybody may count in, and what a request carries with it: they know nobody.
    ("src/server/metrics", &["domain", "server::metrics"]),
    ("src/server/request", &["domain", "server::request"]),
    (
        "src/server/db",
        &[
            "domain",
            "server::address",
            "server::clock",
            "server::db",
            "server::metrics",
            "server::request",
        ],
    ),
    (
        "src/server/nango",
        &[
            "domain",
            "server::metrics",
            "server::nango",
            "server::request",
        ],
    ),
    (
        "src/server/live",
        &["domain", "server::live", "server::metrics"],
    ),
    (
        "src/server/identity",
        &["domain", "server::clock", "server::identity"],
    ),
    // The stand-in shares the wire types with Nango's client and nothing else.
    (
        "src/server/sandbox",
        &[
            "domain",
            "server::clock",
            "server::sandbox",
            "server::nango::wire",
        ],
    ),
    ("src/server/manifest", &["domain", "server::manifest"]),
    // Looks at everything, and is looked at by the command line only.
    (
        "src/server/doctor",
        &[
            "domain",
            "server::clock",
            "server::config",
            "server::db",
            "server::doctor",
            "server::manifest",
            "server::nango",
        ],
    ),
    (
        "src/server/services",
        &[
            "domain",
            "server::clock",
            "server::db",
            "server::identity",
            "server::live",
            "server::manifest",
            "server::metrics",
            "server::nango",
            "server::request",
            "server::services",
        ],
    ),
    (
        "src/server/http",
        &[
            "app",
            "domain",
            "pages::outage",
            "pages::printed",
            "server::http",
            // What a subscription is; nothing is published from here.
            "server::live::Message",
            "server::live::Subscription",
            "server::metrics",
            "server::request",
            "server::services",
            "server::state",
        ],
    ),
];

fn files(folder: &Path) -> Vec<PathBuf> {
    if folder.with_extension("rs").is_file() {
        return vec![folder.with_extension("rs")];
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}

/// Every `crate::…` path of a file, nested `use` lists unfolded.
fn imports(source: &str) -> Vec<String> {
    // Tests inside a module may reach further than the module.
    let source = source.split("#[cfg(test)]").next().unwrap();
    let code: String = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with('$') {
            continue;
        }
        unfold("", &code[at + "crate::".len()..], &mut found);
    }
    found
}

/// Reads one path or `{list}` at the start of `text`; returns how many bytes it took.
fn unfold(prefix: &str, text: &str, found: &mut Vec<String>) -> usize {
    let mut path = prefix.to_owned();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let skipped = rest.len() - rest.trim_start().len();
        let rest = rest.trim_start();
        at += skipped;
        if rest.starts_with('{') {
            at += 1;
            loop {
                let inner = text[at..].trim_start();
                at += text[at..].len() - inner.len();
                if inner.starts_with('}') {
                    return at + 1;
                }
                if inner.starts_with(',') {
                    at += 1;
                    continue;
                }
                let took = unfold(&path, inner, found);
                assert!(took > 0, "cannot read: {}", &inner[..inner.len().min(80)]);
                at += took;
            }
        }
        let word: String = rest
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '*')
            .collect();
        path.push_str(&word);
        at += word.len();
        if text[at..].starts_with("::") && !text[at..].starts_with("::<") {
            path.push_str("::");
            at += 2;
            continue;
        }
        // `name as other`
        if let Some(alias) = text[at..].strip_prefix(" as ") {
            let word = alias
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .count();
            at += " as ".len() + word;
        }
        found.push(path);
        return at;
    }
}

#[test]
fn imports_go_along_the_way_of_a_click() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (folder, allowed) in EDGES {
        for file in files(Path::new(folder)) {
            for import in imports(&fs::read_to_string(&file).unwrap()) {
                seen += 1;
                let fine = allowed
                    .iter()
                    .any(|edge| import == *edge || import.starts_with(&format!("{edge}::")));
                if !fine {
                    wrong.push(format!("{}: crate::{import}", file.display()));
                }
            }
        }
    }
    assert!(
        seen > 100,
        "only {seen} imports were found: the reader is broken"
    );
    assert!(
        wrong.is_empty(),
        "against the design:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn nested_lists_are_read() {
    let source = "use crate::{domain::{a::B, c}, server::db::{self, Tx as T}};\nlet x = crate::app::shell();";
    assert_eq!(
        imports(source),
        [
            "domain::a::B",
            "domain::c",
            "server::db::self",
            "server::db::Tx",
            "app::shell"
        ]
    );
}

#[test]
fn feature_gates_stand_only_where_they_may() {
    let mut wrong = Vec::new();
    for file in files(Path::new("src")) {
        let name = file.display().to_string();
        if name == "src/lib.rs" || name == "src/main.rs" || name.starts_with("src/browser/") {
            continue;
        }
        for (number, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            let gate = line.contains("cfg(") && line.contains("feature");
            // On derives (and what belongs to them) the gate is an attribute's.
            let derive = line.contains("cfg_attr(feature = \"ssr\", derive(")
                || line.contains("cfg_attr(feature = \"ssr\", schema(");
            if (gate || line.contains("cfg_attr(")) && !derive {
                wrong.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "feature gates:\n{}", wrong.join("\n"));
}

#[test]
fn every_module_says_what_it_is_for() {
    let silent: Vec<_> = files(Path::new("src"))
        .into_iter()
        .filter(|file| !fs::read_to_string(file).unwrap().starts_with("//!"))
        .collect();
    assert!(silent.is_empty(), "without a //!: {silent:?}");
}
