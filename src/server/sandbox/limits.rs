//! Nango's rate limit: a fixed window of a minute, one for the account's secret key and one for
//! everything that comes with a session token.
//!
//! May import `domain` and the sandbox's `answers` and `state`.

use std::sync::Mutex;

use axum::{
    http::{HeaderName, StatusCode, header},
    response::Response,
};
use serde_json::json;

use super::{
    answers::{self, Refusal},
    state::lock,
};
use crate::domain::timestamp::Timestamp;

const WINDOW_MS: i64 = 60_000;

#[derive(Clone, Copy, Debug)]
pub enum Bucket {
    Account,
    Session,
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    started: Option<Timestamp>,
    used: u32,
}

#[derive(Debug, Default)]
pub struct Limits {
    per_minute: Option<u32>,
    account: Mutex<Window>,
    session: Mutex<Window>,
}

/// What the headers of a counted answer say.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    limit: u32,
    remaining: u32,
    reset_s: i64,
    retry_after_s: Option<i64>,
}

impl Limits {
    pub fn new(per_minute: Option<u32>) -> Self {
        Self {
            per_minute,
            ..Self::default()
        }
    }

    /// Counts a call. None where there is no limit.
    pub fn take(&self, bucket: Bucket, now: Timestamp) -> Option<Standing> {
        let limit = self.per_minute?;
        let mut window = lock(match bucket {
            Bucket::Account => &self.account,
            Bucket::Session => &self.session,
        });
        let started = window
            .started
            .filter(|at| now.0 - at.0 < WINDOW_MS)
            .unwrap_or_else(|| {
                window.used = 0;
                now
            });
        window.started = Some(started);
        let over = window.used >= limit;
        if !over {
            window.used += 1;
        }
        let end = started.0 + WINDOW_MS;
        Some(Standing {
            limit,
            remaining: limit - window.used,
            reset_s: ceil_s(end),
            retry_after_s: over.then(|| ceil_s(end - now.0)),
        })
    }
}

impl Standing {
    pub fn over(&self) -> bool {
        self.retry_after_s.is_some()
    }

    pub fn write(&self, response: &mut Response) {
        for (name, value) in [
            ("x-ratelimit-limit", self.limit.to_string()),
            ("x-ratelimit-remaining", self.remaining.to_string()),
            ("x-ratelimit-reset", self.reset_s.to_string()),
        ] {
            answers::set(response, HeaderName::from_static(name), &value);
        }
        if let Some(seconds) = self.retry_after_s {
            answers::set(response, header::RETRY_AFTER, &seconds.to_string());
        }
    }
}

pub fn too_many(method: &str, path: &str) -> Refusal {
    let body = json!({"error": {"code": "too_many_request", "method": method, "path": path}});
    answers::json(StatusCode::TOO_MANY_REQUESTS, &body).into()
}

fn ceil_s(ms: i64) -> i64 {
    ms.div_euclid(1000) + i64::from(ms.rem_euclid(1000) > 0)
}
