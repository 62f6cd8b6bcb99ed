//! Which fault an error of this service is.

use mesh::status::{Fault, Kind};
use tonic::Status;

use crate::{accounts::AccountError, store::StoreError};

impl From<AccountError> for Status {
    fn from(error: AccountError) -> Self {
        let fault = match error {
            AccountError::RateLimited(wait) => {
                let message = "too many attempts; wait before the next one";
                Fault::new(Kind::ResourceExhausted, "RATE_LIMITED", message).retry_after(wait)
            }
            AccountError::WrongCredentials => Fault::new(
                Kind::Unauthenticated,
                "WRONG_CREDENTIALS",
                "the address or the password is wrong",
            ),
            AccountError::RefreshTokenInvalid => Fault::new(
                Kind::Unauthenticated,
                "REFRESH_TOKEN_INVALID",
                "the refresh token is not good any more; sign in again",
            ),
            AccountError::NoUser => Fault::new(
                Kind::Unauthenticated,
                "TOKEN_INVALID",
                "the user of this access token does not exist any more",
            ),
            AccountError::Store(error) => return store_failed(&error),
            error @ (AccountError::Sign(_) | AccountError::Hasher(_) | AccountError::Random(_)) => {
                tracing::error!(%error, "identity failed");
                Fault::new(Kind::Internal, "INTERNAL", "identity failed")
            }
        };
        fault.into()
    }
}

/// The database's trouble is for the log, not for the caller.
pub(crate) fn store_failed(error: &StoreError) -> Status {
    tracing::error!(?error, "the identity database failed");
    let message = "the database of identity does not answer";
    Fault::new(Kind::Unavailable, "DATABASE_UNAVAILABLE", message).into()
}
