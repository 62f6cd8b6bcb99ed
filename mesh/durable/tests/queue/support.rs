//! A fresh queue of each kind, and what tests do with it.

use std::time::Duration;

use durable::queue::{AnyQueue, Delivery, NewMessage, Queue as _, open};

/// Longer than any test takes: nobody is taken over.
pub(crate) const FOR_EVER: Duration = Duration::from_hours(1);
/// Soon over, for tests that wait for it.
pub(crate) const SHORT: Duration = Duration::from_millis(200);
/// What a consumer waits for a message that must come.
const PATIENCE: Duration = Duration::from_mins(1);

/// Where a queue is.
pub(crate) struct Place {
    url: String,
}

impl Place {
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Opens the queue as another process would.
    pub(crate) async fn open(&self, lease: Duration) -> AnyQueue {
        let queue = open(&self.url, "test", "SKYWAY_TEST_QUEUE_URL").await;
        queue.unwrap().with_lease(lease)
    }
}

/// Runs `body` with an empty queue of each kind.
pub(crate) async fn each_queue(body: impl AsyncFn(Place)) {
    testing::each_database(async |url| body(Place { url }).await).await;
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
