//! Work that exactly one process must do: a queue with one group of consumers.
//!
//! A message is taken by one consumer at a time and stays in the queue until it is settled; one whose consumer
//! says nothing for a while is given to another. So everything happens at least once, and whoever must
//! do it only once keeps its own record, by the message's id. A queue holds an id once: publishing it
//! again changes nothing, so that a producer that is unsure, or finds that the queue has lost
//! something, publishes again.

use std::time::Duration;

/// A message to be queued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// Chosen by the producer, the same whenever it is published again; at most 96 bytes.
    pub id: String,
    /// A message of the contracts, encoded.
    pub payload: Vec<u8>,
    /// W3C `traceparent` of what caused it.
    pub trace_parent: Option<String>,
    /// When it was caused, Unix milliseconds.
    pub enqueued: i64,
}

/// A message that a consumer has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// As published.
    pub id: String,
    /// As published.
    pub payload: Vec<u8>,
    /// As published.
    pub trace_parent: Option<String>,
    /// As published.
    pub enqueued: i64,
    /// Which attempt this is, from 1; one that was given back does not count.
    pub attempt: u32,
    /// By which the queue knows this delivery from others of the same message.
    pub receipt: String,
}

/// A message that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// As published.
    pub id: String,
    /// As published.
    pub payload: Vec<u8>,
    /// As published.
    pub enqueued: i64,
    /// Attempts that were made.
    pub attempts: u32,
    /// Why it was given up, for people.
    pub reason: String,
    /// When, Unix milliseconds.
    pub died: i64,
    /// Where a list goes on behind it.
    pub cursor: String,
}

/// How full a queue is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Messages that wait to be taken for the first time, or were given back.
    pub waiting: u64,
    /// Messages that wait for another attempt.
    pub delayed: u64,
    /// Messages that are taken and not settled.
    pub taken: u64,
    /// Dead letters.
    pub dead: u64,
    /// When the oldest of those that are not dead was caused, Unix milliseconds.
    pub oldest: Option<i64>,
}

/// Why the queue does not answer at the moment; trying again helps. The cause is for the log.
#[derive(Debug, thiserror::Error)]
#[error("the queue is unavailable")]
pub struct QueueError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl QueueError {
    /// It does not answer, for this reason.
    #[must_use]
    pub fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

/// A queue of one topic. Clones are the same queue. Every method may be called again after a failure.
/// Times are Unix milliseconds by the queue's own clock, unless they are passed in.
pub trait Queue: Clone + Send + Sync + 'static {
    /// Queues messages in their order; those whose id the queue holds already, dead ones too, stay as they are.
    fn publish(
        &self,
        messages: &[NewMessage],
    ) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// Which of these the queue does not hold: settled ones, and lost ones.
    fn missing(
        &self,
        ids: &[String],
    ) -> impl Future<Output = Result<Vec<String>, QueueError>> + Send;

    /// Takes messages for a consumer, at most `most`: those that another consumer has left alone for too
    /// long, those whose delay is over, new ones. Waits up to `wait` for the first.
    fn take(
        &self,
        consumer: &str,
        most: usize,
        wait: Duration,
    ) -> impl Future<Output = Result<Vec<Delivery>, QueueError>> + Send;

    /// Says that the consumer still works on these, so that nobody else gets them.
    fn keep(
        &self,
        consumer: &str,
        deliveries: &[Delivery],
    ) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// These are done: the queue forgets them.
    fn settle(
        &self,
        deliveries: &[Delivery],
    ) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// These have not been tried: somebody else may have them after `delay`, and the attempt does not count.
    fn give_back(
        &self,
        deliveries: &[Delivery],
        delay: Duration,
    ) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// This one is to be tried again after `delay`.
    fn retry(
        &self,
        delivery: &Delivery,
        delay: Duration,
    ) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// Gives this one up: it becomes a dead letter.
    fn bury(
        &self,
        delivery: &Delivery,
        reason: &str,
    ) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// Dead letters, the oldest first, behind a cursor.
    fn dead(
        &self,
        after: Option<&str>,
        most: usize,
    ) -> impl Future<Output = Result<Vec<DeadLetter>, QueueError>> + Send;

    /// Queues a dead letter again, its attempts counted anew; false where there is none of this id.
    fn redrive(&self, id: &str) -> impl Future<Output = Result<bool, QueueError>> + Send;

    /// How full it is.
    fn depth(&self) -> impl Future<Output = Result<Depth, QueueError>> + Send;

    /// Reserves the next turn of a rate that holds over all consumers, and tells how long to wait for it.
    /// Turns that nobody took add up to `burst` of them; a rate that is new begins with none.
    fn turn(
        &self,
        per_second: f64,
        burst: u32,
    ) -> impl Future<Output = Result<Duration, QueueError>> + Send;
}
