//! What the store promises, on every database.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicU64, Ordering},
};

use booking::{
    domain::{
        booking::{Booking, Cabin, Event, State, Viewer},
        error::{ChangeError, HoldError},
        hold::NewHold,
        inventory::CabinKey,
        ports::{Cursor, Lot, Store},
    },
    store::{INVENTORY, Migrator, Sql},
};
use durable::queue::{Follower, Log};
use sea_orm::{ConnectionTrait, Database};
use sea_orm_migration::MigratorTrait;
use testing::each_database;

use crate::support::{
    DEPARTURE, assert_promises_kept, counts, economy, hold, holds, ids, open, open_with,
};

const FLIGHT: &str = "AS21-2026-12-01-JFK";

/// An open database with this many economy seats on [`FLIGHT`].
async fn with_seats(url: &str, seats: u32) -> (std::sync::Arc<Sql>, CabinKey) {
    let (store, cabin) = (open(url).await, economy(FLIGHT));
    store.open_cabin(&cabin, seats, DEPARTURE).await.unwrap();
    (store, cabin)
}

#[tokio::test]
async fn a_hold_takes_its_seats_once() {
    each_database(async |url| {
        let (store, cabin) = with_seats(&url, 10).await;
        let first = holds(&store, &cabin, &[hold("a", 2)])
            .await
            .remove(0)
            .unwrap();
        assert_eq!(
            (first.state, first.seats, first.locator.len()),
            (State::Held, 2, 6)
        );
        assert_eq!((first.created, first.expires), (0, 100));
        let later = NewHold {
            created: 50,
            expires: 150,
            ..hold("a", 2)
        };
        let again = holds(&store, &cabin, &[later]).await.remove(0);
        assert_eq!(again, Ok(first.clone()), "as it was");
        let other = holds(&store, &cabin, &[hold("a", 3)]).await.remove(0);
        assert_eq!(other, Err(HoldError::IdReused { id: "a".into() }));
        assert_eq!(counts(&store, &cabin).await, (2, 0));
        assert_eq!(store.booking(&first.locator).await.unwrap(), Some(first));
        assert_promises_kept(&store, 0).await;
    })
    .await;
}

#[tokio::test]
async fn a_batch_gives_what_fits_by_arrival() {
    each_database(async |url| {
        let (store, cabin) = with_seats(&url, 5).await;
        let batch = [
            hold("a", 2),
            hold("b", 4),
            hold("c", 3),
            hold("a", 2),
            hold("d", 1),
        ];
        let answers = holds(&store, &cabin, &batch).await;
        let sold_out = |wanted, left| {
            Err(HoldError::SoldOut {
                flight: FLIGHT.into(),
                cabin: Cabin::Economy,
                wanted,
                left,
            })
        };
        assert_eq!(answers[0], answers[3]);
        assert!(answers[0].is_ok() && answers[2].is_ok());
        assert_eq!(
            (&answers[1], &answers[4]),
            (&sold_out(4, 3), &sold_out(1, 0))
        );
        assert_eq!(counts(&store, &cabin).await, (5, 0));
        // Who has seats is told so although none are left.
        assert_eq!(holds(&store, &cabin, &[hold("c", 3)]).await[0], answers[2]);
        assert_promises_kept(&store, 0).await;
    })
    .await;
}

#[tokio::test]
async fn cabins_that_share_a_transaction_do_not_share_their_fate() {
    each_database(async |url| {
        let (store, cabin) = with_seats(&url, 3).await;
        let (full, unknown) = (
            economy("AS22-2026-12-08-SEA"),
            economy("AS23-2026-12-09-SEA"),
        );
        store.open_cabin(&full, 1, DEPARTURE).await.unwrap();
        let lot = |cabin: &CabinKey, holds: &[NewHold]| Lot {
            cabin: cabin.clone(),
            holds: holds.to_vec(),
        };
        let lots = [
            lot(&cabin, &[hold("a", 1), hold("b", 2)]),
            lot(&full, &[hold("c", 2), hold("b", 1), hold("d", 1)]),
            lot(&unknown, &[hold("e", 1)]),
        ];
        for _ in 0..2 {
            let outcomes = store.hold_lots(&lots, 0).await.unwrap();
            let [Some(first), Some(second), None] = &outcomes[..] else {
                panic!("{outcomes:?}");
            };
            assert!(first.iter().all(Result::is_ok), "{first:?}");
            assert!(
                matches!(second[0], Err(HoldError::SoldOut { wanted: 2, .. })),
                "{second:?}"
            );
            assert_eq!(second[1], Err(HoldError::IdReused { id: "b".into() }));
            assert!(second[2].is_ok(), "{second:?}");
            assert_eq!(counts(&store, &cabin).await, (3, 0));
            assert_eq!(counts(&store, &full).await, (1, 0));
        }
        assert_promises_kept(&store, 0).await;
    })
    .await;
}

