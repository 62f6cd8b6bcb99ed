//! Takes a trip from its state to the end, a step at a time.
//!
//! A step is written down before it is tried. An answer that leaves open what happened is asked for
//! again; booking gives the same answer to the same request. Every write names the lease, so that a
//! replica that has been taken for dead does no harm when it comes back: it finds the trip taken and stops.

use futures_util::future::join_all;
use mesh::backoff::Backoff;

use super::{
    Inner,
    machine::{Step, log_event, step},
    millis,
    outcome::Outcome,
};
use crate::domain::{
    error::StoreError,
    notice::{Notice, Occasion},
    ports::{Claimed, Hold, Lease, LogLine, Seat, Seats, SeatsError, TripStore},
    trip::{Failure, FailureReason, SeatState, Trip},
};

/// The log has all attempts up to this one, and then every so many.
const ATTEMPTS_LOGGED: u32 = 5;
const ATTEMPTS_BETWEEN: u32 = 10;

/// A saga at work.
pub(super) struct Run<'a, S, B> {
    inner: &'a Inner<S, B>,
    trip: Trip,
    lease: Lease,
    /// Attempts at the present step, this one included.
    attempt: u32,
}

/// The saga goes no further here: the lease is lost, or given back because the replica shuts down.
struct Stopped;

/// What is written while a saga runs.
enum Write<'a> {
    /// The next state.
    Advance {
        trip: &'a Trip,
        line: LogLine,
        notice: Option<Notice>,
    },
    /// Another attempt.
    Attempt(Option<LogLine>),
}

impl<'a, S: TripStore, B: Seats> Run<'a, S, B> {
    pub(super) fn new(inner: &'a Inner<S, B>, claimed: Claimed) -> Self {
        Self {
            inner,
            trip: claimed.trip,
            lease: claimed.lease,
            attempt: claimed.attempt,
        }
    }

    /// Does what is left to do. `taken_over`: another replica began.
    pub(super) async fn finish(mut self, taken_over: bool) {
        if taken_over && self.take_over().await.is_err() {
            return;
        }
        while let Some(step) = step(self.trip.state) {
            let moved = match self.carry_out(step).await {
                Ok(outcome) => self.advance(&outcome).await,
                Err(stopped) => Err(stopped),
            };
            if moved.is_err() {
                return;
            }
        }
        let state = self.trip.state.as_str();
        metrics::counter!("trips_total", "state" => state).increment(1);
        tracing::info!(trip.id = self.trip.id, trip.state = state, "trip settled");
    }

    async fn take_over(&mut self) -> Result<(), Stopped> {
        self.attempt = self.attempt.saturating_add(1);
        let line = self.line("taken over from a replica that went away".to_owned());
        self.write(&Write::Attempt(Some(line))).await
    }

    /// Tries a step until it is clear how it ended.
    async fn carry_out(&mut self, step: Step) -> Result<Outcome, Stopped> {
        let give_up = self.inner.now() + millis(self.inner.options.hold_patience);
        let mut backoff = self.backoff();
        let mut held = vec![None; self.trip.bookings.len()];
        loop {
            let why = match self.attempt(step, &mut held).await {
                Ok(outcome) => return Ok(outcome),
                Err(why) => why,
            };
            tracing::debug!(trip.id = self.trip.id, step = step.as_str(), attempt = self.attempt, %why, "asking again");
            if step == Step::Hold && self.inner.now() >= give_up {
                return Ok(Outcome::Refused(Failure {
                    reason: FailureReason::BookingUnavailable,
                    message: "seats can not be held at the moment; try again later".to_owned(),
                    flight_id: None,
                }));
            }
            self.pause(&mut backoff).await?;
            self.attempt = self.attempt.saturating_add(1);
            let logged =
                self.attempt <= ATTEMPTS_LOGGED || self.attempt.is_multiple_of(ATTEMPTS_BETWEEN);
            let line = logged.then(|| self.line(format!("again, after: {why}")));
            self.write(&Write::Attempt(line)).await?;
        }
    }

    /// Tries a step once; the error says why it is not clear how it ended.
    async fn attempt(&self, step: Step, held: &mut [Option<Seat>]) -> Result<Outcome, String> {
        let (trip_id, hold_ids) = (&self.trip.id, self.trip.hold_ids());
        let seats = &self.inner.seats;
        match step {
            Step::Hold => self.hold(held).await,
            Step::Confirm => match seats.confirm(trip_id, &hold_ids).await {
                Ok(()) => Ok(Outcome::Sold),
                Err(SeatsError::Refused(failure)) => Ok(Outcome::Refused(failure)),
                Err(SeatsError::Unclear(why)) => Err(why),
            },
            Step::Release => {
                let answer = seats.release(trip_id, &hold_ids).await;
                self.must(step, answer).map(|()| Outcome::Released)
            }
            Step::Cancel => {
                let answer = seats.cancel(trip_id, &hold_ids).await;
                self.must(step, answer).map(|()| Outcome::Returned)
            }
        }
    }

