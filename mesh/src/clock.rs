//! The time of day, read at the edges and passed inwards.

use std::time::{Duration, SystemTime};

/// Seconds since the Unix epoch.
#[must_use]
pub fn seconds() -> i64 {
    i64::try_from(since_epoch().as_secs()).unwrap_or(i64::MAX)
}

/// Milliseconds since the Unix epoch.
#[must_use]
pub fn milliseconds() -> i64 {
    i64::try_from(since_epoch().as_millis()).unwrap_or(i64::MAX)
}

/// Time since the Unix epoch. A clock that stands before it reads as the epoch.
#[must_use]
pub fn since_epoch() -> Duration {
    SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()
}
