//! Which fault an error of this service is.

use durable::queue::QueueError;
use mesh::status::{Fault, Kind};
use tonic::Status;

use crate::domain::error::StoreError;

/// There is none, or it is somebody else's: that must look the same.
pub(super) fn mail_not_found(id: &str) -> Status {
    Fault::new(Kind::NotFound, "MAIL_NOT_FOUND", format!("no mail {id}"))
        .with("mailId", id)
        .into()
}

/// There is none, or it has been put back already.
pub(super) fn dead_letter_not_found(id: &str) -> Status {
    let message = format!("no dead letter {id}");
    Fault::new(Kind::NotFound, "DEAD_LETTER_NOT_FOUND", message)
        .with("id", id)
        .into()
}

/// Logged where it happened.
#[allow(clippy::needless_pass_by_value)] // used as a function of errors
pub(super) fn store(error: StoreError) -> Status {
    Fault::new(Kind::Unavailable, "DATABASE_UNAVAILABLE", error.to_string()).into()
}

/// The cause is for the log, not for callers.
#[allow(clippy::needless_pass_by_value)] // used as a function of errors
pub(super) fn queue(error: QueueError) -> Status {
    tracing::warn!(?error, "the queue of mails does not answer");
    Fault::new(Kind::Unavailable, "QUEUE_UNAVAILABLE", error.to_string()).into()
}

#[cfg(test)]
mod tests {
    use mesh::status::reason;
    use tonic::Code;

    use super::*;

    #[test]
    fn what_is_away_is_not_described() {
        let cause = || std::io::Error::other("password of ada refused");
        for (status, expected) in [
            (
                store(StoreError::new(cause())),
                ("the mail database is unavailable", "DATABASE_UNAVAILABLE"),
            ),
            (
                queue(QueueError::new(cause())),
                ("the queue is unavailable", "QUEUE_UNAVAILABLE"),
            ),
        ] {
            assert_eq!(status.code(), Code::Unavailable);
            let said = (status.message(), reason(&status).unwrap());
            assert_eq!(said, (expected.0, expected.1.to_owned()));
        }
    }
}
