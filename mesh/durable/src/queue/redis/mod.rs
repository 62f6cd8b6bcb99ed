//! The queue of production: Redis streams with a consumer group, and small scripts around them.
//!
//! Redis acknowledges what it may still lose: with `appendfsync everysec` the last second, and everything
//! where somebody wipes it. That is no reason to keep more copies here: a producer keeps its own until it
//! hears that the work is done, asks now and then what is `missing`, and publishes it again. For that to
//! be exact, every message's id is held from its publication until it is settled, and every script and every
//! transaction changes all keys or none. After a wipe all ids are missing, and everything comes back.
//!
//! A delivery is known by its entry and how often that has been delivered. A taken message is its
//! consumer's until nothing has been said of it for a while (`keep` says something); then the next one that
//! takes gets it, and what the former still says of it changes nothing. Only settling is believed of
//! anybody: who has done the work has done it. It acknowledges and deletes at once, so that the streams
//! hold exactly what is not settled, and nothing is ever trimmed.
//!
//! What is tried again, given back or redriven comes to a stream of its own, which is read first: at the end of
//! the main one it would wait behind all that is new.

mod entry;
mod link;
mod scripts;

use std::{
    error::Error as _,
    sync::Arc,
    time::{Duration, Instant},
};

use redis::{Client, FromRedisValue, Pipeline, RedisResult, ScriptInvocation};

use self::{
    entry::{Entry, TakenOld, dead_letter, delivery, meta},
    link::{Call, Link},
    scripts::{HOLD, Keys, MEND, Scripts},
};
use super::{
    DeadLetter, Delivery, Depth, NewMessage, OpenQueueError, Queue, QueueError, rate::Rate,
};
use crate::db::{Cause, without_password};

/// How long a taken message is left to its consumer.
const LEASE: Duration = Duration::from_secs(30);
/// How long a consumer waits before it looks for messages of silent ones.
const POLL: Duration = Duration::from_millis(500);
/// Messages that one script handles: nothing else runs meanwhile.
const BATCH: usize = 500;
/// Characters of a reason that are kept.
const REASON: usize = 512;

/// A queue in Redis.
#[derive(Clone)]
pub struct RedisQueue {
    link: Link,
    keys: Arc<Keys>,
    scripts: Arc<Scripts>,
    lease: Duration,
}

impl std::fmt::Debug for RedisQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisQueue")
            .field("stream", &self.keys.stream)
            .finish_non_exhaustive()
    }
}

impl RedisQueue {
    /// Opens the queue of a topic at `redis://:PASSWORD@HOST:6379/0`, or `rediss://` for TLS. `variable` is what
    /// sets the URL, for messages.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn open(
        url: &str,
        topic: &str,
        variable: &'static str,
    ) -> Result<Self, OpenQueueError> {
        let link = connect(url, variable).await?;
        let queue = Self {
            link,
            keys: Arc::new(Keys::new(topic)),
            scripts: Arc::new(Scripts::new()),
            lease: LEASE,
        };
        let opened = queue
            .call::<()>(&queue.keys.call(&queue.scripts.open))
            .await;
        let cause = |error: QueueError| error.source().map(ToString::to_string);
        opened.map_err(|error| cannot_open(url, variable, cause(error).unwrap_or_default()))?;
        Ok(queue)
    }

    /// The same queue, whose messages are left to a silent consumer for so long; 30 s where nobody says otherwise.
    /// Who takes decides, so all consumers are to say the same.
    #[must_use]
    pub fn with_lease(self, lease: Duration) -> Self {
        Self { lease, ..self }
    }

    async fn call<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T, QueueError> {
        self.try_call(Call::Script(call)).await
    }

    async fn try_call<T: FromRedisValue>(&self, call: Call<'_>) -> Result<T, QueueError> {
        let open = self.keys.call(&self.scripts.open);
        self.link.call(call, &open).await
    }

    /// Adds messages, and deletes those again whose ids are held. Payloads pass through no script: that costs Redis twice
    /// as much.
    fn publishing(&self, batch: &[NewMessage]) -> Pipeline {
        let mut publish = redis::pipe();
        publish.atomic();
        publish.add_command(self.keys.eval(MEND)).ignore();
        for message in batch {
            let trace = message.trace_parent.as_deref();
            let add = publish.cmd("XADD").arg(&self.keys.stream).arg("*");
            let add = add.arg("id").arg(&message.id);
            let add = add.arg("payload").arg(&message.payload);
            add.arg("meta")
                .arg(meta(message.enqueued, 0, trace))
                .ignore();
        }
        let mut hold = self.keys.eval(HOLD);
        for message in batch {
            hold.arg(&message.id);
        }
        for message in batch {
            hold.arg(message.enqueued);
        }
        publish.add_command(hold).ignore();
        publish
    }

    /// Takes what comes first, and says when and where to look again.
    async fn take_old(&self, consumer: &str, most: usize) -> Result<TakenOld, QueueError> {
        let mut take = self.keys.call(&self.scripts.take_old);
        take.arg(consumer).arg(most).arg(millis(self.lease));
        self.call(&take).await
    }

    /// Takes what is new. No script does: what passes through one costs Redis three times as much.
    async fn take_new(&self, consumer: &str, most: usize) -> Result<Vec<Delivery>, QueueError> {
        let keys = &self.keys;
        let mut take = redis::cmd("XREADGROUP");
        take.arg("GROUP").arg(&keys.group).arg(consumer);
        take.arg("COUNT").arg(most);
        take.arg("STREAMS").arg(&keys.stream).arg(">");
        let streams: Option<Vec<(String, Vec<Entry>)>> =
            self.try_call(Call::Command(&take)).await?;
        let entries = streams
            .into_iter()
            .flatten()
            .flat_map(|(_, entries)| entries);
        Ok(entries.map(|entry| delivery(entry, 1, 1)).collect())
    }
}

