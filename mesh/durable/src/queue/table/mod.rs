//! The embedded queue: a table, in a database of its own that all processes open.
//!
//! It is for a machine without Redis. A message is a row from its publication until it is settled, and
//! its unique index is what keeps an id from being held twice. A consumer takes rows by writing until
//! when they are its own; the epoch that it counts up is its receipt, so that whatever a consumer says
//! of a message that another one has taken since changes nothing. Only settling needs none: who
//! has done the work has done it.

mod clock;
mod schema;
mod statements;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sea_orm::DbErr;
use tokio::sync::Notify;

use self::schema::{Migrator, message};
use super::{DeadLetter, Delivery, Depth, NewMessage, Queue, QueueError, rate::Rate};
use crate::{Db, OpenError, Options, retry};

/// How long a taken message is left to its consumer.
const LEASE: Duration = Duration::from_secs(30);
/// How long a consumer waits for news of other processes; its own wakes it.
const POLL: Duration = Duration::from_millis(100);
/// Messages that one transaction writes, takes or looks for.
const BATCH: usize = 500;

/// A queue in a database.
#[derive(Clone, Debug)]
pub struct SqlQueue {
    db: Db,
    topic: Arc<str>,
    lease: Duration,
    news: Arc<Notify>,
}

impl SqlQueue {
    /// Opens the queue of a topic, a name of at most 32 bytes, and makes its tables where there are none.
    ///
    /// # Errors
    /// Where the database cannot be opened.
    pub async fn open(options: &Options, topic: &str) -> Result<Self, OpenError> {
        Ok(Self {
            db: Db::open::<Migrator>(options).await?,
            topic: topic.into(),
            lease: LEASE,
            news: Arc::default(),
        })
    }

    /// The same queue, whose messages are left to a silent consumer for so long; 30 s where nobody says otherwise.
    #[must_use]
    pub fn with_lease(self, lease: Duration) -> Self {
        Self { lease, ..self }
    }

    /// Takes what is there.
    async fn take_once(&self, most: usize) -> Result<Vec<message::Model>, DbErr> {
        // Looked for without a lock first: most of the time there is nothing, and SQLite has one writer.
        if !statements::is_due(&self.db, &self.topic).await? {
            return Ok(vec![]);
        }
        statements::claim(&self.db, &self.topic, most, self.lease).await
    }
}

impl Queue for SqlQueue {
    async fn publish(&self, messages: &[NewMessage]) -> Result<(), QueueError> {
        for batch in messages.chunks(BATCH) {
            let insert = || statements::insert(&self.db, &self.topic, batch);
            retry("queue.publish", insert).await.map_err(unavailable)?;
        }
        self.news.notify_waiters();
        Ok(())
    }

    async fn missing(&self, ids: &[String]) -> Result<Vec<String>, QueueError> {
        let mut missing = vec![];
        for batch in ids.chunks(BATCH) {
            let held = || statements::held(&self.db, &self.topic, batch);
            let held = retry("queue.missing", held).await.map_err(unavailable)?;
            missing.extend(batch.iter().filter(|id| !held.contains(*id)).cloned());
        }
        Ok(missing)
    }

    async fn take(
        &self,
        _consumer: &str,
        most: usize,
        wait: Duration,
    ) -> Result<Vec<Delivery>, QueueError> {
        let most = most.min(BATCH);
        let until = Instant::now() + wait;
        loop {
            let woken = self.news.notified();
            tokio::pin!(woken);
            // From here on no wake is missed.
            woken.as_mut().enable();
            let rows = retry("queue.take", || self.take_once(most)).await;
            let rows = rows.map_err(unavailable)?;
            let left = until.saturating_duration_since(Instant::now());
            if !rows.is_empty() || left.is_zero() {
                return Ok(rows.into_iter().map(delivery).collect());
            }
            let _ = tokio::time::timeout(left.min(POLL), woken).await;
        }
    }

    async fn keep(&self, _consumer: &str, deliveries: &[Delivery]) -> Result<(), QueueError> {
        for receipts in receipts(deliveries)?.chunks(BATCH) {
            let keep = || statements::keep(&self.db, receipts, self.lease);
            retry("queue.keep", keep).await.map_err(unavailable)?;
        }
        Ok(())
    }

