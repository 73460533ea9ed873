//! Problems over HTTP: `application/problem+json`, RFC 9457.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use serde::Serialize;

use crate::{
    domain::problem::Problem,
    server::{
        request::{self, RequestId},
        services::{ServiceError, outage},
        state,
    },
};

/// A handler's failure.
#[derive(Debug)]
pub struct ApiError {
    pub problem: Problem,
    /// Known where Nango, the pause before it, or a limit has named a time.
    retry_after_seconds: Option<u64>,
}

/// Said where nobody knows better.
const RETRY_AFTER_SECONDS: u64 = 30;

impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> Self {
        let retry_after_seconds = match &error {
            ServiceError::Nango(error) => error.retry_after_seconds(),
            ServiceError::Later { seconds, .. } => Some(*seconds),
            ServiceError::Db(_) => Some(outage::RETRY_AFTER_SECONDS),
            ServiceError::Problem(_) => None,
        };
        Self {
            problem: error.into(),
            retry_after_seconds,
        }
    }
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self {
            problem,
            retry_after_seconds: None,
        }
    }
}

impl ApiError {
    /// What the answer carries beside the problem: when it is worth another try, what a token lacks.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if matches!(self.problem.status, 429 | 503) {
            let seconds = self.retry_after_seconds.unwrap_or(RETRY_AFTER_SECONDS);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // RFC 6750, section 3.1.
        if self.problem.code == "token_invalid" {
            let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        headers
    }

    pub fn signed_out() -> Self {
        state::signed_out().into()
    }

    /// When it is worth another try.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }
}

/// A problem as it goes out: what is our fault is found by its request in the logs and the traces.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    problem: &'a Problem,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let id = request::current().filter(|_| status.is_server_error());
        let told = Told {
            problem: &self.problem,
            request_id: id.as_ref().map(RequestId::as_str),
        };
        let body = serde_json::to_vec(&told).unwrap_or_default();
        let headers = self.headers();
        let mut response = (
            status,
            [(header::CONTENT_TYPE, "application/problem+json")],
            body,
        )
            .into_response();
        response.headers_mut().extend(headers);
        // A page says it in its own way.
        response.extensions_mut().insert(Refusal(self.problem));
        response
    }
}

/// The problem of an answer, for whoever it passes on its way out.
#[derive(Clone)]
pub struct Refusal(pub Problem);

/// How a change of a connection may be refused, for the OpenAPI document.
#[derive(utoipa::IntoResponses)]
pub enum ChangeRefused {
    /// The body cannot be read.
    #[response(status = 400, content_type = "application/problem+json")]
    Unreadable(Problem),
    /// Nobody is signed in.
    #[response(status = 401, content_type = "application/problem+json")]
    SignedOut(Problem),
    /// The request came from another site.
    #[response(status = 403, content_type = "application/problem+json")]
    CrossSite(Problem),
    /// No such connector or connection.
    #[response(status = 404, content_type = "application/problem+json")]
    Unknown(Problem),
    /// Not in the present state.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(Problem),
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
    #[response(status = 415, content_type = "application/problem+json")]
    NoJson(Problem),
    /// Inputs or credentials are refused.
    #[response(status = 422, content_type = "application/problem+json")]
    Refused(Problem),
    /// Nango failed, or answered in a way that is not understood.
    #[response(status = 502, content_type = "application/problem+json")]
    NangoFailed(Problem),
    /// Nango or the database cannot be reached, or connecting is off.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Problem),
}
