//! How log lines look: words for people on a terminal, JSON for everything else.
//!
//! Both name the trace that a line belongs to, where there is one.

use std::{
    fmt::{self, Write as _},
    io::IsTerminal,
    str::FromStr,
    sync::{Arc, OnceLock},
};

use opentelemetry::trace::TraceContextExt;
use tracing::{
    Event, Subscriber,
    dispatcher::WeakDispatch,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    registry::LookupSpan,
};

use super::Config;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// Words for people.
    Text,
    /// One JSON object per line.
    Json,
}

impl FromStr for LogFormat {
    type Err = LogFormatError;

    fn from_str(text: &str) -> Result<Self, LogFormatError> {
        match text {
            "auto" => Ok(Self::Auto),
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(LogFormatError {
                text: text.to_owned(),
            }),
        }
    }
}

/// A text is not the name of a log format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not \"auto\", \"text\" or \"json\"")]
pub struct LogFormatError {
    text: String,
}

/// The dispatcher that the lines are part of, known only once it is made.
pub(super) type Registered = Arc<OnceLock<WeakDispatch>>;

/// Writes events as lines.
pub(super) struct Lines {
    service: String,
    json: bool,
    registered: Registered,
}

impl Lines {
    pub(super) fn new(config: &Config) -> (Self, Registered) {
        let json = match config.log_format {
            LogFormat::Auto => !std::io::stderr().is_terminal(),
            LogFormat::Text => false,
            LogFormat::Json => true,
        };
        let registered = Registered::default();
        (
            Self {
                service: config.service_name.clone(),
                json,
                registered: Arc::clone(&registered),
            },
            registered,
        )
    }

    pub(super) fn is_colourful(&self) -> bool {
        !self.json && std::io::stderr().is_terminal()
    }

    fn trace_id<S, N>(&self, context: &FmtContext<'_, S, N>) -> Option<String>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
        N: for<'a> FormatFields<'a> + 'static,
    {
        let span = context.lookup_current()?.id();
        let dispatch = self.registered.get()?.upgrade()?;
        let context = tracing_opentelemetry::get_otel_context(&span, &dispatch)?;
        let trace = context.span().span_context().trace_id();
        (trace != opentelemetry::TraceId::INVALID).then(|| trace.to_string())
    }

    fn write_json(
        &self,
        line: &mut Writer<'_>,
        event: &Event<'_>,
        trace: Option<String>,
    ) -> fmt::Result {
        line.write_str("{\"time\":\"")?;
        SystemTime.format_time(line)?;
        write!(line, "\",\"level\":\"{}\"", event.metadata().level())?;
        let mut members = Members {
            line,
            result: Ok(()),
        };
        members.put("service", |text| text.write_str(&self.service));
        members.put("target", |text| text.write_str(event.metadata().target()));
        if let Some(trace) = trace {
            members.put("trace_id", |text| text.write_str(&trace));
        }
        event.record(&mut members);
        members.result?;
        line.write_str("}\n")
    }

    fn write_text(
        &self,
        line: &mut Writer<'_>,
        event: &Event<'_>,
        trace: Option<String>,
    ) -> fmt::Result {
        SystemTime.format_time(line)?;
        write!(line, " {:>5} {}: ", event.metadata().level(), self.service)?;
        let mut words = Words::default();
        event.record(&mut words);
        write!(line, "{}{}", words.message, words.fields)?;
        if let Some(trace) = trace {
            write!(line, " trace_id={trace}")?;
        }
        writeln!(line)
    }
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut line: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let trace = self.trace_id(context);
        if self.json {
            self.write_json(&mut line, event, trace)
        } else {
            self.write_text(&mut line, event, trace)
        }
    }
}

/// Fields as members of an object, written straight into the line.
struct Members<'a, 'w> {
    line: &'a mut Writer<'w>,
    result: fmt::Result,
}

impl Members<'_, '_> {
    /// Adds a member whose value is a string.
    fn put(&mut self, name: &str, value: impl FnOnce(&mut Escaped<'_, '_>) -> fmt::Result) {
        self.put_raw(name, |line| {
            line.write_char('"')?;
            value(&mut Escaped(line))?;
            line.write_char('"')
        });
    }

