//! Live seats: a replica beside a booking service that does as it is told.

#![allow(clippy::unwrap_used)] // a failed step fails the test

use std::{path::Path, time::Duration};

use contracts::{
    booking::v1::{
        BOOKING_SERVICE, Booking, CancelBookingRequest, CancelBookingResponse,
        ConfirmBookingRequest, ConfirmBookingResponse, GetBookingRequest, HoldSeatsRequest,
        Inventory, ListBookingsRequest, ListBookingsResponse, ListTripBookingsRequest,
        ListTripBookingsResponse, ReleaseHoldRequest, ReleaseHoldResponse, StreamInventoryRequest,
        StreamInventoryResponse,
        booking_service_server::{BookingService, BookingServiceServer},
    },
    operations::v1::{
        CRON_SERVICE, ListCronJobsRequest, RunCronJobRequest,
        cron_service_client::CronServiceClient,
    },
    search::v1::{
        Cabin, GetFlightRequest, SEARCH_SERVICE, WatchFlightRequest,
        search_service_client::SearchServiceClient,
    },
};
use mesh::{
    auth::Auth,
    client::{Channel, Config as ClientConfig, Endpoints},
    seal::Key,
    server,
};
use search::{
    Config,
    domain::day::Day,
    import::{Format, Options},
};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

const TIMETABLE: &str = "\
carrier,number,origin,destination,departure,arrival,arrival_day,economy_seats,economy_fare,first_seats,first_fare
AS,21,JFK,SEA,10:00,13:15,,150,250.00,12,900.00
";

type Updates = mpsc::Sender<Result<StreamInventoryResponse, Status>>;

/// Hands every stream that is asked for to the test.
struct Scripted(mpsc::Sender<Updates>);

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl BookingService for Scripted {
    type StreamInventoryStream = ReceiverStream<Result<StreamInventoryResponse, Status>>;

    async fn stream_inventory(
        &self,
        request: Request<StreamInventoryRequest>,
    ) -> Answer<Self::StreamInventoryStream> {
        assert_eq!(
            mesh::auth::caller(&request)?,
            &mesh::auth::Caller::Service("search".to_owned())
        );
        let (updates, stream) = mpsc::channel(16);
        self.0.send(updates).await.unwrap();
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn hold_seats(&self, _: Request<HoldSeatsRequest>) -> Answer<Booking> {
        Err(Status::unimplemented(""))
    }

    async fn confirm_booking(
        &self,
        _: Request<ConfirmBookingRequest>,
    ) -> Answer<ConfirmBookingResponse> {
        Err(Status::unimplemented(""))
    }

    async fn release_hold(&self, _: Request<ReleaseHoldRequest>) -> Answer<ReleaseHoldResponse> {
        Err(Status::unimplemented(""))
    }

    async fn cancel_booking(
        &self,
        _: Request<CancelBookingRequest>,
    ) -> Answer<CancelBookingResponse> {
        Err(Status::unimplemented(""))
    }

    async fn get_booking(&self, _: Request<GetBookingRequest>) -> Answer<Booking> {
        Err(Status::unimplemented(""))
    }

    async fn list_bookings(&self, _: Request<ListBookingsRequest>) -> Answer<ListBookingsResponse> {
        Err(Status::unimplemented(""))
    }

    async fn list_trip_bookings(
        &self,
        _: Request<ListTripBookingsRequest>,
    ) -> Answer<ListTripBookingsResponse> {
        Err(Status::unimplemented(""))
    }
}

async fn listen() -> (TcpListener, Endpoints) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoints = format!("static://{}", listener.local_addr().unwrap());
    (listener, endpoints.parse().unwrap())
}

/// A booking service, and the streams that are asked of it.
async fn booking(auth: &Auth) -> (Endpoints, mpsc::Receiver<Updates>) {
    let (listener, endpoints) = listen().await;
    let (streams, asked) = mpsc::channel(4);
    let config = server::Config {
        auth: Some(auth.clone()),
        ..server::Config::new("booking")
    };
    let server = server::Server::new(config).add(
        BookingServiceServer::new(Scripted(streams)),
        &BOOKING_SERVICE,
    );
    tokio::spawn(server.serve(listener, CancellationToken::new()));
    (endpoints, asked)
}

/// A schedule that no test lives to see.
const NEVER: &str = "0 0 3 1 1 *";

async fn replica(
    dir: &Path,
    auth: &Auth,
    booking: Endpoints,
    reconcile: &'static str,
) -> (Channel, Endpoints) {
    let (listener, endpoints) = listen().await;
    let mut config = Config {
        seed_demo: false,
        booking: Some(booking),
        reconcile_schedule: reconcile,
        ..Config::new(dir)
    };
    config.server.auth = Some(auth.clone());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), TIMETABLE).unwrap();
    let options = Options {
        format: Format::Auto,
        keep_dates: false,
        merge: false,
        today: today(),
    };
    search::import(&config, &[file.path().to_owned()], options, |_| {})
        .await
        .unwrap();
    tokio::spawn(search::serve(config, listener, CancellationToken::new()));
    let channel = Channel::connect(&SEARCH_SERVICE, patient(&endpoints));
    (channel, endpoints)
}

