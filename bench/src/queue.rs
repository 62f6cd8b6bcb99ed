//! Our queue beside bare commands on the same Redis.
//!
//! Messages per second that are published, taken and settled, divided by those that go through a pipeline of
//! `XADD`, an `XREADGROUP` and an `XACK`, in rounds that take turns, with the same client, connections,
//! payloads, batches and backlog. What ours does more: it holds every id once, looks for the messages of
//! silent consumers and for delayed ones, and leaves nothing in the stream.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use durable::queue::{NewMessage, Queue as _, RedisQueue};
use redis::aio::MultiplexedConnection;
use testing::Redis;
use tokio::task::JoinSet;

use crate::spread;

/// What the relay publishes and a mail service takes at once.
const BATCH: usize = 100;
/// Bytes of a message: a trip that was confirmed, with its flights.
const PAYLOAD: usize = 600;
/// Messages that wait on each side all the time.
const BACKLOG: usize = 1_000;
/// Producers that are consumers too, each with a connection of its own.
const WORKERS: usize = 2;
/// How long each side runs in a round.
const ROUND: Duration = Duration::from_secs(2);
/// The least ratio that we promise.
const GOAL: f64 = 0.5;
/// The other side's stream and group.
const STREAM: &str = "bare";

/// What `XREADGROUP` gives: streams, of entries, of fields.
type Taken = Vec<(String, Vec<(String, Vec<Vec<u8>>)>)>;

/// Runs the comparison, prints it, and writes `queue.md`.
pub(crate) fn run(out: &Path, rounds: usize) -> Result<()> {
    std::fs::create_dir_all(out)?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let redis = Redis::start().await;
        backlog(&redis).await?;
        let mut ratios = vec![];
        for round in 0..=rounds {
            let ours = side(&redis, ours).await?;
            let bare = side(&redis, bare).await?;
            eprintln!(
                "round {round} of {rounds} (0 warms up): {ours:.0} messages/s, bare {bare:.0}"
            );
            if round > 0 {
                ratios.push(ours / bare);
            }
        }
        let report = report(&mut ratios);
        std::fs::write(out.join("queue.md"), &report)?;
        println!("{report}");
        Ok(())
    })
}

fn report(ratios: &mut [f64]) -> String {
    let [middle, lowest, highest] = spread(ratios);
    let met = if middle >= GOAL { "met" } else { "missed" };
    format!(
        "| published, taken, settled / XADD, XREADGROUP, XACK | median | least | most | goal |\n| --- | --- | --- | --- | --- |\n| batches of {BATCH} | {middle:.2} | {lowest:.2} | {highest:.2} | {GOAL} {met} |\n"
    )
}

/// Messages per second of all workers of a side.
async fn side<F>(redis: &Redis, work: impl Fn(String, usize) -> F) -> Result<f64>
where
    F: Future<Output = Result<usize>> + Send + 'static,
{
    let started = Instant::now();
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        workers.spawn(work(redis.url(), worker));
    }
    let mut messages = 0;
    for worker in workers.join_all().await {
        messages += worker?;
    }
    let messages = u32::try_from(messages)?;
    Ok(f64::from(messages) / started.elapsed().as_secs_f64())
}

/// Messages that wait while others come and go, as where mails are ordered faster than they leave. It also keeps Redis
/// from storing the ids as it stores what is small, in a list that is searched from its beginning.
async fn backlog(redis: &Redis) -> Result<()> {
    let queue = RedisQueue::open(&redis.url(), "bench", "REDIS_URL").await?;
    let mut connection = bare_connection(&redis.url()).await?;
    for first in (0..BACKLOG).step_by(BATCH) {
        queue.publish(&messages("backlog", first)).await?;
        bare_publish(&mut connection, "backlog", first).await?;
    }
    Ok(())
}

fn messages(producer: &str, first: usize) -> Vec<NewMessage> {
    let message = |number: usize| NewMessage {
        id: format!("{producer}-{number}"),
        payload: vec![7; PAYLOAD],
        trace_parent: None,
        enqueued: i64::try_from(number).unwrap_or(i64::MAX),
    };
    (first..first + BATCH).map(message).collect()
}

async fn ours(url: String, worker: usize) -> Result<usize> {
    let queue = RedisQueue::open(&url, "bench", "REDIS_URL").await?;
    let consumer = worker.to_string();
    let started = Instant::now();
    let mut settled = 0;
    let mut published = 0;
    while started.elapsed() < ROUND {
        queue.publish(&messages(&consumer, published)).await?;
        published += BATCH;
        let taken = queue.take(&consumer, BATCH, ROUND).await?;
        queue.settle(&taken).await?;
        settled += taken.len();
    }
    Ok(settled)
}

async fn bare(url: String, worker: usize) -> Result<usize> {
    let mut connection = bare_connection(&url).await?;
    let started = Instant::now();
    let mut settled = 0;
    while started.elapsed() < ROUND {
        settled += bare_batch(&mut connection, worker, settled).await?;
    }
    Ok(settled)
}

async fn bare_connection(url: &str) -> Result<MultiplexedConnection> {
    let client = redis::Client::open(url)?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let mut group = redis::cmd("XGROUP");
    group
        .arg("CREATE")
        .arg(STREAM)
        .arg(STREAM)
        .arg("0")
        .arg("MKSTREAM");
    // The other worker may have made it.
    let made: redis::RedisResult<()> = group.query_async(&mut connection).await;
    ensure!(made.is_ok() || made.is_err_and(|error| error.code() == Some("BUSYGROUP")));
    Ok(connection)
}

async fn bare_publish(
    connection: &mut MultiplexedConnection,
    producer: &str,
    first: usize,
) -> Result<()> {
    let mut publish = redis::pipe();
    for number in first..first + BATCH {
        let id = format!("{producer}-{number}");
        let fields = publish.cmd("XADD").arg(STREAM).arg("*").arg("id").arg(id);
        fields.arg("payload").arg(vec![7_u8; PAYLOAD]).ignore();
    }
    Ok(publish.query_async(connection).await?)
}

async fn bare_batch(
    connection: &mut MultiplexedConnection,
    worker: usize,
    first: usize,
) -> Result<usize> {
    bare_publish(connection, &worker.to_string(), first).await?;
    let mut take = redis::cmd("XREADGROUP");
    take.arg("GROUP")
        .arg(STREAM)
        .arg(worker)
        .arg("COUNT")
        .arg(BATCH);
    take.arg("STREAMS").arg(STREAM).arg(">");
    let taken: Taken = take.query_async(connection).await?;
    let entries = taken.into_iter().flat_map(|(_, entries)| entries);
    let ids: Vec<String> = entries.map(|(id, _)| id).collect();
    let mut settle = redis::cmd("XACK");
    settle.arg(STREAM).arg(STREAM).arg(&ids);
    Ok(settle.query_async(connection).await?)
}
