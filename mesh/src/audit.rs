//! What an audit has found: told to whoever asks, and left behind as metrics.
//!
//! The contract of operations is every service's, so that its answer is made in one place.

use contracts::operations::v1::{AuditCheck, AuditReport};

/// The answer of `service` to an audit. Its figures become the gauges `audit_rows` and
/// `audit_violations`; a promise that is broken is logged as an error.
#[must_use]
pub fn report(service: &'static str, checks: impl IntoIterator<Item = AuditCheck>) -> AuditReport {
    let checks: Vec<_> = checks.into_iter().collect();
    for check in &checks {
        publish(service, check);
    }
    AuditReport {
        service: service.to_owned(),
        checks,
    }
}

/// Which promises were checked, and how often each is broken.
pub fn violations(report: &AuditReport) -> impl Iterator<Item = (&str, u64)> {
    let checks = report.checks.iter();
    checks.map(|check| (check.name.as_str(), check.violations))
}

fn publish(service: &'static str, check: &AuditCheck) {
    for (gauge, value) in [
        ("audit_rows", check.rows),
        ("audit_violations", check.violations),
    ] {
        #[allow(clippy::cast_precision_loss)] // a figure for people
        metrics::gauge!(gauge, "service" => service, "check" => check.name.clone())
            .set(value as f64);
    }
    if check.violations > 0 {
        tracing::error!(service, check = check.name, violations = check.violations, examples = ?check.examples, "a promise is broken");
    }
}
