//! Tells those who wait for a trip on this replica what has become of it.
//!
//! Other replicas change trips too and are not heard of here, so whoever waits also looks into the
//! database now and then; this only makes the common case quick.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::watch;

use crate::domain::trip::Trip;

type Senders = Mutex<HashMap<String, watch::Sender<Option<Arc<Trip>>>>>;

/// Who waits for what.
#[derive(Debug, Default)]
pub(crate) struct Changes(Arc<Senders>);

/// Hears of one trip for as long as it lives.
#[derive(Debug)]
pub(crate) struct Subscription {
    trip_id: String,
    receiver: watch::Receiver<Option<Arc<Trip>>>,
    senders: Arc<Senders>,
}

impl Changes {
    /// Begins to listen; what has been said before is not heard.
    pub(crate) fn subscribe(&self, trip_id: &str) -> Subscription {
        let mut senders = lock(&self.0);
        let sender = senders
            .entry(trip_id.to_owned())
            .or_insert_with(|| watch::Sender::new(None));
        let mut receiver = sender.subscribe();
        receiver.mark_unchanged();
        Subscription {
            trip_id: trip_id.to_owned(),
            receiver,
            senders: Arc::clone(&self.0),
        }
    }

    /// Tells all who listen.
    pub(crate) fn publish(&self, trip: &Trip) {
        if let Some(sender) = lock(&self.0).get(&trip.id) {
            sender.send_replace(Some(Arc::new(trip.clone())));
        }
    }
}

impl Subscription {
    /// Waits for the next change. Changes that follow each other quickly are heard as one.
    pub(crate) async fn changed(&mut self) -> Arc<Trip> {
        loop {
            // The sender stays as long as anyone listens.
            if self.receiver.changed().await.is_err() {
                return std::future::pending().await;
            }
            if let Some(trip) = self.receiver.borrow_and_update().clone() {
                return trip;
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut senders = lock(&self.senders);
        // Its own receiver is still counted.
        if senders
            .get(&self.trip_id)
            .is_some_and(|sender| sender.receiver_count() <= 1)
        {
            senders.remove(&self.trip_id);
        }
    }
}

fn lock(
    senders: &Senders,
) -> std::sync::MutexGuard<'_, HashMap<String, watch::Sender<Option<Arc<Trip>>>>> {
    senders.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::trip::testing::trip;

    #[tokio::test]
    async fn all_who_listen_hear_of_their_trip_and_no_other() {
        let changes = Changes::default();
        let (mut one, mut other) = (changes.subscribe("t"), changes.subscribe("t"));
        changes.publish(&trip("u", &[]));
        changes.publish(&trip("t", &["AS21"]));
        assert_eq!(*one.changed().await, trip("t", &["AS21"]));
        assert_eq!(*other.changed().await, trip("t", &["AS21"]));
    }

    #[test]
    fn nothing_is_left_of_those_who_have_gone() {
        let changes = Changes::default();
        let (one, other) = (changes.subscribe("t"), changes.subscribe("t"));
        drop(one);
        assert_eq!(lock(&changes.0).len(), 1);
        drop(other);
        assert_eq!(lock(&changes.0).len(), 0);
    }
}
