//! Never oversold: many clients, few seats, two replicas.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use booking::{
    domain::{
        booking::{Cabin, Event},
        combine::Combiner,
        error::{ChangeError, HoldError},
        hold::NewHold,
        ports::{Flight, FlightError, Flights, Store},
    },
    store::Sql,
};
use futures_util::FutureExt;
use testing::each_database;
use tokio::task::JoinSet;

use crate::support::{DEPARTURE, assert_promises_kept, counts, economy, hold, open};

const SEATS: u32 = 100;

/// A timetable of one flight with [`SEATS`] seats, which counts how often it is asked.
#[derive(Clone, Default)]
struct Timetable(Arc<AtomicUsize>);

impl Flights for Timetable {
    async fn flight(&self, id: &str) -> Result<Flight, FlightError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        match id {
            "unknown" => Err(FlightError::NotFound),
            "silent" => Err(FlightError::Unavailable),
            _ => Ok(Flight {
                departure: DEPARTURE,
                cabins: vec![(Cabin::Economy, SEATS)],
            }),
        }
    }
}

async fn replicas(url: &str) -> [(Arc<Sql>, Combiner<Sql, Timetable>); 2] {
    let replica = async || {
        let store = open(url).await;
        let desk = Combiner::new(Arc::clone(&store), Timetable::default(), 8);
        (store, desk)
    };
    [replica().await, replica().await]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_at_once_get_no_more_than_there_is() {
    each_database(async |url| {
        let replicas = replicas(&url).await;
        let mut clients = JoinSet::new();
        for n in 0..200_usize {
            // Every other client asks both replicas, as one whose first answer was lost.
            let desks = [
                replicas[n % 2].1.clone(),
                replicas[(n + n / 2) % 2].1.clone(),
            ];
            clients.spawn(async move {
                let [one, other] = desks;
                let wanted = hold(&format!("h{n}"), u32::try_from(n % 4).unwrap() + 1);
                let ask = |desk: Combiner<_, _>| {
                    let wanted = wanted.clone();
                    async move { desk.hold(economy("hot"), wanted).await }
                };
                let (first, second) = tokio::join!(ask(one), ask(other));
                if let (Ok(first), Ok(second)) = (&first, &second) {
                    assert_eq!(first, second);
                }
                first.or(second)
            });
        }
        let (mut granted, mut refused) = (0, 0);
        while let Some(answer) = clients.join_next().await {
            let (held, sold) = counts(&replicas[0].0, &economy("hot")).await;
            assert!(held + sold <= SEATS);
            match answer.unwrap() {
                Ok(booking) => granted += booking.seats,
                Err(HoldError::SoldOut { wanted, left, .. }) => {
                    assert!(left < wanted);
                    refused += 1;
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        assert!(refused > 100, "{refused}");
        assert_eq!(counts(&replicas[1].0, &economy("hot")).await, (granted, 0));
        // Seats that are left are fewer than anybody wanted; singles take them.
        for n in granted..SEATS {
            let single = hold(&format!("single{n}"), 1);
            replicas[0].1.hold(economy("hot"), single).await.unwrap();
        }
        assert_eq!(counts(&replicas[1].0, &economy("hot")).await, (SEATS, 0));
        assert_promises_kept(&replicas[0].0, 0).await;
    })
    .await;
}

#[tokio::test]
async fn those_who_wait_for_the_same_cabin_share_a_transaction() {
    let database = testing::sqlite();
    let [(store, desk), _] = replicas(&database.url).await;
    let asked = (0..50).map(|n| desk.hold(economy("hot"), hold(&format!("h{n}"), 1)).boxed());
    let answers = futures_util::future::join_all(asked).await;
    assert!(answers.iter().all(Result::is_ok));
    let seats = store.inventory(None, 0, 9).await.unwrap().remove(0);
    assert_eq!(
        (seats.held, seats.version),
        (50, 1),
        "nobody was under way before all had come"
    );
}

#[tokio::test]
async fn what_the_timetable_does_not_have_is_not_held() {
    let database = testing::sqlite();
    let [(_, desk), _] = replicas(&database.url).await;
    let first = booking::domain::inventory::CabinKey {
        cabin: Cabin::First,
        ..economy("hot")
    };
    let late = NewHold {
        created: DEPARTURE,
        ..hold("late", 1)
    };
    let name = |flight: &str| flight.to_owned();
    for (cabin, wanted, expected) in [
        (
            economy("unknown"),
            hold("a", 1),
            HoldError::FlightNotFound {
                flight: name("unknown"),
            },
        ),
        (
            economy("silent"),
            hold("a", 1),
            HoldError::TimetableUnavailable {
                flight: name("silent"),
            },
        ),
        (
            first,
            hold("a", 1),
            HoldError::CabinNotFound {
                flight: name("hot"),
                cabin: Cabin::First,
            },
        ),
        (
            economy("gone"),
            late,
            HoldError::FlightDeparted {
                flight: name("gone"),
            },
        ),
    ] {
        assert_eq!(desk.hold(cabin, wanted).await, Err(expected));
    }
}

#[tokio::test]
async fn the_timetable_is_asked_once_per_cabin() {
    let database = testing::sqlite();
    let store = open(&database.url).await;
    let timetable = Timetable::default();
    let desk = Combiner::new(Arc::clone(&store), timetable.clone(), 8);
    for id in ["a", "b", "c"] {
        desk.hold(economy("hot"), hold(id, 1)).await.unwrap();
    }
    assert_eq!(timetable.0.load(Ordering::Relaxed), 1);
}

/// Goes through a trip over three of four flights, in an order of its own, and ends it in one of three ways.
async fn travel(
    n: usize,
    store: Arc<Sql>,
    desk: Combiner<Sql, Timetable>,
) -> Result<(), ChangeError> {
    let trip = format!("t{n}");
    let mut ids: Vec<_> = (0..3).map(|flight| format!("{trip}-{flight}")).collect();
    for (place, id) in ids.iter().enumerate() {
        let wanted = NewHold {
            trip: trip.clone(),
            ..hold(id, 1)
        };
        let flight = economy(&format!(
            "f{}",
            (n * (n % 3 + 1) + place * (n % 2 * 2 + 1)) % 4
        ));
        desk.hold(flight, wanted).await.unwrap();
    }
    ids.rotate_left(n % 3);
    if n.is_multiple_of(3) {
        return store
            .change(Event::Release, &trip, &ids, 10)
            .await
            .map(drop);
    }
    // Meanwhile all holds are looked through as if their time were over.
    if n.is_multiple_of(4) {
        store.expire(1_000).await.unwrap();
    }
    store.change(Event::Confirm, &trip, &ids, 10).await?;
    if n % 3 == 1 {
        store.change(Event::Cancel, &trip, &ids, 20).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trips_that_cross_do_not_fail_for_each_other() {
    each_database(async |url| {
        let replicas = replicas(&url).await;
        let mut trips = JoinSet::new();
        for n in 0..96_usize {
            let (store, desk) = replicas[n % 2].clone();
            trips.spawn(travel(n, store, desk));
        }
        let mut whole = 0;
        while let Some(trip) = trips.join_next().await {
            match trip.unwrap() {
                Ok(()) => whole += 1,
                Err(ChangeError::HoldExpired { .. }) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
        assert!(whole >= 32, "{whole}");
        assert_promises_kept(&replicas[0].0, 0).await;
    })
    .await;
}
