//! What is wrong with a request, field by field, and how that becomes a gRPC status.

use std::fmt;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

/// Domain of every `google.rpc.ErrorInfo` of Skyway.
pub const DOMAIN: &str = "skyway";

/// One field that is not as the contract wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field in names of the contract, for example `legs[0].flight_id`; empty for the
    /// message as a whole.
    pub field: String,
    /// What would be right, for example `must be between 1 and 9`.
    pub description: String,
}

/// A message that breaks its contract: all that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Invalid {
    /// At least one violation.
    pub violations: Vec<Violation>,
}

impl Invalid {
    /// One violation.
    #[must_use]
    pub fn one(field: impl Into<String>, description: impl Into<String>) -> Self {
        let violation = Violation {
            field: field.into(),
            description: description.into(),
        };
        Self {
            violations: vec![violation],
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Violation { field, description }) in self.violations.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            if !field.is_empty() {
                write!(f, "{field}: ")?;
            }
            f.write_str(description)?;
        }
        Ok(())
    }
}

impl From<Invalid> for Status {
    fn from(invalid: Invalid) -> Self {
        let message = invalid.to_string();
        let violations = invalid.violations.into_iter();
        let violations = violations.map(|v| FieldViolation::new(v.field, v.description));
        let mut details = ErrorDetails::new();
        details.set_error_info("INVALID_ARGUMENT", DOMAIN, []);
        details.set_bad_request(violations.collect::<Vec<_>>());
        Self::with_error_details(Code::InvalidArgument, message, details)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_carries_every_violation_and_a_reason() {
        let mut invalid = Invalid::one("origin", "must match ^[A-Za-z]{3}$");
        invalid.violations.push(Violation {
            field: String::new(),
            description: "must be an object".to_owned(),
        });
        let status = Status::from(invalid);
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(
            status.message(),
            "origin: must match ^[A-Za-z]{3}$; must be an object"
        );
        let details = status.get_error_details();
        let info = details.error_info().expect("has a reason");
        assert_eq!(
            (info.reason.as_str(), info.domain.as_str()),
            ("INVALID_ARGUMENT", "skyway")
        );
        let fields = &details
            .bad_request()
            .expect("has violations")
            .field_violations;
        assert_eq!(fields[0].field, "origin");
        assert_eq!(fields[1].description, "must be an object");
    }
}
