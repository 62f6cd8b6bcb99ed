//! The server span of a call, continuing the caller's trace.
//!
//! Names and attributes follow OpenTelemetry's semantic conventions for RPC.

use contracts::rt::route::Method;
use http::HeaderMap;
use tonic::Code;
use tracing::{Span, field::Empty};

use crate::{
    status::code_name,
    telemetry::{SPAN_TARGET, propagate},
};

/// Opens the span as a child of the one that the headers name.
pub(super) fn start(method: &Method, headers: &HeaderMap) -> Span {
    let span = tracing::info_span!(
        target: SPAN_TARGET,
        "serve",
        otel.kind = "server",
        otel.name = method.path.trim_start_matches('/'),
        otel.status_code = Empty,
        rpc.system = "grpc",
        rpc.service = method.service,
        rpc.method = method.name,
        rpc.grpc.status_code = Empty,
    );
    propagate::adopt(&span, headers);
    span
}

/// Records how the call ended.
pub(super) fn ended(span: &Span, method: &Method, code: Code, seconds: f64) {
    if !span.is_disabled() {
        span.record("rpc.grpc.status_code", code as i32);
        if is_our_fault(code) {
            span.record("otel.status_code", "ERROR");
        }
    }
    tracing::debug!(parent: span, method = method.name, code = code_name(code), duration_ms = seconds * 1e3, "served");
}

/// The conventions count these as errors of a server; the others are answers.
fn is_our_fault(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}