fn patient(endpoints: &Endpoints) -> ClientConfig {
    ClientConfig {
        patience: Duration::from_mins(1),
        ..ClientConfig::new(endpoints.clone())
    }
}

fn today() -> Day {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    Day::from_number(i32::try_from(now.as_secs() / 86_400).unwrap())
}

fn flight_id() -> String {
    format!("AS21-{}-JFK", today().plus(30))
}

fn update(held: u32, sold: u32, version: u64, caught_up: bool) -> StreamInventoryResponse {
    let inventory = Inventory {
        flight_id: flight_id(),
        cabin: Cabin::Economy.into(),
        capacity: 150,
        held,
        sold,
        version,
    };
    StreamInventoryResponse {
        inventory: vec![inventory],
        caught_up,
    }
}

async fn seats_left(client: &mut SearchServiceClient<Channel>) -> Option<u32> {
    let request = GetFlightRequest {
        flight_id: flight_id(),
    };
    let flight = client.get_flight(request).await.unwrap().into_inner();
    flight.cabins[0].seats_left
}

async fn is_ready(channel: &Channel) -> bool {
    let request = HealthCheckRequest {
        service: SEARCH_SERVICE.name.to_owned(),
    };
    let answer = HealthClient::new(channel.clone()).check(request).await;
    answer.unwrap().into_inner().status() == ServingStatus::Serving
}

#[tokio::test]
async fn seats_follow_booking_from_a_snapshot_on() {
    let dir = tempfile::tempdir().unwrap();
    let auth = Auth::new(Key::new([1; 32]));
    let (endpoints, mut asked) = booking(&auth).await;
    let (channel, _) = replica(dir.path(), &auth, endpoints, NEVER).await;
    let mut client = SearchServiceClient::new(channel.clone());

    let updates = asked.recv().await.unwrap();
    assert_eq!(seats_left(&mut client).await, Some(150));
    assert!(!is_ready(&channel).await, "not before it has caught up");
    let request = WatchFlightRequest {
        flight_id: flight_id(),
    };
    let mut watched = client.watch_flight(request).await.unwrap().into_inner();
    watched.message().await.unwrap().unwrap();

    updates.send(Ok(update(2, 40, 5, true))).await.unwrap();
    let flight = watched.message().await.unwrap().unwrap();
    assert_eq!(flight.cabins[0].seats_left, Some(108));
    updates.send(Ok(update(0, 150, 6, false))).await.unwrap();
    let flight = watched.message().await.unwrap().unwrap();
    assert_eq!(flight.cabins[0].seats_left, Some(0));
    assert_eq!(flight.cabins[0].fare, None);
    while !is_ready(&channel).await {
        tokio::task::yield_now().await;
    }

    // Booking goes away: what was known stays, and the next snapshot forgets what is free again.
    drop(updates);
    let updates = asked.recv().await.unwrap();
    assert_eq!(seats_left(&mut client).await, Some(0));
    assert!(is_ready(&channel).await);
    let nothing = StreamInventoryResponse {
        inventory: vec![],
        caught_up: true,
    };
    updates.send(Ok(nothing)).await.unwrap();
    let flight = watched.message().await.unwrap().unwrap();
    assert_eq!(flight.cabins[0].seats_left, Some(150));
}

#[tokio::test]
async fn a_change_that_was_lost_is_found_when_all_seats_are_read_anew() {
    let dir = tempfile::tempdir().unwrap();
    let auth = Auth::new(Key::new([1; 32]));
    let (endpoints, mut asked) = booking(&auth).await;
    let (channel, endpoints) = replica(dir.path(), &auth, endpoints, NEVER).await;
    let mut client = SearchServiceClient::new(channel);
    // The replica's own stream tells of this and then of nothing more.
    let updates = asked.recv().await.unwrap();
    let request = WatchFlightRequest {
        flight_id: flight_id(),
    };
    let mut watched = client.watch_flight(request).await.unwrap().into_inner();
    watched.message().await.unwrap().unwrap();
    updates.send(Ok(update(0, 10, 1, true))).await.unwrap();
    let flight = watched.message().await.unwrap().unwrap();
    assert_eq!(flight.cabins[0].seats_left, Some(140));

    let signed = patient(&endpoints).signed(auth.signer("operator"));
    let mut cron = CronServiceClient::new(Channel::connect(&CRON_SERVICE, signed));
    let told = cron.list_cron_jobs(ListCronJobsRequest {}).await.unwrap();
    let name = told.into_inner().cron_jobs.remove(0).name;
    assert_eq!(name, "reconcile-inventory");
    let anew = tokio::spawn(async move {
        let updates = asked.recv().await.unwrap();
        updates.send(Ok(update(0, 25, 7, true))).await.unwrap();
    });
    let run = cron.run_cron_job(RunCronJobRequest { name }).await.unwrap();
    anew.await.unwrap();
    assert_eq!(run.into_inner().detail, "1 cabins compared, 1 put right");
    assert_eq!(seats_left(&mut client).await, Some(125));
}
