//! A replica of mail with everything around it: a scripted search, the queue, a mail server.

use std::{
    collections::HashSet,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use contracts::{
    google::r#type::Money,
    mail::v1::{
        GetMailRequest, ListMailsRequest, MAIL_SERVICE, Mail, MailState,
        mail_service_client::MailServiceClient,
    },
    orchestration::v1::{Passenger, Trip, TripBooking, TripEvent, TripEventKind},
    search::v1::{
        Airport, Cabin, Departure, Flight, GetFlightRequest, ListAirportsRequest,
        ListAirportsResponse, SEARCH_SERVICE, SearchItinerariesRequest, SearchItinerariesResponse,
        StreamDeparturesRequest, WatchFlightRequest,
        search_service_server::{SearchService, SearchServiceServer},
    },
};
use durable::queue::{AnyQueue, NewMessage, Queue};
use futures_util::Stream;
use mail::{Config, TOPIC, domain::retry::Schedule};
use mesh::{
    auth::{Auth, Caller, User},
    client::{Channel, Config as ClientConfig, Endpoints},
    seal::Key,
    server::{Config as ServerConfig, Server},
    status::{Fault, Kind},
};
use prost::Message;
use tempfile::TempDir;
use testing::smtp::SmtpSink;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Request, Response, Status, metadata::MetadataMap};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_mins(1);

/// Where mails in these tests come from, as Message-IDs have it.
const DOMAIN: &str = "skyway.local";

/// All that replicas of mail share, and nothing that serves yet.
pub(crate) struct World {
    pub(crate) sink: SmtpSink,
    pub(crate) queue: AnyQueue,
    pub(crate) directory: TempDir,
    /// Whether search answers.
    pub(crate) search_is_up: Arc<AtomicBool>,
    search: Endpoints,
    _stop: DropGuard,
}

/// One replica; it ends when it is dropped.
pub(crate) struct Replica {
    /// Its port, for a caller of the mesh.
    pub(crate) client: MailServiceClient<Channel>,
    pub(crate) endpoints: Endpoints,
    pub(crate) shutdown: CancellationToken,
    pub(crate) served: JoinHandle<Result<(), mail::ServeError>>,
    _stop: DropGuard,
}

pub(crate) fn auth() -> Auth {
    Auth::new(Key::new([1; 32]))
}

pub(crate) async fn listen() -> (TcpListener, Endpoints) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoints = format!("static://{}", listener.local_addr().unwrap());
    (listener, endpoints.parse().unwrap())
}

impl World {
    pub(crate) async fn start() -> Self {
        let shutdown = CancellationToken::new();
        let (listener, search) = listen().await;
        let search_is_up = Arc::new(AtomicBool::new(true));
        let timetable = Timetable(Arc::clone(&search_is_up));
        let server = Server::new(ServerConfig::new("search"))
            .add(SearchServiceServer::new(timetable), &SEARCH_SERVICE);
        tokio::spawn(server.serve(listener, shutdown.clone()));
        let directory = TempDir::new().unwrap();
        Self {
            sink: SmtpSink::start().await,
            queue: queue(&directory).await,
            directory,
            search_is_up,
            search,
            _stop: shutdown.drop_guard(),
        }
    }

    /// A replica whose configuration has been changed a little: by itself it is fast, and retries soon.
    pub(crate) async fn replica(&self, change: impl FnOnce(&mut Config)) -> Replica {
        let (listener, endpoints) = listen().await;
        let mut config = Config::new(self.directory.path(), self.search.clone());
        config.server.auth = Some(auth());
        config.smtp_url = Some(self.sink.url());
        config.rate = 1_000.0;
        config.retry = Schedule {
            tries: 8,
            first: Duration::from_millis(5),
            most: Duration::from_millis(50),
        };
        change(&mut config);
        let shutdown = CancellationToken::new();
        let served = tokio::spawn(mail::serve(config, listener, shutdown.clone()));
        let client = ClientConfig {
            patience: Duration::from_secs(20),
            ..ClientConfig::new(endpoints.clone())
        };
        let client = client.signed(auth().signer("orchestration"));
        Replica {
            client: MailServiceClient::new(Channel::connect(&MAIL_SERVICE, client)),
            endpoints,
            served,
            _stop: shutdown.clone().drop_guard(),
            shutdown,
        }
    }

    /// Orders a mail for each of these trips.
    pub(crate) async fn order(&self, trips: &[&str]) {
        let messages: Vec<_> = trips.iter().map(|trip| confirmed(trip)).collect();
        self.queue.publish(&messages).await.unwrap();
    }

    /// The queue's database.
    pub(crate) fn queue_url(&self) -> String {
        durable::sqlite_url(&self.directory.path().join("queue.db"))
    }
}

async fn queue(directory: &TempDir) -> AnyQueue {
    let url = durable::sqlite_url(&directory.path().join("queue.db"));
    durable::queue::open(&url, TOPIC, "TEST_QUEUE_URL")
        .await
        .unwrap()
}

impl Replica {
    /// How a mail is, as the mesh sees it; none where it is not recorded.
    pub(crate) async fn mail(&self, id: &str) -> Option<Mail> {
        let request = GetMailRequest {
            mail_id: id.to_owned(),
        };
        let answer = self.client.clone().get_mail(request).await;
        answer.ok().map(Response::into_inner)
    }

    /// All mails, as an administrator sees them.
    pub(crate) async fn mails(&self) -> Result<Vec<Mail>, Status> {
        let request = by("root", true, "ListMails", ListMailsRequest::default());
        let answer = self.client.clone().list_mails(request).await?;
        Ok(answer.into_inner().mails)
    }

