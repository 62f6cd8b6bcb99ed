//! Forgets inventory events that every reader has long seen; one that comes later reads the tables.

use std::{convert::Infallible, time::Duration};

use crate::domain::ports::Store;

/// Between two looks.
const EVERY: Duration = Duration::from_mins(1);
/// How long an event is kept, milliseconds.
const KEPT_MS: i64 = 60 * 60 * 1_000;

/// Trims every now and then, without end. `clock` tells Unix milliseconds.
pub(crate) async fn trim_outbox(store: &impl Store, clock: fn() -> i64) -> Infallible {
    loop {
        tokio::time::sleep(EVERY).await;
        // A failure has been logged where it happened.
        if let Ok(trimmed @ 1..) = store.trim_events(clock() - KEPT_MS).await {
            tracing::debug!(events = trimmed, "inventory events forgotten");
        }
    }
}
