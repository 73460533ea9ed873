//! One call as Nango's handlers see it: query, body, and who is asking. Order matters and is the
//! recorded one: a body that is no JSON is refused first, then the key, then the rate, and only
//! then what the call says.
//!
//! May import the sandbox's `answers`, `limits`, `state` and `validate`.

use std::sync::{Arc, Mutex};

use axum::{
    body::to_bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, Method, StatusCode, header},
};
use secrecy::ExposeSecret;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    answers::{self, Refusal},
    limits::{self, Bucket, Standing},
    state::{Sandbox, Session, lock},
    validate::{Issues, Path},
};

const LARGEST_BODY: usize = 1024 * 1024;
const TOKEN_PREFIX: &str = "nango_connect_session_";

/// Where a call leaves its standing for the headers of its answer.
#[derive(Clone, Debug, Default)]
pub struct Counted(Arc<Mutex<Option<Standing>>>);

impl Counted {
    pub fn standing(&self) -> Option<Standing> {
        *lock(&self.0)
    }
}

pub struct Call {
    pub method: Method,
    pub path: String,
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub body: Option<Value>,
    counted: Counted,
}

/// Who may make a call that takes a key or a session token.
pub enum Caller {
    Account,
    Session(Box<Session>),
}

impl FromRequest<Arc<Sandbox>> for Call {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &Arc<Sandbox>) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        let bytes = to_bytes(body, LARGEST_BODY).await.map_err(|_| {
            answers::message(
                StatusCode::PAYLOAD_TOO_LARGE,
                "request_too_large",
                "Request body is too large",
            )
        })?;
        let query = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
        Ok(Self {
            body: read_json(&parts.headers, &bytes)?,
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query,
            headers: parts.headers,
            counted: parts.extensions.get().cloned().unwrap_or_default(),
        })
    }
}

fn read_json(headers: &HeaderMap, bytes: &[u8]) -> Result<Option<Value>, Refusal> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    if !content_type.starts_with("application/json") {
        return Err(answers::message(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "invalid_content_type",
            "Content-Type header must be application/json",
        ));
    }
    let invalid = |text: &str| answers::message(StatusCode::BAD_REQUEST, "invalid_json", text);
    match serde_json::from_slice(bytes) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => Ok(Some(value)),
        Err(error) if error.is_eof() => Err(invalid("Unexpected end of JSON input")),
        _ => Err(invalid("Unexpected token in JSON")),
    }
}

impl Call {
    /// The first value of a query parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// `name[key]=value` of the query, as an object.
    pub fn params(&self, name: &str) -> Map<String, Value> {
        self.query
            .iter()
            .filter_map(|(key, value)| {
                let inner = key
                    .strip_prefix(name)?
                    .strip_prefix('[')?
                    .strip_suffix(']')?;
                Some((inner.to_owned(), Value::String(value.clone())))
            })
            .collect()
    }

    /// Reports every query parameter that is none of `known`.
    pub fn unknown_params(&self, issues: &mut Issues, known: &[&str]) {
        let names = self
            .query
            .iter()
            .map(|(key, _)| key.split('[').next().unwrap_or_default());
        issues.unrecognized(names, known, Path::new());
    }

    /// The address under which the caller knows the sandbox.
    pub fn origin(&self, sandbox: &Sandbox) -> String {
        match self.headers.get(header::HOST).and_then(|v| v.to_str().ok()) {
            Some(host) => format!("http://{host}"),
            None => format!("http://{}", sandbox.addr),
        }
    }

    /// Lets the account's secret key pass, and nothing else.
    pub fn account(&self, sandbox: &Sandbox) -> Result<(), Refusal> {
        self.secret(sandbox, self.bearer()?)?;
        self.spend(sandbox, Bucket::Account)
    }

    /// Lets the secret key or a session token pass.
    pub fn caller(&self, sandbox: &Sandbox) -> Result<Caller, Refusal> {
        let bearer = self.bearer()?;
        if bearer.starts_with(TOKEN_PREFIX) {
            let session = session(sandbox, bearer)?;
            self.spend(sandbox, Bucket::Session)?;
            return Ok(Caller::Session(Box::new(session)));
        }
        self.secret(sandbox, bearer)?;
        self.spend(sandbox, Bucket::Account)?;
        Ok(Caller::Account)
    }

