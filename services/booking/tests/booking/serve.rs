//! A replica as others see it: over its port, with a scripted search and its database beside it.

use std::{
    pin::Pin,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use booking::Config;
use contracts::{
    booking::v1::{
        BOOKING_SERVICE, Booking, BookingState, CancelBookingRequest, ConfirmBookingRequest,
        GetBookingRequest, HoldSeatsRequest, Inventory, ListBookingsRequest,
        ListTripBookingsRequest, ReleaseHoldRequest, StreamInventoryRequest,
        booking_service_client::BookingServiceClient,
    },
    operations::v1::{
        AUDIT_SERVICE, CRON_SERVICE, CronOutcome, ListCronJobsRequest, RunAuditRequest,
        RunCronJobRequest, audit_service_client::AuditServiceClient,
        cron_service_client::CronServiceClient,
    },
    search::v1::{
        Cabin, CabinOffer, Departure, Flight, GetFlightRequest, ListAirportsRequest,
        ListAirportsResponse, SEARCH_SERVICE, SearchItinerariesRequest, SearchItinerariesResponse,
        StreamDeparturesRequest, WatchFlightRequest,
        search_service_server::{SearchService, SearchServiceServer},
    },
};
use futures_util::{Stream, StreamExt, future::join_all};
use mesh::{
    auth::{Auth, Caller, User},
    client::{Channel, Config as ClientConfig, Endpoints},
    seal::Key,
    server::{Config as ServerConfig, Server},
    status::{Fault, Kind, reason},
};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Code, Request, Response, Status, Streaming, metadata::MetadataMap};
use tonic_types::StatusExt;

const FLIGHT: &str = "AS21-2026-12-01-JFK";

fn auth() -> Auth {
    Auth::new(Key::new([1; 32]))
}

/// Ten economy seats and two first on every flight that leaves in a month; "GONE" has left.
struct Timetable;

