//! How many seats can still be sold: asked of whoever knows.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::watch;

use super::{flight_id::FlightId, pattern::Cabin};

/// Knows what is left of each cabin of each dated flight.
pub trait Availability: Send + Sync {
    /// Seats of a cabin that can still be sold, never more than `capacity`, which is what the timetable says.
    fn seats_left(&self, flight: FlightId, cabin: Cabin, capacity: u16) -> u16;

    /// Changes its value whenever seats of any flight may have changed.
    fn changes(&self) -> watch::Receiver<u64>;
}

/// Nothing is sold yet: every cabin is as large as the timetable says.
#[derive(Debug)]
pub struct WholeCapacity(watch::Sender<u64>);

impl Default for WholeCapacity {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Availability for WholeCapacity {
    fn seats_left(&self, _: FlightId, _: Cabin, capacity: u16) -> u16 {
        capacity
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

/// Locks, so that a query seldom waits for a change.
const SHARDS: usize = 64;

/// A cabin of a dated flight of which seats are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The flight.
    pub flight: FlightId,
    /// The cabin.
    pub cabin: Cabin,
    /// Seats that whoever sells them says there are.
    pub capacity: u16,
    /// Seats held or sold.
    pub taken: u16,
    /// Of two reports the higher one is the newer.
    pub version: u64,
}

/// What is known of one cabin.
#[derive(Clone, Copy, Debug)]
struct Known {
    left: u16,
    version: u64,
    /// The last snapshot that it was heard of in, or after.
    snapshot: u64,
}

/// Seats as whoever sells them reports them: sparse, since of most flights none is taken.
#[derive(Debug)]
pub struct LiveSeats {
    shards: [RwLock<HashMap<(FlightId, Cabin), Known>>; SHARDS],
    hasher: RandomState,
    /// Counts the snapshots begun.
    snapshot: AtomicU64,
    changes: watch::Sender<u64>,
}

impl Default for LiveSeats {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| RwLock::default()),
            hasher: RandomState::new(),
            snapshot: AtomicU64::new(0),
            changes: watch::Sender::new(0),
        }
    }
}

impl LiveSeats {
    /// Everything that is reported from here on is new; what is not reported until
    /// [`LiveSeats::end_snapshot`] is not taken any more.
    pub fn begin_snapshot(&self) {
        self.snapshot.fetch_add(1, Ordering::Relaxed);
    }

    /// All that is taken has been reported since [`LiveSeats::begin_snapshot`].
    pub fn end_snapshot(&self) {
        let snapshot = self.snapshot.load(Ordering::Relaxed);
        for shard in &self.shards {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|_, known| known.snapshot == snapshot);
        }
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Takes reports in; one that is older than what is known changes nothing.
    pub fn report(&self, reports: impl IntoIterator<Item = Taken>) {
        let snapshot = self.snapshot.load(Ordering::Relaxed);
        for report in reports {
            let key = (report.flight, report.cabin);
            let shard = self.shard(key);
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            let known = shard.entry(key).or_insert(Known {
                left: u16::MAX,
                version: 0,
                snapshot,
            });
            known.snapshot = snapshot;
            if report.version >= known.version {
                known.version = report.version;
                known.left = report.capacity.saturating_sub(report.taken);
            }
        }
        self.changes.send_modify(|changes| *changes += 1);
    }

    fn shard(&self, key: (FlightId, Cabin)) -> &RwLock<HashMap<(FlightId, Cabin), Known>> {
        let hash = self.hasher.hash_one(key.0);
        // The low bits: the map within uses the high ones.
        &self.shards[usize::try_from(hash % SHARDS as u64).unwrap_or_default()]
    }
}

impl Availability for LiveSeats {
    fn seats_left(&self, flight: FlightId, cabin: Cabin, capacity: u16) -> u16 {
        let key = (flight, cabin);
        let shard = self.shard(key).read();
        let shard = shard.unwrap_or_else(PoisonError::into_inner);
        shard
            .get(&key)
            .map_or(capacity, |known| known.left.min(capacity))
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(flight: &str, taken: u16, version: u64) -> Taken {
        Taken {
            flight: flight.parse().unwrap(),
            cabin: Cabin::Economy,
            capacity: 100,
            taken,
            version,
        }
    }

    #[test]
    fn the_newest_report_counts_and_a_snapshot_forgets_the_rest() {
        let (seats, a, b) = (
            LiveSeats::default(),
            "AS21-2026-12-01-JFK",
            "B61-2026-12-01-JFK",
        );
        let left = |flight: &str| seats.seats_left(flight.parse().unwrap(), Cabin::Economy, 90);
        assert_eq!((left(a), left(b)), (90, 90));
        seats.begin_snapshot();
        seats.report([report(a, 40, 7), report(b, 100, 1)]);
        seats.end_snapshot();
        assert_eq!((left(a), left(b)), (60, 0));
        let other_cabin = seats.seats_left(a.parse().unwrap(), Cabin::First, 8);
        assert_eq!(other_cabin, 8);
        for (taken, version, expected) in [(50, 6, 60), (50, 8, 50), (0, 9, 90), (200, 10, 0)] {
            seats.report([report(a, taken, version)]);
            assert_eq!(left(a), expected, "{taken} taken, version {version}");
        }
        seats.begin_snapshot();
        seats.report([report(a, 99, 9)]);
        assert_eq!(left(b), 0, "until the snapshot is complete");
        seats.end_snapshot();
        assert_eq!((left(a), left(b)), (0, 90));
    }

    #[test]
    fn whoever_watches_is_told() {
        let seats = LiveSeats::default();
        let mut changes = seats.changes();
        changes.mark_unchanged();
        seats.report([report("AS21-2026-12-01-JFK", 1, 1)]);
        assert!(changes.has_changed().unwrap());
    }
}