#[tokio::test]
async fn unknown_cabins_and_departed_flights_have_no_seats() {
    each_database(async |url| {
        let (store, cabin) = with_seats(&url, 5).await;
        let first = CabinKey {
            cabin: Cabin::First,
            ..cabin.clone()
        };
        assert_eq!(store.hold(&first, &[hold("a", 1)], 0).await.unwrap(), None);
        // Whoever is second to make a cabin known changes nothing.
        store.open_cabin(&cabin, 99, 5).await.unwrap();
        let late = store
            .hold(&cabin, &[hold("a", 1)], DEPARTURE)
            .await
            .unwrap();
        let departed = HoldError::FlightDeparted {
            flight: FLIGHT.into(),
        };
        assert_eq!(late, Some(vec![Err(departed)]));
        assert!(holds(&store, &cabin, &[hold("a", 6)]).await[0].is_err());
    })
    .await;
}

#[tokio::test]
async fn a_trip_is_confirmed_and_cancelled_whole() {
    each_database(async |url| {
        let (store, there) = with_seats(&url, 5).await;
        let back = economy("AS22-2026-12-08-SEA");
        store.open_cabin(&back, 5, DEPARTURE).await.unwrap();
        holds(&store, &there, &[hold("t-0", 2)]).await[0]
            .clone()
            .unwrap();
        let missing = store
            .change(Event::Confirm, "t", &ids(&["t-0", "t-1"]), 50)
            .await;
        assert_eq!(missing, Err(ChangeError::HoldNotFound { id: "t-1".into() }));
        assert_eq!(counts(&store, &there).await, (2, 0), "none has changed");

        holds(&store, &back, &[hold("t-1", 2)]).await[0]
            .clone()
            .unwrap();
        let both = ids(&["t-1", "t-0"]);
        let sold = store.change(Event::Confirm, "t", &both, 50).await.unwrap();
        let seen: Vec<_> = sold
            .iter()
            .map(|one| (one.id.as_str(), one.state, one.updated))
            .collect();
        assert_eq!(
            seen,
            [("t-1", State::Confirmed, 50), ("t-0", State::Confirmed, 50)]
        );
        assert_eq!(
            (counts(&store, &there).await, counts(&store, &back).await),
            ((0, 2), (0, 2))
        );
        assert_eq!(
            store.change(Event::Confirm, "t", &both, 60).await.unwrap(),
            sold
        );
        assert_eq!(
            store.change(Event::Release, "t", &both, 60).await,
            Err(ChangeError::Confirmed { id: "t-1".into() })
        );
        assert_promises_kept(&store, 60).await;

        let cancelled = store.change(Event::Cancel, "t", &both, 70).await.unwrap();
        assert!(cancelled.iter().all(|one| one.state == State::Cancelled));
        assert_eq!(
            store.change(Event::Cancel, "t", &both, 80).await.unwrap(),
            cancelled
        );
        assert_eq!(
            (counts(&store, &there).await, counts(&store, &back).await),
            ((0, 0), (0, 0))
        );
        assert_promises_kept(&store, 80).await;
    })
    .await;
}

#[tokio::test]
async fn what_was_given_up_before_it_was_held_is_not_held() {
    each_database(async |url| {
        let (store, cabin) = with_seats(&url, 5).await;
        let late = holds(&store, &cabin, &[hold("made", 1)])
            .await
            .remove(0)
            .unwrap();
        for _ in 0..2 {
            let all = ids(&["made", "never", "neither"]);
            store.change(Event::Release, "t", &all, 10).await.unwrap();
        }
        let released = |id: &str| HoldError::Released { id: id.into() };
        assert_eq!(
            holds(&store, &cabin, &[hold("never", 1)]).await[0],
            Err(released("never"))
        );
        let kept = holds(&store, &cabin, &[hold("made", 1)])
            .await
            .remove(0)
            .unwrap();
        assert_eq!((kept.locator, kept.state), (late.locator, State::Released));
        let confirm = store
            .change(Event::Confirm, "t", &ids(&["never"]), 10)
            .await;
        assert_eq!(
            confirm,
            Err(ChangeError::HoldReleased { id: "never".into() })
        );
        assert_eq!(counts(&store, &cabin).await, (0, 0));
        // It is nobody's booking.
        assert_eq!(store.trip_bookings(&ids(&["t"])).await.unwrap().len(), 1);
        assert_eq!(
            store
                .bookings(&Viewer::Everybody, None, 10)
                .await
                .unwrap()
                .len(),
            1
        );
        assert_promises_kept(&store, 10).await;
    })
    .await;
}

