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
    time::{Duration, Instant},
};

use sea_orm::DbErr;

use super::{BATCH, Consumer, ConsumerError, Relay, millis, outgoing::Outgoing};
use crate::{
    outbox::{self, Entry},
    queue::{Queue, message},
};

/// Rows asked about at once, through all of them and where only the oldest are asked about.
const PAGE: u64 = 500;
const OLDEST_PAGE: u64 = 100;
/// Between two pages of all rows: a long outbox is not gone through at the cost of those who write into it.
const PAUSE: Duration = Duration::from_millis(50);

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
        let mut last_sweep: Option<Instant> = None;
        loop {
            let whole = last_sweep.is_none_or(|last| last.elapsed() >= self.options.sweep_every);
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
                last_sweep = Some(Instant::now());
            }
            tokio::time::sleep(self.options.settle_every).await;
        }
    }

    async fn round(&self, mut round: Round) -> Result<(), RoundError> {
        if round.whole {
            // Counting takes longer the more there are.
            self.show_rows(outbox::count(self.log.db(), self.topic).await?);
        }
        let size = if round.whole { PAGE } else { OLDEST_PAGE };
        let mut after = 0;
        loop {
            let entries = outbox::entries(self.log.db(), self.topic, after, size).await?;
            if after == 0 {
                self.show_age(entries.first());
            }
            let Some(last) = entries.last() else {
                return Ok(());
            };
            after = last.id;
            let settled = self.page(&entries, &mut round).await?;
            let full = entries.len() as u64 == size;
            // Mails are finished about in their order: behind a page of which none is, few are.
            let more = if round.whole {
                after < round.published
            } else {
                settled > 0
            };
            if !full || !more {
                return Ok(());
            }
            if round.whole {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Deletes what is settled of a page, and publishes again what is lost; gives how many rows went.
    async fn page(&self, entries: &[Entry], round: &mut Round) -> Result<usize, RoundError> {
        let missing = self.missing(entries, round).await;
        let ids: Vec<String> = match &missing {
            Some(missing) => missing.iter().cloned().collect(),
            None => entries
                .iter()
                .map(|entry| entry.message_id.clone())
                .collect(),
        };
        let settled: HashSet<String> = self.settled(&ids).await?.into_iter().collect();
        let (gone, kept): (Vec<&Entry>, Vec<&Entry>) = entries
            .iter()
            .partition(|entry| settled.contains(&entry.message_id));
        let gone: Vec<i64> = gone.into_iter().map(|entry| entry.id).collect();
        outbox::delete(self.log.db(), &gone).await?;
        let missing = missing.unwrap_or_default();
        let lost = kept
            .into_iter()
            .filter(|entry| missing.contains(&entry.message_id));
        let lost: Vec<i64> = lost.map(|entry| entry.id).collect();
        self.publish_again(&lost).await?;
        Ok(gone.len())
    }

    async fn settled(&self, ids: &[String]) -> Result<Vec<String>, ConsumerError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        tokio::time::timeout(self.options.call_timeout, self.consumer.settled(ids))
            .await
            .unwrap_or_else(|elapsed| Err(ConsumerError::new(elapsed)))
    }

    /// Messages that have been published some time ago, and are not in the queue: settled, or lost. Their consumer is asked
    /// about no others, for it has not had what the queue holds; dead ones are settled when they are among the oldest.
    /// None where the queue was not asked or does not answer.
    async fn missing(&self, entries: &[Entry], round: &mut Round) -> Option<HashSet<String>> {
        if !round.whole || !round.queue_answers {
            return None;
        }
        let old = (self.options.clock)().saturating_sub(millis(self.options.patience));
        let ids: Vec<String> = entries
            .iter()
            .filter(|entry| entry.created <= old && entry.id <= round.published)
            .map(|entry| entry.message_id.clone())
            .collect();
        if ids.is_empty() {
            return Some(HashSet::new());
        }
        match self.in_time(self.queue.missing(&ids)).await {
            Ok(missing) => Some(missing.into_iter().collect()),
            Err(error) => {
                round.queue_answers = false;
                tracing::debug!(?error, topic = self.topic, "cannot ask the queue");
                None
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

    /// Shows nothing any more: the replica that relays now does.
    pub(super) fn unmeasure(&self) {
        self.show_age(None);
        self.show_rows(0);
    }

    #[allow(clippy::cast_precision_loss, reason = "gauges are floats")]
    fn show_rows(&self, rows: u64) {
        metrics::gauge!("outbox_rows", "topic" => self.topic).set(rows as f64);
    }

    #[allow(clippy::cast_precision_loss, reason = "gauges are floats")]
    fn show_age(&self, oldest: Option<&Entry>) {
        let now = (self.options.clock)();
        let age = oldest.map_or(0, |oldest| now.saturating_sub(oldest.created).max(0));
        metrics::gauge!("outbox_lag_seconds", "topic" => self.topic).set(age as f64 / 1_000.0);
    }
}
