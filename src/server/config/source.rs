//! Where settings come from: the file with its line numbers, and the environment.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    DEFAULT_FILE,
    effective::{Effective, Origin, Settings},
    error::{ConfigError, ConfigErrors, Place},
    named,
    sections::SETTINGS,
};

/// One setting: its place in the file and the variable above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting<'a> {
    pub section: &'a str,
    pub key: &'static str,
    pub env: &'a str,
    pub kind: Kind,
    /// As it would be written in the environment.
    pub default: Option<&'static str>,
    pub secrecy: Secrecy,
}

/// Who may see a setting's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrecy {
    Open,
    /// All but the password in it.
    Password,
    Secret,
}

impl Setting<'_> {
    pub(super) const fn holds(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    pub(super) const fn or(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    /// A key or the like, never to be shown.
    pub(super) const fn secret(mut self) -> Self {
        self.secrecy = Secrecy::Secret;
        self
    }

    /// An address with a password in it.
    pub(super) const fn with_password(mut self) -> Self {
        self.secrecy = Secrecy::Password;
        self
    }

    fn place(&self) -> String {
        format!("[{}] {}", self.section, self.key)
    }

    fn at(&self) -> (String, String) {
        (self.section.to_owned(), self.key.to_owned())
    }
}

/// What the file must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Number,
    Flag,
}

impl Kind {
    const fn noun(self) -> &'static str {
        match self {
            Self::Text => "text in quotes",
            Self::Number => "a whole number",
            Self::Flag => "true or false",
        }
    }
}

struct Written {
    line: usize,
    /// Absent where the file holds another kind of value.
    text: Option<String>,
}

/// The file and the environment, with the errors met so far.
pub(super) struct Source<'a> {
    path: PathBuf,
    written: HashMap<(String, String), Written>,
    /// The named sub-sections of the file, as in `[oidc.google]`: parent, name, line.
    named: Vec<(&'static str, String, usize)>,
    env: &'a dyn Fn(&str) -> Option<String>,
    errors: Vec<ConfigError>,
    /// Whether there is a file.
    found: bool,
    /// What was asked for, and what it is.
    used: Vec<Effective>,
}

