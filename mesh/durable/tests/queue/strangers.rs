//! What others do to the keys in Redis must neither stop the queue nor make it forget anything else.

use std::time::Duration;

use durable::queue::{Depth, Queue as _};

use crate::support::{FOR_EVER, Place, ids, message, messages, take, take_now};

async fn place() -> Place {
    Place::new(testing::redis().await.url())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_has_put_there_can_be_given_up() {
    let place = place().await;
    let queue = place.open(FOR_EVER).await;
    queue.publish(&[message(1)]).await.unwrap();
    place.on_stream("XADD", &["*", "payload", "garbage"]).await;
    place
        .on_stream("XADD", &["*", "what", "ever", "it", "is"])
        .await;
    let numbers = ["*", "id", "x", "payload", "p", "meta", "nan -1 "];
    place.on_stream("XADD", &numbers).await;
    queue.publish(&[message(2)]).await.unwrap();
    let taken = take(&queue, "a", 5).await;
    assert_eq!((taken[0].id.as_str(), taken[4].id.as_str()), ("m-1", "m-2"));
    assert_eq!(taken[1].payload, b"garbage");
    assert_eq!(taken[2].payload, b"what\never\nit\nis");
    assert_eq!(taken[3].payload, b"p");
    for stranger in &taken[1..4] {
        assert!(stranger.id.starts_with("foreign-"), "{stranger:?}");
        assert_eq!(stranger.attempt, 1);
    }
    queue.bury(&taken[1], "not of the contract").await.unwrap();
    queue.retry(&taken[2], Duration::ZERO).await.unwrap();
    queue.give_back(&taken[3..4], Duration::ZERO).await.unwrap();
    let dead = queue.dead(None, 10).await.unwrap();
    assert_eq!(
        (dead.len(), dead[0].payload.as_slice()),
        (1, b"garbage".as_slice())
    );
    assert!(queue.redrive(&dead[0].id).await.unwrap());
    let again = take(&queue, "a", 3).await;
    let mut payloads: Vec<_> = again.iter().map(|one| one.payload.clone()).collect();
    payloads.sort();
    assert_eq!(
        payloads,
        [
            b"garbage".to_vec(),
            b"p".to_vec(),
            b"what\never\nit\nis".to_vec()
        ]
    );
    queue.settle(&taken).await.unwrap();
    queue.settle(&again).await.unwrap();
    assert_eq!(queue.depth().await.unwrap(), Depth::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_was_destroyed_is_made_again() {
    let place = place().await;
    let queue = place.open(FOR_EVER).await;
    queue.publish(&messages(0..2)).await.unwrap();
    take(&queue, "a", 1).await;
    place.on_stream("XGROUP DESTROY", &[place.topic()]).await;
    // With the group goes who had what: it comes once more.
    assert_eq!(ids(&take(&queue, "a", 2).await), ["m-0", "m-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_stream_is_gone_only_what_was_in_it_is_missing() {
    let place = place().await;
    let queue = place.open(FOR_EVER).await;
    queue.publish(&messages(0..4)).await.unwrap();
    let taken = take(&queue, "a", 3).await;
    queue.retry(&taken[0], FOR_EVER).await.unwrap();
    queue.bury(&taken[1], "no").await.unwrap();
    queue.give_back(&taken[2..], Duration::ZERO).await.unwrap();
    place.on_stream("DEL", &[]).await;
    let all: Vec<_> = messages(0..4).into_iter().map(|one| one.id).collect();
    assert_eq!(queue.missing(&all).await.unwrap(), ["m-3"]);
    queue.publish(&messages(0..4)).await.unwrap();
    assert_eq!(ids(&take(&queue, "a", 2).await), ["m-2", "m-3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_was_deleted_by_hand_stops_nobody() {
    let place = place().await;
    let queue = place.open(Duration::ZERO).await;
    queue.publish(&messages(0..2)).await.unwrap();
    let taken = take(&queue, "a", 2).await;
    let entry = taken[0].receipt.split('/').nth(1).unwrap().to_owned();
    place.on_stream("XDEL", &[&entry]).await;
    queue.retry(&taken[0], Duration::ZERO).await.unwrap();
    assert_eq!(ids(&take_now(&queue).await), ["m-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_streams_hold_what_is_not_settled_and_nothing_else() {
    let place = place().await;
    let queue = place.open(FOR_EVER).await;
    // More than a block of a stream holds.
    queue.publish(&messages(0..2_000)).await.unwrap();
    let taken = take(&queue, "a", 2_000).await;
    queue.settle(&taken[1..]).await.unwrap();
    let length = redis::cmd("XLEN")
        .arg(format!("skyway:{}", place.topic()))
        .to_owned();
    let length: u64 = length.query_async(&mut place.redis().await).await.unwrap();
    assert_eq!(length, 1);
    // The one that nobody settled is still whole.
    queue.give_back(&taken[..1], Duration::ZERO).await.unwrap();
    assert_eq!(take(&queue, "b", 1).await[0].payload, message(0).payload);
}
