//! Trips are booked whole or not at all, and once per key.

use std::time::Duration;

use super::world::{Script, World, order, reason};
use crate::domain::{
    error::{OfferError, TripError},
    ports::{Logged, TripReader},
    trip::{FailureReason, SeatState, TripState, Viewer},
};

async fn log(world: &World, trip_id: &str) -> Vec<Logged> {
    world.store.log_list(trip_id, 100).await.unwrap()
}

fn events(log: &[Logged]) -> Vec<(&str, u32)> {
    log.iter()
        .map(|line| (line.event.as_str(), line.attempt))
        .collect()
}

#[tokio::test]
async fn a_trip_is_booked_whole() {
    let world = World::new().await;
    let trip = world
        .replica()
        .trips
        .book(order("k", &["A", "B", "C"]))
        .await
        .unwrap();
    assert_eq!(trip.state, TripState::Confirmed);
    assert!(trip.bookings.iter().all(|booking| booking.locator.is_some()
        && booking.state == Some(SeatState::Confirmed)));
    assert_eq!(world.seats(SeatState::Confirmed), 6);
    assert_eq!(world.mails().await, [format!("{} CONFIRMED", trip.id)]);
    assert_eq!(
        events(&log(&world, &trip.id).await),
        [("hold", 1), ("confirm", 1), ("trip.confirmed", 1)]
    );
    world.check().await;
}

#[tokio::test]
async fn a_trip_that_is_refused_leaves_nothing_held() {
    for (method, script, expected) in [
        ("hold", None, FailureReason::SoldOut),
        (
            "hold",
            Some(FailureReason::FlightDeparted),
            FailureReason::FlightDeparted,
        ),
        (
            "confirm",
            Some(FailureReason::HoldExpired),
            FailureReason::HoldExpired,
        ),
    ] {
        let world = World::new().await;
        let last = if script.is_none() { "FULL" } else { "C" };
        if let Some(reason) = script {
            world.script(method, &[Script::Refused(reason)]);
        }
        let replica = world.replica();
        let outcome = replica.trips.book(order("k", &["A", "B", last])).await;
        assert_eq!(reason(outcome), expected);
        let taken = world.seats(SeatState::Held) + world.seats(SeatState::Confirmed);
        assert_eq!(taken, 0, "{method}");
        assert_eq!(world.mails().await, [""; 0]);
        // Asked again, the same answer, and nothing is tried again.
        let calls = world.calls("hold");
        let again = replica.trips.book(order("k", &["A", "B", last])).await;
        assert_eq!(reason(again), expected);
        assert_eq!(world.calls("hold"), calls);
        world.check().await;
    }
}

#[tokio::test]
async fn what_is_not_clear_is_asked_again() {
    for method in ["hold", "confirm"] {
        for script in [Script::Lost, Script::AnswerLost] {
            let world = World::new().await;
            world.script(method, &[script; 3]);
            let outcome = world.replica().trips.book(order("k", &["A"])).await;
            let trip = outcome.unwrap();
            assert_eq!(world.seats(SeatState::Confirmed), 2, "{method} {script:?}");
            let log = log(&world, &trip.id).await;
            let attempts = log.iter().filter(|line| line.event == method);
            let attempts: Vec<u32> = attempts.map(|line| line.attempt).collect();
            assert_eq!(attempts, [1, 2, 3, 4], "{method} {script:?}");
            let again = log.iter().find(|line| line.attempt == 2).unwrap();
            assert_eq!(again.detail, "again, after: UNAVAILABLE: no answer");
        }
    }
}

#[tokio::test]
async fn many_attempts_fill_no_log() {
    let world = World::new().await;
    world.script("confirm", &[Script::Lost; 24]);
    let trip = world
        .replica()
        .trips
        .book(order("k", &["A"]))
        .await
        .unwrap();
    let log = log(&world, &trip.id).await;
    let attempts = log.iter().filter(|line| line.event == "confirm");
    let attempts: Vec<u32> = attempts.map(|line| line.attempt).collect();
    assert_eq!(attempts, [1, 2, 3, 4, 5, 10, 20]);
}

