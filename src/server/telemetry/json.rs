//! One JSON object a line, with the request that it belongs to. May import `request`.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{Format, Json, Writer},
    },
    registry::LookupSpan,
};

use crate::server::request;

/// The event's own fields beside time, level and message; `request_id` first, where there is one,
/// because that is what a line is searched by.
#[derive(Debug)]
pub struct Lines(Format<Json>);

impl Default for Lines {
    fn default() -> Self {
        let format = tracing_subscriber::fmt::format().json();
        Self(
            format
                .flatten_event(true)
                .with_current_span(true)
                .with_span_list(false),
        )
    }
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(id) = request::current() else {
            return self.0.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.0
            .format_event(context, Writer::new(&mut line), event)?;
        // An id has no character that JSON would want to be escaped.
        match line.strip_prefix('{') {
            Some(rest) => write!(writer, "{{\"request_id\":\"{id}\",{rest}"),
            None => writer.write_str(&line),
        }
    }
}