    /// Lets a session token in the header pass.
    pub fn session(&self, sandbox: &Sandbox) -> Result<(String, Session), Refusal> {
        let token = self.bearer()?;
        let session = session(sandbox, token)?;
        self.spend(sandbox, Bucket::Session)?;
        Ok((token.to_owned(), session))
    }

    /// Lets a session token in the query pass: the calls that a browser makes.
    pub fn session_in_query(&self, sandbox: &Sandbox) -> Result<(String, Session), Refusal> {
        let Some(token) = self.param("connect_session_token") else {
            if self.param("public_key").is_some() {
                return Err(answers::message(
                    StatusCode::UNAUTHORIZED,
                    "deprecated_authentication",
                    "Public key authentication is deprecated. Please use connect session authentication instead.",
                ));
            }
            return Err(answers::unauthorized(
                "missing_public_key",
                "The request is missing a valid public key parameter.",
            ));
        };
        let session = session(sandbox, token)?;
        self.spend(sandbox, Bucket::Session)?;
        if self.param("connection_id").is_some() {
            let mut issues = Issues::default();
            issues.push(
                "custom",
                "connection_id is forbidden when using session token",
                vec!["connection_id".to_owned()],
            );
            issues.refuse_query()?;
        }
        Ok((token.to_owned(), session))
    }

    fn bearer(&self) -> Result<&str, Refusal> {
        let Some(value) = self.headers.get(header::AUTHORIZATION) else {
            return Err(answers::unauthorized(
                "missing_auth_header",
                "The request is missing the Authorization header.",
            ));
        };
        let value = value.to_str().unwrap_or_default();
        Ok(value.strip_prefix("Bearer ").unwrap_or_default().trim())
    }

    fn secret(&self, sandbox: &Sandbox, bearer: &str) -> Result<(), Refusal> {
        if !is_key(bearer) {
            return Err(answers::unauthorized(
                "invalid_secret_key_format",
                "The provided secret key is not a UUID v4.",
            ));
        }
        // Digests, so that the time it takes says nothing of how much of the key was right.
        let digest = |key: &str| Sha256::digest(key.to_ascii_lowercase());
        if digest(bearer) != digest(sandbox.secret.expose_secret()) {
            return Err(answers::unauthorized(
                "unknown_account",
                "The provided authorization header does not match any account.",
            ));
        }
        Ok(())
    }

    fn spend(&self, sandbox: &Sandbox, bucket: Bucket) -> Result<(), Refusal> {
        // The sandbox's own controls are no part of the account.
        if self.path.starts_with("/sandbox/") {
            return Ok(());
        }
        let Some(standing) = sandbox.limits.take(bucket, sandbox.clock.now()) else {
            return Ok(());
        };
        *lock(&self.counted.0) = Some(standing);
        if standing.over() {
            return Err(limits::too_many(self.method.as_str(), &self.path));
        }
        Ok(())
    }
}

/// Nango takes nothing but a UUID v4 for a secret key.
pub fn is_key(text: &str) -> bool {
    text.len() == 36 && Uuid::try_parse(text).is_ok_and(|id| id.get_version_num() == 4)
}

fn session(sandbox: &Sandbox, token: &str) -> Result<Session, Refusal> {
    let sound = token.strip_prefix(TOKEN_PREFIX).is_some_and(|random| {
        random.len() == 64 && random.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
    });
    if !sound {
        return Err(answers::unauthorized(
            "invalid_connect_session_token_format",
            "The provided connect session token is not following correct format: nango_connect_session_RANDOM)",
        ));
    }
    let now = sandbox.clock.now();
    sandbox
        .read(|state| state.live_session(token, now).cloned())
        .ok_or_else(|| {
            answers::unauthorized(
                "unknown_connect_session_token",
                "The provided connect session token does not match any account.",
            )
        })
}

/// A fresh session token.
pub fn new_token(sandbox: &Sandbox) -> String {
    let half = || sandbox.clock.random_id().simple();
    format!("{TOKEN_PREFIX}{}{}", half(), half())
}