impl Queue for RedisQueue {
    async fn publish(&self, messages: &[NewMessage]) -> Result<(), QueueError> {
        for batch in messages.chunks(BATCH) {
            let publish = self.publishing(batch);
            self.try_call::<()>(Call::Transaction(&publish)).await?;
        }
        Ok(())
    }

    async fn missing(&self, ids: &[String]) -> Result<Vec<String>, QueueError> {
        let mut missing = vec![];
        for batch in ids.chunks(BATCH) {
            let mut call = self.keys.call(&self.scripts.missing);
            call.arg(batch);
            let places: Vec<usize> = self.call(&call).await?;
            missing.extend(
                places
                    .into_iter()
                    .filter_map(|place| batch.get(place))
                    .cloned(),
            );
        }
        Ok(missing)
    }

    async fn take(
        &self,
        consumer: &str,
        most: usize,
        wait: Duration,
    ) -> Result<Vec<Delivery>, QueueError> {
        let most = most.min(BATCH);
        let until = Instant::now() + wait;
        loop {
            let old = self.take_old(consumer, most).await?;
            let mut taken = old.taken;
            if taken.len() < most {
                taken.extend(self.take_new(consumer, most - taken.len()).await?);
            }
            let left = until.saturating_duration_since(Instant::now());
            if !taken.is_empty() || left.is_zero() {
                return Ok(taken);
            }
            let pause = left.min(POLL).min(old.due.unwrap_or(POLL));
            let [new, again] = &old.behind;
            self.link
                .news([&self.keys.stream, &self.keys.again], [new, again], pause)
                .await;
        }
    }

    async fn keep(&self, _consumer: &str, deliveries: &[Delivery]) -> Result<(), QueueError> {
        for batch in deliveries.chunks(BATCH) {
            let mut keep = self.keys.call(&self.scripts.keep);
            add_receipts(&mut keep, batch)?;
            self.call::<()>(&keep).await?;
        }
        Ok(())
    }

