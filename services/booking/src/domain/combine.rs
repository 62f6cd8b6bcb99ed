//! Many holds of one cabin in one transaction.
//!
//! All holds of a cabin change the same row, which a database lets one transaction do at a time: on
//! a flight that everybody wants, each would wait for the commit of each other. So those of a replica
//! queue here instead, in a lane of their cabin. One that finds no lane goes at once, alone; those that
//! come while it is under way wait, and go together in the next transaction. Commits are
//! then shared by as many as arrived during one, and the more are waiting, the more share
//! (group commit; Gray and Reuter, "Transaction Processing", 1993, 9.4).
//!
//! A lane exists while somebody is in it. A batch runs on a task of its own: a caller that goes away
//! takes nothing with it.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Semaphore, oneshot};
use tracing::Instrument;

use super::{
    booking::Booking,
    error::HoldError,
    hold::NewHold,
    inventory::CabinKey,
    ports::{FlightError, Flights, Holds, Store},
};

/// Holds of one transaction at most.
pub const MOST_AT_ONCE: usize = 64;
/// Holds that wait in one lane at most: four transactions' worth.
const MOST_WAITING: usize = 256;

/// The desk where seats are held.
#[derive(Debug)]
pub struct Combiner<S, F>(Arc<Inner<S, F>>);

impl<S, F> Clone for Combiner<S, F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[derive(Debug)]
struct Inner<S, F> {
    store: Arc<S>,
    flights: F,
    /// Transactions at once: whoever waits for one may still be joined by others.
    transactions: Semaphore,
    lanes: Mutex<HashMap<CabinKey, VecDeque<Waiting>>>,
}

#[derive(Debug)]
struct Waiting {
    hold: NewHold,
    answer: oneshot::Sender<Result<Booking, HoldError>>,
}

impl<S: Store, F: Flights> Combiner<S, F> {
    /// A desk with no more than so many transactions at once.
    pub fn new(store: Arc<S>, flights: F, transactions: usize) -> Self {
        Self(Arc::new(Inner {
            store,
            flights,
            transactions: Semaphore::new(transactions.max(1)),
            lanes: Mutex::default(),
        }))
    }

    /// Holds seats.
    ///
    /// # Errors
    /// Where there are none, or the request cannot be served.
    pub async fn hold(&self, cabin: CabinKey, hold: NewHold) -> Result<Booking, HoldError> {
        let flight = cabin.flight.clone();
        let (answer, answered) = oneshot::channel();
        if self.0.enqueue(&cabin, Waiting { hold, answer })? {
            let lane = Lane {
                inner: Arc::clone(&self.0),
                cabin,
            };
            // The SQL belongs to the trace of whoever came first.
            tokio::spawn(lane.run().in_current_span());
        }
        // Without an answer the batch has failed in a way that nobody foresaw.
        answered.await.unwrap_or(Err(HoldError::Busy { flight }))
    }
}

impl<S: Store, F: Flights> Inner<S, F> {
    /// Takes a place in the lane; true where the lane is new and nobody serves it yet.
    fn enqueue(&self, cabin: &CabinKey, waiting: Waiting) -> Result<bool, HoldError> {
        match self.lanes().entry(cabin.clone()) {
            Entry::Vacant(lane) => {
                lane.insert(VecDeque::from([waiting]));
                Ok(true)
            }
            Entry::Occupied(lane) if lane.get().len() >= MOST_WAITING => Err(HoldError::Busy {
                flight: cabin.flight.clone(),
            }),
            Entry::Occupied(mut lane) => {
                lane.get_mut().push_back(waiting);
                Ok(false)
            }
        }
    }

    async fn serve(&self, cabin: &CabinKey, batch: Vec<Waiting>) {
        let (holds, answers): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .map(|waiting| (waiting.hold, waiting.answer))
            .unzip();
        // Whoever has gone does not hear the answer; the hold stands until it expires.
        match self.place(cabin, &holds).await {
            Ok(outcomes) => {
                for (answer, outcome) in answers.into_iter().zip(outcomes) {
                    let _ = answer.send(outcome);
                }
            }
            Err(error) => {
                for answer in answers {
                    let _ = answer.send(Err(error.clone()));
                }
            }
        }
    }

