//! `skyway book`, `trips`, `trip` and `cancel`.

use std::fmt::Write;

use anyhow::Context;
use serde_json::{Value, json};

use super::format::{instant, money, precise_instant, route};
use super::rest::Call;
use super::{Client, items, part, show, text};
use crate::cli::{Book, Cancel, Trip, Trips};
use crate::table::{Align, Table};

impl Client<'_> {
    /// Books an offer, again and again under one key until there is an answer.
    pub(super) async fn book(&self, book: &Book) -> anyhow::Result<()> {
        let passengers = book.passengers.iter().map(|name| passenger(name));
        let passengers = passengers.collect::<anyhow::Result<Vec<_>>>()?;
        let offer = self.sessions.offer(&book.offer)?;
        let session = self.sessions.current(&self.rest).await?;
        let key = book.key.clone();
        let key = key.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        // Said before anything is sent: with it, a booking that was cut off can be asked for again.
        eprintln!("Idempotency-Key: {key}");
        let body = json!({
            "offerId": offer,
            "contactEmail": book.email.as_ref().unwrap_or(&session.email),
            "passengers": passengers,
        });
        let call = Call::post("/v1/trips", body);
        let call = call.by(&session.access_token).once(&key);
        let trip = self.rest.call_again(&call).await?;
        show(book.gateway.json, &trip, summary)
    }

    /// Lists trips.
    pub(super) async fn trips(&self, trips: &Trips) -> anyhow::Result<()> {
        let session = self.sessions.current(&self.rest).await?;
        let query = vec![("pageSize", trips.limit.to_string())];
        let call = Call::get("/v1/trips", query).by(&session.access_token);
        let answer = self.rest.call(&call).await?;
        show(trips.gateway.json, &answer, listing)
    }

    /// Shows all there is to know about a trip.
    pub(super) async fn trip(&self, trip: &Trip) -> anyhow::Result<()> {
        let path = format!("/v1/trips/{}/overview", id(&trip.trip)?);
        let session = self.sessions.current(&self.rest).await?;
        let call = Call::get(path, vec![]).by(&session.access_token);
        let answer = self.rest.call(&call).await?;
        show(trip.gateway.json, &answer, overview)
    }

    /// Cancels a trip, which may be asked for any number of times.
    pub(super) async fn cancel(&self, cancel: &Cancel) -> anyhow::Result<()> {
        let path = format!("/v1/trips/{}:cancel", id(&cancel.trip)?);
        let session = self.sessions.current(&self.rest).await?;
        let call = Call::post(path, json!({})).by(&session.access_token);
        let trip = self.rest.call_again(&call).await?;
        show(cancel.gateway.json, &trip, summary)
    }
}

fn id(written: &str) -> anyhow::Result<&str> {
    part(written, "trip id", "skyway trips")
}

/// Given names before the last word, or after a comma.
fn passenger(name: &str) -> anyhow::Result<Value> {
    let parts = match name.split_once(',') {
        Some((family, given)) => Some((given, family)),
        None => name.trim().rsplit_once(char::is_whitespace),
    };
    let parts = parts.map(|(given, family)| (given.trim(), family.trim()));
    let (given, family) = parts
        .filter(|(given, family)| !given.is_empty() && !family.is_empty())
        .with_context(|| {
            format!("--passenger: {name:?} is not a given and a family name; write 'Ada Lovelace' or 'de la Cruz, Juana'")
        })?;
    Ok(json!({"givenName": given, "familyName": family}))
}

/// A trip in two lines, and a table of its flights.
fn summary(trip: &Value) -> String {
    let passengers = items(trip, "passengers").iter();
    let passengers: Vec<String> = passengers
        .map(|passenger| {
            let (given, family) = (text(passenger, "givenName"), text(passenger, "familyName"));
            format!("{given} {family}")
        })
        .collect();
    let mut summary = format!(
        "Trip {}  {}  {}  {}\n{}, for {}\n",
        text(trip, "tripId"),
        text(trip, "state"),
        money(&trip["totalPrice"]),
        text(trip, "cabin"),
        passengers.join(", "),
        text(trip, "contactEmail"),
    );
    if !trip["failure"].is_null() {
        let (reason, message) = (
            text(&trip["failure"], "reason"),
            text(&trip["failure"], "message"),
        );
        // Writing to a String cannot fail.
        let _ = writeln!(summary, "Not booked: {reason}: {message}");
    }
    let mut table = Table::new([
        ("LOCATOR", Align::Left),
        ("FLIGHT", Align::Left),
        ("SEATS", Align::Right),
        ("STATE", Align::Left),
    ]);
    for booking in items(trip, "bookings") {
        table.row([
            text(booking, "locator").to_owned(),
            text(booking, "flightId").to_owned(),
            booking["seats"].to_string(),
            text(booking, "state").to_owned(),
        ]);
    }
    summary + "\n" + &table.text()
}

