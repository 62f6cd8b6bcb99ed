//! Which fault an error of this service is.

use contracts::rt::violation::{Invalid, Violation};
use mesh::status::{Fault, Kind};
use tonic::Status;

/// No dated flight has that name.
pub(super) fn not_found(id: &str) -> Status {
    Fault::new(
        Kind::NotFound,
        "FLIGHT_NOT_FOUND",
        format!("no flight {id}"),
    )
    .with("flightId", id)
    .into()
}

/// The stream ends because the replica does; another one carries on.
pub(super) fn shutting_down() -> Status {
    Fault::new(
        Kind::Unavailable,
        "SHUTTING_DOWN",
        "this replica is shutting down",
    )
    .into()
}

/// What is wrong with a request, field by field.
#[derive(Default)]
pub(super) struct Violations(Vec<Violation>);

impl Violations {
    /// Says what is wrong with a field.
    pub(super) fn add(&mut self, field: &str, description: impl Into<String>) {
        self.0.push(Violation {
            field: field.to_owned(),
            description: description.into(),
        });
    }

    /// The value, where nothing was wrong.
    pub(super) fn check<T>(self, value: Option<T>) -> Result<T, Status> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(Invalid { violations: self.0 }.into()),
        }
    }
}