    async fn place(&self, cabin: &CabinKey, holds: &[NewHold]) -> Result<Holds, HoldError> {
        let now = holds
            .iter()
            .map(|hold| hold.created)
            .max()
            .unwrap_or_default();
        if let Some(outcomes) = self.store.hold(cabin, holds, now).await? {
            return Ok(outcomes);
        }
        self.open(cabin, now).await?;
        let outcomes = self.store.hold(cabin, holds, now).await?;
        outcomes.ok_or_else(|| HoldError::TimetableUnavailable {
            flight: cabin.flight.clone(),
        })
    }

    /// Asks the timetable about a cabin of which nobody has held a seat yet.
    async fn open(&self, cabin: &CabinKey, now: i64) -> Result<(), HoldError> {
        let name = || cabin.flight.clone();
        let found = self.flights.flight(&cabin.flight).await;
        let flight = found.map_err(|error| match error {
            FlightError::NotFound => HoldError::FlightNotFound { flight: name() },
            FlightError::Unavailable => HoldError::TimetableUnavailable { flight: name() },
        })?;
        if flight.departure <= now {
            return Err(HoldError::FlightDeparted { flight: name() });
        }
        let mut cabins = flight.cabins.into_iter();
        let Some((_, capacity)) = cabins.find(|(known, _)| *known == cabin.cabin) else {
            return Err(HoldError::CabinNotFound {
                flight: name(),
                cabin: cabin.cabin,
            });
        };
        let departure = flight.departure;
        Ok(self.store.open_cabin(cabin, capacity, departure).await?)
    }
}

impl<S, F> Inner<S, F> {
    /// Only moves are made under the lock: nothing that could fail half-way.
    fn lanes(&self) -> MutexGuard<'_, HashMap<CabinKey, VecDeque<Waiting>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that serves a lane until nobody is in it.
struct Lane<S, F> {
    inner: Arc<Inner<S, F>>,
    cabin: CabinKey,
}

impl<S: Store, F: Flights> Lane<S, F> {
    async fn run(self) {
        loop {
            let permit = self.inner.transactions.acquire().await;
            let Some(batch) = self.next_batch() else {
                return;
            };
            if !batch.is_empty() {
                metrics::histogram!("booking_holds_per_transaction").record(size(batch.len()));
                self.inner.serve(&self.cabin, batch).await;
            }
            drop(permit);
        }
    }

    /// Those who are next; none where the lane is empty, and then it is gone.
    fn next_batch(&self) -> Option<Vec<Waiting>> {
        let mut lanes = self.inner.lanes();
        let lane = lanes.get_mut(&self.cabin)?;
        if lane.is_empty() {
            lanes.remove(&self.cabin);
            return None;
        }
        let next = lane.drain(..lane.len().min(MOST_AT_ONCE));
        // Whoever has gone in the meantime wants no seats any more.
        Some(next.filter(|waiting| !waiting.answer.is_closed()).collect())
    }
}

impl<S, F> Drop for Lane<S, F> {
    /// Also after a panic: the next caller opens a lane of its own, and those in this one are told.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.inner.lanes().remove(&self.cabin);
        }
    }
}

fn size(holds: usize) -> f64 {
    u32::try_from(holds).map_or(f64::MAX, f64::from)
}

#[cfg(test)]
mod tests {
    use tokio::task::{JoinHandle, yield_now};

    use super::*;
    use crate::domain::{
        booking::Cabin,
        ports::{Flight, testing::Granting},
    };

    struct NoTimetable;

    impl Flights for NoTimetable {
        async fn flight(&self, _: &str) -> Result<Flight, FlightError> {
            Err(FlightError::Unavailable)
        }
    }

    type Desk = Combiner<Granting, NoTimetable>;

    fn desk(transactions: usize) -> Desk {
        Combiner::new(Arc::default(), NoTimetable, transactions)
    }

