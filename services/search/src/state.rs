//! What all calls of a replica share.

use std::sync::Arc;

use arc_swap::ArcSwap;
use mesh::seal::Key;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::domain::{
    itinerary::Market, seats::Availability, timetable::Timetable, typeahead::Typeahead,
    zone::minute_of,
};

/// The replica's memory.
pub(crate) struct State {
    /// Replaced as a whole when a new one has been imported; calls under way keep the one they began with.
    pub(crate) timetable: ArcSwap<Timetable>,
    /// Version of the timetable, sent after it has been replaced.
    pub(crate) changes: watch::Sender<i64>,
    pub(crate) availability: Arc<dyn Availability>,
    pub(crate) typeahead: Typeahead,
    /// Signs offers and page tokens.
    pub(crate) key: Key,
    /// Seconds since the Unix epoch.
    pub(crate) clock: fn() -> i64,
    /// Ends endless streams.
    pub(crate) shutdown: CancellationToken,
}

impl State {
    /// What is on offer at an instant in seconds since the Unix epoch.
    pub(crate) fn market<'a>(&'a self, timetable: &'a Timetable, now: i64) -> Market<'a> {
        Market {
            timetable,
            availability: self.availability.as_ref(),
            now: minute_of(now),
        }
    }
}
