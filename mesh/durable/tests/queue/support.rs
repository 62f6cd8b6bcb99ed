//! A fresh queue of each kind, and what tests do with it.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use durable::queue::{AnyQueue, Delivery, NewMessage, Queue as _, open};
use redis::aio::MultiplexedConnection;
use sea_orm::{ConnectionTrait as _, Database};

/// Longer than any test takes: nobody is taken over.
pub(crate) const FOR_EVER: Duration = Duration::from_hours(1);
/// Soon over, for tests that wait for it.
pub(crate) const SHORT: Duration = Duration::from_millis(200);
/// What a consumer waits for a message that must come.
const PATIENCE: Duration = Duration::from_mins(1);

/// Where a queue is.
pub(crate) struct Place {
    url: String,
    topic: String,
}

impl Place {
    /// A queue that nobody has used.
    pub(crate) fn new(url: String) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let topic = format!("test-{}", MADE.fetch_add(1, Ordering::Relaxed));
        Self { url, topic }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn is_redis(&self) -> bool {
        self.url.starts_with("redis:")
    }

    /// Opens the queue as another process would.
    pub(crate) async fn open(&self, lease: Duration) -> AnyQueue {
        let queue = open(&self.url, &self.topic, "SKYWAY_TEST_QUEUE_URL").await;
        queue.unwrap().with_lease(lease)
    }

    /// Takes everything away that the queue holds, behind its back.
    pub(crate) async fn wipe(&self) {
        if !self.is_redis() {
            let database = Database::connect(&self.url).await.unwrap();
            let wiped = database.execute_unprepared("DELETE FROM queue").await;
            wiped.unwrap();
            return;
        }
        let mut redis = self.redis().await;
        // Not FLUSHALL: other tests are at the same server.
        let ours = redis::cmd("KEYS")
            .arg(format!("*skyway:{}*", self.topic))
            .to_owned();
        let keys: Vec<String> = ours.query_async(&mut redis).await.unwrap();
        let deleted = redis::cmd("DEL")
            .arg(keys)
            .query_async::<()>(&mut redis)
            .await;
        deleted.unwrap();
    }

    /// A connection of our own.
    pub(crate) async fn redis(&self) -> MultiplexedConnection {
        let client = redis::Client::open(self.url.as_str()).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }

    /// A command on the topic's stream, such as `DEL`.
    pub(crate) async fn on_stream(&self, command: &str, arguments: &[&str]) {
        let mut words = command.split(' ');
        let mut call = redis::cmd(words.next().unwrap());
        for word in words {
            call.arg(word);
        }
        call.arg(format!("skyway:{}", self.topic)).arg(arguments);
        let outcome = call
            .query_async::<redis::Value>(&mut self.redis().await)
            .await;
        outcome.unwrap();
    }

    pub(crate) fn topic(&self) -> &str {
        &self.topic
    }
}

/// Runs `body` with an empty queue of each kind.
pub(crate) async fn each_queue(body: impl AsyncFn(Place)) {
    testing::each_database(async |url| body(Place::new(url)).await).await;
    // Last: a failure that is named after no database is its.
    body(Place::new(testing::redis().await.url())).await;
}

pub(crate) fn message(number: usize) -> NewMessage {
    NewMessage {
        id: format!("m-{number}"),
        // Not text, and not of one length.
        payload: [0, 255, 13, 10].repeat(number % 5),
        trace_parent: (number % 2 == 1).then(|| {
            format!(
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{:02}",
                number % 100
            )
        }),
        enqueued: 1_000 + i64::try_from(number).unwrap(),
    }
}

pub(crate) fn messages(numbers: std::ops::Range<usize>) -> Vec<NewMessage> {
    numbers.map(message).collect()
}

/// Takes exactly so many, one after the other.
pub(crate) async fn take(queue: &AnyQueue, consumer: &str, many: usize) -> Vec<Delivery> {
    let mut taken = vec![];
    while taken.len() < many {
        let more = queue
            .take(consumer, many - taken.len(), PATIENCE)
            .await
            .unwrap();
        assert!(
            !more.is_empty(),
            "{consumer} has waited for {many}, and got {taken:?}"
        );
        taken.extend(more);
    }
    taken
}

/// What is there to be taken at this moment.
pub(crate) async fn take_now(queue: &AnyQueue) -> Vec<Delivery> {
    queue.take("now", 100, Duration::ZERO).await.unwrap()
}

pub(crate) fn ids(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries
        .iter()
        .map(|delivery| delivery.id.as_str())
        .collect()
}