    /// Adds a member whose value is written as it stands.
    fn put_raw(&mut self, name: &str, value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        self.result = self.result.and_then(|()| {
            self.line.write_str(",\"")?;
            Escaped(self.line).write_str(name)?;
            self.line.write_str("\":")?;
            value(self.line)
        });
    }
}

impl Visit for Members<'_, '_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put_raw(field.name(), |line| {
            if value.is_finite() {
                write!(line, "{value}")
            } else {
                line.write_str("null")
            }
        });
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put_raw(field.name(), |line| write!(line, "{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put_raw(field.name(), |line| write!(line, "{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put_raw(field.name(), |line| write!(line, "{value}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), |text| text.write_str(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field.name(), |text| write!(text, "{value:?}"));
    }
}

/// The inside of a JSON string.
struct Escaped<'a, 'w>(&'a mut Writer<'w>);

impl fmt::Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut written = 0;
        for (at, byte) in text.bytes().enumerate() {
            if byte >= b' ' && byte != b'"' && byte != b'\\' {
                continue;
            }
            self.0.write_str(&text[written..at])?;
            written = at + 1;
            match byte {
                b'"' => self.0.write_str("\\\""),
                b'\\' => self.0.write_str("\\\\"),
                b'\n' => self.0.write_str("\\n"),
                control => write!(self.0, "\\u{control:04x}"),
            }?;
        }
        self.0.write_str(&text[written..])
    }
}

/// Fields as words: the message, then what it is about.
#[derive(Default)]
struct Words {
    message: String,
    fields: String,
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Mutex, PoisonError},
    };

    use serde_json::{Value, json};
    use tracing::Dispatch;
    use tracing_subscriber::{Registry, fmt::MakeWriter, layer::SubscriberExt};

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Buffer {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    /// The line that `event` makes.
    fn logged(log_format: LogFormat, event: impl FnOnce()) -> String {
        let buffer = Buffer::default();
        let (lines, _) = Lines::new(&Config {
            log_format,
            ..Config::new("search")
        });
        let layer = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(buffer.clone())
            .event_format(lines);
        let dispatch = Dispatch::new(Registry::default().with(layer));
        tracing::dispatcher::with_default(&dispatch, event);
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn json_lines_are_json() {
        const ODD: &str = "\"quoted\" \\ \u{1} \u{1b}[31m \t\r\n \u{7f} São Paulo ✈ \u{2028}";
        let line = logged(LogFormat::Json, || {
            let (absent, nan) = (None::<u64>, f64::NAN);
            tracing::info!(
                flights = 7, delta = -7, share = 0.25, whole = 1e21, nan, late = true, absent,
                airport = ODD, list = ?[ODD], "{ODD}"
            );
        });
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        let mut line: Value = serde_json::from_str(&line).unwrap();
        let time = line["time"].take();
        assert!(time.as_str().unwrap().ends_with('Z'), "{time}");
        assert_eq!(
            line,
            json!({
                "time": null, "level": "INFO", "service": "search",
                "target": "mesh::telemetry::log::tests", "message": ODD,
                "flights": 7, "delta": -7, "share": 0.25, "whole": 1e21, "nan": null, "late": true,
                "airport": ODD, "list": format!("{:?}", [ODD]),
            })
        );
    }

    #[test]
    fn text_lines_read_alone() {
        let line = logged(LogFormat::Text, || {
            tracing::info!(flights = 7, airport = "JFK", "said \"hello\"");
        });
        assert!(
            line.ends_with("  INFO search: said \"hello\" flights=7 airport=\"JFK\"\n"),
            "{line}"
        );
    }

    #[test]
    fn formats_have_names() {
        assert_eq!("json".parse(), Ok(LogFormat::Json));
        assert_eq!(
            "yaml".parse::<LogFormat>().unwrap_err().to_string(),
            "\"yaml\" is not \"auto\", \"text\" or \"json\""
        );
    }
}
