//! Reads what comes back: JSON mostly, sometimes HTML, plain text, or only half of it.
//!
//! May import `budget` and `error` of this folder. Nothing that is kept of an answer holds a secret.

use std::time::Duration;

use chrono::DateTime;
use reqwest::{
    Response, StatusCode,
    header::{CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, error::Category};

use super::{NangoError, budget::Told};

/// Longer than any answer this product asks for: a list of 2,000 connections.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;
/// How much of a text that is not JSON is worth reading.
const QUOTED: usize = 200;
/// How much of Nango's own sentence.
const SENTENCE: usize = 600;
/// A 429 that does not say for how long.
const UNSAID: Duration = Duration::from_secs(2);
/// Nobody means to lock us out for longer.
const LONGEST: Duration = Duration::from_secs(3600);
const SESSION_TOKEN: &str = "nango_connect_session_";

/// An answer that was read to its end.
pub struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    bytes: Vec<u8>,
}

/// What of the call must not come back in a message.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// A 401 is about the secret key, not about a session.
    pub with_key: bool,
    /// The call carried what a person typed: nothing of the answer's text is kept. A secret may come
    /// back in another writing (escaped, encoded), which nobody finds to replace.
    pub typed: bool,
    pub secrets: &'a [&'a str],
}

impl Answer {
    pub async fn read(mut response: Response) -> Result<Self, NangoError> {
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let mut bytes = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| NangoError::unreachable(&error))?
        {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MAX_ANSWER_BYTES {
                return Err(NangoError::Unreadable {
                    status: status.as_u16(),
                    reason: "the answer is too long".to_owned(),
                });
            }
        }
        Ok(Self {
            status,
            headers,
            bytes,
        })
    }

    pub fn is_server_error(&self) -> bool {
        self.status.is_server_error()
    }

    /// What it says about Nango's counting of calls.
    pub fn told(&self) -> Told {
        let refused = self.status == StatusCode::TOO_MANY_REQUESTS;
        let renewed_in = match (self.retry_after(), self.reset()) {
            (Some(said), _) if refused => Some(said),
            (_, Some(reset)) => Some(reset),
            _ => refused.then_some(UNSAID),
        };
        Told {
            refused,
            remaining: self.number("x-ratelimit-remaining"),
            renewed_in: renewed_in.map(|wait| wait.min(LONGEST)),
        }
    }

    pub fn into_value<T: DeserializeOwned>(self, context: Context<'_>) -> Result<T, NangoError> {
        if !self.status.is_success() {
            return Err(self.refusal(context));
        }
        serde_json::from_slice(&self.bytes).map_err(|error| {
            // Some refusals of Nango's come as a 200.
            if self.is_error_object() {
                return self.refusal(context);
            }
            // Serde's own words may hold what was in the answer, and that may be credentials.
            let reason = match error.classify() {
                _ if self.is_text() => match self.quote(context) {
                    text if text.is_empty() => "it is no JSON".to_owned(),
                    text => format!("it is no JSON: {text}"),
                },
                Category::Eof => "it is cut off".to_owned(),
                Category::Data => format!("another shape at column {}", error.column()),
                Category::Syntax | Category::Io => "it is no JSON".to_owned(),
            };
            NangoError::Unreadable {
                status: self.status.as_u16(),
                reason,
            }
        })
    }

    fn refusal(&self, context: Context<'_>) -> NangoError {
        let status = self.status.as_u16();
        let (code, message) = match serde_json::from_slice::<Value>(&self.bytes) {
            Ok(body) => {
                let (code, message) = code_and_message(&body);
                if context.typed {
                    (sound_code(code, context.secrets), String::new())
                } else {
                    (code, shorten(&redact(&message, context.secrets), SENTENCE))
                }
            }
            Err(_) => ("unreadable".to_owned(), self.quote(context)),
        };
        match self.status {
            StatusCode::UNAUTHORIZED if context.with_key => NangoError::Unauthorized { code },
            StatusCode::FORBIDDEN => NangoError::Forbidden { code, message },
            StatusCode::TOO_MANY_REQUESTS => NangoError::RateLimited {
                retry_after_seconds: self.retry_after().map(|wait| wait.as_secs()),
            },
            _ if self.status.is_client_error() || self.status.is_success() => NangoError::Refused {
                status,
                code,
                message,
            },
            _ if self.status.is_server_error() => NangoError::Failed {
                status,
                code,
                message,
            },
            _ => NangoError::Unreadable {
                status,
                reason: "neither a success nor a refusal".to_owned(),
            },
        }
    }

    /// `{"error": {"code": …}}`
    fn is_error_object(&self) -> bool {
        serde_json::from_slice::<Value>(&self.bytes)
            .is_ok_and(|body| body.pointer("/error/code").is_some_and(Value::is_string))
    }

    /// `Retry-After`: seconds, or a date. Nango rounds down, so nothing means less than a second.
    fn retry_after(&self) -> Option<Duration> {
        let said = self.header(RETRY_AFTER.as_str())?;
        let seconds = match said.parse::<u64>() {
            Ok(seconds) => seconds,
            Err(_) => self.until(DateTime::parse_from_rfc2822(said).ok()?.timestamp())?,
        };
        Some(Duration::from_secs(seconds.max(1)).min(LONGEST))
    }

    /// `X-RateLimit-Reset`: seconds since 1970.
    fn reset(&self) -> Option<Duration> {
        let at = self.number("x-ratelimit-reset")?;
        let seconds = self.until(at)?;
        (seconds > 0).then(|| Duration::from_secs(seconds))
    }

    /// Seconds from the moment of the answer, by the clock of the one who sent it: ours may differ.
    fn until(&self, at: i64) -> Option<u64> {
        let date = DateTime::parse_from_rfc2822(self.header(DATE.as_str())?).ok()?;
        u64::try_from(at.saturating_sub(date.timestamp()).max(0)).ok()
    }

    fn header(&self, name: &str) -> Option<&str> {
        Some(self.headers.get(name)?.to_str().ok()?.trim())
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.header(name)?.parse().ok()
    }

    fn is_text(&self) -> bool {
        let kind = self.header(CONTENT_TYPE.as_str()).unwrap_or_default();
        kind.starts_with("text/") || self.bytes.trim_ascii_start().starts_with(b"<")
    }

    /// The beginning of an answer that is not JSON, as a person would read it.
    fn quote(&self, context: Context<'_>) -> String {
        // Half of a JSON may hold anything.
        if context.typed || self.bytes.trim_ascii_start().starts_with(b"{") {
            return String::new();
        }
        let text = without_tags(&String::from_utf8_lossy(&self.bytes));
        shorten(&redact(&text, context.secrets), QUOTED)
    }
}

