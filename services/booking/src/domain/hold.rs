//! Who gets seats when several ask for the same cabin at once.

use std::collections::HashMap;

use super::{
    booking::{Booking, State},
    error::HoldError,
    inventory::{CabinKey, Inventory},
};

/// Somebody wants seats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewHold {
    /// Chosen by the caller, the same for every attempt.
    pub id: String,
    /// Trip that it is for.
    pub trip: String,
    /// User whom the seats are for.
    pub user: String,
    /// Seats wanted, at least one.
    pub seats: u32,
    /// When it was asked for, Unix milliseconds.
    pub created: i64,
    /// When it runs out, Unix milliseconds.
    pub expires: i64,
}

impl NewHold {
    /// The booking that it becomes.
    #[must_use]
    pub fn booking(&self, key: &CabinKey, locator: String) -> Booking {
        Booking {
            id: self.id.clone(),
            locator,
            trip: self.trip.clone(),
            user: self.user.clone(),
            flight: key.flight.clone(),
            cabin: key.cabin,
            seats: self.seats,
            state: State::Held,
            created: self.created,
            updated: self.created,
            expires: self.expires,
        }
    }

    /// What asking with an id answers that is known already.
    fn again(&self, key: &CabinKey, known: &Booking) -> Result<Booking, HoldError> {
        if known.is_tombstone() {
            return Err(HoldError::Released {
                id: self.id.clone(),
            });
        }
        let same = known.trip == self.trip
            && known.user == self.user
            && known.flight == key.flight
            && known.cabin == key.cabin
            && known.seats == self.seats;
        if same {
            Ok(known.clone())
        } else {
            Err(self.id_reused())
        }
    }

    fn is_attempt_of(&self, other: &Self) -> bool {
        self.trip == other.trip && self.user == other.user && self.seats == other.seats
    }

    fn id_reused(&self) -> HoldError {
        HoldError::IdReused {
            id: self.id.clone(),
        }
    }
}

/// What is decided about one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It gets its seats.
    Grant,
    /// It gets none, or has them already.
    Answer(Result<Booking, HoldError>),
    /// It is another attempt of the one at this place, and gets the same answer.
    SameAs(usize),
}

/// Decides about holds of one cabin in the order of their arrival: each gets its seats where they
/// still fit, so that one that wants too many does not keep out the next. `known` are the
/// bookings that have one of their ids.
#[must_use]
pub fn decide(
    inventory: &Inventory,
    known: &[Booking],
    holds: &[NewHold],
    now: i64,
) -> Vec<Decision> {
    let known: HashMap<&str, &Booking> = known.iter().map(|one| (one.id.as_str(), one)).collect();
    let mut granted: HashMap<&str, usize> = HashMap::new();
    let mut left = inventory.left();
    let mut decisions = Vec::with_capacity(holds.len());
    for (place, hold) in holds.iter().enumerate() {
        let decision = if let Some(known) = known.get(hold.id.as_str()) {
            Decision::Answer(hold.again(&inventory.key, known))
        } else if let Some(first) = granted.get(hold.id.as_str()) {
            if hold.is_attempt_of(&holds[*first]) {
                Decision::SameAs(*first)
            } else {
                Decision::Answer(Err(hold.id_reused()))
            }
        } else if inventory.has_departed(now) {
            Decision::Answer(Err(HoldError::FlightDeparted {
                flight: inventory.key.flight.clone(),
            }))
        } else if hold.seats > left {
            Decision::Answer(Err(HoldError::SoldOut {
                flight: inventory.key.flight.clone(),
                cabin: inventory.key.cabin,
                wanted: hold.seats,
                left,
            }))
        } else {
            left -= hold.seats;
            granted.insert(&hold.id, place);
            Decision::Grant
        };
        decisions.push(decision);
    }
    decisions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::booking::{Cabin, testing};

    fn key() -> CabinKey {
        CabinKey {
            flight: "AS21-2026-12-01-JFK".into(),
            cabin: Cabin::Economy,
        }
    }

    fn inventory(left: u32) -> Inventory {
        Inventory {
            key: key(),
            capacity: 100,
            held: 60,
            sold: 40 - left,
            version: 1,
            departure: 1_000,
        }
    }

    fn hold(id: &str, seats: u32) -> NewHold {
        NewHold {
            id: id.into(),
            trip: "t".into(),
            user: "ada".into(),
            seats,
            created: 5,
            expires: 100,
        }
    }

    fn sold_out(wanted: u32, left: u32) -> Decision {
        Decision::Answer(Err(HoldError::SoldOut {
            flight: key().flight,
            cabin: Cabin::Economy,
            wanted,
            left,
        }))
    }

    #[test]
    fn seats_go_by_arrival_to_whom_they_fit() {
        let holds = [hold("a", 2), hold("b", 4), hold("c", 1), hold("d", 1)];
        assert_eq!(
            decide(&inventory(3), &[], &holds, 0),
            [
                Decision::Grant,
                sold_out(4, 1),
                Decision::Grant,
                sold_out(1, 0)
            ]
        );
    }

    #[test]
    fn asking_again_gives_the_same_and_takes_nothing() {
        let known = [
            testing::booking("a", State::Held),
            testing::booking("gone", State::Expired),
            Booking {
                seats: 0,
                ..testing::booking("tomb", State::Released)
            },
        ];
        let holds = [
            hold("a", 2),
            hold("gone", 2),
            hold("a", 3),
            hold("tomb", 2),
            hold("new", 1),
            hold("new", 1),
            hold("new", 2),
            hold("last", 1),
        ];
        let reused = |id: &str| Decision::Answer(Err(HoldError::IdReused { id: id.into() }));
        assert_eq!(
            decide(&inventory(1), &known, &holds, 0),
            [
                Decision::Answer(Ok(known[0].clone())),
                Decision::Answer(Ok(known[1].clone())),
                reused("a"),
                Decision::Answer(Err(HoldError::Released { id: "tomb".into() })),
                Decision::Grant,
                Decision::SameAs(4),
                reused("new"),
                sold_out(1, 0),
            ]
        );
    }

    #[test]
    fn after_departure_only_what_was_held_is_answered() {
        let known = [testing::booking("a", State::Confirmed)];
        assert_eq!(
            decide(&inventory(9), &known, &[hold("a", 2), hold("b", 1)], 1_000),
            [
                Decision::Answer(Ok(known[0].clone())),
                Decision::Answer(Err(HoldError::FlightDeparted {
                    flight: key().flight
                })),
            ]
        );
    }
}
