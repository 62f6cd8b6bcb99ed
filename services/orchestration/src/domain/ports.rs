//! What trips need from elsewhere: seats from booking, flights from search, and a place to be kept.
//!
//! The edges implement these traits; the saga and its tests see nothing else.

use std::future::Future;

use super::{
    error::StoreError,
    notice::Notice,
    trip::{Cabin, Failure, SeatState, Trip, TripState},
};

/// Seats wanted on one flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The same for every attempt.
    pub hold_id: String,
    /// Trip that it is for.
    pub trip_id: String,
    /// Whose trip it is.
    pub user_id: String,
    /// Dated flight.
    pub flight_id: String,
    /// Cabin.
    pub cabin: Cabin,
    /// How many.
    pub seats: u32,
}

/// Seats as booking knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The hold.
    pub hold_id: String,
    /// Trip that it is for.
    pub trip_id: String,
    /// Record locator.
    pub locator: String,
    /// What has become of them.
    pub state: SeatState,
}

/// Why booking did not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeatsError {
    /// It will not, however often it is asked; nothing has happened.
    Refused(Failure),
    /// It may have, or may yet: ask again. The text is for the log.
    Unclear(String),
}

/// Booking. Every method may be called again with the same arguments and then changes nothing.
pub trait Seats: Send + Sync + 'static {
    /// Holds seats of one flight.
    fn hold(&self, hold: &Hold) -> impl Future<Output = Result<Seat, SeatsError>> + Send;

    /// Sells all holds of a trip, or none of them.
    fn confirm(
        &self,
        trip_id: &str,
        hold_ids: &[String],
    ) -> impl Future<Output = Result<(), SeatsError>> + Send;

    /// Gives up all holds of a trip, also those that have never arrived.
    fn release(
        &self,
        trip_id: &str,
        hold_ids: &[String],
    ) -> impl Future<Output = Result<(), SeatsError>> + Send;

    /// Gives back all sold seats of a trip.
    fn cancel(
        &self,
        trip_id: &str,
        hold_ids: &[String],
    ) -> impl Future<Output = Result<(), SeatsError>> + Send;

    /// The seats of some trips, whatever their state.
    fn of_trips(
        &self,
        trip_ids: &[String],
    ) -> impl Future<Output = Result<Vec<Seat>, SeatsError>> + Send;
}

/// Search.
pub trait Flights: Send + Sync + 'static {
    /// A flight, which is passed on as it is.
    type Flight: Send;

    /// A flight as it is now, or for people why it can not be had.
    fn flight(&self, flight_id: &str) -> impl Future<Output = Result<Self::Flight, String>> + Send;
}

/// Mail.
pub trait Mails: Send + Sync + 'static {
    /// A mail, which is passed on as it is.
    type Mail: Send;

    /// The mails about a trip, the oldest first, or for people why they can not be had.
    fn about(&self, trip_id: &str) -> impl Future<Output = Result<Vec<Self::Mail>, String>> + Send;
}

/// The method under whose name the keys of bookings are kept.
pub const BOOK_TRIP: &str = "BookTrip";
/// The method under whose name the keys of cancellations are kept.
pub const CANCEL_TRIP: &str = "CancelTrip";

/// A key that makes a request safe to send again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestKey {
    /// Who sent it.
    pub caller: String,
    /// For which method.
    pub method: &'static str,
    /// As the caller chose it.
    pub key: String,
    /// Tells requests apart: the SHA-256 of all but the key.
    pub fingerprint: [u8; 32],
}

/// What a key was used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// Of the request it came with.
    pub fingerprint: [u8; 32],
    /// The trip that was made or changed.
    pub trip_id: String,
    /// When.
    pub created: i64,
}

/// The right to work on a trip. Every claim counts the epoch up, and every write names it, so that
/// whoever has been taken for dead writes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The trip.
    pub trip_id: String,
    /// Which claim of the trip this is.
    pub epoch: i64,
    /// Chosen anew for every claim, so that a claim whose answer was lost is recognised.
    pub owner: String,
    /// When others may take over.
    pub until: i64,
}

/// A trip with the right to work on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The trip.
    pub trip: Trip,
    /// The right.
    pub lease: Lease,
    /// Attempts at the present step, this one included.
    pub attempt: u32,
}

/// A line of a trip's log; the store adds the trace id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When.
    pub time: i64,
    /// What.
    pub event: &'static str,
    /// State of the trip then.
    pub state: TripState,
    /// Which attempt at it, from 1.
    pub attempt: u32,
    /// For people.
    pub detail: String,
}

/// A line of a trip's log as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// When.
    pub time: i64,
    /// What.
    pub event: String,
    /// State of the trip then.
    pub state: TripState,
    /// Which attempt at it, from 1.
    pub attempt: u32,
    /// For people.
    pub detail: String,
    /// 32 hexadecimal digits.
    pub trace_id: Option<String>,
}

