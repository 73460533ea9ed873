//! Is a manifest sound? First the JSON schema, then what a schema can't say.

use std::{collections::HashMap, fmt};

use jsonschema::{ValidationError, Validator, error::ValidationErrorKind};
use regex::Regex;
use serde_json::Value;
use uuid::Uuid;

use super::{
    Manifest,
    form::Said,
    mode::{self, Asks},
    pattern,
};
use crate::domain::connector::Field;

pub(super) const SCHEMA: &str = include_str!("../../../manifests/schema.json");

/// Names with a meaning of their own in addresses (`/api/v1/connectors/callback`).
const RESERVED: [&str; 1] = ["callback"];

/// One thing that is wrong in a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    pub file: String,
    /// `inputs[0].pattern`; empty where the file as a whole is wrong.
    pub field: String,
    pub reason: String,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if !self.field.is_empty() {
            write!(f, " {}:", self.field)?;
        }
        write!(f, " {}", self.reason)
    }
}

/// Everything that is wrong, one a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ManifestErrors(pub Vec<ManifestError>);

impl fmt::Display for ManifestErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

/// Reads manifests one by one and keeps what was wrong with them.
pub struct Checker {
    schema: Validator,
    pub errors: Vec<ManifestError>,
}

impl Checker {
    pub fn new() -> Result<Self, ManifestErrors> {
        let broken = |reason: String| {
            ManifestErrors(vec![ManifestError {
                file: "manifests/schema.json".to_owned(),
                field: String::new(),
                reason,
            }])
        };
        let schema = serde_json::from_str(SCHEMA)
            .map_err(|error| broken(format!("is not JSON: {error}")))?;
        let schema = jsonschema::validator_for(&schema)
            .map_err(|error| broken(format!("is not a JSON schema: {error}")))?;
        Ok(Self {
            schema,
            errors: Vec::new(),
        })
    }

    pub(super) fn refuse(&mut self, file: &str, field: &str, reason: impl Into<String>) {
        self.errors.push(ManifestError {
            file: file.to_owned(),
            field: field.to_owned(),
            reason: reason.into(),
        });
    }

    /// The manifest in `json`, unless something is wrong with it. `stem` is the file's name
    /// without `.json`.
    pub fn read(&mut self, file: &str, stem: &str, json: &[u8]) -> Option<Manifest> {
        let value: Value = match serde_json::from_slice(json) {
            Ok(value) => value,
            Err(error) => {
                self.refuse(file, "", format!("is not JSON: {error}"));
                return None;
            }
        };
        let before = self.errors.len();
        let broken: Vec<(String, String)> = self.schema.iter_errors(&value).map(told).collect();
        for (field, reason) in broken {
            self.refuse(file, &field, reason);
        }
        if let Some(slug) = value.get("slug").and_then(Value::as_str)
            && slug != stem
        {
            let reason = format!("“{}” differs from the file’s name", short(slug));
            self.refuse(file, "slug", reason);
        }
        if self.errors.len() > before {
            return None;
        }
        let said = said(&value);
        let mut manifest: Manifest = match serde_json::from_value(value) {
            Ok(manifest) => manifest,
            Err(error) => {
                self.refuse(file, "", error.to_string());
                return None;
            }
        };
        if RESERVED.contains(&stem) || Uuid::parse_str(stem).is_ok() {
            self.refuse(file, "slug", "has a meaning of its own in addresses");
        }
        for (fields, credential) in [
            (&mut manifest.inputs, false),
            (&mut manifest.credentials, true),
        ] {
            for field in fields {
                let said = said.get(&field.name).copied().unwrap_or_default();
                said.complete(field, credential);
            }
        }
        manifest.said = said;
        manifest.patterns = self.fields(file, &manifest);
        self.credentials(file, &manifest);
        if manifest.nango.installation.is_some() && manifest.nango.auth_mode != "OAUTH2" {
            let reason = format!("{} has no such thing", manifest.nango.auth_mode);
            self.refuse(file, "nango.installation", reason);
        }
        (self.errors.len() == before).then_some(manifest)
    }

    /// Checks the fields and compiles their patterns.
    fn fields(&mut self, file: &str, manifest: &Manifest) -> HashMap<String, Regex> {
        let mut patterns = HashMap::new();
        let mut seen: Vec<&str> = Vec::new();
        let inputs = manifest.inputs.iter().enumerate();
        let credentials = manifest.credentials.iter().enumerate();
        let inputs = inputs.map(|(index, field)| (format!("inputs[{index}]"), field));
        let credentials =
            credentials.map(|(index, field)| (format!("credentials[{index}]"), field));
        for (at, field) in inputs.chain(credentials) {
            if seen.contains(&field.name.as_str()) {
                let reason = format!("“{}” is the name of an earlier field", field.name);
                self.refuse(file, &format!("{at}.name"), reason);
            }
            seen.push(&field.name);
            if let Some(example) = &field.example
                && !field.options.is_empty()
                && !field.options.contains(example)
            {
                let reason = format!("“{}” is none of the options", short(example));
                self.refuse(file, &format!("{at}.example"), reason);
            }
            let Some(text) = &field.pattern else {
                continue;
            };
            match pattern::compile(text) {
                Ok(regex) => {
                    self.examples(file, &at, field, &regex);
                    patterns.insert(field.name.clone(), regex);
                }
                Err(reason) => self.refuse(file, &format!("{at}.pattern"), reason),
            }
        }
        patterns
    }

