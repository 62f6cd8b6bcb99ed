//! `kill -9` at any instant: every trip ends whole or not at all, and no key has two.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::day;
use crate::support::mesh::{Mesh, Stores, book, booking_of, check_seats, number, offer};
use crate::support::wait;

const ROUNDS: usize = 50;
const CLIENTS: usize = 6;
/// What a trip may be once nothing is killed any more.
const UNFINISHED: &str =
    "SELECT COUNT(*) FROM trips WHERE state NOT IN ('CONFIRMED', 'FAILED', 'CANCELLED')";

/// What its client was told about a key: the trip, or that there is none.
type Told = HashMap<String, Option<String>>;

/// Books trip after trip, each under its own key that it insists on, until told to stop.
async fn client(
    mesh: Arc<Mesh>,
    number: usize,
    offers: Arc<Vec<String>>,
    stop: Arc<AtomicBool>,
) -> Told {
    let user = mesh.user(&format!("client-{number}@example.com")).await;
    let mut told = Told::new();
    for attempt in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let key = format!("{number}-{attempt}");
        let seats = attempt % offers.len() + 1;
        let answer = book(&user, &booking_of(&offers[seats - 1], seats), &key).await;
        let trip = answer.json["tripId"].as_str().map(str::to_owned);
        assert!(
            answer.status == 200 || ["SOLD_OUT", "BOOKING_UNAVAILABLE"].contains(&answer.reason()),
            "{key}: {} {}",
            answer.status,
            answer.json
        );
        told.insert(key, trip);
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_every_trip_is_whole_or_not_at_all() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let (booking, orchestration) = (testing::postgres().await, testing::postgres().await);
    let stores = Stores {
        booking: booking.url.clone(),
        orchestration: orchestration.url.clone(),
    };
    // Three flights each way of which the last is soon full: both ends of a trip are exercised.
    let timetable = "carrier,number,origin,destination,departure,arrival,arrival_day,economy_seats,economy_fare\n\
        UA,1,JFK,ORD,08:00,09:45,,999,60.00\nUA,2,ORD,DEN,11:00,12:40,,999,80.00\nUA,3,DEN,SEA,14:00,16:00,,800,80.00\n";
    let mesh = Mesh::start(&stores, timetable, &[]).await;
    let mut offers = vec![];
    for seats in 1..=3 {
        offers.push(offer(&mesh.rest, "JFK", "SEA", &day(30), seats).await);
    }
    let (mesh, mut victims) = split(mesh);
    let (offers, stop) = (Arc::new(offers), Arc::new(AtomicBool::new(false)));
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(client(mesh.clone(), number, offers.clone(), stop.clone()));
    }
    for _ in 0..ROUNDS {
        tokio::time::sleep(Duration::from_millis(random.u64(50..400))).await;
        let which = random.usize(0..3);
        let replica = random.usize(0..2);
        let [bookings, orchestrations] = &mut victims;
        if which != 0 {
            bookings[replica].kill();
        }
        if which != 1 {
            orchestrations[replica].kill();
        }
        // Now and then nobody is left of either.
        if random.f64() < 0.2 {
            bookings[1 - replica].kill();
            orchestrations[1 - replica].kill();
        }
        tokio::time::sleep(Duration::from_millis(random.u64(0..200))).await;
        for part in bookings.iter_mut().chain(orchestrations.iter_mut()) {
            part.start_if_dead();
        }
        check_seats(&mesh.seats).await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut told = Told::new();
    while let Some(client) = clients.join_next().await {
        told.extend(client.unwrap());
    }
    wait::until("every trip to be finished", async || {
        (number(&mesh.trips, UNFINISHED).await == 0).then_some(())
    })
    .await;
    wait::until("no seat to be held", async || {
        let held = number(
            &mesh.seats,
            "SELECT COUNT(*) FROM bookings WHERE state = 'HELD'",
        )
        .await;
        (held == 0).then_some(())
    })
    .await;
    check_seats(&mesh.seats).await;
    check_told(&mesh, &told).await;
    mesh.audit().await;
}

/// Whoever was told of a trip has that one and no other, whole.
async fn check_told(mesh: &Mesh, told: &Told) {
    let booked = told.values().flatten().count();
    assert!(
        booked > 50,
        "only {booked} of {} trips were booked",
        told.len()
    );
    let keys = i64::try_from(told.len()).unwrap();
    assert_eq!(
        number(&mesh.trips, "SELECT COUNT(*) FROM idempotency").await,
        keys
    );
    assert_eq!(
        number(&mesh.trips, "SELECT COUNT(*) FROM trips").await,
        keys
    );
    let confirmed = "SELECT COUNT(*) FROM trips WHERE state = 'CONFIRMED'";
    assert_eq!(
        number(&mesh.trips, confirmed).await,
        i64::try_from(booked).unwrap()
    );
    let bookings = "SELECT COUNT(*) FROM bookings WHERE state = 'CONFIRMED'";
    assert_eq!(
        number(&mesh.seats, bookings).await,
        i64::try_from(3 * booked).unwrap()
    );
    let partial = "SELECT COUNT(*) FROM (SELECT trip_id FROM bookings WHERE state = 'CONFIRMED' GROUP BY trip_id HAVING COUNT(*) <> 3) AS partial";
    assert_eq!(
        number(&mesh.seats, partial).await,
        0,
        "trips with some of their flights"
    );
}

type Victims = [Vec<crate::support::mesh::Part>; 2];

/// What is killed, apart from what clients use.
fn split(mut mesh: Mesh) -> (Arc<Mesh>, Victims) {
    let victims = [
        std::mem::take(&mut mesh.booking),
        std::mem::take(&mut mesh.orchestration),
    ];
    (Arc::new(mesh), victims)
}
