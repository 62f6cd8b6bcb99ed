//! A mail's way from the queue to the mail server.
//!
//! ```text
//! QUEUED ──claim──► SENDING ──accepted──► SENT
//!   ▲ ▲                │ │
//!   │ └───not now──────┘ └──never──► DEAD
//!   └───────────redriven──────────────┘
//! ```
//!
//! Only who has claimed a mail hands it to the mail server, and a claim runs out. One that ran out leaves
//! open whether the server accepted the mail: its next claim is *unclear*, and is counted.

use std::{fmt, str::FromStr};

/// What a mail tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A trip is booked.
    TripConfirmed,
    /// A trip has been cancelled.
    TripCancelled,
    /// A trip departs within a day.
    DepartureReminder,
}

impl Kind {
    /// All kinds in the order of the contract.
    pub const ALL: [Self; 3] = [
        Self::TripConfirmed,
        Self::TripCancelled,
        Self::DepartureReminder,
    ];

    /// Its name in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TripConfirmed => "TRIP_CONFIRMED",
            Self::TripCancelled => "TRIP_CANCELLED",
            Self::DepartureReminder => "DEPARTURE_REMINDER",
        }
    }
}

impl FromStr for Kind {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == name);
        found.ok_or(())
    }
}

/// How far a mail is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits for its turn, or for another attempt.
    Queued,
    /// It is being handed to the mail server.
    Sending,
    /// The mail server has accepted it.
    Sent,
    /// It cannot be sent.
    Dead,
}

impl State {
    /// All states in the order of the contract.
    pub const ALL: [Self; 4] = [Self::Queued, Self::Sending, Self::Sent, Self::Dead];

    /// Its name in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Sending => "SENDING",
            Self::Sent => "SENT",
            Self::Dead => "DEAD",
        }
    }
}

impl FromStr for State {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == name);
        found.ok_or(())
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A mail as it is first heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMail {
    /// The same for every attempt; the id of the message in the queue.
    pub id: String,
    /// What it tells; none where its message could not be read.
    pub kind: Option<Kind>,
    /// Trip that it tells of.
    pub trip: String,
    /// Whose trip it is.
    pub user: String,
    /// Where it goes.
    pub recipient: String,
    /// Its subject line.
    pub subject: String,
    /// When the event that it tells of happened, Unix milliseconds.
    pub created: i64,
    /// W3C trace id of the request that caused it.
    pub trace: Option<String>,
}

/// A mail as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The same for every attempt.
    pub id: String,
    /// What it tells; none where its message could not be read.
    pub kind: Option<Kind>,
    /// How far it is.
    pub state: State,
    /// Trip that it tells of.
    pub trip: String,
    /// Where it goes.
    pub recipient: String,
    /// Its subject line.
    pub subject: String,
    /// Attempts to send it so far.
    pub attempts: u32,
    /// What went wrong last; empty where nothing did.
    pub last_error: String,
    /// When the event that it tells of happened, Unix milliseconds.
    pub created: i64,
    /// When its state changed last, Unix milliseconds.
    pub updated: i64,
    /// When the mail server accepted it, Unix milliseconds; none until then.
    pub sent: Option<i64>,
    /// W3C trace id of the request that caused it.
    pub trace: Option<String>,
}

/// What came of asking to send a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is the asker's, until the claim runs out.
    Granted {
        /// Which attempt this is, from 1.
        attempt: u32,
        /// A claim before this one ran out: the mail may have been accepted already.
        unclear: bool,
    },
    /// Somebody else has it, until then, Unix milliseconds.
    Taken {
        /// When that claim runs out.
        until: i64,
    },
    /// It has been accepted.
    Sent,
    /// It was given up.
    Dead,
    /// There is none of this id.
    Unknown,
}

/// Whose mails somebody may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// Those about one user's trips.
    User(String),
    /// All of them.
    Everybody,
}

/// Behind which mail a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// When that mail was ordered, Unix milliseconds.
    pub created: i64,
    /// Its id.
    pub id: String,
}

#[cfg(test)]
pub(crate) mod testing {
    //! A mail to begin with.

    use super::{Kind, Mail, State};

    pub(crate) fn mail(id: &str) -> Mail {
        Mail {
            id: id.to_owned(),
            kind: Some(Kind::TripConfirmed),
            state: State::Queued,
            trip: "t".to_owned(),
            recipient: "ada@example.com".to_owned(),
            subject: "Your trip is booked: K7QXPL".to_owned(),
            attempts: 0,
            last_error: String::new(),
            created: 1_000,
            updated: 1_000,
            sent: None,
            trace: None,
        }
    }
}
