//! What the suites share: processes, clients, a trace collector, and waiting for conditions.

pub(crate) mod cluster;
pub(crate) mod http;
pub(crate) mod mesh;
pub(crate) mod otlp;
pub(crate) mod process;
pub(crate) mod terminal;
pub(crate) mod tools;
pub(crate) mod wait;

/// The day `days` from now, in UTC, which is a day that JFK has not left behind for `days` >= 1.
pub(crate) fn day(days: u64) -> String {
    (chrono::Utc::now() + chrono::Days::new(days))
        .format("%Y-%m-%d")
        .to_string()
}
