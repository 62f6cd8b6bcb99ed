//! A search service that always says the same, so that only what stands before it is measured.

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;

use anyhow::Result;
use contracts::google::r#type::Money;
use contracts::search::v1::search_service_server::{SearchService, SearchServiceServer};
use contracts::search::v1::{
    Cabin, CabinOffer, Departure, Flight, GetFlightRequest, Itinerary, Leg, LegFlight,
    ListAirportsRequest, ListAirportsResponse, SearchItinerariesRequest, SearchItinerariesResponse,
    StreamDeparturesRequest, WatchFlightRequest,
};
use prost_types::{Duration, Timestamp};
use tonic::codegen::tokio_stream::{self, Stream};
use tonic::{Request, Response, Status};

/// Itineraries of an answer that asks for a full page.
const PAGE: usize = 20;
/// 2026-12-01T15:00:00Z.
const DEPARTURE: i64 = 1_796_137_200;

/// Serves on `port` of the loopback interface until it is killed.
pub(crate) fn serve(port: u16) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let server = tonic::transport::Server::builder()
        .http2_max_pending_accept_reset_streams(Some(1024))
        .add_service(SearchServiceServer::new(Constant::new()))
        .serve(address);
    Ok(runtime.block_on(server)?)
}

struct Constant {
    page: SearchItinerariesResponse,
    single: SearchItinerariesResponse,
    flight: Flight,
}

impl Constant {
    fn new() -> Self {
        let itineraries: Vec<Itinerary> = (0..PAGE).map(itinerary).collect();
        let single = SearchItinerariesResponse {
            itineraries: itineraries[..1].to_vec(),
            next_page_token: String::new(),
        };
        let page = SearchItinerariesResponse {
            itineraries,
            next_page_token: "x".repeat(64),
        };
        Self {
            page,
            single,
            flight: flight(),
        }
    }
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl SearchService for Constant {
    type StreamDeparturesStream = Answers<Departure>;
    type WatchFlightStream = Answers<Flight>;

    async fn list_airports(
        &self,
        _: Request<ListAirportsRequest>,
    ) -> Result<Response<ListAirportsResponse>, Status> {
        Ok(Response::new(ListAirportsResponse::default()))
    }

    async fn search_itineraries(
        &self,
        request: Request<SearchItinerariesRequest>,
    ) -> Result<Response<SearchItinerariesResponse>, Status> {
        let answer = if request.get_ref().page_size == 1 {
            &self.single
        } else {
            &self.page
        };
        Ok(Response::new(answer.clone()))
    }

    async fn get_flight(&self, _: Request<GetFlightRequest>) -> Result<Response<Flight>, Status> {
        Ok(Response::new(self.flight.clone()))
    }

    async fn stream_departures(
        &self,
        _: Request<StreamDeparturesRequest>,
    ) -> Result<Response<Self::StreamDeparturesStream>, Status> {
        Ok(Response::new(Box::pin(tokio_stream::empty())))
    }

    async fn watch_flight(
        &self,
        _: Request<WatchFlightRequest>,
    ) -> Result<Response<Self::WatchFlightStream>, Status> {
        Ok(Response::new(Box::pin(tokio_stream::empty())))
    }
}

fn at(minutes: i64) -> Timestamp {
    Timestamp {
        seconds: DEPARTURE + minutes * 60,
        nanos: 0,
    }
}

fn usd(units: i64, nanos: i32) -> Money {
    Money {
        currency_code: "USD".into(),
        units,
        nanos,
    }
}

/// One non-stop flight, fourteen values: the measured answer of the published comparison had as many.
fn itinerary(n: usize) -> Itinerary {
    let n = i64::try_from(n).unwrap_or_default();
    let flight = LegFlight {
        flight_id: format!("AS{}-2026-12-01-JFK", 21 + n),
        carrier: "AS".into(),
        flight_number: 21,
        origin: "JFK".into(),
        destination: "SEA".into(),
        departure_time: Some(at(n)),
        arrival_time: Some(at(n + 375)),
        departure_local: "2026-12-01T10:00:00-05:00".into(),
        arrival_local: "2026-12-01T13:15:00-08:00".into(),
        cabin: Cabin::Economy.into(),
        seats_left: Some(112),
    };
    Itinerary {
        offer_id: "b2ZmZXJzIGFyZSBvcGFxdWUgYW5kIGFib3V0IHRoaXMgbG9uZyBpbiBwcmFjdGljZSE".into(),
        stops: Some(0),
        duration: Some(Duration {
            seconds: 22_500,
            nanos: 0,
        }),
        total_price: Some(usd(412 + n, 500_000_000)),
        legs: vec![Leg {
            flights: vec![flight],
        }],
    }
}

fn flight() -> Flight {
    let economy = CabinOffer {
        cabin: Cabin::Economy.into(),
        seats: 150,
        seats_left: Some(112),
        fare: Some(usd(206, 250_000_000)),
    };
    Flight {
        flight_id: "AS21-2026-12-01-JFK".into(),
        carrier: "AS".into(),
        flight_number: 21,
        origin: "JFK".into(),
        destination: "SEA".into(),
        departure_time: Some(at(0)),
        arrival_time: Some(at(375)),
        departure_local: "2026-12-01T10:00:00-05:00".into(),
        arrival_local: "2026-12-01T13:15:00-08:00".into(),
        duration: Some(Duration {
            seconds: 22_500,
            nanos: 0,
        }),
        distance_km: 3893,
        cabins: vec![economy],
    }
}
