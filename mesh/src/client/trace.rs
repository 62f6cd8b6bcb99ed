//! The client span of a call, and the trace context that goes with the call.
//!
//! Names and attributes follow OpenTelemetry's semantic conventions for RPC.

use http::Request;
use tonic::Code;
use tracing::{Span, field::Empty};

use super::endpoint::Endpoint;
use crate::telemetry::{SPAN_TARGET, propagate};

/// Opens the span and writes its context into the request. Where spans are off, a context that
/// the caller already put there is left alone.
pub(super) fn start<B>(request: &mut Request<B>) -> Span {
    let name = request.uri().path().trim_start_matches('/');
    let (service, method) = name.split_once('/').unwrap_or((name, ""));
    let span = tracing::info_span!(
        target: SPAN_TARGET,
        "call",
        otel.kind = "client",
        otel.name = name,
        otel.status_code = Empty,
        rpc.system = "grpc",
        rpc.service = service,
        rpc.method = method,
        rpc.grpc.status_code = Empty,
        server.address = Empty,
        server.port = Empty,
    );
    propagate::inject(&span, request.headers_mut());
    span
}

/// Records which replica answers.
pub(super) fn chosen(span: &Span, endpoint: &Endpoint) {
    if !span.is_disabled() {
        span.record("server.address", endpoint.authority.host());
        span.record("server.port", endpoint.authority.port_u16());
    }
}

/// Records how the call ended.
pub(super) fn ended(span: &Span, code: Code) {
    if !span.is_disabled() {
        span.record("rpc.grpc.status_code", code as i32);
        if code != Code::Ok {
            span.record("otel.status_code", "ERROR");
        }
    }
}
