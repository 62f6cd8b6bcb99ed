//! Local times become instants, also on the days when clocks change.
//!
//! Asking the time-zone database costs about 100 ns, and a search asks a thousand times. So each
//! zone keeps its offset per local day; only a day on which the offset changes takes the exact
//! way, and so does a day outside the table.
//!
//! Where clocks go forward, a local time that does not exist moves forward by the gap; where they
//! go back, a local time that exists twice is the first of the two. Both come to the same rule:
//! the offset before the change counts.

use std::sync::OnceLock;

use chrono::{Duration, MappedLocalTime, NaiveDateTime, Offset, TimeZone};
use chrono_tz::Tz;

use super::{
    airport::{AirportId, Airports},
    day::{DAY_MINUTES, Day, Minute},
};

/// Days for which offsets are kept: the horizon of 330 days, and months of running on without a reload.
const TABLE_DAYS: i32 = 600;
/// Stands for a day on which the offset changes.
const CHANGES: i16 = i16::MIN;

/// An instant and the clock where it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalInstant {
    /// The instant.
    pub utc: Minute,
    /// Minutes that the local clock is ahead of UTC.
    pub offset: i16,
}

/// Zones of all airports, with their offsets from some day on.
#[derive(Debug)]
pub struct Zones {
    airports: &'static Airports,
    first: Day,
    offsets: Vec<OnceLock<Box<[i16]>>>,
}

impl Zones {
    /// Zones that answer fastest for the days that follow `first`.
    #[must_use]
    pub fn new(airports: &'static Airports, first: Day) -> Self {
        let offsets = airports.zones().iter().map(|_| OnceLock::new()).collect();
        Self {
            airports,
            first,
            offsets,
        }
    }

    /// The instant of a local time at an airport; `minute` counts from midnight and may pass it.
    #[must_use]
    pub fn instant(&self, airport: AirportId, day: Day, minute: i32) -> LocalInstant {
        let zone = self.airports.get(airport).zone;
        let local = day.number() * DAY_MINUTES + minute;
        match self.offset(zone, Day::of(local, 0)) {
            CHANGES => exact(self.airports.zones()[usize::from(zone)], local),
            offset => LocalInstant {
                utc: local - i32::from(offset),
                offset,
            },
        }
    }

    /// The clock at an airport at an instant.
    #[must_use]
    pub fn local(&self, airport: AirportId, utc: Minute) -> LocalInstant {
        let tz = self.airports.zones()[usize::from(self.airports.get(airport).zone)];
        LocalInstant {
            utc,
            offset: offset_at(tz, utc),
        }
    }

    /// Smallest and greatest offset at an airport from one local day to another.
    #[must_use]
    pub fn offset_range(&self, airport: AirportId, from: Day, to: Day) -> (i16, i16) {
        let zone = self.airports.get(airport).zone;
        // The days around a change have the offsets before and after it.
        let around = (from.number() - 1..=to.number() + 1)
            .map(|day| self.offset(zone, Day::from_number(day)));
        around
            .filter(|offset| *offset != CHANGES)
            .fold((i16::MAX, i16::MIN), |(least, most), offset| {
                (least.min(offset), most.max(offset))
            })
    }

    fn offset(&self, zone: u16, day: Day) -> i16 {
        let tz = self.airports.zones()[usize::from(zone)];
        let table = self.offsets[usize::from(zone)].get_or_init(|| {
            (0..TABLE_DAYS)
                .map(|day| offset_of_day(tz, self.first.plus(day)))
                .collect()
        });
        let at = usize::try_from(day.number() - self.first.number()).ok();
        at.and_then(|at| table.get(at).copied())
            .unwrap_or_else(|| offset_of_day(tz, day))
    }
}

/// Minutes since the epoch of an instant given in seconds.
#[must_use]
pub fn minute_of(seconds: i64) -> Minute {
    i32::try_from(seconds.div_euclid(60)).unwrap_or(Minute::MAX)
}

fn offset_of_day(tz: Tz, day: Day) -> i16 {
    let midnight = day.number() * DAY_MINUTES;
    let (start, end) = (exact(tz, midnight), exact(tz, midnight + DAY_MINUTES - 1));
    // An ambiguous last minute hides a change just after midnight; a gap at midnight shows in the start.
    let next = exact(tz, midnight + DAY_MINUTES);
    let unchanged = start.offset == end.offset
        && start.offset == next.offset
        && end.utc - start.utc == DAY_MINUTES - 1;
    if unchanged { start.offset } else { CHANGES }
}

