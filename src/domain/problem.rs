//! What went wrong, as people and programs are told: RFC 9457 problem details.

use serde::{Deserialize, Serialize};

/// An RFC 9457 problem with a stable `code`, a sentence and the next step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Problem {
    /// `urn:patchbay:problem:<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// One sentence a person understands.
    pub title: String,
    /// The HTTP status code.
    pub status: u16,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Stable, for programs: `connector_unknown`, `input_invalid` …
    pub code: String,
    /// The fields that were refused, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// What support finds in the server's log: `K7M2-9QXD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// One refused field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// The field's name in the request (`subdomain`).
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

impl Problem {
    pub fn new(status: u16, code: &str, title: &str, next: &str) -> Self {
        Self {
            kind: format!("urn:patchbay:problem:{code}"),
            title: title.to_owned(),
            status,
            detail: (!next.is_empty()).then(|| next.to_owned()),
            code: code.to_owned(),
            errors: Vec::new(),
            reference: None,
        }
    }

    /// No answer came.
    pub fn unreachable() -> Self {
        Self::new(
            503,
            "unreachable",
            "The server could not be reached.",
            "Check your connection and try again.",
        )
    }

    /// What nobody expected.
    pub fn internal() -> Self {
        Self::new(
            500,
            "internal",
            "Something went wrong on our side.",
            "Try again in a moment.",
        )
    }

    /// Whether it is Nango that does not answer right now: the next try may well succeed, while a
    /// refused key or a switch stays until somebody changes it.
    pub fn is_outage(&self) -> bool {
        matches!(
            self.code.as_str(),
            "nango_unreachable" | "nango_busy" | "nango_failed"
        )
    }

    /// The sentence, the next step and the reference in one line.
    pub fn sentence(&self) -> String {
        let mut text = self.title.clone();
        if let Some(detail) = &self.detail {
            text.push(' ');
            text.push_str(detail);
        }
        if let Some(reference) = &self.reference {
            text.push_str(" (Reference ");
            text.push_str(reference);
            text.push(')');
        }
        text
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.title, self.code)
    }
}

impl std::error::Error for Problem {}
