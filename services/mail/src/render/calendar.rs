//! iCalendar files (RFC 5545): one event per flight, in the local zones of its airports.
//!
//! An event's UID follows from the trip and the flight, so that a file that comes again, or cancels, finds
//! the events that are there.

use chrono::{DateTime, FixedOffset, Utc};

use super::{
    Occasion,
    view::{number, place, route, seats},
    zone::Zone,
};
use crate::domain::event::{Airport, Booking, Flight, Trip};

/// Octets of a line at most, its end left out.
const LINE: usize = 75;

/// What the file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It brings the flights.
    Publish,
    /// It takes them away.
    Cancel,
}

impl Purpose {
    pub(super) const fn method(self) -> &'static str {
        match self {
            Self::Publish => "PUBLISH",
            Self::Cancel => "CANCEL",
        }
    }

    /// Status of the events, and which version of them this is.
    const fn status(self) -> (&'static str, u32) {
        match self {
            Self::Publish => ("CONFIRMED", 0),
            Self::Cancel => ("CANCELLED", 1),
        }
    }
}

/// The file; none where nothing is known of any flight.
pub(super) fn write(
    purpose: Purpose,
    occasion: &Occasion<'_>,
    trip: &Trip,
    flights: &[Option<Flight>],
) -> Option<String> {
    let legs = trip.bookings.iter().zip(flights);
    let legs = legs.filter_map(|(booking, flight)| Some((booking, flight.as_ref()?)));
    let legs: Vec<(&Booking, &Flight)> = legs.collect();
    if legs.is_empty() {
        return None;
    }
    let mut lines = vec![
        "BEGIN:VCALENDAR".to_owned(),
        "VERSION:2.0".to_owned(),
        "PRODID:-//Skyway//Trips//EN".to_owned(),
        "CALSCALE:GREGORIAN".to_owned(),
        format!("METHOD:{}", purpose.method()),
    ];
    lines.extend(zones(&legs));
    for (booking, flight) in legs {
        lines.extend(event(purpose, occasion, trip, booking, flight));
    }
    lines.push("END:VCALENDAR".to_owned());
    Some(lines.iter().map(|line| folded(line)).collect())
}

/// A component for each zone that an event names.
fn zones(legs: &[(&Booking, &Flight)]) -> Vec<String> {
    let times: Vec<_> = legs
        .iter()
        .flat_map(|(_, flight)| {
            [
                (&flight.origin, &flight.departure),
                (&flight.destination, &flight.arrival),
            ]
        })
        .map(|(airport, time)| (zone(airport, time), time.timestamp()))
        .collect();
    let from = times
        .iter()
        .map(|(_, time)| *time)
        .min()
        .unwrap_or_default();
    let to = times
        .iter()
        .map(|(_, time)| *time)
        .max()
        .unwrap_or_default();
    let mut told = Vec::new();
    let mut lines = Vec::new();
    for (zone, _) in times {
        if !told.contains(&zone) {
            lines.extend(zone.component(from, to));
            told.push(zone);
        }
    }
    lines
}

fn zone(airport: &Airport, time: &DateTime<FixedOffset>) -> Zone {
    Zone::new(airport.zone.as_deref(), time)
}

fn event(
    purpose: Purpose,
    occasion: &Occasion<'_>,
    trip: &Trip,
    booking: &Booking,
    flight: &Flight,
) -> Vec<String> {
    let (status, sequence) = purpose.status();
    let domain = occasion.sender.rsplit('@').next().unwrap_or_default();
    let stamp = DateTime::<Utc>::from_timestamp_millis(occasion.created).unwrap_or_default();
    let locator = if booking.locator.is_empty() {
        String::new()
    } else {
        format!("Record locator {}, ", booking.locator)
    };
    let description = format!("{locator}{}, {}", seats(booking), trip.cabin);
    let time = |name: &str, airport: &Airport, time: &DateTime<FixedOffset>| {
        let zone = zone(airport, time).id();
        format!("{name};TZID={zone}:{}", time.format("%Y%m%dT%H%M%S"))
    };
    vec![
        "BEGIN:VEVENT".to_owned(),
        format!(
            "UID:{}-{}@{domain}",
            escaped(&trip.id),
            escaped(&booking.flight)
        ),
        format!("DTSTAMP:{}", stamp.format("%Y%m%dT%H%M%SZ")),
        time("DTSTART", &flight.origin, &flight.departure),
        time("DTEND", &flight.destination, &flight.arrival),
        format!(
            "SUMMARY:{}",
            escaped(&format!("{} {}", number(flight), route(flight)))
        ),
        format!("LOCATION:{}", escaped(&place(&flight.origin))),
        format!("DESCRIPTION:{}", escaped(&description)),
        format!("ORGANIZER:mailto:{}", occasion.sender),
        format!("SEQUENCE:{sequence}"),
        format!("STATUS:{status}"),
        "TRANSP:OPAQUE".to_owned(),
        "END:VEVENT".to_owned(),
    ]
}

/// A text as a value: what would end or split it is escaped.
fn escaped(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | ';' | ',' => value.extend(['\\', character]),
            '\n' => value.push_str("\\n"),
            character if character.is_control() => {}
            character => value.push(character),
        }
    }
    value
}

/// A line with its end, continued on further lines that begin with a space where it is too long.
fn folded(line: &str) -> String {
    let mut text = String::with_capacity(line.len() + 8);
    let mut octets = 0;
    for character in line.chars() {
        if octets + character.len_utf8() > LINE {
            text.push_str("\r\n ");
            octets = 1;
        }
        octets += character.len_utf8();
        text.push(character);
    }
    text.push_str("\r\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped() {
        for (text, value) in [
            ("St. John's, NL; \\o/", "St. John's\\, NL\\; \\\\o/"),
            ("a\r\nATTENDEE:b", "a\\nATTENDEE:b"),
        ] {
            assert_eq!(escaped(text), value);
        }
    }

    #[test]
    fn no_line_is_longer_than_75_octets_and_no_character_is_split() {
        for text in [
            "x".repeat(75),
            "x".repeat(76),
            "é".repeat(200),
            "日本".repeat(60),
        ] {
            let folded = folded(&text);
            assert!(
                folded.split("\r\n").all(|line| line.len() <= LINE),
                "{folded}"
            );
            assert_eq!(folded.replace("\r\n ", "").trim_end(), text);
        }
        assert_eq!(folded(&"x".repeat(75)).matches("\r\n").count(), 1);
    }
}
