//! A booking service in memory, replicas that can be killed at any call, and a clock to turn.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use sea_orm::{ConnectionTrait, Statement};
use testing::Database;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    domain::{
        error::{StoreError, TripError},
        notice::Notice,
        offer::Offer,
        ports::{
            BOOK_TRIP, CANCEL_TRIP, Claimed, Created, Hold, KeyUse, Lease, LogLine, RequestKey,
            Seat, Seats, SeatsError, Stranded, TripStore,
        },
        trip::{
            Cabin, Failure, FailureReason, Passenger, Price, SeatState, Trip, TripState, Viewer,
        },
    },
    saga::{BookTrip, CancelTrip, Edges, Options, Trips},
    store::Store,
};

/// Seats of every flight; one whose name begins with FULL has none.
const CAPACITY: u32 = 10;

/// Booking's answer to one call, instead of the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Script {
    /// Nothing happens, and it is not clear.
    Lost,
    /// It happens, and it is not clear.
    AnswerLost,
    /// It will not.
    Refused(FailureReason),
}

#[derive(Default)]
struct Bookings {
    seats: HashMap<String, (Seat, String, u32)>,
    scripts: Vec<(&'static str, Script)>,
    calls: Vec<&'static str>,
}

/// Everything outside of the replicas.
#[derive(Clone)]
pub(super) struct World {
    bookings: Arc<Mutex<Bookings>>,
    /// Unix milliseconds; every lost call takes three seconds.
    pub(super) clock: Arc<AtomicI64>,
    pub(super) store: Store,
    _database: Arc<Database>,
}

/// Where a replica dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Before,
    After,
}

/// Kills a replica at its n-th call of a port: from then on none of its calls returns.
pub(super) struct Gate {
    calls: AtomicUsize,
    dies: Option<(usize, When)>,
    pub(super) dead: CancellationToken,
    /// Closed while the replica is frozen.
    open: Semaphore,
}

impl Gate {
    async fn pass<T>(&self, call: impl Future<Output = T>) -> T {
        let _open = self.open.acquire().await.unwrap();
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        if self.dead.is_cancelled() || self.dies == Some((number, When::Before)) {
            self.dead.cancel();
            return std::future::pending().await;
        }
        let outcome = call.await;
        if self.dies == Some((number, When::After)) {
            self.dead.cancel();
            return std::future::pending().await;
        }
        outcome
    }
}

/// A port behind the gate of its replica.
#[derive(Clone)]
pub(super) struct Gated<P> {
    port: P,
    gate: Arc<Gate>,
}

/// A replica of orchestration.
pub(super) struct Replica {
    pub(super) trips: Trips<Gated<Store>, Gated<World>>,
    pub(super) gate: Arc<Gate>,
    pub(super) shutdown: CancellationToken,
}

impl World {
    pub(super) async fn new() -> Self {
        let database = testing::sqlite();
        let options = durable::Options {
            url: database.url.clone(),
            variable: "TEST",
            max_connections: 4,
        };
        Self {
            bookings: Arc::default(),
            clock: Arc::new(AtomicI64::new(1_000_000)),
            store: Store::open(&options).await.unwrap(),
            _database: Arc::new(database),
        }
    }

    pub(super) fn replica(&self) -> Replica {
        self.replica_that_dies(None)
    }

    pub(super) fn replica_that_dies(&self, dies: Option<(usize, When)>) -> Replica {
        let gate = Arc::new(Gate {
            calls: AtomicUsize::new(0),
            dies,
            dead: CancellationToken::new(),
            open: Semaphore::new(Semaphore::MAX_PERMITS),
        });
        let clock = Arc::clone(&self.clock);
        let edges = Edges {
            clock: Box::new(move || clock.load(Ordering::SeqCst)),
            new_id: || Uuid::now_v7().to_string(),
            jitter: || 0.5,
            mail: |_, trip| format!("{} {}", trip.id, trip.state.as_str()).into_bytes(),
        };
        let options = Options {
            first_delay: Duration::from_millis(1),
            most_delay: Duration::from_millis(2),
            poll: Duration::from_millis(5),
            ..Options::default()
        };
        let shutdown = CancellationToken::new();
        let store = Gated {
            port: self.store.clone(),
            gate: Arc::clone(&gate),
        };
        let seats = Gated {
            port: self.clone(),
            gate: Arc::clone(&gate),
        };
        Replica {
            trips: Trips::new(store, seats, options, edges, shutdown.clone()),
            gate,
            shutdown,
        }
    }

