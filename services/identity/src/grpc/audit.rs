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

/// Checks every promise now, and lets the metrics tell of it.
pub(crate) async fn audit(accounts: &Accounts) -> Result<AuditReport, StoreError> {
    let checks = accounts.store.audit().await?;
    let checks = checks.into_iter().map(check);
    Ok(mesh::audit::report("identity", checks))
}

#[tonic::async_trait]
impl AuditService for Grpc {
    async fn run_audit(
        &self,
        _: Request<RunAuditRequest>,
    ) -> Result<Response<AuditReport>, Status> {
        let report = audit(&self.0).await;
        Ok(Response::new(report.map_err(|error| store_failed(&error))?))
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
