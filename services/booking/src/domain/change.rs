//! What an event does to several bookings: to all of them, or to none.

use std::collections::{BTreeMap, HashMap};

use super::{
    booking::{Booking, Event, Refusal},
    error::ChangeError,
    inventory::{CabinKey, Delta},
};

/// What is to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The bookings as they are afterwards, in the order asked for.
    pub bookings: Vec<Booking>,
    /// Those whose state changes.
    pub changed: Vec<String>,
    /// What happens to the seats. Sorted, so that no two plans wait for each other.
    pub deltas: BTreeMap<CabinKey, Delta>,
    /// Holds that were given up before they were made.
    pub tombstones: Vec<String>,
}

/// Plans what `event` does to the bookings `ids` of a trip, of whatever trip where none is named.
/// `found` are those of them that exist.
///
/// # Errors
/// Where one of them is not there, or not in a state for the event.
pub fn plan(
    event: Event,
    trip: Option<&str>,
    ids: &[String],
    found: Vec<Booking>,
    now: i64,
) -> Result<Plan, ChangeError> {
    let mut found: HashMap<String, Booking> = found
        .into_iter()
        .map(|booking| (booking.id.clone(), booking))
        .collect();
    let mut plan = Plan::default();
    for id in ids {
        let Some(mut booking) = found.remove(id) else {
            if event == Event::Release {
                plan.tombstones.push(id.clone());
                continue;
            }
            return Err(missing(event, id));
        };
        if trip.is_some_and(|trip| trip != booking.trip) {
            return Err(missing(event, id));
        }
        let next = booking
            .after(event, now)
            .map_err(|refusal| refused(refusal, id))?;
        if next != booking.state {
            let key = CabinKey {
                flight: booking.flight.clone(),
                cabin: booking.cabin,
            };
            let delta = plan.deltas.entry(key).or_default();
            delta.add(booking.state, next, booking.seats);
            plan.changed.push(id.clone());
            booking.state = next;
            booking.updated = now;
        }
        plan.bookings.push(booking);
    }
    Ok(plan)
}

fn missing(event: Event, id: &str) -> ChangeError {
    let id = id.to_owned();
    match event {
        Event::Confirm | Event::Release | Event::Expire => ChangeError::HoldNotFound { id },
        Event::Cancel => ChangeError::BookingNotFound { id },
    }
}

fn refused(refusal: Refusal, id: &str) -> ChangeError {
    let id = id.to_owned();
    match refusal {
        Refusal::HoldExpired => ChangeError::HoldExpired { id },
        Refusal::HoldReleased => ChangeError::HoldReleased { id },
        Refusal::Confirmed => ChangeError::Confirmed { id },
        Refusal::NotConfirmed => ChangeError::NotConfirmed { id },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::booking::{State, testing::booking};

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn all_change_in_the_order_asked_for() {
        let found = vec![
            booking("a", State::Held),
            booking("b", State::Confirmed),
            booking("c", State::Held),
        ];
        let plan = plan(Event::Confirm, Some("t"), &ids(&["c", "b", "a"]), found, 7).unwrap();
        let order: Vec<_> = plan
            .bookings
            .iter()
            .map(|one| (one.id.as_str(), one.state, one.updated))
            .collect();
        assert_eq!(
            order,
            [
                ("c", State::Confirmed, 7),
                ("b", State::Confirmed, 0),
                ("a", State::Confirmed, 7)
            ]
        );
        assert_eq!(plan.changed, ids(&["c", "a"]));
        let deltas: Vec<_> = plan.deltas.into_values().collect();
        assert_eq!(deltas, [Delta { held: -4, sold: 4 }]);
    }

    #[test]
    fn one_that_cannot_change_keeps_all_from_it() {
        let id = || "b".to_owned();
        for (event, second, error) in [
            (Event::Confirm, None, ChangeError::HoldNotFound { id: id() }),
            (
                Event::Confirm,
                Some(State::Expired),
                ChangeError::HoldExpired { id: id() },
            ),
            (
                Event::Confirm,
                Some(State::Released),
                ChangeError::HoldReleased { id: id() },
            ),
            (
                Event::Release,
                Some(State::Confirmed),
                ChangeError::Confirmed { id: id() },
            ),
            (
                Event::Cancel,
                None,
                ChangeError::BookingNotFound { id: id() },
            ),
            (
                Event::Cancel,
                Some(State::Held),
                ChangeError::NotConfirmed { id: id() },
            ),
        ] {
            let first = if event == Event::Cancel {
                State::Confirmed
            } else {
                State::Held
            };
            let mut found = vec![booking("a", first)];
            found.extend(second.map(|state| booking("b", state)));
            assert_eq!(
                plan(event, Some("t"), &ids(&["a", "b"]), found, 7),
                Err(error)
            );
        }
    }

    #[test]
    fn holds_of_other_trips_are_not_there() {
        for event in Event::ALL {
            let found = vec![booking("a", State::Held)];
            let error = plan(event, Some("other"), &ids(&["a"]), found, 7).unwrap_err();
            assert_eq!(error, missing(event, "a"));
        }
    }

    #[test]
    fn what_was_never_held_can_be_given_up() {
        let found = vec![booking("a", State::Held)];
        let plan = plan(Event::Release, Some("t"), &ids(&["x", "a"]), found, 7).unwrap();
        assert_eq!((plan.tombstones, plan.changed), (ids(&["x"]), ids(&["a"])));
    }
}
