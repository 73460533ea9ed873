//! Logs and traces: what is written, in which form, and what never is. May import `clock`, `config`
//! and `request`.

mod json;
mod traces;

use std::io::IsTerminal;

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{FilterExt, LevelFilter, ParseError, dynamic_filter_fn, filter_fn},
    fmt::MakeWriter,
    layer::SubscriberExt,
    util::{SubscriberInitExt, TryInitError},
};

use super::{
    config::{Config, Log, LogFormat},
    request::{SHOWN, TRACED},
};

pub use traces::Traces;

/// Crates that write what they carry at debug or trace: headers with keys in them, messages with
/// tokens, session ids. They stay at info whatever the filter asks for.
const CARRIERS: [&str; 11] = [
    "h2",
    "hyper",
    "hyper_util",
    "jsonwebtoken",
    "oauth2",
    "openidconnect",
    "reqwest",
    "rustls",
    "tokio_tungstenite",
    "tower_sessions",
    "tungstenite",
];

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("the log filter can't be read: {0}")]
    Filter(#[from] ParseError),
    #[error("logging was set up already: {0}")]
    Twice(#[from] TryInitError),
    #[error("traces can't be exported: {0}")]
    Traces(#[from] traces::ExporterError),
}

/// Logs to stderr from here on; stdout stays for what a command prints.
pub fn init(log: &Log) -> Result<(), TelemetryError> {
    let colours = std::io::stderr().is_terminal();
    subscriber(log, std::io::stderr, colours, None)?.try_init()?;
    Ok(())
}

/// The same, and traces to where the settings say. Call it inside the runtime, and
/// [`Traces::end`] before that ends.
pub fn start(config: &Config) -> Result<Option<Traces>, TelemetryError> {
    let traces = config.traces.as_ref().map(Traces::start).transpose()?;
    let colours = std::io::stderr().is_terminal();
    subscriber(&config.log, std::io::stderr, colours, traces.as_ref())?.try_init()?;
    Ok(traces)
}

type AnyLayer = Box<dyn Layer<Registry> + Send + Sync>;

fn subscriber<W>(
    log: &Log,
    writer: W,
    colours: bool,
    traces: Option<&Traces>,
) -> Result<Box<dyn Subscriber + Send + Sync>, ParseError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines: AnyLayer = match log.format {
        LogFormat::Pretty => lines.with_ansi(colours).boxed(),
        LogFormat::Json => lines
            .fmt_fields(tracing_subscriber::fmt::format::JsonFields::new())
            .event_format(json::Lines::default())
            .boxed(),
    };
    let filter = EnvFilter::try_new(&log.filter)?
        .add_directive(format!("{SHOWN}=info").parse()?)
        .add_directive(format!("{TRACED}=off").parse()?);
    let registry = tracing_subscriber::registry();
    let Some(traces) = traces else {
        let safe = filter_fn(carries_no_secret);
        return Ok(Box::new(registry.with(lines).with(filter).with(safe)));
    };
    // With filters of their own, layers remember what the last question was answered; a callsite that is
    // never asked again, because it is always wanted, would then be taken for the one before it. One that
    // may change its mind is asked each time.
    let safe = dynamic_filter_fn(|metadata, _| carries_no_secret(metadata));
    // Nothing that is logged goes into a trace, and no span but ours: what their fields hold was chosen
    // for it.
    let ours = filter_fn(|metadata: &Metadata<'_>| metadata.target() == TRACED)
        .with_max_level_hint(LevelFilter::INFO);
    let layers: Vec<AnyLayer> = vec![
        lines.with_filter(filter.and(safe)).boxed(),
        traces.layer().with_filter(ours).boxed(),
    ];
    Ok(Box::new(registry.with(layers)))
}

fn carries_no_secret(line: &Metadata<'_>) -> bool {
    let root = line.target().split("::").next().unwrap_or_default();
    let carrier = CARRIERS
        .iter()
        .any(|name| root == *name || root.strip_prefix(name).is_some_and(|r| r.starts_with('_')));
    !carrier || *line.level() <= Level::INFO
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    use tracing::{Instrument, Span};

    use super::*;
    use crate::server::request::{self, RequestId};

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(filter: &str, format: LogFormat, write: impl FnOnce()) -> String {
        let written = Written::default();
        let log = Log {
            filter: filter.to_owned(),
            format,
        };
        let to = written.clone();
        let subscriber = subscriber(&log, move || to.clone(), false, None).unwrap();
        tracing::subscriber::with_default(subscriber, write);
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn crates_that_carry_secrets_stay_at_info() {
        let text = logged("trace", LogFormat::Pretty, || {
            tracing::trace!(target: "h2::codec", "authorization: Bearer s3cret");
            tracing::debug!(target: "tower_sessions_core::session", "id s3cret");
            tracing::info!(target: "sqlx::migrate", "migrated");
            tracing::trace!(target: "patchbay::server", "a step");
        });
        assert!(!text.contains("s3cret"), "{text}");
        assert!(
            text.contains("migrated") && text.contains("a step"),
            "{text}"
        );
    }

    #[test]
    fn the_filter_holds_back_the_rest() {
        let text = logged("warn,patchbay=debug", LogFormat::Pretty, || {
            tracing::info!(target: "other", "too much");
            tracing::debug!(target: "patchbay::server", "wanted");
        });
        assert!(
            !text.contains("too much") && text.contains("wanted"),
            "{text}"
        );
    }

    #[test]
    fn json_is_one_object_a_line() {
        let text = logged("info", LogFormat::Json, || {
            tracing::info!(target: "patchbay", connector = "gmail", "connected");
            tracing::warn!(target: "patchbay", "gone");
        });
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["message"], "connected");
        assert_eq!(lines[0]["connector"], "gmail");
        assert_eq!(lines[0]["level"], "INFO");
        assert_eq!(lines[1]["level"], "WARN");
    }

    #[tokio::test]
    async fn a_line_tells_its_request_whatever_the_filter_says() {
        let id = RequestId::new(uuid::Uuid::from_u128(9));
        let name = "00000000-0000-0000-0000-000000000009";
        for format in [LogFormat::Pretty, LogFormat::Json] {
            let text = logged("warn", format, || {
                let work = async {
                    tracing::info_span!(target: TRACED, "transaction").in_scope(|| {
                        tracing::warn!(target: "patchbay::server", "wanted");
                        tracing::info!(target: "patchbay::server", "too much");
                    });
                };
                let span = tracing::info_span!(target: SHOWN, "http", request_id = id.as_str());
                let mut work = std::pin::pin!(request::scope(
                    id.clone(),
                    Span::none(),
                    work.instrument(span)
                ));
                let mut context = std::task::Context::from_waker(std::task::Waker::noop());
                assert!(work.as_mut().poll(&mut context).is_ready());
            });
            assert_eq!(text.lines().count(), 1, "{text}");
            assert!(!text.contains("transaction"), "{text}");
            if format == LogFormat::Json {
                let line: serde_json::Value = serde_json::from_str(&text).unwrap();
                assert_eq!(line["request_id"], name, "{text}");
                assert_eq!(line["message"], "wanted");
            } else {
                assert!(text.contains(&format!("request_id=\"{name}\"")), "{text}");
            }
        }
    }
}
