//! Search, booking and mail as far as a trip needs them, and a replica of orchestration between them.

use std::{
    collections::{HashMap, HashSet},
    pin::Pin,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use contracts::{
    booking::v1::{
        BOOKING_SERVICE, Booking, BookingState, CancelBookingRequest, CancelBookingResponse,
        ConfirmBookingRequest, ConfirmBookingResponse, GetBookingRequest, HoldSeatsRequest,
        ListBookingsRequest, ListBookingsResponse, ListTripBookingsRequest,
        ListTripBookingsResponse, ReleaseHoldRequest, ReleaseHoldResponse, StreamInventoryRequest,
        StreamInventoryResponse,
        booking_service_server::{BookingService, BookingServiceServer},
    },
    google::r#type::Money,
    mail::v1::{
        GetMailRequest, GetQueueRequest, ListDeadLettersRequest, ListDeadLettersResponse,
        ListMailsRequest, ListMailsResponse, ListSettledMailsRequest, ListSettledMailsResponse,
        ListTripMailsRequest, ListTripMailsResponse, MAIL_SERVICE, Mail, MailQueue,
        RedriveDeadLetterRequest, RedriveDeadLetterResponse,
        mail_service_server::{MailService, MailServiceServer},
    },
    operations::v1::{
        AUDIT_SERVICE, CRON_SERVICE, audit_service_client::AuditServiceClient,
        cron_service_client::CronServiceClient,
    },
    orchestration::v1::{
        BookTripRequest, Passenger, TRIP_SERVICE, Trip, trip_service_client::TripServiceClient,
    },
    search::v1::{
        Cabin, Departure, Flight, GetFlightRequest, ListAirportsRequest, ListAirportsResponse,
        OfferClaims, SEARCH_SERVICE, SearchItinerariesRequest, SearchItinerariesResponse,
        StreamDeparturesRequest, WatchFlightRequest,
        search_service_server::{SearchService, SearchServiceServer},
    },
};
use futures_util::Stream;
use mesh::{
    auth::{Auth, Caller, User},
    client::{Channel, Config as ClientConfig, Endpoints},
    seal::Key,
    server::{Config as ServerConfig, Server},
    status::{Fault, Kind},
};
use orchestration::Config;
use prost::Message;
use prost_types::Timestamp;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Request, Response, Status, metadata::MetadataMap};

const OFFER_KEY: Key = Key::new([7; 32]);

type Never<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Everything that a test talks to; ends when it is dropped.
pub(crate) struct World {
    pub(crate) trips: TripServiceClient<Channel>,
    /// Signed as another service of the mesh.
    pub(crate) audit: AuditServiceClient<Channel>,
    /// Likewise.
    pub(crate) cron: CronServiceClient<Channel>,
    pub(crate) bookings: Bookings,
    pub(crate) mails: Mails,
    pub(crate) shutdown: CancellationToken,
    pub(crate) served: tokio::task::JoinHandle<Result<(), orchestration::ServeError>>,
    auth: Auth,
    pub(crate) directory: tempfile::TempDir,
    _stop: DropGuard,
}

/// Booking: any number of seats, but none on flights whose name begins with FULL.
#[derive(Clone, Default)]
pub(crate) struct Bookings(Arc<Mutex<HashMap<String, Booking>>>);

struct Flights;

/// Mail: knows the mails that a test has put in, and those that it has settled.
#[derive(Clone, Default)]
pub(crate) struct Mails(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    mails: Vec<Mail>,
    settled: HashSet<String>,
    away: bool,
}

fn auth() -> Auth {
    Auth::new(Key::new([1; 32]))
}

async fn bind() -> (TcpListener, Endpoints) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, format!("static://{address}").parse().unwrap())
}

fn server(name: &'static str) -> ServerConfig {
    ServerConfig {
        auth: Some(auth()),
        ..ServerConfig::new(name)
    }
}