#[tokio::test]
async fn overdue_holds_give_their_seats_back_once() {
    each_database(async |url| {
        let (store, cabin) = with_seats(&url, 300).await;
        let other = open(&url).await;
        let many: Vec<_> = (0..250).map(|n| hold(&format!("h{n}"), 1)).collect();
        for batch in many.chunks(64) {
            assert!(holds(&store, &cabin, batch).await.iter().all(Result::is_ok));
        }
        store
            .change(Event::Confirm, "t", &ids(&["h7"]), 50)
            .await
            .unwrap();
        assert_eq!(store.expire(99).await.unwrap(), (0, false));
        let overdue = store.change(Event::Confirm, "t", &ids(&["h8"]), 100).await;
        assert_eq!(overdue, Err(ChangeError::HoldExpired { id: "h8".into() }));
        let broken: Vec<_> = store
            .audit(40_000)
            .await
            .unwrap()
            .into_iter()
            .filter(|check| check.violations > 0)
            .collect();
        assert_eq!(
            (broken.len(), broken[0].name, broken[0].violations),
            (1, "no-hold-outlives-expiry", 249)
        );
        assert_eq!(broken[0].examples.len(), 20);

        let (one, another) = tokio::join!(store.expire(100), other.expire(100));
        let rest = store.expire(100).await.unwrap();
        let all = one.unwrap().0 + another.unwrap().0 + rest.0;
        assert_eq!((all, rest.1), (249, false));
        assert_eq!(counts(&store, &cabin).await, (0, 1));
        assert_promises_kept(&store, 40_000).await;
    })
    .await;
}

#[tokio::test]
async fn pages_go_on_where_the_last_one_ended() {
    each_database(async |url| {
        let (store, cabin) = with_seats(&url, 100).await;
        let of = |user: &str, id: &str, created| NewHold {
            user: user.into(),
            created,
            ..hold(id, 1)
        };
        let made = [
            of("ada", "a", 1),
            of("ada", "b", 2),
            of("eve", "c", 2),
            of("ada", "d", 2),
            of("ada", "e", 3),
        ];
        assert!(holds(&store, &cabin, &made).await.iter().all(Result::is_ok));
        let ada = Viewer::User("ada".into());
        let names = |page: &[Booking]| page.iter().map(|one| one.id.clone()).collect::<String>();
        let first = store.bookings(&ada, None, 2).await.unwrap();
        holds(&store, &cabin, &[of("ada", "z", 9)]).await[0]
            .clone()
            .unwrap();
        let last = &first[1];
        let after = Cursor {
            created: last.created,
            id: last.id.clone(),
        };
        let second = store.bookings(&ada, Some(&after), 9).await.unwrap();
        assert_eq!(
            (names(&first).as_str(), names(&second).as_str()),
            ("ed", "ba")
        );
        let all = store.bookings(&Viewer::Everybody, None, 9).await.unwrap();
        assert_eq!(names(&all), "zedcba");
    })
    .await;
}

#[tokio::test]
async fn inventory_is_read_in_pages() {
    each_database(async |url| {
        let store = open(&url).await;
        for flight in 0..5 {
            for cabin in [Cabin::Economy, Cabin::First] {
                let key = CabinKey {
                    cabin,
                    ..economy(&format!("f{flight}"))
                };
                // The second flight leaves early, of the third no seat is taken.
                let departure = if flight == 1 { 10 } else { DEPARTURE };
                store.open_cabin(&key, 9, departure).await.unwrap();
                if flight != 2 {
                    let hold = hold(&format!("{key}"), 1);
                    holds(&store, &key, &[hold]).await[0].clone().unwrap();
                }
            }
        }
        let mut seen = Vec::new();
        loop {
            let page = store.inventory(seen.last(), 10, 4).await.unwrap();
            if page.is_empty() {
                break;
            }
            seen.extend(page.into_iter().map(|seats| seats.key));
        }
        let names: Vec<_> = seen.iter().map(ToString::to_string).collect();
        let expected = [
            "f0/ECONOMY",
            "f0/FIRST",
            "f3/ECONOMY",
            "f3/FIRST",
            "f4/ECONOMY",
            "f4/FIRST",
        ];
        assert_eq!(names, expected);
    })
    .await;
}

