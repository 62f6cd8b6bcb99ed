//! Many holds in one transaction.
//!
//! All holds of a cabin change the same row, which a database lets one transaction do at a time: on
//! a flight that everybody wants, each would wait for the commit of each other. So those of a replica
//! queue here instead, in a lane of their cabin. One that finds no lane goes at once, alone; those that
//! come while it is under way wait, and go together in the next transaction. Commits are
//! then shared by as many as arrived during one, and the more are waiting, the more share
//! (group commit; Gray and Reuter, "Transaction Processing", 1993, 9.4). Where more cabins wait
//! than transactions may run at once, some of them share one too.
//!
//! A lane exists while somebody is in it or its transaction is under way. A batch runs on a task of its
//! own: a caller that goes away takes nothing with it.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::future::join_all;
use tokio::sync::oneshot;
use tracing::{Instrument, Span};

use super::{
    booking::Booking,
    error::HoldError,
    hold::NewHold,
    inventory::CabinKey,
    ports::{FlightError, Flights, Holds, Lot, Store},
};

/// Holds of one transaction at most.
pub const MOST_AT_ONCE: usize = 64;
/// Cabins of one transaction at most: their rows are locked until its commit.
const MOST_CABINS: usize = 8;
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
    /// Transactions at once.
    most_workers: usize,
    queue: Mutex<Queue>,
}

/// Who waits for what.
#[derive(Debug, Default)]
struct Queue {
    lanes: HashMap<CabinKey, Lane>,
    /// Lanes in which somebody waits and of which no transaction is under way, the longest first.
    due: VecDeque<CabinKey>,
    /// Tasks that work on them, a transaction at a time. One ends when it finds none due.
    workers: usize,
}

#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<Waiting>,
    under_way: bool,
}

#[derive(Debug)]
struct Waiting {
    hold: NewHold,
    answer: oneshot::Sender<Result<Booking, HoldError>>,
    /// To whose trace it belongs.
    span: Span,
}

/// Those of one cabin who are next.
struct Batch {
    cabin: CabinKey,
    waiting: Vec<Waiting>,
}

impl<S: Store, F: Flights> Combiner<S, F> {
    /// A desk with no more than so many transactions at once.
    pub fn new(store: Arc<S>, flights: F, transactions: usize) -> Self {
        Self(Arc::new(Inner {
            store,
            flights,
            most_workers: transactions.max(1),
            queue: Mutex::default(),
        }))
    }

    /// Holds seats.
    ///
    /// # Errors
    /// Where there are none, or the request cannot be served.
    pub async fn hold(&self, cabin: CabinKey, hold: NewHold) -> Result<Booking, HoldError> {
        let flight = cabin.flight.clone();
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting {
            hold,
            answer,
            span: Span::current(),
        };
        let needs_worker = self.0.queue().enqueue(cabin, waiting, self.0.most_workers);
        let Some(needs_worker) = needs_worker else {
            return Err(HoldError::Busy { flight });
        };
        if needs_worker {
            tokio::spawn(work(Arc::clone(&self.0)));
        }
        // Without an answer the batch has failed in a way that nobody foresaw.
        answered.await.unwrap_or(Err(HoldError::Busy { flight }))
    }
}

/// Serves lanes that are due, until none is.
async fn work<S: Store, F: Flights>(inner: Arc<Inner<S, F>>) {
    loop {
        let Some(batches) = inner.queue().next() else {
            return;
        };
        let cabins: Vec<_> = batches.iter().map(|batch| batch.cabin.clone()).collect();
        let first = batches.iter().flat_map(|batch| &batch.waiting).next();
        // The SQL belongs to the trace of whoever came first.
        if let Some(span) = first.map(|waiting| waiting.span.clone()) {
            let served = serve(Arc::clone(&inner), batches).instrument(span);
            if let Err(failed) = tokio::spawn(served).await {
                tracing::error!(%failed, "holds were not answered");
            }
        }
        inner.queue().done(cabins);
    }
}

/// Holds seats of several cabins in one transaction, and answers.
async fn serve<S: Store, F: Flights>(inner: Arc<Inner<S, F>>, batches: Vec<Batch>) {
    let (lots, answers): (Vec<_>, Vec<_>) = batches.into_iter().map(Batch::split).unzip();
    let count: usize = answers.iter().map(Vec::len).sum();
    metrics::histogram!("booking_holds_per_transaction").record(size(count));
    let outcomes = inner.place(&lots).await;
    for ((lot, answers), outcome) in lots.iter().zip(answers).zip(outcomes) {
        // Whoever has gone does not hear the answer; the hold stands until it expires.
        match outcome {
            Ok(holds) => {
                for (answer, hold) in answers.into_iter().zip(holds) {
                    let _ = answer.send(hold);
                }
            }
            Err(error) => {
                tracing::debug!(cabin = %lot.cabin, %error, "no hold of a cabin");
                for answer in answers {
                    let _ = answer.send(Err(error.clone()));
                }
            }
        }
    }
}

