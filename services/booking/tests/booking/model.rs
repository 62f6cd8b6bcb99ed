//! Random interleavings, beside a model so plain that it is plainly right.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use booking::{
    domain::{
        booking::{Booking, Event},
        error::{ChangeError, HoldError},
        hold::NewHold,
        inventory::CabinKey,
        ports::Store,
    },
    store::Sql,
};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use tokio::runtime::Runtime;

use crate::support::{assert_promises_kept, counts, economy, open};

/// Seats and departures of the flights.
const FLIGHTS: [(u32, i64); 2] = [(6, 1_000), (4, 90)];
const TTL: i64 = 40;

/// What is done. Ids, trips and flights are small numbers, so that they meet.
#[derive(Clone, Debug)]
enum Step {
    /// Several holds of one flight in one transaction: id, trip, seats.
    Hold(usize, Vec<(u8, u8, u32)>),
    Change(Event, u8, Vec<u8>),
    Expire,
    Wait(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let hold = || (0..8_u8, 0..2_u8, 1..4_u32);
    let change = || {
        (
            0..2_u8,
            proptest::sample::subsequence((0..8).collect::<Vec<u8>>(), 1..4),
        )
    };
    let step = prop_oneof![
        5 => (0..2_usize, vec(hold(), 1..4)).prop_map(|(flight, holds)| Step::Hold(flight, holds)),
        3 => change().prop_map(|(trip, ids)| Step::Change(Event::Confirm, trip, ids)),
        1 => change().prop_map(|(trip, ids)| Step::Change(Event::Release, trip, ids)),
        2 => change().prop_map(|(trip, ids)| Step::Change(Event::Cancel, trip, ids)),
        1 => Just(Step::Expire),
        1 => (1..30_i64).prop_map(Step::Wait),
    ];
    vec(step, 1..40)
}

#[derive(Clone, Debug, PartialEq)]
struct Row {
    trip: u8,
    /// None: given up before it was made.
    seats: Option<(usize, u32)>,
    state: &'static str,
    expires: i64,
}

#[derive(Default)]
struct Model {
    rows: BTreeMap<u8, Row>,
    now: i64,
}

impl Model {
    fn count(&self, flight: usize, state: &str) -> u32 {
        let rows = self.rows.values().filter(|row| row.state == state);
        rows.filter_map(|row| row.seats)
            .filter(|(of, _)| *of == flight)
            .map(|(_, seats)| seats)
            .sum()
    }

    fn hold(&mut self, flight: usize, (id, trip, seats): (u8, u8, u32)) -> String {
        let (capacity, departure) = FLIGHTS[flight];
        if let Some(row) = self.rows.get(&id) {
            return match row.seats {
                None => "released".into(),
                Some(had) if had == (flight, seats) && row.trip == trip => row.state.into(),
                Some(_) => "reused".into(),
            };
        }
        let left = capacity - self.count(flight, "HELD") - self.count(flight, "CONFIRMED");
        if departure <= self.now {
            return "departed".into();
        }
        if seats > left {
            return format!("{left} left");
        }
        let row = Row {
            trip,
            seats: Some((flight, seats)),
            state: "HELD",
            expires: self.now + TTL,
        };
        self.rows.insert(id, row);
        "HELD".into()
    }

    fn change(&mut self, event: Event, trip: u8, ids: &[u8]) -> String {
        let mut rows = self.rows.clone();
        let mut states = Vec::new();
        for id in ids {
            let row = match rows.get_mut(id) {
                Some(row) if row.trip == trip => row,
                None if event == Event::Release => {
                    let row = Row {
                        trip,
                        seats: None,
                        state: "RELEASED",
                        expires: self.now,
                    };
                    rows.insert(*id, row);
                    continue;
                }
                _ => return "not found".into(),
            };
            row.state = match (event, row.state) {
                (Event::Confirm, "HELD") if self.now < row.expires => "CONFIRMED",
                (Event::Confirm, "CONFIRMED") => "CONFIRMED",
                (Event::Confirm, "HELD" | "EXPIRED") => return "expired".into(),
                (Event::Confirm, _) => return "released".into(),
                (Event::Release, "CONFIRMED") => return "confirmed".into(),
                (Event::Release, "HELD") => "RELEASED",
                (Event::Release, state) => state,
                (Event::Cancel, "CONFIRMED" | "CANCELLED") => "CANCELLED",
                _ => return "not confirmed".into(),
            };
            states.push(row.state);
        }
        self.rows = rows;
        states.join(" ")
    }

