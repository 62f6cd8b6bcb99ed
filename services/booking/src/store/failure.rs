//! Why a transaction did not happen, and whether it is done again.

use durable::Transient;
use sea_orm::{DbErr, SqlErr};

use crate::domain::{error::ChangeError, ports::StoreError};

/// Why a transaction did not happen.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Database(DbErr),
    /// Somebody else has written what this one was about to; done again, it sees that.
    #[error("somebody else was faster, again and again")]
    Conflict,
    #[error(transparent)]
    Refused(ChangeError),
}

impl From<DbErr> for Failure {
    fn from(error: DbErr) -> Self {
        match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => Self::Conflict,
            _ => Self::Database(error),
        }
    }
}

impl Transient for Failure {
    fn transient(&self) -> bool {
        match self {
            Self::Database(error) => error.transient(),
            Self::Conflict => true,
            Self::Refused(_) => false,
        }
    }
}

/// This is where a failure is logged: who sees the error learns no cause.
pub(super) fn unavailable(cause: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    tracing::error!(error = ?cause, "the booking database failed");
    StoreError::new(cause)
}
