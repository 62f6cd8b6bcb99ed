//! The queue of production: Redis streams with a consumer group, and small scripts around them.
//!
//! Redis acknowledges what it may still lose: with `appendfsync everysec` the last second, and everything
//! where somebody wipes it. That is no reason to keep more copies here: a producer keeps its own until it
//! hears that the work is done, asks now and then what is `missing`, and publishes it again. For that to
//! be exact, every message's id is held from its publication until it is settled, and every script
//! changes all keys or none. After a wipe all ids are missing, and everything comes back.
//!
//! A delivery is known by its entry and how often that has been delivered. A taken message is its
//! consumer's until nothing has been said of it for a while (`keep` says something); then the next one that
//! takes gets it, and what the former still says of it changes nothing. Only settling is believed of
//! anybody: who has done the work has done it. It acknowledges and deletes at once, so that the streams
//! hold exactly what is not settled, and nothing is ever trimmed.
//!
//! What is tried again, given back or redriven comes to a stream of its own, which is read first: at the end of
//! the main one it would wait behind all that is new.

mod link;
mod scripts;

use std::{
    error::Error as _,
    sync::Arc,
    time::{Duration, Instant},
};

use redis::{Client, FromRedisValue, RedisResult, ScriptInvocation};

use self::{
    link::Link,
    scripts::{Keys, Scripts},
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

/// What `take.lua` gives of each message.
type Taken = (u8, String, u64, Vec<u8>, Vec<u8>, Vec<u8>, i64, u32);
/// Entry and fields.
type Entry = (String, Vec<Vec<u8>>);

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
        self.link
            .call(call, &self.keys.call(&self.scripts.open))
            .await
    }

    /// Takes what is there; where that is nothing, says when and where to look again.
    async fn take_once(&self, consumer: &str, most: usize) -> Result<TakeAnswer, QueueError> {
        let mut take = self.keys.call(&self.scripts.take);
        take.arg(consumer).arg(most).arg(millis(self.lease));
        self.call(&take).await
    }
}

impl Queue for RedisQueue {
    async fn publish(&self, messages: &[NewMessage]) -> Result<(), QueueError> {
        for batch in messages.chunks(BATCH) {
            let mut publish = self.keys.call(&self.scripts.publish);
            for message in batch {
                publish
                    .arg(&message.id)
                    .arg(&message.payload)
                    .arg(message.trace_parent.as_deref().unwrap_or_default())
                    .arg(message.enqueued);
            }
            self.call::<()>(&publish).await?;
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
            let answer = self.take_once(consumer, most).await?;
            let left = until.saturating_duration_since(Instant::now());
            if !answer.taken.is_empty() || left.is_zero() {
                return Ok(answer.taken.into_iter().map(delivery).collect());
            }
            let pause = left.min(POLL).min(answer.due.unwrap_or(POLL));
            let [new, again] = &answer.behind;
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
            let mut settle = self.keys.call(&self.scripts.settle);
            for delivery in batch {
                let [stream, entry, _] = receipt(delivery)?;
                settle.arg(stream).arg(entry).arg(&delivery.id);
            }
            self.call::<()>(&settle).await?;
        }
        Ok(())
    }

    async fn give_back(&self, deliveries: &[Delivery], delay: Duration) -> Result<(), QueueError> {
        for batch in deliveries.chunks(BATCH) {
            let mut give_back = self.keys.call(&self.scripts.put_back);
            give_back.arg(millis(delay)).arg(1);
            add_receipts(&mut give_back, batch)?;
            self.call::<()>(&give_back).await?;
        }
        Ok(())
    }

    async fn retry(&self, delivery: &Delivery, delay: Duration) -> Result<(), QueueError> {
        let mut put_back = self.keys.call(&self.scripts.put_back);
        put_back.arg(millis(delay)).arg(0);
        add_receipts(&mut put_back, std::slice::from_ref(delivery))?;
        self.call(&put_back).await
    }

    async fn bury(&self, delivery: &Delivery, reason: &str) -> Result<(), QueueError> {
        let reason: String = reason.chars().filter(|c| *c != '\0').take(REASON).collect();
        let mut bury = self.keys.call(&self.scripts.bury);
        bury.arg(reason);
        add_receipts(&mut bury, std::slice::from_ref(delivery))?;
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

/// What `take.lua` answers.
struct TakeAnswer {
    taken: Vec<Taken>,
    /// How long until the next delayed one is due.
    due: Option<Duration>,
    /// The last entries of both streams.
    behind: [String; 2],
}

impl FromRedisValue for TakeAnswer {
    fn from_redis_value(value: redis::Value) -> Result<Self, redis::ParsingError> {
        let values = Vec::<redis::Value>::from_redis_value(value)?;
        let mut values = values.into_iter();
        let mut next = || values.next().unwrap_or(redis::Value::Nil);
        let taken = Vec::from_redis_value(next())?;
        let due: Option<i64> = Option::from_redis_value(next())?;
        let behind = [next(), next()].map(Option::<String>::from_redis_value);
        let [new, again] = behind;
        Ok(Self {
            taken,
            due: due.and_then(|due| Some(Duration::from_millis(u64::try_from(due).ok()?))),
            behind: [new?.unwrap_or_default(), again?.unwrap_or_default()],
        })
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

fn delivery(taken: Taken) -> Delivery {
    let (stream, entry, deliveries, id, payload, trace, enqueued, attempt) = taken;
    Delivery {
        id: text(&id),
        payload,
        trace_parent: (!trace.is_empty()).then(|| text(&trace)),
        enqueued,
        attempt,
        receipt: format!("{stream}/{entry}/{deliveries}"),
    }
}

/// Texts that somebody else has put there need not be texts.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A letter that `bury.lua` has written; what is not of it reads as empty.
fn dead_letter((entry, fields): &Entry) -> DeadLetter {
    let field = |name: &str| {
        let mut pairs = fields.chunks(2);
        let pair = pairs.find(|pair| pair[0] == name.as_bytes());
        pair.and_then(|pair| pair.get(1))
            .cloned()
            .unwrap_or_default()
    };
    let text = |name: &str| text(&field(name));
    DeadLetter {
        id: text("id"),
        payload: field("payload"),
        enqueued: text("enqueued").parse().unwrap_or_default(),
        attempts: text("attempts").parse().unwrap_or_default(),
        reason: text("reason"),
        died: text("died").parse().unwrap_or_default(),
        cursor: entry.clone(),
    }
}