    /// Answers the next calls of a method so, one script per call.
    pub(super) fn script(&self, method: &'static str, scripts: &[Script]) {
        let mut bookings = self.bookings.lock().unwrap();
        bookings
            .scripts
            .extend(scripts.iter().map(|script| (method, *script)));
    }

    pub(super) fn pass(&self, time: Duration) {
        let millis = i64::try_from(time.as_millis()).unwrap();
        self.clock.fetch_add(millis, Ordering::SeqCst);
    }

    pub(super) fn calls(&self, method: &str) -> usize {
        let bookings = self.bookings.lock().unwrap();
        bookings
            .calls
            .iter()
            .filter(|call| **call == method)
            .count()
    }

    /// Seats in that state on all flights.
    pub(super) fn seats(&self, state: SeatState) -> u32 {
        let bookings = self.bookings.lock().unwrap();
        let of_state = bookings
            .seats
            .values()
            .filter(|(seat, ..)| seat.state == state);
        of_state.map(|(_, _, seats)| seats).sum()
    }

    /// Everything that mail was told.
    pub(super) async fn mails(&self) -> Vec<String> {
        let db = self.store.db.reader();
        let query = Statement::from_string(
            db.get_database_backend(),
            "SELECT payload FROM outbox ORDER BY id",
        );
        let rows = db.query_all_raw(query).await.unwrap();
        rows.iter()
            .map(|row| String::from_utf8(row.try_get("", "payload").unwrap()).unwrap())
            .collect()
    }

    /// Fails unless all promises are kept.
    pub(super) async fn check(&self) {
        let checks = self.replica().trips.audit(&self.store).await.unwrap();
        for check in checks {
            assert_eq!(check.violations, 0, "{}: {:?}", check.name, check.examples);
        }
    }

    /// Counts the call; none where the truth is to be told.
    fn scripted(&self, method: &'static str) -> Option<Script> {
        let mut bookings = self.bookings.lock().unwrap();
        bookings.calls.push(method);
        let at = bookings.scripts.iter().position(|(of, _)| *of == method)?;
        let (_, script) = bookings.scripts.remove(at);
        drop(bookings);
        if matches!(script, Script::Lost | Script::AnswerLost) {
            self.pass(Duration::from_secs(3));
        }
        Some(script)
    }

    fn call<T>(
        &self,
        method: &'static str,
        truth: impl FnOnce(&mut Bookings) -> Result<T, SeatsError>,
    ) -> Result<T, SeatsError> {
        let script = self.scripted(method);
        let unclear = || SeatsError::Unclear("UNAVAILABLE: no answer".to_owned());
        match script {
            None => truth(&mut self.bookings.lock().unwrap()),
            Some(Script::Lost) => Err(unclear()),
            Some(Script::AnswerLost) => {
                truth(&mut self.bookings.lock().unwrap())?;
                Err(unclear())
            }
            Some(Script::Refused(reason)) => Err(refused(reason)),
        }
    }

    /// Moves all holds of a trip, or none.
    fn move_all(
        &self,
        method: &'static str,
        hold_ids: &[String],
        from: SeatState,
        to: SeatState,
    ) -> Result<(), SeatsError> {
        self.call(method, |bookings| {
            let state = |id: &String| bookings.seats.get(id).map(|(seat, ..)| seat.state);
            if hold_ids
                .iter()
                .any(|id| ![Some(from), Some(to)].contains(&state(id)))
            {
                return Err(refused(FailureReason::HoldReleased));
            }
            for id in hold_ids {
                bookings.seats.get_mut(id).unwrap().0.state = to;
            }
            Ok(())
        })
    }
}

fn refused(reason: FailureReason) -> SeatsError {
    SeatsError::Refused(Failure {
        reason,
        message: format!("because {}", reason.as_str()),
        flight_id: None,
    })
}

