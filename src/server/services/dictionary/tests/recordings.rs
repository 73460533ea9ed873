//! Every word of the recordings, and what the page and the socket say of one flow.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use serde_json::Value;

use super::*;

/// Every `code` and `type` of an error, wherever it stands in a recording.
#[derive(Default)]
struct Heard {
    words: BTreeMap<String, String>,
    flows: BTreeSet<(String, String)>,
}

impl Heard {
    fn read(&mut self, value: &Value, file: &str) {
        match value {
            Value::Object(map) => {
                for (key, inner) in map {
                    if key == "error" {
                        self.note(&inner["code"], file);
                        self.note(&inner["type"], file);
                        self.flow(&inner["type"], &inner["description"]);
                    }
                    if key == "errors" {
                        for one in inner.as_array().into_iter().flatten() {
                            self.note(&one["code"], file);
                            self.note(&one["type"], file);
                        }
                    }
                    if key == "error_type" || key == "errorType" {
                        self.note(inner, file);
                        self.flow(inner, &map.get("error_desc").cloned().unwrap_or_default());
                    }
                    self.read(inner, file);
                }
            }
            Value::Array(all) => all.iter().for_each(|v| self.read(v, file)),
            // Bodies byte for byte are texts.
            Value::String(text) if text.starts_with('{') => {
                if let Ok(inner) = serde_json::from_str::<Value>(text) {
                    self.read(&inner, file);
                }
            }
            _ => {}
        }
    }

    fn note(&mut self, word: &Value, file: &str) {
        if let Some(word) = word.as_str() {
            self.words.insert(word.to_owned(), file.to_owned());
        }
    }

    fn flow(&mut self, error_type: &Value, description: &Value) {
        if let (Some(error_type), Some(description)) = (error_type.as_str(), description.as_str()) {
            self.flows
                .insert((error_type.to_owned(), description.to_owned()));
        }
    }
}

fn recordings() -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("NANGO_RECORDINGS") else {
        eprintln!("skipped: NANGO_RECORDINGS names no folder");
        return None;
    };
    Some(PathBuf::from(folder))
}

#[test]
fn every_word_in_the_recordings_has_an_entry() {
    let Some(folder) = recordings() else { return };
    let mut files: Vec<PathBuf> = fs::read_dir(folder.join("transcripts"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.push(folder.join("webhook-vectors.json"));
    let mut heard = Heard::default();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        heard.read(&serde_json::from_str(&text).unwrap(), &name);
    }
    assert!(heard.words.len() >= 35, "{:?}", heard.words);
    assert!(heard.flows.len() >= 6, "{:?}", heard.flows);
    let missing: Vec<_> = heard
        .words
        .iter()
        .filter(|(word, _)| entry(word).is_none())
        .collect();
    assert!(missing.is_empty(), "without an entry: {missing:?}");
    for (error_type, description) in &heard.flows {
        let found = if error_type.starts_with("refresh_") {
            refresh_failure(error_type, description)
        } else {
            flow_failure(error_type, description)
        };
        assert_ne!(found.code, "flow_failed", "{error_type}: {description}");
    }
}

/// Of one flow: what its page said (type, message), and its socket (type, description).
#[derive(Default)]
struct Ended {
    page: Option<(String, String)>,
    socket: Option<(String, String)>,
}

impl Ended {
    fn read(&mut self, value: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match value {
            Value::Object(map) => {
                if let Some(said) = map
                    .get("window.__nangoOAuthError")
                    .filter(|v| v.is_object())
                {
                    self.page = Some((text(&said["errorType"]), text(&said["message"])));
                }
                if let Some(kind) = map.get("error_type") {
                    self.socket = Some((text(kind), text(&map["error_desc"])));
                }
                map.values().for_each(|inner| self.read(inner));
            }
            Value::Array(all) => all.iter().for_each(|inner| self.read(inner)),
            _ => {}
        }
    }
}

/// Every part of a recording that is one flow.
fn flows(value: &Value, found: &mut Vec<Ended>) {
    match value {
        Value::Object(map) if map.contains_key("webSocket") => {
            let mut ended = Ended::default();
            ended.read(value);
            found.push(ended);
        }
        Value::Object(map) => map.values().for_each(|inner| flows(inner, found)),
        Value::Array(all) => all.iter().for_each(|inner| flows(inner, found)),
        _ => {}
    }
}

#[test]
fn page_and_socket_mean_the_same() {
    let Some(folder) = recordings() else { return };
    let mut all = Vec::new();
    for file in fs::read_dir(folder.join("transcripts")).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        flows(&serde_json::from_str(&text).unwrap(), &mut all);
    }
    let mut compared = 0;
    for ended in &all {
        let (Some((kind, message)), Some((socket, description))) = (&ended.page, &ended.socket)
        else {
            continue;
        };
        compared += 1;
        let (page, socket) = (
            hint_failure(kind, message),
            flow_failure(socket, description),
        );
        assert_eq!(page.code, socket.code, "{message} | {description}");
        assert_eq!(page.outcome, socket.outcome, "{message}");
    }
    assert!(compared >= 3, "only {compared} of {} flows", all.len());
    // Where only the sentence was recorded, the page's message is that sentence.
    for (kind, description) in [
        (
            "url_param_err",
            "Missing Connection Config param(s) in Auth request to interpolate url x. Provided Connection Config: {}",
        ),
        (
            "provider_config_err",
            "Could not find a Provider Config matching the \"nope\" key.",
        ),
        ("auth_mode_err", "Auth mode OAUTH2 not supported."),
    ] {
        let page = hint_failure("connection_validation_failed", description);
        assert_eq!(page, flow_failure(kind, description), "{description}");
    }
}
