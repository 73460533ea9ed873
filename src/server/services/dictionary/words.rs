//! Which words mean which entry: Nango's `code`s and `type`s, OAuth's and the providers' codes,
//! and a few of Nango's sentences that carry no code.
//!
//! May import the dictionary only.

use super::{
    Entry,
    entries::{
        ACCESS_DENIED, ACCESS_ENDED, ACCOUNT_UNAVAILABLE, ADMIN_CONSENT_REQUIRED,
        ANOTHER_CONNECTOR, APP_CREDENTIALS_REFUSED, APP_FOR_ONE_ORGANISATION, APP_NOT_PERMITTED,
        AUTH_MODE_MISMATCH, BLOCKED_BY_POLICY, BROWSER_REFUSED, CALLBACK_MISMATCH, CHECK_FAILED,
        CONNECTION_CONFIG_MISSING, CONSENT_REQUIRED, CREDENTIALS_REFUSED, EXCHANGE_FAILED,
        GRANT_REFUSED, INTEGRATION_INCOMPLETE, INTEGRATION_MISSING, PLAN_LIMIT,
        PROVIDER_UNAVAILABLE, REFRESH_EXHAUSTED, REFRESH_FAILED, REQUEST_REFUSED, SCOPES_REFUSED,
        SECOND_FACTOR_REQUIRED, SESSION_MISSING, SIGN_IN_ENDED, SIGN_IN_LOST, SIGN_IN_REQUIRED,
        SIGN_IN_UNFINISHED, SIGNATURE_WANTED, SYNC_FAILED,
    },
    refusals::{
        CONNECTION_GONE, NANGO_ADDRESS_WRONG, NANGO_BUSY, NANGO_FORBIDDEN, NANGO_KEY_MALFORMED,
        NANGO_KEY_REFUSED, NANGO_UNEXPECTED,
    },
};

pub type Words = &'static [(&'static str, &'static Entry)];

pub fn find(words: Words, word: &str) -> Option<&'static Entry> {
    words
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(word))
        .map(|(_, entry)| *entry)
}

/// What the popup's last page gives as its type, whatever happened.
pub const PAGE_DEFAULT: &str = "connection_validation_failed";

/// Nango's own: matched as a whole `type` or `code`, never looked for in a text (`custom` and
/// `auth` are words of English too).
pub static NANGO: Words = &[
    // The socket, and the last page.
    ("callback_err", &SIGN_IN_ENDED),
    ("invalid_callback", &SIGN_IN_ENDED),
    ("unknown_err", &EXCHANGE_FAILED),
    ("unknown", &EXCHANGE_FAILED),
    ("token_err", &EXCHANGE_FAILED),
    ("request_token_err", &EXCHANGE_FAILED),
    ("connection_validation_failed", &CHECK_FAILED),
    ("state_err", &SIGN_IN_LOST),
    ("state_cookie_err", &SIGN_IN_LOST),
    ("provider_config_err", &INTEGRATION_MISSING),
    ("missing_provider_config_key", &INTEGRATION_MISSING),
    ("provider_template_err", &AUTH_MODE_MISMATCH),
    ("grant_type_err", &AUTH_MODE_MISMATCH),
    ("auth_mode_err", &AUTH_MODE_MISMATCH),
    ("url_param_err", &CONNECTION_CONFIG_MISSING),
    ("missing_hmac", &SIGNATURE_WANTED),
    ("invalid_hmac", &SIGNATURE_WANTED),
    ("missing_connection_id", &SESSION_MISSING),
    // Refusals of a start.
    ("unknown_connect_session_token", &SIGN_IN_LOST),
    ("invalid_connect_session_token_format", &SIGN_IN_LOST),
    ("integration_not_allowed", &ANOTHER_CONNECTOR),
    ("missing_public_key", &SESSION_MISSING),
    ("deprecated_authentication", &SESSION_MISSING),
    ("invalid_auth_mode", &AUTH_MODE_MISMATCH),
    ("unknown_provider_config", &INTEGRATION_MISSING),
    ("invalid_connection", &CONNECTION_GONE),
    // Typed credentials.
    ("connection_test_failed", &CREDENTIALS_REFUSED),
    ("client_credentials_fetch_error", &CREDENTIALS_REFUSED),
    ("two_step_credentials_fetch_error", &CREDENTIALS_REFUSED),
    ("invalid_two_step_credentials", &CREDENTIALS_REFUSED),
    ("aws_sigv4_sts_request_failed", &CREDENTIALS_REFUSED),
    ("failed_to_generate", &CREDENTIALS_REFUSED),
    // Afterwards.
    ("refresh_token_external_error", &REFRESH_FAILED),
    ("connection_refresh_backoff", &REFRESH_FAILED),
    ("connection_refresh_exhausted", &REFRESH_EXHAUSTED),
    ("invalid_credentials", &REFRESH_FAILED),
    ("auth", &REFRESH_FAILED),
    ("sync", &SYNC_FAILED),
    // The API.
    ("missing_auth_header", &NANGO_KEY_REFUSED),
    ("unknown_account", &NANGO_KEY_REFUSED),
    ("invalid_secret_key_format", &NANGO_KEY_MALFORMED),
    ("forbidden", &NANGO_FORBIDDEN),
    ("feature_disabled", &PLAN_LIMIT),
    ("resource_capped", &PLAN_LIMIT),
    ("too_many_request", &NANGO_BUSY),
    ("not_found", &CONNECTION_GONE),
    ("unknown_connection", &CONNECTION_GONE),
    ("generic_error_support", &NANGO_ADDRESS_WRONG),
    ("invalid_body", &NANGO_UNEXPECTED),
    ("invalid_content_type", &NANGO_UNEXPECTED),
    ("invalid_json", &NANGO_UNEXPECTED),
    ("invalid_query_params", &NANGO_UNEXPECTED),
    ("invalid_uri_params", &NANGO_UNEXPECTED),
    // What a validation lists.
    ("custom", &NANGO_UNEXPECTED),
    ("invalid_format", &NANGO_UNEXPECTED),
    ("invalid_key", &NANGO_UNEXPECTED),
    ("invalid_string", &NANGO_UNEXPECTED),
    ("invalid_type", &NANGO_UNEXPECTED),
    ("invalid_union", &NANGO_UNEXPECTED),
    ("invalid_value", &NANGO_UNEXPECTED),
    ("too_big", &NANGO_UNEXPECTED),
    ("too_small", &NANGO_UNEXPECTED),
    ("unrecognized_keys", &NANGO_UNEXPECTED),
];

