//! Takes what mail is to be told from the outbox to the process queue.
//!
//! A queue that is away, also when a replica starts, keeps nobody from booking: it is opened beside the
//! server, however often that takes.

use std::time::Duration;

use durable::{
    queue::{AnyQueue, SqlLog, open},
    relay::{Options, Relay},
};
use mesh::backoff::Backoff;
use tokio_util::sync::CancellationToken;

use mesh::clock::milliseconds;

use crate::{clients::MailClient, store::MAIL};

/// Variable that names the queue, for messages.
const VARIABLE: &str = "SKYWAY_QUEUE_URL";
/// Between the first and the second attempt to open the queue.
const FIRST_DELAY: Duration = Duration::from_millis(100);
/// Between two attempts at most.
const MOST_DELAY: Duration = Duration::from_secs(5);

/// Relays from `log` to the queue at `url` until `shutdown`.
pub(crate) async fn run(log: SqlLog, url: &str, mail: MailClient, shutdown: &CancellationToken) {
    let queue = tokio::select! {
        queue = opened(url) => queue,
        () = shutdown.cancelled() => return,
    };
    let options = Options::new(milliseconds);
    Relay::new(log, MAIL, queue, mail, options)
        .run(shutdown)
        .await;
}

/// Opens the queue, however often it takes.
async fn opened(url: &str) -> AnyQueue {
    let mut backoff = Backoff::new(FIRST_DELAY, MOST_DELAY);
    let mut failing = false;
    loop {
        match open(url, MAIL, VARIABLE).await {
            Ok(queue) => return queue,
            Err(error) if failing => tracing::debug!(?error, "cannot open the queue"),
            Err(error) => tracing::warn!(?error, "cannot open the queue; mails wait in the outbox"),
        }
        failing = true;
        tokio::time::sleep(backoff.next(fastrand::f64())).await;
    }
}
