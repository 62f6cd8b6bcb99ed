//! The service as its contract has it: decode, ask the domain, encode.

mod convert;
mod error;
mod page;
mod request;
mod stream;

use std::{pin::Pin, sync::Arc};

use contracts::search::v1::{
    Departure, Flight, GetFlightRequest, ListAirportsRequest, ListAirportsResponse,
    SearchItinerariesRequest, SearchItinerariesResponse, StreamDeparturesRequest,
    WatchFlightRequest, search_service_server::SearchService,
};
use futures_util::Stream;
use tonic::{Request, Response, Status};

use self::error::not_found;
pub(crate) use self::request::cabin;
use crate::{
    domain::{
        flight_id::FlightId,
        itinerary,
        offer::Offer,
        timetable::{DatedFlight, HORIZON_DAYS, Timetable},
        zone::minute_of,
    },
    state::State,
};

/// Serves [`SearchService`].
pub(crate) struct Grpc(pub(crate) Arc<State>);

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl SearchService for Grpc {
    type StreamDeparturesStream = Answers<Departure>;
    type WatchFlightStream = Answers<Flight>;

    async fn list_airports(
        &self,
        request: Request<ListAirportsRequest>,
    ) -> Result<Response<ListAirportsResponse>, Status> {
        let request = request.into_inner();
        let size = mesh::page::size(request.page_size);
        let fingerprint = page::fingerprint(&ListAirportsRequest {
            page_size: 0,
            page_token: String::new(),
            ..request.clone()
        });
        let after = page::open_airports(&self.0.key, fingerprint, &request.page_token)?;
        let timetable = self.0.timetable.load();
        let mut ranks = self
            .0
            .typeahead
            .find(&request.query, &timetable, after, size + 1);
        let more = ranks.len() > size;
        ranks.truncate(size);
        let next_page_token = ranks
            .last()
            .filter(|_| more)
            .map(|last| page::seal_airports(&self.0.key, fingerprint, *last))
            .unwrap_or_default();
        let airports = ranks
            .iter()
            .map(|rank| convert::airport(timetable.airports(), rank.airport))
            .collect();
        Ok(Response::new(ListAirportsResponse {
            airports,
            next_page_token,
        }))
    }

    async fn search_itineraries(
        &self,
        request: Request<SearchItinerariesRequest>,
    ) -> Result<Response<SearchItinerariesResponse>, Status> {
        let mut request = request.into_inner();
        let (timetable, now) = (self.0.timetable.load(), (self.0.clock)());
        let query = request::query(&request, &timetable, minute_of(now))?;
        let size = mesh::page::size(request.page_size);
        request.origin.make_ascii_uppercase();
        request.destination.make_ascii_uppercase();
        let token = std::mem::take(&mut request.page_token);
        let fingerprint = page::fingerprint(&SearchItinerariesRequest {
            page_size: 0,
            ..request
        });
        let after = page::open_itineraries(&self.0.key, fingerprint, &token)?;
        let mut found = itinerary::search(self.0.market(&timetable, now), &query, after, size + 1);
        let more = found.len() > size;
        found.truncate(size);
        let next_page_token = found
            .last()
            .filter(|_| more)
            .map(|last| page::seal_itineraries(&self.0.key, fingerprint, &last.key))
            .unwrap_or_default();
        let encode = |itinerary| {
            let offer = convert::offer(&self.0.key, &Offer::of(itinerary, &query, &timetable, now));
            convert::itinerary(&timetable, itinerary, query.cabin, offer)
        };
        Ok(Response::new(SearchItinerariesResponse {
            itineraries: found.iter().map(encode).collect(),
            next_page_token,
        }))
    }

    async fn get_flight(
        &self,
        request: Request<GetFlightRequest>,
    ) -> Result<Response<Flight>, Status> {
        let (timetable, now) = (self.0.timetable.load(), (self.0.clock)());
        let flight = find(&timetable, &request.into_inner().flight_id, now)?;
        Ok(Response::new(convert::flight(
            self.0.market(&timetable, now),
            &flight,
        )))
    }

    async fn stream_departures(
        &self,
        request: Request<StreamDeparturesRequest>,
    ) -> Result<Response<Self::StreamDeparturesStream>, Status> {
        let timetable = self.0.timetable.load();
        let (airport, day) = request::board(
            &request.into_inner(),
            &timetable,
            minute_of((self.0.clock)()),
        )?;
        let board = timetable
            .departures(airport, day)
            .iter()
            .map(|flight| convert::departure(&timetable, flight))
            .collect();
        Ok(Response::new(stream::departures(
            board,
            self.0.shutdown.clone(),
        )))
    }

    async fn watch_flight(
        &self,
        request: Request<WatchFlightRequest>,
    ) -> Result<Response<Self::WatchFlightStream>, Status> {
        let id = request.into_inner().flight_id;
        find(&self.0.timetable.load(), &id, (self.0.clock)())?;
        Ok(Response::new(stream::watch(Arc::clone(&self.0), id)))
    }
}

/// The dated flight of that name; those beyond the horizon are not known yet. `now` in seconds.
fn find(timetable: &Timetable, id: &str, now: i64) -> Result<DatedFlight, Status> {
    let known = id
        .parse::<FlightId>()
        .ok()
        .and_then(|id| timetable.find(id));
    let within = |flight: &DatedFlight| {
        let origin = timetable.pattern(flight.pattern).origin;
        flight.day <= request::today(timetable, origin, minute_of(now)).plus(HORIZON_DAYS)
    };
    known.filter(within).ok_or_else(|| not_found(id))
}
