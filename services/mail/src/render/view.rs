//! What templates see: texts, formatted for people, so that templates only place them.

use chrono::{DateTime, FixedOffset};

use crate::domain::{
    event::{Airport, Booking, Event, Flight, Price},
    letter::one_line,
    mail::Kind,
};

/// A mail's facts.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    pub(super) title: String,
    pub(super) colour: &'static str,
    /// Whether a calendar file comes with it.
    pub(super) calendar: bool,
    pub(super) trip: String,
    /// All of them, with commas.
    pub(super) locators: String,
    pub(super) legs: Vec<Leg>,
    pub(super) cabin: &'static str,
    pub(super) passengers: Vec<String>,
    /// Empty where there is none.
    pub(super) price: String,
}

/// One flight; what is not known of it is empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Leg {
    pub(super) number: String,
    pub(super) route: String,
    pub(super) departs: String,
    pub(super) arrives: String,
    pub(super) locator: String,
    pub(super) seats: String,
}

impl View {
    pub(super) fn new(event: &Event, flights: &[Option<Flight>]) -> Self {
        let trip = &event.trip;
        let known = flights.iter().map(Option::as_ref);
        let known = known.chain(std::iter::repeat(None));
        let legs = trip.bookings.iter().zip(known);
        Self {
            title: String::new(),
            colour: match event.kind {
                Kind::TripConfirmed => "#0b6e4f",
                Kind::TripCancelled => "#8a1c1c",
                Kind::DepartureReminder => "#1d4e89",
            },
            calendar: false,
            trip: trip.id.clone(),
            locators: trip.locators().join(", "),
            legs: legs.map(|(booking, flight)| leg(booking, flight)).collect(),
            cabin: trip.cabin,
            passengers: trip.passengers.iter().map(|name| one_line(name)).collect(),
            price: trip.price.as_ref().map(price).unwrap_or_default(),
        }
    }
}

fn leg(booking: &Booking, flight: Option<&Flight>) -> Leg {
    let leg = Leg {
        number: booking.flight.clone(),
        locator: booking.locator.clone(),
        seats: seats(booking),
        ..Leg::default()
    };
    match flight {
        None => leg,
        Some(flight) => Leg {
            number: number(flight),
            route: route(flight),
            departs: clock(&flight.departure),
            arrives: clock(&flight.arrival),
            ..leg
        },
    }
}

/// "2 seats"
pub(super) fn seats(booking: &Booking) -> String {
    match booking.seats {
        1 => "1 seat".to_owned(),
        seats => format!("{seats} seats"),
    }
}

/// "AS 21"
pub(super) fn number(flight: &Flight) -> String {
    format!("{} {}", flight.carrier, flight.number)
}

/// "New York (JFK) to Seattle (SEA)"
pub(super) fn route(flight: &Flight) -> String {
    format!(
        "{} to {}",
        place(&flight.origin),
        place(&flight.destination)
    )
}

/// "New York (JFK)"
pub(super) fn place(airport: &Airport) -> String {
    if airport.city == airport.code {
        airport.code.clone()
    } else {
        format!("{} ({})", airport.city, airport.code)
    }
}

/// "Tuesday 1 December 2026, 10:00"
fn clock(time: &DateTime<FixedOffset>) -> String {
    time.format("%A %-d %B %Y, %H:%M").to_string()
}

/// "USD 1412.50"
fn price(price: &Price) -> String {
    let sign = if price.cents < 0 { "-" } else { "" };
    let cents = price.cents.unsigned_abs();
    format!(
        "{} {sign}{}.{:02}",
        price.currency,
        cents / 100,
        cents % 100
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_have_two_decimals() {
        for (cents, text) in [(41_250, "USD 412.50"), (5, "USD 0.05"), (-141, "USD -1.41")] {
            let currency = "USD".to_owned();
            assert_eq!(price(&Price { cents, currency }), text);
        }
    }
}
