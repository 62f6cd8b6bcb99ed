//! The audit: what the store has found, as the contract has it.

use contracts::operations::v1::{
    AuditCheck, AuditReport, RunAuditRequest, audit_service_server::AuditService,
};
use tonic::{Request, Response, Status};

use super::{Grpc, store_failed};
use crate::store::Check;

#[tonic::async_trait]
impl AuditService for Grpc {
    async fn run_audit(
        &self,
        _: Request<RunAuditRequest>,
    ) -> Result<Response<AuditReport>, Status> {
        let checks = self.0.store.audit().await;
        let checks = checks.map_err(|error| store_failed(&error))?;
        Ok(Response::new(AuditReport {
            service: "identity".to_owned(),
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