type Lines<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl SearchService for Timetable {
    type StreamDeparturesStream = Lines<Departure>;
    type WatchFlightStream = Lines<Flight>;

    async fn get_flight(
        &self,
        request: Request<GetFlightRequest>,
    ) -> Result<Response<Flight>, Status> {
        let flight_id = request.into_inner().flight_id;
        if flight_id == "NONE" {
            return Err(Fault::new(Kind::NotFound, "FLIGHT_NOT_FOUND", "none").into());
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = i64::try_from(now.as_secs()).unwrap();
        let seconds = if flight_id == "GONE" {
            now
        } else {
            now + 30 * 86_400
        };
        let offer = |cabin: Cabin, seats| CabinOffer {
            cabin: cabin.into(),
            seats,
            ..CabinOffer::default()
        };
        Ok(Response::new(Flight {
            flight_id,
            departure_time: Some(prost_types::Timestamp { seconds, nanos: 0 }),
            cabins: vec![offer(Cabin::Economy, 10), offer(Cabin::First, 2)],
            ..Flight::default()
        }))
    }

    async fn list_airports(
        &self,
        _: Request<ListAirportsRequest>,
    ) -> Result<Response<ListAirportsResponse>, Status> {
        Err(Status::unimplemented("scripted"))
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

struct Replica {
    /// As the orchestrator.
    client: BookingServiceClient<Channel>,
    endpoints: Endpoints,
    shutdown: CancellationToken,
    served: JoinHandle<Result<(), booking::ServeError>>,
    _stop: DropGuard,
    _directory: TempDir,
}

async fn listen() -> (TcpListener, Endpoints) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoints = format!("static://{}", listener.local_addr().unwrap());
    (listener, endpoints.parse().unwrap())
}

/// A replica whose configuration has been changed a little.
async fn start(change: impl FnOnce(&mut Config)) -> Replica {
    let directory = TempDir::new().unwrap();
    let shutdown = CancellationToken::new();
    let (listener, search) = listen().await;
    let timetable = Server::new(ServerConfig::new("search"))
        .add(SearchServiceServer::new(Timetable), &SEARCH_SERVICE);
    tokio::spawn(timetable.serve(listener, shutdown.clone()));
    let (listener, endpoints) = listen().await;
    let mut config = Config::new(directory.path(), search);
    config.server.auth = Some(auth());
    change(&mut config);
    let served = tokio::spawn(booking::serve(config, listener, shutdown.clone()));
    let channel = ClientConfig {
        patience: Duration::from_secs(20),
        ..ClientConfig::new(endpoints.clone())
    };
    let channel = channel.signed(auth().signer("orchestration"));
    Replica {
        client: BookingServiceClient::new(Channel::connect(&BOOKING_SERVICE, channel)),
        endpoints,
        served,
        _stop: shutdown.clone().drop_guard(),
        shutdown,
        _directory: directory,
    }
}

fn wanted(id: &str, seats: u32) -> HoldSeatsRequest {
    HoldSeatsRequest {
        hold_id: id.into(),
        trip_id: "t".into(),
        user_id: "ada".into(),
        flight_id: FLIGHT.into(),
        cabin: Cabin::Unspecified.into(),
        seats,
    }
}

fn user(id: &str, admin: bool) -> Caller {
    Caller::User(User {
        id: id.into(),
        session: "s".into(),
        admin,
    })
}

/// A request as the gateway passes it on.
fn by<T>(caller: &Caller, method: &str, message: T) -> Request<T> {
    let path = format!("/skyway.booking.v1.BookingService/{method}");
    let mut headers = http::HeaderMap::new();
    auth().sign(&mut headers, &path, Some(caller), None);
    Request::from_parts(
        MetadataMap::from_headers(headers),
        tonic::Extensions::default(),
        message,
    )
}

impl Replica {
    async fn hold(&mut self, request: HoldSeatsRequest) -> Result<Booking, Status> {
        self.client
            .hold_seats(request)
            .await
            .map(Response::into_inner)
    }

    async fn confirm(&mut self, ids: &[&str]) -> Result<Vec<Booking>, Status> {
        let request = ConfirmBookingRequest {
            trip_id: "t".into(),
            booking_ids: ids.iter().map(ToString::to_string).collect(),
        };
        let confirmed = self.client.confirm_booking(request).await?;
        Ok(confirmed.into_inner().bookings)
    }

    /// Calls that say themselves who makes them.
    fn unsigned(&self) -> BookingServiceClient<Channel> {
        let config = ClientConfig::new(self.endpoints.clone());
        BookingServiceClient::new(Channel::connect(&BOOKING_SERVICE, config))
    }
}

/// Reads on until a cabin is as expected.
async fn until(
    stream: &mut Streaming<contracts::booking::v1::StreamInventoryResponse>,
    expected: impl Fn(&Inventory) -> bool,
) -> Inventory {
    loop {
        let message = stream.message().await.unwrap().unwrap();
        if let Some(found) = message.inventory.into_iter().find(&expected) {
            return found;
        }
    }
}

#[tokio::test]
async fn a_booking_is_held_confirmed_found_and_cancelled() {
    let mut replica = start(|_| {}).await;
    let held = replica.hold(wanted("t-0", 2)).await.unwrap();
    assert_eq!(
        (held.state(), held.cabin(), held.seats),
        (BookingState::Held, Cabin::Economy, 2)
    );
    let (made, expires) = (held.create_time.unwrap(), held.expire_time.unwrap());
    assert_eq!(expires.seconds - made.seconds, 600);
    assert_eq!(replica.hold(wanted("t-0", 2)).await.unwrap(), held);

    let sold = replica.confirm(&["t-0"]).await.unwrap().remove(0);
    assert_eq!(
        (sold.state(), sold.expire_time),
        (BookingState::Confirmed, None)
    );
    let request = GetBookingRequest {
        locator: held.locator.to_lowercase(),
    };
    let found = replica.client.get_booking(request).await.unwrap();
    assert_eq!(found.into_inner(), sold);

    let cancel = CancelBookingRequest {
        trip_id: "t".into(),
        booking_ids: vec!["t-0".into()],
    };
    let cancelled = replica
        .client
        .cancel_booking(cancel)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(cancelled.bookings[0].state(), BookingState::Cancelled);
    let of_trips = ListTripBookingsRequest {
        trip_ids: vec!["t".into(), "other".into()],
    };
    let listed = replica.client.list_trip_bookings(of_trips).await.unwrap();
    assert_eq!(listed.into_inner().bookings, cancelled.bookings);
}

#[tokio::test]
async fn refusals_say_why() {
    let mut replica = start(|_| {}).await;
    replica.hold(wanted("t-0", 9)).await.unwrap();
    let sold_out = replica.hold(wanted("t-1", 2)).await.unwrap_err();
    assert_eq!(
        (sold_out.code(), sold_out.message()),
        (
            Code::FailedPrecondition,
            "no seats left on AS21-2026-12-01-JFK in ECONOMY: 2 wanted, 1 left"
        )
    );
    let facts = sold_out.get_details_error_info().unwrap();
    assert_eq!(
        (facts.reason.as_str(), facts.metadata["flightId"].as_str()),
        ("SOLD_OUT", FLIGHT)
    );

    let on = |flight: &str, cabin: Cabin| HoldSeatsRequest {
        flight_id: flight.into(),
        cabin: cabin.into(),
        ..wanted("t-2", 1)
    };
    for (request, code, expected) in [
        (wanted("t-0", 8), Code::InvalidArgument, "HOLD_ID_REUSED"),
        (wanted("t-2", 10), Code::InvalidArgument, "INVALID_ARGUMENT"),
        (
            on("NONE", Cabin::Economy),
            Code::NotFound,
            "FLIGHT_NOT_FOUND",
        ),
        (
            on(FLIGHT, Cabin::Business),
            Code::NotFound,
            "CABIN_NOT_FOUND",
        ),
        (
            on("GONE", Cabin::Economy),
            Code::FailedPrecondition,
            "FLIGHT_DEPARTED",
        ),
    ] {
        let refused = replica.hold(request).await.unwrap_err();
        assert_eq!(
            (refused.code(), reason(&refused).as_deref()),
            (code, Some(expected))
        );
    }
    let missing = replica.confirm(&["t-0", "t-9"]).await.unwrap_err();
    assert_eq!(
        (missing.code(), reason(&missing).as_deref()),
        (Code::NotFound, Some("HOLD_NOT_FOUND"))
    );
}

#[tokio::test]
async fn what_is_released_first_is_not_held_later() {
    let mut replica = start(|_| {}).await;
    let release = ReleaseHoldRequest {
        trip_id: "t".into(),
        booking_ids: vec!["t-0".into()],
    };
    replica.client.release_hold(release).await.unwrap();
    let late = replica.hold(wanted("t-0", 1)).await.unwrap_err();
    assert_eq!(
        (late.code(), reason(&late).as_deref()),
        (Code::FailedPrecondition, Some("HOLD_RELEASED"))
    );
}

#[tokio::test]
async fn holds_run_out() {
    let mut replica = start(|config| {
        config.hold_ttl = Duration::ZERO;
        config.expire_schedule = "* * * * * *";
    })
    .await;
    replica.hold(wanted("t-0", 9)).await.unwrap();
    let expired = replica.confirm(&["t-0"]).await.unwrap_err();
    assert_eq!(reason(&expired).as_deref(), Some("HOLD_EXPIRED"));
    let mut stream = replica
        .client
        .stream_inventory(StreamInventoryRequest {})
        .await
        .unwrap()
        .into_inner();
    // It may be over already; the next one is not.
    replica.hold(wanted("t-1", 1)).await.unwrap();
    let free = until(&mut stream, |seats| seats.version >= 3 && seats.held == 0).await;
    assert_eq!((free.sold, free.capacity), (0, 10));
}

#[tokio::test]
async fn users_see_their_own_bookings_in_pages() {
    let mut replica = start(|_| {}).await;
    for (id, user_id) in [("a", "ada"), ("b", "ada"), ("c", "eve"), ("d", "ada")] {
        let request = HoldSeatsRequest {
            user_id: user_id.into(),
            ..wanted(id, 1)
        };
        replica.hold(request).await.unwrap();
    }
    let mut client = replica.unsigned();
    let mut list = async |caller: &Caller, page_size, page_token: &str| {
        let request = ListBookingsRequest {
            page_size,
            page_token: page_token.into(),
        };
        let request = by(caller, "ListBookings", request);
        let page = client.list_bookings(request).await?.into_inner();
        Ok::<_, Status>((page.bookings, page.next_page_token))
    };
    let ada = user("ada", false);
    let (first, next) = list(&ada, 2, "").await.unwrap();
    let (second, end) = list(&ada, 2, &next).await.unwrap();
    let mut seen: Vec<_> = first
        .iter()
        .chain(&second)
        .map(|one| one.booking_id.as_str())
        .collect();
    assert_eq!((seen.len(), first.len(), end.as_str()), (3, 2, ""));
    seen.sort_unstable();
    assert_eq!(seen, ["a", "b", "d"]);
    assert_eq!(list(&user("root", true), 0, "").await.unwrap().0.len(), 4);
    let refused = list(&ada, 2, "nonsense").await.unwrap_err();
    assert_eq!(
        refused.message(),
        "page_token: is not a next_page_token of this method"
    );

    let mut client = replica.unsigned();
    for (caller, code) in [
        (&ada, Code::Ok),
        (&user("eve", false), Code::NotFound),
        (&user("root", true), Code::Ok),
    ] {
        let request = GetBookingRequest {
            locator: first[0].locator.clone(),
        };
        let got = client.get_booking(by(caller, "GetBooking", request)).await;
        let got = got
            .err()
            .map_or((Code::Ok, None), |status| (status.code(), reason(&status)));
        let expected = (code != Code::Ok).then(|| "BOOKING_NOT_FOUND".to_owned());
        assert_eq!(got, (code, expected));
    }
}

#[tokio::test]
async fn only_the_mesh_holds_seats() {
    let replica = start(|_| {}).await;
    let mut client = replica.unsigned();
    let anonymous = client.hold_seats(wanted("a", 1)).await.unwrap_err();
    assert_eq!(anonymous.code(), Code::Unauthenticated);
    for admin in [false, true] {
        let request = by(&user("ada", admin), "HoldSeats", wanted("a", 1));
        let refused = client.hold_seats(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
    }
}

#[tokio::test]
async fn seats_are_streamed_as_they_are_and_as_they_change() {
    let mut replica = start(|_| {}).await;
    replica.hold(wanted("t-0", 2)).await.unwrap();
    let mut stream = replica
        .client
        .stream_inventory(StreamInventoryRequest {})
        .await
        .unwrap()
        .into_inner();
    let snapshot = stream.message().await.unwrap().unwrap();
    let expected = Inventory {
        flight_id: FLIGHT.into(),
        cabin: Cabin::Economy.into(),
        capacity: 10,
        held: 2,
        sold: 0,
        version: 1,
    };
    assert_eq!(
        (snapshot.inventory, snapshot.caught_up),
        (vec![expected.clone()], true)
    );
    replica.confirm(&["t-0"]).await.unwrap();
    let sold = until(&mut stream, |seats| seats.version == 2).await;
    let expected = Inventory {
        held: 0,
        sold: 2,
        version: 2,
        ..expected
    };
    assert_eq!(sold, expected);
    replica.shutdown.cancel();
    let end = stream.next().await.unwrap().unwrap_err();
    assert_eq!(
        (end.code(), reason(&end).as_deref()),
        (Code::Unavailable, Some("SHUTTING_DOWN"))
    );
    replica.served.await.unwrap().unwrap();
}

#[tokio::test]
async fn many_callers_of_one_flight_get_what_there_is() {
    let replica = start(|_| {}).await;
    let calls = (0..40).map(|n| {
        let mut client = replica.client.clone();
        async move { client.hold_seats(wanted(&format!("h{n}"), 1)).await }
    });
    let answers = join_all(calls).await;
    let refused = answers.iter().filter_map(|answer| answer.as_ref().err());
    assert!(
        refused
            .clone()
            .all(|status| reason(status).as_deref() == Some("SOLD_OUT"))
    );
    assert_eq!(refused.count(), 30);

    let config = ClientConfig::new(replica.endpoints.clone()).signed(auth().signer("operator"));
    let mut audit = AuditServiceClient::new(Channel::connect(&AUDIT_SERVICE, config));
    let report = audit
        .run_audit(RunAuditRequest {})
        .await
        .unwrap()
        .into_inner();
    let checks: Vec<_> = report
        .checks
        .iter()
        .map(|check| (check.name.as_str(), check.rows, check.violations))
        .collect();
    assert_eq!(
        (report.service.as_str(), checks),
        (
            "booking",
            vec![
                ("never-oversold", 1, 0),
                ("held-equals-sum", 1, 0),
                ("sold-equals-sum", 1, 0),
                ("no-hold-outlives-expiry", 10, 0),
                ("locators-unique", 10, 0),
            ]
        )
    );
}

#[tokio::test]
async fn its_jobs_are_told_and_can_be_run() {
    let replica = start(|_| {}).await;
    let config = ClientConfig::new(replica.endpoints.clone()).signed(auth().signer("operator"));
    let mut cron = CronServiceClient::new(Channel::connect(&CRON_SERVICE, config));
    let told = cron.list_cron_jobs(ListCronJobsRequest {}).await.unwrap();
    let told = told.into_inner().cron_jobs;
    let names: Vec<_> = told.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["audit-booking", "expire-holds", "trim-events"]);
    assert!(
        told.iter()
            .all(|job| job.service == "booking" && job.next_time.is_some())
    );
    for (name, detail) in [("audit-booking", "5 promises kept")] {
        let name = name.to_owned();
        let run = cron
            .run_cron_job(RunCronJobRequest { name })
            .await
            .unwrap()
            .into_inner();
        assert_eq!(
            (run.outcome(), run.detail.as_str()),
            (CronOutcome::Succeeded, detail)
        );
        assert_eq!((run.tick_time, run.attempt), (None, 1));
    }
}