impl Seats for World {
    async fn hold(&self, hold: &Hold) -> Result<Seat, SeatsError> {
        self.call("hold", |bookings| {
            if let Some((seat, ..)) = bookings.seats.get(&hold.hold_id) {
                return Ok(seat.clone());
            }
            let taken = bookings
                .seats
                .values()
                .filter(|(seat, flight, _)| *flight == hold.flight_id && seat.state.takes_seats());
            let taken: u32 = taken.map(|(_, _, seats)| seats).sum();
            if hold.flight_id.starts_with("FULL") || taken + hold.seats > CAPACITY {
                return Err(refused(FailureReason::SoldOut));
            }
            let seat = Seat {
                hold_id: hold.hold_id.clone(),
                trip_id: hold.trip_id.clone(),
                locator: format!("L{:05}", bookings.seats.len()),
                state: SeatState::Held,
            };
            let row = (seat.clone(), hold.flight_id.clone(), hold.seats);
            bookings.seats.insert(hold.hold_id.clone(), row);
            Ok(seat)
        })
    }

    async fn confirm(&self, _: &str, hold_ids: &[String]) -> Result<(), SeatsError> {
        self.move_all("confirm", hold_ids, SeatState::Held, SeatState::Confirmed)
    }

    async fn release(&self, trip_id: &str, hold_ids: &[String]) -> Result<(), SeatsError> {
        self.call("release", |bookings| {
            for id in hold_ids {
                let never_made = || {
                    let seat = Seat {
                        hold_id: id.clone(),
                        trip_id: trip_id.to_owned(),
                        locator: String::new(),
                        state: SeatState::Released,
                    };
                    (seat, String::new(), 0)
                };
                let row = bookings.seats.entry(id.clone()).or_insert_with(never_made);
                assert_ne!(
                    row.0.state,
                    SeatState::Confirmed,
                    "sold seats are not released"
                );
                row.0.state = SeatState::Released;
            }
            Ok(())
        })
    }

    async fn cancel(&self, _: &str, hold_ids: &[String]) -> Result<(), SeatsError> {
        self.move_all(
            "cancel",
            hold_ids,
            SeatState::Confirmed,
            SeatState::Cancelled,
        )
    }

    async fn of_trips(&self, trip_ids: &[String]) -> Result<Vec<Seat>, SeatsError> {
        let bookings = self.bookings.lock().unwrap();
        let seats = bookings.seats.values().map(|(seat, ..)| seat);
        Ok(seats
            .filter(|seat| trip_ids.contains(&seat.trip_id))
            .cloned()
            .collect())
    }
}

impl Seats for Gated<World> {
    async fn hold(&self, hold: &Hold) -> Result<Seat, SeatsError> {
        self.gate.pass(self.port.hold(hold)).await
    }

    async fn confirm(&self, trip_id: &str, hold_ids: &[String]) -> Result<(), SeatsError> {
        self.gate.pass(self.port.confirm(trip_id, hold_ids)).await
    }

    async fn release(&self, trip_id: &str, hold_ids: &[String]) -> Result<(), SeatsError> {
        self.gate.pass(self.port.release(trip_id, hold_ids)).await
    }

    async fn cancel(&self, trip_id: &str, hold_ids: &[String]) -> Result<(), SeatsError> {
        self.gate.pass(self.port.cancel(trip_id, hold_ids)).await
    }

    async fn of_trips(&self, trip_ids: &[String]) -> Result<Vec<Seat>, SeatsError> {
        self.port.of_trips(trip_ids).await
    }
}

impl TripStore for Gated<Store> {
    async fn key_find(&self, key: &RequestKey) -> Result<Option<KeyUse>, StoreError> {
        self.port.key_find(key).await
    }

    async fn key_use(
        &self,
        key: &RequestKey,
        trip_id: &str,
        now: i64,
    ) -> Result<Created, StoreError> {
        self.gate.pass(self.port.key_use(key, trip_id, now)).await
    }

    async fn key_forget(&self, key: &RequestKey, until: i64) -> Result<(), StoreError> {
        self.gate.pass(self.port.key_forget(key, until)).await
    }

    async fn trip_create(
        &self,
        trip: &Trip,
        key: &RequestKey,
        lease: &Lease,
        line: &LogLine,
    ) -> Result<Created, StoreError> {
        let create = self.port.trip_create(trip, key, lease, line);
        self.gate.pass(create).await
    }

