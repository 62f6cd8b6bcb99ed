//! The queue that an operator has chosen, by its URL.

use std::time::Duration;

use super::{
    DeadLetter, Delivery, Depth, NewMessage, Queue, QueueError, RedisQueue, SqlQueue, redis,
};
use crate::{OpenError, Options, db};

/// Connections to a database at most: some consumers, a producer, and whoever asks how full it is.
const CONNECTIONS: u32 = 8;

/// Why a queue cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenQueueError {
    /// It is of a kind that is not supported.
    #[error(
        "{variable}: {scheme:?} is not supported; write redis://HOST:6379, sqlite://PATH, postgres://USER:PASSWORD@HOST/DATABASE or mysql://USER:PASSWORD@HOST/DATABASE"
    )]
    Scheme {
        /// Variable that sets it.
        variable: &'static str,
        /// What its URL begins with.
        scheme: String,
    },
    /// Its database cannot be used.
    #[error(transparent)]
    Database(OpenError),
    /// Redis cannot be used.
    #[error("{variable}: cannot open {url}")]
    Redis {
        /// Variable that sets it.
        variable: &'static str,
        /// Its URL, without the password.
        url: String,
        /// Why.
        source: db::Cause,
    },
}

impl From<OpenError> for OpenQueueError {
    fn from(error: OpenError) -> Self {
        match error {
            // A database's own message knows nothing of Redis.
            OpenError::Scheme { variable, scheme } => Self::Scheme { variable, scheme },
            error @ OpenError::Open { .. } => Self::Database(error),
        }
    }
}

/// A queue of any kind.
#[derive(Clone, Debug)]
pub enum AnyQueue {
    /// A table.
    Sql(SqlQueue),
    /// Streams.
    Redis(RedisQueue),
}

/// Opens the queue of a topic, a name of at most 32 bytes. `variable` is what sets its URL, for messages.
///
/// # Errors
/// Where the URL is of another kind, or what is behind it does not answer.
pub async fn open(
    url: &str,
    topic: &str,
    variable: &'static str,
) -> Result<AnyQueue, OpenQueueError> {
    if is_redis(url) {
        let queue = RedisQueue::open(url, topic, variable).await?;
        return Ok(AnyQueue::Redis(queue));
    }
    let queue = SqlQueue::open(&options(url, variable), topic).await?;
    Ok(AnyQueue::Sql(queue))
}

/// Connects to a queue and leaves it as it is.
///
/// # Errors
/// As [`open`].
pub async fn dial(url: &str, variable: &'static str) -> Result<(), OpenQueueError> {
    if is_redis(url) {
        return redis::dial(url, variable).await;
    }
    Ok(db::dial(&options(url, variable)).await?)
}

fn is_redis(url: &str) -> bool {
    url.starts_with("redis://") || url.starts_with("rediss://")
}

fn options(url: &str, variable: &'static str) -> Options {
    Options {
        url: url.to_owned(),
        variable,
        max_connections: CONNECTIONS,
    }
}

impl AnyQueue {
    /// The same queue, whose messages are left to a silent consumer for so long; 30 s where nobody says otherwise.
    #[must_use]
    pub fn with_lease(self, lease: Duration) -> Self {
        match self {
            Self::Sql(queue) => Self::Sql(queue.with_lease(lease)),
            Self::Redis(queue) => Self::Redis(queue.with_lease(lease)),
        }
    }
}

/// Calls the same method of whichever it is.
macro_rules! either {
    ($queue:ident.$method:ident($($argument:ident),*)) => {
        match $queue {
            AnyQueue::Sql(queue) => queue.$method($($argument),*).await,
            AnyQueue::Redis(queue) => queue.$method($($argument),*).await,
        }
    };
}

impl Queue for AnyQueue {
    async fn publish(&self, messages: &[NewMessage]) -> Result<(), QueueError> {
        either!(self.publish(messages))
    }

    async fn missing(&self, ids: &[String]) -> Result<Vec<String>, QueueError> {
        either!(self.missing(ids))
    }

    async fn take(
        &self,
        consumer: &str,
        most: usize,
        wait: Duration,
    ) -> Result<Vec<Delivery>, QueueError> {
        either!(self.take(consumer, most, wait))
    }

    async fn keep(&self, consumer: &str, deliveries: &[Delivery]) -> Result<(), QueueError> {
        either!(self.keep(consumer, deliveries))
    }

    async fn settle(&self, deliveries: &[Delivery]) -> Result<(), QueueError> {
        either!(self.settle(deliveries))
    }

    async fn give_back(&self, deliveries: &[Delivery], delay: Duration) -> Result<(), QueueError> {
        either!(self.give_back(deliveries, delay))
    }

    async fn retry(&self, delivery: &Delivery, delay: Duration) -> Result<(), QueueError> {
        either!(self.retry(delivery, delay))
    }

    async fn bury(&self, delivery: &Delivery, reason: &str) -> Result<(), QueueError> {
        either!(self.bury(delivery, reason))
    }

    async fn dead(&self, after: Option<&str>, most: usize) -> Result<Vec<DeadLetter>, QueueError> {
        either!(self.dead(after, most))
    }

    async fn redrive(&self, id: &str) -> Result<bool, QueueError> {
        either!(self.redrive(id))
    }

    async fn depth(&self) -> Result<Depth, QueueError> {
        either!(self.depth())
    }

    async fn turn(&self, per_second: f64, burst: u32) -> Result<Duration, QueueError> {
        either!(self.turn(per_second, burst))
    }
}
