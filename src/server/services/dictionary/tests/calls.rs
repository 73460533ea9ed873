//! What Nango's refusals of a call mean.

use super::*;
use crate::server::nango::NangoError;

fn refusal(status: u16, code: &str, message: &str) -> NangoError {
    NangoError::Refused {
        status,
        code: code.to_owned(),
        message: message.to_owned(),
    }
}

fn failed(status: u16, code: &str) -> NangoError {
    NangoError::Failed {
        status,
        code: code.to_owned(),
        message: String::new(),
    }
}

fn forbidden(message: &str) -> NangoError {
    NangoError::Forbidden {
        code: "forbidden".to_owned(),
        message: message.to_owned(),
    }
}

fn unauthorized(code: &str) -> NangoError {
    NangoError::Unauthorized {
        code: code.to_owned(),
    }
}

#[test]
fn each_refusal_of_a_call_has_its_own_message() {
    for (error, status, code) in [
        (unauthorized("unknown_account"), 503, "nango_key_refused"),
        (
            unauthorized("invalid_secret_key_format"),
            503,
            "nango_key_malformed",
        ),
        (
            unauthorized("unknown_connect_session_token"),
            409,
            "sign_in_lost",
        ),
        (
            forbidden("You are not allowed to override the docs connect url"),
            503,
            "nango_forbidden",
        ),
        (
            forbidden("Insufficient scope. Required: environment:connections:delete"),
            503,
            "nango_scope_missing",
        ),
        (
            forbidden("This feature is not in your plan"),
            503,
            "nango_plan_limit",
        ),
        (
            refusal(400, "invalid_body", "Integration does not exist"),
            409,
            "integration_missing",
        ),
        (
            refusal(404, "not_found", "Integration \"nope\" does not exist"),
            409,
            "integration_missing",
        ),
        (
            refusal(400, "unknown_provider_config", "Provider does not exists"),
            409,
            "integration_missing",
        ),
        (
            refusal(
                400,
                "invalid_body",
                "ConnectionID or IntegrationId does not exists",
            ),
            409,
            "connection_gone",
        ),
        (
            refusal(404, "not_found", "Failed to find connection"),
            409,
            "connection_gone",
        ),
        (
            refusal(400, "unknown_connection", ""),
            409,
            "connection_gone",
        ),
        (
            refusal(
                400,
                "invalid_body",
                "Duplicate tag key after case normalization: \"key\" (tags)",
            ),
            502,
            "nango_tag_refused",
        ),
        (
            refusal(
                400,
                "invalid_body",
                "Tag values must be at most 255 characters (tags.k)",
            ),
            502,
            "nango_tag_refused",
        ),
        (
            refusal(
                400,
                "invalid_body",
                "Webhook URLs cannot point to Nango's domain (nango.dev).",
            ),
            502,
            "nango_webhook_refused",
        ),
        (refusal(400, "resource_capped", ""), 503, "nango_plan_limit"),
        (
            refusal(400, "connection_test_failed", ""),
            422,
            "credentials_refused",
        ),
        (
            refusal(400, "invalid_auth_mode", ""),
            409,
            "auth_mode_mismatch",
        ),
        (
            refusal(404, "generic_error_support", ""),
            503,
            "nango_address_wrong",
        ),
        (refusal(404, "unreadable", ""), 503, "nango_address_wrong"),
        (
            refusal(400, "invalid_body", "Unrecognized key: \"x\""),
            502,
            "nango_unexpected",
        ),
        (failed(500, "generic_error_support"), 502, "nango_failed"),
        (
            refusal(400, "invalid_connection", ""),
            409,
            "connection_gone",
        ),
        (
            refusal(400, "client_credentials_fetch_error", ""),
            422,
            "credentials_refused",
        ),
        (
            refusal(200, "invalid_credentials", ""),
            422,
            "credentials_refused",
        ),
        (
            refusal(400, "connection_validation_failed", ""),
            422,
            "credentials_refused",
        ),
        (
            refusal(400, "two_step_credentials_fetch_error", ""),
            422,
            "credentials_refused",
        ),
        (
            failed(500, "unhandled_invalid_two_step_credentials_step_1"),
            422,
            "credentials_refused",
        ),
        (
            failed(500, "failed_to_generate"),
            422,
            "credentials_refused",
        ),
        (
            failed(502, "aws_sigv4_sts_request_failed"),
            422,
            "credentials_refused",
        ),
        (
            NangoError::RateLimited {
                retry_after_seconds: None,
            },
            503,
            "nango_busy",
        ),
    ] {
        let problem = call_failure(&error);
        assert_eq!(
            (problem.status, problem.code.as_str()),
            (status, code),
            "{error}"
        );
    }
}

#[test]
fn a_missing_scope_is_named_and_nothing_else_of_the_message() {
    let error = forbidden(
        "<b>Insufficient</b> scope. Required one of: environment:connections:read or environment:connections:read_credentials",
    );
    let detail = call_failure(&error).detail.unwrap();
    assert!(
        detail.ends_with(
            ": environment:connections:read or environment:connections:read_credentials."
        ),
        "{detail}"
    );
    assert!(!detail.contains('<'), "{detail}");
}

#[test]
fn a_rate_limit_says_when() {
    let busy = |retry_after_seconds| NangoError::RateLimited {
        retry_after_seconds,
    };
    let detail = call_failure(&busy(Some(12))).detail.unwrap();
    assert_eq!(detail, "Nothing was changed. Try again in 12 seconds.");
    assert_eq!(
        call_failure(&busy(None)).detail.unwrap(),
        "Nothing was changed. Try again in a minute."
    );
}