impl<'a> Source<'a> {
    fn new(path: &Path, env: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            path: path.to_path_buf(),
            written: HashMap::new(),
            named: Vec::new(),
            env,
            errors: Vec::new(),
            found: true,
            used: Vec::new(),
        }
    }

    pub(super) fn of_text(text: &str, env: &'a dyn Fn(&str) -> Option<String>) -> Self {
        let mut source = Self::new(Path::new(DEFAULT_FILE), env);
        source.read(text);
        source
    }

    pub(super) fn open(named: Option<&Path>, env: &'a dyn Fn(&str) -> Option<String>) -> Self {
        let mut source = Self::new(named.unwrap_or(Path::new(DEFAULT_FILE)), env);
        match std::fs::read_to_string(&source.path) {
            Ok(text) => source.read(&text),
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                source.found = false;
            }
            Err(error) => source.refuse_file(None, "", format!("can't be read: {error}")),
        }
        source
    }

    fn read(&mut self, text: &str) {
        let line_at = |offset: usize| {
            let before = text.as_bytes().get(..offset).unwrap_or_default();
            before.iter().filter(|byte| **byte == b'\n').count() + 1
        };
        let (table, broken) = DeTable::parse_recoverable(text);
        if !broken.is_empty() {
            // What was recovered is a guess: only the breaks themselves are worth telling.
            for error in broken {
                let line = error.span().map(|span| line_at(span.start));
                self.refuse_file(line, "", format!("is not TOML: {}", error.message()));
            }
            return;
        }
        for (section, value) in table.get_ref() {
            let line = line_at(section.span().start);
            let section = section.get_ref().as_ref();
            let known: Vec<&Setting<'_>> =
                SETTINGS.iter().filter(|s| s.section == section).collect();
            match value.get_ref() {
                DeValue::Table(keys) if !known.is_empty() => {
                    for (key, value) in keys {
                        let line = line_at(key.span().start);
                        if let (Some(kind), DeValue::Table(keys)) =
                            (named::below(section), value.get_ref())
                        {
                            self.read_named(kind, key.get_ref(), line, keys, line_at);
                        } else {
                            self.read_key(&known, section, key.get_ref(), line, value);
                        }
                    }
                }
                DeValue::Table(_) => {
                    let reason = format!("there is no such section; there are {}", sections());
                    self.refuse_file(Some(line), &format!("[{section}]"), reason);
                }
                _ => {
                    let reason = format!("stands in no section; there are {}", sections());
                    self.refuse_file(Some(line), section, reason);
                }
            }
        }
    }

    /// A sub-section that is there once for each name.
    fn read_named(
        &mut self,
        kind: &'static named::Section,
        name: &str,
        line: usize,
        keys: &DeTable<'_>,
        line_at: impl Fn(usize) -> usize,
    ) {
        let section = kind.section(name);
        if let Err(reason) = named::checked(name) {
            return self.refuse_file(Some(line), &format!("[{section}]"), reason);
        }
        self.named.push((kind.parent, name.to_owned(), line));
        let known: Vec<&Setting<'_>> = kind.settings.iter().collect();
        for (key, value) in keys {
            let line = line_at(key.span().start);
            self.read_key(&known, &section, key.get_ref(), line, value);
        }
    }

    fn read_key(
        &mut self,
        known: &[&Setting<'_>],
        section: &str,
        key: &str,
        line: usize,
        value: &Spanned<DeValue<'_>>,
    ) {
        let place = format!("[{section}] {key}");
        let Some(setting) = known.iter().find(|s| s.key == key) else {
            let keys: Vec<&str> = known.iter().map(|s| s.key).collect();
            let reason = format!(
                "there is no such setting; [{section}] has {}",
                keys.join(", ")
            );
            return self.refuse_file(Some(line), &place, reason);
        };
        let text = match (setting.kind, value.get_ref()) {
            (Kind::Text, DeValue::String(text)) => Some(text.trim().to_owned()),
            (Kind::Number, DeValue::Integer(number)) => {
                i64::from_str_radix(number.as_str(), number.radix())
                    .ok()
                    .map(|number| number.to_string())
            }
            (Kind::Flag, DeValue::Boolean(flag)) => Some(flag.to_string()),
            _ => None,
        };
        if text.is_none() {
            let reason = format!("must be {}", setting.kind.noun());
            self.refuse_file(Some(line), &place, reason);
        } else if text.as_deref() == Some("") {
            let reason = "is empty; leave the line out for the default".to_owned();
            self.refuse_file(Some(line), &place, reason);
            return;
        }
        let at = (section.to_owned(), setting.key.to_owned());
        self.written.insert(at, Written { line, text });
    }

    /// Refuses every sub-section of the file that nothing names: it would have no effect.
    pub(super) fn only(&mut self, kind: &named::Section, names: &[String]) {
        let forgotten: Vec<_> = self
            .named
            .iter()
            .filter(|(parent, name, _)| *parent == kind.parent && !names.contains(name))
            .map(|(_, name, line)| (kind.section(name), *line))
            .collect();
        for (section, line) in forgotten {
            let reason = format!("is not named in [{}] {}", kind.parent, kind.list);
            self.refuse_file(Some(line), &format!("[{section}]"), reason);
        }
    }

    /// The value of an environment variable; an empty one counts as unset.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        let value = (self.env)(name)?;
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// The setting's value: from the environment, else the file, else the default. `None` where
    /// none of them has it or where it was refused; then the load fails anyway.
    pub(super) fn get<T>(
        &mut self,
        setting: &Setting<'_>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let (text, origin) = match (self.variable(setting.env), self.written.get(&setting.at())) {
            (Some(value), _) => (value, Origin::Environment(setting.env.to_owned())),
            (None, Some(Written { line, text })) => (text.clone()?, Origin::File { line: *line }),
            (None, None) => match setting.default {
                Some(default) => (default.to_owned(), Origin::Default),
                None => {
                    self.used(setting, None, Origin::Unset);
                    return None;
                }
            },
        };
        self.used(setting, Some(&text), origin);
        match parse(&text) {
            Ok(value) => Some(value),
            Err(reason) => {
                self.refuse(setting, reason);
                None
            }
        }
    }

    /// Notes what a setting is; what was noted before of the same one counts no more.
    pub(super) fn used(&mut self, setting: &Setting<'_>, text: Option<&str>, origin: Origin) {
        let used = Effective::new(setting, text, origin);
        match self.used.iter_mut().find(|before| before.env == used.env) {
            Some(before) => *before = used,
            None => self.used.push(used),
        }
    }

    /// Whether anybody wrote the setting.
    pub(super) fn has(&self, setting: &Setting<'_>) -> bool {
        self.variable(setting.env).is_some() || self.written.contains_key(&setting.at())
    }

    /// Refuses the setting's value where it stands.
    pub(super) fn refuse(&mut self, setting: &Setting<'_>, reason: String) {
        if self.variable(setting.env).is_some() {
            return self.refuse_variable(setting.env, reason);
        }
        let line = self.written.get(&setting.at()).map(|written| written.line);
        self.refuse_file(line, &setting.place(), reason);
    }

    pub(super) fn refuse_variable(&mut self, name: &str, reason: String) {
        self.errors.push(ConfigError {
            place: Place::Env(name.to_owned()),
            reason,
        });
    }

    fn refuse_file(&mut self, line: Option<usize>, key: &str, reason: String) {
        self.errors.push(ConfigError {
            place: Place::File {
                path: self.path.clone(),
                line,
                key: key.to_owned(),
            },
            reason,
        });
    }

    pub(super) fn finish<T>(mut self, value: Option<T>) -> Result<(T, Settings), ConfigErrors> {
        if let Some(value) = value
            && self.errors.is_empty()
        {
            let settings = Settings {
                file: self.found.then_some(self.path),
                all: self.used,
            };
            return Ok((value, settings));
        }
        // In the order in which a person goes through the file; the environment after it.
        self.errors.sort_by_key(|error| match &error.place {
            Place::File { line, .. } => (false, line.unwrap_or(0)),
            Place::Env(_) => (true, 0),
        });
        Err(ConfigErrors(self.errors))
    }
}

/// The names of the sections, in order.
fn sections() -> String {
    let mut names: Vec<String> = SETTINGS
        .iter()
        .map(|s| format!("[{}]", s.section))
        .collect();
    names.dedup();
    names.join(", ")
}