#[tokio::test]
async fn seats_that_cannot_be_held_for_ten_seconds_are_given_up() {
    let world = World::new().await;
    // A flight that answers and one that does not; each silence lasts three seconds.
    world.script("hold", &[Script::AnswerLost; 100]);
    world.script("release", &[Script::Lost, Script::AnswerLost]);
    let outcome = world.replica().trips.book(order("k", &["A"])).await;
    assert_eq!(reason(outcome), FailureReason::BookingUnavailable);
    assert_eq!(world.calls("hold"), 4);
    while world.seats(SeatState::Held) > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_hold_that_has_expired_meanwhile_is_not_confirmed() {
    let world = World::new().await;
    let replica = world.replica();
    let first = replica.trips.book(order("k", &["A"])).await.unwrap();
    assert_eq!(first.bookings[0].locator.as_deref(), Some("L00000"));
    world.script("hold", &[Script::Refused(FailureReason::HoldExpired)]);
    let outcome = replica.trips.book(order("l", &["A"])).await;
    assert_eq!(reason(outcome), FailureReason::HoldExpired);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_key_at_once_through_two_replicas_makes_one_trip() {
    let world = World::new().await;
    let (one, other) = (world.replica(), world.replica());
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..32 {
        let replica = if number % 2 == 0 { &one } else { &other };
        let trips = replica.trips.clone();
        calls.spawn(async move { trips.book(order("k", &["A", "B"])).await.unwrap() });
    }
    let trips = calls.join_all().await;
    assert!(trips.iter().all(|trip| *trip == trips[0]));
    assert_eq!(world.seats(SeatState::Confirmed), 4);
    assert_eq!(world.mails().await.len(), 1);
    world.check().await;
}

#[tokio::test]
async fn a_key_belongs_to_one_body_for_a_day() {
    let world = World::new().await;
    let replica = world.replica();
    let trip = replica.trips.book(order("k", &["A"])).await.unwrap();
    let other_body = replica.trips.book(order("k", &["A", "B"])).await;
    assert!(
        matches!(other_body, Err(TripError::KeyReused)),
        "{other_body:?}"
    );
    // Long after the offer has expired, but not a day later.
    world.pass(Duration::from_hours(23));
    assert_eq!(replica.trips.book(order("k", &["A"])).await.unwrap(), trip);
    world.pass(Duration::from_hours(2));
    let expired = replica.trips.book(order("k", &["A"])).await;
    assert!(
        matches!(expired, Err(TripError::Offer(OfferError::Expired))),
        "{expired:?}"
    );
    world.check().await;
}

#[tokio::test]
async fn an_offer_that_is_no_good_makes_no_trip() {
    let world = World::new().await;
    let replica = world.replica();
    let mut forged = order("k", &["A"]);
    forged.offer = None;
    let mut alone = order("k", &["A"]);
    alone.passengers.pop();
    for (order, expected) in [
        (forged, OfferError::Invalid),
        (
            alone,
            OfferError::Passengers {
                offered: 2,
                given: 1,
            },
        ),
    ] {
        match replica.trips.book(order).await {
            Err(TripError::Offer(error)) => assert_eq!(error, expected),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(world.store.trip_page("", 10).await.unwrap(), []);
    // The key is still free.
    assert!(replica.trips.book(order("k", &["A"])).await.is_ok());
}

#[tokio::test]
async fn a_caller_who_hangs_up_stops_nothing() {
    let world = World::new().await;
    let replica = world.replica();
    world.script("confirm", &[Script::Lost; 3]);
    let booking = replica.trips.book(order("k", &["A"]));
    let hang_up = async {
        while world.calls("hold") == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        outcome = booking => panic!("answered before the caller hung up: {outcome:?}"),
        () = hang_up => {}
    }
    while world.seats(SeatState::Confirmed) == 0 {
        tokio::task::yield_now().await;
    }
    let trip = replica.trips.book(order("k", &["A"])).await.unwrap();
    assert_eq!((trip.state, world.calls("hold")), (TripState::Confirmed, 1));
}

#[tokio::test]
async fn what_belongs_to_others_is_not_found() {
    let world = World::new().await;
    let replica = world.replica();
    let trip = replica.trips.book(order("k", &["A"])).await.unwrap();
    for (viewer, seen) in [
        (Viewer::User("ada".to_owned()), true),
        (Viewer::User("eve".to_owned()), false),
        (Viewer::Everyone, true),
    ] {
        let found = replica.trips.get(&trip.id, &viewer).await;
        assert_eq!(found.is_ok(), seen, "{viewer:?}");
    }
}
