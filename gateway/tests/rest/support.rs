//! A gateway on a free port, the service behind it, and a client that hides nothing.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use contracts::search::v1::search_service_server::{SearchService, SearchServiceServer};
use contracts::search::v1::{
    Airport, CabinOffer, Departure, Flight, GetFlightRequest, Itinerary, ListAirportsRequest,
    ListAirportsResponse, SearchItinerariesRequest, SearchItinerariesResponse,
    StreamDeparturesRequest, WatchFlightRequest,
};
use futures_util::{Stream, stream};
use gateway::Config;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use mesh::client::Endpoints;
use mesh::status::{Fault, Kind};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

/// Nothing here may take longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A search service that does what the request's text tells it to.
#[derive(Clone)]
pub(crate) struct Script {
    /// Calls that are open now.
    open: Arc<watch::Sender<usize>>,
    metadata: Arc<watch::Sender<HeaderMap>>,
}

struct Open(Arc<watch::Sender<usize>>);

impl Open {
    fn new(open: &Arc<watch::Sender<usize>>) -> Self {
        open.send_modify(|open| *open += 1);
        Self(open.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl SearchService for Script {
    async fn list_airports(
        &self,
        request: tonic::Request<ListAirportsRequest>,
    ) -> Result<tonic::Response<ListAirportsResponse>, Status> {
        self.metadata
            .send_replace(request.metadata().clone().into_headers());
        let request = request.into_inner();
        let airport = Airport {
            name: request.query,
            city: request.page_token,
            ..Airport::default()
        };
        let next_page_token = request.page_size.to_string();
        Ok(tonic::Response::new(ListAirportsResponse {
            airports: vec![airport],
            next_page_token,
        }))
    }

    async fn search_itineraries(
        &self,
        request: tonic::Request<SearchItinerariesRequest>,
    ) -> Result<tonic::Response<SearchItinerariesResponse>, Status> {
        let request = request.into_inner();
        if request.departure_date.as_str() < "2020" {
            return Err(Fault::new(
                Kind::InvalidArgument,
                "DATE_PAST",
                "departure_date is in the past",
            )
            .violation("departure_date", "must be today or later")
            .into());
        }
        let itinerary = Itinerary {
            offer_id: format!("{request:?}"),
            stops: Some(0),
            duration: Some(prost_types::Duration {
                seconds: 22500,
                nanos: 0,
            }),
            ..Itinerary::default()
        };
        Ok(tonic::Response::new(SearchItinerariesResponse {
            itineraries: vec![itinerary],
            next_page_token: String::new(),
        }))
    }

    async fn get_flight(
        &self,
        request: tonic::Request<GetFlightRequest>,
    ) -> Result<tonic::Response<Flight>, Status> {
        let _open = Open::new(&self.open);
        let flight_id = request.into_inner().flight_id;
        match flight_id.as_str() {
            "NOPE" => Err(
                Fault::new(Kind::NotFound, "FLIGHT_NOT_FOUND", "no flight NOPE")
                    .with("flightId", "NOPE")
                    .into(),
            ),
            "INTERNAL" => Err(Status::internal("secret of the inside")),
            "BUSY" => Err(
                Fault::new(Kind::ResourceExhausted, "BUSY", "too many searches")
                    .retry_after(Duration::from_millis(2500))
                    .into(),
            ),
            "SLOW" => std::future::pending().await,
            _ => {
                let cabin = CabinOffer {
                    cabin: 1,
                    seats: 100,
                    seats_left: Some(0),
                    fare: None,
                };
                let cabins = vec![cabin; if flight_id == "BIG" { 100 } else { 0 }];
                Ok(tonic::Response::new(Flight {
                    flight_id,
                    cabins,
                    ..Flight::default()
                }))
            }
        }
    }

    type StreamDeparturesStream = Answers<Departure>;

    async fn stream_departures(
        &self,
        request: tonic::Request<StreamDeparturesRequest>,
    ) -> Result<tonic::Response<Answers<Departure>>, Status> {
        let departures = |count: u32| {
            let numbers = 1..=count;
            stream::iter(numbers.map(|n| {
                Ok(Departure {
                    flight_number: n,
                    ..Departure::default()
                })
            }))
        };
        let failure = || Err(Fault::new(Kind::Aborted, "CHANGED", "the timetable changed").into());
        Ok(tonic::Response::new(
            match request.into_inner().airport.as_str() {
                "NON" => Box::pin(departures(0)),
                "ERR" => return Err(Status::not_found("no such airport")),
                "ONE" => Box::pin(stream::iter([failure()])),
                "MID" => Box::pin(departures(2).chain(stream::iter([failure()]))),
                "BIG" => Box::pin(departures(10_001)),
                _ => Box::pin(departures(3)),
            },
        ))
    }

    type WatchFlightStream = Answers<Flight>;

    async fn watch_flight(
        &self,
        request: tonic::Request<WatchFlightRequest>,
    ) -> Result<tonic::Response<Answers<Flight>>, Status> {
        let open = Open::new(&self.open);
        let flight_id = request.into_inner().flight_id;
        let quiet = flight_id == "QUIET";
        let flights = stream::iter([Ok(Flight {
            flight_id,
            ..Flight::default()
        })]);
        let endless = stream::pending().map(move |never| {
            let _ = &open;
            never
        });
        Ok(tonic::Response::new(if quiet {
            Box::pin(endless)
        } else {
            Box::pin(flights.chain(endless))
        }))
    }
}

/// A running gateway and the service behind it.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    pub(crate) served: tokio::task::JoinHandle<Result<(), gateway::ServeError>>,
    pub(crate) open: watch::Receiver<usize>,
    pub(crate) metadata: watch::Receiver<HeaderMap>,
}

/// Starts a gateway with a service behind it.
pub(crate) async fn start() -> Gateway {
    start_with(|_| ()).await
}

/// Starts a gateway whose configuration is changed by `change`.
pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Gateway {
    let script = Script {
        open: Arc::default(),
        metadata: Arc::default(),
    };
    let (open, metadata) = (script.open.subscribe(), script.metadata.subscribe());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = listener.local_addr().unwrap();
    let service = tonic::transport::Server::builder()
        .add_service(SearchServiceServer::new(script))
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(service);
    let gateway = start_before(upstream, change, open, metadata).await;
    while gateway.get("/readyz").await.status != StatusCode::OK {
        tokio::task::yield_now().await;
    }
    gateway
}

/// Starts a gateway before `upstream`, where nobody need listen.
pub(crate) async fn start_before(
    upstream: SocketAddr,
    change: impl FnOnce(&mut Config),
    open: watch::Receiver<usize>,
    metadata: watch::Receiver<HeaderMap>,
) -> Gateway {
    // Whatever the area: only what a test calls need be there.
    let endpoints: Endpoints = format!("static://{upstream}").parse().unwrap();
    let areas = ["booking", "identity", "mail", "orchestration", "search"];
    let everywhere = areas.map(|area| (area.to_owned(), endpoints.clone()));
    let mut config = Config::new(BTreeMap::from(everywhere));
    change(&mut config);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let admin = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let admin_address = admin.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let served = tokio::spawn(gateway::serve(
        config,
        listener,
        Some(admin),
        shutdown.clone(),
    ));
    Gateway {
        address,
        admin: admin_address,
        shutdown,
        served,
        open,
        metadata,
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        assert_eq!(self.headers["content-type"], "application/json");
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    /// Checks that this is an error as AIP-193 wants it, and gives its reason and message.
    #[track_caller]
    pub(crate) fn error(&self) -> (u16, String, String) {
        let error = &self.json()["error"];
        assert_eq!(error["code"], self.status.as_u16());
        let details = error["details"].as_array().unwrap();
        let info = details
            .iter()
            .find(|detail| detail["@type"] == "type.googleapis.com/google.rpc.ErrorInfo");
        let info = info.unwrap_or_else(|| panic!("no ErrorInfo: {error}"));
        assert_eq!(info["domain"], "skyway");
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        (
            self.status.as_u16(),
            text(&info["reason"]),
            text(&error["message"]),
        )
    }

    /// The fields that the error names.
    pub(crate) fn fields(&self) -> Vec<String> {
        let json = self.json();
        let details = json["error"]["details"].as_array().unwrap();
        let violations = details
            .iter()
            .filter_map(|detail| detail["fieldViolations"].as_array());
        violations
            .flatten()
            .map(|violation| violation["field"].as_str().unwrap().to_owned())
            .collect()
    }
}

impl Gateway {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body("").unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        let request = Request::post(path).header("content-type", "application/json");
        self.send(request.body(body).unwrap()).await
    }

    pub(crate) async fn send(&self, request: Request<&str>) -> Answer {
        send_to(self.address, request).await
    }

    /// Sends a request and gives the answer before its body has been read.
    pub(crate) async fn open(&self, request: Request<&str>) -> Response<Incoming> {
        open(self.address, request).await
    }
}

pub(crate) async fn send_to(address: SocketAddr, request: Request<&str>) -> Answer {
    let (head, body) = open(address, request).await.into_parts();
    let body = tokio::time::timeout(PATIENCE, body.collect())
        .await
        .unwrap()
        .unwrap()
        .to_bytes();
    Answer {
        status: head.status,
        headers: head.headers,
        body,
    }
}

async fn open(address: SocketAddr, request: Request<&str>) -> Response<Incoming> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut request = request.map(|body| Full::new(Bytes::copy_from_slice(body.as_bytes())));
    request
        .headers_mut()
        .insert("host", "localhost".parse().unwrap());
    tokio::time::timeout(PATIENCE, sender.send_request(request))
        .await
        .unwrap()
        .unwrap()
}
