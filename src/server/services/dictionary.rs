//! The error dictionary: what the words of Nango and of OAuth mean for a person, what comes next,
//! and who has to act.
//!
//! Pure data and functions; may import `clock` (the alphabet of references), `domain` and `nango`'s
//! error. `docs/ERRORS.md` is made from it, and a test compares.

mod calls;
mod entries;
mod refusals;
mod words;

#[cfg(test)]
mod tests;

use serde_json::Value;
use uuid::Uuid;

pub use calls::{CALLS, call_failure};
pub use entries::{ALL, CREDENTIALS_REFUSED, INTEGRATION_MISSING};
pub use refusals::CONNECTION_GONE;

use super::settle::Outcome;
use crate::server::clock;

/// Who has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Whoever connects: allow, sign in again, ask an administrator over there.
    Person,
    /// Whoever runs this server: a key, an integration, an app at the provider.
    Operator,
    Provider,
    Nango,
    /// A defect of ours.
    Patchbay,
}

/// What the end of an attempt does to its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Nothing is broken: back to disconnected, with the reason.
    Denied,
    /// Something is broken: error.
    Failed,
}

/// One kind of failure.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// Ours and stable, for programs and for `docs/ERRORS.md`.
    pub code: &'static str,
    /// What happened, for the person.
    pub sentence: &'static str,
    /// What to do next.
    pub next: &'static str,
    pub blame: Blame,
    pub outcome: Ending,
}

impl Entry {
    /// The sentence and the next step; with a reference where somebody else has to look.
    pub fn told(&self, attempt: Uuid) -> String {
        let said = format!("{} {}", self.sentence, self.next);
        if self.wants_reference() {
            format!("{said} (Reference {})", attempt_reference(attempt))
        } else {
            said
        }
    }

    /// How an attempt ends that failed so.
    pub fn outcome(&self, attempt: Uuid) -> Outcome {
        match self.outcome {
            Ending::Denied => Outcome::Denied(self.told(attempt)),
            Ending::Failed => Outcome::Failed(self.told(attempt)),
        }
    }

    /// A person who said no needs no support.
    const fn wants_reference(&self) -> bool {
        matches!(self.outcome, Ending::Failed) || !matches!(self.blame, Blame::Person)
    }
}

/// The reference of an attempt: the same in the page, in the row and in the log.
pub fn attempt_reference(attempt: Uuid) -> String {
    clock::reference_of(attempt)
}

/// What a failed flow means, in the words of the socket or the webhook.
pub fn flow_failure(error_type: &str, description: &str) -> &'static Entry {
    said(description)
        .or_else(|| words::find(words::NANGO, error_type))
        .or_else(|| words::find(words::OAUTH, error_type))
        .unwrap_or(&entries::FLOW_FAILED)
}

/// What the popup's last page says of a failed flow. Its `errorType` is a default of Nango's page
/// and says nothing; the message is the provider's query as JSON, an exception as JSON, or a
/// sentence, and means what the socket means that tells of the same failure.
pub fn hint_failure(error_type: &str, message: &str) -> &'static Entry {
    if let Some(entry) = said(message) {
        return entry;
    }
    if error_type != words::PAGE_DEFAULT
        && let Some(entry) = entry(error_type)
    {
        return entry;
    }
    match serde_json::from_str::<Value>(message) {
        // The provider came back with an error and no code: the socket's `callback_err`.
        Ok(Value::Object(said)) if said.keys().any(|key| key.starts_with("error")) => {
            &entries::SIGN_IN_ENDED
        }
        // What was thrown on the way to the provider's tokens: its `unknown_err`.
        Ok(Value::Object(_)) => &entries::EXCHANGE_FAILED,
        _ if message.starts_with("Did not get ") => &entries::SIGN_IN_ENDED,
        _ => &entries::FLOW_FAILED,
    }
}

/// The end of an attempt by the popup's hint; the log keeps its words, beside the reference that the
/// person is shown.
pub fn hint(attempt: Uuid, error_type: &str, message: &str) -> Outcome {
    let entry = hint_failure(error_type, message);
    tracing::warn!(
        %attempt,
        reference = attempt_reference(attempt),
        code = entry.code,
        error_type = one_line(error_type, 60),
        description = one_line(loggable(message), 500),
        "a flow failed by its popup's word"
    );
    entry.outcome(attempt)
}

