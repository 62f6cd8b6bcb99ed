//! A booking and its life.
//!
//! ```text
//!   HELD ── confirm ──> CONFIRMED ── cancel ──> CANCELLED
//!    ├───── release ──> RELEASED
//!    └───── expire ───> EXPIRED
//! ```
//! What is not drawn changes nothing or is refused: [`Booking::after`] says which.

use std::{fmt, str::FromStr};

/// Class of travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cabin {
    /// Economy.
    Economy,
    /// Premium economy.
    PremiumEconomy,
    /// Business.
    Business,
    /// First.
    First,
}

impl Cabin {
    /// All of them, from economy upwards.
    pub const ALL: [Self; 4] = [
        Self::Economy,
        Self::PremiumEconomy,
        Self::Business,
        Self::First,
    ];

    /// Its name in messages and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Economy => "ECONOMY",
            Self::PremiumEconomy => "PREMIUM_ECONOMY",
            Self::Business => "BUSINESS",
            Self::First => "FIRST",
        }
    }
}

impl fmt::Display for Cabin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A name that no cabin or state has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a name of the domain")]
pub struct UnknownName;

impl FromStr for Cabin {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL.into_iter().find(|cabin| cabin.as_str() == name);
        found.ok_or(UnknownName)
    }
}

/// What has become of a booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The seats are kept until the hold expires.
    Held,
    /// The seats are sold.
    Confirmed,
    /// The seats were sold and have been given back.
    Cancelled,
    /// The hold was given up.
    Released,
    /// The hold ran out.
    Expired,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Held,
        Self::Confirmed,
        Self::Cancelled,
        Self::Released,
        Self::Expired,
    ];

    /// Its name in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "HELD",
            Self::Confirmed => "CONFIRMED",
            Self::Cancelled => "CANCELLED",
            Self::Released => "RELEASED",
            Self::Expired => "EXPIRED",
        }
    }
}

impl FromStr for State {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == name);
        found.ok_or(UnknownName)
    }
}

/// What can happen to a booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Its seats are bought.
    Confirm,
    /// Its hold is given up.
    Release,
    /// Its sold seats are given back.
    Cancel,
    /// Its time runs out.
    Expire,
}

impl Event {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Confirm, Self::Release, Self::Cancel, Self::Expire];

    /// The state that it leads to, where it leads anywhere.
    #[must_use]
    pub const fn leads_to(self) -> State {
        match self {
            Self::Confirm => State::Confirmed,
            Self::Release => State::Released,
            Self::Cancel => State::Cancelled,
            Self::Expire => State::Expired,
        }
    }
}

/// Why an event is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The hold's time is over.
    HoldExpired,
    /// The seats have been given up.
    HoldReleased,
    /// The seats are sold.
    Confirmed,
    /// The seats are not sold.
    NotConfirmed,
}

/// Seats of one cabin of one dated flight, held or bought. Times are Unix milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booking {
    /// Chosen by whoever asked for the hold.
    pub id: String,
    /// Record locator.
    pub locator: String,
    /// Trip that it is part of.
    pub trip: String,
    /// User whom the seats are for.
    pub user: String,
    /// Dated flight.
    pub flight: String,
    /// Cabin.
    pub cabin: Cabin,
    /// Seats; none where the hold was given up before it was made.
    pub seats: u32,
    /// What has become of it.
    pub state: State,
    /// When the seats were held.
    pub created: i64,
    /// When its state changed last.
    pub updated: i64,
    /// When the hold runs out.
    pub expires: i64,
}

impl Booking {
    /// Whether it only stands for a hold that was given up before it was made.
    #[must_use]
    pub const fn is_tombstone(&self) -> bool {
        self.seats == 0
    }

    /// The state after an event: the same one where the event changes nothing.
    ///
    /// # Errors
    /// Where the event must not happen in its present state.
    pub const fn after(&self, event: Event, now: i64) -> Result<State, Refusal> {
        let overdue = now >= self.expires;
        match (self.state, event) {
            (State::Held, Event::Confirm) if overdue => Err(Refusal::HoldExpired),
            (State::Held, Event::Expire) if !overdue => Ok(State::Held),
            (State::Held | State::Released | State::Expired, Event::Cancel) => {
                Err(Refusal::NotConfirmed)
            }
            (State::Held, _) | (State::Confirmed, Event::Cancel) => Ok(event.leads_to()),

            (State::Confirmed, Event::Release) => Err(Refusal::Confirmed),
            (State::Cancelled | State::Released, Event::Confirm) => Err(Refusal::HoldReleased),
            (State::Expired, Event::Confirm) => Err(Refusal::HoldExpired),

            // What has happened already happens once; what is over can not run out.
            (State::Confirmed, Event::Confirm | Event::Expire)
            | (State::Cancelled, Event::Cancel | Event::Release | Event::Expire)
            | (State::Released | State::Expired, Event::Release | Event::Expire) => Ok(self.state),
        }
    }
}