impl Batch {
    fn split(self) -> (Lot, Vec<oneshot::Sender<Result<Booking, HoldError>>>) {
        let halves = self.waiting.into_iter().map(|one| (one.hold, one.answer));
        let (holds, answers) = halves.unzip();
        let cabin = self.cabin;
        (Lot { cabin, holds }, answers)
    }
}

impl Queue {
    /// Takes a place in the lane of a cabin, and says whether one more worker is needed; none where the lane is full.
    fn enqueue(&mut self, cabin: CabinKey, waiting: Waiting, most_workers: usize) -> Option<bool> {
        let lane = self.lanes.entry(cabin.clone()).or_default();
        if lane.waiting.len() >= MOST_WAITING {
            return None;
        }
        let is_due = lane.waiting.is_empty() && !lane.under_way;
        lane.waiting.push_back(waiting);
        if is_due {
            self.due.push_back(cabin);
        }
        let needs_worker = is_due && self.workers < most_workers;
        self.workers += usize::from(needs_worker);
        Some(needs_worker)
    }

    /// Those who are next, by cabin and in the order of cabins; none where nobody is, and then the worker ends.
    fn next(&mut self) -> Option<Vec<Batch>> {
        let mut batches = Vec::new();
        let mut room = MOST_AT_ONCE;
        while room > 0 && batches.len() < MOST_CABINS {
            let Some(cabin) = self.due.pop_front() else {
                break;
            };
            let Some(lane) = self.lanes.get_mut(&cabin) else {
                continue;
            };
            lane.under_way = true;
            let next = lane.waiting.drain(..lane.waiting.len().min(room));
            // Whoever has gone in the meantime wants no seats any more.
            let waiting: Vec<_> = next.filter(|one| !one.answer.is_closed()).collect();
            if waiting.is_empty() {
                self.done([cabin]);
                continue;
            }
            room -= waiting.len();
            batches.push(Batch { cabin, waiting });
        }
        if batches.is_empty() {
            self.workers -= 1;
            return None;
        }
        batches.sort_by(|one, other| one.cabin.cmp(&other.cabin));
        Some(batches)
    }

    /// The transaction of these cabins is over: their lanes are due again, or gone.
    fn done(&mut self, cabins: impl IntoIterator<Item = CabinKey>) {
        for cabin in cabins {
            let Some(lane) = self.lanes.get_mut(&cabin) else {
                continue;
            };
            lane.under_way = false;
            if lane.waiting.is_empty() {
                self.lanes.remove(&cabin);
            } else {
                self.due.push_back(cabin);
            }
        }
    }
}

impl<S: Store, F: Flights> Inner<S, F> {
    /// What comes of each lot.
    async fn place(&self, lots: &[Lot]) -> Vec<Result<Holds, HoldError>> {
        let asked = lots.iter().flat_map(|lot| &lot.holds);
        let now = asked.map(|hold| hold.created).max().unwrap_or_default();
        let outcomes = match self.store.hold_lots(lots, now).await {
            Ok(outcomes) => outcomes,
            Err(error) => return lots.iter().map(|_| Err(error.clone().into())).collect(),
        };
        let answers = lots
            .iter()
            .zip(outcomes)
            .map(async |(lot, outcome)| match outcome {
                Some(holds) => Ok(holds),
                None => self.open_and_place(lot, now).await,
            });
        join_all(answers).await
    }

    /// Holds seats of a cabin of which nobody has held one yet.
    async fn open_and_place(&self, lot: &Lot, now: i64) -> Result<Holds, HoldError> {
        let Lot { cabin, holds } = lot;
        self.open(cabin, now).await?;
        let outcomes = self.store.hold(cabin, holds, now).await?;
        outcomes.ok_or_else(|| HoldError::TimetableUnavailable {
            flight: cabin.flight.clone(),
        })
    }

    /// Asks the timetable about a cabin and opens it.
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
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
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
        let queue = desk.0.queue();
        assert!(queue.lanes.is_empty(), "nobody is in a lane any more");
        assert_eq!(queue.workers, 0);
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
    async fn cabins_share_a_transaction_where_there_are_too_few() {
        let desk = desk(1);
        let first = ask(&desk, "a", "first");
        settle().await;
        let flights = ["k", "j", "i", "h", "g", "f", "e", "d", "c"];
        let others: Vec<_> = flights.map(|flight| ask(&desk, flight, flight)).into();
        settle().await;
        desk.0.store.gate.add_permits(3);
        for asked in others.into_iter().chain([first]) {
            assert!(asked.await.unwrap().is_ok());
        }
        // In the order of cabins, whoever came first.
        let expected: [&[&str]; 3] = [
            &["first"],
            &["d", "e", "f", "g", "h", "i", "j", "k"],
            &["c"],
        ];
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
