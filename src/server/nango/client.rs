//! One call: the key goes in, a typed answer or a typed error comes out. Here a call waits for its
//! turn, is repeated where that is safe, and is told to the log when it failed.
//!
//! May import `answer`, `budget`, `error`, `gate`, `observe` and `retry` of this folder.

use std::time::Duration;

use reqwest::{Method, Request, RequestBuilder, header};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::{Instant, sleep, timeout};
use tracing::Instrument;
use url::Url;

use super::{
    NangoError, NangoService,
    answer::{Answer, Context},
    budget::Priority,
    gate::{Bucket, Permit},
    observe,
    retry::{self, Repeat},
};

/// The query of a call, decoded.
pub(super) type Query<'a> = &'a [(&'a str, &'a str)];

/// No body.
pub(super) const NO_BODY: Option<&()> = None;

/// A call with the secret key.
pub(super) struct Call<'a> {
    pub method: Method,
    pub segments: &'a [&'a str],
    pub query: Query<'a>,
    pub repeat: Repeat,
    /// Codes that are an answer like any other, and no failure to write down.
    pub tolerated: &'static [&'static str],
}

impl<'a> Call<'a> {
    pub const fn get(segments: &'a [&'a str], query: Query<'a>) -> Self {
        Self {
            method: Method::GET,
            segments,
            query,
            repeat: Repeat::Reads,
            tolerated: &[],
        }
    }
}

/// A request that is ready to go, once or more often.
struct Outgoing<'a> {
    request: Request,
    bucket: Bucket,
    repeat: Repeat,
    tolerated: &'static [&'static str],
    context: Context<'a>,
}

impl NangoService {
    /// An address below the base, each segment escaped.
    pub(super) fn url(&self, segments: &[&str], query: Query<'_>) -> Url {
        let mut url = self.base_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        call: Call<'_>,
        body: Option<&impl Serialize>,
    ) -> Result<T, NangoError> {
        let key = self.secret_key.expose_secret();
        let mut request = self
            .http
            .request(call.method, self.url(call.segments, call.query))
            .bearer_auth(key);
        if let Some(body) = body {
            request = request.json(body);
        }
        self.exchange(Outgoing {
            request: build(request)?,
            bucket: Bucket::Key,
            repeat: call.repeat,
            tolerated: call.tolerated,
            context: Context {
                with_key: true,
                typed: false,
                secrets: &[key],
            },
        })
        .await
    }

    /// A read that a connect session authorises, as its bearer.
    pub(super) async fn read_as_session<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        token: &SecretString,
    ) -> Result<T, NangoError> {
        let token = token.expose_secret();
        let request = self.http.get(self.url(segments, &[])).bearer_auth(token);
        self.exchange(Outgoing {
            request: build(request)?,
            bucket: Bucket::Session,
            repeat: Repeat::Reads,
            tolerated: &[],
            context: Context {
                with_key: false,
                typed: false,
                secrets: &[token],
            },
        })
        .await
    }

    /// A start that a connect session authorises, in the query of `url`. It is never repeated:
    /// each of them may make a connection.
    pub(super) async fn start<T: DeserializeOwned>(
        &self,
        url: Url,
        body: Option<&impl Serialize>,
        secrets: &[&str],
    ) -> Result<T, NangoError> {
        let mut request = self.http.post(url);
        request = match body {
            Some(body) => request.json(body),
            None => request.header(header::CONTENT_LENGTH, 0),
        };
        self.exchange(Outgoing {
            request: build(request)?,
            bucket: Bucket::Session,
            repeat: Repeat::Never,
            tolerated: &[],
            context: Context {
                with_key: false,
                typed: true,
                secrets,
            },
        })
        .await
    }

    async fn exchange<T: DeserializeOwned>(&self, mut call: Outgoing<'_>) -> Result<T, NangoError> {
        let observed = observe::begin(&self.base_url, &mut call.request);
        let result = self.tries(&call).instrument(observed.span()).await;
        observed.end(self.metrics.as_ref(), result.as_ref().err());
        if let Err(error) = &result {
            let word = error.word();
            if !call.tolerated.contains(&word) {
                tracing::warn!(
                    method = %call.request.method(),
                    path = call.request.url().path(),
                    status = error.status(),
                    code = word,
                    "a call to Nango failed"
                );
            }
        }
        result
    }

    async fn tries<T: DeserializeOwned>(&self, call: &Outgoing<'_>) -> Result<T, NangoError> {
        let deadline = Instant::now() + self.patience();
        let mut failed = 0;
        let mut last: Option<NangoError> = None;
        loop {
            let entered = self.gate.enter(call.bucket, self.priority, deadline).await;
            let permit = match (entered, last.take()) {
                (Ok(permit), _) => permit,
                // What really happened says more than that there is no further try.
                (Err(_), Some(happened)) => return Err(happened),
                (Err(error), None) => return Err(error),
            };
            let left = deadline.saturating_duration_since(Instant::now());
            let limit = retry::share(left, retry::TRIES - failed, call.repeat).min(self.timeout);
            let error = match self.once(call, permit, limit).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            failed += 1;
            if failed >= retry::TRIES || !retry::worth_another(call.repeat, &error) {
                return Err(error);
            }
            let pause = retry::backoff(failed, self.gate.jitter.draw());
            if Instant::now() + pause >= deadline {
                return Err(error);
            }
            sleep(pause).await;
            last = Some(error);
        }
    }

    /// One try. The permit hears how it ended.
    async fn once<T: DeserializeOwned>(
        &self,
        call: &Outgoing<'_>,
        permit: Permit<'_>,
        limit: Duration,
    ) -> Result<T, NangoError> {
        let Some(request) = call.request.try_clone() else {
            return Err(NangoError::Unreachable {
                reason: "the request cannot be sent".to_owned(),
            });
        };
        let mut connected = true;
        let exchange = async {
            let sent = self.http.execute(request).await.map_err(|error| {
                connected = !error.is_connect();
                NangoError::unreachable(&error)
            });
            Answer::read(sent?).await
        };
        let answer = timeout(limit, exchange)
            .await
            .unwrap_or_else(|_| Err(NangoError::late()));
        // Nango answers a start when the provider has: silence and 5xx are as likely the
        // provider's as its own, and what one person types must not pause everybody's calls.
        let is_verdict = call.repeat != Repeat::Never || !connected;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error @ NangoError::Unreadable { .. }) => {
                permit.answered(super::budget::Told::default());
                return Err(error);
            }
            Err(error) => {
                if is_verdict {
                    permit.failed();
                }
                return Err(error);
            }
        };
        if answer.is_server_error() {
            if is_verdict {
                permit.failed();
            }
        } else {
            permit.answered(answer.told());
        }
        answer.into_value(call.context)
    }

    /// How long a call may take in all: nobody sits and waits for those in the background.
    fn patience(&self) -> Duration {
        match self.priority {
            Priority::Person => self.timeout,
            Priority::Background => self.timeout * 3,
        }
    }
}

fn build(request: RequestBuilder) -> Result<Request, NangoError> {
    request
        .header(header::ACCEPT, "application/json")
        .build()
        .map_err(|error| NangoError::unreachable(&error))
}
