//! Requests to the REST API, and what the page brought along for its island.

use js_sys::{JSON, Object, Reflect};
use leptos::prelude::{document, window};
use uuid::Uuid;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::Response;

use super::json::{FromJs, parse};
use crate::domain::{
    attempt::{AttemptStatus, Started},
    connection::Connection,
    page::{DetailsAnswer, PAGE_DATA},
    problem::Problem,
};

/// What the page carries for its island.
pub fn page_data<T: FromJs>() -> Option<T> {
    parse(&document().get_element_by_id(PAGE_DATA)?.text_content()?)
}

/// Starts an attempt. `connection` names the account where a person has several; it makes the
/// attempt a reconnect where that account is still known to Nango.
pub async fn connect(
    slug: &str,
    connection: Option<Uuid>,
    inputs: &[(String, String)],
    credentials: &[(String, String)],
) -> Result<Started, Problem> {
    let body = about(connection);
    set(&body, "inputs", &object(inputs));
    set(&body, "credentials", &object(credentials));
    call("POST", &format!("connectors/{slug}/connect"), Some(&body)).await
}

pub async fn disconnect(slug: &str, connection: Uuid) -> Result<Connection, Problem> {
    let body = about(Some(connection));
    let path = format!("connectors/{slug}/disconnect");
    call("POST", &path, Some(&body)).await
}

/// Names an account; an empty name is none.
pub async fn rename(connection: Uuid, name: &str) -> Result<Connection, Problem> {
    let body = Object::new();
    let name = if name.is_empty() {
        JsValue::NULL
    } else {
        name.into()
    };
    set(&body, "account", &name);
    call("PATCH", &format!("connections/{connection}"), Some(&body)).await
}

/// "I've finished": asks Nango at once. `failure`: the type and the words of the error that the
/// window reported.
pub async fn finish(attempt: Uuid, failure: Option<[String; 2]>) -> Result<AttemptStatus, Problem> {
    let body = Object::new();
    if let Some([error_type, message]) = failure {
        let hint = [
            ("type", "error".to_owned()),
            ("error_type", error_type),
            ("message", message),
        ];
        let hint = hint.map(|(name, value)| (name.to_owned(), value));
        set(&body, "hint", &object(&hint));
    }
    of_attempt(attempt, "/finish", Some(&body)).await
}

/// How an attempt stands or went.
pub async fn attempt(attempt: Uuid) -> Result<AttemptStatus, Problem> {
    of_attempt(attempt, "", None).await
}

pub async fn cancel(attempt: Uuid) -> Result<AttemptStatus, Problem> {
    of_attempt(attempt, "/cancel", Some(&Object::new())).await
}

async fn of_attempt(
    attempt: Uuid,
    verb: &str,
    body: Option<&Object>,
) -> Result<AttemptStatus, Problem> {
    call("POST", &format!("attempts/{attempt}{verb}"), body).await
}

/// A connector's details, with what the person has of it.
pub async fn details(slug: &str) -> Result<DetailsAnswer, Problem> {
    call("", &format!("connectors/{slug}"), None).await
}

fn about(connection: Option<Uuid>) -> Object {
    let body = Object::new();
    if let Some(id) = connection {
        set(&body, "connection_id", &id.to_string().into());
    }
    body
}

fn set(of: &Object, name: &str, value: &JsValue) {
    drop(Reflect::set(of, &name.into(), value));
}

fn object(pairs: &[(String, String)]) -> JsValue {
    let object = Object::new();
    for (name, value) in pairs {
        set(&object, name, &value.into());
    }
    object.into()
}

/// One request; without a body a GET, whatever the method.
async fn call<T: FromJs>(method: &str, path: &str, body: Option<&Object>) -> Result<T, Problem> {
    let answer = fetch(method, &format!("/api/v1/{path}"), body).await;
    let Some((fine, text)) = answer else {
        return Err(Problem::unreachable());
    };
    if fine {
        return parse(&text).ok_or_else(Problem::internal);
    }
    // What stands between may answer with something of its own.
    let problem = parse(&text).filter(|problem: &Problem| !problem.code.is_empty());
    Err(problem.unwrap_or_else(Problem::internal))
}

/// Whether the answer was a success, and its text; nothing where none came.
async fn fetch(method: &str, url: &str, body: Option<&Object>) -> Option<(bool, String)> {
    let options = Object::new();
    if let Some(body) = body {
        let headers = Object::new();
        set(&headers, "Content-Type", &"application/json".into());
        set(&options, "method", &method.into());
        set(&options, "headers", &headers);
        set(&options, "body", &JSON::stringify(body).ok()?.into());
    }
    let sent = window().fetch_with_str_and_init(url, options.unchecked_ref());
    let response: Response = JsFuture::from(sent).await.ok()?.dyn_into().ok()?;
    let text = JsFuture::from(response.text().ok()?).await.ok()?;
    Some((response.ok(), text.as_string()?))
}