    async fn settle(&self, deliveries: &[Delivery]) -> Result<(), QueueError> {
        for batch in deliveries.chunks(BATCH) {
            let receipts = batch.iter().map(receipt).collect::<Result<Vec<_>, _>>()?;
            let of = |stream: &'static str| {
                let both = receipts.iter().zip(batch);
                both.filter(move |([number, ..], _)| *number == stream)
            };
            let mut settle = self.keys.call(&self.scripts.settle);
            settle.arg(of("1").count());
            for ([_, entry, _], delivery) in of("1").chain(of("2")) {
                settle.arg(entry).arg(&delivery.id);
            }
            self.call::<()>(&settle).await?;
        }
        Ok(())
    }

    async fn give_back(&self, deliveries: &[Delivery], delay: Duration) -> Result<(), QueueError> {
        for batch in deliveries.chunks(BATCH) {
            let mut give_back = self.keys.call(&self.scripts.put_back);
            give_back.arg(millis(delay)).arg(1);
            for delivery in batch {
                add_taken(&mut give_back, delivery, delivery.attempt.saturating_sub(1))?;
            }
            self.call::<()>(&give_back).await?;
        }
        Ok(())
    }

    async fn retry(&self, delivery: &Delivery, delay: Duration) -> Result<(), QueueError> {
        let mut put_back = self.keys.call(&self.scripts.put_back);
        put_back.arg(millis(delay)).arg(0);
        add_taken(&mut put_back, delivery, delivery.attempt)?;
        self.call(&put_back).await
    }

    async fn bury(&self, delivery: &Delivery, reason: &str) -> Result<(), QueueError> {
        let reason: String = reason.chars().filter(|c| *c != '\0').take(REASON).collect();
        let mut bury = self.keys.call(&self.scripts.bury);
        bury.arg(reason).arg(&receipt(delivery)?);
        bury.arg(&delivery.id).arg(&delivery.payload);
        bury.arg(delivery.trace_parent.as_deref().unwrap_or_default());
        bury.arg(delivery.enqueued).arg(delivery.attempt);
        self.call(&bury).await
    }

    async fn dead(&self, after: Option<&str>, most: usize) -> Result<Vec<DeadLetter>, QueueError> {
        let from = after.map_or_else(|| "-".to_owned(), |cursor| format!("({cursor}"));
        let mut dead = self.keys.call(&self.scripts.dead);
        dead.arg(from).arg(most.min(BATCH));
        let entries: Vec<Entry> = self.call(&dead).await?;
        Ok(entries.iter().map(dead_letter).collect())
    }

    async fn redrive(&self, id: &str) -> Result<bool, QueueError> {
        let mut redrive = self.keys.call(&self.scripts.redrive);
        redrive.arg(id);
        self.call(&redrive).await
    }

    async fn depth(&self) -> Result<Depth, QueueError> {
        let counts: (u64, u64, u64, u64, i64) =
            self.call(&self.keys.call(&self.scripts.depth)).await?;
        let (waiting, delayed, taken, dead, oldest) = counts;
        Ok(Depth {
            waiting,
            delayed,
            taken,
            dead,
            oldest: (oldest >= 0).then_some(oldest),
        })
    }

    async fn turn(&self, per_second: f64, burst: u32) -> Result<Duration, QueueError> {
        let rate = Rate::new(per_second, burst);
        let mut turn = self.keys.call(&self.scripts.turn);
        turn.arg(rate.interval).arg(rate.tolerance);
        Ok(Duration::from_micros(self.call(&turn).await?))
    }
}

/// Connects to a server and changes nothing there.
pub(super) async fn dial(url: &str, variable: &'static str) -> Result<(), OpenQueueError> {
    connect(url, variable).await.map(drop)
}

async fn connect(url: &str, variable: &'static str) -> Result<Link, OpenQueueError> {
    let link = Client::open(url).map(Link::new);
    let answered = match link {
        Ok(link) => ping(&link).await.map(|()| link),
        Err(error) => Err(error),
    };
    answered.map_err(|error| cannot_open(url, variable, error.to_string()))
}

async fn ping(link: &Link) -> RedisResult<()> {
    let mut connection = link.connect(POLL * 10).await?;
    redis::cmd("PING").query_async(&mut connection).await
}

fn cannot_open(url: &str, variable: &'static str, cause: String) -> OpenQueueError {
    OpenQueueError::Redis {
        variable,
        url: without_password(url),
        source: Cause::new(cause),
    }
}

fn millis(duration: Duration) -> u64 {
    // As far away as a double is exact to the millisecond.
    u64::try_from(duration.as_millis())
        .unwrap_or(u64::MAX)
        .min(1 << 50)
}

fn add_receipts(
    call: &mut ScriptInvocation<'_>,
    deliveries: &[Delivery],
) -> Result<(), QueueError> {
    for delivery in deliveries {
        let parts = receipt(delivery)?;
        call.arg(&parts);
    }
    Ok(())
}

/// What `put_back.lua` is to know of a message that has been tried so often.
fn add_taken(
    call: &mut ScriptInvocation<'_>,
    delivery: &Delivery,
    attempts: u32,
) -> Result<(), QueueError> {
    let trace = delivery.trace_parent.as_deref();
    call.arg(&receipt(delivery)?)
        .arg(&delivery.id)
        .arg(&delivery.payload)
        .arg(meta(delivery.enqueued, attempts, trace))
        .arg(delivery.enqueued);
    Ok(())
}

/// Number of the stream, entry, how often it was delivered.
fn receipt(delivery: &Delivery) -> Result<[&str; 3], QueueError> {
    let mut parts = delivery.receipt.splitn(3, '/');
    match [parts.next(), parts.next(), parts.next()] {
        [Some(stream @ ("1" | "2")), Some(entry), Some(deliveries)] => {
            Ok([stream, entry, deliveries])
        }
        _ => Err(QueueError::new(format!(
            "{:?} is not of this queue",
            delivery.receipt
        ))),
    }
}
