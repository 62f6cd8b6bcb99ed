//! W3C trace context (`traceparent`, `tracestate`) in and out of headers.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context,
    propagation::{Extractor, Injector, TextMapPropagator},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACE_STATE: HeaderName = HeaderName::from_static("tracestate");

/// Makes `span` a child of the span that `headers` name. Must come before the span is entered.
pub fn adopt(span: &Span, headers: &HeaderMap) {
    if span.is_disabled() || !headers.contains_key(TRACE_PARENT) {
        return;
    }
    let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &In(headers));
    // It fails only for a span that is off or entered: then there is nothing to continue.
    let _ = span.set_parent(parent);
}

/// Makes `span` a child of `parent` in the exported trace alone. As `tracing` has it, a span keeps
/// its parent open, and gives it up only on threads of the same subscriber: one that may end on a
/// thread of a library, as `SQLite`'s, must have none.
pub fn detach(span: &Span, parent: &Span) {
    if !span.is_disabled() {
        let _ = span.set_parent(parent.context());
    }
}

/// Writes the context of `span` into `headers`. Where spans are off, headers stay as they are, so
/// that a context that came with the request passes through.
pub fn inject(span: &Span, headers: &mut HeaderMap) {
    if !span.is_disabled() {
        TraceContextPropagator::new().inject_context(&span.context(), &mut Out(headers));
    }
}

/// A trace context as it came, for a service that records no spans but passes them on.
#[derive(Clone, Debug)]
pub struct TraceParent {
    parent: HeaderValue,
    state: Option<HeaderValue>,
}

impl TraceParent {
    /// The context in `headers`; none where there is none or it is not well-formed.
    #[must_use]
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        let parent = headers
            .get(TRACE_PARENT)
            .filter(|parent| is_well_formed(parent.as_bytes()))?;
        Some(Self {
            parent: parent.clone(),
            state: headers.get(TRACE_STATE).cloned(),
        })
    }

    /// Passes the context on.
    pub fn write(&self, headers: &mut HeaderMap) {
        headers.insert(TRACE_PARENT, self.parent.clone());
        if let Some(state) = &self.state {
            headers.insert(TRACE_STATE, state.clone());
        }
    }

    /// Its trace id, 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        self.parent
            .to_str()
            .ok()
            .and_then(|parent| parent.get(3..35))
            .unwrap_or_default()
    }
}

/// `00-<32 hex>-<16 hex>-<2 hex>`, the ids not all zero; later versions may have more behind it.
fn is_well_formed(parent: &[u8]) -> bool {
    let hex = |range: std::ops::Range<usize>| {
        let digits = &parent[range];
        digits
            .iter()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte))
    };
    let zero = |range: std::ops::Range<usize>| parent[range].iter().all(|byte| *byte == b'0');
    parent.len() >= 55
        && (parent.len() == 55 || &parent[..2] != b"00")
        && [2, 35, 52].iter().all(|dash| parent[*dash] == b'-')
        && hex(0..2)
        && hex(3..35)
        && hex(36..52)
        && hex(53..55)
        && &parent[..2] != b"ff"
        && !zero(3..35)
        && !zero(36..52)
}

struct In<'a>(&'a HeaderMap);

impl Extractor for In<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

struct Out<'a>(&'a mut HeaderMap);

impl Injector for Out<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (key.parse::<HeaderName>(), HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn passes_on_what_is_well_formed() {
        let mut from = HeaderMap::new();
        from.insert(TRACE_PARENT, HeaderValue::from_static(PARENT));
        from.insert(TRACE_STATE, HeaderValue::from_static("vendor=1"));
        let context = TraceParent::read(&from).unwrap();
        assert_eq!(context.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        let mut to = HeaderMap::new();
        context.write(&mut to);
        assert_eq!(to, from);
    }

    #[test]
    fn drops_what_is_not() {
        for parent in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            let headers = HeaderMap::from_iter([(TRACE_PARENT, HeaderValue::from_static(parent))]);
            assert!(TraceParent::read(&headers).is_none(), "{parent:?}");
        }
    }

    #[test]
    fn without_spans_nothing_is_written_over() {
        let mut headers = HeaderMap::from_iter([(TRACE_PARENT, HeaderValue::from_static(PARENT))]);
        inject(&Span::none(), &mut headers);
        assert_eq!(headers[TRACE_PARENT], PARENT);
    }
}
