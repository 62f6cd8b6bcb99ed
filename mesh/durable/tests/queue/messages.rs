//! One message's way: published, taken, kept, tried again, settled.

use std::time::Duration;

use durable::queue::{Depth, Queue as _};

use crate::support::{FOR_EVER, SHORT, each_queue, ids, message, messages, take, take_now};

#[tokio::test(flavor = "multi_thread")]
async fn messages_come_as_they_were_published_and_in_order() {
    each_queue(async |place| {
        let queue = place.open(FOR_EVER).await;
        let published = messages(0..20);
        queue.publish(&published[..7]).await.unwrap();
        queue.publish(&published[7..]).await.unwrap();
        queue.publish(&[]).await.unwrap();
        let mut taken = take(&queue, "a", 5).await;
        taken.extend(take(&place.open(FOR_EVER).await, "b", 15).await);
        for (published, taken) in published.iter().zip(&taken) {
            assert_eq!(published.id, taken.id);
            assert_eq!(published.payload, taken.payload);
            assert_eq!(published.trace_parent, taken.trace_parent);
            assert_eq!(published.enqueued, taken.enqueued);
            assert_eq!(taken.attempt, 1);
        }
        assert_eq!(take_now(&queue).await, []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_held_once_until_it_is_settled() {
    each_queue(async |place| {
        let queue = place.open(FOR_EVER).await;
        queue.publish(&messages(0..3)).await.unwrap();
        // Some of them again, one of them twice in one call.
        let again = [message(2), message(3), message(0), message(3)];
        queue.publish(&again).await.unwrap();
        let taken = take(&queue, "a", 4).await;
        assert_eq!(ids(&taken), ["m-0", "m-1", "m-2", "m-3"]);
        queue.publish(&messages(0..4)).await.unwrap();
        assert_eq!(
            take_now(&queue).await,
            [],
            "they are held while they are taken"
        );
        queue.settle(&taken[..2]).await.unwrap();
        queue.settle(&taken[..2]).await.unwrap();
        let all: Vec<_> = (0..5).map(|number| message(number).id).collect();
        assert_eq!(queue.missing(&all).await.unwrap(), ["m-0", "m-1", "m-4"]);
        assert_eq!(queue.missing(&[]).await.unwrap(), [""; 0]);
        queue.publish(&messages(0..4)).await.unwrap();
        assert_eq!(ids(&take(&queue, "a", 2).await), ["m-0", "m-1"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_waits_for_news() {
    each_queue(async |place| {
        let queue = place.open(FOR_EVER).await;
        // From this process, and from another.
        for publisher in [queue.clone(), place.open(FOR_EVER).await] {
            let consumer = {
                let queue = queue.clone();
                tokio::spawn(async move { take(&queue, "a", 1).await })
            };
            publisher.publish(&[message(1)]).await.unwrap();
            let taken = consumer.await.unwrap();
            assert_eq!(ids(&taken), ["m-1"]);
            queue.settle(&taken).await.unwrap();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_silent_consumer_has_is_given_to_another() {
    each_queue(async |place| {
        let queue = place.open(SHORT).await;
        queue.publish(&messages(0..2)).await.unwrap();
        let lost = take(&queue, "dies", 2).await;
        let heir = place.open(SHORT).await;
        for wanted in ["m-0", "m-1"] {
            while !ids(&take(&heir, "lives", 1).await).contains(&wanted) {}
        }
        let taken = take(&heir, "lives", 1).await;
        assert!(taken[0].attempt > 1, "{taken:?}");
        // The dead one says its last words about what is another's now.
        queue.keep("dies", &lost).await.unwrap();
        queue.retry(&lost[0], FOR_EVER).await.unwrap();
        queue.bury(&lost[0], "too late").await.unwrap();
        queue.give_back(&lost, FOR_EVER).await.unwrap();
        let depth = queue.depth().await.unwrap();
        assert_eq!((depth.delayed, depth.dead), (0, 0), "{depth:?}");
        // But what it has done is done.
        queue.settle(&lost[..1]).await.unwrap();
        let both = ["m-0".to_owned(), "m-1".to_owned()];
        assert_eq!(queue.missing(&both).await.unwrap(), ["m-0"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_speaks_keeps_what_it_has() {
    each_queue(async |place| {
        let queue = place.open(Duration::from_secs(2)).await;
        queue.publish(&[message(1)]).await.unwrap();
        let kept = take(&queue, "works", 1).await;
        let started = std::time::Instant::now();
        let other = tokio::spawn({
            let queue = queue.clone();
            async move { take(&queue, "waits", 1).await }
        });
        // Twice as long as it may be silent.
        let mut said = started;
        while started.elapsed() < Duration::from_secs(4) {
            queue.keep("works", &kept).await.unwrap();
            if said.elapsed() > Duration::from_secs(1) {
                // This machine was too busy for us to speak in time: then it may be gone.
                other.abort();
                return;
            }
            said = std::time::Instant::now();
            assert!(!other.is_finished(), "taken over while it was kept");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let taken = other.await.unwrap();
        assert_eq!((taken[0].id.as_str(), taken[0].attempt), ("m-1", 2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_waits_and_counts_and_giving_back_does_not() {
    each_queue(async |place| {
        let queue = place.open(FOR_EVER).await;
        queue.publish(&messages(0..2)).await.unwrap();
        let first = take(&queue, "a", 1).await;
        queue.retry(&first[0], FOR_EVER).await.unwrap();
        let other = take(&queue, "a", 1).await;
        assert_eq!(ids(&other), ["m-1"]);
        queue.retry(&other[0], SHORT).await.unwrap();
        let second = take(&queue, "a", 1).await;
        assert_eq!((ids(&second), second[0].attempt), (vec!["m-1"], 2));
        queue.give_back(&second, Duration::ZERO).await.unwrap();
        let again = take(&queue, "b", 1).await;
        assert_eq!((ids(&again), again[0].attempt), (vec!["m-1"], 2));
        assert_eq!(again[0].trace_parent, message(1).trace_parent);
        queue.give_back(&again, SHORT).await.unwrap();
        let again = take(&queue, "b", 1).await;
        assert_eq!(again[0].attempt, 2);
        assert_eq!(again[0].payload, message(1).payload);
        queue.settle(&again).await.unwrap();
        let expected = Depth {
            delayed: 1,
            oldest: Some(1_000),
            ..Depth::default()
        };
        assert_eq!(queue.depth().await.unwrap(), expected);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_comes_before_what_is_new() {
    each_queue(async |place| {
        let queue = place.open(FOR_EVER).await;
        queue.publish(&messages(0..5)).await.unwrap();
        let taken = take(&queue, "a", 1).await;
        queue.retry(&taken[0], Duration::ZERO).await.unwrap();
        assert_eq!(ids(&take(&queue, "a", 1).await), ["m-0"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_depth_says_where_messages_are() {
    each_queue(async |place| {
        let queue = place.open(FOR_EVER).await;
        assert_eq!(queue.depth().await.unwrap(), Depth::default());
        queue.publish(&messages(0..10)).await.unwrap();
        let taken = take(&queue, "a", 6).await;
        queue.bury(&taken[0], "no such mailbox").await.unwrap();
        queue.retry(&taken[1], FOR_EVER).await.unwrap();
        queue.give_back(&taken[2..3], Duration::ZERO).await.unwrap();
        queue.settle(&taken[3..4]).await.unwrap();
        let expected = Depth {
            waiting: 5,
            delayed: 1,
            taken: 2,
            dead: 1,
            // Not the dead one's.
            oldest: Some(1_001),
        };
        assert_eq!(queue.depth().await.unwrap(), expected);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_wiped_is_missing_and_can_be_published_again() {
    each_queue(async |place| {
        let queue = place.open(FOR_EVER).await;
        queue.publish(&messages(0..4)).await.unwrap();
        let taken = take(&queue, "a", 3).await;
        queue.retry(&taken[0], FOR_EVER).await.unwrap();
        queue.bury(&taken[1], "no").await.unwrap();
        place.wipe().await;
        let all: Vec<_> = messages(0..4).into_iter().map(|one| one.id).collect();
        assert_eq!(queue.missing(&all).await.unwrap(), all);
        // What was taken before does no harm.
        queue.settle(&taken).await.unwrap();
        queue.keep("a", &taken).await.unwrap();
        queue.publish(&messages(0..4)).await.unwrap();
        assert_eq!(ids(&take(&queue, "a", 4).await), all);
    })
    .await;
}