    async fn trip_get(&self, trip_id: &str) -> Result<Option<Trip>, StoreError> {
        self.port.trip_get(trip_id).await
    }

    async fn trip_advance(
        &self,
        lease: &Lease,
        from: TripState,
        trip: &Trip,
        line: &LogLine,
        notice: Option<&Notice>,
    ) -> Result<(), StoreError> {
        let advance = self.port.trip_advance(lease, from, trip, line, notice);
        self.gate.pass(advance).await
    }

    async fn trip_attempt(
        &self,
        lease: &Lease,
        attempt: u32,
        line: Option<&LogLine>,
    ) -> Result<(), StoreError> {
        let attempt = self.port.trip_attempt(lease, attempt, line);
        self.gate.pass(attempt).await
    }

    async fn trip_cancel(
        &self,
        trip: &Trip,
        owner: &str,
        until: i64,
        line: &LogLine,
    ) -> Result<Option<Lease>, StoreError> {
        let cancel = self.port.trip_cancel(trip, owner, until, line);
        self.gate.pass(cancel).await
    }

    async fn trip_stranded(&self, now: i64, most: u64) -> Result<Vec<Stranded>, StoreError> {
        self.port.trip_stranded(now, most).await
    }

    async fn trip_claim(
        &self,
        stranded: &Stranded,
        owner: &str,
        now: i64,
        until: i64,
    ) -> Result<Option<Claimed>, StoreError> {
        let claim = self.port.trip_claim(stranded, owner, now, until);
        self.gate.pass(claim).await
    }

    async fn lease_release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.gate.pass(self.port.lease_release(lease)).await
    }
}

impl Replica {
    /// Stops the replica at its next call until [`Replica::thaw`].
    pub(super) fn freeze(&self) {
        self.gate.open.forget_permits(usize::MAX);
    }

    pub(super) fn thaw(&self) {
        self.gate.open.add_permits(Semaphore::MAX_PERMITS);
    }

    /// Whether the replica died before it could answer.
    pub(super) async fn book_or_die(&self, order: BookTrip) -> Option<Result<Trip, TripError>> {
        let dead = self.gate.dead.clone();
        dead.run_until_cancelled(Box::pin(self.trips.book(order)))
            .await
    }
}

/// Books two seats on each of the flights, under a key.
pub(super) fn order(key: &str, flights: &[&str]) -> BookTrip {
    let name = |given: &str| Passenger {
        given_name: given.to_owned(),
        family_name: "Lovelace".to_owned(),
    };
    BookTrip {
        user_id: "ada".to_owned(),
        key: request_key(BOOK_TRIP, key, flights.len()),
        offer: Some(Offer {
            flights: flights.iter().map(ToString::to_string).collect(),
            cabin: Cabin::Economy,
            passengers: 2,
            price: Price {
                cents: 41_250,
                currency: "USD".to_owned(),
            },
            expires: 2_000_000,
            departure: 200_000_000,
        }),
        passengers: vec![name("Ada"), name("Anne")],
        contact_email: "ada@example.com".to_owned(),
    }
}

/// A key of a request with that body.
pub(super) fn request_key(method: &'static str, key: &str, body: usize) -> RequestKey {
    RequestKey {
        caller: "ada".to_owned(),
        method,
        key: key.to_owned(),
        fingerprint: [u8::try_from(body).unwrap(); 32],
    }
}

/// Ada's wish to cancel a trip.
pub(super) fn wish(trip: &Trip, key: Option<&str>) -> CancelTrip {
    let body = usize::from(trip.id.as_bytes()[trip.id.len() - 1]);
    CancelTrip {
        trip_id: trip.id.clone(),
        viewer: Viewer::User("ada".to_owned()),
        key: key.map(|key| request_key(CANCEL_TRIP, key, body)),
    }
}

/// Why a trip failed.
pub(super) fn reason(outcome: Result<Trip, TripError>) -> FailureReason {
    match outcome {
        Err(TripError::Failed { failure, .. }) => failure.reason,
        other => panic!("expected a trip that failed, got {other:?}"),
    }
}
