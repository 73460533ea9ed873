//! What is told of transactions: how long one waited for its connection, and a span while it lasts.
//!
//! May import `metrics` and `request`.

use std::{future::Future, time::Instant};

use tracing::{Instrument, Span};

use crate::server::{
    metrics::Metrics,
    request::{self, TRACED},
};

/// Who counts, if anybody does.
#[derive(Clone, Debug, Default)]
pub struct Watch(pub Option<Metrics>);

/// Lasts as long as its transaction.
#[derive(Debug)]
pub struct Observed {
    _span: Span,
}

impl Watch {
    pub async fn begin<T>(
        &self,
        system: &'static str,
        writes: bool,
        begin: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<(T, Observed), sqlx::Error> {
        let span = span(system, writes);
        let began = Instant::now();
        let result = begin.instrument(span.clone()).await;
        if let Some(metrics) = &self.0 {
            match &result {
                Ok(_) => metrics.database.begun(writes, began.elapsed()),
                Err(sqlx::Error::PoolTimedOut) => metrics.database.timed_out(),
                Err(_) => metrics.database.failed(),
            }
        }
        result.map(|begun| (begun, Observed { _span: span }))
    }
}

/// None for what belongs to nothing: the loops of the background ask every second or so, and each of
/// their questions would be a trace of its own.
fn span(system: &'static str, writes: bool) -> Span {
    let traced = tracing::enabled!(target: TRACED, tracing::Level::INFO);
    if !traced || Span::current().is_disabled() {
        return Span::none();
    }
    let span = tracing::info_span!(
        target: TRACED,
        "transaction",
        otel.kind = "client",
        db.system.name = system,
        db.operation.name = if writes { "write" } else { "read" },
        request_id = tracing::field::Empty,
    );
    if let Some(id) = request::current() {
        span.record("request_id", id.as_str());
    }
    span
}
