//! The trace that a piece of work belongs to, to be kept beside what it wrote and gone on with later.

use http::{HeaderMap, HeaderValue};
use mesh::telemetry::propagate::{adopt, inject};
use tracing::Span;

/// W3C `traceparent` of the current span; none where traces are off.
#[must_use]
pub fn trace_parent() -> Option<String> {
    trace_parent_of(&Span::current())
}

/// W3C `traceparent` of a span; none where it is off.
#[must_use]
pub fn trace_parent_of(span: &Span) -> Option<String> {
    let mut headers = HeaderMap::new();
    inject(span, &mut headers);
    let parent = headers.get("traceparent")?.to_str().ok()?;
    Some(parent.to_owned())
}

/// Makes `span` a child of the one that a W3C `traceparent` names. Must come before the span is entered.
pub fn continue_trace(span: &Span, trace_parent: &str) {
    if let Ok(parent) = HeaderValue::from_str(trace_parent) {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", parent);
        adopt(span, &headers);
    }
}

/// Trace id of the current span, 32 hexadecimal digits; none where traces are off.
#[must_use]
pub fn trace_id() -> Option<String> {
    trace_parent()?.get(3..35).map(str::to_owned)
}
