//! What must be the same between a recorded answer and a live one.

use serde_json::Value;

/// Recorded and live, and what was found to differ.
#[derive(Default)]
pub struct Differences(pub Vec<String>);

impl Differences {
    pub fn same<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, recorded: T, live: T) {
        if recorded != live {
            self.0
                .push(format!("{what}: recorded {recorded:?}, live {live:?}"));
        }
    }

    /// Same keys, same types. Tags are the caller's own words: outside lists they must be equal.
    /// `raw` is the provider's word, not Nango's.
    pub fn shape(&mut self, at: &str, recorded: &Value, live: &Value) {
        match (recorded, live) {
            (Value::Object(r), Value::Object(l)) => {
                for key in l.keys().filter(|k| !r.contains_key(*k)) {
                    self.0.push(format!("{at}: live has {key}"));
                }
                for (key, r) in r {
                    let at = format!("{at}/{key}");
                    match l.get(key) {
                        None => self.0.push(format!("{at}: missing")),
                        Some(_) if key == "raw" => {}
                        Some(l) if key == "tags" && !at.contains('[') => self.same(&at, r, l),
                        Some(_) if key == "tags" && r.is_object() => {}
                        Some(l) => self.shape(&at, r, l),
                    }
                }
            }
            // Each recorded element has one of its kind; which come first depends on the past.
            (Value::Array(r), Value::Array(l)) => {
                for (index, r) in r.iter().enumerate() {
                    let at = format!("{at}[{index}]");
                    let tries = l.iter().map(|l| {
                        let mut found = Self::default();
                        found.shape(&at, r, l);
                        found.0
                    });
                    match tries.min_by_key(Vec::len) {
                        Some(best) => self.0.extend(best),
                        None => self.0.push(format!("{at}: the live list is empty")),
                    }
                }
            }
            _ => self.same(at, kind(recorded), kind(live)),
        }
    }

    /// An error says exactly the same, but for ids of the moment and a parser's own words.
    pub fn error(&mut self, recorded: &Value, live: &Value) {
        self.same("code", &recorded["error"]["code"], &live["error"]["code"]);
        let of_the_moment = [
            "generic_error_support",
            "invalid_credentials",
            "invalid_json",
        ];
        if of_the_moment.contains(&recorded["error"]["code"].as_str().unwrap_or_default()) {
            self.shape("body", recorded, live);
            if recorded["error"]["code"] == "invalid_credentials" {
                let message = |body: &Value| body["error"]["message"].clone();
                self.same("message", message(recorded), message(live));
            }
        } else {
            self.same("body", recorded, live);
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The error that a popup page carries for its opener.
pub fn page_error(page: &str) -> Value {
    page.split_once("window.__nangoOAuthError = ")
        .and_then(|(_, rest)| rest.lines().next())
        .and_then(|line| serde_json::from_str(line.trim_end_matches(';')).ok())
        .unwrap_or(Value::Null)
}
