//! Checks the promises of booking against its data, for whoever asks and for the metrics.

use std::sync::Arc;

use contracts::operations::v1::{AuditReport, RunAuditRequest, audit_service_server::AuditService};
use tonic::{Request, Response, Status};

use super::{convert, error};
use crate::domain::{
    audit::Check,
    ports::{Store, StoreError},
};

const SERVICE: &str = "booking";

/// Serves [`AuditService`].
pub(crate) struct Audit<S> {
    pub(crate) store: Arc<S>,
    /// Unix milliseconds.
    pub(crate) clock: fn() -> i64,
}

/// Of the same store.
impl<S> Clone for Audit<S> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            clock: self.clock,
        }
    }
}

impl<S: Store> Audit<S> {
    /// Checks every promise now, and lets the metrics tell of it.
    pub(crate) async fn run(&self) -> Result<Vec<Check>, StoreError> {
        let checks = self.store.audit((self.clock)()).await?;
        checks.iter().for_each(publish);
        Ok(checks)
    }
}

#[tonic::async_trait]
impl<S: Store> AuditService for Audit<S> {
    async fn run_audit(
        &self,
        _: Request<RunAuditRequest>,
    ) -> Result<Response<AuditReport>, Status> {
        let checks = self.run().await.map_err(error::store)?;
        Ok(Response::new(AuditReport {
            service: SERVICE.to_owned(),
            checks: checks.into_iter().map(convert::check).collect(),
        }))
    }
}

fn publish(check: &Check) {
    for (gauge, value) in [
        ("audit_rows", check.rows),
        ("audit_violations", check.violations),
    ] {
        #[allow(clippy::cast_precision_loss)] // a figure for people
        metrics::gauge!(gauge, "service" => SERVICE, "check" => check.name).set(value as f64);
    }
    if check.violations > 0 {
        tracing::error!(check = check.name, violations = check.violations, examples = ?check.examples, "a promise is broken");
    }
}