/// What came of making a trip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// It is made, and the lease taken.
    New,
    /// Its key has been used; nothing has changed.
    Known(KeyUse),
}

/// An unfinished trip that nobody works on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranded {
    /// Which.
    pub trip_id: String,
    /// Its last claim.
    pub epoch: i64,
}

/// Where a list of trips goes on: after this one, the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// When it was asked for.
    pub created: i64,
    /// Which.
    pub trip_id: String,
}

/// Where trips are kept. One method is one transaction, and each can be run twice: where the first
/// answer was lost, the second run finds what the first one did.
pub trait TripStore: Send + Sync + 'static {
    /// What a key was used for.
    fn key_find(
        &self,
        key: &RequestKey,
    ) -> impl Future<Output = Result<Option<KeyUse>, StoreError>> + Send;

    /// Uses a key for a trip, or says what it was used for already.
    fn key_use(
        &self,
        key: &RequestKey,
        trip_id: &str,
        now: i64,
    ) -> impl Future<Output = Result<Created, StoreError>> + Send;

    /// Forgets a key that was used at `until` or earlier.
    fn key_forget(
        &self,
        key: &RequestKey,
        until: i64,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Makes a trip together with its key, its lease and the first line of its log.
    fn trip_create(
        &self,
        trip: &Trip,
        key: &RequestKey,
        lease: &Lease,
        line: &LogLine,
    ) -> impl Future<Output = Result<Created, StoreError>> + Send;

    /// A trip.
    fn trip_get(
        &self,
        trip_id: &str,
    ) -> impl Future<Output = Result<Option<Trip>, StoreError>> + Send;

    /// Moves a trip on from `from`, with a line of log and what mail is told.
    fn trip_advance(
        &self,
        lease: &Lease,
        from: TripState,
        trip: &Trip,
        line: &LogLine,
        notice: Option<&Notice>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Keeps the lease for another attempt at the present step.
    fn trip_attempt(
        &self,
        lease: &Lease,
        attempt: u32,
        line: Option<&LogLine>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Moves a booked trip to [`TripState::Cancelling`] and takes its lease; none where it is not booked any more.
    fn trip_cancel(
        &self,
        trip: &Trip,
        owner: &str,
        until: i64,
        line: &LogLine,
    ) -> impl Future<Output = Result<Option<Lease>, StoreError>> + Send;

    /// Unfinished trips whose lease has run out, the longest first.
    fn trip_stranded(
        &self,
        now: i64,
        most: u64,
    ) -> impl Future<Output = Result<Vec<Stranded>, StoreError>> + Send;

    /// Takes over a stranded trip; none where another one was faster.
    fn trip_claim(
        &self,
        stranded: &Stranded,
        owner: &str,
        now: i64,
        until: i64,
    ) -> impl Future<Output = Result<Option<Claimed>, StoreError>> + Send;

    /// Gives a lease back, so that others need not wait for its end.
    fn lease_release(&self, lease: &Lease) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Trips whose travellers are to be reminded.
pub trait ReminderStore: Send + Sync + 'static {
    /// Trips that depart between `now` and `ahead` milliseconds later, were booked before that time began, and
    /// have not been reminded of: at most so many, those that depart first.
    fn reminders_due(
        &self,
        now: i64,
        ahead: i64,
        most: u64,
    ) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send;

    /// Reminds of those of these trips that are still booked and that nobody has reminded of, and gives how many.
    fn remind(
        &self,
        trip_ids: &[String],
        now: i64,
        notice: &(dyn Fn(&Trip) -> Notice + Sync),
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;
}

/// Trips as they are read.
pub trait TripReader: Send + Sync + 'static {
    /// Trips, the newest first: of one user, or of all.
    fn trip_list(
        &self,
        user_id: Option<&str>,
        after: Option<&Place>,
        most: u64,
    ) -> impl Future<Output = Result<Vec<Trip>, StoreError>> + Send;

    /// A trip's log, the oldest line first.
    fn log_list(
        &self,
        trip_id: &str,
        most: u64,
    ) -> impl Future<Output = Result<Vec<Logged>, StoreError>> + Send;

    /// Trips by id, for going through all of them.
    fn trip_page(
        &self,
        after: &str,
        most: u64,
    ) -> impl Future<Output = Result<Vec<Trip>, StoreError>> + Send;

    /// Trips asked for after `since`, by id: which, and whether its key was used for it and nothing else.
    fn key_page(
        &self,
        after: &str,
        since: i64,
        most: u64,
    ) -> impl Future<Output = Result<Vec<(String, bool)>, StoreError>> + Send;
}
