//! Checks the promises of booking against its data, for whoever asks and for the metrics.

use std::sync::Arc;

use contracts::operations::v1::{AuditReport, RunAuditRequest, audit_service_server::AuditService};
use mesh::audit;
use tonic::{Request, Response, Status};

use super::{convert, error};
use crate::domain::ports::{Store, StoreError};

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
    pub(crate) async fn run(&self) -> Result<AuditReport, StoreError> {
        let checks = self.store.audit((self.clock)()).await?;
        let checks = checks.into_iter().map(convert::check);
        Ok(audit::report("booking", checks))
    }
}

#[tonic::async_trait]
impl<S: Store> AuditService for Audit<S> {
    async fn run_audit(
        &self,
        _: Request<RunAuditRequest>,
    ) -> Result<Response<AuditReport>, Status> {
        let report = self.run().await.map_err(error::store)?;
        Ok(Response::new(report))
    }
}
