//! The server span of a request, by OpenTelemetry's semantic conventions for HTTP.
//!
//! Spans have the target of all of Skyway's spans, which is off unless traces are exported; then
//! this module costs nothing, and the client's trace context is only passed on.

use http::{Request, StatusCode};
use mesh::telemetry::{SPAN_TARGET, propagate};
use tracing::Span;
use tracing::field::Empty;

use crate::connections::Client;

/// Opens the span, as a child of the client's where the request names one.
pub(crate) fn server_span<B>(
    request: &Request<B>,
    template: Option<&'static str>,
    client: Option<&Client>,
) -> Span {
    let span = tracing::info_span!(
        target: SPAN_TARGET,
        "request",
        otel.name = Empty,
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = request.method().as_str(),
        http.route = template,
        http.response.status_code = Empty,
        url.path = request.uri().path(),
        url.scheme = "http",
        client.address = Empty,
        user_agent.original = Empty,
    );
    if span.is_disabled() {
        return span;
    }
    propagate::adopt(&span, request.headers());
    let name = [request.method().as_str(), template.unwrap_or_default()].join(" ");
    span.record("otel.name", name.trim_end());
    if let Some(client) = client {
        span.record(
            "client.address",
            tracing::field::display(client.address.ip()),
        );
    }
    let user_agent = request
        .headers()
        .get(http::header::USER_AGENT)
        .and_then(|value| value.to_str().ok());
    if let Some(user_agent) = user_agent {
        span.record("user_agent.original", user_agent);
    }
    span
}

/// Notes how the request was answered. A client's fault is no error of ours.
pub(crate) fn answered(span: &Span, status: StatusCode) {
    if span.is_disabled() {
        return;
    }
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
}
