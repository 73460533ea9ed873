//! Who is to get which answer, route by route.

use reqwest::Method;

/// What an unsafe request carries.
#[derive(Clone, Copy)]
pub enum Sent {
    Nothing,
    Json(&'static str),
    Form(&'static str),
}

/// A route, and the answer for each kind of caller: the status, then where it leads to or the code
/// of its problem. `{attempt}` and `{connection}` in paths and bodies are Ada's.
pub struct Row {
    pub method: Method,
    /// As it is registered.
    pub route: &'static str,
    /// As it is asked for.
    pub path: &'static str,
    pub sent: Sent,
    /// No session, and what only looks like one: expired, forged, of somebody who is switched off.
    pub out: &'static str,
    /// Ada, whose attempt and connection it is about.
    pub own: &'static str,
    /// Somebody else, and whoever comes with a good token.
    pub other: &'static str,
    /// An administrator, who is somebody else too.
    pub admin: &'static str,
    /// Whoever sends a token that is not accepted, whatever is wrong with it.
    pub refused: &'static str,
}

const SIGNED_OUT: &str = "401 signed_out";
const INVALID: &str = "401 token_invalid";
const NOT_ALLOWED: &str = "403 not_allowed";
const NO_ATTEMPT: &str = "404 attempt_unknown";
const NO_CONNECTION: &str = "404 connection_unknown";
/// To the sign-in page, and back here afterwards.
const NEXT: &str = "303 /sign-in?next";

const fn row(
    method: Method,
    route: &'static str,
    path: &'static str,
    answers: [&'static str; 5],
) -> Row {
    let [out, own, other, admin, refused] = answers;
    Row {
        method,
        route,
        path,
        sent: Sent::Nothing,
        out,
        own,
        other,
        admin,
        refused,
    }
}

const fn get(route: &'static str, path: &'static str, answers: [&'static str; 5]) -> Row {
    row(Method::GET, route, path, answers)
}

const fn form(
    route: &'static str,
    path: &'static str,
    fields: &'static str,
    answers: [&'static str; 5],
) -> Row {
    let mut row = row(Method::POST, route, path, answers);
    row.sent = Sent::Form(fields);
    row
}

const fn json(
    method: Method,
    route: &'static str,
    path: &'static str,
    body: &'static str,
    answers: [&'static str; 5],
) -> Row {
    let mut row = row(method, route, path, answers);
    row.sent = Sent::Json(body);
    row
}

/// The same for everybody.
const fn all(answer: &'static str) -> [&'static str; 5] {
    [answer; 5]
}

/// The same for everybody who is signed in.
const fn anybody(out: &'static str, answer: &'static str) -> [&'static str; 5] {
    [out, answer, answer, answer, INVALID]
}

/// For its own person only.
const fn owner(out: &'static str, own: &'static str, other: &'static str) -> [&'static str; 5] {
    [out, own, other, other, INVALID]
}

/// For administrators only.
const fn admins(answer: &'static str) -> [&'static str; 5] {
    [SIGNED_OUT, NOT_ALLOWED, NOT_ALLOWED, answer, INVALID]
}

const ACCOUNT: &str = "connection_id={connection}";
const ACCOUNT_JSON: &str = r#"{"connection_id":"{connection}"}"#;

#[rustfmt::skip]
pub const TABLE: &[Row] = &[
    // Pages
    get("/", "/", all("303 /connectors")),
    get("/connectors", "/connectors", anybody(NEXT, "200")),
    get("/connectors/{slug}", "/connectors/gmail", anybody(NEXT, "200")),
    get("/attempts/{id}", "/attempts/{attempt}", owner(NEXT, "200", "404")),
    get("/account", "/account", anybody(NEXT, "200")),
    // Signing in and out
    get("/sign-in", "/sign-in", ["200", "303 /connectors", "303 /connectors", "303 /connectors", INVALID]),
    form("/sign-in/demo", "/sign-in/demo", "name=ada", all("303 /connectors")),
    form("/sign-out", "/sign-out", "", ["303 /sign-in", "303 /sign-in", "303 /sign-in", "303 /sign-in", INVALID]),
    form("/sign-in/password", "/sign-in/password", "email=nobody%40example.com&password=wrong+horse+battery", all("403")),
    get("/sign-up", "/sign-up", ["303 /sign-in", "303 /connectors", "303 /connectors", "303 /connectors", INVALID]),
    form("/sign-up", "/sign-up", "email=new%40example.com&name=New&password=wrong+horse+battery", all("403")),
    get("/sign-in/oidc/{provider}", "/sign-in/oidc/none", ["303 /sign-in", "303 /connectors", "303 /connectors", "303 /connectors", INVALID]),
    get("/sign-in/oidc/{provider}/callback", "/sign-in/oidc/none/callback?state=x&code=y", ["303 /sign-in", "303 /connectors", "303 /connectors", "303 /connectors", INVALID]),
    form("/sign-in/token", "/sign-in/token", "token=none.at.all", all("303 /sign-in")),
    json(Method::POST, "/api/v1/session", "/api/v1/session", "", [SIGNED_OUT, INVALID, INVALID, INVALID, INVALID]),
    json(Method::DELETE, "/api/v1/session", "/api/v1/session", "", anybody(SIGNED_OUT, "204")),
    // One's own account: nothing in the address or the form names another's
    form("/account/password", "/account/password", "present=a&new=b", anybody("303 /sign-in", "409")),
    form("/account/sessions/end", "/account/sessions/end", "id=none", anybody("303 /sign-in", "303 /account")),
    // Forms: a problem waits on the page they lead to
    form("/connectors/{slug}/connect", "/connectors/slack/connect", "", anybody("303 /sign-in", "303 /attempts/{id}")),
    form("/connectors/{slug}/connect", "/connectors/gmail/connect", ACCOUNT, owner("303 /sign-in", "303 /attempts/{id}", "303 /connectors/gmail")),
    form("/connectors/{slug}/reconnect", "/connectors/gmail/reconnect", ACCOUNT, owner("303 /sign-in", "303 /attempts/{id}", "303 /connectors/gmail")),
    form("/connectors/{slug}/disconnect", "/connectors/gmail/disconnect", ACCOUNT, owner("303 /sign-in", "303 /connectors/gmail", "303 /connectors/gmail")),
    form("/connections/{id}/name", "/connections/{connection}/name", "account=Ours", owner("303 /sign-in", "303 /connectors/gmail", NO_CONNECTION)),
    get("/attempts/{id}/open", "/attempts/{attempt}/open", owner("303 /sign-in", "303 {nango}/oauth/connect/zoom", NO_ATTEMPT)),
    form("/attempts/{id}/finish", "/attempts/{attempt}/finish", "", owner("303 /sign-in", "303 /attempts/{id}", NO_ATTEMPT)),
    form("/attempts/{id}/cancel", "/attempts/{attempt}/cancel", "", owner("303 /sign-in", "303 /connectors/zoom", NO_ATTEMPT)),
    // Files
    get("/icons/{file}", "/icons/any.svg", all("200")),
    get("/assets/{version}/{*path}", "/assets/0/none.js", all("404 not_found")),
    // REST
    json(Method::POST, "/api/fn/{*name}", "/api/fn/attempt_page", r#"{"attempt_id":"{attempt}"}"#, owner(SIGNED_OUT, "200", NO_ATTEMPT)),
    form("/api/fn/{*name}", "/api/fn/catalogue_page", "", anybody(SIGNED_OUT, "200")),
    get("/api/v1/connectors", "/api/v1/connectors", anybody(SIGNED_OUT, "200")),
    get("/api/v1/connectors/callback", "/api/v1/connectors/callback?state=x", all("308 {nango}/oauth/callback")),
    get("/api/v1/connectors/callback", "/api/v1/connectors/callback?attempt={attempt}", owner(SIGNED_OUT, "200", NO_ATTEMPT)),
    get("/api/v1/connectors/{id}", "/api/v1/connectors/gmail", anybody(SIGNED_OUT, "200")),
    get("/api/v1/connectors/{id}/status", "/api/v1/connectors/gmail/status", anybody(SIGNED_OUT, "200")),
    get("/api/v1/connectors/{id}/history", "/api/v1/connectors/gmail/history", anybody(SIGNED_OUT, "200")),
    get("/api/v1/history", "/api/v1/history", anybody(SIGNED_OUT, "200")),
    json(Method::POST, "/api/v1/connectors/{id}/connect", "/api/v1/connectors/slack/connect", "{}", anybody(SIGNED_OUT, "200")),
    json(Method::POST, "/api/v1/connectors/{id}/connect", "/api/v1/connectors/gmail/connect", ACCOUNT_JSON, owner(SIGNED_OUT, "200", NO_CONNECTION)),
    json(Method::POST, "/api/v1/connectors/{id}/reconnect", "/api/v1/connectors/gmail/reconnect", ACCOUNT_JSON, owner(SIGNED_OUT, "200", NO_CONNECTION)),
    json(Method::POST, "/api/v1/connectors/{id}/disconnect", "/api/v1/connectors/gmail/disconnect", ACCOUNT_JSON, owner(SIGNED_OUT, "200", NO_CONNECTION)),
    get("/api/v1/connections", "/api/v1/connections", anybody(SIGNED_OUT, "200")),
    json(Method::PATCH, "/api/v1/connections/{id}", "/api/v1/connections/{connection}", r#"{"account":"Ours"}"#, owner(SIGNED_OUT, "200", NO_CONNECTION)),
    get("/api/v1/attempts/{id}", "/api/v1/attempts/{attempt}", owner(SIGNED_OUT, "200", NO_ATTEMPT)),
    json(Method::POST, "/api/v1/attempts/{id}/finish", "/api/v1/attempts/{attempt}/finish", "{}", owner(SIGNED_OUT, "200", NO_ATTEMPT)),
    json(Method::POST, "/api/v1/attempts/{id}/cancel", "/api/v1/attempts/{attempt}/cancel", "", owner(SIGNED_OUT, "200", NO_ATTEMPT)),
    get("/api/v1/events", "/api/v1/events", anybody(SIGNED_OUT, "200")),
    // Administrators
    get("/api/v1/admin/users", "/api/v1/admin/users", admins("200")),
    get("/api/v1/admin/audit", "/api/v1/admin/audit", admins("200")),
    json(Method::POST, "/api/v1/admin/users/{id}/disable", "/api/v1/admin/users/{connection}/disable", "", admins("404 user_unknown")),
    json(Method::POST, "/api/v1/admin/users/{id}/enable", "/api/v1/admin/users/{connection}/enable", "", admins("404 user_unknown")),
    // Only Nango's signature opens it, whoever it is that asks.
    json(Method::POST, "/api/v1/webhooks/nango", "/api/v1/webhooks/nango", "{}", all("401 webhook_signature_invalid")),
    get("/api/v1/openapi.json", "/api/v1/openapi.json", all("200")),
    get("/health/live", "/health/live", all("200")),
    get("/health/ready", "/health/ready", all("200")),
    get("/health/startup", "/health/startup", all("200")),
];
