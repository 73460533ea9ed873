//! The dictionary against its own rules and against the document; calls and recordings have files of
//! their own.

mod calls;
mod recordings;

use std::{collections::HashSet, fs, path::Path};

use super::*;

#[test]
fn what_the_recorded_flows_mean() {
    let exchange = "{\n  \"name\": \"Error\",\n  \"provider_error_payload\": {\n    \"error\": \"invalid_client\",\n    \"error_description\": \"Bad client credentials\"\n  }\n}";
    let denied = "Did not get authorization code in the callback. Provider error: error: access_denied; error_description: The user denied the request";
    for (error_type, description, code) in [
        ("callback_err", denied, "access_denied"),
        ("invalid_callback", denied, "access_denied"),
        (
            "callback_err",
            "Did not get authorization code in the callback.",
            "sign_in_ended",
        ),
        ("unknown_err", exchange, "app_credentials_refused"),
        ("unknown", "", "exchange_failed"),
        (
            "url_param_err",
            "Missing Connection Config param(s) in Auth request to interpolate url http://x/redirect_uri_mismatch",
            "connection_config_missing",
        ),
        (
            "connection_validation_failed",
            "Provider Config \"sendgrid\" is missing client ID, secret and/or scopes.",
            "integration_incomplete",
        ),
        ("provider_config_err", "", "integration_missing"),
        ("something_new", "nobody knows", "flow_failed"),
    ] {
        assert_eq!(
            flow_failure(error_type, description).code,
            code,
            "{error_type} {description}"
        );
    }
}

