//! Calls of an issuer: no redirects, little time, no long answers.

use std::{pin::Pin, time::Duration};

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::{Client, Response, header, redirect::Policy};
use serde::de::DeserializeOwned;
use url::Url;

/// How long a call may take, from the first byte to the last.
const TIMEOUT: Duration = Duration::from_secs(8);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// So long is an answer at the most: key sets and documents have some kilobytes.
const MAX_ANSWER: usize = 256 * 1024;

/// Why an issuer's answer was not had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    #[error("no answer in time")]
    Timeout,
    #[error("no answer: {0}")]
    Unreachable(String),
    #[error("the answer's status is {0}")]
    Status(u16),
    #[error("the answer is longer than {MAX_ANSWER} bytes")]
    TooLong,
    #[error("the answer cannot be read: {0}")]
    Unreadable(String),
}

/// A client for issuers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Http(Client);

impl Http {
    pub fn new() -> Result<Self, reqwest::Error> {
        Client::builder()
            // A redirect could lead a code or a secret anywhere.
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .user_agent(concat!("patchbay/", env!("CARGO_PKG_VERSION")))
            .build()
            .map(Self)
    }

    /// A document in JSON.
    pub async fn json<T: DeserializeOwned>(&self, url: &Url) -> Result<T, FetchError> {
        let request = self.0.get(url.clone());
        let response = request
            .header(header::ACCEPT, "application/json")
            .send()
            .await
            .map_err(|error| failed(&error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(FetchError::Status(status.as_u16()));
        }
        let body = read(response).await?;
        serde_json::from_slice(&body).map_err(|error| unreadable(&error))
    }

    async fn pass_on(&self, request: HttpRequest) -> Result<HttpResponse, FetchError> {
        let request = request
            .try_into()
            .map_err(|error: reqwest::Error| failed(&error))?;
        let response = self.0.execute(request).await.map_err(|e| failed(&e))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = read(response).await?;
        let mut answer = HttpResponse::new(body);
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        Ok(answer)
    }
}

/// Requests that the OpenID Connect library has put together.
impl<'c> AsyncHttpClient<'c> for Http {
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, FetchError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.pass_on(request))
    }
}

async fn read(mut response: Response) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| failed(&e))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(FetchError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn failed(error: &reqwest::Error) -> FetchError {
    if error.is_timeout() {
        return FetchError::Timeout;
    }
    let what = if error.is_connect() {
        "no connection"
    } else if error.is_body() || error.is_decode() {
        "it broke off"
    } else {
        "the request failed"
    };
    FetchError::Unreachable(what.to_owned())
}

/// Where it is wrong, and not what stands there.
fn unreadable(error: &serde_json::Error) -> FetchError {
    let what = if error.is_data() {
        "not the expected shape"
    } else {
        "no JSON"
    };
    let (line, column) = (error.line(), error.column());
    FetchError::Unreadable(format!("{what} (line {line}, column {column})"))
}
