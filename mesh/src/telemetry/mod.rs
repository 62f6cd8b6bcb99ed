//! Logs, traces and metrics of a service.
//!
//! Each service has a dispatcher of its own, also where several run in one process on a thread
//! each, so that in Jaeger each has its own name. Nothing here is global but the metrics.

mod log;
mod metrics;
pub mod propagate;
mod trace;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::ExporterBuildError;
use tracing::{Dispatch, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{ParseError, Targets},
    layer::SubscriberExt,
    registry::LookupSpan,
};

pub use log::LogFormat;
pub(crate) use metrics::keep_metrics_small;
pub use metrics::metrics;
pub use trace::Guard;

/// Target of spans that are exported as traces. Without an exporter they are off and cost nothing.
pub const SPAN_TARGET: &str = "mesh::span";

/// What to tell, and whom.
#[derive(Clone, Debug)]
pub struct Config {
    /// `service.name` of traces and logs, for example `search`.
    pub service_name: String,
    /// `service.instance.id`: what tells this replica from the others, for example its address.
    pub instance: String,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Which log lines there are, in the syntax of `RUST_LOG`. None means what that variable says,
    /// and `info` where it says nothing.
    pub log_filter: Option<String>,
    /// Where traces go, as OTLP over gRPC: `http://host:4317`. None means nowhere.
    pub otlp_endpoint: Option<String>,
}

impl Config {
    /// A service of this name, and defaults for the rest.
    #[must_use]
    pub fn new(service_name: impl Into<String>) -> Self {
        Self {
            service_name: service_name.into(),
            instance: String::new(),
            log_format: LogFormat::default(),
            log_filter: None,
            otlp_endpoint: None,
        }
    }
}

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The log filter is not one.
    #[error("log filter (RUST_LOG)")]
    Filter(#[from] ParseError),
    /// `RUST_LOG` cannot be read.
    #[error("log filter (RUST_LOG)")]
    FilterVariable(#[from] tracing_subscriber::filter::FromEnvError),
    /// The exporter cannot be made.
    #[error("OTEL_EXPORTER_OTLP_ENDPOINT {endpoint:?}: {cause}")]
    Exporter {
        /// The endpoint.
        endpoint: String,
        /// What went wrong.
        cause: ExporterBuildError,
    },
}

/// Makes the dispatcher of one service. With an exporter it must be called within the Tokio
/// runtime that will run for as long as spans are to be sent.
///
/// # Errors
///
/// [`TelemetryError`] where the log filter or the exporter's endpoint is wrong.
pub fn subscriber(config: &Config) -> Result<(Dispatch, Guard), TelemetryError> {
    let provider = trace::provider(config)?;
    let (lines, registered) = log::Lines::new(config);
    let filter = log_filter(config, provider.is_some())?;
    let dispatch = match &provider {
        // The filter stands before everything, so that what it stops costs nothing.
        None => Dispatch::new(
            tracing_subscriber::registry()
                .with(filter)
                .with(log_layer(lines)),
        ),
        Some(provider) => {
            let spans = tracing_opentelemetry::layer()
                .with_tracer(provider.tracer("skyway"))
                .with_location(false)
                .with_threads(false)
                .with_target(false)
                .with_level(false)
                .with_tracked_inactivity(false)
                .with_context_activation(false)
                .with_filter(Targets::new().with_target(SPAN_TARGET, LevelFilter::INFO));
            let log = log_layer(lines).with_filter(filter);
            Dispatch::new(tracing_subscriber::registry().with(log).with(spans))
        }
    };
    // Log lines find the trace that they belong to through the dispatcher that they are part of.
    let _ = registered.set(dispatch.downgrade());
    Ok((dispatch, Guard::new(provider)))
}

fn log_layer<S>(lines: log::Lines) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    // One write per line: lines of several threads do not mix.
    tracing_subscriber::fmt::layer()
        .with_ansi(lines.is_colourful())
        .with_writer(std::io::stderr)
        .event_format(lines)
}

/// The filter of the log. It sees exported spans, for their trace ids, only where they exist.
fn log_filter(config: &Config, traced: bool) -> Result<EnvFilter, TelemetryError> {
    let builder = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    let filter = match &config.log_filter {
        Some(text) => builder.parse(text)?,
        None => builder.from_env()?,
    };
    let level = if traced { "info" } else { "off" };
    Ok(filter.add_directive(format!("{SPAN_TARGET}={level}").parse()?))
}
