//! Gives back the seats of holds whose time is over.

use std::sync::Arc;

use durable::cron::{Done, JobError};

use crate::domain::ports::{Store, StoreError};

/// Ends what is to be ended now.
pub(super) async fn run(store: Arc<impl Store>, clock: fn() -> i64) -> Done {
    let expired = sweep(store.as_ref(), clock()).await;
    let expired = expired.map_err(JobError::new)?;
    if expired == 0 {
        return Ok(String::new());
    }
    metrics::counter!("booking_holds_expired_total").increment(expired);
    Ok(format!("{expired} holds expired"))
}

async fn sweep(store: &impl Store, now: i64) -> Result<u64, StoreError> {
    let mut all = 0;
    loop {
        let (expired, more) = store.expire(now).await?;
        all += expired;
        if !more {
            return Ok(all);
        }
    }
}
