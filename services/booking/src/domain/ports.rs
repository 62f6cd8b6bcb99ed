//! What the rules need from outside: somewhere to keep seats and bookings, and the timetable.

use std::{fmt, sync::Arc};

use super::{
    audit::Check,
    booking::{Booking, Cabin, Event, Viewer},
    error::{ChangeError, HoldError},
    hold::NewHold,
    inventory::{CabinKey, Inventory},
};

/// The database failed. The cause has been logged and is kept for people who debug; callers never see it.
#[derive(Clone, thiserror::Error)]
#[error("the booking database is unavailable")]
pub struct StoreError(Arc<dyn std::error::Error + Send + Sync>);

impl StoreError {
    /// The database failed for this reason.
    #[must_use]
    pub fn new(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Arc::new(cause))
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "StoreError({:?})", self.0)
    }
}

/// Causes cannot be compared: a failure is a failure.
impl PartialEq for StoreError {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for StoreError {}

/// Where a page of bookings begins: behind this one, the newest coming first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// When the last one of the page before was made.
    pub created: i64,
    /// Its id.
    pub id: String,
}

/// Holds of one cabin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lot {
    /// The cabin.
    pub cabin: CabinKey,
    /// Who wants seats of it, in the order of their arrival.
    pub holds: Vec<NewHold>,
}

/// What came of several holds, in their order.
pub type Holds = Vec<Result<Booking, HoldError>>;

/// Keeps seats and bookings: one method is one transaction, and may be called again after a failure.
pub trait Store: Send + Sync + 'static {
    /// Holds seats of several cabins, each of them once and in their order, for several at once; none for a cabin
    /// that is not known yet.
    fn hold_lots(
        &self,
        lots: &[Lot],
        now: i64,
    ) -> impl Future<Output = Result<Vec<Option<Holds>>, StoreError>> + Send;

    /// Holds seats of one cabin.
    fn hold(
        &self,
        cabin: &CabinKey,
        holds: &[NewHold],
        now: i64,
    ) -> impl Future<Output = Result<Option<Holds>, StoreError>> + Send {
        async move {
            let (cabin, holds) = (cabin.clone(), holds.to_vec());
            let mut outcomes = self.hold_lots(&[Lot { cabin, holds }], now).await?;
            Ok(outcomes.pop().flatten())
        }
    }

    /// Makes a cabin known; one that is known already stays as it is.
    fn open_cabin(
        &self,
        cabin: &CabinKey,
        capacity: u32,
        departure: i64,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Lets an event happen to all of these bookings of a trip, or to none.
    fn change(
        &self,
        event: Event,
        trip: &str,
        ids: &[String],
        now: i64,
    ) -> impl Future<Output = Result<Vec<Booking>, ChangeError>> + Send;

    /// Ends some holds whose time is over; gives how many, and whether there may be more.
    fn expire(&self, now: i64) -> impl Future<Output = Result<(u64, bool), StoreError>> + Send;

    /// The booking with a locator.
    fn booking(
        &self,
        locator: &str,
    ) -> impl Future<Output = Result<Option<Booking>, StoreError>> + Send;

    /// Bookings that somebody may see, the newest first.
    fn bookings(
        &self,
        viewer: &Viewer,
        after: Option<&Cursor>,
        limit: u64,
    ) -> impl Future<Output = Result<Vec<Booking>, StoreError>> + Send;

    /// The bookings of some trips.
    fn trip_bookings(
        &self,
        trips: &[String],
    ) -> impl Future<Output = Result<Vec<Booking>, StoreError>> + Send;

    /// Cabins of flights that have not departed and of which any seat is held or sold, behind one of them in their order.
    fn inventory(
        &self,
        after: Option<&CabinKey>,
        now: i64,
        limit: u64,
    ) -> impl Future<Output = Result<Vec<Inventory>, StoreError>> + Send;

    /// Forgets inventory events from before an instant; gives how many.
    fn trim_events(&self, before: i64) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Checks every promise against all rows.
    fn audit(&self, now: i64) -> impl Future<Output = Result<Vec<Check>, StoreError>> + Send;
}

