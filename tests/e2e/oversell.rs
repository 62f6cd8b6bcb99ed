//! The last seat is sold once, on every database; a trip whose last flight is full holds nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use testing::Database;

use crate::support::day;
use crate::support::mesh::{Mesh, Stores, book, booking_of, check_seats, number, offer};
use crate::support::wait;

const CLIENTS: usize = 64;
const ATTEMPTS: usize = 2_000;
const SEATS: i64 = 100;
const HEADER: &str =
    "carrier,number,origin,destination,departure,arrival,arrival_day,economy_seats,economy_fare";

/// Sells a flight of 100 seats to 64 clients who want 1 to 4 of them 2,000 times.
async fn sell_out(booking: Database, orchestration: Database) {
    let stores = Stores {
        booking: booking.url.clone(),
        orchestration: orchestration.url.clone(),
    };
    let timetable = format!("{HEADER}\nAS,21,JFK,SEA,10:00,13:15,,{SEATS},250.00\n");
    let mesh = Mesh::start(&stores, &timetable, &[]).await;
    let user = mesh.user("ada@example.com").await;
    let mut offers = vec![];
    for seats in 1..=4 {
        offers.push(offer(&mesh.rest, "JFK", "SEA", &day(30), seats).await);
    }
    let offers = Arc::new(offers);
    let next = Arc::new(AtomicUsize::new(0));
    let sold = Arc::new(AtomicUsize::new(0));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let (user, offers, next, sold) = (user.clone(), offers.clone(), next.clone(), sold.clone());
        clients.spawn(async move {
            loop {
                let attempt = next.fetch_add(1, Ordering::Relaxed);
                if attempt >= ATTEMPTS {
                    return;
                }
                let seats = attempt * 7 % 4 + 1;
                let body = booking_of(&offers[seats - 1], seats);
                let answer = book(&user, &body, &format!("attempt-{attempt}")).await;
                if answer.status == 200 {
                    assert_eq!(answer.json["state"], "CONFIRMED");
                    sold.fetch_add(seats, Ordering::Relaxed);
                } else {
                    assert_eq!(
                        (answer.status, answer.reason()),
                        (400, "SOLD_OUT"),
                        "{}",
                        answer.json
                    );
                }
            }
        });
    }
    let done = Arc::new(AtomicBool::new(false));
    let watch = tokio::spawn({
        let (done, seats) = (done.clone(), mesh.seats.clone());
        async move {
            let mut samples = 0;
            while !done.load(Ordering::Relaxed) {
                check_seats(&seats).await;
                samples += 1;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            samples
        }
    });
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    assert!(watch.await.unwrap() > 10, "samples while it was sold");
    assert_eq!(
        i64::try_from(sold.load(Ordering::Relaxed)).unwrap(),
        SEATS,
        "exactly full"
    );
    wait::until("every hold to be given up", async || {
        let held = number(&mesh.seats, "SELECT COUNT(*) FROM inventory WHERE held > 0").await;
        (held == 0).then_some(())
    })
    .await;
    check_seats(&mesh.seats).await;
    let full = format!("SELECT COUNT(*) FROM inventory WHERE sold = {SEATS}");
    assert_eq!(number(&mesh.seats, &full).await, 1);
    mesh.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flight_sells_out_exactly_on_sqlite() {
    sell_out(testing::sqlite(), testing::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flight_sells_out_exactly_on_postgresql() {
    sell_out(testing::postgres().await, testing::postgres().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flight_sells_out_exactly_on_mariadb() {
    sell_out(testing::mariadb().await, testing::mariadb().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trip_whose_last_flight_is_full_holds_nothing() {
    let (booking, orchestration) = (testing::sqlite(), testing::sqlite());
    let stores = Stores {
        booking: booking.url.clone(),
        orchestration: orchestration.url.clone(),
    };
    let timetable = format!(
        "{HEADER}\nUA,1,JFK,ORD,08:00,09:45,,50,60.00\nUA,2,ORD,DEN,11:00,12:40,,50,80.00\nUA,3,DEN,SEA,14:00,16:00,,4,80.00\n"
    );
    let mesh = Mesh::start(&stores, &timetable, &[]).await;
    let user = mesh.user("grace@example.com").await;
    let through = offer(&mesh.rest, "JFK", "SEA", &day(30), 3).await;
    let last = offer(&mesh.rest, "DEN", "SEA", &day(30), 2).await;
    let answer = book(&user, &booking_of(&last, 2), "fills").await;
    assert_eq!(answer.status, 200, "{}", answer.json);

    let answer = book(&user, &booking_of(&through, 3), "through").await;
    assert_eq!(
        (answer.status, answer.reason()),
        (400, "SOLD_OUT"),
        "{}",
        answer.json
    );
    assert_eq!(
        number(&mesh.seats, "SELECT COUNT(*) FROM inventory WHERE held > 0").await,
        0
    );
    let kept = "SELECT COUNT(*) FROM bookings WHERE state IN ('HELD', 'CONFIRMED')";
    assert_eq!(number(&mesh.seats, kept).await, 1, "what was booked before");
    check_seats(&mesh.seats).await;

    let again = book(&user, &booking_of(&through, 3), "through").await;
    assert_eq!(
        (again.status, &again.json),
        (400, &answer.json),
        "the same key, the same answer"
    );
    let trips = user.get("/v1/trips").await;
    let states: Vec<_> = trips.json["trips"]
        .as_array()
        .unwrap()
        .iter()
        .map(|trip| trip["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["FAILED", "CONFIRMED"], "the newest first");
    let failed = &trips.json["trips"][0];
    assert_eq!(failed["failure"]["reason"], "SOLD_OUT");
    let bookings = failed["bookings"].as_array().unwrap();
    assert!(
        bookings
            .iter()
            .all(|booking| booking["state"] != "HELD" && booking["state"] != "CONFIRMED"),
        "{failed}"
    );
    mesh.audit().await;
}
