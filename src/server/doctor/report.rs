//! What was found, for people and for programs.
//!
//! May import nothing of ours.

use std::fmt::Write as _;

use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Ok,
    Warning,
    Failed,
}

impl Status {
    /// Sign, word and colour: never the colour alone.
    const fn shown(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Ok => ("✓", "ok", "\x1b[32m"),
            Self::Warning => ("!", "warning", "\x1b[33m"),
            Self::Failed => ("✗", "failed", "\x1b[31m"),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// Stable, for programs: `key`, `scope.connections_list` …
    pub id: &'static str,
    pub status: Status,
    pub summary: String,
    /// What to do; none where all is well.
    pub fix: Option<String>,
    pub details: Vec<String>,
}

impl Check {
    pub fn ok(id: &'static str, summary: impl Into<String>) -> Self {
        Self {
            id,
            status: Status::Ok,
            summary: summary.into(),
            fix: None,
            details: Vec::new(),
        }
    }

    pub fn warning(id: &'static str, summary: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            status: Status::Warning,
            fix: Some(fix.into()),
            ..Self::ok(id, summary)
        }
    }

    pub fn failed(id: &'static str, summary: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            status: Status::Failed,
            ..Self::warning(id, summary, fix)
        }
    }

    #[must_use]
    pub fn with(mut self, details: Vec<String>) -> Self {
        self.details = details;
        self
    }
}

#[derive(Debug, Serialize)]
pub struct Report {
    pub checks: Vec<Check>,
}

/// As JSON.
#[derive(Serialize)]
struct Document<'a> {
    ok: bool,
    checks: &'a [Check],
}

impl Report {
    fn count(&self, status: Status) -> usize {
        self.checks.iter().filter(|c| c.status == status).count()
    }

    /// Nothing failed; where it is strict, nothing is to be warned of either.
    pub fn is_ok(&self, strict: bool) -> bool {
        self.count(Status::Failed) == 0 && !(strict && self.count(Status::Warning) > 0)
    }

    pub fn json(&self, strict: bool) -> String {
        let document = Document {
            ok: self.is_ok(strict),
            checks: &self.checks,
        };
        serde_json::to_string_pretty(&document).unwrap_or_default()
    }

    /// Aligned lines and a summary.
    pub fn text(&self, colours: bool) -> String {
        let width = self.checks.iter().map(|c| c.id.len()).max().unwrap_or(0);
        let mut text = String::new();
        for check in &self.checks {
            let (sign, word, colour) = check.status.shown();
            let (on, off) = if colours {
                (colour, "\x1b[0m")
            } else {
                ("", "")
            };
            let summary = &check.summary;
            let _ = writeln!(
                text,
                "{on}{sign} {word:<7}{off}  {:<width$}  {summary}",
                check.id
            );
            let indent = " ".repeat(width + 13);
            for detail in &check.details {
                let _ = writeln!(text, "{indent}· {detail}");
            }
            if let Some(fix) = &check.fix {
                let _ = writeln!(text, "{indent}→ {fix}");
            }
        }
        let (ok, warnings, failed) = (
            self.count(Status::Ok),
            self.count(Status::Warning),
            self.count(Status::Failed),
        );
        let plural = if warnings == 1 { "" } else { "s" };
        let _ = write!(
            text,
            "\n{ok} ok, {warnings} warning{plural}, {failed} failed"
        );
        text
    }
}
