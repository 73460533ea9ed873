//! What can go wrong on the way to Nango and back.

use std::error::Error as _;

/// A failed call, told apart by what it means for the caller.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum NangoError {
    /// No answer: not resolved, refused, cut off, too late.
    #[error("Nango cannot be reached: {reason}")]
    Unreachable { reason: String },
    /// Nothing was sent: Nango has not answered for a while and is left in peace.
    #[error("Nango has not answered for a while; the next call is made in {retry_after_seconds} s")]
    Paused { retry_after_seconds: u64 },
    /// Nothing was sent: our own budget of calls is spent, or kept for people.
    #[error(
        "the calls that Nango allows in a minute are spent; try again in {retry_after_seconds} s"
    )]
    Busy { retry_after_seconds: u64 },
    /// 401: the secret key is wrong.
    #[error("Nango refuses the secret key ({code})")]
    Unauthorized { code: String },
    /// 403: the key lacks a scope, or the plan a feature.
    #[error("Nango forbids the call ({code}): {message}")]
    Forbidden { code: String, message: String },
    /// 429.
    #[error("Nango's rate limit is reached")]
    RateLimited { retry_after_seconds: Option<u64> },
    /// Any other 4xx, and a success that says in its body that it is none. `message` is empty where
    /// the call carried what a person typed.
    #[error("Nango refuses the call with {status} {code}: {message}")]
    Refused {
        status: u16,
        code: String,
        message: String,
    },
    /// 5xx.
    #[error("Nango failed with {status} {code}: {message}")]
    Failed {
        status: u16,
        code: String,
        message: String,
    },
    /// A success that cannot be read: HTML, cut off, another shape.
    #[error("Nango's answer ({status}) cannot be read: {reason}")]
    Unreadable { status: u16, reason: String },
}

impl NangoError {
    /// Nango's own error code, where it gave one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Unauthorized { code }
            | Self::Forbidden { code, .. }
            | Self::Refused { code, .. }
            | Self::Failed { code, .. } => Some(code),
            _ => None,
        }
    }

    /// The status of the answer, where there was one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Unreachable { .. } | Self::Paused { .. } | Self::Busy { .. } => None,
            Self::Unauthorized { .. } => Some(401),
            Self::Forbidden { .. } => Some(403),
            Self::RateLimited { .. } => Some(429),
            Self::Refused { status, .. }
            | Self::Failed { status, .. }
            | Self::Unreadable { status, .. } => Some(*status),
        }
    }

    /// When to come back, where that is known.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        match self {
            Self::Paused {
                retry_after_seconds,
            }
            | Self::Busy {
                retry_after_seconds,
            } => Some(*retry_after_seconds),
            Self::RateLimited {
                retry_after_seconds,
            } => *retry_after_seconds,
            _ => None,
        }
    }

    /// A reconnect session for a connection that Nango no longer has.
    pub fn is_connection_gone(&self) -> bool {
        matches!(self, Self::Refused { message, .. } if message.contains("ConnectionID or IntegrationId does not exist"))
    }

    /// The operator has not set the integration up in Nango, or has renamed it.
    pub fn is_integration_missing(&self) -> bool {
        let Self::Refused { code, message, .. } = self else {
            return false;
        };
        code == "unknown_provider_config"
            || (message.contains("Integration ") && message.contains("does not exist"))
                && !self.is_connection_gone()
    }

    /// The typed credentials were tried and not taken, whatever the status: Nango answers some auth
    /// modes with a 5xx, or with a success that holds an error.
    pub fn is_credential_refusal(&self) -> bool {
        let (Self::Refused { code, .. } | Self::Failed { code, .. }) = self else {
            return false;
        };
        // Nango's own name for a code that it has forgotten to list.
        let code = code.strip_prefix("unhandled_").unwrap_or(code);
        matches!(
            code,
            "connection_test_failed"
                | "connection_validation_failed"
                | "invalid_credentials"
                | "client_credentials_fetch_error"
                | "two_step_credentials_fetch_error"
                | "aws_sigv4_sts_request_failed"
                | "signature_token_generation_error"
                | "invalid_bill_credentials"
        ) || ["invalid_two_step_credentials", "failed_to_generate"]
            .iter()
            .any(|family| code.starts_with(family))
    }

    /// A tag that we sent breaks Nango's rules: nothing that a person can mend.
    pub fn is_tag_rule_broken(&self) -> bool {
        matches!(self, Self::Refused { code, message, .. }
            if code == "invalid_body" && (message.contains("(tags)") || message.contains("(tags.")))
    }

    /// The scopes of which the key would need one, fit to be shown. Empty where a 403 means something
    /// else.
    pub fn missing_scopes(&self) -> Vec<&str> {
        let Self::Forbidden { message, .. } = self else {
            return Vec::new();
        };
        let Some((_, scopes)) = message
            .split_once("Required: ")
            .or_else(|| message.split_once("Required one of: "))
        else {
            return Vec::new();
        };
        let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '*');
        scopes
            .split(" or ")
            .filter_map(|scope| scope.split_whitespace().next())
            .map(|scope| scope.trim_end_matches(['.', ',', ';']))
            .filter(|scope| !scope.is_empty() && scope.len() <= 64 && scope.chars().all(sound))
            .take(4)
            .collect()
    }

    /// How a call ended, in one word of ours.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::Paused { .. } => "paused",
            Self::Busy { .. } => "busy",
            Self::Unauthorized { .. } => "unauthorized",
            Self::Forbidden { .. } => "forbidden",
            Self::RateLimited { .. } => "rate_limited",
            Self::Refused { .. } => "refused",
            Self::Failed { .. } => "failed",
            Self::Unreadable { .. } => "unreadable",
        }
    }

    /// One word for the log.
    pub(super) fn word(&self) -> &str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::Paused { .. } => "paused",
            Self::Busy { .. } => "busy",
            Self::RateLimited { .. } => "rate_limited",
            Self::Unreadable { .. } => "unreadable",
            Self::Unauthorized { code }
            | Self::Forbidden { code, .. }
            | Self::Refused { code, .. }
            | Self::Failed { code, .. } => code,
        }
    }

    /// From the HTTP client. Its message may hold the address, and the address a session token:
    /// only the cause is kept.
    pub(super) fn unreachable(error: &reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::late();
        }
        let mut cause = error.source();
        let mut reason = if error.is_connect() {
            "connection failed".to_owned()
        } else {
            "the answer was cut off".to_owned()
        };
        while let Some(deeper) = cause {
            if deeper.source().is_none() {
                reason = deeper.to_string();
            }
            cause = deeper.source();
        }
        Self::Unreachable { reason }
    }

    /// Nothing came within the deadline.
    pub(super) fn late() -> Self {
        Self::Unreachable {
            reason: "no answer in time".to_owned(),
        }
    }
}
