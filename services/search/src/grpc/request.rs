//! From requests to what the domain is asked, with every field that is wrong.
//!
//! The contract's own constraints have been checked when a request arrives here. What is left is
//! what needs the timetable and the clock.

use contracts::search::v1::{
    Cabin as CabinMessage, SearchItinerariesRequest, StreamDeparturesRequest,
};
use tonic::Status;

use super::error::Violations;
use crate::domain::{
    airport::{AirportId, Code},
    day::{Day, Minute},
    itinerary::{Order, Query},
    pattern::{Cabin, Carrier},
    timetable::{HORIZON_DAYS, Timetable},
};

/// 23:59.
const LAST_MINUTE: u16 = 24 * 60 - 1;

/// The day it is at an airport.
pub(super) fn today(timetable: &Timetable, airport: AirportId, now: Minute) -> Day {
    Day::of(now, timetable.zones().local(airport, now).offset)
}

/// The itineraries asked for.
pub(super) fn query(
    request: &SearchItinerariesRequest,
    timetable: &Timetable,
    now: Minute,
) -> Result<Query, Status> {
    let mut wrong = Violations::default();
    let origin = airport("origin", &request.origin, timetable, &mut wrong);
    let destination = airport("destination", &request.destination, timetable, &mut wrong);
    if request.origin.eq_ignore_ascii_case(&request.destination) {
        wrong.add("destination", "must differ from origin");
    }
    let departure = date("departure_date", &request.departure_date, &mut wrong);
    if let (Some(day), Some(origin)) = (departure, origin) {
        check_day("departure_date", day, origin, timetable, now, &mut wrong);
    }
    let back = if request.return_date.is_empty() {
        None
    } else {
        date("return_date", &request.return_date, &mut wrong)
    };
    if let (Some(back), Some(departure)) = (back, departure) {
        if back < departure {
            wrong.add("return_date", "must not be before departure_date");
        } else if let Some(destination) = destination {
            check_day("return_date", back, destination, timetable, now, &mut wrong);
        }
    }
    let carriers = request
        .carriers
        .iter()
        .filter_map(|code| carrier(code, &mut wrong))
        .collect();
    let (after, before) = (
        clock("depart_after", &request.depart_after, 0, &mut wrong),
        clock(
            "depart_before",
            &request.depart_before,
            LAST_MINUTE,
            &mut wrong,
        ),
    );
    let query = origin
        .zip(destination)
        .zip(departure)
        .map(|((origin, destination), departure)| Query {
            origin,
            destination,
            departure,
            back,
            passengers: u16::try_from(request.passengers.unwrap_or(1))
                .unwrap_or(u16::MAX)
                .max(1),
            cabin: cabin(request.cabin()),
            max_stops: u8::try_from(request.max_stops.unwrap_or(2))
                .unwrap_or(2)
                .min(2),
            max_price: request.max_price.map(cents),
            carriers,
            depart_after: after,
            depart_before: before,
            order: order(&request.order_by),
        });
    wrong.check(query)
}

/// The airport and day of a departure board.
pub(super) fn board(
    request: &StreamDeparturesRequest,
    timetable: &Timetable,
    now: Minute,
) -> Result<(AirportId, Day), Status> {
    let mut wrong = Violations::default();
    let airport = airport("airport", &request.airport, timetable, &mut wrong);
    let here = airport.map(|airport| today(timetable, airport, now));
    let day = if request.date.is_empty() {
        here
    } else {
        date("date", &request.date, &mut wrong)
    };
    if let (Some(day), Some(here)) = (day, here) {
        check_horizon("date", day, here, &mut wrong);
    }
    wrong.check(airport.zip(day))
}

fn airport(
    field: &str,
    code: &str,
    timetable: &Timetable,
    wrong: &mut Violations,
) -> Option<AirportId> {
    let known = Code::parse(code).and_then(|code| timetable.airports().find(code));
    if known.is_none() {
        wrong.add(
            field,
            format!("no airport has the code {}", code.to_ascii_uppercase()),
        );
    }
    known
}

fn date(field: &str, text: &str, wrong: &mut Violations) -> Option<Day> {
    let day = Day::parse(text);
    if day.is_none() {
        wrong.add(field, format!("{text} is not a date of the calendar"));
    }
    day
}

fn check_day(
    field: &str,
    day: Day,
    airport: AirportId,
    timetable: &Timetable,
    now: Minute,
    wrong: &mut Violations,
) {
    let here = today(timetable, airport, now);
    if day < here {
        wrong.add(
            field,
            format!(
                "is in the past: today is {here} at {}",
                timetable.airports().get(airport).code
            ),
        );
    }
    check_horizon(field, day, here, wrong);
}

fn check_horizon(field: &str, day: Day, today: Day, wrong: &mut Violations) {
    let last = today.plus(HORIZON_DAYS);
    if day > last {
        wrong.add(
            field,
            format!("is too far ahead: flights are known until {last}"),
        );
    }
}

fn carrier(code: &str, wrong: &mut Violations) -> Option<Carrier> {
    let carrier = Carrier::parse(code);
    if carrier.is_none() {
        wrong.add(
            "carriers",
            format!("{code} is not a carrier's code: it has no letter"),
        );
    }
    carrier
}

