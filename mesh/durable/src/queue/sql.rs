//! A log over the outbox table, for services whose readers all sit at its database.
//!
//! Rows are numbered when they are written, but seen when they are committed: a reader that only
//! asks for what is behind its last number misses the rows of a transaction that took longer. So it
//! remembers the numbers it has skipped and looks for them again, for as long as a transaction may
//! take. Skipped numbers are few: rolled-back transactions leave them too, and are forgotten the same way.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};
use tokio::sync::Notify;

use super::{Follower, Log, LogError, Message};
use crate::{
    Db,
    outbox::{newest, of_topic, row},
};

/// How long a reader waits for news of other replicas; its own wakes it.
const POLL: Duration = Duration::from_millis(100);
/// Messages read at once.
const BATCH: u64 = 500;
/// How long a skipped number may still turn up.
const GAP_PATIENCE: Duration = Duration::from_secs(10);
/// Skipped numbers remembered; the oldest go first.
const MOST_GAPS: usize = 1_000;

/// The outbox of a database as a log.
#[derive(Clone, Debug)]
pub struct SqlLog {
    db: Db,
    news: Arc<Notify>,
}

impl SqlLog {
    /// The outbox of `db`.
    #[must_use]
    pub fn new(db: Db) -> Self {
        Self {
            db,
            news: Arc::default(),
        }
    }

    /// Reads a topic from the first row that is still there.
    #[must_use]
    pub fn replay(&self, topic: &'static str) -> SqlFollower {
        SqlFollower {
            log: self.clone(),
            topic,
            last: 0,
            gaps: BTreeMap::new(),
        }
    }

    /// Where its rows are.
    pub(crate) const fn db(&self) -> &Db {
        &self.db
    }

    /// Tells this process's readers that something has been committed.
    pub fn wake(&self) {
        self.news.notify_waiters();
    }
}

impl Log for SqlLog {
    type Follower = SqlFollower;

    async fn follow(&self, topic: &'static str) -> Result<SqlFollower, LogError> {
        let last = newest(self.db.reader(), topic).await?;
        let mut follower = SqlFollower {
            log: self.clone(),
            topic,
            last,
            gaps: BTreeMap::new(),
        };
        // Transactions under way may hold numbers below the newest.
        follower.skip(last.saturating_sub(64).max(0), last, Instant::now());
        let known = of_topic(topic)
            .filter(row::Column::Id.is_in(follower.gaps.keys().copied()))
            .select_only()
            .column(row::Column::Id)
            .into_tuple::<i64>()
            .all(self.db.reader())
            .await?;
        for id in known {
            follower.gaps.remove(&id);
        }
        Ok(follower)
    }
}

/// A reader of an [`SqlLog`].
#[derive(Debug)]
pub struct SqlFollower {
    log: SqlLog,
    topic: &'static str,
    /// The highest number seen.
    last: i64,
    /// Lower numbers that have not been seen, and since when they are missed.
    gaps: BTreeMap<i64, Instant>,
}

impl Follower for SqlFollower {
    async fn next(&mut self) -> Result<Vec<Message>, LogError> {
        loop {
            let news = Arc::clone(&self.log.news);
            let woken = news.notified();
            tokio::pin!(woken);
            // From here on no wake is missed.
            woken.as_mut().enable();
            let messages = self.read(Instant::now()).await?;
            if !messages.is_empty() {
                return Ok(messages);
            }
            let _ = tokio::time::timeout(POLL, woken).await;
        }
    }
}

impl SqlFollower {
    async fn read(&mut self, now: Instant) -> Result<Vec<Message>, LogError> {
        self.gaps
            .retain(|_, since| now.duration_since(*since) < GAP_PATIENCE);
        // Two statements: with one for both, the database would go through all rows of the topic.
        let mut rows = Vec::new();
        if !self.gaps.is_empty() {
            let late = row::Column::Id.is_in(self.gaps.keys().copied());
            rows = self.find(late).await?;
        }
        rows.append(&mut self.find(row::Column::Id.gt(self.last)).await?);
        for row in &rows {
            if row.id > self.last {
                self.skip(self.last, row.id, now);
                self.last = row.id;
            } else {
                self.gaps.remove(&row.id);
            }
        }
        Ok(rows.into_iter().map(message).collect())
    }

    async fn find(&self, wanted: Expr) -> Result<Vec<row::Model>, LogError> {
        let rows = of_topic(self.topic)
            .filter(wanted)
            .order_by_asc(row::Column::Id)
            .limit(BATCH)
            .all(self.log.db.reader())
            .await?;
        Ok(rows)
    }

    /// Remembers the numbers between `from` and `to` as missed.
    fn skip(&mut self, from: i64, to: i64, now: Instant) {
        let most = i64::try_from(MOST_GAPS).unwrap_or(i64::MAX);
        for id in (from + 1).max(to - most)..to {
            self.gaps.insert(id, now);
        }
        while self.gaps.len() > MOST_GAPS {
            self.gaps.pop_first();
        }
    }
}

pub(crate) fn message(row: row::Model) -> Message {
    Message {
        id: row.id,
        aggregate: row.aggregate,
        message_id: row.message_id,
        payload: row.payload,
        trace_parent: row.trace_parent,
        enqueued: row.created,
    }
}
