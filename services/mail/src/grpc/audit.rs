//! Checks the promises of mailing against its data, for whoever asks and for the metrics.

use std::sync::Arc;

use contracts::operations::v1::{AuditReport, RunAuditRequest, audit_service_server::AuditService};
use tonic::{Request, Response, Status};

use super::{convert, error};
use crate::domain::{audit::Check, error::StoreError, ports::Mails};

const SERVICE: &str = "mail";

/// Serves [`AuditService`].
pub(crate) struct Audit<M> {
    pub(crate) mails: Arc<M>,
    /// Unix milliseconds.
    pub(crate) clock: fn() -> i64,
}

/// Of the same store.
impl<M> Clone for Audit<M> {
    fn clone(&self) -> Self {
        Self {
            mails: Arc::clone(&self.mails),
            clock: self.clock,
        }
    }
}

impl<M: Mails> Audit<M> {
    /// Checks every promise now, and lets the metrics tell of it.
    pub(crate) async fn run(&self) -> Result<Vec<Check>, StoreError> {
        let checks = self.mails.audit((self.clock)()).await?;
        checks.iter().for_each(publish);
        Ok(checks)
    }
}

#[tonic::async_trait]
impl<M: Mails> AuditService for Audit<M> {
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