fn exact(tz: Tz, local: i32) -> LocalInstant {
    let naive = naive(local);
    let before = match tz.offset_from_local_datetime(&naive) {
        MappedLocalTime::Single(offset) | MappedLocalTime::Ambiguous(offset, _) => minutes(&offset),
        // Gaps are an hour or so; three hours before one, the old offset holds.
        MappedLocalTime::None => match tz.offset_from_local_datetime(&(naive - Duration::hours(3)))
        {
            MappedLocalTime::Single(offset) | MappedLocalTime::Ambiguous(offset, _) => {
                minutes(&offset)
            }
            MappedLocalTime::None => offset_at(tz, local - DAY_MINUTES),
        },
    };
    let utc = local - i32::from(before);
    LocalInstant {
        utc,
        offset: offset_at(tz, utc),
    }
}

fn offset_at(tz: Tz, utc: Minute) -> i16 {
    minutes(&tz.offset_from_utc_datetime(&naive(utc)))
}

fn minutes(offset: &impl Offset) -> i16 {
    i16::try_from(offset.fix().local_minus_utc() / 60).unwrap_or_default()
}

fn naive(minute: Minute) -> NaiveDateTime {
    chrono::DateTime::from_timestamp(i64::from(minute) * 60, 0)
        .map_or(NaiveDateTime::MAX, |time| time.naive_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::airport::Code;

    fn check(airport: &str, local: &str, expected: &str) {
        let airports = Airports::embedded();
        let airport = airports.find(Code::parse(airport).unwrap()).unwrap();
        let (date, time) = local.split_once(' ').unwrap();
        let day = Day::parse(date).unwrap();
        let minute = time[..2].parse::<i32>().unwrap() * 60 + time[3..].parse::<i32>().unwrap();
        for first in ["2026-10-01", "2030-01-01"] {
            let zones = Zones::new(airports, Day::parse(first).unwrap());
            let instant = zones.instant(airport, day, minute);
            let shown = naive(instant.utc).format("%Y-%m-%dT%H:%MZ");
            assert_eq!(
                format!("{shown} {:+}", instant.offset),
                expected,
                "{local}, table from {first}"
            );
            assert_eq!(zones.local(airport, instant.utc), instant);
        }
    }

    #[test]
    fn winter_and_summer_have_their_offsets() {
        check("JFK", "2026-12-01 10:00", "2026-12-01T15:00Z -300");
        check("JFK", "2027-07-01 10:00", "2027-07-01T14:00Z -240");
        check("DEL", "2026-12-01 10:00", "2026-12-01T04:30Z +330");
        check("KTM", "2026-12-01 00:00", "2026-11-30T18:15Z +345");
    }

    #[test]
    fn a_local_time_in_the_gap_moves_forward_by_it() {
        check("JFK", "2027-03-14 01:59", "2027-03-14T06:59Z -300");
        check("JFK", "2027-03-14 02:30", "2027-03-14T07:30Z -240");
        check("JFK", "2027-03-14 03:30", "2027-03-14T07:30Z -240");
        check("LHR", "2027-03-28 01:15", "2027-03-28T01:15Z +60");
    }

    #[test]
    fn of_two_equal_local_times_the_first_counts() {
        check("JFK", "2026-11-01 00:59", "2026-11-01T04:59Z -240");
        check("JFK", "2026-11-01 01:30", "2026-11-01T05:30Z -240");
        check("JFK", "2026-11-01 02:00", "2026-11-01T07:00Z -300");
        check("LHR", "2026-10-25 01:30", "2026-10-25T00:30Z +60");
    }

    #[test]
    fn arizona_keeps_its_clock() {
        for date in ["2027-03-14", "2026-11-01"] {
            check(
                "PHX",
                &format!("{date} 02:30"),
                &format!("{date}T09:30Z -420"),
            );
        }
    }

    #[test]
    fn a_half_hour_change_is_exact() {
        // Lord Howe Island goes from +10:30 to +11:00.
        check("LDH", "2026-10-04 02:15", "2026-10-03T15:45Z +660");
        check("LDH", "2026-10-04 03:00", "2026-10-03T16:00Z +660");
    }

    #[test]
    fn the_table_agrees_with_the_database_for_every_zone() {
        let airports = Airports::embedded();
        let zones = Zones::new(airports, Day::parse("2026-10-01").unwrap());
        let mut seen = std::collections::HashSet::new();
        for (id, airport) in airports
            .iter()
            .filter(|(_, airport)| seen.insert(airport.zone))
        {
            for day in (0..420).map(|day| Day::parse("2026-10-01").unwrap().plus(day)) {
                for minute in [0, 90, 150, 720, 1_439] {
                    let truth = exact(
                        airports.zones()[usize::from(airport.zone)],
                        day.number() * DAY_MINUTES + minute,
                    );
                    assert_eq!(
                        zones.instant(id, day, minute),
                        truth,
                        "{} {day} {minute}",
                        airport.code
                    );
                    let (least, most) = zones.offset_range(id, day, day);
                    assert!(
                        (least..=most).contains(&truth.offset),
                        "{} {day}",
                        airport.code
                    );
                }
            }
        }
    }
}
