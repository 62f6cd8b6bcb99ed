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

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn a_report_leaves_its_figures_behind() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let told = recorder.handle();
        let check = AuditCheck {
            name: "never-oversold".to_owned(),
            promise: "no seat is sold twice".to_owned(),
            rows: 7,
            violations: 2,
            examples: vec!["a".to_owned()],
        };
        let report = metrics::with_local_recorder(&recorder, || report("booking", [check.clone()]));
        assert_eq!(report.service, "booking");
        assert_eq!(report.checks, [check]);
        let told = told.render();
        for figure in [
            "audit_rows{service=\"booking\",check=\"never-oversold\"} 7",
            "audit_violations{service=\"booking\",check=\"never-oversold\"} 2",
        ] {
            assert!(told.contains(figure), "{told}");
        }
    }
}
