//! `skyway search`: itineraries as a table, whose first column `skyway book` understands.

use serde_json::Value;

use super::format::{duration, money, route};
use super::rest::Call;
use super::{Client, items, show, text};
use crate::cli::Search;
use crate::table::{Align, Table};

impl Client<'_> {
    /// Searches, prints, and remembers the offers by their number.
    pub(super) async fn search(&self, search: &Search) -> anyhow::Result<()> {
        let call = Call::get("/v1/itineraries:search", query(search));
        let answer = self.rest.call(&call).await?;
        let offers = items(&answer, "itineraries").iter();
        let offers: Vec<&str> = offers.map(|found| text(found, "offerId")).collect();
        self.sessions.remember_offers(&offers)?;
        show(search.gateway.json, &answer, |answer| {
            listing(answer, search)
        })
    }
}

fn query(search: &Search) -> Vec<(&'static str, String)> {
    let mut query = vec![
        ("origin", search.origin.clone()),
        ("destination", search.destination.clone()),
        ("departureDate", search.date.clone()),
        ("passengers", search.passengers.to_string()),
        ("cabin", search.cabin.contract().to_owned()),
        ("orderBy", search.order_by.contract().to_owned()),
        ("pageSize", search.limit.to_string()),
    ];
    if let Some(date) = &search.return_date {
        query.push(("returnDate", date.clone()));
    }
    if let Some(stops) = search.max_stops {
        query.push(("maxStops", stops.to_string()));
    }
    query
}

/// A line per flight; what is said of the whole itinerary stands on its first line.
fn listing(answer: &Value, search: &Search) -> String {
    let itineraries = items(answer, "itineraries");
    if itineraries.is_empty() {
        return format!(
            "Nothing flies from {} to {} as you wish.",
            search.origin, search.destination
        );
    }
    let mut table = Table::new([
        ("#", Align::Right),
        ("PRICE", Align::Right),
        ("STOPS", Align::Right),
        ("TIME", Align::Right),
        ("FLIGHT", Align::Left),
        ("LOCAL TIMES", Align::Left),
        ("LEFT", Align::Right),
    ]);
    for (index, itinerary) in itineraries.iter().enumerate() {
        let mut whole = [
            (index + 1).to_string(),
            money(&itinerary["totalPrice"]),
            itinerary["stops"].to_string(),
            duration(&itinerary["duration"]),
        ];
        let legs = items(itinerary, "legs").iter();
        for flight in legs.flat_map(|leg| items(leg, "flights")) {
            let [number, price, stops, time] = std::mem::take(&mut whole);
            table.row([
                number,
                price,
                stops,
                time,
                format!("{}{}", text(flight, "carrier"), flight["flightNumber"]),
                route(flight),
                flight["seatsLeft"].to_string(),
            ]);
        }
    }
    let mut listing = table.text();
    if !text(answer, "nextPageToken").is_empty() && search.limit < 100 {
        listing.push_str("There are more: --limit 100 lists up to 100.\n");
    }
    listing.push_str(
        "\nPrices are for all passengers and hold for 15 minutes.\n\
         To book the first:  skyway book 1 --passenger 'Ada Lovelace'\n",
    );
    listing
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;
    use crate::cli::{Cli, Command};

    fn parsed(line: &str) -> Search {
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        match cli.command {
            Command::Search(search) => search,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn flags_become_the_query_of_the_contract() {
        let line = "skyway search JFK SEA 2026-12-01 --return 2026-12-08 --passengers 2 \
                    --cabin premium-economy --max-stops 1 --order-by duration";
        let query = query(&parsed(line));
        let query: Vec<_> = query
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        assert_eq!(
            query,
            [
                ("origin", "JFK"),
                ("destination", "SEA"),
                ("departureDate", "2026-12-01"),
                ("passengers", "2"),
                ("cabin", "PREMIUM_ECONOMY"),
                ("orderBy", "duration"),
                ("pageSize", "20"),
                ("returnDate", "2026-12-08"),
                ("maxStops", "1"),
            ]
        );
    }

    #[test]
    fn an_itinerary_has_a_line_per_flight() {
        let flight = |number: u32, origin: &str, destination: &str| {
            json!({
                "carrier": "AS", "flightNumber": number, "origin": origin, "destination": destination, "seatsLeft": 7,
                "departureLocal": "2026-12-01T10:00:00-05:00", "arrivalLocal": "2026-12-01T13:15:00-08:00",
            })
        };
        let answer = json!({"itineraries": [{
            "offerId": "o", "stops": 1, "duration": "22500s",
            "totalPrice": {"currencyCode": "USD", "units": "412", "nanos": 500_000_000},
            "legs": [{"flights": [flight(21, "JFK", "ORD"), flight(22, "ORD", "SEA")]}],
        }], "nextPageToken": "t"});
        let listing = listing(&answer, &parsed("skyway search JFK SEA 2026-12-01"));
        let expected = [
            "#       PRICE  STOPS   TIME  FLIGHT  LOCAL TIMES                       LEFT",
            "1  412.50 USD      1  6h15m  AS21    JFK 2026-12-01 10:00 → ORD 13:15     7",
            "                             AS22    ORD 2026-12-01 10:00 → SEA 13:15     7",
            "There are more: --limit 100 lists up to 100.",
        ];
        for (line, expected) in listing.lines().zip(expected) {
            assert_eq!(line, expected);
        }
    }

    #[test]
    fn nothing_found_is_said_in_words() {
        let search = parsed("skyway search JFK JFK 2026-12-01");
        let listing = listing(&json!({}), &search);
        assert_eq!(listing, "Nothing flies from JFK to JFK as you wish.");
    }
}
