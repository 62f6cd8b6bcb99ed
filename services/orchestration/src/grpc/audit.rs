//! The audit as its contract has it, its figures also as metrics.

use std::sync::Arc;

use contracts::operations::v1::{AuditReport, RunAuditRequest, audit_service_server::AuditService};
use tonic::{Request, Response, Status};

use super::{State, convert};
use crate::domain::audit::{AuditError, Check};

/// Name of the service in its reports.
const SERVICE: &str = "orchestration";

/// Serves [`AuditService`].
#[derive(Clone)]
pub(crate) struct Audit(pub(crate) Arc<State>);

impl Audit {
    /// Checks every promise now, and lets the metrics tell of it.
    pub(crate) async fn run(&self) -> Result<Vec<Check>, AuditError> {
        let checks = self.0.trips.audit(&self.0.store).await?;
        checks.iter().for_each(measure);
        Ok(checks)
    }
}

#[tonic::async_trait]
impl AuditService for Audit {
    async fn run_audit(
        &self,
        _: Request<RunAuditRequest>,
    ) -> Result<Response<AuditReport>, Status> {
        let checks = self.run().await?;
        Ok(Response::new(convert::report(SERVICE, checks)))
    }
}

fn measure(check: &Check) {
    let figure = |rows: u64| f64::from(u32::try_from(rows).unwrap_or(u32::MAX));
    metrics::gauge!("audit_rows", "service" => SERVICE, "check" => check.name)
        .set(figure(check.rows));
    metrics::gauge!("audit_violations", "service" => SERVICE, "check" => check.name)
        .set(figure(check.violations));
}
