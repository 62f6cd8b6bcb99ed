//! A replica dies at any call of anything outside, before it or after it: another one goes on, and
//! the end is the same as if nothing had happened. What a dead replica has done and not written down
//! is so done twice.

use std::time::Duration;

use super::world::{Replica, Script, When, World, order, reason, wish};
use crate::domain::{
    error::TripError,
    trip::{FailureReason, SeatState, Trip, TripState},
};

/// Longer than a lease.
const DEAD: Duration = Duration::from_secs(6);

/// Every point at which a replica can die, until it outlives them all.
async fn at_every_point(body: impl AsyncFn(World, Replica, Replica, &str) -> bool) {
    let mut deaths = 0;
    for number in 0.. {
        let mut survived = false;
        for when in [When::Before, When::After] {
            let world = World::new().await;
            let dying = world.replica_that_dies(Some((number, when)));
            let other = world.replica();
            let point = format!("{when:?} call {number}");
            survived = Box::pin(body(world.clone(), dying, other, &point)).await;
            world.check().await;
            deaths += usize::from(!survived);
        }
        if survived {
            break;
        }
    }
    assert!(deaths >= 8, "only {deaths} points");
}

/// The other replica's answer after it has looked for trips of the dead.
async fn after_the_death(
    world: &World,
    other: &Replica,
    flights: &[&str],
) -> Result<Trip, TripError> {
    world.pass(DEAD);
    other.trips.recover_once().await.unwrap();
    // A failure is answered before booking has given up the last hold, which the checks wait for.
    while !other.trips.0.running.is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Box::pin(other.trips.book(order("k", flights))).await
}

#[tokio::test]
async fn a_trip_is_booked_whoever_dies() {
    at_every_point(async |world, dying, other, point| {
        let answered = dying.book_or_die(order("k", &["A", "B"])).await;
        let trip = after_the_death(&world, &other, &["A", "B"]).await.unwrap();
        assert_eq!(trip.state, TripState::Confirmed, "{point}");
        assert_eq!(
            (
                world.seats(SeatState::Confirmed),
                world.seats(SeatState::Held)
            ),
            (4, 0),
            "{point}"
        );
        assert_eq!(
            world.mails().await,
            [format!("{} CONFIRMED", trip.id)],
            "{point}"
        );
        if let Some(first) = &answered {
            assert_eq!(first.as_ref().unwrap(), &trip, "{point}");
        }
        answered.is_some() && !dying.gate.dead.is_cancelled()
    })
    .await;
}

#[tokio::test]
async fn a_trip_that_cannot_be_booked_leaves_nothing_whoever_dies() {
    at_every_point(async |world, dying, other, point| {
        let flights = ["A", "B", "FULL"];
        let answered = dying.book_or_die(order("k", &flights)).await;
        let outcome = after_the_death(&world, &other, &flights).await;
        assert_eq!(reason(outcome), FailureReason::SoldOut, "{point}");
        let taken = world.seats(SeatState::Held) + world.seats(SeatState::Confirmed);
        assert_eq!((taken, world.mails().await.len()), (0, 0), "{point}");
        answered.is_some() && !dying.gate.dead.is_cancelled()
    })
    .await;
}

#[tokio::test]
async fn a_trip_is_cancelled_whoever_dies() {
    at_every_point(async |world, dying, other, point| {
        let booked = Box::pin(other.trips.book(order("k", &["A", "B"])))
            .await
            .unwrap();
        let cancelling = Box::pin(dying.trips.cancel(wish(&booked, Some("c"))));
        let dead = dying.gate.dead.clone();
        let answered = dead.run_until_cancelled(cancelling).await;
        world.pass(DEAD);
        other.trips.recover_once().await.unwrap();
        let cancelled = other.trips.cancel(wish(&booked, Some("c"))).await.unwrap();
        assert_eq!(cancelled.state, TripState::Cancelled, "{point}");
        assert_eq!(
            (
                world.seats(SeatState::Cancelled),
                world.seats(SeatState::Confirmed)
            ),
            (4, 0),
            "{point}"
        );
        assert_eq!(world.mails().await.len(), 2, "{point}");
        answered.is_some() && !dying.gate.dead.is_cancelled()
    })
    .await;
}

