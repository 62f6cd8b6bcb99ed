//! Messages between processes.
//!
//! A [`Log`] is for news that every process wants to hear, such as seats that were sold: any number
//! of readers follow it, each from where it began. It promises that a reader sees every message at
//! least once, and those of one aggregate in their order unless two of them are committed within a
//! blink of each other; payloads therefore carry a version. Work that exactly one process must
//! do, such as a mail, is in a [`Queue`] beside it.

mod any;
mod gauges;
mod rate;
mod redis;
mod sql;
mod table;
mod work;

use sea_orm::DbErr;

pub use self::redis::RedisQueue;
pub use any::{AnyQueue, OpenQueueError, dial, open};
pub use gauges::record_depth;
pub(crate) use sql::message;
pub use sql::{SqlFollower, SqlLog};
pub use table::SqlQueue;
pub use work::{DeadLetter, Delivery, Depth, NewMessage, Queue, QueueError};

/// A message as it was enqueued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its number in the log.
    pub id: i64,
    /// What it is about.
    pub aggregate: String,
    /// Its id in the queue that it is relayed to, where its writer chose one.
    pub message_id: Option<String>,
    /// A message of the contracts, encoded.
    pub payload: Vec<u8>,
    /// W3C `traceparent` of what caused it.
    pub trace_parent: Option<String>,
    /// When it was enqueued, Unix milliseconds.
    pub enqueued: i64,
}

/// Why a log cannot be read at the moment; trying again helps.
#[derive(Debug, thiserror::Error)]
#[error("the log cannot be read")]
pub struct LogError(#[from] DbErr);

/// A log of messages.
pub trait Log: Send + Sync {
    /// Its readers.
    type Follower: Follower;

    /// Reads a topic from its present end on: what is committed after this is seen.
    fn follow(
        &self,
        topic: &'static str,
    ) -> impl Future<Output = Result<Self::Follower, LogError>> + Send;
}

/// One reader of a log.
pub trait Follower: Send {
    /// Waits for messages, at most some hundreds at once.
    fn next(&mut self) -> impl Future<Output = Result<Vec<Message>, LogError>> + Send;
}
