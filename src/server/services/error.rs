//! A service's failure, and the problem (RFC 9457) that people are told.

use super::{dictionary, outage};
use crate::{
    domain::problem::{FieldError, Problem},
    server::{clock, db::DbError, nango::NangoError},
};

/// Why a use case did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Nango(#[from] NangoError),
    /// Said already in the words that people read.
    #[error(transparent)]
    Problem(Box<Problem>),
    /// The same, and when it is worth another try.
    #[error("{problem}")]
    Later { problem: Box<Problem>, seconds: u64 },
}

impl From<Problem> for ServiceError {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        let (mut problem, reference) = match error {
            ServiceError::Problem(problem) | ServiceError::Later { problem, .. } => {
                return *problem;
            }
            ServiceError::Nango(error) => {
                let problem = nango(&error);
                let reference = clock::reference();
                tracing::warn!(
                    reference,
                    code = problem.code,
                    nango_code = error.code().unwrap_or_default(),
                    error = dictionary::one_line(&error.to_string(), 500),
                    "a call of Nango failed"
                );
                (problem, reference)
            }
            ServiceError::Db(error) => {
                let reference = clock::reference();
                tracing::error!(reference, %error, "database");
                (outage::problem(&error), reference)
            }
        };
        problem.reference = Some(reference);
        problem
    }
}

/// What a failure of Nango means for the person, and what somebody has to do.
pub fn nango(error: &NangoError) -> Problem {
    dictionary::call_failure(error)
}

pub fn connector_unknown() -> Problem {
    Problem::new(
        404,
        "connector_unknown",
        "There is no such connector.",
        "Look for it in the catalogue.",
    )
}

pub fn connector_disabled() -> Problem {
    Problem::new(
        409,
        "connector_disabled",
        "This connector is switched off here.",
        "Ask whoever runs this server to switch it on.",
    )
}

pub fn integration_missing() -> Problem {
    dictionary::INTEGRATION_MISSING.problem()
}

pub fn connection_unknown() -> Problem {
    Problem::new(
        404,
        "connection_unknown",
        "There is no such connection.",
        "Reload the page: it may have changed meanwhile.",
    )
}

pub fn connection_ambiguous() -> Problem {
    Problem::new(
        409,
        "connection_ambiguous",
        "There are several accounts of this connector.",
        "Name one of them in connection_id.",
    )
}

pub fn already_connected() -> Problem {
    Problem::new(
        409,
        "already_connected",
        "This connector is connected already.",
        "Disconnect it first, or reconnect it.",
    )
}

pub fn not_connected() -> Problem {
    Problem::new(
        409,
        "not_connected",
        "There is nothing to reconnect.",
        "Connect it instead.",
    )
}

pub fn attempt_unknown() -> Problem {
    Problem::new(
        404,
        "attempt_unknown",
        "There is no such attempt.",
        "Start again from the catalogue.",
    )
}

pub fn attempt_over() -> Problem {
    Problem::new(
        409,
        "attempt_over",
        "This attempt is over.",
        "Start again from the catalogue.",
    )
}

/// Another window of it would lack what was typed in secret.
pub fn attempt_not_reopened() -> Problem {
    Problem::new(
        409,
        "attempt_not_reopened",
        "This window cannot be opened again: what you typed in secret was not kept.",
        "Start again from the connector's page.",
    )
}

pub fn input_invalid(errors: Vec<FieldError>) -> Problem {
    let title = match errors.first() {
        Some(first) if errors.len() == 1 => first.message.clone(),
        _ => "Some fields need another look.".to_owned(),
    };
    let mut problem = Problem::new(422, "input_invalid", &title, "");
    problem.errors = errors;
    problem
}

/// Nango did not say whether the typed credentials were taken.
pub fn outcome_unknown() -> Problem {
    Problem::new(
        503,
        "outcome_unknown",
        "Nango did not say whether it worked.",
        "We keep asking for a while and this page will tell. You can also try again.",
    )
}

/// A reconnect of what Nango no longer has.
pub fn connection_gone() -> Problem {
    dictionary::CONNECTION_GONE.problem()
}

pub fn credentials_refused() -> Problem {
    dictionary::CREDENTIALS_REFUSED.problem()
}

pub fn webhooks_off() -> Problem {
    Problem::new(
        503,
        "webhooks_off",
        "This server takes no webhooks.",
        "Set NANGO_WEBHOOK_SIGNING_KEY to Nango's webhook signing key.",
    )
}

pub fn webhook_signature_invalid() -> Problem {
    Problem::new(
        401,
        "webhook_signature_invalid",
        "The webhook's signature is missing or wrong.",
        "X-Nango-Hmac-Sha256 has to be made with the key in NANGO_WEBHOOK_SIGNING_KEY.",
    )
}

pub fn webhook_unreadable() -> Problem {
    Problem::new(
        400,
        "webhook_unreadable",
        "The webhook cannot be read.",
        "It has to be a JSON object with a type, as Nango sends it.",
    )
}

pub fn webhook_too_large() -> Problem {
    Problem::new(
        413,
        "body_too_large",
        "The request's body is too large.",
        "A webhook may have 1 MB.",
    )
}

pub fn webhooks_busy() -> Problem {
    Problem::new(
        503,
        "webhooks_busy",
        "Too many webhooks at once.",
        "Send it again in a few seconds.",
    )
}

pub fn too_many_streams() -> Problem {
    Problem::new(
        429,
        "too_many_streams",
        "You have too many event streams open.",
        "Close some: one for each browser is enough.",
    )
}

pub fn streams_full() -> Problem {
    Problem::new(
        503,
        "streams_full",
        "This server has no room for another event stream.",
        "Try again in a few seconds; whoever runs it can raise LIMITS_EVENT_STREAMS.",
    )
}

/// On the way out.
pub fn stopping() -> Problem {
    Problem::new(
        503,
        "stopping",
        "This server is about to end.",
        "Try again in a moment: another one takes its place.",
    )
}