fn client(endpoints: Endpoints) -> ClientConfig {
    ClientConfig {
        patience: Duration::from_mins(1),
        ..ClientConfig::new(endpoints)
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        let (bookings, mails) = (Bookings::default(), Mails::default());
        let shutdown = CancellationToken::new();
        let (listener, search) = bind().await;
        let flights =
            Server::new(server("search")).add(SearchServiceServer::new(Flights), &SEARCH_SERVICE);
        tokio::spawn(flights.serve(listener, shutdown.clone()));
        let (listener, booking) = bind().await;
        let seats = Server::new(server("booking")).add(
            BookingServiceServer::new(bookings.clone()),
            &BOOKING_SERVICE,
        );
        tokio::spawn(seats.serve(listener, shutdown.clone()));

        let (listener, mail) = bind().await;
        let sender =
            Server::new(server("mail")).add(MailServiceServer::new(mails.clone()), &MAIL_SERVICE);
        tokio::spawn(sender.serve(listener, shutdown.clone()));

        let directory = tempfile::tempdir().unwrap();
        let (listener, endpoints) = bind().await;
        let config = Config {
            offer_key: Some(OFFER_KEY),
            mail: Some(mail),
            server: server("orchestration"),
            ..Config::new(directory.path(), search, booking)
        };
        // A token of its own, so that the others outlive it.
        let stopped = shutdown.child_token();
        let served = tokio::spawn(orchestration::serve(config, listener, stopped.clone()));
        let channel = Channel::connect(&TRIP_SERVICE, client(endpoints.clone()));
        let signed = client(endpoints).signed(auth().signer("skyway"));
        Self {
            trips: TripServiceClient::new(channel),
            audit: AuditServiceClient::new(Channel::connect(&AUDIT_SERVICE, signed.clone())),
            cron: CronServiceClient::new(Channel::connect(&CRON_SERVICE, signed)),
            bookings,
            mails,
            shutdown: stopped,
            served,
            auth: auth(),
            directory,
            _stop: shutdown.drop_guard(),
        }
    }

    /// A call of a method of trips as a user makes it.
    pub(crate) fn by<T>(&self, user: &str, method: &str, message: T) -> Request<T> {
        self.by_path(user, &format!("/{}/{method}", TRIP_SERVICE.name), message)
    }

    /// A call of any method as a user makes it.
    pub(crate) fn by_path<T>(&self, user: &str, path: &str, message: T) -> Request<T> {
        let caller = Caller::User(User {
            id: user.to_owned(),
            session: "session".to_owned(),
            admin: user == "admin",
        });
        let mut request = Request::new(message);
        let mut headers = tonic::codegen::http::HeaderMap::new();
        self.auth.sign(&mut headers, path, Some(&caller), None);
        *request.metadata_mut() = MetadataMap::from_headers(headers);
        request
    }

    /// Ada books.
    pub(crate) async fn book(&mut self, order: BookTripRequest) -> Result<Trip, Status> {
        let request = self.by("ada", "BookTrip", order);
        self.trips
            .book_trip(request)
            .await
            .map(Response::into_inner)
    }
}

/// An instant, so many seconds from now.
pub(crate) fn in_seconds(seconds: i64) -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp {
        seconds: i64::try_from(now.as_secs()).unwrap() + seconds,
        nanos: 0,
    }
}

/// What search promises for two people on these flights, from now on for a quarter of an hour.
pub(crate) fn claims(flights: &[&str]) -> OfferClaims {
    OfferClaims {
        flight_ids: flights.iter().map(ToString::to_string).collect(),
        first_leg_flights: 1,
        cabin: Cabin::Economy.into(),
        passengers: 2,
        total_price: Some(Money {
            currency_code: "USD".to_owned(),
            units: 412,
            nanos: 500_000_000,
        }),
        expire_time: Some(in_seconds(900)),
        departure_time: Some(in_seconds(86_400)),
    }
}

/// Asks for two seats of what was promised, under a key.
pub(crate) fn order(claims: &OfferClaims, key: &str) -> BookTripRequest {
    let passenger = |given: &str| Passenger {
        given_name: given.to_owned(),
        family_name: "Lovelace".to_owned(),
    };
    BookTripRequest {
        offer_id: OFFER_KEY.seal("offer", &claims.encode_to_vec()),
        contact_email: "ada@example.com".to_owned(),
        passengers: vec![passenger("Ada"), passenger("Anne")],
        request_id: key.to_owned(),
    }
}

