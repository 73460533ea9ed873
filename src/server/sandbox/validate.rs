//! Validation that reports as Nango's own schema library does: every issue with code, message
//! and path.
//!
//! May import `answers` only.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::answers::{self, Refusal};

/// Where in a request something was found.
pub type Path = Vec<String>;

/// A path from its parts.
pub fn path(parts: &[&str]) -> Path {
    parts.iter().map(|p| (*p).to_owned()).collect()
}

fn below(base: &[&str], name: &str) -> Path {
    let mut path = path(base);
    path.push(name.to_owned());
    path
}

/// Everything found wrong so far.
#[derive(Debug, Default)]
pub struct Issues(Vec<Value>);

impl Issues {
    pub fn push(&mut self, code: &str, message: &str, path: Path) {
        self.0
            .push(json!({"code": code, "message": message, "path": path}));
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn wrong_type(&mut self, expected: &str, found: Option<&Value>, path: Path) {
        let found = kind(found);
        self.push(
            "invalid_type",
            &format!("Invalid input: expected {expected}, received {found}"),
            path,
        );
    }

    pub fn too_short(&mut self, path: Path) {
        self.push(
            "too_small",
            "Too small: expected string to have >=1 characters",
            path,
        );
    }

    /// Reports the names that are none of `known`.
    pub fn unrecognized<'a>(
        &mut self,
        names: impl IntoIterator<Item = &'a str>,
        known: &[&str],
        path: Path,
    ) {
        let mut unknown: Vec<&str> = Vec::new();
        for name in names {
            if !known.contains(&name) && !unknown.contains(&name) {
                unknown.push(name);
            }
        }
        if unknown.is_empty() {
            return;
        }
        let word = if unknown.len() == 1 { "key" } else { "keys" };
        let list: Vec<String> = unknown.iter().map(|n| format!("\"{n}\"")).collect();
        let message = format!("Unrecognized {word}: {}", list.join(", "));
        self.push("unrecognized_keys", &message, path);
    }

    /// A string field. Absent is fine unless `required`; empty is too short.
    pub fn string(
        &mut self,
        object: &Map<String, Value>,
        name: &str,
        base: &[&str],
        required: bool,
    ) -> Option<String> {
        match object.get(name) {
            None if !required => None,
            Some(Value::String(text)) if text.is_empty() => {
                self.too_short(below(base, name));
                None
            }
            Some(Value::String(text)) => Some(text.clone()),
            other => {
                self.wrong_type("string", other, below(base, name));
                None
            }
        }
    }

    /// A string field that may say nothing.
    pub fn possibly_empty(
        &mut self,
        object: &Map<String, Value>,
        name: &str,
        base: &[&str],
        required: bool,
    ) -> Option<String> {
        match object.get(name) {
            None if !required => None,
            Some(Value::String(text)) => Some(text.clone()),
            other => {
                self.wrong_type("string", other, below(base, name));
                None
            }
        }
    }

    /// An object field; absent is fine.
    pub fn object<'a>(
        &mut self,
        object: &'a Map<String, Value>,
        name: &str,
        base: &[&str],
        word: &str,
    ) -> Option<&'a Map<String, Value>> {
        match object.get(name) {
            None => None,
            Some(Value::Object(map)) => Some(map),
            other => {
                self.wrong_type(word, other, below(base, name));
                None
            }
        }
    }

    /// Ends the call with 400 where anything is wrong.
    pub fn refuse(self, code: &str) -> Result<(), Refusal> {
        if self.is_empty() {
            return Ok(());
        }
        let body = json!({"error": {"code": code, "errors": self.0}});
        Err(answers::json(StatusCode::BAD_REQUEST, &body).into())
    }

    pub fn refuse_body(self) -> Result<(), Refusal> {
        self.refuse("invalid_body")
    }

    pub fn refuse_query(self) -> Result<(), Refusal> {
        self.refuse("invalid_query_params")
    }
}

/// The body as an object, or the refusal of anything else.
pub fn object(body: Option<&Value>) -> Result<&Map<String, Value>, Refusal> {
    if let Some(Value::Object(map)) = body {
        return Ok(map);
    }
    let mut issues = Issues::default();
    issues.wrong_type("object", body, Path::new());
    issues.refuse_body()?;
    Err(answers::code(StatusCode::BAD_REQUEST, "invalid_body"))
}

const LONGEST_NAME: usize = 255;

/// The key of an integration, as Nango takes it in bodies and addresses.
pub fn key(issues: &mut Issues, text: &str, field: &str) {
    matches(issues, text, "a-zA-Z0-9~:.@ _-", field);
}

/// Text of the characters of `class`, written as in a regular expression, and at most 255 of them.
pub fn matches(issues: &mut Issues, text: &str, class: &str, field: &str) {
    let extra = class.strip_prefix("a-zA-Z0-9").unwrap_or(class);
    let sound = |c: char| c.is_ascii_alphanumeric() || extra.contains(c);
    if text.is_empty() || !text.chars().all(sound) {
        let message = format!("Invalid string: must match pattern /^[{class}]+$/");
        issues.push("invalid_format", &message, path(&[field]));
    }
    longest(issues, text, LONGEST_NAME, path(&[field]));
}

/// The id of a connection: callers may choose it, and some choose odd ones.
pub fn connection_id(issues: &mut Issues, text: &str, path: Path) {
    let sound = |c: char| c.is_ascii_alphanumeric() || ",.;:=+~[]|@${}\"'\\/_ -".contains(c);
    if text.is_empty() || !text.chars().all(sound) {
        let message =
            r#"Invalid string: must match pattern /^[a-zA-Z0-9,.;:=+~[\]|@${}"'\\/_ -]+$/"#;
        issues.push("invalid_format", message, path.clone());
    }
    longest(issues, text, LONGEST_NAME, path);
}

/// Reports a string of more than `most` characters, as JavaScript counts them.
pub fn longest(issues: &mut Issues, text: &str, most: usize, path: Path) {
    if text.encode_utf16().count() > most {
        let message = format!("Too big: expected string to have <={most} characters");
        issues.push("too_big", &message, path);
    }
}

/// An integration's key in the address of a call.
pub fn key_in_path(text: &str, field: &str) -> Result<(), Refusal> {
    let mut issues = Issues::default();
    key(&mut issues, text, field);
    issues.refuse("invalid_uri_params")
}

fn kind(value: Option<&Value>) -> &'static str {
    match value {
        None => "undefined",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "boolean",
        Some(Value::Number(_)) => "number",
        Some(Value::String(_)) => "string",
        Some(Value::Array(_)) => "array",
        Some(Value::Object(_)) => "object",
    }
}

/// Enough of an e-mail address for Nango's check: one `@`, a name before it, a dotted domain.
pub fn is_email(text: &str) -> bool {
    let Some((name, domain)) = text.split_once('@') else {
        return false;
    };
    !name.is_empty()
        && !text.contains(char::is_whitespace)
        && !domain.contains('@')
        && domain
            .split_once('.')
            .is_some_and(|(host, top)| !host.is_empty() && top.len() > 1)
}
