//! The audit as its contract has it, its figures also as metrics.

use std::sync::Arc;

use contracts::operations::v1::{AuditReport, RunAuditRequest, audit_service_server::AuditService};
use mesh::audit;
use tonic::{Request, Response, Status};

use super::{State, convert};
use crate::domain::audit::AuditError;

/// Serves [`AuditService`].
#[derive(Clone)]
pub(crate) struct Audit(pub(crate) Arc<State>);

impl Audit {
    /// Checks every promise now, and lets the metrics tell of it.
    pub(crate) async fn run(&self) -> Result<AuditReport, AuditError> {
        let checks = self.0.trips.audit(&self.0.store).await?;
        let checks = checks.into_iter().map(convert::check);
        Ok(audit::report("orchestration", checks))
    }
}

#[tonic::async_trait]
impl AuditService for Audit {
    async fn run_audit(
        &self,
        _: Request<RunAuditRequest>,
    ) -> Result<Response<AuditReport>, Status> {
        Ok(Response::new(self.run().await?))
    }
}