impl Bookings {
    /// How many there are in that state.
    pub(crate) fn count(&self, state: BookingState) -> usize {
        let bookings = self.0.lock().unwrap();
        bookings
            .values()
            .filter(|booking| booking.state() == state)
            .count()
    }

    /// Moves bookings as if by somebody else.
    pub(crate) fn set_all(&self, ids: &[String], state: BookingState) -> Vec<Booking> {
        let mut bookings = self.0.lock().unwrap();
        ids.iter()
            .filter_map(|id| {
                let booking = bookings.get_mut(id)?;
                booking.set_state(state);
                Some(booking.clone())
            })
            .collect()
    }
}

impl Mails {
    /// Makes a mail known.
    pub(crate) fn put(&self, mail: Mail) {
        self.0.lock().unwrap().mails.push(mail);
    }

    /// Records a mail, so that it needs no queue any more.
    pub(crate) fn settle(&self, mail_id: &str) {
        self.0.lock().unwrap().settled.insert(mail_id.to_owned());
    }

    /// From now on no call is answered.
    pub(crate) fn go_away(&self) {
        self.0.lock().unwrap().away = true;
    }
}

#[tonic::async_trait]
impl MailService for Mails {
    async fn list_trip_mails(
        &self,
        request: Request<ListTripMailsRequest>,
    ) -> Result<Response<ListTripMailsResponse>, Status> {
        let known = self.0.lock().unwrap();
        if known.away {
            return Err(Status::unavailable("mail is away"));
        }
        let mut mails = known.mails.clone();
        mails.retain(|mail| mail.trip_id == request.get_ref().trip_id);
        Ok(Response::new(ListTripMailsResponse { mails }))
    }

    async fn list_settled_mails(
        &self,
        request: Request<ListSettledMailsRequest>,
    ) -> Result<Response<ListSettledMailsResponse>, Status> {
        let known = self.0.lock().unwrap();
        let mut mail_ids = request.into_inner().mail_ids;
        mail_ids.retain(|id| known.settled.contains(id));
        Ok(Response::new(ListSettledMailsResponse { mail_ids }))
    }

    async fn list_mails(
        &self,
        _: Request<ListMailsRequest>,
    ) -> Result<Response<ListMailsResponse>, Status> {
        Err(Status::unimplemented("not part of a trip"))
    }

    async fn get_mail(&self, _: Request<GetMailRequest>) -> Result<Response<Mail>, Status> {
        Err(Status::unimplemented("not part of a trip"))
    }

    async fn get_queue(&self, _: Request<GetQueueRequest>) -> Result<Response<MailQueue>, Status> {
        Err(Status::unimplemented("not part of a trip"))
    }

    async fn list_dead_letters(
        &self,
        _: Request<ListDeadLettersRequest>,
    ) -> Result<Response<ListDeadLettersResponse>, Status> {
        Err(Status::unimplemented("not part of a trip"))
    }

    async fn redrive_dead_letter(
        &self,
        _: Request<RedriveDeadLetterRequest>,
    ) -> Result<Response<RedriveDeadLetterResponse>, Status> {
        Err(Status::unimplemented("not part of a trip"))
    }
}

#[tonic::async_trait]
impl BookingService for Bookings {
    type StreamInventoryStream = Never<StreamInventoryResponse>;

    async fn hold_seats(
        &self,
        request: Request<HoldSeatsRequest>,
    ) -> Result<Response<Booking>, Status> {
        let hold = request.into_inner();
        if hold.flight_id.starts_with("FULL") {
            let message = format!("no seats left on {}", hold.flight_id);
            return Err(Fault::new(Kind::FailedPrecondition, "SOLD_OUT", message).into());
        }
        let mut bookings = self.0.lock().unwrap();
        let locator = format!("L{:05}", bookings.len());
        let booking = bookings.entry(hold.hold_id.clone()).or_insert(Booking {
            booking_id: hold.hold_id,
            locator,
            flight_id: hold.flight_id,
            cabin: hold.cabin,
            seats: hold.seats,
            state: BookingState::Held.into(),
            trip_id: hold.trip_id,
            ..Booking::default()
        });
        Ok(Response::new(booking.clone()))
    }

