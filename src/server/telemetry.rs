//! Logs: what is written, in which form, and what never is. May import `config`.

use std::io::IsTerminal;

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{ParseError, filter_fn},
    fmt::MakeWriter,
    layer::SubscriberExt,
    util::{SubscriberInitExt, TryInitError},
};

use super::config::{Log, LogFormat};

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
}

/// Logs to stderr from here on; stdout stays for what a command prints.
pub fn init(log: &Log) -> Result<(), TelemetryError> {
    subscriber(log, std::io::stderr, std::io::stderr().is_terminal())?.try_init()?;
    Ok(())
}

fn subscriber<W>(
    log: &Log,
    writer: W,
    colours: bool,
) -> Result<impl Subscriber + Send + Sync + use<W>, ParseError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines = match log.format {
        LogFormat::Pretty => lines.with_ansi(colours).boxed(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .boxed(),
    };
    Ok(tracing_subscriber::registry()
        .with(EnvFilter::try_new(&log.filter)?)
        .with(filter_fn(carries_no_secret))
        .with(lines))
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

    use super::*;

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
        let subscriber = subscriber(&log, move || to.clone(), false).unwrap();
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
}
