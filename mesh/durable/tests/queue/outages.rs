//! Redis goes away, comes back, is wiped, is full, has not loaded its data yet, is a replica for a while.

use std::{
    collections::HashSet,
    error::Error as _,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use durable::queue::{AnyQueue, NewMessage, Queue as _, QueueError};
use testing::Redis;
use tokio::task::JoinSet;

use crate::support::{FOR_EVER, Place, ids, message, messages, take};

/// How long an outage may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Does something until the queue lets it.
async fn insist<T>(mut action: impl AsyncFnMut() -> Result<T, QueueError>) -> T {
    let started = Instant::now();
    loop {
        match action().await {
            Ok(done) => return done,
            Err(error) => assert!(started.elapsed() < PATIENCE, "{error:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_where_it_was_after_a_crash() {
    let server = Redis::start_durable().await;
    let place = Place::new(server.url());
    let queue = place.open(FOR_EVER).await;
    queue.publish(&messages(0..10)).await.unwrap();
    let taken = take(&queue, "a", 6).await;
    queue.retry(&taken[0], FOR_EVER).await.unwrap();
    queue.bury(&taken[1], "no").await.unwrap();
    queue.settle(&taken[2..3]).await.unwrap();
    let before = queue.depth().await.unwrap();
    server.kill().await;
    server.start_again().await;
    assert_eq!(insist(async || queue.depth().await).await, before);
    // What was taken is still its consumer's.
    queue.settle(&taken[3..]).await.unwrap();
    let rest = take(&queue, "b", 4).await;
    assert_eq!(ids(&rest), ["m-6", "m-7", "m-8", "m-9"]);
    assert!(queue.redrive("m-1").await.unwrap());
    assert_eq!(take(&queue, "b", 1).await[0].payload, message(1).payload);
}

/// Publishes all of these, as a producer that never gives up.
async fn produce(queue: AnyQueue, own: Vec<NewMessage>) {
    for batch in own.chunks(10) {
        let started = Instant::now();
        while let Err(error) = queue.publish(batch).await {
            assert!(started.elapsed() < PATIENCE, "{error:?}");
        }
    }
}

/// Settles what it gets until so many are.
async fn consume(queue: AnyQueue, name: String, settled: Arc<Mutex<HashSet<String>>>, all: usize) {
    let mut last = Instant::now();
    while settled.lock().unwrap().len() < all {
        assert!(last.elapsed() < PATIENCE, "{name} gets nothing any more");
        let Ok(taken) = queue.take(&name, 20, Duration::from_millis(50)).await else {
            continue;
        };
        while queue.settle(&taken).await.is_err() {
            assert!(last.elapsed() < PATIENCE, "{name} cannot settle");
        }
        last = Instant::now();
        let ids = taken.into_iter().map(|one| one.id);
        settled.lock().unwrap().extend(ids);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_where_redis_crashes_in_the_middle() {
    const MESSAGES: usize = 3_000;
    const WORKERS: usize = 3;
    let server = Redis::start_durable().await;
    let place = Place::new(server.url());
    let settled: Arc<Mutex<HashSet<String>>> = Arc::default();
    let mut work = JoinSet::new();
    for worker in 0..WORKERS {
        let own = (worker..MESSAGES).step_by(WORKERS).map(message).collect();
        let lease = Duration::from_secs(1);
        work.spawn(produce(place.open(lease).await, own));
        let consumer = place.open(lease).await;
        work.spawn(consume(
            consumer,
            worker.to_string(),
            Arc::clone(&settled),
            MESSAGES,
        ));
    }
    for part in 1..=3 {
        let started = Instant::now();
        while settled.lock().unwrap().len() < part * MESSAGES / 4 {
            assert!(started.elapsed() < Duration::from_mins(1), "nothing moves");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.kill().await;
        server.start_again().await;
    }
    work.join_all().await;
    let all: Vec<_> = messages(0..MESSAGES)
        .into_iter()
        .map(|one| one.id)
        .collect();
    let queue = place.open(FOR_EVER).await;
    assert_eq!(
        queue.missing(&all).await.unwrap(),
        all,
        "all are settled and forgotten"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_waits_survives_a_wipe() {
    let server = Redis::start().await;
    let place = Place::new(server.url());
    let queue = place.open(FOR_EVER).await;
    queue.publish(&[message(1)]).await.unwrap();
    take(&queue, "a", 1).await;
    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move { take(&queue, "b", 1).await }
    });
    redis::cmd("FLUSHALL")
        .exec_async(&mut place.redis().await)
        .await
        .unwrap();
    assert_eq!(queue.missing(&[message(1).id]).await.unwrap(), ["m-1"]);
    queue.publish(&[message(1)]).await.unwrap();
    assert_eq!(ids(&waiting.await.unwrap()), ["m-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_redis_takes_nothing_more_but_can_be_emptied() {
    let settings = ["--maxmemory", "4mb", "--maxmemory-policy", "noeviction"];
    let server = Redis::start_with(&settings).await;
    let place = Place::new(server.url());
    let queue = place.open(FOR_EVER).await;
    let large = |number| NewMessage {
        payload: vec![0; 20_000],
        ..message(number)
    };
    let mut published = 0;
    let error = loop {
        match queue.publish(&[large(published)]).await {
            Ok(()) => published += 1,
            Err(error) => break error,
        }
        assert!(published < 1_000, "it is never full");
    };
    says(&error, "OOM");
    // A message that was refused is not held.
    let refused = [message(published).id];
    assert_eq!(queue.missing(&refused).await.unwrap(), refused);
    let taken = take(&queue, "a", published).await;
    queue.retry(&taken[0], Duration::ZERO).await.unwrap();
    queue.bury(&taken[1], "no").await.unwrap();
    queue.give_back(&taken[2..3], Duration::ZERO).await.unwrap();
    queue.settle(&taken[3..]).await.unwrap();
    insist(async || queue.publish(&[large(published)]).await).await;
    assert_eq!(take(&queue, "a", 3).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_stays_away_is_an_error_in_time() {
    let server = Redis::start().await;
    let place = Place::new(server.url());
    let queue = place.open(FOR_EVER).await;
    server.kill().await;
    assert!(queue.publish(&[message(1)]).await.is_err());
    assert!(queue.take("a", 1, FOR_EVER).await.is_err());
    server.start_again().await;
    insist(async || queue.publish(&[message(1)]).await).await;
    assert_eq!(ids(&take(&queue, "a", 1).await), ["m-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_loads_its_data_is_waited_for_and_then_has_everything() {
    // Slow enough that it loads until it is told to be quick, and looks at its clients between any two keys.
    let settings = [
        ["--key-load-delay", "100000"],
        ["--loading-process-events-interval-bytes", "1024"],
        ["--rdbcompression", "no"],
    ];
    let server = Redis::start_with(settings.as_flattened()).await;
    let place = Place::new(server.url());
    let queue = place.open(FOR_EVER).await;
    queue.publish(&messages(0..5)).await.unwrap();
    let taken = take(&queue, "a", 2).await;
    let mut redis = place.redis().await;
    for number in 0..600 {
        let mut fill = redis::cmd("SET");
        fill.arg(format!("filler-{number}")).arg(vec![0_u8; 2_048]);
        fill.exec_async(&mut redis).await.unwrap();
    }
    redis::cmd("SAVE").exec_async(&mut redis).await.unwrap();
    server.kill().await;
    server.begin_again();
    eventually("it loads", async || {
        let said = ask(&server, &["PING"]).await;
        said.is_err_and(|error| error.code() == Some("LOADING"))
    })
    .await;
    // Longer than anybody is to wait for one call.
    let error = queue.publish(&[message(5)]).await.unwrap_err();
    says(&error, "loading");
    let quick = ["CONFIG", "SET", "key-load-delay", "0"];
    ask(&server, &quick).await.unwrap();
    insist(async || queue.publish(&[message(5)]).await).await;
    // What was taken is still its consumer's.
    queue.settle(&taken).await.unwrap();
    let rest = take(&queue, "b", 4).await;
    assert_eq!(ids(&rest), ["m-2", "m-3", "m-4", "m-5"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_a_replica_takes_nothing_until_it_is_the_master_again() {
    let settings = ["--repl-diskless-sync-delay", "0"];
    let (server, other) = (
        Redis::start_with(&settings).await,
        Redis::start_with(&settings).await,
    );
    let place = Place::new(server.url());
    let queue = place.open(FOR_EVER).await;
    queue.publish(&messages(0..3)).await.unwrap();
    let taken = take(&queue, "a", 1).await;
    // As a fail-over does it: the other one has all that there is, and becomes the master.
    follow(&other, &server).await;
    lead(&other).await;
    follow(&server, &other).await;
    let publish = async || queue.publish(&[message(3)]).await;
    says(&publish().await.unwrap_err(), "read only replica");
    let take_more = queue.take("a", 1, Duration::ZERO).await;
    says(&take_more.unwrap_err(), "read only replica");
    let settled = queue.settle(&taken).await;
    says(&settled.unwrap_err(), "read only replica");
    lead(&server).await;
    publish().await.unwrap();
    queue.settle(&taken).await.unwrap();
    assert_eq!(ids(&take(&queue, "a", 3).await), ["m-1", "m-2", "m-3"]);
}

/// Makes one a replica of the other, and waits until it has all that the other has.
async fn follow(replica: &Redis, master: &Redis) {
    let port = master.port().to_string();
    ask(replica, &["REPLICAOF", "127.0.0.1", &port])
        .await
        .unwrap();
    eventually("it is a replica", async || {
        let known = ask(replica, &["INFO", "replication"]).await;
        known.is_ok_and(|known| known.contains("master_link_status:up"))
    })
    .await;
}

/// Makes one a master.
async fn lead(server: &Redis) {
    ask(server, &["REPLICAOF", "NO", "ONE"]).await.unwrap();
}

/// Asks a server something, over a connection of our own.
async fn ask(server: &Redis, words: &[&str]) -> redis::RedisResult<String> {
    let client = redis::Client::open(server.url())?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    command.query_async(&mut connection).await
}

/// Waits until something holds.
async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The cause of an error names what is wrong.
fn says(error: &QueueError, what: &str) {
    let cause = error.source().unwrap().to_string();
    assert!(cause.contains(what), "{cause}");
}
