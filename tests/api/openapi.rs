//! `/api/v1/openapi.json`: a sound document that knows every route there is.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde_json::Value;

use crate::app::TestApp;

/// Routes of ours below `/api` or `/health` that are no part of the REST API, and what is answered while
/// the server starts, before there is a router with a document.
const NOT_REST: [&str; 2] = ["/api/fn/{*name}", "/health/live"];

/// Every `$ref` in the document.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(to)) = map.get("$ref") {
                found.insert(to.clone());
            }
            map.values().for_each(|v| references(v, found));
        }
        Value::Array(all) => all.iter().for_each(|v| references(v, found)),
        _ => {}
    }
}

fn operations(document: &Value) -> BTreeMap<(String, String), Value> {
    let mut found = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            found.insert((method.clone(), path.clone()), operation.clone());
        }
    }
    found
}

/// What the sources under `src/server/http` say.
#[derive(Default)]
struct Sources {
    /// Described handlers (`connectors::list`), by method and path.
    described: BTreeMap<(String, String), String>,
    /// Handlers in `routes!(…)`.
    registered: BTreeSet<String>,
    /// The paths of every plain `.route(…)`.
    plain: BTreeSet<String>,
}

impl Sources {
    fn read() -> Self {
        let mut sources = Self::default();
        sources.folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/http"));
        sources
    }

    fn folder(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).expect("the sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                self.folder(&path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let module = path
                    .file_stem()
                    .expect("a name")
                    .to_string_lossy()
                    .into_owned();
                self.file(&module, &fs::read_to_string(&path).expect("a source"));
            }
        }
    }

    fn file(&mut self, module: &str, source: &str) {
        for part in source.split("#[utoipa::path(").skip(1) {
            let method = part.split(',').next().expect("a method").trim().to_owned();
            let path = quoted(part).expect("a path");
            let handler = part.split_once("pub async fn ").expect("a handler").1;
            let name: String = handler
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            self.described
                .insert((method, path), format!("{module}::{name}"));
        }
        for part in source.split("routes!(").skip(1) {
            let inside = part.split(')').next().expect("an end");
            let names = inside.split(',').map(|n| n.trim().to_owned());
            self.registered.extend(names.filter(|n| !n.is_empty()));
        }
        for part in source.split(".route(").skip(1) {
            self.plain.extend(quoted(part));
        }
    }
}

/// The first text in quotes.
fn quoted(source: &str) -> Option<String> {
    source.split('"').nth(1).map(str::to_owned)
}

on_both! {
    async fn the_document_is_sound(db: &TestDb) {
        let app = TestApp::start(db).await;
        let answer = app.get("/api/v1/openapi.json").await;
        let document = answer.ok();
        assert!(document["openapi"].as_str().is_some_and(|v| v.starts_with("3.1")));
        assert_eq!(document["info"]["title"], "Patchbay");
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
        let mut wanted = BTreeSet::new();
        references(&document, &mut wanted);
        assert!(wanted.len() > 10, "{wanted:?}");
        for to in wanted {
            let pointer = to.strip_prefix('#').expect("a local reference");
            assert!(document.pointer(pointer).is_some(), "{to} leads nowhere");
        }
        let schemes = document["components"]["securitySchemes"].as_object().expect("schemes");
        let all = operations(&document);
        let ids: BTreeSet<_> = all.values().filter_map(|o| o["operationId"].as_str()).collect();
        assert_eq!(ids.len(), all.len(), "each operation has an id of its own: {ids:?}");
        let mut links = 0;
        for ((method, path), operation) in &all {
            let place = format!("{method} {path}");
            let responses = operation["responses"].as_object().expect("responses");
            for (status, response) in responses {
                for link in response["links"].as_object().into_iter().flat_map(|links| links.values()) {
                    let to = link["operationId"].as_str().unwrap_or_default();
                    assert!(ids.contains(to), "{place}: {link} leads nowhere");
                    links += 1;
                }
                if status.starts_with(['4', '5']) {
                    let problem = &response["content"]["application/problem+json"]["schema"]["$ref"];
                    assert_eq!(problem, "#/components/schemas/Problem", "{place} {status}");
                }
            }
            for limit in ["429", "503"] {
                assert!(responses.contains_key(limit), "{place}: no {limit}");
            }
            for requirement in operation["security"].as_array().into_iter().flatten() {
                let names = requirement.as_object().expect("a requirement").keys();
                assert!(names.into_iter().all(|name| schemes.contains_key(name)), "{place}");
                assert!(responses.contains_key("401"), "{place}: no 401");
            }
            let described: BTreeSet<_> = operation["parameters"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|p| p["in"] == "path")
                .filter_map(|p| p["name"].as_str())
                .collect();
            let in_path: BTreeSet<_> = path
                .split(['{', '}'])
                .enumerate()
                .filter_map(|(i, part)| (i % 2 == 1).then_some(part))
                .collect();
            assert_eq!(described, in_path, "{place}: parameters");
        }
        assert!(links > 0, "links are not read");
    }

    async fn every_described_path_is_answered(db: &TestDb) {
        let app = TestApp::start(db).await;
        let document = app.get("/api/v1/openapi.json").await.ok();
        for (method, path) in operations(&document).into_keys() {
            let method = method.to_uppercase().parse().expect("a method");
            let at = path.replace("{id}", "x");
            let answer = app.nobody().request(method, &at, &[], None).await;
            assert!(!answer.text.contains("not_found"), "{path}: {}", answer.text);
            assert_ne!(answer.status, 405, "{path}");
        }
    }
}

#[test]
fn no_route_is_missing_from_the_document() {
    let document: Value =
        serde_json::from_str(&patchbay::server::http::openapi_json()).expect("JSON");
    let documented: BTreeSet<_> = operations(&document).into_keys().collect();
    let sources = Sources::read();
    assert!(sources.described.len() >= 15, "{:?}", sources.described);
    for (operation, handler) in &sources.described {
        assert!(
            sources.registered.contains(handler),
            "{handler} is described and not in routes!"
        );
        assert!(
            documented.contains(operation),
            "{operation:?} is not in the document"
        );
    }
    let described: BTreeSet<_> = sources.described.keys().cloned().collect();
    assert_eq!(documented, described);
    for handler in &sources.registered {
        assert!(
            sources.described.values().any(|h| h == handler),
            "{handler} is in routes! and not described"
        );
    }
    for path in &sources.plain {
        let rest = path.starts_with("/api/") || path.starts_with("/health");
        assert!(
            !rest || NOT_REST.contains(&path.as_str()),
            "{path} is served past the document"
        );
    }
}