/// The page's type is the same whatever happened.
#[test]
fn the_last_page_means_what_its_message_says() {
    for (message, code) in [
        (r#"{"error":"consent_declined"}"#, "sign_in_ended"),
        (
            r#"{"error":"access_denied","error_description":"no"}"#,
            "access_denied",
        ),
        (r#"{"error_reason":"left"}"#, "sign_in_ended"),
        (
            "{\n  \"name\": \"OutboundUrlError\",\n  \"message\": \"denied\"\n}",
            "exchange_failed",
        ),
        ("invalid_oauth_state", "sign_in_lost"),
        ("Auth mode OAUTH2 not supported.", "auth_mode_mismatch"),
        (
            "Did not get oauth_token and/or oauth_verifier in the callback.",
            "sign_in_ended",
        ),
        (
            "Error while validating credentials: no seat",
            "check_failed",
        ),
        ("something new", "flow_failed"),
        ("", "flow_failed"),
    ] {
        let found = hint_failure("connection_validation_failed", message);
        assert_eq!(found.code, code, "{message}");
    }
    // A page that says more than its default.
    assert_eq!(
        hint_failure("url_param_err", "").code,
        "connection_config_missing"
    );
}

#[test]
fn codes_are_whole_words_and_the_telling_one_wins() {
    for (description, code) in [
        (
            "error: access_denied; error_description: AADSTS65004: User declined",
            "access_denied",
        ),
        (
            "access_denied: AADSTS90094: The grant requires admin permission.",
            "admin_consent_required",
        ),
        (
            "AADSTS65001: The user or administrator has not consented",
            "consent_required",
        ),
        (
            "AADSTS50011: The redirect URI does not match",
            "callback_mismatch",
        ),
        (
            "error=admin_policy_enforced&error_subtype=access_denied",
            "admin_consent_required",
        ),
        ("Error 403: org_internal", "app_for_one_organisation"),
        ("Error 400: redirect_uri_mismatch", "callback_mismatch"),
        ("{\"error\":\"invalid_scope\"}", "scopes_refused"),
        ("error: temporarily_unavailable", "provider_unavailable"),
        ("error: INVALID_GRANT", "grant_refused"),
        ("error: unsupported_response_type", "request_refused"),
        // Not these: parts of longer words, or English.
        ("error: not_access_denied_at_all", "sign_in_ended"),
        ("xaccess_denied", "sign_in_ended"),
        ("AADSTS650011", "sign_in_ended"),
        ("a custom auth sync is forbidden here", "sign_in_ended"),
    ] {
        assert_eq!(
            flow_failure("callback_err", description).code,
            code,
            "{description}"
        );
    }
}

#[test]
fn what_a_failed_refresh_means() {
    let kind = "refresh_token_external_error";
    for (description, code) in [
        (
            "The external API returned an error when trying to refresh the access token. Please try again later.",
            "refresh_failed",
        ),
        (
            "invalid_grant: Token has been expired or revoked.",
            "access_ended",
        ),
        (
            "AADSTS700082: The refresh token has expired due to inactivity.",
            "access_ended",
        ),
        (
            "The refresh limit has been reached for this connection.",
            "refresh_exhausted",
        ),
        ("error: invalid_client", "app_credentials_refused"),
        ("", "refresh_failed"),
    ] {
        assert_eq!(
            refresh_failure(kind, description).code,
            code,
            "{description}"
        );
    }
    assert_eq!(refresh_failure("unknown", "").code, "refresh_failed");
    assert_eq!(refresh_failure("auth", "").code, "refresh_failed");
}

#[test]
fn entries_are_complete_sentences_under_stable_codes() {
    let mut codes = HashSet::new();
    for entry in ALL {
        assert!(codes.insert(entry.code), "{} twice", entry.code);
    }
    for entry in ALL.iter().chain(CALLS.iter().map(|(_, entry)| entry)) {
        let snake = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(entry.code.chars().all(snake), "{}", entry.code);
        for text in [entry.sentence, entry.next] {
            assert!(
                text.ends_with('.') && text.len() > 12,
                "{}: {text}",
                entry.code
            );
            assert!(!text.contains('|'), "{}: {text}", entry.code);
        }
    }
    for words in [words::NANGO, words::OAUTH, words::PHRASES] {
        let mut seen = HashSet::new();
        for (word, entry) in words {
            assert!(seen.insert(word.to_ascii_lowercase()), "{word} twice");
            let known = ALL.contains(entry) || CALLS.iter().any(|(_, call)| call == entry);
            assert!(known, "{} is in no list", entry.code);
        }
    }
}

#[test]
fn a_denial_by_the_person_carries_no_reference() {
    let attempt = Uuid::from_u128(0xABCDE);
    let told = flow_failure("callback_err", "access_denied").told(attempt);
    assert_eq!(
        told,
        "Access was not allowed. Connect again and choose Allow."
    );
    let told = flow_failure("unknown_err", "").told(attempt);
    let reference = attempt_reference(attempt);
    assert!(
        told.ends_with(&format!(" (Reference {reference})")),
        "{told}"
    );
    let told = flow_failure("callback_err", "Error 400: redirect_uri_mismatch").told(attempt);
    assert!(
        told.ends_with(&format!(" (Reference {reference})")),
        "{told}"
    );
}

#[test]
fn a_line_of_the_log_is_bounded() {
    assert_eq!(one_line("a\n  b\tc\u{1b}[31m", 100), "a b c[31m");
    assert_eq!(one_line("äöüß", 3), "äöü…");
    let quoted = "Missing Connection Config param(s) in Auth request. Provided Connection Config: {\"token\":\"hush\"}";
    assert_eq!(
        one_line(quoted, 500),
        "Missing Connection Config param(s) in Auth request."
    );
}

/// `docs/ERRORS.md` is what the code says. After a change: `WRITE_DOCS=1 cargo test --features ssr
/// --lib dictionary`.
#[test]
fn the_document_says_what_the_code_says() {
    const HEAD: &str = "# Errors\n\nWhat people read when something goes wrong, what comes next, and who acts. `code` is stable. A sentence\nthat ends in `(Reference K7M2-9QXD)` is found again in the server's log under `reference=\"K7M2-9QXD\"`,\nbeside Nango's own words for it.\n\nThis file is made from `src/server/services/dictionary`; a test compares.\n\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ERRORS.md");
    let wanted = format!("{HEAD}{}", document());
    if std::env::var_os("WRITE_DOCS").is_some() {
        fs::write(&path, &wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "docs/ERRORS.md is out of date: run this test with WRITE_DOCS=1"
    );
}
