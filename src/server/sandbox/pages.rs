//! The two pages that end a flow in the popup, and the page that says what the sandbox is.
//!
//! May import the sandbox's `answers` and `outcome`.

use axum::{http::StatusCode, response::Response};
use serde_json::json;

use super::{
    answers::{self, escape, script_json},
    outcome::Failure,
};

pub const STYLE: &str = include_str!("pages.css");

/// A whole page. `body` and `script` are HTML and JavaScript already.
pub fn page(title: &str, body: &str, script: &str) -> String {
    let title = escape(title);
    let script = if script.is_empty() {
        String::new()
    } else {
        format!("<script>{script}</script>")
    };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n{script}\n</body>\n</html>\n"
    )
}

/// Tells the opener and every page that listens, then closes itself.
pub fn success() -> Response {
    let script = r#"
(function () {
  var message = { type: "nango_oauth_callback_success" };
  try { if (window.opener) window.opener.postMessage(message, "*"); } catch (e) {}
  try { new BroadcastChannel("nango-oauth-callback").postMessage(message); } catch (e) {}
  setTimeout(function () { window.close(); }, 500);
})();
"#;
    let body = "<h1>Connected</h1>\n<p>The sandbox has made the connection. You can close this window.</p>";
    answers::html(StatusCode::OK, page("Connected", body, script))
}

/// Tells the same, and stays.
pub fn failure(status: StatusCode, failure: &Failure) -> Response {
    let message = failure.shown.as_ref().unwrap_or(&failure.description);
    let error = json!({"message": message, "errorType": "connection_validation_failed"});
    let script = format!(
        r#"
window.__nangoOAuthError = {};
(function () {{
  var message = {{ type: "nango_oauth_callback_error", payload: window.__nangoOAuthError }};
  try {{ if (window.opener) window.opener.postMessage(message, "*"); }} catch (e) {{}}
  try {{ new BroadcastChannel("nango-oauth-callback").postMessage(message); }} catch (e) {{}}
}})();
"#,
        script_json(&error)
    );
    let body = format!(
        "<h1>Not connected</h1>\n<p>The account could not be connected. You can close this window and try again.</p>\n<pre tabindex=\"0\" aria-label=\"Reason\">{}</pre>",
        escape(message)
    );
    answers::html(status, page("Not connected", &body, &script))
}

/// `GET /sandbox`.
pub async fn about() -> Response {
    let body = "<p class=\"mark\">Sandbox</p>
<h1>This is a stand-in for Nango</h1>
<p>It answers Nango's API for trying things out and for tests. Every provider behind it is pretend: no account is touched, and nothing leaves this machine.</p>
<p>Credentials are not stored. Any key, password or account name that contains “wrong” is refused, everything else is accepted.</p>
<p>With the secret key as bearer token, <code>/sandbox/control</code> orders faults, breaks connections and counts calls.</p>";
    answers::html(
        StatusCode::OK,
        page("Sandbox: a stand-in for Nango", body, ""),
    )
}