fn clock(field: &str, text: &str, otherwise: u16, wrong: &mut Violations) -> u16 {
    if text.is_empty() {
        return otherwise;
    }
    let minutes = text.split_once(':').and_then(|(hours, minutes)| {
        Some(hours.parse::<u16>().ok()? * 60 + minutes.parse::<u16>().ok()?)
    });
    minutes.unwrap_or_else(|| {
        wrong.add(field, format!("{text} is not a time of day such as 09:05"));
        otherwise
    })
}

/// The cabin of a message.
pub(crate) fn cabin(cabin: CabinMessage) -> Cabin {
    match cabin {
        CabinMessage::Unspecified | CabinMessage::Economy => Cabin::Economy,
        CabinMessage::PremiumEconomy => Cabin::PremiumEconomy,
        CabinMessage::Business => Cabin::Business,
        CabinMessage::First => Cabin::First,
    }
}

fn order(text: &str) -> Order {
    match text {
        "duration" => Order::Duration,
        "departure" => Order::Departure,
        _ => Order::Price,
    }
}

/// Whole cents within an amount of dollars; what binary fractions take from a cent is given back.
#[allow(clippy::cast_possible_truncation)] // saturates, which no price reaches
fn cents(dollars: f64) -> i64 {
    (dollars * 100.0 + 1e-6).floor() as i64
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt;

    use super::*;
    use crate::domain::{day::DAY_MINUTES, pattern::testing::pattern};

    fn timetable() -> Timetable {
        Timetable::new(
            vec![pattern("AS21 JFK-SEA 10:00-13:15")],
            Day::parse("2026-11-22").unwrap(),
        )
    }

    /// 2026-11-22 20:00 in New York, which is 01:00 of the next day in UTC.
    fn now() -> Minute {
        (Day::parse("2026-11-22").unwrap().number() + 1) * DAY_MINUTES + 60
    }

    fn check(change: impl FnOnce(&mut SearchItinerariesRequest), expected: &[(&str, &str)]) {
        let mut request = SearchItinerariesRequest {
            origin: "jfk".into(),
            destination: "SEA".into(),
            departure_date: "2026-12-01".into(),
            ..SearchItinerariesRequest::default()
        };
        change(&mut request);
        let violations = query(&request, &timetable(), now())
            .err()
            .map(|status| status.get_error_details());
        let violations = violations
            .and_then(|details| details.bad_request().cloned())
            .map(|bad| bad.field_violations)
            .unwrap_or_default();
        let seen: Vec<(&str, &str)> = violations
            .iter()
            .map(|violation| (violation.field.as_str(), violation.description.as_str()))
            .collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn every_wrong_field_is_named() {
        check(|_| {}, &[]);
        check(
            |request| request.origin = "zzz".into(),
            &[("origin", "no airport has the code ZZZ")],
        );
        check(
            |request| request.destination = "JFK".into(),
            &[("destination", "must differ from origin")],
        );
        check(|request| request.departure_date = "2026-11-22".into(), &[]);
        check(
            |request| request.departure_date = "2026-11-21".into(),
            &[(
                "departure_date",
                "is in the past: today is 2026-11-22 at JFK",
            )],
        );
        check(
            |request| request.departure_date = "2026-02-30".into(),
            &[("departure_date", "2026-02-30 is not a date of the calendar")],
        );
        check(|request| request.departure_date = "2027-10-18".into(), &[]);
        check(
            |request| request.departure_date = "2027-10-19".into(),
            &[(
                "departure_date",
                "is too far ahead: flights are known until 2027-10-18",
            )],
        );
        check(
            |request| request.return_date = "2026-11-30".into(),
            &[("return_date", "must not be before departure_date")],
        );
        check(
            |request| request.return_date = "2028-01-01".into(),
            &[(
                "return_date",
                "is too far ahead: flights are known until 2027-10-18",
            )],
        );
        check(
            |request| request.carriers = vec!["AS".into(), "11".into()],
            &[("carriers", "11 is not a carrier's code: it has no letter")],
        );
        check(
            |request| {
                (request.origin, request.destination, request.departure_date) =
                    ("QQQ".into(), "qqq".into(), "x".into());
            },
            &[
                ("origin", "no airport has the code QQQ"),
                ("destination", "no airport has the code QQQ"),
                ("destination", "must differ from origin"),
                ("departure_date", "x is not a date of the calendar"),
            ],
        );
    }

    #[test]
    fn what_is_not_said_has_its_default() {
        let request = SearchItinerariesRequest {
            origin: "JFK".into(),
            destination: "SEA".into(),
            departure_date: "2026-12-01".into(),
            ..SearchItinerariesRequest::default()
        };
        let query = query(&request, &timetable(), now()).unwrap();
        assert_eq!(
            (
                query.passengers,
                query.cabin,
                query.max_stops,
                query.max_price,
                query.order
            ),
            (1, Cabin::Economy, 2, None, Order::Price)
        );
        assert_eq!(
            (query.depart_after, query.depart_before, query.back),
            (0, 1_439, None)
        );
    }

    #[test]
    fn dollars_become_whole_cents() {
        for (dollars, expected) in [
            (412.5, 41_250),
            (1.15, 115),
            (0.1, 10),
            (0.999, 99),
            (0.0, 0),
            (1e300, i64::MAX),
        ] {
            assert_eq!(cents(dollars), expected, "{dollars}");
        }
    }
}