    fn ask(desk: &Desk, flight: &str, id: &str) -> JoinHandle<Result<Booking, HoldError>> {
        let desk = desk.clone();
        let cabin = CabinKey {
            flight: flight.to_owned(),
            cabin: Cabin::Economy,
        };
        let hold = NewHold {
            id: id.to_owned(),
            trip: "t".into(),
            user: "ada".into(),
            seats: 1,
            created: 0,
            expires: 100,
        };
        tokio::spawn(async move { desk.hold(cabin, hold).await })
    }

    fn transactions(desk: &Desk) -> Vec<Vec<String>> {
        desk.0.store.transactions.lock().unwrap().clone()
    }

    /// Lets all tasks go on until they wait.
    async fn settle() {
        for _ in 0..1_000 {
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn one_goes_alone_and_those_who_wait_go_together() {
        let desk = desk(4);
        let first = ask(&desk, "hot", "first");
        settle().await;
        let others: Vec<_> = (0..70).map(|n| ask(&desk, "hot", &n.to_string())).collect();
        let elsewhere = ask(&desk, "cold", "elsewhere");
        settle().await;
        assert_eq!(transactions(&desk), [["first"], ["elsewhere"]]);
        desk.0.store.gate.add_permits(4);
        for asked in others.into_iter().chain([first, elsewhere]) {
            assert!(asked.await.unwrap().is_ok());
        }
        let sizes: Vec<_> = transactions(&desk).iter().map(Vec::len).collect();
        assert_eq!(sizes, [1, 1, MOST_AT_ONCE, 6]);
        settle().await;
        assert!(desk.0.lanes().is_empty(), "nobody is in a lane any more");
    }

    #[tokio::test]
    async fn who_waits_for_a_transaction_is_joined_by_others() {
        let desk = desk(1);
        let first = ask(&desk, "a", "first");
        settle().await;
        let second = ask(&desk, "b", "second");
        settle().await;
        let third = ask(&desk, "b", "third");
        settle().await;
        desk.0.store.gate.add_permits(2);
        for asked in [first, second, third] {
            assert!(asked.await.unwrap().is_ok());
        }
        let expected: [&[&str]; 2] = [&["first"], &["second", "third"]];
        assert_eq!(transactions(&desk), expected);
    }

    #[tokio::test]
    async fn a_lane_has_an_end() {
        let desk = desk(1);
        let first = ask(&desk, "hot", "first");
        settle().await;
        let waiting: Vec<_> = (0..MOST_WAITING)
            .map(|n| ask(&desk, "hot", &n.to_string()))
            .collect();
        settle().await;
        let busy = HoldError::Busy {
            flight: "hot".into(),
        };
        assert_eq!(ask(&desk, "hot", "late").await.unwrap(), Err(busy));
        desk.0.store.gate.add_permits(9);
        for asked in waiting.into_iter().chain([first]) {
            assert!(asked.await.unwrap().is_ok());
        }
    }

    #[tokio::test]
    async fn who_goes_away_takes_nothing_with_them() {
        let desk = desk(1);
        let gone = ask(&desk, "hot", "gone");
        settle().await;
        let (leaves, stays) = (ask(&desk, "hot", "leaves"), ask(&desk, "hot", "stays"));
        settle().await;
        gone.abort();
        leaves.abort();
        settle().await;
        desk.0.store.gate.add_permits(9);
        assert!(stays.await.unwrap().is_ok());
        // What was begun is done; what was not, is not wanted any more.
        assert_eq!(transactions(&desk), [["gone"], ["stays"]]);
    }

    #[tokio::test]
    async fn a_panic_costs_its_transaction_and_no_other() {
        let desk = desk(1);
        desk.0.store.gate.add_permits(9);
        let busy = HoldError::Busy {
            flight: "hot".into(),
        };
        assert_eq!(ask(&desk, "hot", "panic").await.unwrap(), Err(busy));
        assert!(ask(&desk, "hot", "next").await.unwrap().is_ok());
    }
}
