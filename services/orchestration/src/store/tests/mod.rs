//! The store on every kind of database, with real servers.

mod reminders;

use std::collections::HashSet;

use sea_orm::{EntityTrait, PaginatorTrait};
use sea_orm_migration::MigratorTrait;

use super::{Store, entity, migration::Migrator};
use crate::{
    domain::{
        error::StoreError,
        notice::{Notice, Occasion},
        ports::{
            BOOK_TRIP, Created, Lease, LogLine, Place, RequestKey, Stranded, TripReader, TripStore,
        },
        trip::{Failure, FailureReason, SeatState, Trip, TripState, testing},
    },
    saga::machine::log_event,
};

async fn open(url: &str) -> Store {
    let options = durable::Options {
        url: url.to_owned(),
        variable: "TEST",
        max_connections: 16,
    };
    Store::open(&options).await.unwrap()
}

fn key(name: &str) -> RequestKey {
    RequestKey {
        caller: "ada".to_owned(),
        method: BOOK_TRIP,
        key: name.to_owned(),
        fingerprint: [0xA5; 32],
    }
}

fn lease(trip_id: &str, until: i64) -> Lease {
    Lease {
        trip_id: trip_id.to_owned(),
        epoch: 1,
        owner: format!("owner of {trip_id}"),
        until,
    }
}

fn line(trip: &Trip, attempt: u32) -> LogLine {
    LogLine {
        time: trip.updated,
        event: log_event(trip.state),
        state: trip.state,
        attempt,
        detail: "é".repeat(600),
    }
}

/// A trip under a key of its own name.
async fn create(store: &Store, id: &str, created: i64) -> (Trip, Lease) {
    let mut trip = testing::trip(id, &["AS21-2026-12-01-JFK", "AS22-2026-12-08-SEA"]);
    (trip.created, trip.updated) = (created, created);
    let lease = lease(id, created + 5_000);
    let made = store
        .trip_create(&trip, &key(id), &lease, &line(&trip, 1))
        .await;
    assert_eq!(made.unwrap(), Created::New);
    (trip, lease)
}

fn confirming(trip: &Trip) -> Trip {
    let mut moved = trip.clone();
    moved.state = TripState::Confirming;
    moved.updated += 10;
    for (booking, locator) in moved.bookings.iter_mut().zip(["K7QXPL", "K7QXPM"]) {
        booking.locator = Some(locator.to_owned());
        booking.state = Some(SeatState::Held);
    }
    moved
}

fn confirmed(trip: &Trip) -> Trip {
    let mut moved = confirming(trip);
    moved.state = TripState::Confirmed;
    moved.updated += 10;
    moved.confirmed = Some(moved.updated);
    moved.set_seats(SeatState::Confirmed);
    moved
}

/// What mail is told when a trip reaches its state.
fn notice(trip: &Trip) -> Option<Notice> {
    Occasion::of(trip.state).map(|occasion| Notice {
        id: occasion.message_id(&trip.id),
        payload: b"mail".to_vec(),
    })
}

async fn advance(store: &Store, lease: &Lease, from: TripState, to: &Trip) {
    let line = line(to, 1);
    let notice = notice(to);
    let advanced = store.trip_advance(lease, from, to, &line, notice.as_ref());
    advanced.await.unwrap();
}

async fn book(store: &Store, id: &str, created: i64) -> Trip {
    let (trip, lease) = create(store, id, created).await;
    let (held, sold) = (confirming(&trip), confirmed(&trip));
    advance(store, &lease, TripState::Holding, &held).await;
    advance(store, &lease, TripState::Confirming, &sold).await;
    sold
}

async fn mails(store: &Store) -> u64 {
    use sea_orm::{ConnectionTrait, Statement};
    let db = store.db.reader();
    let query = Statement::from_string(
        db.get_database_backend(),
        "SELECT COUNT(*) AS mails FROM outbox WHERE topic = 'mail'",
    );
    let row = db.query_one_raw(query).await.unwrap().unwrap();
    u64::try_from(row.try_get::<i64>("", "mails").unwrap()).unwrap()
}

#[tokio::test]
async fn what_is_written_is_read() {
    testing_each(async |store| {
        assert_eq!(store.trip_get("t").await.unwrap(), None);
        let (trip, lease) = create(&store, "t", 1_000).await;
        assert_eq!(store.trip_get("t").await.unwrap(), Some(trip.clone()));
        let sold = book(&store, "u", 2_000).await;
        assert_eq!(store.trip_get("u").await.unwrap(), Some(sold.clone()));
        let mut releasing = trip.clone();
        releasing.state = TripState::Releasing;
        releasing.failure = Some(Failure {
            reason: FailureReason::SoldOut,
            message: "no seats left".to_owned(),
            flight_id: Some("AS21-2026-12-01-JFK".to_owned()),
        });
        let step = line(&releasing, 1);
        let advance = store.trip_advance(&lease, TripState::Holding, &releasing, &step, None);
        advance.await.unwrap();
        assert_eq!(store.trip_get("t").await.unwrap(), Some(releasing));
        let log = store.log_list("u", 10).await.unwrap();
        let events: Vec<&str> = log.iter().map(|line| line.event.as_str()).collect();
        assert_eq!(events, ["hold", "confirm", "trip.confirmed"]);
        assert_eq!(log[0].detail, "é".repeat(500), "a long text is cut");
        assert_eq!(mails(&store).await, 1);
    })
    .await;
}

