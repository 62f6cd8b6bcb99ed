//! Plain HTTP on the same port: `/livez`, `/readyz` and `/metrics`, for orchestrators and Prometheus.

use axum::{
    Router,
    extract::Request,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use tonic::Status;

use super::drain::{Readiness, State};
use crate::telemetry;

/// The routes, and the answer to whatever is not one.
pub(super) fn router(readiness: Readiness) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(async move || readyz(readiness.state())))
        .route("/metrics", get(metrics))
        .fallback(unknown)
}

fn readyz(state: State) -> Response {
    match state {
        State::Ready => "ready\n".into_response(),
        State::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting\n").into_response(),
        State::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response(),
    }
}

async fn metrics() -> impl IntoResponse {
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        telemetry::metrics().render(),
    )
}

/// A gRPC client wants a status, a browser a 404.
async fn unknown(request: Request) -> Response {
    let is_grpc = |value: &HeaderValue| value.as_bytes().starts_with(b"application/grpc");
    if request.headers().get(CONTENT_TYPE).is_some_and(is_grpc) {
        let service = request
            .uri()
            .path()
            .trim_start_matches('/')
            .split('/')
            .next()
            .unwrap_or_default();
        return Status::unimplemented(format!("this server has no service {service:?}"))
            .into_http();
    }
    (StatusCode::NOT_FOUND, "not found\n").into_response()
}
