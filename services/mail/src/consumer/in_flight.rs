//! What this replica has taken and not finished. The queue is told of it every now and then, so that nobody
//! else gets it.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use durable::queue::{Delivery, Queue};

/// Between two reminders; the queue waits for three of them.
const EVERY: Duration = Duration::from_secs(10);

/// Deliveries by their receipts.
#[derive(Clone, Debug, Default)]
pub(super) struct InFlight(Arc<Mutex<HashMap<String, Delivery>>>);

impl InFlight {
    /// Adds one, until the guard is dropped.
    pub(super) fn add(&self, delivery: &Delivery) -> Guard {
        let mut deliveries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        deliveries.insert(delivery.receipt.clone(), delivery.clone());
        metrics::gauge!("mail_in_flight").increment(1);
        Guard {
            all: self.clone(),
            receipt: delivery.receipt.clone(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Tells the queue of them, without end.
    pub(super) async fn keep(&self, queue: &impl Queue, consumer: &str) -> Infallible {
        let mut ticks = tokio::time::interval(EVERY);
        loop {
            ticks.tick().await;
            let kept: Vec<_> = {
                let deliveries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                deliveries.values().cloned().collect()
            };
            if kept.is_empty() {
                continue;
            }
            // Where it fails three times, others get them, and the sent-log keeps them from sending twice.
            if let Err(error) = queue.keep(consumer, &kept).await {
                tracing::warn!(
                    ?error,
                    mails = kept.len(),
                    "the queue cannot be told of mails in flight"
                );
            }
        }
    }
}

/// Takes its delivery out when dropped.
#[derive(Debug)]
pub(super) struct Guard {
    all: InFlight,
    receipt: String,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut deliveries = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        deliveries.remove(&self.receipt);
        metrics::gauge!("mail_in_flight").decrement(1);
    }
}