#[tokio::test]
async fn the_schema_can_be_taken_away_and_made_again() {
    testing_each(async |store| {
        Migrator::down(store.db.reader(), None).await.unwrap();
        assert!(store.trip_get("t").await.is_err());
        Migrator::up(store.db.reader(), None).await.unwrap();
        create(&store, "t", 1_000).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_requests_with_one_key_one_makes_a_trip() {
    testing_each(async |store| {
        let mut requests = tokio::task::JoinSet::new();
        for number in 0..32 {
            let store = store.clone();
            requests.spawn(async move {
                let trip = testing::trip(&format!("trip-{number}"), &["AS21-2026-12-01-JFK"]);
                let lease = lease(&trip.id, 6_000);
                let made = store
                    .trip_create(&trip, &key("k"), &lease, &line(&trip, 1))
                    .await;
                match made.unwrap() {
                    Created::New => trip.id,
                    Created::Known(known) => {
                        assert_eq!(known.fingerprint, key("k").fingerprint);
                        known.trip_id
                    }
                }
            });
        }
        let named: HashSet<String> = requests.join_all().await.into_iter().collect();
        assert_eq!(named.len(), 1);
        let made = entity::trip::Entity::find().count(store.db.reader()).await;
        assert_eq!(made.unwrap(), 1);
        // Keys differ by case, and by who uses them.
        let (mut capital, mut other) = (key("K"), key("k"));
        capital.key = "K".to_owned();
        other.caller = "eve".to_owned();
        for key in [capital, other] {
            assert_eq!(store.key_find(&key).await.unwrap(), None);
            assert_eq!(store.key_use(&key, "t", 1).await.unwrap(), Created::New);
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_is_forgotten_when_it_is_old_enough() {
    testing_each(async |store| {
        store.key_use(&key("k"), "t", 1_000).await.unwrap();
        store.key_forget(&key("k"), 999).await.unwrap();
        assert!(store.key_find(&key("k")).await.unwrap().is_some());
        store.key_forget(&key("k"), 1_000).await.unwrap();
        assert_eq!(store.key_find(&key("k")).await.unwrap(), None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranded_trip_is_claimed_by_one() {
    testing_each(async |store| {
        create(&store, "t", 1_000).await;
        create(&store, "u", 3_000).await;
        book(&store, "done", 0).await;
        assert_eq!(store.trip_stranded(5_999, 10).await.unwrap(), []);
        let stranded = store.trip_stranded(6_000, 10).await.unwrap();
        let expected = Stranded {
            trip_id: "t".to_owned(),
            epoch: 1,
        };
        assert_eq!(stranded, std::slice::from_ref(&expected));
        let mut claims = tokio::task::JoinSet::new();
        for number in 0..8 {
            let (store, stranded) = (store.clone(), expected.clone());
            claims.spawn(async move {
                let owner = format!("replica {number}");
                store
                    .trip_claim(&stranded, &owner, 6_000, 11_000)
                    .await
                    .unwrap()
            });
        }
        let claimed: Vec<_> = claims.join_all().await.into_iter().flatten().collect();
        assert_eq!(claimed.len(), 1);
        assert_eq!((claimed[0].lease.epoch, claimed[0].attempt), (2, 1));
        assert_eq!(
            store.trip_stranded(10_999, 10).await.unwrap().len(),
            1,
            "only u"
        );
        store.lease_release(&claimed[0].lease).await.unwrap();
        let first = store.trip_stranded(10_999, 1).await.unwrap();
        assert_eq!(
            first[0].trip_id, "t",
            "a lease that was given back comes first"
        );
    })
    .await;
}

#[tokio::test]
async fn who_lost_the_lease_writes_nothing() {
    testing_each(async |store| {
        let (trip, old) = create(&store, "t", 1_000).await;
        let stranded = store.trip_stranded(6_000, 1).await.unwrap();
        let new = store.trip_claim(&stranded[0], "other", 6_000, 11_000).await;
        let new = new.unwrap().unwrap();
        let held = confirming(&trip);
        let step = line(&held, 1);
        let told = Notice {
            id: "t-confirmed".to_owned(),
            payload: vec![1],
        };
        for outcome in [
            store
                .trip_advance(&old, TripState::Holding, &held, &step, Some(&told))
                .await,
            store.trip_attempt(&old, 2, Some(&step)).await,
        ] {
            assert!(matches!(outcome, Err(StoreError::LeaseLost)), "{outcome:?}");
        }
        store.lease_release(&old).await.unwrap();
        assert_eq!(store.trip_stranded(10_999, 1).await.unwrap(), []);
        assert_eq!(store.trip_get("t").await.unwrap(), Some(trip));
        assert_eq!(store.log_list("t", 10).await.unwrap().len(), 1);
        assert_eq!(mails(&store).await, 0);
        let attempt = store.trip_attempt(&new.lease, 2, None).await;
        assert!(attempt.is_ok());
        // Who has it writes only from the state that it knows.
        let advance = store.trip_advance(&new.lease, TripState::Releasing, &held, &step, None);
        assert!(matches!(advance.await, Err(StoreError::LeaseLost)));
    })
    .await;
}

#[tokio::test]
async fn what_was_done_by_a_first_run_is_recognised_by_the_second() {
    testing_each(async |store| {
        let (trip, lease) = create(&store, "t", 1_000).await;
        let again = store
            .trip_create(&trip, &key("t"), &lease, &line(&trip, 1))
            .await;
        assert_eq!(again.unwrap(), Created::New);
        let held = confirming(&trip);
        let sold = confirmed(&trip);
        for _ in 0..2 {
            advance(&store, &lease, TripState::Holding, &held).await;
        }
        for _ in 0..2 {
            advance(&store, &lease, TripState::Confirming, &sold).await;
        }
        assert_eq!(store.log_list("t", 10).await.unwrap().len(), 3);
        assert_eq!(mails(&store).await, 1);
        let mut cancelling = sold.clone();
        cancelling.state = TripState::Cancelling;
        for (owner, taken) in [("a", true), ("a", true), ("b", false)] {
            let step = line(&cancelling, 1);
            let lease = store
                .trip_cancel(&cancelling, owner, 9_000, &step)
                .await
                .unwrap();
            assert_eq!(
                lease.map(|lease| lease.epoch),
                taken.then_some(2),
                "{owner}"
            );
        }
        assert_eq!(store.log_list("t", 10).await.unwrap().len(), 4);
        let stranded = store.trip_stranded(9_000, 1).await.unwrap();
        for (owner, taken) in [("c", true), ("c", true), ("d", false)] {
            let claim = store
                .trip_claim(&stranded[0], owner, 9_000, 14_000)
                .await
                .unwrap();
            assert_eq!(
                claim.map(|claim| claim.lease.epoch),
                taken.then_some(3),
                "{owner}"
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_trip_is_read_half_changed() {
    testing_each(async |store| {
        for round in 0..40 {
            let id = format!("t{round}");
            let (trip, lease) = create(&store, &id, 1_000 + round).await;
            let (held, sold) = (confirming(&trip), confirmed(&trip));
            advance(&store, &lease, TripState::Holding, &held).await;
            let writer = tokio::spawn({
                let (store, sold) = (store.clone(), sold.clone());
                async move { advance(&store, &lease, TripState::Confirming, &sold).await }
            });
            loop {
                let got = store.trip_get(&id).await.unwrap().unwrap();
                let listed = store.trip_list(None, None, 1).await.unwrap().remove(0);
                for read in [&got, &listed] {
                    assert!(*read == held || *read == sold, "{read:?}");
                }
                if got == sold {
                    break;
                }
            }
            writer.await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn lists_go_from_new_to_old_page_by_page() {
    testing_each(async |store| {
        for (id, created) in [("a", 1_000), ("b", 2_000), ("c", 2_000), ("d", 3_000)] {
            book(&store, id, created).await;
        }
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = store
                .trip_list(Some("ada"), after.as_ref(), 3)
                .await
                .unwrap();
            let Some(last) = page.last() else {
                break;
            };
            after = Some(Place {
                created: last.created,
                trip_id: last.id.clone(),
            });
            assert!(page.iter().all(|trip| trip.bookings.len() == 2));
            seen.extend(page.into_iter().map(|trip| trip.id));
        }
        assert_eq!(seen, ["d", "c", "b", "a"]);
        assert_eq!(store.trip_list(Some("eve"), None, 10).await.unwrap(), []);
        assert_eq!(store.trip_list(None, None, 2).await.unwrap().len(), 2);
        let ids = |trips: Vec<Trip>| trips.into_iter().map(|trip| trip.id).collect::<Vec<_>>();
        assert_eq!(ids(store.trip_page("", 3).await.unwrap()), ["a", "b", "c"]);
        assert_eq!(ids(store.trip_page("c", 3).await.unwrap()), ["d"]);
        store.key_forget(&key("c"), i64::MAX).await.unwrap();
        assert_eq!(
            store.key_page("a", 1_000, 10).await.unwrap(),
            [
                ("b".to_owned(), true),
                ("c".to_owned(), false),
                ("d".to_owned(), true)
            ]
        );
    })
    .await;
}

/// Runs `body` on a fresh store of each kind.
async fn testing_each(body: impl AsyncFn(Store)) {
    ::testing::each_database(async |url| body(open(&url).await).await).await;
}
