//! Reminders: every trip that is due, once, however many replicas remind.

use sea_orm::{ConnectionTrait, Statement};

use super::{advance, confirmed, confirming, create, line, testing_each};
use crate::{
    domain::{
        notice::Occasion,
        ports::{Lease, TripStore},
        trip::{Trip, TripState},
    },
    jobs::departure_reminders,
    store::Store,
};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// When reminders are looked for.
const NOW: i64 = 100 * DAY;

/// A trip that is booked so long before, and departs so long after now.
async fn book(store: &Store, id: &str, booked: i64, departs: i64) -> (Trip, Lease) {
    let (mut trip, lease) = create(store, id, NOW - booked).await;
    trip.departure = NOW + departs;
    let departure = format!(
        "UPDATE trips SET departure = {} WHERE id = '{id}'",
        trip.departure
    );
    let written = store.db.reader().execute_unprepared(&departure).await;
    written.unwrap();
    let (held, sold) = (confirming(&trip), confirmed(&trip));
    advance(store, &lease, TripState::Holding, &held).await;
    advance(store, &lease, TripState::Confirming, &sold).await;
    (sold, lease)
}

/// The mails that were told to be sent but for confirmations, by id.
async fn told(store: &Store) -> Vec<String> {
    let db = store.db.reader();
    let query = "SELECT message_id, payload FROM outbox \
                 WHERE message_id NOT LIKE '%-confirmed' ORDER BY message_id";
    let query = Statement::from_string(db.get_database_backend(), query);
    let rows = db.query_all_raw(query).await.unwrap();
    rows.iter()
        .map(|row| {
            let id: String = row.try_get("", "message_id").unwrap();
            let payload: Vec<u8> = row.try_get("", "payload").unwrap();
            format!("{id} {}", String::from_utf8(payload).unwrap())
        })
        .collect()
}

fn mail(occasion: Occasion, trip: &Trip) -> Vec<u8> {
    format!("{occasion:?} {} {}", trip.id, trip.bookings.len()).into_bytes()
}

async fn remind(store: &Store, now: i64) -> u64 {
    departure_reminders::run(store, now, mail).await.unwrap()
}

#[tokio::test]
async fn travellers_are_reminded_a_day_before_and_once() {
    testing_each(async |store| {
        book(&store, "due", 2 * DAY, DAY).await;
        book(&store, "far", 2 * DAY, DAY + 1).await;
        book(&store, "departed", 2 * DAY, 0).await;
        book(&store, "booked-late", HOUR, DAY - 2 * HOUR).await;
        let (trip, _) = book(&store, "cancelled", 2 * DAY, HOUR).await;
        let mut cancelling = trip.clone();
        cancelling.state = TripState::Cancelling;
        let step = line(&cancelling, 1);
        let cancel = store.trip_cancel(&cancelling, "owner", NOW, &step).await;
        assert!(cancel.unwrap().is_some());
        assert_eq!(remind(&store, NOW).await, 1);
        assert_eq!(told(&store).await, ["due-reminder DepartsSoon due 2"]);
        assert_eq!(remind(&store, NOW).await, 0);
        assert_eq!(remind(&store, NOW + 1).await, 1, "now the far one is due");
        assert_eq!(told(&store).await.len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_remind_once() {
    testing_each(async |store| {
        // More than one transaction takes.
        for number in 0..230 {
            let departs = HOUR + number % 7;
            book(&store, &format!("trip-{number:03}"), 2 * DAY, departs).await;
        }
        let mut replicas = tokio::task::JoinSet::new();
        for _ in 0..2 {
            let store = store.clone();
            replicas.spawn(async move { remind(&store, NOW).await });
        }
        let reminded: u64 = replicas.join_all().await.iter().sum();
        assert_eq!(reminded, 230);
        let mut ids = told(&store).await;
        ids.dedup();
        assert_eq!(ids.len(), 230);
    })
    .await;
}
