//! Traces, by OTLP over HTTP (protobuf), where the settings name a collector. May import `clock` and
//! `config`.
//!
//! A collector that is slow or down costs nobody anything: spans wait in a row of bounded length, what
//! does not fit is dropped, and its troubles are logged once a minute at the most.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError, mpsc},
    time::{Duration, Instant},
};

use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_otlp::{
    ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    runtime,
    trace::{
        BatchConfigBuilder, Sampler, SdkTracerProvider, SpanData,
        span_processor_with_async_runtime::BatchSpanProcessor,
    },
};
use secrecy::ExposeSecret;
use tracing_subscriber::{Layer, Registry};

use crate::server::{clock::Clock, config};

/// Spans that wait to be sent, at the most; each is about a kilobyte.
const QUEUE: usize = 4096;
const BATCH: usize = 512;
const EVERY: Duration = Duration::from_secs(2);
/// For one batch; the processor's own limit is longer, or nobody would tell of it.
const PATIENCE: Duration = Duration::from_secs(5);
/// What is left at the end is waited for so long.
const LAST: Duration = Duration::from_secs(3);
const TOLD_EVERY: Duration = Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
pub enum ExporterError {
    #[error(transparent)]
    Client(#[from] reqwest::Error),
    #[error(transparent)]
    Build(#[from] ExporterBuildError),
}

/// Sends spans away until it is ended.
#[derive(Debug)]
pub struct Traces(SdkTracerProvider);

impl Traces {
    pub fn start(settings: &config::Traces) -> Result<Self, ExporterError> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("patchbay/", env!("CARGO_PKG_VERSION")))
            .timeout(PATIENCE)
            // Following one would carry the headers elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let base = settings.endpoint.as_str().trim_end_matches('/');
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{base}/v1/traces"))
            .with_timeout(PATIENCE)
            .with_headers(headers(settings))
            .build()?;
        let exporter = Quiet {
            exporter,
            told: Mutex::default(),
        };
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(EVERY)
            .with_max_export_timeout(2 * PATIENCE)
            .with_max_concurrent_exports(1)
            .build();
        let processor = BatchSpanProcessor::builder(exporter, runtime::Tokio)
            .with_batch_config(batches)
            .build();
        let instance = Clock::system().random_id().to_string();
        let resource = Resource::builder_empty()
            .with_service_name(settings.service_name.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attribute(KeyValue::new("service.instance.id", instance))
            .build();
        // A trusted proxy that records a trace is followed; of what begins here a part is.
        let ratio = Sampler::TraceIdRatioBased(settings.ratio);
        let provider = SdkTracerProvider::builder()
            .with_span_processor(processor)
            .with_sampler(Sampler::ParentBased(Box::new(ratio)))
            .with_resource(resource)
            .build();
        Ok(Self(provider))
    }

    pub(super) fn layer(&self) -> impl Layer<Registry> + Send + Sync + use<> {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("patchbay"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
    }

    /// Sends what is left, and waits for it no longer than is reasonable. Call it outside the
    /// runtime, while that still runs.
    pub fn end(self) {
        let (done, wait) = mpsc::channel();
        std::thread::spawn(move || {
            let ended = self.0.shutdown();
            let _ = done.send(ended);
        });
        match wait.recv_timeout(LAST) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the last traces are lost"),
            Err(_) => tracing::warn!("the last traces are lost: no answer in time"),
        }
    }
}

/// As [`config::Traces::headers`] has them; the exporter decodes the values.
fn headers(settings: &config::Traces) -> HashMap<String, String> {
    let text = settings.headers.as_ref().map(ExposeSecret::expose_secret);
    let pairs = text.into_iter().flat_map(|text| text.split(','));
    pairs
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

/// An exporter whose troubles are logged now and then.
#[derive(Debug)]
struct Quiet {
    exporter: SpanExporter,
    told: Mutex<Option<Instant>>,
}

impl Quiet {
    fn tells_now(&self) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let due = told.is_none_or(|at| at.elapsed() >= TOLD_EVERY);
        if due {
            *told = Some(Instant::now());
        }
        due
    }
}

impl opentelemetry_sdk::trace::SpanExporter for Quiet {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let result = self.exporter.export(batch).await;
        if let Err(error) = &result
            && self.tells_now()
        {
            tracing::warn!(%error, spans, "traces cannot be exported; they are dropped");
        }
        result
    }

    fn shutdown(&mut self) -> OTelSdkResult {
        self.exporter.shutdown()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