    /// Waits until a mail is in a state, and gives it.
    pub(crate) async fn wait_for(&self, id: &str, state: MailState) -> Mail {
        let started = Instant::now();
        loop {
            let mail = self.mail(id).await;
            if let Some(mail) = mail.clone().filter(|mail| mail.state() == state) {
                return mail;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "{id} is not {state:?}: {mail:?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Stops it, and waits until it has drained.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.served.await.unwrap().unwrap();
    }
}

/// Waits until something holds.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A request by a user.
pub(crate) fn by<T>(user: &str, admin: bool, method: &str, message: T) -> Request<T> {
    let caller = Caller::User(User {
        id: user.to_owned(),
        session: "s".to_owned(),
        admin,
    });
    let path = format!("/skyway.mail.v1.MailService/{method}");
    let mut headers = http::HeaderMap::new();
    auth().sign(&mut headers, &path, Some(&caller), None);
    Request::from_parts(
        MetadataMap::from_headers(headers),
        tonic::Extensions::default(),
        message,
    )
}

pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// The Message-ID of a trip's confirmation.
pub(crate) fn message_id(trip: &str) -> String {
    format!("<{trip}-confirmed@{DOMAIN}>")
}

/// What orders the confirmation of a trip.
pub(crate) fn confirmed(trip: &str) -> NewMessage {
    to(trip, "ada@example.com")
}

/// The same, to this address.
pub(crate) fn to(trip: &str, recipient: &str) -> NewMessage {
    let event = TripEvent {
        kind: TripEventKind::Confirmed.into(),
        user_id: "ada".to_owned(),
        trip: Some(Trip {
            trip_id: trip.to_owned(),
            bookings: vec![TripBooking {
                locator: "K7QXPL".to_owned(),
                flight_id: "AS21-2026-12-01-JFK".to_owned(),
                seats: 2,
                ..TripBooking::default()
            }],
            total_price: Some(Money {
                currency_code: "USD".to_owned(),
                units: 412,
                nanos: 500_000_000,
            }),
            cabin: Cabin::Economy.into(),
            passengers: vec![Passenger {
                given_name: "Ada".to_owned(),
                family_name: "Lovelace".to_owned(),
            }],
            contact_email: recipient.to_owned(),
            ..Trip::default()
        }),
    };
    message(&format!("{trip}-confirmed"), event.encode_to_vec())
}

pub(crate) fn message(id: &str, payload: Vec<u8>) -> NewMessage {
    NewMessage {
        id: id.to_owned(),
        payload,
        trace_parent: None,
        enqueued: now(),
    }
}

/// One flight from New York to Seattle, on any day; those whose name begins with GONE there are none.
struct Timetable(Arc<AtomicBool>);

type Lines<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Timetable {
    fn check(&self) -> Result<(), Status> {
        if self.0.load(Ordering::Relaxed) {
            Ok(())
        } else {
            Err(Status::unavailable("scripted"))
        }
    }
}

#[tonic::async_trait]
impl SearchService for Timetable {
    type StreamDeparturesStream = Lines<Departure>;
    type WatchFlightStream = Lines<Flight>;

    async fn get_flight(
        &self,
        request: Request<GetFlightRequest>,
    ) -> Result<Response<Flight>, Status> {
        self.check()?;
        let flight_id = request.into_inner().flight_id;
        if flight_id.starts_with("GONE") {
            return Err(Fault::new(Kind::NotFound, "FLIGHT_NOT_FOUND", "none").into());
        }
        Ok(Response::new(Flight {
            flight_id,
            carrier: "AS".to_owned(),
            flight_number: 21,
            origin: "JFK".to_owned(),
            destination: "SEA".to_owned(),
            departure_local: "2026-12-01T10:00:00-05:00".to_owned(),
            arrival_local: "2026-12-01T13:15:00-08:00".to_owned(),
            ..Flight::default()
        }))
    }

    async fn list_airports(
        &self,
        request: Request<ListAirportsRequest>,
    ) -> Result<Response<ListAirportsResponse>, Status> {
        self.check()?;
        let airport = |code: &str, city: &str, time_zone: &str| Airport {
            code: code.to_owned(),
            city: city.to_owned(),
            time_zone: time_zone.to_owned(),
            ..Airport::default()
        };
        let query = request.into_inner().query;
        let airports = [
            airport("JFK", "New York", "America/New_York"),
            airport("SEA", "Seattle", "America/Los_Angeles"),
        ];
        Ok(Response::new(ListAirportsResponse {
            airports: airports
                .into_iter()
                .filter(|airport| airport.code == query)
                .collect(),
            next_page_token: String::new(),
        }))
    }

    async fn search_itineraries(
        &self,
        _: Request<SearchItinerariesRequest>,
    ) -> Result<Response<SearchItinerariesResponse>, Status> {
        Err(Status::unimplemented("scripted"))
    }

    async fn stream_departures(
        &self,
        _: Request<StreamDeparturesRequest>,
    ) -> Result<Response<Self::StreamDeparturesStream>, Status> {
        Err(Status::unimplemented("scripted"))
    }

    async fn watch_flight(
        &self,
        _: Request<WatchFlightRequest>,
    ) -> Result<Response<Self::WatchFlightStream>, Status> {
        Err(Status::unimplemented("scripted"))
    }
}

/// So many trips.
pub(crate) fn trips(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("t-{number:04}")).collect()
}

/// Every one of these trips got its mail, and none two.
pub(crate) fn assert_each_once(world: &World, trips: &[String]) {
    let counts = world.sink.counts();
    let twice: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let came: HashSet<_> = counts.into_keys().collect();
    let wanted: HashSet<_> = trips.iter().map(|trip| message_id(trip)).collect();
    assert_eq!(came, wanted);
}
