//! Time zones as iCalendar wants them: a VTIMEZONE that says which offset holds when.
//!
//! The zone's rules are not told but their results, one observance per change within a year of the flights
//! ("RDATE style", RFC 5545 3.6.5): that is exact where a rule has exceptions, and stays true when rules change.

use chrono::{DateTime, FixedOffset, Offset, TimeZone, Utc};
use chrono_tz::{OffsetComponents, OffsetName, Tz};

/// How far around a flight changes are told, seconds.
const AROUND: i64 = 366 * 86_400;
/// Between two looks for a change, seconds: none lasts less than that.
const STEP: i64 = 7 * 86_400;

/// The zone of an airport's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zone {
    /// One of the IANA database.
    Named(Tz),
    /// Only its offset at the time of the flight is known.
    Fixed(FixedOffset),
}

impl Zone {
    /// The zone of this name, unless its clock does not show `local`.
    pub(super) fn new(name: Option<&str>, local: &DateTime<FixedOffset>) -> Self {
        let named = name.and_then(|name| name.parse::<Tz>().ok());
        let agrees =
            |zone: &Tz| zone.offset_from_utc_datetime(&local.naive_utc()).fix() == *local.offset();
        match named.filter(agrees) {
            Some(zone) => Self::Named(zone),
            None => Self::Fixed(*local.offset()),
        }
    }

    /// What calendars call it.
    pub(super) fn id(self) -> String {
        match self {
            Self::Named(zone) => zone.name().to_owned(),
            Self::Fixed(offset) => format!("UTC{offset}"),
        }
    }

    /// Its component, good for times between `from` and `to`, Unix seconds.
    pub(super) fn component(self, from: i64, to: i64) -> Vec<String> {
        let mut lines = vec!["BEGIN:VTIMEZONE".to_owned(), format!("TZID:{}", self.id())];
        match self {
            Self::Fixed(offset) => {
                let seconds = offset.local_minus_utc();
                lines.extend(observance(
                    false,
                    "19700101T000000",
                    seconds,
                    seconds,
                    &self.id(),
                ));
            }
            Self::Named(zone) => named(zone, from - AROUND, to + AROUND, &mut lines),
        }
        lines.push("END:VTIMEZONE".to_owned());
        lines
    }
}

/// What holds at an instant: offset in seconds, whether it is summer time, its name.
type Observed = (i32, bool, String);

fn observed(zone: Tz, at: i64) -> Observed {
    let instant = DateTime::<Utc>::from_timestamp(at, 0).unwrap_or_default();
    let offset = zone.offset_from_utc_datetime(&instant.naive_utc());
    let name = offset.abbreviation().unwrap_or_default().to_owned();
    (
        offset.fix().local_minus_utc(),
        !offset.dst_offset().is_zero(),
        name,
    )
}

fn named(zone: Tz, from: i64, to: i64, lines: &mut Vec<String>) {
    let (mut offset, summer, name) = observed(zone, from);
    lines.extend(observance(summer, "19700101T000000", offset, offset, &name));
    let mut before = from;
    while before < to {
        let after = before + STEP;
        let then = observed(zone, after);
        if then.0 != offset {
            let change = first_at(zone, offset, before, after);
            // On the clock that is about to change.
            let onset = DateTime::<Utc>::from_timestamp(change + i64::from(offset), 0);
            let onset = onset
                .unwrap_or_default()
                .format("%Y%m%dT%H%M%S")
                .to_string();
            lines.extend(observance(then.1, &onset, offset, then.0, &then.2));
            offset = then.0;
        }
        before = after;
    }
}

/// The first second between `before` and `after` at which `offset` does not hold any more.
fn first_at(zone: Tz, offset: i32, mut before: i64, mut after: i64) -> i64 {
    while after - before > 1 {
        let middle = i64::midpoint(before, after);
        if observed(zone, middle).0 == offset {
            before = middle;
        } else {
            after = middle;
        }
    }
    after
}

fn observance(summer: bool, onset: &str, from: i32, to: i32, name: &str) -> [String; 6] {
    let kind = if summer { "DAYLIGHT" } else { "STANDARD" };
    [
        format!("BEGIN:{kind}"),
        format!("DTSTART:{onset}"),
        format!("TZOFFSETFROM:{}", utc_offset(from)),
        format!("TZOFFSETTO:{}", utc_offset(to)),
        format!("TZNAME:{name}"),
        format!("END:{kind}"),
    ]
}

/// "-0500"
fn utc_offset(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.unsigned_abs() / 60;
    format!("{sign}{:02}{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(text: &str) -> DateTime<FixedOffset> {
        DateTime::parse_from_rfc3339(text).unwrap()
    }

    #[test]
    fn summer_time_begins_and_ends_when_it_does() {
        let noon = local("2026-12-01T10:00:00-05:00");
        let zone = Zone::new(Some("America/New_York"), &noon);
        let text = zone
            .component(noon.timestamp(), noon.timestamp())
            .join("\n");
        for expected in [
            "TZID:America/New_York",
            "BEGIN:DAYLIGHT\nDTSTART:20260308T020000\nTZOFFSETFROM:-0500\nTZOFFSETTO:-0400\nTZNAME:EDT",
            "BEGIN:STANDARD\nDTSTART:20261101T020000\nTZOFFSETFROM:-0400\nTZOFFSETTO:-0500\nTZNAME:EST",
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
    }

    #[test]
    fn a_zone_without_changes_has_one_observance() {
        let noon = local("2026-07-01T10:00:00-07:00");
        let zone = Zone::new(Some("America/Phoenix"), &noon);
        let lines = zone.component(noon.timestamp(), noon.timestamp());
        let begun: Vec<_> = lines
            .iter()
            .filter(|line| line.starts_with("BEGIN:"))
            .collect();
        assert_eq!(begun, ["BEGIN:VTIMEZONE", "BEGIN:STANDARD"]);
    }

    #[test]
    fn a_zone_that_is_unknown_or_contradicts_the_clock_is_its_offset() {
        let noon = local("2026-12-01T10:00:00-05:00");
        for name in [None, Some("Nowhere/None"), Some("America/Los_Angeles")] {
            assert_eq!(Zone::new(name, &noon).id(), "UTC-05:00", "{name:?}");
        }
    }
}
