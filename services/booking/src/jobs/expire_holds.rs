//! Gives back the seats of holds whose time is over.

use std::{convert::Infallible, time::Duration};

use crate::domain::ports::{Store, StoreError};

/// Looks every now and then, without end. `clock` tells Unix milliseconds.
pub(crate) async fn expire_holds(
    store: &impl Store,
    every: Duration,
    clock: fn() -> i64,
) -> Infallible {
    loop {
        tokio::time::sleep(every).await;
        // A failure has been logged where it happened; what is left over is found next time.
        if let Ok(expired @ 1..) = sweep(store, clock()).await {
            metrics::counter!("booking_holds_expired_total").increment(expired);
            tracing::info!(holds = expired, "holds expired");
        }
    }
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
