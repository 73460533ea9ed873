//! The routes there are, as the sources and the OpenAPI document tell them.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

/// A method in capital letters and a path as it is registered.
pub type Route = (String, String);

/// Everything that is registered.
pub fn registered() -> BTreeSet<Route> {
    let mut found = BTreeSet::new();
    folder(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/http"),
        &mut found,
    );
    assert!(found.len() > 15, "{found:?}");
    let document: Value =
        serde_json::from_str(&patchbay::server::http::openapi_json()).expect("JSON");
    for (path, methods) in document["paths"].as_object().expect("paths") {
        let methods = methods.as_object().expect("methods").keys();
        found.extend(methods.map(|method| (method.to_uppercase(), path.clone())));
    }
    found
}

fn folder(at: &Path, found: &mut BTreeSet<Route>) {
    for entry in fs::read_dir(at).expect("the sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            folder(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            plain(
                &path.display().to_string(),
                &fs::read_to_string(&path).expect("a source"),
                found,
            );
        }
    }
}

/// Every `.route("…", get(…).post(…))` of a source.
fn plain(name: &str, source: &str, found: &mut BTreeSet<Route>) {
    // A module's own tests make routers of their own.
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    for other in [
        ".nest(",
        ".nest_service(",
        ".route_service(",
        ".fallback_service(",
    ] {
        assert!(
            !source.contains(other),
            "{name}: {other} is a way past the table"
        );
    }
    for part in source.split(".route(").skip(1) {
        let path = part.split('"').nth(1).expect("a path").to_owned();
        let call = inside(part);
        let mut methods = 0;
        for method in [
            "get", "post", "put", "patch", "delete", "any", "head", "options", "trace",
        ] {
            let called = call.match_indices(&format!("{method}(")).any(|(at, _)| {
                call[..at]
                    .chars()
                    .next_back()
                    .is_none_or(|c| !c.is_alphanumeric() && c != '_')
            });
            if called {
                assert_ne!(method, "any", "{name}: {path} takes every method");
                found.insert((method.to_uppercase(), path.clone()));
                methods += 1;
            }
        }
        assert!(methods > 0, "{name}: {path} has no method that can be read");
    }
}

/// Up to the bracket that closes what was opened before.
fn inside(text: &str) -> &str {
    let mut depth = 1;
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[..at];
        }
    }
    text
}

#[test]
fn routes_are_read_from_the_source() {
    let mut found = BTreeSet::new();
    plain(
        "here",
        r#"x.route("/a", get(f::g).post(forget(h))).route(
        "/b/{id}", axum::routing::patch(i)).layer(get(j))"#,
        &mut found,
    );
    let wanted = [("GET", "/a"), ("POST", "/a"), ("PATCH", "/b/{id}")];
    assert_eq!(
        found,
        wanted
            .map(|(method, path)| (method.to_owned(), path.to_owned()))
            .into()
    );
}
