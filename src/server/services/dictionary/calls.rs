//! What a failed call of Nango means: the problem that people and programs are told.
//!
//! May import the dictionary, `domain` and `nango`'s error.

use super::{
    Entry,
    entries::{
        ANOTHER_CONNECTOR, AUTH_MODE_MISMATCH, CREDENTIALS_REFUSED, INTEGRATION_MISSING,
        SIGN_IN_LOST,
    },
    refusals::{
        CONNECTION_GONE, NANGO_ADDRESS_WRONG, NANGO_BUSY, NANGO_FAILED, NANGO_FORBIDDEN,
        NANGO_KEY_MALFORMED, NANGO_KEY_REFUSED, NANGO_PLAN_LIMIT, NANGO_SCOPE_MISSING,
        NANGO_TAG_REFUSED, NANGO_UNEXPECTED, NANGO_UNREACHABLE, NANGO_WEBHOOK_REFUSED,
    },
};
use crate::{domain::problem::Problem, server::nango::NangoError};

/// Every problem that a call can end in, with its HTTP status.
pub static CALLS: &[(u16, &Entry)] = &[
    (503, &NANGO_UNREACHABLE),
    (503, &NANGO_KEY_REFUSED),
    (503, &NANGO_KEY_MALFORMED),
    (503, &NANGO_ADDRESS_WRONG),
    (503, &NANGO_FORBIDDEN),
    (503, &NANGO_SCOPE_MISSING),
    (503, &NANGO_PLAN_LIMIT),
    (503, &NANGO_BUSY),
    (502, &NANGO_FAILED),
    (502, &NANGO_TAG_REFUSED),
    (502, &NANGO_WEBHOOK_REFUSED),
    (502, &NANGO_UNEXPECTED),
    (409, &INTEGRATION_MISSING),
    (409, &AUTH_MODE_MISMATCH),
    (409, &CONNECTION_GONE),
    (409, &SIGN_IN_LOST),
    (409, &ANOTHER_CONNECTOR),
    (422, &CREDENTIALS_REFUSED),
];

impl Entry {
    /// As a call's problem.
    pub fn problem(&self) -> Problem {
        self.problem_with(self.next)
    }

    fn problem_with(&self, next: &str) -> Problem {
        let status = CALLS
            .iter()
            .find(|(_, entry)| entry.code == self.code)
            .map_or(502, |(status, _)| *status);
        Problem::new(status, self.code, self.sentence, next)
    }
}

/// What a failure of Nango means for the person, and what somebody has to do.
pub fn call_failure(error: &NangoError) -> Problem {
    match error {
        NangoError::Unreachable { .. } => NANGO_UNREACHABLE.problem(),
        NangoError::Unauthorized { code } => unauthorized(code).problem(),
        NangoError::Forbidden { code, message } => forbidden(error, code, message),
        NangoError::Refused {
            status,
            code,
            message,
        } => refused(error, *status, code, message).problem(),
        NangoError::Failed { .. } if error.is_credential_refusal() => CREDENTIALS_REFUSED.problem(),
        NangoError::Failed { .. } => NANGO_FAILED.problem(),
        NangoError::Unreadable { .. } => NANGO_UNEXPECTED.problem(),
        NangoError::Paused {
            retry_after_seconds: seconds,
        } => NANGO_UNREACHABLE.problem_with(&again_in(*seconds)),
        NangoError::RateLimited {
            retry_after_seconds: Some(seconds),
        }
        | NangoError::Busy {
            retry_after_seconds: seconds,
        } => NANGO_BUSY.problem_with(&again_in(*seconds)),
        NangoError::RateLimited {
            retry_after_seconds: None,
        } => NANGO_BUSY.problem(),
    }
}

fn again_in(seconds: u64) -> String {
    format!("Nothing was changed. Try again in {seconds} seconds.")
}

fn unauthorized(code: &str) -> &'static Entry {
    match code {
        // The session's token, not the key: the window was open too long.
        "unknown_connect_session_token" | "invalid_connect_session_token_format" => &SIGN_IN_LOST,
        "invalid_secret_key_format" => &NANGO_KEY_MALFORMED,
        _ => &NANGO_KEY_REFUSED,
    }
}

fn forbidden(error: &NangoError, code: &str, message: &str) -> Problem {
    let scopes = error.missing_scopes();
    if !scopes.is_empty() {
        let scopes = scopes.join(" or ");
        let next = NANGO_SCOPE_MISSING.next.replace("{scope}", &scopes);
        return NANGO_SCOPE_MISSING.problem_with(&next);
    }
    if is_plan(code, message) {
        return NANGO_PLAN_LIMIT.problem();
    }
    NANGO_FORBIDDEN.problem()
}

fn refused(error: &NangoError, status: u16, code: &str, message: &str) -> &'static Entry {
    let says = |text: &str| message.contains(text);
    match code {
        _ if error.is_credential_refusal() => &CREDENTIALS_REFUSED,
        // The session's token, not the key: the window was open too long.
        _ if status == 401 => unauthorized(code),
        // What a reconnect session was for.
        "unknown_connection" | "invalid_connection" => &CONNECTION_GONE,
        "invalid_auth_mode" => &AUTH_MODE_MISMATCH,
        "integration_not_allowed" => &ANOTHER_CONNECTOR,
        "generic_error_support" => &NANGO_ADDRESS_WRONG,
        // An HTML page or a plain text where Nango would say what it misses.
        "unreadable" if status == 404 || status == 405 => &NANGO_ADDRESS_WRONG,
        _ if error.is_connection_gone() => &CONNECTION_GONE,
        _ if error.is_integration_missing() => &INTEGRATION_MISSING,
        "not_found" if says("connection") => &CONNECTION_GONE,
        _ if says("Webhook URL") || says("webhook_url") => &NANGO_WEBHOOK_REFUSED,
        _ if error.is_tag_rule_broken() => &NANGO_TAG_REFUSED,
        _ if status == 402 || is_plan(code, message) => &NANGO_PLAN_LIMIT,
        _ => &NANGO_UNEXPECTED,
    }
}

fn is_plan(code: &str, message: &str) -> bool {
    matches!(code, "feature_disabled" | "resource_capped" | "plan_limit")
        || ["upgrade", "your plan", "plan limit", "paid plan"]
            .iter()
            .any(|word| message.to_ascii_lowercase().contains(word))
}
