//! What may become of a trip, as data: every state and event, in one table.
//!
//! The drawing in `docs/trip-states.md` is made from this table; a test compares them. A pair that
//! is not in the table is an error, never a guess.

use crate::domain::trip::TripState::{
    self, Cancelled, Cancelling, Confirmed, Confirming, Failed, Holding, Releasing,
};

/// What can happen to a trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Booking holds the seats of every flight.
    SeatsHeld,
    /// Booking has sold them all.
    SeatsSold,
    /// Booking will not hold or sell them, and has sold none.
    SeatsRefused,
    /// Booking has given up every hold.
    HoldsReleased,
    /// Whoever may has asked for it to be cancelled.
    CancelRequested,
    /// Booking has taken all sold seats back.
    SeatsReturned,
}

/// What is to be done in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Hold the seats of every flight.
    Hold,
    /// Sell them.
    Confirm,
    /// Give up what is held.
    Release,
    /// Give back what is sold.
    Cancel,
}

impl Step {
    /// Its name in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Confirm => "confirm",
            Self::Release => "release",
            Self::Cancel => "cancel",
        }
    }
}

/// An event that must not happen in a state: a bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event:?} can not happen to a trip that is {}", .state.as_str())]
pub struct Undefined {
    /// The state.
    pub state: TripState,
    /// The event.
    pub event: Event,
}

/// All there is: from a state, by an event, to a state.
pub const TABLE: [(TripState, Event, TripState); 7] = [
    (Holding, Event::SeatsHeld, Confirming),
    (Holding, Event::SeatsRefused, Releasing),
    (Confirming, Event::SeatsSold, Confirmed),
    // All holds are sold at once or none, so a refusal means none: nothing has to be taken back.
    (Confirming, Event::SeatsRefused, Releasing),
    (Releasing, Event::HoldsReleased, Failed),
    (Confirmed, Event::CancelRequested, Cancelling),
    (Cancelling, Event::SeatsReturned, Cancelled),
];

/// The state after an event.
///
/// # Errors
/// [`Undefined`] where the table has no such pair.
pub fn next(state: TripState, event: Event) -> Result<TripState, Undefined> {
    TABLE
        .iter()
        .find(|(from, by, _)| (*from, *by) == (state, event))
        .map(|(_, _, to)| *to)
        .ok_or(Undefined { state, event })
}

/// What is to be done in a state; nothing where only somebody's wish leads on.
#[must_use]
pub const fn step(state: TripState) -> Option<Step> {
    match state {
        Holding => Some(Step::Hold),
        Confirming => Some(Step::Confirm),
        Releasing => Some(Step::Release),
        Cancelling => Some(Step::Cancel),
        Confirmed | Failed | Cancelled => None,
    }
}

/// What the log says when a state is reached: the step that is about to be tried, or how it ended.
#[must_use]
pub const fn log_event(state: TripState) -> &'static str {
    match (step(state), state) {
        (Some(step), _) => step.as_str(),
        (None, Confirmed) => "trip.confirmed",
        (None, Cancelled) => "trip.cancelled",
        (None, _) => "trip.failed",
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    const EVENTS: [Event; 6] = [
        Event::SeatsHeld,
        Event::SeatsSold,
        Event::SeatsRefused,
        Event::HoldsReleased,
        Event::CancelRequested,
        Event::SeatsReturned,
    ];

    #[test]
    fn every_pair_is_defined_or_an_error() {
        let mut defined = 0;
        for state in TripState::ALL {
            for event in EVENTS {
                let rows = TABLE
                    .iter()
                    .filter(|(from, by, _)| (*from, *by) == (state, event));
                let expected: Vec<TripState> = rows.map(|(_, _, to)| *to).collect();
                match next(state, event) {
                    Ok(to) => {
                        assert_eq!(expected, [to], "{state:?} {event:?}");
                        defined += 1;
                    }
                    Err(undefined) => {
                        assert_eq!(undefined, Undefined { state, event });
                        assert!(expected.is_empty(), "{state:?} {event:?}");
                    }
                }
            }
        }
        assert_eq!(defined, TABLE.len(), "no pair stands twice");
    }

    #[test]
    fn a_state_is_finished_exactly_where_it_has_no_step() {
        for state in TripState::ALL {
            assert_eq!(step(state).is_none(), state.is_finished(), "{state:?}");
            let leads_on = |event: Event| next(state, event).is_ok();
            assert_eq!(
                EVENTS
                    .into_iter()
                    .any(|event| event != Event::CancelRequested && leads_on(event)),
                step(state).is_some(),
                "{state:?}"
            );
        }
    }

    #[test]
    fn every_state_is_reached_from_the_first() {
        let mut reached = vec![Holding];
        for _ in TripState::ALL {
            for (from, _, to) in TABLE {
                if reached.contains(&from) && !reached.contains(&to) {
                    reached.push(to);
                }
            }
        }
        assert_eq!(reached.len(), TripState::ALL.len());
    }

    #[test]
    fn the_drawing_in_the_docs_is_this_table() {
        let mut drawing = String::from("```mermaid\nstateDiagram-v2\n    [*] --> HOLDING\n");
        for (from, event, to) in TABLE {
            let (from, to) = (from.as_str(), to.as_str());
            writeln!(drawing, "    {from} --> {to}: {event:?}").unwrap();
        }
        for state in TripState::ALL
            .into_iter()
            .filter(|state| TABLE.iter().all(|(from, _, _)| from != state))
        {
            writeln!(drawing, "    {} --> [*]", state.as_str()).unwrap();
        }
        drawing.push_str("```\n");
        let page = include_str!("../../../../docs/trip-states.md");
        assert!(
            page.contains(&drawing),
            "docs/trip-states.md must contain:\n{drawing}"
        );
    }
}
