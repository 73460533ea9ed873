//! The shapes in which Nango answers and refuses: JSON errors, validation issues, HTML pages.
//!
//! May import nothing of ours.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

/// What a handler gives back.
pub type Answer = Result<Response, Refusal>;

/// An answer that ends a call early. Boxed: it travels through many small `Result`s.
#[derive(Debug)]
pub struct Refusal(Box<Response>);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        *self.0
    }
}

impl From<Response> for Refusal {
    fn from(response: Response) -> Self {
        Self(Box::new(response))
    }
}

fn typed(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    set(&mut response, header::CONTENT_TYPE, content_type);
    response
}

/// Sets a header; a value that no header may carry is left out.
pub fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

pub fn json(status: StatusCode, body: &Value) -> Response {
    typed(status, "application/json; charset=utf-8", body.to_string())
}

/// JSON that is text already, where the order of its fields matters.
pub fn json_text(status: StatusCode, body: String) -> Response {
    typed(status, "application/json; charset=utf-8", body)
}

pub fn ok(body: &Value) -> Response {
    json(StatusCode::OK, body)
}

pub fn html(status: StatusCode, page: String) -> Response {
    let mut response = typed(status, "text/html; charset=utf-8", page);
    set(&mut response, header::CACHE_CONTROL, "no-store");
    response
}

/// Express's own redirect, with its plain-text body.
pub fn redirect(location: &str) -> Response {
    let body = format!("Found. Redirecting to {location}");
    let mut response = typed(StatusCode::FOUND, "text/plain; charset=utf-8", body);
    set(&mut response, header::LOCATION, location);
    response
}

/// `{error:{code}}`.
pub fn code(status: StatusCode, code: &str) -> Refusal {
    json(status, &json!({"error": {"code": code}})).into()
}

/// `{error:{code, message}}`.
pub fn message(status: StatusCode, code: &str, message: &str) -> Refusal {
    json(
        status,
        &json!({"error": {"code": code, "message": message}}),
    )
    .into()
}

/// A refused key or token: 401 with an empty `payload`.
pub fn unauthorized(code: &str, reason: &str) -> Refusal {
    let body = json!({"error": {
        "message": format!("Authentication failed. {reason}"),
        "code": code,
        "payload": {},
    }});
    json(StatusCode::UNAUTHORIZED, &body).into()
}

/// What the dashboard's catch-all makes of a GET to an unknown path.
pub fn unknown_get(id: &str) -> Response {
    server_error(StatusCode::INTERNAL_SERVER_ERROR, id)
}

/// A failure inside Nango.
pub fn server_error(status: StatusCode, id: &str) -> Response {
    let text = format!("An error occurred. Please contact support with this unique id: \"{id}\"");
    json(
        status,
        &json!({"error": {"message": text, "code": "generic_error_support", "payload": id}}),
    )
}

/// Express's own 404, for a path or method it does not know.
pub fn cannot(method: &str, path: &str) -> Response {
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Error</title>\n</head>\n<body>\n<pre>Cannot {} {}</pre>\n</body>\n</html>\n",
        escape(method),
        escape(path)
    );
    html(StatusCode::NOT_FOUND, page)
}

/// Text for HTML, in element or attribute.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

/// JSON that may stand inside a `<script>`.
pub fn script_json(value: &Value) -> String {
    value
        .to_string()
        .replace('<', "\\u003c")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_typed_can_leave_its_place_in_a_page() {
        assert_eq!(escape("<a b='\"&"), "&lt;a b=&#39;&quot;&amp;");
        let script = script_json(&json!("</script>\u{2028}"));
        assert_eq!(script, "\"\\u003c/script>\\u2028\"");
    }
}