/// `{"error": {"code", "message", "errors": [{"message", "path"}]}}`, or less of it.
fn code_and_message(body: &Value) -> (String, String) {
    let error = body.get("error").unwrap_or(body);
    if let Value::String(message) = error {
        return ("unknown".to_owned(), message.clone());
    }
    let text = |value: &Value, name: &str| {
        let text = value.get(name).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let code = match text(error, "code") {
        code if code.is_empty() => "unknown".to_owned(),
        code => code,
    };
    let mut parts = vec![text(error, "message")];
    for detail in error
        .get("errors")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let path: Vec<String> = detail
            .get("path")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(segment)
            .collect();
        let message = text(detail, "message");
        parts.push(if path.is_empty() {
            message
        } else {
            format!("{message} ({})", path.join("."))
        });
    }
    parts.retain(|part| !part.is_empty());
    (code, parts.join("; "))
}

/// A code is a word, and none that was typed.
fn sound_code(code: String, secrets: &[&str]) -> String {
    let of_a_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let typed = secrets
        .iter()
        .any(|secret| secret.chars().count() > 2 && code.contains(secret));
    if typed || code.len() > 64 || !code.chars().all(of_a_word) {
        return "unknown".to_owned();
    }
    code
}

fn segment(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What stands between the tags; nothing of scripts and styles.
fn without_tags(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        let (before, tag) = rest.split_at(start);
        text.push_str(before);
        text.push(' ');
        let Some(end) = tag.find('>') else {
            rest = "";
            break;
        };
        let (tag, after) = tag.split_at(end + 1);
        rest = after;
        let name = tag.trim_start_matches('<').to_ascii_lowercase();
        for hidden in ["script", "style"] {
            if name.starts_with(hidden) {
                let close = format!("</{hidden}");
                let end = rest.to_ascii_lowercase().find(&close);
                rest = end.map_or("", |at| rest.split_at(at).1);
            }
        }
    }
    text.push_str(rest);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn redact(text: &str, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets {
        // Shorter ones would be found in any sentence, and give nothing away.
        if secret.chars().count() > 2 {
            text = text.replace(secret, "…");
        }
    }
    let mut clean = String::with_capacity(text.len());
    let mut pieces = text.split(SESSION_TOKEN);
    clean.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        clean.push('…');
        clean.push_str(piece.trim_start_matches(|c: char| c.is_ascii_alphanumeric()));
    }
    clean
}

fn shorten(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", text.split_at(at).0),
        None => text.to_owned(),
    }
}
