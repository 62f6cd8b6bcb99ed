//! `grpc.health.v1`: what [`super::drain`] knows, for gRPC clients and load balancers.

use tonic_health::{ServingStatus, server::HealthReporter};

use super::drain::{Readiness, State};

/// Keeps the status of the server ("") and of each of its `services` up to date. Never ends.
pub(super) async fn follow(
    reporter: HealthReporter,
    services: Vec<&'static str>,
    mut readiness: Readiness,
) {
    loop {
        set(&reporter, &services, &readiness).await;
        readiness.changed().await;
    }
}

/// Sets the status once.
pub(super) async fn set(
    reporter: &HealthReporter,
    services: &[&'static str],
    readiness: &Readiness,
) {
    let status = match readiness.state() {
        State::Ready => ServingStatus::Serving,
        State::Starting | State::Draining => ServingStatus::NotServing,
    };
    for service in std::iter::once(&"").chain(services) {
        reporter.set_service_status(*service, status).await;
    }
}
