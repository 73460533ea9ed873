//! What the settings come to, each with where it comes from: `patchbay config print`.
//!
//! May import `config` only.

use std::{
    fmt::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::source::{Kind, Secrecy, Setting};
use crate::server::address;

/// What stands in place of a secret.
const HIDDEN: &str = "•••";

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Environment(String),
    File {
        line: usize,
    },
    Default,
    /// Made of other settings.
    Derived,
    /// There is none.
    Unset,
}

/// One setting, as it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    pub section: String,
    pub key: &'static str,
    pub env: String,
    kind: Kind,
    /// As it may be shown.
    value: Option<String>,
    /// Something is missing from the value.
    hidden: bool,
    pub origin: Origin,
}

impl Effective {
    pub(super) fn new(setting: &Setting<'_>, text: Option<&str>, origin: Origin) -> Self {
        let (value, hidden) = match (text, setting.secrecy) {
            (None, _) => (None, false),
            (Some(text), Secrecy::Open) => (Some(plain(setting.kind, text)), false),
            (Some(_), Secrecy::Secret) => (Some(HIDDEN.to_owned()), true),
            (Some(text), Secrecy::Password) => {
                let (shown, hidden) = address::shown(text);
                (Some(shown), hidden)
            }
        };
        Self {
            section: setting.section.to_owned(),
            key: setting.key,
            env: setting.env.to_owned(),
            kind: setting.kind,
            value,
            hidden,
            origin,
        }
    }

    /// As the settings file writes it.
    fn written(&self) -> Option<String> {
        let value = self.value.as_ref()?;
        Some(match self.kind {
            Kind::Text => toml::Value::from(value.as_str()).to_string(),
            Kind::Number | Kind::Flag => value.clone(),
        })
    }
}

/// `1` is true, and `007` is 7: the file knows one form of each.
fn plain(kind: Kind, text: &str) -> String {
    match (kind, text) {
        (Kind::Flag, "1") => "true".to_owned(),
        (Kind::Flag, "0") => "false".to_owned(),
        (Kind::Number, _) => match text.parse::<u64>() {
            Ok(number) => number.to_string(),
            Err(_) => text.to_owned(),
        },
        _ => text.to_owned(),
    }
}

/// All of them, in the order of the file.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file that was read, if one was.
    pub file: Option<PathBuf>,
    pub all: Vec<Effective>,
}

impl Settings {
    pub fn get(&self, env: &str) -> Option<&Effective> {
        self.all.iter().find(|setting| setting.env == env)
    }

    fn place(&self, origin: &Origin) -> Option<String> {
        let file = self
            .file
            .as_deref()
            .unwrap_or(Path::new(super::DEFAULT_FILE));
        Some(match origin {
            Origin::Environment(name) => format!("environment variable {name}"),
            Origin::File { line } => format!("{}:{line}", file.display()),
            Origin::Default => "default".to_owned(),
            Origin::Derived => "made of other settings".to_owned(),
            Origin::Unset => return None,
        })
    }

    /// For programs.
    pub fn json(&self) -> String {
        let all = self.all.iter().map(|setting| Entry {
            section: &setting.section,
            key: setting.key,
            variable: &setting.env,
            value: setting.value.as_deref(),
            hidden: setting.hidden,
            from: self.place(&setting.origin),
        });
        let all: Vec<_> = all.collect();
        serde_json::to_string_pretty(&all).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Entry<'a> {
    section: &'a str,
    key: &'a str,
    variable: &'a str,
    /// As it stands in the environment.
    value: Option<&'a str>,
    hidden: bool,
    from: Option<String>,
}

/// As a settings file, which can be read again. What is hidden is commented out in it: it would not be
/// the same any more.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => writeln!(
                f,
                "# The settings as they are used; the file is {}.",
                file.display()
            )?,
            None => writeln!(f, "# The settings as they are used; there is no file.")?,
        }
        let mut section = "";
        for setting in &self.all {
            if setting.section != section {
                section = &setting.section;
                write!(f, "\n[{section}]\n")?;
            }
            let Some(written) = setting.written() else {
                writeln!(f, "# {} is not set ({})", setting.key, setting.env)?;
                continue;
            };
            let mut line = format!("{} = {written}", setting.key);
            if setting.hidden {
                line.insert_str(0, "# ");
            }
            if let Some(place) = self.place(&setting.origin) {
                // Writing to a String can't fail.
                let _ = write!(line, "  # {place}");
            }
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

/// Beginnings of the variables that are Patchbay's alone, or nearly so.
const OURS: [&str; 8] = [
    "AUTH_",
    "DATABASE_",
    "LIMITS_",
    "NANGO_",
    "OIDC_",
    "PATCHBAY_",
    "SANDBOX_",
    "TOKEN_",
];

impl Settings {
    /// Those of these variables that look like ours and are none: most likely a slip of the pen, or of a
    /// provider that `OIDC_PROVIDERS` does not name.
    pub fn unknown<'a>(&self, variables: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
        let mut unknown: Vec<_> = variables
            .filter(|name| OURS.iter().any(|ours| name.starts_with(ours)))
            .filter(|name| *name != super::FILE_VARIABLE && self.get(name).is_none())
            .collect();
        unknown.sort_unstable();
        unknown
    }
}
