//! Faults: how an error becomes a `google.rpc.Status`.
//!
//! This is the only place where that happens, so that every error on the wire has an `ErrorInfo`
//! with a stable reason (AIP-193). A service chooses the fault in its `grpc/error.rs`.

use std::{borrow::Cow, collections::HashMap, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// `ErrorInfo.domain` of every error.
pub const DOMAIN: &str = "skyway";

/// What kind of error it is, and so what a caller can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request can never succeed.
    InvalidArgument,
    /// What it names does not exist.
    NotFound,
    /// What it would make exists.
    AlreadyExists,
    /// The system is not in the state that it needs; trying again does not help.
    FailedPrecondition,
    /// It lost a race; the whole operation can be tried again.
    Aborted,
    /// Nobody has been identified.
    Unauthenticated,
    /// Who has been identified may not.
    PermissionDenied,
    /// A limit has been reached.
    ResourceExhausted,
    /// Nobody can serve it now; trying again helps.
    Unavailable,
    /// It took longer than the caller would wait.
    DeadlineExceeded,
    /// There is no such method.
    Unimplemented,
    /// An invariant does not hold: a bug.
    Internal,
}

/// An error on its way to a caller.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Its kind.
    pub kind: Kind,
    /// Stable name for programs, in `UPPER_SNAKE_CASE`.
    pub reason: &'static str,
    /// Text for people.
    pub message: Cow<'static, str>,
    /// What the text speaks of, for programs; keys in lowerCamelCase.
    pub metadata: Vec<(&'static str, String)>,
    /// Fields that are wrong: path in proto names, and what would be right.
    pub violations: Vec<(String, String)>,
    /// When to try again, where that helps.
    pub retry_after: Option<Duration>,
}

impl Fault {
    /// A fault with a message and no details.
    #[must_use]
    pub fn new(kind: Kind, reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            reason,
            message: message.into(),
            metadata: Vec::new(),
            violations: Vec::new(),
            retry_after: None,
        }
    }

    /// Adds a fact for programs.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.metadata.push((key, value.into()));
        self
    }

    /// Adds a wrong field.
    #[must_use]
    pub fn violation(mut self, field: impl Into<String>, description: impl Into<String>) -> Self {
        self.violations.push((field.into(), description.into()));
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }
}

impl From<Fault> for Status {
    fn from(fault: Fault) -> Self {
        let metadata: HashMap<String, String> = fault
            .metadata
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        let mut details = ErrorDetails::new();
        details.set_error_info(fault.reason, DOMAIN, metadata);
        for (field, description) in fault.violations {
            details.add_bad_request_violation(field, description);
        }
        if fault.retry_after.is_some() {
            details.set_retry_info(fault.retry_after);
        }
        Status::with_error_details(fault.kind.into(), fault.message, details)
    }
}

impl From<Kind> for Code {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::InvalidArgument => Self::InvalidArgument,
            Kind::NotFound => Self::NotFound,
            Kind::AlreadyExists => Self::AlreadyExists,
            Kind::FailedPrecondition => Self::FailedPrecondition,
            Kind::Aborted => Self::Aborted,
            Kind::Unauthenticated => Self::Unauthenticated,
            Kind::PermissionDenied => Self::PermissionDenied,
            Kind::ResourceExhausted => Self::ResourceExhausted,
            Kind::Unavailable => Self::Unavailable,
            Kind::DeadlineExceeded => Self::DeadlineExceeded,
            Kind::Unimplemented => Self::Unimplemented,
            Kind::Internal => Self::Internal,
        }
    }
}

/// `ErrorInfo.reason` of a status that another service sent; none where it sent no details.
#[must_use]
pub fn reason(status: &Status) -> Option<String> {
    status.get_details_error_info().map(|info| info.reason)
}

/// When to try again according to a status that another service sent.
#[must_use]
pub fn retry_after(status: &Status) -> Option<Duration> {
    status
        .get_details_retry_info()
        .and_then(|info| info.retry_delay)
}

/// Name of a code as in `google.rpc.Code`, for logs, metrics and error bodies.
#[must_use]
pub const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// The code in a response's headers or trailers; none where it is not there yet.
pub(crate) fn code_in(headers: &http::HeaderMap) -> Option<Code> {
    headers
        .get(Status::GRPC_STATUS)
        .map(|value| Code::from_bytes(value.as_bytes()))
}

/// What whoever waits is told when its time is up.
pub(crate) fn deadline_exceeded(budget: Duration) -> Status {
    Fault::new(
        Kind::DeadlineExceeded,
        "DEADLINE_EXCEEDED",
        format!("no answer within {budget:?}"),
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_keeps_all_it_says() {
        let status: Status = Fault::new(Kind::FailedPrecondition, "SOLD_OUT", "no seats left")
            .with("flightId", "AS21-2026-12-01-JFK")
            .violation("seats", "at most 1")
            .retry_after(Duration::from_millis(1500))
            .into();
        assert_eq!(
            (status.code(), status.message()),
            (Code::FailedPrecondition, "no seats left")
        );
        let info = status.get_details_error_info().unwrap();
        assert_eq!(
            (info.reason.as_str(), info.domain.as_str()),
            ("SOLD_OUT", "skyway")
        );
        assert_eq!(info.metadata["flightId"], "AS21-2026-12-01-JFK");
        let bad = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(
            (bad[0].field.as_str(), bad[0].description.as_str()),
            ("seats", "at most 1")
        );
        assert_eq!(reason(&status).as_deref(), Some("SOLD_OUT"));
        assert_eq!(retry_after(&status), Some(Duration::from_millis(1500)));
    }

    #[test]
    fn a_plain_fault_has_a_reason_and_no_other_detail() {
        let status: Status =
            Fault::new(Kind::NotFound, "FLIGHT_NOT_FOUND", "no such flight").into();
        assert_eq!(status.get_error_details_vec().len(), 1);
        assert_eq!(reason(&Status::not_found("bare")), None);
    }
}