/// What the timetable says about a dated flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flight {
    /// When it leaves, Unix milliseconds.
    pub departure: i64,
    /// Its cabins and their seats.
    pub cabins: Vec<(Cabin, u32)>,
}

/// Why the timetable says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlightError {
    /// There is no such flight.
    NotFound,
    /// It cannot be asked at the moment.
    Unavailable,
}

/// Knows the timetable.
pub trait Flights: Send + Sync + 'static {
    /// A dated flight by its id.
    fn flight(&self, id: &str) -> impl Future<Output = Result<Flight, FlightError>> + Send;
}

#[cfg(test)]
pub(crate) mod testing {
    use std::sync::Mutex;

    use tokio::sync::Semaphore;

    use super::*;

    /// A store that grants whatever is asked for, when it is let, and remembers what was asked together.
    #[derive(Debug)]
    pub(crate) struct Granting {
        /// A permit lets one transaction go on.
        pub(crate) gate: Semaphore,
        /// Ids by transaction.
        pub(crate) transactions: Mutex<Vec<Vec<String>>>,
        /// Cabins of which seats are taken.
        pub(crate) inventory: Vec<Inventory>,
    }

    impl Default for Granting {
        fn default() -> Self {
            Self {
                gate: Semaphore::new(0),
                transactions: Mutex::default(),
                inventory: Vec::new(),
            }
        }
    }

    impl Store for Granting {
        /// Fails in a way that nobody foresaw where one is called "panic".
        async fn hold_lots(&self, lots: &[Lot], _: i64) -> Result<Vec<Option<Holds>>, StoreError> {
            let holds = lots.iter().flat_map(|lot| &lot.holds);
            let ids: Vec<_> = holds.map(|hold| hold.id.clone()).collect();
            let panics = ids.iter().any(|id| id == "panic");
            self.transactions.lock().unwrap().push(ids);
            self.gate.acquire().await.unwrap().forget();
            assert!(!panics, "scripted");
            let granted = |lot: &Lot| {
                let holds = lot.holds.iter();
                let granted = holds.map(|hold| Ok(hold.booking(&lot.cabin, String::new())));
                Some(granted.collect())
            };
            Ok(lots.iter().map(granted).collect())
        }

        async fn inventory(
            &self,
            after: Option<&CabinKey>,
            _: i64,
            limit: u64,
        ) -> Result<Vec<Inventory>, StoreError> {
            let behind = self
                .inventory
                .iter()
                .filter(|seats| after < Some(&seats.key));
            let limit = usize::try_from(limit).unwrap();
            Ok(behind.take(limit).cloned().collect())
        }

        async fn open_cabin(&self, _: &CabinKey, _: u32, _: i64) -> Result<(), StoreError> {
            unimplemented!("not scripted")
        }

        async fn change(
            &self,
            _: Event,
            _: &str,
            _: &[String],
            _: i64,
        ) -> Result<Vec<Booking>, ChangeError> {
            unimplemented!("not scripted")
        }

        async fn expire(&self, _: i64) -> Result<(u64, bool), StoreError> {
            unimplemented!("not scripted")
        }

        async fn booking(&self, _: &str) -> Result<Option<Booking>, StoreError> {
            unimplemented!("not scripted")
        }

        async fn bookings(
            &self,
            _: &Viewer,
            _: Option<&Cursor>,
            _: u64,
        ) -> Result<Vec<Booking>, StoreError> {
            unimplemented!("not scripted")
        }

        async fn trip_bookings(&self, _: &[String]) -> Result<Vec<Booking>, StoreError> {
            unimplemented!("not scripted")
        }

        async fn trim_events(&self, _: i64) -> Result<u64, StoreError> {
            unimplemented!("not scripted")
        }

        async fn audit(&self, _: i64) -> Result<Vec<Check>, StoreError> {
            unimplemented!("not scripted")
        }
    }
}
