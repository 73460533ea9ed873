//! Bodies and queries: what cannot be read is a problem like any other.

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, FromRequestParts, Query, Request},
    http::{header, request::Parts},
};
use futures::StreamExt;
use serde::de::DeserializeOwned;

use super::{limits::BODY, problem::ApiError};
use crate::domain::problem::Problem;

/// A JSON body; an empty one, or `null`, is `{}`.
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let is_json = request
            .headers()
            .get(header::CONTENT_TYPE)
            .map(|value| value.to_str().unwrap_or_default().to_ascii_lowercase())
            .map(|value| value.starts_with("application/json"));
        let bytes = whole(request).await?;
        if bytes.is_empty() {
            return read(b"{}");
        }
        if is_json == Some(false) {
            return Err(refused(
                415,
                "content_type_unsupported",
                "The request's body has to be JSON.",
                "Send it with Content-Type: application/json.",
            ));
        }
        read(&bytes)
    }
}

/// The body, within the limit.
async fn whole(request: Request) -> Result<Bytes, ApiError> {
    within(request.into_body(), BODY)
        .await
        .map_err(|error| match error {
            Unread::TooLarge => refused(
                413,
                "body_too_large",
                "The request's body is too large.",
                "",
            ),
            Unread::CutOff => refused(400, "body_invalid", "The request's body was cut off.", ""),
        })
}

/// Why a body is not to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    TooLarge,
    CutOff,
}

/// So much beyond the limit is still taken off the line, and thrown away.
const TO_THE_END: usize = 1024 * 1024;

/// A body of so many bytes at the most. One that is longer is read to its end where that is near:
/// whoever is still writing when the connection is closed may never read the answer.
pub async fn within(body: Body, limit: usize) -> Result<Bytes, Unread> {
    let mut chunks = body.into_data_stream();
    let mut kept = Vec::new();
    let mut seen = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Unread::CutOff)?;
        seen += chunk.len();
        if seen > limit + TO_THE_END {
            break;
        }
        if seen <= limit {
            kept.extend_from_slice(&chunk);
        }
    }
    if seen > limit {
        Err(Unread::TooLarge)
    } else {
        Ok(kept.into())
    }
}

/// The same request, its body read and within the limit.
pub async fn bounded(request: Request) -> Result<Request, ApiError> {
    let (parts, body) = request.into_parts();
    let bytes = whole(Request::from_parts(parts.clone(), body)).await?;
    Ok(Request::from_parts(parts, bytes.into()))
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<JsonBody<T>, ApiError> {
    let bytes = if bytes.trim_ascii() == b"null" {
        b"{}"
    } else {
        bytes
    };
    // serde would take a list for an object's fields in their order.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(refused(
            400,
            "body_invalid",
            "The request's body cannot be read.",
            "It has to be an object.",
        ));
    }
    serde_json::from_slice(bytes)
        .map(JsonBody)
        .map_err(|error| {
            // The message of a shape error may quote a value, and a value may be a secret.
            let detail = if error.is_data() {
                format!(
                    "It does not have the documented shape (line {}, column {}).",
                    error.line(),
                    error.column()
                )
            } else {
                format!(
                    "It is no JSON (line {}, column {}).",
                    error.line(),
                    error.column()
                )
            };
            refused(
                400,
                "body_invalid",
                "The request's body cannot be read.",
                &detail,
            )
        })
}

fn refused(status: u16, code: &str, title: &str, detail: &str) -> ApiError {
    ApiError::from(Problem::new(status, code, title, detail))
}

/// A form's fields; an empty body is an empty form.
pub struct FormBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for FormBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let bytes = whole(request).await?;
        if has(&bytes, b"%00") || bytes.contains(&0) {
            return Err(refused(400, "body_invalid", "The form cannot be read.", ""));
        }
        serde_urlencoded::from_bytes(&bytes)
            .map(FormBody)
            .map_err(|_| refused(400, "body_invalid", "The form cannot be read.", ""))
    }
}

/// Whether these bytes are among them. No text that is kept has a NUL: PostgreSQL takes none.
fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// The query of an address.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Query::from_request_parts(parts, state)
            .await
            .map(|Query(params)| Self(params))
            .map_err(|_| {
                refused(
                    400,
                    "query_invalid",
                    "The address's query cannot be read.",
                    "The parameters are described in /api/v1/openapi.json.",
                )
            })
    }
}
