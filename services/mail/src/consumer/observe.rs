//! What the consumer tells of itself: spans by OpenTelemetry's conventions for messaging, and metrics.

use std::{convert::Infallible, time::Duration};

use durable::queue::{Delivery, Queue, record_depth};
use http::{HeaderMap, HeaderValue};
use mesh::telemetry::{
    SPAN_TARGET,
    propagate::{TraceParent, adopt},
};
use tracing::{Span, field::Empty};

/// Name of the queue, as operators know it.
const DESTINATION: &str = "skyway:mail";

/// Between two looks at the whole queue.
const EVERY: Duration = Duration::from_secs(5);

/// Measures how full the queue is, without end.
pub(super) async fn watch(queue: &impl Queue, clock: fn() -> i64) -> Infallible {
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        // Where it is away, the gauges keep what they were; taking from it tells the log.
        if let Ok(depth) = queue.depth().await {
            record_depth(crate::TOPIC, &depth, clock());
        }
    }
}

/// The span of a mail from being taken to being finished. It continues the trace of what caused the mail.
pub(super) fn process(delivery: &Delivery, system: &'static str) -> Span {
    let span = tracing::info_span!(
        target: SPAN_TARGET,
        parent: None,
        "process",
        otel.kind = "consumer",
        otel.name = "process skyway:mail",
        otel.status_code = Empty,
        messaging.system = system,
        messaging.destination.name = DESTINATION,
        messaging.operation.name = "process",
        messaging.operation.type = "process",
        messaging.message.id = delivery.id,
        messaging.message.body.size = delivery.payload.len(),
        messaging.skyway.attempt = delivery.attempt,
        messaging.skyway.outcome = Empty,
    );
    adopt(&span, &headers(delivery));
    span
}

/// The span of handing a mail to the mail server, below the present one.
pub(super) fn smtp((address, port): &(String, u16)) -> Span {
    tracing::info_span!(
        target: SPAN_TARGET,
        "smtp",
        otel.kind = "client",
        otel.name = "smtp send",
        otel.status_code = Empty,
        network.protocol.name = "smtp",
        server.address = address.as_str(),
        server.port = port,
        smtp.response = Empty,
    )
}

/// Trace id of what caused the mail.
pub(super) fn trace_id(delivery: &Delivery) -> Option<String> {
    let parent = TraceParent::read(&headers(delivery))?;
    Some(parent.trace_id().to_owned())
}

/// Counts what became of mails.
pub(super) fn outcome(name: &'static str, mails: usize) {
    metrics::counter!("mail_outcomes_total", "outcome" => name).increment(mails as u64);
}

fn headers(delivery: &Delivery) -> HeaderMap {
    let parent = delivery.trace_parent.as_deref();
    let value = parent.and_then(|parent| HeaderValue::from_str(parent).ok());
    value
        .map(|value| (http::HeaderName::from_static("traceparent"), value))
        .into_iter()
        .collect()
}