/// A line per trip.
fn listing(answer: &Value) -> String {
    let trips = items(answer, "trips");
    if trips.is_empty() {
        return "No trips yet.".to_owned();
    }
    let mut table = Table::new([
        ("TRIP", Align::Left),
        ("STATE", Align::Left),
        ("DEPARTS (UTC)", Align::Left),
        ("FLIGHTS", Align::Left),
        ("SEATS", Align::Right),
        ("PRICE", Align::Right),
    ]);
    for trip in trips {
        let bookings = items(trip, "bookings").iter();
        let flights: Vec<&str> = bookings.map(|booking| text(booking, "flightId")).collect();
        table.row([
            text(trip, "tripId").to_owned(),
            text(trip, "state").to_owned(),
            instant(&trip["departureTime"]),
            flights.join(" "),
            items(trip, "passengers").len().to_string(),
            money(&trip["totalPrice"]),
        ]);
    }
    let mut listing = table.text();
    if !text(answer, "nextPageToken").is_empty() {
        listing.push_str("There are older ones: --limit lists up to 100.\n");
    }
    listing
}

/// The trip, its flights now, what has happened, and what could not be had.
fn overview(answer: &Value) -> String {
    let mut overview = summary(&answer["trip"]);
    let mut flights = Table::new([("FLIGHT", Align::Left), ("NOW", Align::Left)]);
    for flight in items(answer, "flights") {
        flights.row([text(flight, "flightId").to_owned(), route(flight)]);
    }
    let mut timeline = Table::new([
        ("TIME (UTC)", Align::Left),
        ("EVENT", Align::Left),
        ("STATE", Align::Left),
        ("TRY", Align::Right),
        ("TRACE", Align::Left),
        ("DETAIL", Align::Left),
    ]);
    for entry in items(answer, "timeline") {
        timeline.row([
            precise_instant(&entry["time"]),
            text(entry, "event").to_owned(),
            text(entry, "state").to_owned(),
            entry["attempt"].as_u64().unwrap_or_default().to_string(),
            text(entry, "traceId").to_owned(),
            text(entry, "detail").to_owned(),
        ]);
    }
    // Writing to a String cannot fail.
    let _ = write!(overview, "\n{}\n{}", flights.text(), timeline.text());
    for missing in items(answer, "unavailable") {
        let (part, message) = (text(missing, "part"), text(missing, "message"));
        let _ = writeln!(overview, "\nNot shown: {part}: {message}");
    }
    overview
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        for (name, given, family) in [
            ("Ada Lovelace", "Ada", "Lovelace"),
            ("  Ada  King Lovelace ", "Ada  King", "Lovelace"),
            ("de la Cruz, Juana Inés", "Juana Inés", "de la Cruz"),
        ] {
            let expected = json!({"givenName": given, "familyName": family});
            assert_eq!(passenger(name).unwrap(), expected, "{name}");
        }
        for name in ["", "Ada", " ", ",", "Lovelace,", ", Ada"] {
            let error = passenger(name).unwrap_err().to_string();
            assert!(
                error.contains("is not a given and a family name"),
                "{error}"
            );
        }
    }

    fn trip() -> Value {
        json!({
            "tripId": "t1", "state": "CONFIRMED", "cabin": "ECONOMY", "contactEmail": "ada@example.com",
            "totalPrice": {"currencyCode": "USD", "units": "412"}, "departureTime": "2026-12-01T15:00:00Z",
            "passengers": [{"givenName": "Ada", "familyName": "Lovelace"}],
            "bookings": [{"locator": "K7QXPL", "flightId": "AS21-2026-12-01-JFK", "seats": 1, "state": "CONFIRMED"}],
        })
    }

    #[test]
    fn a_trip_is_told_with_its_flights() {
        assert_eq!(
            summary(&trip()),
            "Trip t1  CONFIRMED  412.00 USD  ECONOMY\nAda Lovelace, for ada@example.com\n\n\
             LOCATOR  FLIGHT               SEATS  STATE\nK7QXPL   AS21-2026-12-01-JFK      1  CONFIRMED\n"
        );
        let mut failed = trip();
        failed["failure"] = json!({"reason": "SOLD_OUT", "message": "no seats left"});
        assert!(summary(&failed).contains("\nNot booked: SOLD_OUT: no seats left\n"));
    }

    #[test]
    fn trips_have_a_line_each() {
        assert_eq!(listing(&json!({})), "No trips yet.");
        let listing = listing(&json!({"trips": [trip()], "nextPageToken": "n"}));
        let lines: Vec<&str> = listing.lines().collect();
        assert_eq!(
            lines[1],
            "t1    CONFIRMED  2026-12-01 15:00:00  AS21-2026-12-01-JFK      1  412.00 USD"
        );
        assert_eq!(lines[2], "There are older ones: --limit lists up to 100.");
    }

    #[test]
    fn an_overview_says_what_happened_and_what_is_missing() {
        let answer = json!({
            "trip": trip(),
            "flights": [{"flightId": "AS21-2026-12-01-JFK", "origin": "JFK", "destination": "SEA"}],
            "timeline": [{
                "time": "2026-11-01T10:00:00Z", "event": "hold", "state": "HOLDING", "attempt": 2,
                "traceId": "ab", "detail": "again",
            }],
            "unavailable": [{"part": "flights/X", "message": "search is away"}],
        });
        let overview = overview(&answer);
        for line in [
            "AS21-2026-12-01-JFK  JFK → SEA",
            "2026-11-01 10:00:00.000  hold   HOLDING    2  ab     again",
            "Not shown: flights/X: search is away",
        ] {
            assert!(
                overview.lines().any(|found| found == line),
                "{line} in {overview}"
            );
        }
    }
}