    async fn settle(&self, deliveries: &[Delivery]) -> Result<(), QueueError> {
        for receipts in receipts(deliveries)?.chunks(BATCH) {
            let delete = || statements::delete(&self.db, receipts);
            retry("queue.settle", delete).await.map_err(unavailable)?;
        }
        Ok(())
    }

    async fn give_back(&self, deliveries: &[Delivery], delay: Duration) -> Result<(), QueueError> {
        for receipts in receipts(deliveries)?.chunks(BATCH) {
            let give_back = || statements::put_back(&self.db, receipts, delay, 1);
            retry("queue.give_back", give_back)
                .await
                .map_err(unavailable)?;
        }
        self.news.notify_waiters();
        Ok(())
    }

    async fn retry(&self, delivery: &Delivery, delay: Duration) -> Result<(), QueueError> {
        let receipt = [receipt(delivery)?];
        let put_back = || statements::put_back(&self.db, &receipt, delay, 0);
        retry("queue.retry", put_back).await.map_err(unavailable)?;
        self.news.notify_waiters();
        Ok(())
    }

    async fn bury(&self, delivery: &Delivery, reason: &str) -> Result<(), QueueError> {
        let receipt = receipt(delivery)?;
        let bury = || statements::bury(&self.db, receipt, reason);
        retry("queue.bury", bury).await.map_err(unavailable)
    }

    async fn dead(&self, after: Option<&str>, most: usize) -> Result<Vec<DeadLetter>, QueueError> {
        let after = after.map(pair).transpose()?;
        let dead = || statements::dead(&self.db, &self.topic, after, most.min(BATCH));
        let rows = retry("queue.dead", dead).await.map_err(unavailable)?;
        Ok(rows.into_iter().map(dead_letter).collect())
    }

    async fn redrive(&self, id: &str) -> Result<bool, QueueError> {
        let redrive = || statements::redrive(&self.db, &self.topic, id);
        let found = retry("queue.redrive", redrive).await.map_err(unavailable)?;
        self.news.notify_waiters();
        Ok(found)
    }

    async fn depth(&self) -> Result<Depth, QueueError> {
        let depth = || statements::depth(&self.db, &self.topic);
        retry("queue.depth", depth).await.map_err(unavailable)
    }

    async fn turn(&self, per_second: f64, burst: u32) -> Result<Duration, QueueError> {
        let rate = Rate::new(per_second, burst);
        let turn = || statements::turn(&self.db, &self.topic, rate);
        retry("queue.turn", turn).await.map_err(unavailable)
    }
}

fn unavailable(error: DbErr) -> QueueError {
    QueueError::new(error)
}

/// A row that was taken, by its number and epoch.
type Receipt = (i64, i64);

fn receipts(deliveries: &[Delivery]) -> Result<Vec<Receipt>, QueueError> {
    deliveries.iter().map(receipt).collect()
}

fn receipt(delivery: &Delivery) -> Result<Receipt, QueueError> {
    pair(&delivery.receipt)
}

/// Receipts and cursors are two numbers.
fn pair(text: &str) -> Result<(i64, i64), QueueError> {
    let numbers = text.split_once('.').and_then(|(first, second)| {
        let first = first.parse().ok()?;
        Some((first, second.parse().ok()?))
    });
    numbers.ok_or_else(|| QueueError::new(format!("{text:?} is not of this queue")))
}

fn delivery(row: message::Model) -> Delivery {
    Delivery {
        receipt: format!("{}.{}", row.seq, row.epoch),
        id: row.message_id,
        payload: row.payload,
        trace_parent: row.trace_parent,
        enqueued: row.enqueued,
        attempt: u32::try_from(row.attempts).unwrap_or_default(),
    }
}

fn dead_letter(row: message::Model) -> DeadLetter {
    DeadLetter {
        cursor: format!("{}.{}", row.due, row.seq),
        id: row.message_id,
        payload: row.payload,
        enqueued: row.enqueued,
        attempts: u32::try_from(row.attempts).unwrap_or_default(),
        reason: row.reason.unwrap_or_default(),
        died: row.due,
    }
}
