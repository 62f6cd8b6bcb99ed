//! Forgets inventory events that every reader has long seen; one that comes later reads the tables.

use std::sync::Arc;

use durable::cron::{Done, JobError};

use crate::domain::ports::Store;

/// How long an event is kept, milliseconds.
const KEPT_MS: i64 = 60 * 60 * 1_000;

/// Forgets what is too old now.
pub(super) async fn run(store: Arc<impl Store>, clock: fn() -> i64) -> Done {
    let trimmed = store.trim_events(clock() - KEPT_MS).await;
    Ok(match trimmed.map_err(JobError::new)? {
        0 => String::new(),
        events => format!("{events} inventory events forgotten"),
    })
}
