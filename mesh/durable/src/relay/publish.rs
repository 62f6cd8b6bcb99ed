//! Publishing: every row once under a lease, in the order of the rows.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicI64, Ordering},
};

use super::{BATCH, Consumer, Relay, outgoing::Outgoing};
use crate::queue::{Follower as _, Message, Queue};

impl<Q: Queue, C: Consumer> Relay<Q, C> {
    /// Publishes all there is, then what is committed, without end. It begins with the first row that is still
    /// there, since nobody knows how far the last replica came; the queue passes over what it holds.
    pub(super) async fn publish(&self, published: &AtomicI64) -> Infallible {
        let mut follower = self.log.replay(self.topic);
        let mut backoff = self.options.backoff();
        loop {
            match follower.next().await {
                Ok(messages) => {
                    backoff.reset();
                    for batch in messages.chunks(BATCH) {
                        self.publish_all(batch).await;
                        let last = batch.last().map_or(0, |message| message.id);
                        published.fetch_max(last, Ordering::Relaxed);
                    }
                }
                Err(error) => {
                    tracing::warn!(?error, topic = self.topic, "cannot read the outbox");
                    tokio::time::sleep(backoff.next(fastrand::f64())).await;
                }
            }
        }
    }

    /// Publishes a batch, however often it takes: what comes behind it must wait.
    async fn publish_all(&self, batch: &[Message]) {
        let outgoing = Outgoing::new(self.topic, batch.iter().cloned());
        let mut backoff = self.options.backoff();
        let mut failing = false;
        while let Err(error) = self.in_time(self.queue.publish(&outgoing.messages)).await {
            if !failing {
                tracing::warn!(
                    ?error,
                    topic = self.topic,
                    "cannot publish; the outbox grows"
                );
                outgoing.failed();
            }
            failing = true;
            tokio::time::sleep(backoff.next(fastrand::f64())).await;
        }
        if failing {
            tracing::info!(topic = self.topic, "the queue takes messages again");
        }
        metrics::counter!("outbox_published_total", "topic" => self.topic)
            .increment(batch.len() as u64);
    }
}
