//! The recordings of a real Nango, from the folder that `NANGO_RECORDINGS` names.

use std::{env, fs, path::PathBuf};

use serde_json::Value;

/// `None`, with a printed reason, where nobody has set it. Set and unreadable fails.
pub fn folder() -> Option<PathBuf> {
    match env::var_os("NANGO_RECORDINGS") {
        Some(folder) => Some(folder.into()),
        None => {
            println!("skipped: NANGO_RECORDINGS is not set");
            None
        }
    }
}

pub fn json(path: &std::path::Path) -> Value {
    let text = fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("NANGO_RECORDINGS: {}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A request and its answer.
pub struct Step {
    /// `27-reconnect-errors /steps/1`
    pub name: String,
    pub method: String,
    /// Without the query.
    pub path: String,
    pub authorization: String,
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Value,
}

/// Every one, wherever in a recording it stands.
pub fn steps() -> Option<Vec<Step>> {
    let folder = folder()?.join("transcripts");
    let entries = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("NANGO_RECORDINGS: {}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut steps = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        walk(&json(&file), &name, "", &mut steps);
    }
    Some(steps)
}

fn walk(value: &Value, file: &str, at: &str, steps: &mut Vec<Step>) {
    match value {
        Value::Object(fields) => {
            if let (Some(request), Some(response)) = (value.get("request"), value.get("response"))
                && request.is_object()
                && response.is_object()
            {
                steps.push(step(format!("{file} {at}"), request, response));
            }
            for (name, inner) in fields {
                if name != "request" && name != "response" {
                    walk(inner, file, &format!("{at}/{name}"), steps);
                }
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                walk(inner, file, &format!("{at}/{index}"), steps);
            }
        }
        _ => {}
    }
}

fn step(name: String, request: &Value, response: &Value) -> Step {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let target = match text(&request["path"]) {
        target if target.is_empty() => text(&request["url"]),
        target => target,
    };
    let headers = response["headers"].as_object();
    Step {
        name,
        method: text(&request["method"]),
        path: target.split('?').next().unwrap_or_default().to_owned(),
        authorization: text(&request["headers"]["authorization"]),
        status: response["status"]
            .as_u64()
            .unwrap_or_default()
            .try_into()
            .unwrap(),
        headers: headers
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect(),
        body: response["body"].clone(),
    }
}
