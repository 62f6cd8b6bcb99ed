//! The relay: takes what a service has written into its outbox to the process queue.
//!
//! One replica at a time publishes a topic, by a lease: in the order of the rows, so that what
//! concerns one aggregate is published in its order. Commits wake it. A row stays in the table when it
//! has been published, and goes only when its consumer says that it has recorded the message: a queue
//! that is wiped, or forgets its last second, loses nothing, for what it misses and nobody has
//! recorded is published again. A queue that is away makes the outbox grow and disturbs nobody else.
//!
//! Whatever is done here may be done twice, also by two replicas at once where one of them has been
//! taken for dead: a queue holds an id once, and a consumer keeps its own record.

mod outgoing;
mod publish;
mod settle;

use std::{
    error::Error,
    sync::atomic::AtomicI64,
    time::{Duration, Instant},
};

use mesh::backoff::Backoff;
use tokio_util::sync::CancellationToken;

use crate::{
    lease::{self, Lease},
    queue::{Queue, QueueError, SqlLog},
};

/// Messages published at once.
const BATCH: usize = 200;

/// Whoever records the messages of a topic.
pub trait Consumer: Send + Sync + 'static {
    /// Which of these messages are recorded, so that they need no queue any more. At most 500 are asked for.
    fn settled(
        &self,
        ids: &[String],
    ) -> impl Future<Output = Result<Vec<String>, ConsumerError>> + Send;
}

/// Why a consumer does not answer at the moment; trying again helps. The cause is for the log.
#[derive(Debug, thiserror::Error)]
#[error("the consumer cannot be asked")]
pub struct ConsumerError(#[source] Box<dyn Error + Send + Sync>);

impl ConsumerError {
    /// It does not answer, for this reason.
    #[must_use]
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

/// How patient a relay is.
#[derive(Clone, Debug)]
pub struct Options {
    /// Tells Unix milliseconds.
    pub clock: fn() -> i64,
    /// How long a replica may say nothing before another one relays in its place.
    pub lease: Duration,
    /// How often a replica asks whether the lease is free.
    pub claim_every: Duration,
    /// How often the consumer is asked about the oldest rows.
    pub settle_every: Duration,
    /// How often queue and consumer are asked about all rows.
    pub sweep_every: Duration,
    /// How old a row is before the queue can have lost it.
    pub patience: Duration,
    /// Between the first and the second attempt.
    pub first_delay: Duration,
    /// Between two attempts at most.
    pub most_delay: Duration,
    /// How long an answer of the queue or the consumer may take.
    pub call_timeout: Duration,
}

impl Options {
    /// Defaults, with a clock.
    #[must_use]
    pub const fn new(clock: fn() -> i64) -> Self {
        Self {
            clock,
            lease: Duration::from_secs(5),
            claim_every: Duration::from_secs(1),
            settle_every: Duration::from_secs(1),
            sweep_every: Duration::from_secs(10),
            patience: Duration::from_secs(5),
            first_delay: Duration::from_millis(50),
            most_delay: Duration::from_secs(2),
            call_timeout: Duration::from_secs(10),
        }
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(self.first_delay, self.most_delay)
    }
}

/// Relays a topic of an outbox.
#[derive(Debug)]
pub struct Relay<Q, C> {
    log: SqlLog,
    topic: &'static str,
    queue: Q,
    consumer: C,
    options: Options,
}

impl<Q: Queue, C: Consumer> Relay<Q, C> {
    /// A relay of `topic` from the outbox of `log`, whose database has the tables of
    /// [`outbox`](crate::outbox) and [`lease`]. Whoever commits rows wakes the log.
    #[must_use]
    pub const fn new(
        log: SqlLog,
        topic: &'static str,
        queue: Q,
        consumer: C,
        options: Options,
    ) -> Self {
        Self {
            log,
            topic,
            queue,
            consumer,
            options,
        }
    }

    /// Relays until `shutdown`, whenever no other replica does, and gives the lease back then.
    pub async fn run(&self, shutdown: &CancellationToken) {
        let mut failing = false;
        while !shutdown.is_cancelled() {
            let asked = Instant::now();
            match self.claim().await {
                // Boxed: it is large, and what runs beside it should not be.
                Ok(Some(lease)) => Box::pin(self.lead(&lease, asked, shutdown)).await,
                Ok(None) => failing = false,
                Err(error) => {
                    if !failing {
                        tracing::warn!(?error, topic = self.topic, "cannot claim the relay");
                    }
                    failing = true;
                }
            }
            let _ = tokio::time::timeout(self.options.claim_every, shutdown.cancelled()).await;
        }
    }

    async fn claim(&self) -> Result<Option<Lease>, sea_orm::DbErr> {
        let now = (self.options.clock)();
        let name = format!("relay.{}", self.topic);
        lease::claim(self.log.db(), &name, now, self.lease_end()).await
    }

    /// When a lease that is claimed or kept now runs out.
    fn lease_end(&self) -> i64 {
        (self.options.clock)().saturating_add(millis(self.options.lease))
    }

    /// Relays for as long as the lease is kept. It was claimed at `asked` or later.
    async fn lead(&self, lease: &Lease, asked: Instant, shutdown: &CancellationToken) {
        tracing::info!(topic = self.topic, "relaying the outbox");
        // The highest row that has been published under this lease.
        let published = AtomicI64::new(0);
        let kept = tokio::select! {
            () = shutdown.cancelled() => true,
            () = self.keep(lease, asked) => false,
            never = self.publish(&published) => match never {},
            never = self.settle(&published) => match never {},
        };
        self.unmeasure();
        if !kept {
            tracing::warn!(topic = self.topic, "another replica relays the outbox now");
        } else if let Err(error) = lease::release(self.log.db(), lease).await {
            tracing::debug!(?error, topic = self.topic, "cannot give the relay back");
        }
    }

    /// Keeps the lease; ends when it is lost, or may be since the database does not answer.
    async fn keep(&self, lease: &Lease, mut kept: Instant) {
        loop {
            tokio::time::sleep(self.options.lease / 3).await;
            let asked = Instant::now();
            let keep = lease::keep(self.log.db(), lease, self.lease_end());
            let end = (kept + self.options.lease).into();
            match tokio::time::timeout_at(end, keep).await {
                Ok(Ok(true)) => kept = asked,
                Ok(Err(error)) if asked < kept + self.options.lease => {
                    tracing::debug!(?error, topic = self.topic, "cannot keep the relay");
                }
                Ok(Ok(false) | Err(_)) | Err(_) => return,
            }
        }
    }

    /// Gives up on a queue that does not answer.
    async fn in_time<T>(
        &self,
        call: impl Future<Output = Result<T, QueueError>>,
    ) -> Result<T, QueueError> {
        tokio::time::timeout(self.options.call_timeout, call)
            .await
            .unwrap_or_else(|elapsed| Err(QueueError::new(elapsed)))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
