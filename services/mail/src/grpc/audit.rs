//! Checks the promises of mailing against its data, for whoever asks and for the metrics.

use std::sync::Arc;

use contracts::operations::v1::{AuditReport, RunAuditRequest, audit_service_server::AuditService};
use mesh::audit;
use tonic::{Request, Response, Status};

use super::{convert, error};
use crate::domain::{error::StoreError, ports::Mails};

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
    pub(crate) async fn run(&self) -> Result<AuditReport, StoreError> {
        let checks = self.mails.audit((self.clock)()).await?;
        let checks = checks.into_iter().map(convert::check);
        Ok(audit::report("mail", checks))
    }
}

#[tonic::async_trait]
impl<M: Mails> AuditService for Audit<M> {
    async fn run_audit(
        &self,
        _: Request<RunAuditRequest>,
    ) -> Result<Response<AuditReport>, Status> {
        let report = self.run().await.map_err(error::store)?;
        Ok(Response::new(report))
    }
}
