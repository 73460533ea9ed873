//! The entries of flows and of accounts that were connected. Calls of Nango have theirs in
//! `refusals`.
//!
//! May import the dictionary only.

use super::{
    Blame::{self, Nango, Operator, Patchbay, Person, Provider},
    Ending::{self, Denied, Failed},
    Entry,
};

pub(super) const fn entry(
    code: &'static str,
    blame: Blame,
    outcome: Ending,
    sentence: &'static str,
    next: &'static str,
) -> Entry {
    Entry {
        code,
        sentence,
        next,
        blame,
        outcome,
    }
}

// The person, or somebody above them, said no.

pub static ACCESS_DENIED: Entry = entry(
    "access_denied",
    Person,
    Denied,
    "Access was not allowed.",
    "Connect again and choose Allow.",
);
pub static SIGN_IN_ENDED: Entry = entry(
    "sign_in_ended",
    Provider,
    Denied,
    "The provider ended the sign-in without a result.",
    "Connect again.",
);
pub static SIGN_IN_REQUIRED: Entry = entry(
    "sign_in_required",
    Person,
    Denied,
    "The provider wants you to sign in there first.",
    "Connect again and sign in when the provider asks.",
);
pub static SIGN_IN_UNFINISHED: Entry = entry(
    "sign_in_unfinished",
    Person,
    Denied,
    "The sign-in at the provider was not finished.",
    "Connect again and finish it without a long pause.",
);
pub static SECOND_FACTOR_REQUIRED: Entry = entry(
    "second_factor_required",
    Person,
    Denied,
    "The provider asks for a second step to sign in.",
    "Connect again and complete it, or set it up with the provider first.",
);
pub static CONSENT_REQUIRED: Entry = entry(
    "consent_required",
    Person,
    Denied,
    "The provider has no consent for this yet.",
    "Connect again and allow what it asks for; if it does not ask, an administrator over there has to allow it.",
);
pub static ADMIN_CONSENT_REQUIRED: Entry = entry(
    "admin_consent_required",
    Person,
    Denied,
    "In your organisation only an administrator may allow this.",
    "Ask your administrator at the provider to allow it, then connect again.",
);
pub static BLOCKED_BY_POLICY: Entry = entry(
    "blocked_by_policy",
    Person,
    Denied,
    "Your organisation's rules at the provider block this sign-in.",
    "Ask your administrator over there, then connect again.",
);
pub static ACCOUNT_UNAVAILABLE: Entry = entry(
    "account_unavailable",
    Person,
    Denied,
    "The provider does not let this account in.",
    "Sign in with another account, or have the provider unlock this one.",
);
pub static BROWSER_REFUSED: Entry = entry(
    "browser_refused",
    Person,
    Denied,
    "The provider does not accept a sign-in from this browser.",
    "Open this page in an ordinary browser, not inside another app, and connect again.",
);

// The window lost its thread.

pub static SIGN_IN_LOST: Entry = entry(
    "sign_in_lost",
    Person,
    Denied,
    "The sign-in could not be matched to where it began.",
    "Connect again and finish in the window that opens, within half an hour.",
);
pub static ANOTHER_CONNECTOR: Entry = entry(
    "another_connector",
    Person,
    Denied,
    "This window was opened for another connector.",
    "Connect again from the catalogue.",
);
pub static SESSION_MISSING: Entry = entry(
    "session_missing",
    Patchbay,
    Denied,
    "Nango was not told which sign-in this is.",
    "Connect again from the catalogue; if it stays so, tell whoever runs this server.",
);

// The provider.

pub static PROVIDER_UNAVAILABLE: Entry = entry(
    "provider_unavailable",
    Provider,
    Denied,
    "The provider has a disturbance of its own.",
    "Connect again in a few minutes.",
);
pub static GRANT_REFUSED: Entry = entry(
    "grant_refused",
    Provider,
    Failed,
    "The provider took back its permission before it could be used.",
    "Connect again, without going back in the window.",
);
pub static EXCHANGE_FAILED: Entry = entry(
    "exchange_failed",
    Provider,
    Failed,
    "The provider accepted you, but refused the final step.",
    "Connect again; if it stays so, ask whoever runs this server.",
);
pub static CHECK_FAILED: Entry = entry(
    "check_failed",
    Provider,
    Failed,
    "The provider accepted you, but a check of the new connection failed.",
    "Connect again with an account that may do what is listed; if it stays so, ask whoever runs this server.",
);
pub static CREDENTIALS_REFUSED: Entry = entry(
    "credentials_refused",
    Person,
    Failed,
    "These credentials were refused.",
    "Check them and try again.",
);

// What the operator has set up.

