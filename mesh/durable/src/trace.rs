//! The trace that a piece of work belongs to, to be kept beside what it wrote.

use mesh::telemetry::propagate::inject;
use tracing::Span;

/// W3C `traceparent` of the current span; none where traces are off.
#[must_use]
pub fn trace_parent() -> Option<String> {
    let mut headers = http::HeaderMap::new();
    inject(&Span::current(), &mut headers);
    let parent = headers.get("traceparent")?.to_str().ok()?;
    Some(parent.to_owned())
}

/// Trace id of the current span, 32 hexadecimal digits; none where traces are off.
#[must_use]
pub fn trace_id() -> Option<String> {
    trace_parent()?.get(3..35).map(str::to_owned)
}