/// What a failed renewal of an account's access means.
pub fn refresh_failure(error_type: &str, description: &str) -> &'static Entry {
    // The provider's own word, where Nango hands it on: these mean that the grant is gone.
    let gone = [
        &entries::GRANT_REFUSED,
        &entries::ACCESS_DENIED,
        &entries::ACCESS_ENDED,
        &entries::CONSENT_REQUIRED,
        &entries::SIGN_IN_REQUIRED,
    ];
    match said(description) {
        Some(entry) if gone.contains(&entry) => &entries::ACCESS_ENDED,
        Some(entry) => entry,
        None => words::find(words::NANGO, error_type)
            .filter(|entry| entry.code.starts_with("refresh_"))
            .unwrap_or(&entries::REFRESH_FAILED),
    }
}

/// A synchronisation that Nango ran for the account failed.
pub fn sync_failure() -> &'static Entry {
    &entries::SYNC_FAILED
}

/// The entry of one word of Nango's or of OAuth's, as it stands in `code` or `type`.
pub fn entry(word: &str) -> Option<&'static Entry> {
    words::find(words::NANGO, word).or_else(|| words::find(words::OAUTH, word))
}

/// What of a description may be logged: Nango quotes the whole connection configuration where one
/// of its values is missing, and a person has typed that.
pub fn loggable(description: &str) -> &str {
    description
        .split_once("Provided Connection Config")
        .map_or(description, |(before, _)| before.trim_end())
}

/// One line of at most so many characters, for the log: a description comes from outside.
pub fn one_line(text: &str, limit: usize) -> String {
    let flat: String = loggable(text)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .filter(|c| !c.is_control())
        .collect();
    if flat.chars().count() <= limit {
        return flat;
    }
    flat.chars().take(limit).chain(['…']).collect()
}

/// What a description says: a sentence of Nango's own, else an error code as a whole word. The
/// most telling one counts, whatever stands first: `access_denied` often stands before the reason.
fn said(description: &str) -> Option<&'static Entry> {
    let phrase = words::PHRASES
        .iter()
        .find(|(phrase, _)| description.contains(phrase));
    if let Some((_, entry)) = phrase {
        return Some(entry);
    }
    let said: Vec<&str> = description
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .collect();
    words::OAUTH
        .iter()
        .find(|(code, _)| said.iter().any(|word| word.eq_ignore_ascii_case(code)))
        .map(|(_, entry)| *entry)
}

/// `docs/ERRORS.md`, without what stands above its tables.
pub fn document() -> String {
    use std::fmt::Write as _;

    let mut text = String::from(
        "## While connecting, and afterwards\n\n| code | what the person reads | what comes next | who acts | the row |\n|---|---|---|---|---|\n",
    );
    for entry in ALL {
        let row = match entry.outcome {
            Ending::Denied => "disconnected",
            Ending::Failed => "error",
        };
        let (code, sentence, next, who) = (entry.code, entry.sentence, entry.next, entry.blame);
        let _ = writeln!(
            text,
            "| `{code}` | {sentence} | {next} | {} | {row} |",
            who.word()
        );
    }
    text.push_str("\n## When this server calls Nango\n\n| status | code | title | detail | who acts |\n|---|---|---|---|---|\n");
    for (status, entry) in CALLS {
        let (code, sentence, next, who) = (entry.code, entry.sentence, entry.next, entry.blame);
        let _ = writeln!(
            text,
            "| {status} | `{code}` | {sentence} | {next} | {} |",
            who.word()
        );
    }
    text.push_str(
        "\n## Which word means what\n\n| said by Nango or the provider | code |\n|---|---|\n",
    );
    for (word, entry) in words::NANGO.iter().chain(words::OAUTH) {
        let _ = writeln!(text, "| `{word}` | `{}` |", entry.code);
    }
    for (phrase, entry) in words::PHRASES {
        let _ = writeln!(text, "| “{phrase}” | `{}` |", entry.code);
    }
    text
}

impl Blame {
    const fn word(self) -> &'static str {
        match self {
            Self::Person => "the person",
            Self::Operator => "whoever runs this server",
            Self::Provider => "the provider",
            Self::Nango => "Nango",
            Self::Patchbay => "Patchbay",
        }
    }
}