    /// Holds the seats of all flights that are not held yet, at once.
    async fn hold(&self, held: &mut [Option<Seat>]) -> Result<Outcome, String> {
        let missing = held
            .iter_mut()
            .enumerate()
            .filter(|(_, seat)| seat.is_none());
        let calls = missing.map(async |(index, place)| {
            let answer = self.inner.seats.hold(&self.hold_of(index)).await;
            let seat = answer.and_then(|seat| self.is_held(index, seat))?;
            *place = Some(seat);
            Ok(())
        });
        let mut unclear = None;
        for answer in join_all(calls).await {
            match answer {
                Ok(()) => {}
                // Clear enough, whatever became of the others.
                Err(SeatsError::Refused(failure)) => return Ok(Outcome::Refused(failure)),
                Err(SeatsError::Unclear(why)) => unclear = unclear.or(Some(why)),
            }
        }
        match unclear {
            Some(why) => Err(why),
            None => Ok(Outcome::Held(held.iter().flatten().cloned().collect())),
        }
    }

    fn hold_of(&self, index: usize) -> Hold {
        Hold {
            hold_id: self.trip.hold_id(index),
            trip_id: self.trip.id.clone(),
            user_id: self.trip.user_id.clone(),
            flight_id: self.trip.bookings[index].flight_id.clone(),
            cabin: self.trip.cabin,
            seats: u32::try_from(self.trip.passengers.len()).unwrap_or(u32::MAX),
        }
    }

    /// A hold that was made before may have ended since: asking again does not make it anew.
    fn is_held(&self, index: usize, seat: Seat) -> Result<Seat, SeatsError> {
        let reason = match seat.state {
            SeatState::Held | SeatState::Confirmed => return Ok(seat),
            SeatState::Expired => FailureReason::HoldExpired,
            SeatState::Released | SeatState::Cancelled => FailureReason::HoldReleased,
        };
        let flight_id = self.trip.bookings[index].flight_id.clone();
        Err(SeatsError::Refused(Failure {
            reason,
            message: format!("the seats on {flight_id} are not held any more"),
            flight_id: Some(flight_id),
        }))
    }

    /// What gives seats back can not be refused by a booking service in its right mind. If it is, the
    /// trip stays as it is for people to see, and is tried again.
    fn must(&self, step: Step, answer: Result<(), SeatsError>) -> Result<(), String> {
        answer.map_err(|error| match error {
            SeatsError::Unclear(why) => why,
            SeatsError::Refused(failure) => {
                let (reason, step) = (failure.reason.as_str(), step.as_str());
                tracing::error!(
                    trip.id = self.trip.id,
                    step,
                    reason,
                    failure.message,
                    "refused what must not be"
                );
                format!("{reason}: {}", failure.message)
            }
        })
    }

    /// Writes down how a step ended, and with it the next one.
    async fn advance(&mut self, outcome: &Outcome) -> Result<(), Stopped> {
        let moved = match outcome.apply(&self.trip, self.inner.now()) {
            Ok(moved) => moved,
            Err(undefined) => {
                tracing::error!(trip.id = self.trip.id, %undefined, "a saga went wrong");
                return Err(Stopped);
            }
        };
        let line = LogLine {
            time: moved.updated,
            event: log_event(moved.state),
            state: moved.state,
            attempt: 1,
            detail: outcome.detail(),
        };
        let notice = Occasion::of(moved.state).map(|occasion| Notice {
            id: occasion.message_id(&moved.id),
            payload: (self.inner.edges.mail)(occasion, &moved),
        });
        self.write(&Write::Advance {
            trip: &moved,
            line,
            notice,
        })
        .await?;
        self.trip = moved;
        self.attempt = 1;
        self.inner.changes.publish(&self.trip);
        Ok(())
    }

    /// A line about the present step.
    fn line(&self, detail: String) -> LogLine {
        LogLine {
            time: self.inner.now(),
            event: log_event(self.trip.state),
            state: self.trip.state,
            attempt: self.attempt,
            detail,
        }
    }

    /// Writes, and keeps the lease by it. A database that fails is asked again: nothing else can be done.
    async fn write(&mut self, write: &Write<'_>) -> Result<(), Stopped> {
        let mut backoff = self.backoff();
        loop {
            self.lease.until = self.inner.lease_end();
            let store = &self.inner.store;
            let written = match write {
                Write::Advance { trip, line, notice } => {
                    let from = self.trip.state;
                    store
                        .trip_advance(&self.lease, from, trip, line, notice.as_ref())
                        .await
                }
                Write::Attempt(line) => {
                    store
                        .trip_attempt(&self.lease, self.attempt, line.as_ref())
                        .await
                }
            };
            match written {
                Ok(()) => return Ok(()),
                Err(StoreError::LeaseLost) => {
                    tracing::warn!(
                        trip.id = self.trip.id,
                        "another replica has taken the trip over"
                    );
                    return Err(Stopped);
                }
                Err(error) => {
                    tracing::warn!(trip.id = self.trip.id, ?error, "cannot write a step");
                    self.pause(&mut backoff).await?;
                }
            }
        }
    }

    /// Waits before another attempt; when the replica shuts down, leaves the trip to another one at once.
    async fn pause(&self, backoff: &mut Backoff) -> Result<(), Stopped> {
        let delay = backoff.next((self.inner.edges.jitter)());
        let shutdown = self.inner.shutdown.cancelled();
        if tokio::time::timeout(delay, shutdown).await.is_err() {
            return Ok(());
        }
        if let Err(error) = self.inner.store.lease_release(&self.lease).await {
            // Then it runs out by itself.
            tracing::debug!(trip.id = self.trip.id, ?error, "cannot give the lease back");
        }
        Err(Stopped)
    }

    fn backoff(&self) -> Backoff {
        let options = &self.inner.options;
        Backoff::new(options.first_delay, options.most_delay)
    }
}