#[tokio::test]
async fn a_replica_that_was_only_slow_writes_nothing_more() {
    let world = World::new().await;
    let (slow, other) = (world.replica(), world.replica());
    world.script("confirm", &[Script::Lost; 100]);
    let booking = tokio::spawn({
        let trips = slow.trips.clone();
        async move { trips.book(order("k", &["A"])).await }
    });
    while world.calls("confirm") == 0 {
        tokio::task::yield_now().await;
    }
    slow.freeze();
    let trip = after_the_death(&world, &other, &["A"]).await.unwrap();
    let log = |world: World, id: String| async move {
        use crate::domain::ports::TripReader;
        world.store.log_list(&id, 500).await.unwrap()
    };
    let before = log(world.clone(), trip.id.clone()).await;
    slow.thaw();
    // It finds the trip done by the other one, and its own saga stops.
    assert_eq!(booking.await.unwrap().unwrap(), trip);
    slow.shutdown.cancel();
    slow.trips.stopped().await;
    assert_eq!(log(world.clone(), trip.id.clone()).await, before);
    assert_eq!(world.mails().await.len(), 1);
    world.check().await;
}

#[tokio::test]
async fn a_replica_that_shuts_down_leaves_its_trips_to_others_at_once() {
    let world = World::new().await;
    let (leaving, other) = (world.replica(), world.replica());
    world.script("confirm", &[Script::Lost; 2]);
    let booking = tokio::spawn({
        let trips = leaving.trips.clone();
        async move { trips.book(order("k", &["A"])).await }
    });
    while world.calls("confirm") == 0 {
        tokio::task::yield_now().await;
    }
    leaving.shutdown.cancel();
    let outcome = booking.await.unwrap();
    // Either it was quick enough, or it says that another one goes on.
    if outcome.is_err() {
        assert!(
            matches!(outcome, Err(TripError::ShuttingDown)),
            "{outcome:?}"
        );
        // No time has passed: the lease was given back.
        assert_eq!(other.trips.recover_once().await.unwrap(), 1);
    }
    let trip = other.trips.book(order("k", &["A"])).await.unwrap();
    assert_eq!(trip.state, TripState::Confirmed);
    assert_eq!(world.seats(SeatState::Confirmed), 2);
}

#[tokio::test]
async fn a_dead_replicas_trip_is_taken_by_one_only() {
    let world = World::new().await;
    let dying = world.replica_that_dies(Some((1, When::Before)));
    assert!(dying.book_or_die(order("k", &["A"])).await.is_none());
    let (one, other) = (world.replica(), world.replica());
    assert_eq!(
        one.trips.recover_once().await.unwrap(),
        0,
        "the lease still runs"
    );
    world.pass(DEAD);
    let (first, second) = tokio::join!(one.trips.recover_once(), other.trips.recover_once());
    assert_eq!(first.unwrap() + second.unwrap(), 1);
    assert!(other.trips.book(order("k", &["A"])).await.is_ok());
}

#[tokio::test]
async fn one_run_takes_over_all_trips_that_nobody_works_on() {
    const TRIPS: usize = 70;
    let world = World::new().await;
    for number in 0..TRIPS {
        let dying = world.replica_that_dies(Some((1, When::Before)));
        let order = order(&format!("k{number}"), &["A"]);
        assert!(dying.book_or_die(order).await.is_none());
    }
    world.pass(DEAD);
    let other = world.replica();
    assert_eq!(other.trips.recover().await.unwrap(), TRIPS);
    assert_eq!(other.trips.recover().await.unwrap(), 0);
}