#[tokio::test]
async fn every_change_is_told_in_the_same_transaction() {
    each_database(async |url| {
        let (store, cabin) = with_seats(&url, 5).await;
        let mut news = store.log().follow(INVENTORY).await.unwrap();
        holds(&store, &cabin, &[hold("a", 2), hold("b", 1)]).await[0]
            .clone()
            .unwrap();
        assert!(holds(&store, &cabin, &[hold("c", 9)]).await[0].is_err());
        store
            .change(Event::Confirm, "t", &ids(&["a"]), 10)
            .await
            .unwrap();
        store
            .change(Event::Release, "t", &ids(&["b"]), 20)
            .await
            .unwrap();
        let mut told = Vec::new();
        while told.len() < 3 {
            let messages = news.next().await.unwrap();
            told.extend(
                messages
                    .into_iter()
                    .map(|one| (one.aggregate, String::from_utf8(one.payload).unwrap())),
            );
        }
        let name = format!("{FLIGHT}/ECONOMY");
        let expected = ["v1 held 3 sold 0", "v2 held 1 sold 2", "v3 held 0 sold 2"];
        assert_eq!(told, expected.map(|text| (name.clone(), text.to_owned())));
        assert_eq!(store.trim_events(0).await.unwrap(), 0);
        assert_eq!(store.trim_events(15).await.unwrap(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_locator_that_is_taken_is_drawn_again() {
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    each_database(async |url| {
        DRAWN.store(0, Ordering::Relaxed);
        // Every locator is drawn three times.
        let store = open_with(&url, || DRAWN.fetch_add(1, Ordering::Relaxed) / 3).await;
        let cabin = economy(FLIGHT);
        store.open_cabin(&cabin, 9, DEPARTURE).await.unwrap();
        let mut locators = HashSet::new();
        for id in ["a", "b", "c"] {
            let made = holds(&store, &cabin, &[hold(id, 1)])
                .await
                .remove(0)
                .unwrap();
            locators.insert(made.locator);
        }
        assert_eq!(locators.len(), 3);
        assert_eq!(
            counts(&store, &cabin).await,
            (3, 0),
            "what was done again counts once"
        );
    })
    .await;
}

#[tokio::test]
async fn the_audit_finds_what_is_broken() {
    each_database(async |url| {
        let (store, cabin) = with_seats(&url, 5).await;
        holds(&store, &cabin, &[hold("a", 1)]).await[0]
            .clone()
            .unwrap();
        let database = Database::connect(&url).await.unwrap();
        let run = async |sql: &str| database.execute_unprepared(sql).await;
        for oversold in ["held = 6", "sold = 5", "held = -1"] {
            let refused = run(&format!("UPDATE inventory SET {oversold}")).await;
            assert!(refused.is_err(), "{oversold}");
        }
        run("UPDATE inventory SET held = 2, sold = 1")
            .await
            .unwrap();
        let broken: Vec<_> = store
            .audit(0)
            .await
            .unwrap()
            .into_iter()
            .filter(|check| check.violations > 0)
            .map(|check| (check.name, check.rows, check.examples))
            .collect();
        let name = vec![format!("{FLIGHT}/ECONOMY")];
        assert_eq!(
            broken,
            [
                ("held-equals-sum", 1, name.clone()),
                ("sold-equals-sum", 1, name)
            ]
        );
        database.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_schema_can_be_taken_back_and_made_again() {
    each_database(async |url| {
        drop(open(&url).await);
        let database = Database::connect(&url).await.unwrap();
        Migrator::down(&database, None).await.unwrap();
        let gone = database.execute_unprepared("SELECT * FROM bookings").await;
        assert!(gone.is_err());
        database.close().await.unwrap();
        let (store, cabin) = with_seats(&url, 1).await;
        assert!(holds(&store, &cabin, &[hold("a", 1)]).await[0].is_ok());
    })
    .await;
}
