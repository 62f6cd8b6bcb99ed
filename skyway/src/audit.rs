//! `skyway audit`: every service checks its own promises, and one table says how that went.

use std::fmt::Write;

use anyhow::Context;
use contracts::operations::v1::audit_service_client::AuditServiceClient;
use contracts::operations::v1::{AUDIT_SERVICE, AuditReport, RunAuditRequest};
use mesh::client::{self, Channel};
use serde_json::{Value, json};

use crate::cli::Audit;
use crate::config::{Config, Service};
use crate::table::{Align, Table};
use crate::{process, wire};

/// The services that keep promises about data of their own. Search has none: it can be made anew.
const AUDITED: [Service; 4] = [
    Service::Booking,
    Service::Orchestration,
    Service::Mail,
    Service::Identity,
];

/// Has every service audit itself, and prints what they found.
///
/// # Errors
/// A promise is broken, or a service does not answer.
pub(crate) fn audit(audit: &Audit, config: &Config) -> anyhow::Result<()> {
    let reports = process::single_threaded()?.block_on(async {
        let mut reports = vec![];
        for service in AUDITED {
            reports.push(run(service, config).await?);
        }
        anyhow::Ok(reports)
    })?;
    if audit.json {
        println!("{:#}", json(&reports));
    } else {
        print!("{}", table(&reports));
    }
    verdict(&reports)
}

/// The report of one service, from any of its replicas: they share its data.
async fn run(service: Service, config: &Config) -> anyhow::Result<AuditReport> {
    let endpoints = config.endpoints(service).clone();
    let signer = wire::operator_auth(config)?.signer("audit");
    let channel = Channel::connect(
        &AUDIT_SERVICE,
        client::Config::new(endpoints).signed(signer),
    );
    let answer = AuditServiceClient::new(channel)
        .run_audit(RunAuditRequest {})
        .await;
    let answer = answer.map_err(|status| anyhow::anyhow!("{}", status.message().to_owned()));
    let answer = answer.with_context(|| format!("{} cannot be audited", service.name()))?;
    Ok(answer.into_inner())
}

fn table(reports: &[AuditReport]) -> String {
    let mut table = Table::new([
        ("SERVICE", Align::Left),
        ("CHECK", Align::Left),
        ("ROWS", Align::Right),
        ("VIOLATIONS", Align::Right),
        ("EXAMPLES", Align::Left),
    ]);
    for report in reports {
        for check in &report.checks {
            table.row([
                report.service.clone(),
                check.name.clone(),
                check.rows.to_string(),
                check.violations.to_string(),
                check.examples.join(" "),
            ]);
        }
    }
    let checks = || reports.iter().flat_map(|report| &report.checks);
    let rows: u64 = checks().map(|check| check.rows).sum();
    let mut text = table.text();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "\n{} checks of {} services over {rows} rows",
        checks().count(),
        reports.len()
    );
    text
}

/// As the contract's JSON, but for numbers of rows, which are numbers.
fn json(reports: &[AuditReport]) -> Value {
    let report = |report: &AuditReport| {
        let checks = report.checks.iter().map(|check| {
            json!({
                "name": check.name,
                "promise": check.promise,
                "rows": check.rows,
                "violations": check.violations,
                "examples": check.examples,
            })
        });
        json!({"service": report.service, "checks": checks.collect::<Vec<_>>()})
    };
    json!({"reports": reports.iter().map(report).collect::<Vec<_>>()})
}

/// Fails where a promise is broken, or where nobody has checked any.
fn verdict(reports: &[AuditReport]) -> anyhow::Result<()> {
    let mut broken = vec![];
    for report in reports {
        let service = &report.service;
        anyhow::ensure!(!report.checks.is_empty(), "{service} checks nothing");
        let checks = report.checks.iter().filter(|check| check.violations > 0);
        broken.extend(checks.map(|check| format!("{service} {}", check.name)));
    }
    anyhow::ensure!(broken.is_empty(), "broken: {}", broken.join(", "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use contracts::operations::v1::AuditCheck;

    use super::*;

    fn report(violations: u64) -> AuditReport {
        let check = AuditCheck {
            name: "never-oversold".to_owned(),
            promise: "No flight is sold beyond its seats.".to_owned(),
            rows: 12,
            violations,
            examples: vec!["AS21".to_owned(); usize::try_from(violations).unwrap()],
        };
        AuditReport {
            service: "booking".to_owned(),
            checks: vec![check],
        }
    }

    #[test]
    fn a_broken_promise_is_a_failure_that_names_it() {
        assert!(verdict(&[report(0)]).is_ok());
        let error = verdict(&[report(0), report(2)]).unwrap_err().to_string();
        assert_eq!(error, "broken: booking never-oversold");
        let idle = AuditReport {
            service: "identity".to_owned(),
            checks: vec![],
        };
        let error = verdict(&[idle]).unwrap_err().to_string();
        assert_eq!(error, "identity checks nothing");
    }

    #[test]
    fn every_check_has_a_line() {
        assert_eq!(
            table(&[report(2)]),
            "SERVICE  CHECK           ROWS  VIOLATIONS  EXAMPLES\n\
             booking  never-oversold    12           2  AS21 AS21\n\n\
             1 checks of 1 services over 12 rows\n"
        );
        assert_eq!(
            json(&[report(1)])["reports"][0]["checks"][0]["violations"],
            1
        );
    }
}
