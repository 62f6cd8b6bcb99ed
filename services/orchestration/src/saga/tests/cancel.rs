//! Trips are cancelled once, however many ask, and only while they can be.

use std::time::Duration;

use futures_util::StreamExt;

use super::world::{Script, World, order, wish};
use crate::domain::{
    error::TripError,
    trip::{FailureReason, SeatState, TripState, Viewer},
};

#[tokio::test]
async fn all_who_cancel_at_once_see_it_cancelled_once() {
    let world = World::new().await;
    let (one, other) = (world.replica(), world.replica());
    let booked = one.trips.book(order("k", &["A", "B"])).await.unwrap();
    world.script("cancel", &[Script::AnswerLost]);
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..8 {
        let trips = if number % 2 == 0 {
            &one.trips
        } else {
            &other.trips
        };
        let (trips, wish) = (trips.clone(), wish(&booked, None));
        calls.spawn(async move { trips.cancel(wish).await.unwrap().state });
    }
    assert_eq!(calls.join_all().await, [TripState::Cancelled; 8]);
    assert_eq!(
        (world.seats(SeatState::Cancelled), world.calls("cancel")),
        (4, 2)
    );
    let mails = [
        format!("{} CONFIRMED", booked.id),
        format!("{} CANCELLED", booked.id),
    ];
    assert_eq!(world.mails().await, mails);
    // Whoever asks again for the booking is told what was told before.
    let again = one.trips.book(order("k", &["A", "B"])).await.unwrap();
    assert_eq!(again, booked);
    world.check().await;
}

#[tokio::test]
async fn a_trip_that_is_not_booked_or_has_begun_is_not_cancelled() {
    let world = World::new().await;
    let replica = world.replica();
    let Err(TripError::Failed { trip_id, .. }) = replica.trips.book(order("k", &["FULL"])).await
    else {
        panic!("it was full");
    };
    let failed = replica
        .trips
        .get(&trip_id, &Viewer::Everyone)
        .await
        .unwrap();
    let outcome = replica.trips.cancel(wish(&failed, None)).await;
    let state = TripState::Failed;
    assert!(matches!(outcome, Err(TripError::NotConfirmed { state: is }) if is == state));
    let booked = replica.trips.book(order("l", &["A"])).await.unwrap();
    world.pass(Duration::from_hours(100));
    let outcome = replica.trips.cancel(wish(&booked, None)).await;
    assert!(matches!(outcome, Err(TripError::Departed { flight_id }) if flight_id == "A"));
    let eve = crate::saga::CancelTrip {
        viewer: Viewer::User("eve".to_owned()),
        ..wish(&booked, None)
    };
    let outcome = replica.trips.cancel(eve).await;
    assert!(matches!(outcome, Err(TripError::NotFound { .. })));
}

#[tokio::test]
async fn a_key_cancels_one_trip() {
    let world = World::new().await;
    let replica = world.replica();
    let first = replica.trips.book(order("k", &["A"])).await.unwrap();
    let second = replica.trips.book(order("l", &["A"])).await.unwrap();
    for _ in 0..2 {
        let cancelled = replica.trips.cancel(wish(&first, Some("c"))).await.unwrap();
        assert_eq!(cancelled.state, TripState::Cancelled);
    }
    let reused = replica.trips.cancel(wish(&second, Some("c"))).await;
    assert!(matches!(reused, Err(TripError::KeyReused)), "{reused:?}");
    // The key of a booking is another one.
    assert!(replica.trips.cancel(wish(&second, Some("l"))).await.is_ok());
}

#[tokio::test]
async fn what_must_not_be_refused_is_tried_until_it_is_not() {
    let world = World::new().await;
    let replica = world.replica();
    let booked = replica.trips.book(order("k", &["A"])).await.unwrap();
    world.script("cancel", &[Script::Refused(FailureReason::HoldNotFound); 2]);
    let cancelled = replica.trips.cancel(wish(&booked, None)).await.unwrap();
    assert_eq!(cancelled.state, TripState::Cancelled);
}

#[tokio::test]
async fn a_watcher_sees_every_state_until_nothing_more_happens() {
    let world = World::new().await;
    let (one, other) = (world.replica(), world.replica());
    let booked = one.trips.book(order("k", &["A"])).await.unwrap();
    let viewer = Viewer::User("ada".to_owned());
    let finished: Vec<_> = one
        .trips
        .watch(&booked.id, &viewer)
        .await
        .unwrap()
        .collect()
        .await;
    assert_eq!(finished.len(), 1);
    // Watched here, cancelled there: found by looking now and then.
    world.script("cancel", &[Script::Lost; 100]);
    let cancelling = tokio::spawn({
        let (trips, wish) = (other.trips.clone(), wish(&booked, None));
        async move { trips.cancel(wish).await }
    });
    while world.calls("cancel") == 0 {
        tokio::task::yield_now().await;
    }
    let watched = one.trips.watch(&booked.id, &viewer).await.unwrap();
    let states: Vec<TripState> = watched.map(|trip| trip.unwrap().state).collect().await;
    assert_eq!(states, [TripState::Cancelling, TripState::Cancelled]);
    assert!(cancelling.await.unwrap().is_ok());
    let eve = Viewer::User("eve".to_owned());
    assert!(one.trips.watch(&booked.id, &eve).await.is_err());
}