    async fn confirm_booking(
        &self,
        request: Request<ConfirmBookingRequest>,
    ) -> Result<Response<ConfirmBookingResponse>, Status> {
        let ids = request.into_inner().booking_ids;
        let bookings = self.set_all(&ids, BookingState::Confirmed);
        Ok(Response::new(ConfirmBookingResponse { bookings }))
    }

    async fn release_hold(
        &self,
        request: Request<ReleaseHoldRequest>,
    ) -> Result<Response<ReleaseHoldResponse>, Status> {
        self.set_all(&request.into_inner().booking_ids, BookingState::Released);
        Ok(Response::new(ReleaseHoldResponse {}))
    }

    async fn cancel_booking(
        &self,
        request: Request<CancelBookingRequest>,
    ) -> Result<Response<CancelBookingResponse>, Status> {
        let ids = request.into_inner().booking_ids;
        let bookings = self.set_all(&ids, BookingState::Cancelled);
        Ok(Response::new(CancelBookingResponse { bookings }))
    }

    async fn get_booking(
        &self,
        _: Request<GetBookingRequest>,
    ) -> Result<Response<Booking>, Status> {
        Err(Status::unimplemented("not part of a trip"))
    }

    async fn list_bookings(
        &self,
        _: Request<ListBookingsRequest>,
    ) -> Result<Response<ListBookingsResponse>, Status> {
        Err(Status::unimplemented("not part of a trip"))
    }

    async fn list_trip_bookings(
        &self,
        request: Request<ListTripBookingsRequest>,
    ) -> Result<Response<ListTripBookingsResponse>, Status> {
        let trips = request.into_inner().trip_ids;
        let bookings = self.0.lock().unwrap();
        let of_trips = bookings
            .values()
            .filter(|booking| trips.contains(&booking.trip_id));
        Ok(Response::new(ListTripBookingsResponse {
            bookings: of_trips.cloned().collect(),
        }))
    }

    async fn stream_inventory(
        &self,
        _: Request<StreamInventoryRequest>,
    ) -> Result<Response<Self::StreamInventoryStream>, Status> {
        Err(Status::unimplemented("not part of a trip"))
    }
}

#[tonic::async_trait]
impl SearchService for Flights {
    type StreamDeparturesStream = Never<Departure>;
    type WatchFlightStream = Never<Flight>;

    async fn get_flight(
        &self,
        request: Request<GetFlightRequest>,
    ) -> Result<Response<Flight>, Status> {
        let flight_id = request.into_inner().flight_id;
        if flight_id.starts_with("LOST") {
            return Err(Status::unavailable("search is away"));
        }
        Ok(Response::new(Flight {
            flight_id,
            ..Flight::default()
        }))
    }

    async fn list_airports(
        &self,
        _: Request<ListAirportsRequest>,
    ) -> Result<Response<ListAirportsResponse>, Status> {
        Err(Status::unimplemented("not part of a trip"))
    }

    async fn search_itineraries(
        &self,
        _: Request<SearchItinerariesRequest>,
    ) -> Result<Response<SearchItinerariesResponse>, Status> {
        Err(Status::unimplemented("not part of a trip"))
    }

    async fn stream_departures(
        &self,
        _: Request<StreamDeparturesRequest>,
    ) -> Result<Response<Self::StreamDeparturesStream>, Status> {
        Err(Status::unimplemented("not part of a trip"))
    }

    async fn watch_flight(
        &self,
        _: Request<WatchFlightRequest>,
    ) -> Result<Response<Self::WatchFlightStream>, Status> {
        Err(Status::unimplemented("not part of a trip"))
    }
}
