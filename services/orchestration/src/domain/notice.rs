//! What a traveller is told of a trip by mail, and under which id: the same however often it is tried.

use super::trip::TripState;

/// What has happened that somebody is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// A trip is booked.
    Confirmed,
    /// It has been cancelled.
    Cancelled,
    /// It departs within a day.
    DepartsSoon,
}

impl Occasion {
    /// What is told when a trip reaches a state.
    #[must_use]
    pub const fn of(state: TripState) -> Option<Self> {
        match state {
            TripState::Confirmed => Some(Self::Confirmed),
            TripState::Cancelled => Some(Self::Cancelled),
            TripState::Holding
            | TripState::Confirming
            | TripState::Releasing
            | TripState::Failed
            | TripState::Cancelling => None,
        }
    }

    /// Id of the mail about a trip: each is sent once.
    #[must_use]
    pub fn message_id(self, trip_id: &str) -> String {
        let name = match self {
            Self::Confirmed => "confirmed",
            Self::Cancelled => "cancelled",
            Self::DepartsSoon => "reminder",
        };
        format!("{trip_id}-{name}")
    }
}

/// A message to mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Id of the mail.
    pub id: String,
    /// What mail is told, encoded.
    pub payload: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traveller_is_told_of_what_is_settled_and_was_booked() {
        let told: Vec<_> = TripState::ALL
            .into_iter()
            .filter_map(|state| Some((state, Occasion::of(state)?.message_id("t"))))
            .collect();
        assert_eq!(
            told,
            [
                (TripState::Confirmed, "t-confirmed".to_owned()),
                (TripState::Cancelled, "t-cancelled".to_owned())
            ]
        );
        assert_eq!(Occasion::DepartsSoon.message_id("t"), "t-reminder");
    }
}
