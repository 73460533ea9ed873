//! One plain HTTP call, and what came back: no retries, no redirects followed.
//!
//! May import `nango`'s wire types.

use std::{error::Error as _, time::Duration};

use reqwest::{Method, Response, header};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

/// The list of all providers is the longest answer that is asked for.
const MAX_BYTES: usize = 16 * 1024 * 1024;

pub struct Probe {
    http: reqwest::Client,
    base: Url,
    key: Option<SecretString>,
    pub timeout: Duration,
}

pub struct Answer {
    pub status: u16,
    /// Of the `Date` header, in milliseconds.
    pub date: Option<i64>,
    pub location: Option<String>,
    body: Vec<u8>,
}

impl Probe {
    pub fn new(base: Url, key: Option<SecretString>, timeout: Duration) -> Result<Self, String> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("patchbay-doctor/", env!("CARGO_PKG_VERSION")))
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| reason(&error))?;
        Ok(Self {
            http,
            base,
            key,
            timeout,
        })
    }

    pub const fn base(&self) -> &Url {
        &self.base
    }

    pub const fn key(&self) -> Option<&SecretString> {
        self.key.as_ref()
    }

    /// An address below the base, each segment escaped.
    pub fn url(&self, segments: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// With the key, where there is one.
    pub async fn call(
        &self,
        method: Method,
        segments: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let mut request = self.http.request(method, self.url(segments, query));
        if let Some(key) = &self.key {
            request = request.bearer_auth(key.expose_secret());
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        read(request.send().await).await
    }

    pub async fn get(&self, segments: &[&str], query: &[(&str, &str)]) -> Result<Answer, String> {
        self.call(Method::GET, segments, query, None).await
    }

    /// A body byte for byte, with one header of ours.
    pub async fn post_signed(
        &self,
        segments: &[&str],
        body: &'static str,
        header: (&'static str, &str),
    ) -> Result<Answer, String> {
        let request = self
            .http
            .post(self.url(segments, &[]))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header.0, header.1)
            .body(body);
        read(request.send().await).await
    }
}

async fn read(response: Result<Response, reqwest::Error>) -> Result<Answer, String> {
    let mut response = response.map_err(|error| reason(&error))?;
    let text = |name: header::HeaderName| {
        let value = response.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let date = text(header::DATE)
        .and_then(|date| chrono::DateTime::parse_from_rfc2822(&date).ok())
        .map(|date| date.timestamp_millis());
    let mut answer = Answer {
        status: response.status().as_u16(),
        date,
        location: text(header::LOCATION),
        body: Vec::new(),
    };
    while let Some(chunk) = response.chunk().await.map_err(|error| reason(&error))? {
        answer.body.extend_from_slice(&chunk);
        if answer.body.len() > MAX_BYTES {
            return Err("the answer is too long".to_owned());
        }
    }
    Ok(answer)
}

/// The deepest cause; the address stays out of it, it may carry a token.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause = error.source();
    let mut reason = "the connection failed".to_owned();
    while let Some(deeper) = cause {
        reason = deeper.to_string();
        cause = deeper.source();
    }
    reason
}

impl Answer {
    pub fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Nango's (or our own) code of a refusal; empty where there is none.
    pub fn code(&self) -> String {
        let body = self.json::<Value>().unwrap_or_default();
        let code = body.pointer("/error/code").or_else(|| body.get("code"));
        let code = code.and_then(Value::as_str).unwrap_or_default();
        // It is shown: nothing but what a code is made of.
        code.chars()
            .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
            .take(60)
            .collect()
    }

    /// `401 unknown_account`
    pub fn named(&self) -> String {
        format!("{} {}", self.status, self.code())
            .trim_end()
            .to_owned()
    }
}
