//! Answers that take their time: boards that are longer than a page, and flights that change.
//!
//! Both are pulled: nothing is made before the connection has room for it, and nothing is held
//! that a new timetable would make stale.

use std::{sync::Arc, time::Duration};

use contracts::search::v1::{Departure, Flight};
use futures_util::{StreamExt, stream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::{Answers, convert, error::shutting_down, find};
use crate::{
    domain::{
        day::{DAY_MINUTES, Minute},
        zone::minute_of,
    },
    state::State,
};

/// Longest wait before a watched flight is looked at again: the clock may have been set.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// Sends a board line by line.
pub(super) fn departures(board: Vec<Departure>, shutdown: CancellationToken) -> Answers<Departure> {
    let lines = stream::iter(board.into_iter().map(Ok));
    let stopped = shutdown.clone();
    let end = stream::once(async move { stopped.is_cancelled() })
        .filter_map(async |stopped| stopped.then(|| Err(shutting_down())));
    Box::pin(lines.take_until(shutdown.cancelled_owned()).chain(end))
}

/// Sends a flight as it is, then whenever it has changed, until it departs.
pub(super) fn watch(state: Arc<State>, id: String) -> Answers<Flight> {
    let watch = Watch {
        seats: state.availability.changes(),
        timetable: state.changes.subscribe(),
        state,
        id,
        last: None,
        ended: false,
    };
    Box::pin(stream::unfold(watch, Watch::next))
}

struct Watch {
    state: Arc<State>,
    id: String,
    seats: watch::Receiver<u64>,
    timetable: watch::Receiver<i64>,
    /// As it was sent last.
    last: Option<Flight>,
    ended: bool,
}

impl Watch {
    async fn next(mut self) -> Option<(Result<Flight, Status>, Self)> {
        while !self.ended {
            // Before looking, so that no change is missed between looking and waiting.
            self.seats.mark_unchanged();
            self.timetable.mark_unchanged();
            let (flight, departure) = match self.look() {
                Ok(seen) => seen,
                Err(status) => {
                    self.ended = true;
                    return Some((Err(status), self));
                }
            };
            let now = minute_of((self.state.clock)());
            self.ended = now >= departure;
            if self.last.as_ref() != Some(&flight) {
                self.last = Some(flight.clone());
                return Some((Ok(flight), self));
            }
            if !self.ended && self.wait(now, departure).await.is_break() {
                self.ended = true;
                return Some((Err(shutting_down()), self));
            }
        }
        None
    }

    fn look(&self) -> Result<(Flight, Minute), Status> {
        let (timetable, now) = (self.state.timetable.load(), (self.state.clock)());
        let flight = find(&timetable, &self.id, now)?;
        Ok((
            convert::flight(self.state.market(&timetable, now), &flight),
            flight.departure,
        ))
    }

    /// Waits for anything that may change the flight; breaks where the replica shuts down.
    async fn wait(&mut self, now: Minute, departure: Minute) -> std::ops::ControlFlow<()> {
        tokio::select! {
            () = self.state.shutdown.cancelled() => return std::ops::ControlFlow::Break(()),
            Ok(()) = self.seats.changed() => {}
            Ok(()) = self.timetable.changed() => {}
            () = tokio::time::sleep(until_next_fare(now, departure)) => {}
        }
        std::ops::ControlFlow::Continue(())
    }
}

/// How long a fare can stand: until there is a day less before departure, or until that.
fn until_next_fare(now: Minute, departure: Minute) -> Duration {
    let left = departure - now;
    let minutes = if left < DAY_MINUTES {
        left
    } else {
        left.rem_euclid(DAY_MINUTES) + 1
    };
    // Up to a minute of the present one has passed.
    Duration::from_secs(u64::from(minutes.unsigned_abs()) * 60).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU16, Ordering};

    use arc_swap::ArcSwap;
    use mesh::seal::Key;

    use super::*;
    use crate::domain::{
        day::Day,
        flight_id::FlightId,
        pattern::{Cabin, testing::pattern},
        seats::Availability,
        timetable::Timetable,
        typeahead::Typeahead,
    };

    struct Seats {
        sold: AtomicU16,
        changes: watch::Sender<u64>,
    }

    impl Availability for Seats {
        fn seats_left(&self, _: FlightId, _: Cabin, capacity: u16) -> u16 {
            capacity - self.sold.load(Ordering::Relaxed).min(capacity)
        }

        fn changes(&self) -> watch::Receiver<u64> {
            self.changes.subscribe()
        }
    }

    fn state(seats: &Arc<Seats>, clock: fn() -> i64) -> Arc<State> {
        let timetable = Timetable::new(
            vec![pattern("AS21 JFK-SEA 10:00-13:15")],
            Day::parse("2026-11-22").unwrap(),
        );
        Arc::new(State {
            typeahead: Typeahead::new(timetable.airports()),
            timetable: ArcSwap::from_pointee(timetable),
            changes: watch::Sender::new(1),
            availability: Arc::clone(seats) as Arc<dyn Availability>,
            key: Key::new([7; 32]),
            clock,
            shutdown: CancellationToken::new(),
        })
    }

    fn seats() -> Arc<Seats> {
        Arc::new(Seats {
            sold: AtomicU16::new(0),
            changes: watch::Sender::new(0),
        })
    }

    fn economy(flight: &Flight) -> (Option<u32>, bool) {
        (flight.cabins[0].seats_left, flight.cabins[0].fare.is_some())
    }

    #[tokio::test]
    async fn a_watched_flight_is_sent_at_once_and_when_its_seats_change() {
        let seats = seats();
        let state = state(&seats, || 1_796_000_000);
        let mut watched = watch(Arc::clone(&state), "AS21-2026-12-15-JFK".to_owned());
        assert_eq!(
            economy(&watched.next().await.unwrap().unwrap()),
            (Some(100), true)
        );
        for (sold, expected) in [(98, (Some(2), true)), (100, (Some(0), false))] {
            seats.sold.store(sold, Ordering::Relaxed);
            seats.changes.send_modify(|version| *version += 1);
            assert_eq!(economy(&watched.next().await.unwrap().unwrap()), expected);
        }
        state.shutdown.cancel();
        assert_eq!(
            watched.next().await.unwrap().unwrap_err().code(),
            tonic::Code::Unavailable
        );
        assert!(watched.next().await.is_none());
    }

    #[tokio::test]
    async fn a_flight_that_has_departed_is_sent_once() {
        // 2026-12-15 15:00 UTC, the minute of its departure.
        let mut watched = watch(
            state(&seats(), || 1_797_346_800),
            "AS21-2026-12-15-JFK".to_owned(),
        );
        assert!(watched.next().await.unwrap().is_ok());
        assert!(watched.next().await.is_none());
    }

    #[tokio::test]
    async fn a_board_cut_short_by_shutdown_says_so() {
        let shutdown = CancellationToken::new();
        let board = || vec![Departure::default(); 3];
        assert_eq!(
            departures(board(), shutdown.clone())
                .filter(|line| std::future::ready(line.is_ok()))
                .count()
                .await,
            3
        );
        shutdown.cancel();
        let lines: Vec<_> = departures(board(), shutdown).collect().await;
        assert_eq!(
            lines.last().unwrap().as_ref().unwrap_err().code(),
            tonic::Code::Unavailable
        );
    }

    #[test]
    fn a_fare_stands_until_there_is_a_day_less() {
        for (left, minutes) in [(10, 10), (1_439, 60), (1_440, 1), (1_441, 2), (2_000, 60)] {
            assert_eq!(
                until_next_fare(1_000, 1_000 + left),
                Duration::from_secs(minutes * 60),
                "{left} minutes left"
            );
        }
    }
}