pub static APP_CREDENTIALS_REFUSED: Entry = entry(
    "app_credentials_refused",
    Operator,
    Failed,
    "The provider accepted you, but refused the final step: it does not know this app by its client ID and secret.",
    "Whoever runs this server has to check both in the integration's settings in Nango.",
);
pub static APP_NOT_PERMITTED: Entry = entry(
    "app_not_permitted",
    Operator,
    Failed,
    "The provider does not let this app sign people in.",
    "Whoever runs this server has to look at the app's settings at the provider: suspended, not released, or the wrong kind.",
);
pub static APP_FOR_ONE_ORGANISATION: Entry = entry(
    "app_for_one_organisation",
    Operator,
    Failed,
    "This app is open only to the organisation that registered it.",
    "Sign in with an account of that organisation; or whoever runs this server opens the app to others at the provider.",
);
pub static CALLBACK_MISMATCH: Entry = entry(
    "callback_mismatch",
    Operator,
    Failed,
    "The provider does not know the address it should send you back to.",
    "Whoever runs this server has to register Nango's callback address with the app at the provider, letter by letter.",
);
pub static SCOPES_REFUSED: Entry = entry(
    "scopes_refused",
    Operator,
    Failed,
    "The provider does not give this app the permissions it asks for.",
    "Whoever runs this server has to fit the integration's scopes in Nango to what the app may ask for at the provider.",
);
pub static REQUEST_REFUSED: Entry = entry(
    "request_refused",
    Operator,
    Failed,
    "The provider did not accept the sign-in as it was asked for.",
    "Whoever runs this server has to compare the integration in Nango with the app at the provider; Nango's log has the provider's words.",
);
pub static INTEGRATION_MISSING: Entry = entry(
    "integration_missing",
    Operator,
    Failed,
    "This connector is not set up in Nango yet.",
    "Ask whoever runs this server to add the integration.",
);
pub static INTEGRATION_INCOMPLETE: Entry = entry(
    "integration_incomplete",
    Operator,
    Failed,
    "This connector is set up in Nango only in part.",
    "Whoever runs this server has to enter the integration's client ID, client secret and scopes in Nango.",
);
pub static CONNECTION_CONFIG_MISSING: Entry = entry(
    "connection_config_missing",
    Operator,
    Failed,
    "Nango needs a detail of your account, such as its subdomain, that was not asked for.",
    "Whoever runs this server has to add it to the inputs of the connector's manifest.",
);
pub static AUTH_MODE_MISMATCH: Entry = entry(
    "auth_mode_mismatch",
    Operator,
    Failed,
    "In Nango this connector signs in another way than here.",
    "Whoever runs this server has to run patchbay doctor and correct the connector's manifest or the integration.",
);
pub static SIGNATURE_WANTED: Entry = entry(
    "signature_wanted",
    Operator,
    Failed,
    "Nango wants a signature that this server does not give.",
    "Whoever runs this server has to switch off HMAC in the environment's settings in Nango.",
);
pub static PLAN_LIMIT: Entry = entry(
    "plan_limit",
    Operator,
    Failed,
    "Nango's plan allows no more of this.",
    "Whoever runs this server has to raise the plan, or delete what is not needed, in Nango.",
);

// Afterwards.

pub static ACCESS_ENDED: Entry = entry(
    "access_ended",
    Person,
    Failed,
    "The provider no longer accepts the access it once gave.",
    "Reconnect the account.",
);
pub static REFRESH_FAILED: Entry = entry(
    "refresh_failed",
    Person,
    Failed,
    "The provider did not renew the access.",
    "Reconnect the account; if the provider is down, it may recover by itself.",
);
pub static REFRESH_EXHAUSTED: Entry = entry(
    "refresh_exhausted",
    Person,
    Failed,
    "The access could not be renewed, however often it was tried.",
    "Reconnect the account.",
);
pub static SYNC_FAILED: Entry = entry(
    "sync_failed",
    Provider,
    Failed,
    "The last synchronisation failed.",
    "It is tried again by itself; if it stays so, reconnect the account or ask whoever runs this server.",
);

// Nobody knows better.

pub static FLOW_FAILED: Entry = entry(
    "flow_failed",
    Nango,
    Failed,
    "Connecting did not work.",
    "Connect again; if it stays so, ask whoever runs this server.",
);

/// Every entry above.
pub static ALL: &[&Entry] = &[
    &ACCESS_DENIED,
    &SIGN_IN_ENDED,
    &SIGN_IN_REQUIRED,
    &SIGN_IN_UNFINISHED,
    &SECOND_FACTOR_REQUIRED,
    &CONSENT_REQUIRED,
    &ADMIN_CONSENT_REQUIRED,
    &BLOCKED_BY_POLICY,
    &ACCOUNT_UNAVAILABLE,
    &BROWSER_REFUSED,
    &SIGN_IN_LOST,
    &ANOTHER_CONNECTOR,
    &SESSION_MISSING,
    &PROVIDER_UNAVAILABLE,
    &GRANT_REFUSED,
    &EXCHANGE_FAILED,
    &CHECK_FAILED,
    &CREDENTIALS_REFUSED,
    &APP_CREDENTIALS_REFUSED,
    &APP_NOT_PERMITTED,
    &APP_FOR_ONE_ORGANISATION,
    &CALLBACK_MISMATCH,
    &SCOPES_REFUSED,
    &REQUEST_REFUSED,
    &INTEGRATION_MISSING,
    &INTEGRATION_INCOMPLETE,
    &CONNECTION_CONFIG_MISSING,
    &AUTH_MODE_MISMATCH,
    &SIGNATURE_WANTED,
    &PLAN_LIMIT,
    &ACCESS_ENDED,
    &REFRESH_FAILED,
    &REFRESH_EXHAUSTED,
    &SYNC_FAILED,
    &FLOW_FAILED,
];
