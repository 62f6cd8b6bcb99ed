//! How many seats can still be sold: asked of whoever knows.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, RandomState},
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::watch;

use super::{day::Day, flight_id::FlightId, pattern::Cabin};

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
    taken: u16,
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

/// The version of every cabin that is known of, at some instant.
#[derive(Debug)]
pub struct Versions(HashMap<(FlightId, Cabin), u64>);

/// How what was known differs from what whoever sells the seats says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Cabins of which something newer or something else is said.
    pub stale: usize,
    /// Cabins of which seats were taken, and of which nothing is said.
    pub left_over: usize,
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
                taken: 0,
                version: 0,
                snapshot,
            });
            known.snapshot = snapshot;
            if report.version >= known.version {
                known.version = report.version;
                known.left = report.capacity.saturating_sub(report.taken);
                known.taken = report.taken;
            }
        }
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// What is known now, to be compared with what is asked for afterwards.
    #[must_use]
    pub fn versions(&self) -> Versions {
        let mut versions = HashMap::new();
        for shard in &self.shards {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            versions.extend(shard.iter().map(|(key, known)| (*key, known.version)));
        }
        Versions(versions)
    }

    /// How many of these reports say more than what is known.
    #[must_use]
    pub fn stale(&self, reports: &[Taken]) -> usize {
        reports
            .iter()
            .filter(|report| self.is_stale(report))
            .count()
    }

    /// Compares what is known with everything that is taken, asked for after `before`, and puts it right. Flights
    /// before `first_day` may have departed, of which nothing is said any more: those are just forgotten.
    pub fn reconcile(&self, before: &Versions, reports: &[Taken], first_day: Day) -> Differences {
        let stale = self.stale(reports);
        let told: HashSet<_> = reports
            .iter()
            .map(|report| (report.flight, report.cabin))
            .collect();
        let mut left_over = 0;
        for (key, version) in before.0.iter().filter(|(key, _)| !told.contains(*key)) {
            let mut shard = self
                .shard(*key)
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            // What has been reported meanwhile is newer than the silence.
            if let Some(known) = shard.get(key).copied()
                && known.version == *version
            {
                shard.remove(key);
                left_over += usize::from(known.taken > 0 && key.0.day() >= first_day);
            }
        }
        // Of one version there is one truth, and it is not what was known.
        self.report(reports.iter().copied());
        Differences { stale, left_over }
    }

    fn is_stale(&self, report: &Taken) -> bool {
        let key = (report.flight, report.cabin);
        let shard = self.shard(key).read();
        let shard = shard.unwrap_or_else(PoisonError::into_inner);
        shard.get(&key).is_none_or(|known| {
            known.version < report.version
                || (known.version == report.version && known.taken != report.taken)
        })
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
    fn what_differs_is_counted_and_put_right() {
        let seats = LiveSeats::default();
        let [same, behind, wrong, gone, departed, freed, moved, missing] = [1, 2, 3, 4, 5, 6, 7, 8]
            .map(|number| {
                format!(
                    "AS{number}-2026-12-{:02}-JFK",
                    if number == 5 { 1 } else { 9 }
                )
            });
        seats.report([
            report(&same, 1, 1),
            report(&behind, 1, 1),
            report(&wrong, 1, 1),
            report(&gone, 1, 1),
            report(&departed, 1, 1),
            report(&freed, 0, 2),
            report(&moved, 0, 1),
        ]);
        let before = seats.versions();
        seats.report([report(&moved, 3, 2)]);
        let told = [
            report(&same, 1, 1),
            report(&behind, 2, 2),
            report(&wrong, 2, 1),
            report(&missing, 4, 1),
        ];
        assert_eq!(seats.stale(&told), 3);
        let first_day = Day::from_ymd(2026, 12, 3).unwrap();
        let differences = seats.reconcile(&before, &told, first_day);
        assert_eq!(
            differences,
            Differences {
                stale: 3,
                left_over: 1
            }
        );
        let left = |flight: &str| seats.seats_left(flight.parse().unwrap(), Cabin::Economy, 100);
        let all = [
            &same, &behind, &wrong, &gone, &departed, &freed, &moved, &missing,
        ];
        assert_eq!(
            all.map(|flight| left(flight)),
            [99, 98, 98, 100, 100, 100, 97, 96]
        );
        let again = seats.reconcile(&seats.versions(), &told, first_day);
        // Only what was reported in between is left over now.
        assert_eq!(
            again,
            Differences {
                stale: 0,
                left_over: 1
            }
        );
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
