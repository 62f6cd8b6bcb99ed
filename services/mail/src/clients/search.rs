//! Flights and airports, as search serves them.

use std::time::{Duration, Instant};

use chrono::DateTime;
use contracts::search::v1::{
    Flight as FlightMessage, GetFlightRequest, ListAirportsRequest, SEARCH_SERVICE,
    search_service_client::SearchServiceClient,
};
use futures_util::future::try_join_all;
use mesh::client::{Channel, Config};
use tonic::{Code, Status};

use super::cache::Cache;
use crate::domain::{
    error::FlightsUnavailable,
    event::{Airport, Flight},
    ports::Flights,
};

/// How long flights are remembered: a new timetable shows soon.
const FLIGHTS_KEPT: Duration = Duration::from_mins(1);
/// How long airports are remembered; they move seldom.
const AIRPORTS_KEPT: Duration = Duration::from_hours(1);
/// Flights, and airports, remembered at most.
const MOST: usize = 4_096;
/// Airports that a query by code finds at most: the one of that code is among the first.
const BEST_MATCHES: i32 = 10;

/// Asks search.
#[derive(Debug)]
pub(crate) struct Search {
    client: SearchServiceClient<Channel>,
    flights: Cache<String, Option<Flight>>,
    airports: Cache<String, Airport>,
}

impl Search {
    pub(crate) fn connect(config: Config) -> Self {
        let channel = Channel::connect(&SEARCH_SERVICE, config);
        Self {
            client: SearchServiceClient::new(channel),
            flights: Cache::new(MOST, FLIGHTS_KEPT),
            airports: Cache::new(MOST, AIRPORTS_KEPT),
        }
    }

    async fn flight(&self, id: &str) -> Result<Option<Flight>, FlightsUnavailable> {
        if let Some(flight) = self.flights.get(id, Instant::now()) {
            return Ok(flight);
        }
        let request = GetFlightRequest {
            flight_id: id.to_owned(),
        };
        let flight = match self.client.clone().get_flight(request).await {
            Ok(answer) => self.complete(answer.into_inner()).await?,
            // An id that is none is told from a flight that is gone by nobody who waits for a mail.
            Err(status) if is_refusal(&status) => None,
            Err(status) => return Err(away(&status)),
        };
        self.flights
            .put(id.to_owned(), flight.clone(), Instant::now());
        Ok(flight)
    }

    /// A flight with its airports; none where it has no times.
    async fn complete(&self, flight: FlightMessage) -> Result<Option<Flight>, FlightsUnavailable> {
        let (Ok(departure), Ok(arrival)) = (
            DateTime::parse_from_rfc3339(&flight.departure_local),
            DateTime::parse_from_rfc3339(&flight.arrival_local),
        ) else {
            tracing::error!(
                flight.id = flight.flight_id,
                "search knows no times of a flight"
            );
            return Ok(None);
        };
        Ok(Some(Flight {
            origin: self.airport(&flight.origin).await?,
            destination: self.airport(&flight.destination).await?,
            carrier: flight.carrier,
            number: flight.flight_number,
            departure,
            arrival,
        }))
    }

    async fn airport(&self, code: &str) -> Result<Airport, FlightsUnavailable> {
        if let Some(airport) = self.airports.get(code, Instant::now()) {
            return Ok(airport);
        }
        let request = ListAirportsRequest {
            query: code.to_owned(),
            page_size: BEST_MATCHES,
            page_token: String::new(),
        };
        let found = match self.client.clone().list_airports(request).await {
            Ok(answer) => answer.into_inner().airports,
            Err(status) if is_refusal(&status) => Vec::new(),
            Err(status) => return Err(away(&status)),
        };
        let known = found.into_iter().find(|airport| airport.code == code);
        let airport = match known {
            Some(known) => Airport {
                city: [known.city, known.name, known.code]
                    .into_iter()
                    .find(|name| !name.is_empty())
                    .unwrap_or_default(),
                zone: Some(known.time_zone).filter(|zone| !zone.is_empty()),
                code: code.to_owned(),
            },
            None => Airport {
                code: code.to_owned(),
                city: code.to_owned(),
                zone: None,
            },
        };
        self.airports
            .put(code.to_owned(), airport.clone(), Instant::now());
        Ok(airport)
    }
}

/// Whether search has understood, and there is none.
fn is_refusal(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::NotFound | Code::InvalidArgument | Code::Unimplemented
    )
}

fn away(status: &Status) -> FlightsUnavailable {
    tracing::warn!(%status, "search does not answer");
    FlightsUnavailable
}

impl Flights for Search {
    async fn flights(&self, ids: &[String]) -> Result<Vec<Option<Flight>>, FlightsUnavailable> {
        try_join_all(ids.iter().map(|id| self.flight(id))).await
    }
}
