//! Settling: a row goes when its consumer has recorded the message, and is published again where the
//! queue has lost it.
//!
//! The queue is asked before the consumer. A consumer records a message before the queue forgets it,
//! so what the queue does not hold, and the consumer has not recorded when it is asked afterwards, is
//! lost; the other way round, a message that is recorded and forgotten between the two would look so too.

use std::{
    collections::HashSet,
    convert::Infallible,
    sync::atomic::{AtomicI64, Ordering},
    time::Instant,
};

use sea_orm::DbErr;

use super::{BATCH, Consumer, ConsumerError, Relay, millis, outgoing::Outgoing};
use crate::{
    outbox::{self, Entry},
    queue::{Queue, message},
};

/// Rows asked about at once.
const PAGE: u64 = 500;
/// Rows that are asked about more often than others: the oldest.
const OLDEST: u64 = 1_000;

/// Why a round came to no end; the next one begins anew.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error(transparent)]
    Database(#[from] DbErr),
    #[error(transparent)]
    Consumer(#[from] ConsumerError),
}

/// One time through the rows.
struct Round {
    /// Through all of them, and the queue is asked too.
    whole: bool,
    /// Rows up to this one have been published.
    published: i64,
    /// A queue that has failed is not asked again in the same round.
    queue_answers: bool,
}

impl<Q: Queue, C: Consumer> Relay<Q, C> {
    /// Settles what can be, without end.
    pub(super) async fn settle(&self, published: &AtomicI64) -> Infallible {
        let mut failing = false;
        let mut last_sweep = Instant::now();
        loop {
            let whole = last_sweep.elapsed() >= self.options.sweep_every;
            let round = Round {
                whole,
                published: published.load(Ordering::Relaxed),
                queue_answers: true,
            };
            match self.round(round).await {
                Ok(()) => failing = false,
                Err(error) => {
                    if !failing {
                        tracing::warn!(?error, topic = self.topic, "cannot settle the outbox");
                    }
                    failing = true;
                }
            }
            if whole {
                last_sweep = Instant::now();
            }
            tokio::time::sleep(self.options.settle_every).await;
        }
    }

    async fn round(&self, mut round: Round) -> Result<(), RoundError> {
        self.measure().await?;
        let (mut after, mut seen) = (0, 0);
        loop {
            let entries = outbox::entries(self.log.db(), self.topic, after, PAGE).await?;
            let Some(last) = entries.last() else {
                return Ok(());
            };
            after = last.id;
            seen += entries.len() as u64;
            self.page(&entries, &mut round).await?;
            let more = round.whole && after < round.published;
            if (entries.len() as u64) < PAGE || (seen >= OLDEST && !more) {
                return Ok(());
            }
        }
    }

    /// Deletes what is settled of a page, and publishes again what is lost.
    async fn page(&self, entries: &[Entry], round: &mut Round) -> Result<(), RoundError> {
        let missing = self.missing(entries, round).await;
        let ids: Vec<String> = entries
            .iter()
            .map(|entry| entry.message_id.clone())
            .collect();
        let settled: HashSet<String> = self.settled(&ids).await?.into_iter().collect();
        let (gone, kept): (Vec<&Entry>, Vec<&Entry>) = entries
            .iter()
            .partition(|entry| settled.contains(&entry.message_id));
        let gone: Vec<i64> = gone.into_iter().map(|entry| entry.id).collect();
        outbox::delete(self.log.db(), &gone).await?;
        let lost = kept
            .into_iter()
            .filter(|entry| missing.contains(&entry.message_id));
        let lost: Vec<i64> = lost.map(|entry| entry.id).collect();
        self.publish_again(&lost).await?;
        Ok(())
    }

    async fn settled(&self, ids: &[String]) -> Result<Vec<String>, ConsumerError> {
        tokio::time::timeout(self.options.call_timeout, self.consumer.settled(ids))
            .await
            .unwrap_or_else(|elapsed| Err(ConsumerError::new(elapsed)))
    }

    /// Messages that have been published some time ago, and are not in the queue.
    async fn missing(&self, entries: &[Entry], round: &mut Round) -> HashSet<String> {
        let old = (self.options.clock)().saturating_sub(millis(self.options.patience));
        let ids: Vec<String> = entries
            .iter()
            .filter(|entry| entry.created <= old && entry.id <= round.published)
            .map(|entry| entry.message_id.clone())
            .collect();
        if !round.whole || !round.queue_answers || ids.is_empty() {
            return HashSet::new();
        }
        match self.in_time(self.queue.missing(&ids)).await {
            Ok(missing) => missing.into_iter().collect(),
            Err(error) => {
                round.queue_answers = false;
                tracing::debug!(?error, topic = self.topic, "cannot ask the queue");
                HashSet::new()
            }
        }
    }

    /// Publishes rows that the queue has lost; one that fails now is found again.
    async fn publish_again(&self, ids: &[i64]) -> Result<(), DbErr> {
        for batch in ids.chunks(BATCH) {
            let rows = outbox::rows(self.log.db(), batch).await?;
            let outgoing = Outgoing::new(self.topic, rows.into_iter().map(message));
            if let Err(error) = self.in_time(self.queue.publish(&outgoing.messages)).await {
                outgoing.failed();
                tracing::debug!(?error, topic = self.topic, "cannot publish again");
                return Ok(());
            }
            let messages = outgoing.messages.len();
            tracing::warn!(
                messages,
                topic = self.topic,
                "published again what the queue had lost"
            );
            metrics::counter!("outbox_republished_total", "topic" => self.topic)
                .increment(messages as u64);
        }
        Ok(())
    }

    /// Shows how many rows there are and how old they are.
    async fn measure(&self) -> Result<(), DbErr> {
        let backlog = outbox::backlog(self.log.db(), self.topic).await?;
        let now = (self.options.clock)();
        let age = backlog
            .oldest
            .map_or(0, |oldest| now.saturating_sub(oldest).max(0));
        self.show(backlog.rows, age);
        Ok(())
    }

    /// Shows nothing any more: the replica that relays now does.
    pub(super) fn unmeasure(&self) {
        self.show(0, 0);
    }

    #[allow(clippy::cast_precision_loss, reason = "gauges are floats")]
    fn show(&self, rows: u64, age_ms: i64) {
        metrics::gauge!("outbox_rows", "topic" => self.topic).set(rows as f64);
        metrics::gauge!("outbox_lag_seconds", "topic" => self.topic).set(age_ms as f64 / 1_000.0);
    }
}
