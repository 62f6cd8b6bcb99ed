//! The relay on every kind of database: nothing is lost, whatever dies or forgets.
#![recursion_limit = "256"]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod leases;
mod property;
mod spans;
mod world;

use std::time::Duration;

use durable::outbox::{self, Event};
use testing::each_database;
use world::{Publishing, TOPIC, World, now, until};

/// Longer than any test.
const LONG: Duration = Duration::from_hours(1);

fn events(numbers: std::ops::Range<usize>) -> Vec<(&'static str, usize)> {
    numbers.map(|number| ("trip", number)).collect()
}

fn ids(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("trip-{number}")).collect()
}

#[tokio::test]
async fn rows_are_published_in_their_order_and_go_when_they_are_recorded() {
    each_database(async |url| {
        let world = World::new(&url).await;
        world.commit(&events(0..700)).await;
        let relay = world.relay(LONG);
        world.commit(&events(700..1_200)).await;
        until("all in the queue", async || {
            world.lane.ids() == ids(0..1_200)
        })
        .await;
        assert!(world.lane.largest_batch() <= 200);
        let first = &world.lane.first()[7];
        assert_eq!(first.payload, 7_usize.to_be_bytes());
        assert!(first.enqueued <= now() && first.trace_parent.is_none());
        world.inbox.consume(&world.lane, 1_100);
        until("what is recorded is gone", async || {
            world.rows().await == ids(1_100..1_200)
        })
        .await;
        world.inbox.consume(&world.lane, 100);
        until("all gone", async || world.is_empty().await).await;
        assert!(world.inbox.largest_page() <= 500);
        assert_eq!(world.lane.first().len(), 1_200);
        relay.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_the_queue_loses_is_published_again() {
    each_database(async |url| {
        let world = World::new(&url).await;
        let relay = world.relay(LONG);
        world.commit(&events(0..50)).await;
        until("all in the queue", async || world.lane.ids().len() == 50).await;
        world.inbox.consume(&world.lane, 10);
        world.lane.lose(|_| true);
        until("the others again", async || world.lane.ids() == ids(10..50)).await;
        world.lane.lose(|message| message.id.ends_with('3'));
        until("the lost ones again", async || world.lane.ids().len() == 40).await;
        world.inbox.consume(&world.lane, 40);
        until("all gone", async || world.is_empty().await).await;
        assert_eq!(world.lane.ids(), [""; 0]);
        relay.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_queue_that_is_away_makes_the_outbox_grow_and_nothing_else() {
    each_database(async |url| {
        let world = World::new(&url).await;
        let relay = world.relay(LONG);
        for publishing in [Publishing::Fails, Publishing::AnswerLost, Publishing::Hangs] {
            world.lane.set(publishing);
            let (before, first) = (world.lane.attempts(), world.lane.first().len());
            world.commit(&events(first..first + 300)).await;
            until("some attempts", async || world.lane.attempts() > before + 2).await;
            assert_eq!(world.rows().await.len(), first + 300, "{publishing:?}");
            world.lane.set(Publishing::Works);
            until("all in the queue", async || {
                world.lane.first().len() == first + 300
            })
            .await;
        }
        assert_eq!(world.lane.ids(), ids(0..900));
        relay.stop().await;
    })
    .await;
}

#[tokio::test]
async fn rows_stay_while_their_consumer_is_away() {
    each_database(async |url| {
        let world = World::new(&url).await;
        let relay = world.relay(LONG);
        world.inbox.set_away(true);
        world.commit(&events(0..20)).await;
        until("all in the queue", async || world.lane.ids().len() == 20).await;
        world.inbox.consume(&world.lane, 20);
        // Others are published meanwhile, and what is not in the queue is not taken for lost.
        world.commit(&events(20..40)).await;
        until("the others too", async || world.lane.ids() == ids(20..40)).await;
        assert_eq!(world.rows().await, ids(0..40));
        world.inbox.set_away(false);
        until("what is recorded is gone", async || {
            world.rows().await == ids(20..40)
        })
        .await;
        assert_eq!(world.lane.ids(), ids(20..40));
        relay.stop().await;
    })
    .await;
}

#[tokio::test]
async fn one_relays_and_another_takes_over_when_it_stops() {
    each_database(async |url| {
        let world = World::new(&url).await;
        let first = world.relay(LONG);
        world.commit(&events(0..1)).await;
        until("published", async || world.lane.ids().len() == 1).await;
        let second = world.relay(LONG);
        // Given back: nobody could wait for the end of this lease.
        first.stop().await;
        world.commit(&events(1..2)).await;
        until("published", async || world.lane.ids() == ids(0..2)).await;
        second.kill().await;
        let third = world.relay(LONG);
        world.commit(&events(2..3)).await;
        let claim = durable::lease::claim(&world.db, "relay.mail", now(), now() + 1);
        assert_eq!(claim.await.unwrap(), None, "the killed one still has it");
        assert_eq!(world.lane.ids(), ids(0..2));
        // An hour later.
        let later = now() + 3_700_000;
        let claim = durable::lease::claim(&world.db, "relay.mail", later, 1).await;
        assert!(claim.unwrap().is_some());
        until("published", async || world.lane.ids() == ids(0..3)).await;
        third.stop().await;
    })
    .await;
}

#[tokio::test]
async fn other_topics_are_left_alone_and_a_row_without_an_id_is_named_by_its_number() {
    each_database(async |url| {
        let world = World::new(&url).await;
        let event = |topic| Event {
            topic,
            aggregate: "trip".to_owned(),
            message_id: None,
            payload: topic.as_bytes().to_vec(),
        };
        let tx = world.db.begin().await.unwrap();
        let both = [event("inventory"), event(TOPIC)];
        outbox::append(&tx, 1_000, both).await.unwrap();
        tx.commit().await.unwrap();
        let relay = world.relay(LONG);
        until("published", async || !world.lane.ids().is_empty()).await;
        assert_eq!(world.lane.ids(), ["2"]);
        assert_eq!(outbox::count(&world.db, TOPIC).await.unwrap(), 1);
        world.inbox.consume(&world.lane, 1);
        until("gone", async || {
            outbox::count(&world.db, TOPIC).await.unwrap() == 0
        })
        .await;
        assert_eq!(outbox::count(&world.db, "inventory").await.unwrap(), 1);
        relay.stop().await;
    })
    .await;
}
