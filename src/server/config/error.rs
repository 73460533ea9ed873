//! What is wrong with the settings, each with its place. Reasons never carry a value that may be secret:
//! they are written by the parsers.
//!
//! May import nothing of ours.

use std::{fmt, path::PathBuf};

/// Where a wrong setting stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    File {
        path: PathBuf,
        line: Option<usize>,
        /// `[nango] base_url`, `[nango]`, or empty where the file itself is at fault.
        key: String,
    },
    Env(String),
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    pub place: Place,
    pub reason: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File { path, line, key } => {
                write!(f, "{}:", path.display())?;
                if let Some(line) = line {
                    write!(f, "{line}:")?;
                }
                if !key.is_empty() {
                    write!(f, " {key}:")?;
                }
            }
            Place::Env(name) => write!(f, "environment variable {name}:")?,
        }
        write!(f, " {}", self.reason)
    }
}

/// Everything that is wrong, one a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
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