/// OAuth's and the providers' codes, looked for as whole words. The most telling ones come first:
/// the general ones at the end often stand beside them.
pub static OAUTH: Words = &[
    // Microsoft Entra.
    ("AADSTS65004", &ACCESS_DENIED),
    ("AADSTS65001", &CONSENT_REQUIRED),
    ("AADSTS90094", &ADMIN_CONSENT_REQUIRED),
    ("AADSTS90095", &ADMIN_CONSENT_REQUIRED),
    ("AADSTS900941", &ADMIN_CONSENT_REQUIRED),
    ("AADSTS650052", &ADMIN_CONSENT_REQUIRED),
    ("AADSTS50011", &CALLBACK_MISMATCH),
    ("AADSTS500113", &CALLBACK_MISMATCH),
    ("AADSTS900971", &CALLBACK_MISMATCH),
    ("AADSTS50020", &APP_FOR_ONE_ORGANISATION),
    ("AADSTS50194", &APP_FOR_ONE_ORGANISATION),
    ("AADSTS700016", &APP_CREDENTIALS_REFUSED),
    ("AADSTS7000215", &APP_CREDENTIALS_REFUSED),
    ("AADSTS7000218", &APP_CREDENTIALS_REFUSED),
    ("AADSTS7000222", &APP_CREDENTIALS_REFUSED),
    ("AADSTS70011", &SCOPES_REFUSED),
    ("AADSTS650053", &SCOPES_REFUSED),
    ("AADSTS50105", &BLOCKED_BY_POLICY),
    ("AADSTS53000", &BLOCKED_BY_POLICY),
    ("AADSTS53001", &BLOCKED_BY_POLICY),
    ("AADSTS53003", &BLOCKED_BY_POLICY),
    ("AADSTS50072", &SECOND_FACTOR_REQUIRED),
    ("AADSTS50074", &SECOND_FACTOR_REQUIRED),
    ("AADSTS50076", &SECOND_FACTOR_REQUIRED),
    ("AADSTS50079", &SECOND_FACTOR_REQUIRED),
    ("AADSTS50034", &ACCOUNT_UNAVAILABLE),
    ("AADSTS50053", &ACCOUNT_UNAVAILABLE),
    ("AADSTS50057", &ACCOUNT_UNAVAILABLE),
    ("AADSTS50058", &SIGN_IN_REQUIRED),
    ("AADSTS54005", &GRANT_REFUSED),
    ("AADSTS70000", &GRANT_REFUSED),
    ("AADSTS70008", &GRANT_REFUSED),
    ("AADSTS50173", &ACCESS_ENDED),
    ("AADSTS700082", &ACCESS_ENDED),
    ("AADSTS700084", &ACCESS_ENDED),
    ("AADSTS900144", &REQUEST_REFUSED),
    ("AADSTS9002325", &REQUEST_REFUSED),
    ("AADSTS90033", &PROVIDER_UNAVAILABLE),
    // Google.
    ("admin_policy_enforced", &ADMIN_CONSENT_REQUIRED),
    ("org_internal", &APP_FOR_ONE_ORGANISATION),
    ("disallowed_useragent", &BROWSER_REFUSED),
    ("deleted_client", &APP_CREDENTIALS_REFUSED),
    ("redirect_uri_mismatch", &CALLBACK_MISMATCH),
    // Slack, GitHub, LinkedIn, Salesforce, Meta.
    ("bad_redirect_uri", &CALLBACK_MISMATCH),
    ("invalid_redirect_uri", &CALLBACK_MISMATCH),
    ("redirect_uri_missing", &CALLBACK_MISMATCH),
    ("bad_client_secret", &APP_CREDENTIALS_REFUSED),
    ("incorrect_client_credentials", &APP_CREDENTIALS_REFUSED),
    ("invalid_client_id", &APP_CREDENTIALS_REFUSED),
    ("invalid_client_secret", &APP_CREDENTIALS_REFUSED),
    ("application_suspended", &APP_NOT_PERMITTED),
    ("oauth_ec_app_not_found", &APP_NOT_PERMITTED),
    ("oauth_app_blocked", &BLOCKED_BY_POLICY),
    ("oauth_app_access_denied", &BLOCKED_BY_POLICY),
    (
        "invalid_team_for_non_distributed_app",
        &APP_FOR_ONE_ORGANISATION,
    ),
    ("invalid_scope_requested", &SCOPES_REFUSED),
    ("unapproved_scope", &SCOPES_REFUSED),
    ("unauthorized_scope_error", &SCOPES_REFUSED),
    ("insufficient_scope", &SCOPES_REFUSED),
    ("unverified_user_email", &ACCOUNT_UNAVAILABLE),
    ("bad_verification_code", &GRANT_REFUSED),
    ("code_already_used", &GRANT_REFUSED),
    ("user_denied", &ACCESS_DENIED),
    ("user_cancelled_login", &ACCESS_DENIED),
    ("user_cancelled_authorize", &ACCESS_DENIED),
    // Access that ended.
    ("token_revoked", &ACCESS_ENDED),
    ("refresh_token_expired", &ACCESS_ENDED),
    ("refresh_token_revoked", &ACCESS_ENDED),
    // OpenID Connect Core, section 3.1.2.6.
    ("consent_required", &CONSENT_REQUIRED),
    ("login_required", &SIGN_IN_REQUIRED),
    ("account_selection_required", &SIGN_IN_REQUIRED),
    ("interaction_required", &SIGN_IN_REQUIRED),
    ("invalid_request_uri", &REQUEST_REFUSED),
    ("invalid_request_object", &REQUEST_REFUSED),
    ("request_not_supported", &REQUEST_REFUSED),
    ("request_uri_not_supported", &REQUEST_REFUSED),
    ("registration_not_supported", &REQUEST_REFUSED),
    // RFC 9101, 9126 (PAR), 9396, 9449, 9470, 8707.
    ("invalid_authorization_details", &REQUEST_REFUSED),
    ("invalid_dpop_proof", &REQUEST_REFUSED),
    ("use_dpop_nonce", &REQUEST_REFUSED),
    ("invalid_target", &REQUEST_REFUSED),
    ("unmet_authentication_requirements", &SECOND_FACTOR_REQUIRED),
    // RFC 8628, devices.
    ("authorization_pending", &SIGN_IN_UNFINISHED),
    ("slow_down", &SIGN_IN_UNFINISHED),
    ("expired_token", &SIGN_IN_UNFINISHED),
    // RFC 6749, sections 4.1.2.1 and 5.2.
    ("invalid_scope", &SCOPES_REFUSED),
    ("invalid_client", &APP_CREDENTIALS_REFUSED),
    ("unauthorized_client", &APP_NOT_PERMITTED),
    ("unsupported_response_type", &REQUEST_REFUSED),
    ("unsupported_grant_type", &REQUEST_REFUSED),
    ("invalid_grant", &GRANT_REFUSED),
    ("temporarily_unavailable", &PROVIDER_UNAVAILABLE),
    ("access_denied", &ACCESS_DENIED),
    ("server_error", &PROVIDER_UNAVAILABLE),
    ("invalid_request", &REQUEST_REFUSED),
];

/// Sentences of Nango's that carry no code of their own.
pub static PHRASES: Words = &[
    ("No session found for state", &SIGN_IN_LOST),
    ("No state found in callback", &SIGN_IN_LOST),
    ("invalid_oauth_state", &SIGN_IN_LOST),
    (
        "Invalid state parameter passed in the callback",
        &SIGN_IN_LOST,
    ),
    ("OAuth state cookie missing", &SIGN_IN_LOST),
    ("Could not find a Provider Config", &INTEGRATION_MISSING),
    (
        "is missing client ID, secret and/or scopes",
        &INTEGRATION_INCOMPLETE,
    ),
    (
        "Missing Connection Config param(s)",
        &CONNECTION_CONFIG_MISSING,
    ),
    ("Error while validating credentials", &CHECK_FAILED),
    ("Auth mode ", &AUTH_MODE_MISMATCH),
    (
        "The refresh limit has been reached for this connection",
        &REFRESH_EXHAUSTED,
    ),
];
