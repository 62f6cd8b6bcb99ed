//! What can go wrong between the queue and the mail server.

use super::answer::Verdict;

/// The database failed; the cause is for the log.
#[derive(Debug, thiserror::Error)]
#[error("the mail database is unavailable")]
pub struct StoreError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl StoreError {
    /// It failed for this reason.
    #[must_use]
    pub fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

/// Whoever knows the flights cannot be asked at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("search is unavailable")]
pub struct FlightsUnavailable;

/// Why a mail was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SendError {
    /// Whether trying again may help.
    pub verdict: Verdict,
    /// The SMTP code; none where there was no answer.
    pub code: Option<u16>,
    /// What the server said, or what went wrong, for people.
    pub message: String,
}

impl SendError {
    /// It can never be sent, whoever is asked.
    #[must_use]
    pub fn impossible(message: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Permanent,
            code: None,
            message: message.into(),
        }
    }

    /// It was not sent for a reason that may go away.
    #[must_use]
    pub fn passing(message: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Transient,
            code: None,
            message: message.into(),
        }
    }
}