/// Whose bookings somebody may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// A user: their own.
    User(String),
    /// An administrator or a service: all.
    Everybody,
}

impl Viewer {
    /// Whether it may see a booking.
    #[must_use]
    pub fn sees(&self, booking: &Booking) -> bool {
        match self {
            Self::User(id) => booking.user == *id,
            Self::Everybody => true,
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// Two economy seats of trip `t`, held at 0 until 100.
    pub(crate) fn booking(id: &str, state: State) -> Booking {
        Booking {
            id: id.into(),
            locator: "K7QXPM".into(),
            trip: "t".into(),
            user: "ada".into(),
            flight: "AS21-2026-12-01-JFK".into(),
            cabin: Cabin::Economy,
            seats: 2,
            state,
            created: 0,
            updated: 0,
            expires: 100,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{testing::booking, *};

    #[test]
    fn every_event_in_every_state_is_decided() {
        use Event::{Cancel, Confirm, Expire, Release};
        use Refusal::{HoldExpired, HoldReleased, NotConfirmed};
        use State::{Cancelled, Confirmed, Expired, Held, Released};
        let cases = [
            // state, event, in time, overdue
            (Held, Confirm, Ok(Confirmed), Err(HoldExpired)),
            (Held, Release, Ok(Released), Ok(Released)),
            (Held, Cancel, Err(NotConfirmed), Err(NotConfirmed)),
            (Held, Expire, Ok(Held), Ok(Expired)),
            (Confirmed, Confirm, Ok(Confirmed), Ok(Confirmed)),
            (
                Confirmed,
                Release,
                Err(Refusal::Confirmed),
                Err(Refusal::Confirmed),
            ),
            (Confirmed, Cancel, Ok(Cancelled), Ok(Cancelled)),
            (Confirmed, Expire, Ok(Confirmed), Ok(Confirmed)),
            (Cancelled, Confirm, Err(HoldReleased), Err(HoldReleased)),
            (Cancelled, Release, Ok(Cancelled), Ok(Cancelled)),
            (Cancelled, Cancel, Ok(Cancelled), Ok(Cancelled)),
            (Cancelled, Expire, Ok(Cancelled), Ok(Cancelled)),
            (Released, Confirm, Err(HoldReleased), Err(HoldReleased)),
            (Released, Release, Ok(Released), Ok(Released)),
            (Released, Cancel, Err(NotConfirmed), Err(NotConfirmed)),
            (Released, Expire, Ok(Released), Ok(Released)),
            (Expired, Confirm, Err(HoldExpired), Err(HoldExpired)),
            (Expired, Release, Ok(Expired), Ok(Expired)),
            (Expired, Cancel, Err(NotConfirmed), Err(NotConfirmed)),
            (Expired, Expire, Ok(Expired), Ok(Expired)),
        ];
        assert_eq!(cases.len(), State::ALL.len() * Event::ALL.len());
        for (state, event, in_time, overdue) in cases {
            let booking = booking("b", state);
            assert_eq!(
                (booking.after(event, 99), booking.after(event, 100)),
                (in_time, overdue),
                "{state:?} {event:?}"
            );
        }
    }

    #[test]
    fn names_lead_back() {
        for cabin in Cabin::ALL {
            assert_eq!(cabin.as_str().parse(), Ok(cabin));
        }
        for state in State::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert_eq!("".parse::<State>(), Err(UnknownName));
    }

    #[test]
    fn users_see_their_own() {
        let held = booking("b", State::Held);
        for (viewer, sees) in [
            (Viewer::User("ada".into()), true),
            (Viewer::User("eve".into()), false),
            (Viewer::Everybody, true),
        ] {
            assert_eq!(viewer.sees(&held), sees);
        }
    }
}
