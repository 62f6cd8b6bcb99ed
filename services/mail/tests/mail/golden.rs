//! Mails byte by byte, as they leave. Run with `SKYWAY_GOLDEN=write` to accept what has changed.

use std::{fs, path::Path};

use chrono::DateTime;
use mail::{
    domain::{
        event::{Airport, Booking, Event, Flight, Price, Trip},
        letter::Letter,
        mail::Kind,
    },
    render::{self, Occasion},
    sender::Envelope,
};

/// Whoever sets this variable to `write` accepts all mails as they are now.
const ACCEPT: &str = "SKYWAY_GOLDEN";

/// Compares with the file of this name.
fn check(name: &str, content: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var(ACCEPT).is_ok_and(|value| value == "write") {
        fs::write(&file, content).unwrap();
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        expected == content,
        "{name} has changed; {ACCEPT}=write accepts it:\n{content}"
    );
}

fn airport(code: &str, city: &str, zone: &str) -> Airport {
    Airport {
        code: code.to_owned(),
        city: city.to_owned(),
        zone: Some(zone.to_owned()),
    }
}

fn flight(number: u32, from: Airport, to: Airport, departure: &str, arrival: &str) -> Flight {
    let local = |text| DateTime::parse_from_rfc3339(text).unwrap();
    Flight {
        carrier: "AS".to_owned(),
        number,
        origin: from,
        destination: to,
        departure: local(departure),
        arrival: local(arrival),
    }
}

/// A round trip over the end of summer time, by people whose names are not ASCII and not HTML.
fn trip() -> (Trip, Vec<Option<Flight>>) {
    let booking = |flight: &str, locator: &str| Booking {
        flight: flight.to_owned(),
        locator: locator.to_owned(),
        seats: 2,
    };
    let jfk = || airport("JFK", "New York", "America/New_York");
    let yyt = || airport("YYT", "St. John's", "America/St_Johns");
    let trip = Trip {
        id: "01a205e6-68ba-77d3-a396-f66e111fe0aa".to_owned(),
        recipient: "ada@example.com".to_owned(),
        bookings: vec![
            booking("AS21-2026-10-30-JFK", "K7QXPL"),
            booking("AS22-2026-11-02-YYT", "M3RTWZ"),
        ],
        price: Some(Price {
            cents: 141_250,
            currency: "USD".to_owned(),
        }),
        cabin: "Economy",
        passengers: vec![
            "Ada <b>Lovelace</b>".to_owned(),
            "Søren Ærø & Söhne".to_owned(),
        ],
    };
    let there = flight(
        21,
        jfk(),
        yyt(),
        "2026-10-30T22:05:00-04:00",
        "2026-10-31T02:35:00-02:30",
    );
    let back = flight(
        22,
        yyt(),
        jfk(),
        "2026-11-02T07:15:00-03:30",
        "2026-11-02T09:00:00-05:00",
    );
    (trip, vec![Some(there), Some(back)])
}

fn letter(kind: Kind, trip: Trip, flights: &[Option<Flight>]) -> Letter {
    let event = Event {
        kind,
        user: "ada".to_owned(),
        trip,
    };
    let occasion = Occasion {
        mail: "01a205e6-68ba-77d3-a396-f66e111fe0aa-confirmed",
        sender: "trips@skyway.example",
        created: 1_793_000_000_000,
        date: 1_793_000_002_000,
    };
    render::letter(&occasion, &event, flights).unwrap()
}

fn eml(letter: &Letter) -> String {
    let envelope = Envelope {
        from: "Skyway <trips@skyway.example>".parse().unwrap(),
        reply_to: Some("help@skyway.example".parse().unwrap()),
    };
    String::from_utf8(envelope.wrap(letter).unwrap().formatted()).unwrap()
}

#[test]
fn mails_are_what_they_were() {
    let (trip, flights) = trip();
    for (name, kind) in [
        ("trip_confirmed", Kind::TripConfirmed),
        ("trip_cancelled", Kind::TripCancelled),
        ("departure_reminder", Kind::DepartureReminder),
    ] {
        let letter = letter(kind, trip.clone(), &flights);
        check(&format!("{name}.eml"), &eml(&letter));
        check(&format!("{name}.txt"), &letter.text);
        check(&format!("{name}.html"), &letter.html);
        if let Some(calendar) = &letter.calendar {
            check(&format!("{name}.ics"), &calendar.text);
        }
    }
}

#[test]
fn a_flight_that_is_gone_is_told_by_what_the_trip_says() {
    let (trip, mut flights) = trip();
    flights[0] = None;
    let letter = letter(Kind::TripConfirmed, trip.clone(), &flights);
    check("flight_gone.txt", &letter.text);
    check("flight_gone.ics", &letter.calendar.unwrap().text);
    let none = self::letter(Kind::TripConfirmed, trip, &[None, None]);
    assert_eq!(none.calendar, None);
    assert!(!none.text.contains("attached") && !none.html.contains("attached"));
}

#[test]
fn html_is_escaped_and_fetches_nothing() {
    let (trip, flights) = trip();
    for kind in Kind::ALL {
        let html = letter(kind, trip.clone(), &flights).html;
        assert!(
            html.contains("Ada &#60;b&#62;Lovelace&#60;/b&#62;"),
            "{html}"
        );
        for fetched in [
            "<img", "src=", "url(", "http:", "https:", "<script", "<link",
        ] {
            assert!(!html.contains(fetched), "{fetched} in {html}");
        }
    }
}

#[test]
fn calendars_are_lines_of_75_octets_that_end_in_crlf() {
    let (trip, flights) = trip();
    let calendar = letter(Kind::TripConfirmed, trip, &flights)
        .calendar
        .unwrap();
    let text = calendar.text;
    assert!(text.ends_with("END:VCALENDAR\r\n"));
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
    assert!(text.lines().all(|line| line.len() <= 75), "{text}");
    assert_eq!(text.matches("BEGIN:VEVENT").count(), 2);
    assert_eq!(text.matches("BEGIN:VTIMEZONE").count(), 2, "a zone once");
    assert!(text.contains("DTSTART;TZID=America/New_York:20261030T220500\r\n"));
    assert!(text.contains("LOCATION:St. John's (YYT)\r\n"), "{text}");
}
