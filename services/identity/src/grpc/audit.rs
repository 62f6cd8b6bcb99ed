//! The audit: what the store has found, as the contract has it, its figures also as metrics.

use contracts::operations::v1::{
    AuditCheck, AuditReport, RunAuditRequest, audit_service_server::AuditService,
};
use tonic::{Request, Response, Status};

use super::{Grpc, store_failed};
use crate::{
    accounts::Accounts,
    store::{Check, StoreError},
};

const SERVICE: &str = "identity";

/// Checks every promise now, and lets the metrics tell of it.
pub(crate) async fn audit(accounts: &Accounts) -> Result<Vec<Check>, StoreError> {
    let checks = accounts.store.audit().await?;
    for check in &checks {
        for (gauge, value) in [
            ("audit_rows", check.rows),
            ("audit_violations", check.violations),
        ] {
            #[allow(clippy::cast_precision_loss)] // a figure for people
            metrics::gauge!(gauge, "service" => SERVICE, "check" => check.name).set(value as f64);
        }
    }
    Ok(checks)
}

#[tonic::async_trait]
impl AuditService for Grpc {
    async fn run_audit(
        &self,
        _: Request<RunAuditRequest>,
    ) -> Result<Response<AuditReport>, Status> {
        let checks = audit(&self.0).await;
        let checks = checks.map_err(|error| store_failed(&error))?;
        Ok(Response::new(AuditReport {
            service: SERVICE.to_owned(),
            checks: checks.into_iter().map(check).collect(),
        }))
    }
}

fn check(check: Check) -> AuditCheck {
    AuditCheck {
        name: check.name.to_owned(),
        promise: check.promise.to_owned(),
        rows: check.rows,
        violations: check.violations,
        examples: check.examples,
    }
}
