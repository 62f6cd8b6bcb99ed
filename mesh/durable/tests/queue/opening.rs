//! Opening a queue, and what is said where that fails.

use durable::queue::{dial, open};

use crate::support::each_queue;

const VARIABLE: &str = "SKYWAY_TEST_QUEUE_URL";

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_scheme_is_one_line_that_names_the_variable() {
    let error = open("amqp://broker", "test", VARIABLE).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("SKYWAY_TEST_QUEUE_URL: \"amqp\" is not supported; write redis://"),
        "{text}"
    );
    assert!(!text.contains('\n'), "{text}");
    assert!(dial("amqp://broker", VARIABLE).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_can_be_dialled() {
    each_queue(async |place| dial(place.url(), VARIABLE).await.unwrap()).await;
}