    fn expire(&mut self) -> u64 {
        let now = self.now;
        let overdue = self
            .rows
            .values_mut()
            .filter(|row| row.state == "HELD" && row.expires <= now);
        overdue.map(|row| row.state = "EXPIRED").count() as u64
    }
}

fn held(answer: Result<Booking, HoldError>) -> String {
    match answer {
        Ok(booking) => booking.state.as_str().to_owned(),
        Err(HoldError::SoldOut { left, .. }) => format!("{left} left"),
        Err(HoldError::FlightDeparted { .. }) => "departed".into(),
        Err(HoldError::IdReused { .. }) => "reused".into(),
        Err(HoldError::Released { .. }) => "released".into(),
        Err(other) => panic!("{other:?}"),
    }
}

fn changed(answer: Result<Vec<Booking>, ChangeError>) -> String {
    match answer {
        Ok(bookings) => {
            let states: Vec<_> = bookings.iter().map(|one| one.state.as_str()).collect();
            states.join(" ")
        }
        Err(ChangeError::HoldNotFound { .. } | ChangeError::BookingNotFound { .. }) => {
            "not found".into()
        }
        Err(ChangeError::HoldExpired { .. }) => "expired".into(),
        Err(ChangeError::HoldReleased { .. }) => "released".into(),
        Err(ChangeError::Confirmed { .. }) => "confirmed".into(),
        Err(ChangeError::NotConfirmed { .. }) => "not confirmed".into(),
        Err(ChangeError::Store(error)) => panic!("{error:?}"),
    }
}

/// The database under test; every case has ids and flights of its own.
struct Real<'a> {
    store: &'a Sql,
    case: u32,
}

impl Real<'_> {
    fn cabin(&self, flight: usize) -> CabinKey {
        economy(&format!("{}-{flight}", self.case))
    }

    fn name(&self, what: &str, number: u8) -> String {
        format!("{}-{what}{number}", self.case)
    }

    async fn step(&self, step: &Step, now: i64) -> Vec<String> {
        match step {
            Step::Hold(flight, holds) => {
                let new = |&(id, trip, seats): &(u8, u8, u32)| NewHold {
                    id: self.name("h", id),
                    trip: self.name("t", trip),
                    user: "ada".to_owned(),
                    seats,
                    created: now,
                    expires: now + TTL,
                };
                let holds: Vec<_> = holds.iter().map(new).collect();
                let answers = self.store.hold(&self.cabin(*flight), &holds, now).await;
                answers.unwrap().unwrap().into_iter().map(held).collect()
            }
            Step::Change(event, trip, ids) => {
                let ids: Vec<_> = ids.iter().map(|id| self.name("h", *id)).collect();
                let trip = self.name("t", *trip);
                vec![changed(self.store.change(*event, &trip, &ids, now).await)]
            }
            Step::Expire => vec![self.store.expire(now).await.unwrap().0.to_string()],
            Step::Wait(_) => Vec::new(),
        }
    }
}

fn modelled(model: &mut Model, step: &Step) -> Vec<String> {
    match step {
        Step::Hold(flight, holds) => holds
            .iter()
            .map(|hold| model.hold(*flight, *hold))
            .collect(),
        Step::Change(event, trip, ids) => {
            // Tombstones give no booking back, which both leave out.
            vec![model.change(*event, *trip, ids)]
        }
        Step::Expire => vec![model.expire().to_string()],
        Step::Wait(time) => {
            model.now += time;
            Vec::new()
        }
    }
}

async fn check(store: &Sql, case: u32, steps: &[Step]) {
    let (mut model, real) = (Model::default(), Real { store, case });
    // What the last case has left must not be overdue in this one.
    store.expire(i64::MAX).await.unwrap();
    for (flight, (seats, departure)) in FLIGHTS.into_iter().enumerate() {
        store
            .open_cabin(&real.cabin(flight), seats, departure)
            .await
            .unwrap();
    }
    for step in steps {
        let seen = real.step(step, model.now).await;
        assert_eq!(seen, modelled(&mut model, step), "{step:?}");
        for flight in 0..FLIGHTS.len() {
            let expected = (
                model.count(flight, "HELD"),
                model.count(flight, "CONFIRMED"),
            );
            assert_eq!(
                counts(store, &real.cabin(flight)).await,
                expected,
                "{step:?}"
            );
        }
    }
    assert_promises_kept(store, model.now).await;
}

fn run(url: &str, cases: u32) {
    static CASE: AtomicU32 = AtomicU32::new(0);
    let runtime = Runtime::new().unwrap();
    let store: Arc<Sql> = runtime.block_on(open(url));
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 500,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&steps(), |steps| {
        let case = CASE.fetch_add(1, Ordering::Relaxed);
        runtime.block_on(check(&store, case, &steps));
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn sqlite_does_what_the_model_does() {
    run(&testing::sqlite().url, 96);
}

#[test]
fn postgresql_does_what_the_model_does() {
    let database = Runtime::new().unwrap().block_on(testing::postgres());
    run(&database.url, 16);
}

#[test]
fn mariadb_does_what_the_model_does() {
    let database = Runtime::new().unwrap().block_on(testing::mariadb());
    run(&database.url, 16);
}
