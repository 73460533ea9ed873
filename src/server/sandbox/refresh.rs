//! Refreshes: what happens to a connection's credentials before they are used, how long Nango waits
//! after a failure, and when it gives up.
//!
//! May import `domain` and the sandbox's `answers`, `call`, `connections`, `shown`, `state`
//! and `validate`.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use serde_json::json;

use super::{
    answers::{self, Answer},
    call::Call,
    connections,
    shown::TOKEN_LIFE_MS,
    state::{Connection, Refresh, Sandbox},
    validate::{self, Issues},
};
use crate::domain::timestamp::Timestamp;

/// After a failed refresh Nango does not ask the provider again for so long.
const BACKOFF_MS: i64 = 30_000;
/// Nango refreshes what expires within so long.
const EARLY_MS: i64 = 15 * 60_000;
/// On so many days a refresh may fail before Nango tries no more by itself.
const MOST_DAYS: u32 = 4;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Why there are no credentials to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// The provider has just refused.
    Refused,
    /// It refused a moment ago, and was not asked again.
    BackingOff,
    /// It refused for too many days.
    Exhausted,
}

impl Failed {
    pub fn status(self) -> StatusCode {
        match self {
            Self::Refused => StatusCode::BAD_REQUEST,
            Self::BackingOff | Self::Exhausted => StatusCode::FAILED_DEPENDENCY,
        }
    }

    pub fn message(self) -> &'static str {
        match self {
            Self::Refused => {
                "The external API returned an error when trying to refresh the access token. Please try again later."
            }
            Self::BackingOff => "A recent refresh attempt failed. Backing off before retrying.",
            Self::Exhausted => "The refresh limit has been reached for this connection.",
        }
    }
}

/// Refreshes what has to be. `force` asks the provider in any case.
pub fn before_use(
    connection: &mut Connection,
    now: Timestamp,
    log_id: String,
    force: bool,
) -> Result<(), Failed> {
    let Some(broken) = &mut connection.broken else {
        connection.refresh = Refresh::default();
        let due = now.0 - connection.authorized_at.0 > TOKEN_LIFE_MS - EARLY_MS;
        if connection.auth_mode.starts_with("OAUTH2") && (force || due) {
            connection.authorized_at = now;
            connection.updated_at = now;
        }
        return Ok(());
    };
    if !force {
        if connection.refresh.exhausted {
            return Err(Failed::Exhausted);
        }
        let recent = |at: Timestamp| now.0 - at.0 < BACKOFF_MS;
        if broken.last_failure.is_some_and(recent) {
            return Err(Failed::BackingOff);
        }
    }
    let day = |at: Timestamp| at.0.div_euclid(DAY_MS);
    let counted = broken.last_failure.is_some_and(|at| day(at) == day(now));
    let days = connection.refresh.failed_days;
    connection.refresh.failed_days = if counted { days.max(1) } else { days + 1 };
    connection.refresh.exhausted = connection.refresh.failed_days >= MOST_DAYS;
    connection.updated_at = now;
    broken.last_failure = Some(now);
    broken.log_id = Some(log_id);
    Err(Failed::Refused)
}

/// From here on Nango tries no more by itself, as after days of failures.
pub async fn exhaust(
    State(sandbox): State<Arc<Sandbox>>,
    Path(id): Path<String>,
    call: Call,
) -> Answer {
    call.account(&sandbox)?;
    sandbox
        .change(|state| {
            let connection = state.connections.any_mut(&id)?;
            connection.refresh.exhausted = true;
            Some(())
        })
        .ok_or_else(connections::not_found)?;
    Ok(answers::ok(&json!({"success": true})))
}

/// The proxy, as far as Nango itself answers: a connection that can't be used, or is not there.
pub async fn proxy(State(sandbox): State<Arc<Sandbox>>, call: Call) -> Answer {
    call.account(&sandbox)?;
    let mut issues = Issues::default();
    let mut header = |name: &str| {
        let value = call.headers.get(name).and_then(|v| v.to_str().ok());
        if value.is_none() {
            issues.wrong_type("string", None, validate::path(&[name]));
        }
        value.unwrap_or_default().to_owned()
    };
    let key = header("provider-config-key");
    let id = header("connection-id");
    issues.refuse("invalid_headers")?;
    let now = sandbox.clock.now();
    let log_id = sandbox.log_id();
    let read = sandbox
        .change(|state| {
            Some(before_use(
                state.connection_mut(&id, &key)?,
                now,
                log_id,
                false,
            ))
        })
        .ok_or_else(|| {
            let message = "Failed to get connection";
            answers::message(StatusCode::BAD_REQUEST, "server_error", message)
        })?;
    match read {
        // Behind a real Nango the provider would answer; here there is none.
        Ok(()) => Ok(answers::ok(&json!({"sandbox": true}))),
        Err(failed @ Failed::BackingOff) => Err(answers::message(
            failed.status(),
            "connection_refresh_backoff",
            failed.message(),
        )),
        Err(failed) => Err(answers::message(
            failed.status(),
            "server_error",
            &format!(
                "Failed to get connection credentials: '{}'",
                failed.message()
            ),
        )),
    }
}