    /// The values a manifest shows must be ones that it accepts.
    fn examples(&mut self, file: &str, at: &str, field: &Field, regex: &Regex) {
        let example = field.example.iter().map(|value| ("example", value));
        let options = field.options.iter().map(|value| ("options", value));
        for (key, value) in example.chain(options) {
            if !regex.is_match(value) {
                let reason = format!("“{}” does not match the pattern", short(value));
                self.refuse(file, &format!("{at}.{key}"), reason);
            }
        }
    }

    /// Credentials are Nango's for the auth mode: those it needs are there, no others. Where none
    /// are named they come from Nango when they are asked for.
    fn credentials(&mut self, file: &str, manifest: &Manifest) {
        let mode = manifest.nango.auth_mode.as_str();
        if manifest.credentials.is_empty() {
            return;
        }
        let (known, needed) = match mode::asks(mode) {
            Some(Asks::Names { known, needed }) => (known, needed),
            Some(Asks::Any) => return,
            asks => {
                let reason = if asks == Some(Asks::Window) {
                    format!("{mode} asks in its own window, so there can be none")
                } else {
                    format!("{mode} asks for nothing, so there can be none")
                };
                self.refuse(file, "credentials", reason);
                return;
            }
        };
        let has = |name: &str| manifest.credentials.iter().any(|f| f.name == name);
        let missing: Vec<String> = needed
            .iter()
            .filter(|group| !group.iter().any(|name| has(name)))
            .map(|group| group.join(" or "))
            .collect();
        if !missing.is_empty() {
            let reason = format!("{mode} needs {}", missing.join(" and "));
            self.refuse(file, "credentials", reason);
        }
        for (index, field) in manifest.credentials.iter().enumerate() {
            if !known.contains(&field.name.as_str()) {
                let reason = format!(
                    "{mode} has no “{}”, only {}",
                    field.name,
                    known.join(" and ")
                );
                self.refuse(file, &format!("credentials[{index}].name"), reason);
            }
        }
    }
}

/// What the file says about its fields in so many words.
fn said(manifest: &Value) -> HashMap<String, Said> {
    let lists = [manifest.get("inputs"), manifest.get("credentials")];
    let fields = lists.into_iter().flatten().filter_map(Value::as_array);
    fields
        .flatten()
        .filter_map(|field| Some((field.get("name")?.as_str()?.to_owned(), Said::of(field))))
        .collect()
}

/// A breach of the schema as field and reason.
fn told(error: ValidationError<'_>) -> (String, String) {
    let mut field = path(error.instance_path.as_str());
    let value = match error.instance.as_ref() {
        Value::String(text) => format!("“{}”", short(text)),
        other => short(&other.to_string()),
    };
    let length = error
        .instance
        .as_str()
        .map_or(0, |text| text.chars().count());
    let reason = match &error.kind {
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            if !field.is_empty() {
                field.push('.');
            }
            field.push_str(name);
            "is missing".to_owned()
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            format!("has no “{}”", unexpected.join("”, “"))
        }
        ValidationErrorKind::Pattern { pattern } => format!("{value} does not match {pattern}"),
        ValidationErrorKind::Enum { options } => {
            let options: Vec<&str> = options
                .as_array()
                .map(|all| all.iter().filter_map(Value::as_str).collect())
                .unwrap_or_default();
            format!("{value} is none of {}", options.join(", "))
        }
        ValidationErrorKind::MinLength { limit } => {
            format!("has {length} characters, {limit} are the least")
        }
        ValidationErrorKind::MaxLength { limit } => {
            format!("has {length} characters, {limit} are the most")
        }
        ValidationErrorKind::MinItems { limit } => format!("has fewer than {limit} entries"),
        ValidationErrorKind::MaxItems { limit } => format!("has more than {limit} entries"),
        ValidationErrorKind::OneOfNotValid { .. }
        | ValidationErrorKind::OneOfMultipleValid { .. } => {
            "needs either a path or a monogram, not both".to_owned()
        }
        _ => error.masked_with("the value").to_string(),
    };
    (field, reason)
}

/// `/inputs/0/pattern` as `inputs[0].pattern`.
fn path(pointer: &str) -> String {
    let mut path = String::new();
    for part in pointer.split('/').skip(1) {
        if part.chars().all(|c| c.is_ascii_digit()) {
            path.push_str(&format!("[{part}]"));
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&part.replace("~1", "/").replace("~0", "~"));
        }
    }
    path
}

/// A value as a message can show it.
fn short(text: &str) -> String {
    if text.chars().count() <= 60 {
        return text.to_owned();
    }
    let start: String = text.chars().take(60).collect();
    format!("{start}…")
}
