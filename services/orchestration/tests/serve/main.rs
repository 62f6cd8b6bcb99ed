//! A replica as others see it: over its port, between a scripted search, booking and mail.

#![allow(clippy::unwrap_used)] // a failed step fails the test

mod mails;
mod world;

use contracts::{
    booking::v1::BookingState,
    operations::v1::{
        AUDIT_SERVICE, CronOutcome, ListCronJobsRequest, RunAuditRequest, RunCronJobRequest,
    },
    orchestration::v1::{
        CancelTripRequest, GetTripOverviewRequest, GetTripRequest, ListTripsRequest,
        ListTripsResponse, Trip, TripState, WatchTripRequest,
    },
    search::v1::OfferClaims,
};
use tonic::{Code, Response, Status};
use tonic_types::StatusExt;
use world::{World, claims, in_seconds, order};

fn reason(status: &Status) -> String {
    let details = status.get_error_details();
    details.error_info().unwrap().reason.clone()
}

/// What a call was refused with.
fn refused<T: std::fmt::Debug>(outcome: Result<T, Status>) -> (Code, String) {
    let status = outcome.unwrap_err();
    (status.code(), reason(&status))
}

fn get(trip: &Trip) -> GetTripRequest {
    GetTripRequest {
        trip_id: trip.trip_id.clone(),
    }
}

fn cancel(trip: &Trip, key: &str) -> CancelTripRequest {
    CancelTripRequest {
        trip_id: trip.trip_id.clone(),
        request_id: key.to_owned(),
    }
}

impl World {
    async fn cancel(&mut self, user: &str, wish: CancelTripRequest) -> Result<Trip, Status> {
        let request = self.by(user, "CancelTrip", wish);
        self.trips
            .cancel_trip(request)
            .await
            .map(Response::into_inner)
    }

    async fn list(
        &mut self,
        user: &str,
        page: ListTripsRequest,
    ) -> Result<ListTripsResponse, Status> {
        let request = self.by(user, "ListTrips", page);
        self.trips
            .list_trips(request)
            .await
            .map(Response::into_inner)
    }

    async fn violations(&mut self) -> Vec<(String, u64, Vec<String>)> {
        let report = self
            .audit
            .run_audit(RunAuditRequest {})
            .await
            .unwrap()
            .into_inner();
        assert_eq!(
            (report.service.as_str(), report.checks.len()),
            ("orchestration", 3)
        );
        let broken = report
            .checks
            .into_iter()
            .filter(|check| check.violations > 0);
        broken
            .map(|check| (check.name, check.violations, check.examples))
            .collect()
    }
}

#[tokio::test]
async fn the_same_key_and_body_give_the_same_trip() {
    let mut world = World::start().await;
    let first = order(&claims(&["AS21", "AS22"]), "k");
    let trip = world.book(first.clone()).await.unwrap();
    assert_eq!(trip.state(), TripState::Confirmed);
    let price = trip.total_price.as_ref().unwrap();
    assert_eq!(
        (price.units, price.nanos, trip.passengers.len()),
        (412, 500_000_000, 2)
    );
    assert_eq!(trip.bookings[1].flight_id, "AS22");
    assert_eq!(
        (trip.bookings[1].seats, trip.bookings[1].state()),
        (2, BookingState::Confirmed)
    );
    assert_eq!(world.book(first.clone()).await.unwrap(), trip);
    // The key as metadata, as it comes from the header, is the same key.
    let mut request = world.by("ada", "BookTrip", order(&claims(&["AS21"]), ""));
    request.get_mut().offer_id = first.offer_id;
    request
        .metadata_mut()
        .insert("idempotency-key", "k".parse().unwrap());
    assert_eq!(
        world.trips.book_trip(request).await.unwrap().into_inner(),
        trip
    );
    assert_eq!(world.bookings.count(BookingState::Confirmed), 2);
    let other_body = world.book(order(&claims(&["AS21"]), "k")).await;
    assert_eq!(
        refused(other_body),
        (Code::InvalidArgument, "IDEMPOTENCY_KEY_REUSED".to_owned())
    );
    let no_key = world.book(order(&claims(&["AS21"]), "")).await;
    assert_eq!(
        refused(no_key),
        (Code::InvalidArgument, "IDEMPOTENCY_KEY_MISSING".to_owned())
    );
    assert_eq!(world.violations().await, []);
}

#[tokio::test]
async fn an_offer_is_booked_by_whom_it_is_for_while_it_holds() {
    let mut world = World::start().await;
    let good = claims(&["AS21"]);
    let expired = OfferClaims {
        expire_time: Some(in_seconds(-1)),
        ..good.clone()
    };
    let departed = OfferClaims {
        departure_time: Some(in_seconds(-1)),
        ..good.clone()
    };
    let alone = OfferClaims {
        passengers: 1,
        ..good.clone()
    };
    let mut forged = order(&good, "k");
    forged.offer_id.push('A');
    for (order, code, expected) in [
        (forged, Code::InvalidArgument, "OFFER_INVALID"),
        (
            order(&expired, "k"),
            Code::FailedPrecondition,
            "OFFER_EXPIRED",
        ),
        (
            order(&departed, "k"),
            Code::FailedPrecondition,
            "FLIGHT_DEPARTED",
        ),
        (
            order(&alone, "k"),
            Code::InvalidArgument,
            "PASSENGERS_MISMATCH",
        ),
    ] {
        assert_eq!(
            refused(world.book(order).await),
            (code, expected.to_owned())
        );
    }
    // None of them has used the key up.
    assert!(world.book(order(&good, "k")).await.is_ok());
}

#[tokio::test]
async fn a_trip_whose_last_flight_is_full_holds_nothing() {
    let mut world = World::start().await;
    let flights = claims(&["AS21", "AS22", "FULL1"]);
    for _ in 0..2 {
        let status = world.book(order(&flights, "k")).await.unwrap_err();
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::FailedPrecondition, "SOLD_OUT")
        );
        let details = status.get_error_details();
        assert_eq!(details.error_info().unwrap().metadata["flightId"], "FULL1");
        assert_eq!(world.bookings.count(BookingState::Held), 0);
        assert_eq!(world.bookings.count(BookingState::Released), 2);
    }
    let trips = world
        .list("ada", ListTripsRequest::default())
        .await
        .unwrap()
        .trips;
    assert_eq!(trips.len(), 1, "the key has one trip, booked or not");
    assert_eq!(trips[0].state(), TripState::Failed);
    assert_eq!(trips[0].failure.as_ref().unwrap().reason, "SOLD_OUT");
    assert_eq!(world.violations().await, []);
}

#[tokio::test]
async fn a_trip_is_its_owners_and_administrators() {
    let mut world = World::start().await;
    let trip = world.book(order(&claims(&["AS21"]), "k")).await.unwrap();
    let missing = (Code::NotFound, "TRIP_NOT_FOUND".to_owned());
    for (user, sees) in [("ada", true), ("eve", false), ("admin", true)] {
        let request = world.by(user, "GetTrip", get(&trip));
        let found = world
            .trips
            .get_trip(request)
            .await
            .map(Response::into_inner);
        let listed = world
            .list(user, ListTripsRequest::default())
            .await
            .unwrap()
            .trips;
        if sees {
            assert_eq!(
                (found.unwrap(), listed),
                (trip.clone(), vec![trip.clone()]),
                "{user}"
            );
        } else {
            assert_eq!(
                (refused(found), listed),
                (missing.clone(), vec![]),
                "{user}"
            );
        }
    }
    assert_eq!(
        refused(world.cancel("eve", cancel(&trip, "")).await),
        missing
    );
    let unknown = CancelTripRequest {
        trip_id: "none".to_owned(),
        request_id: String::new(),
    };
    assert_eq!(refused(world.cancel("admin", unknown).await), missing);
    let nobody = world.trips.get_trip(get(&trip)).await;
    assert_eq!(refused(nobody).0, Code::Unauthenticated);
}

#[tokio::test]
async fn a_trip_is_cancelled_once() {
    let mut world = World::start().await;
    let trip = world
        .book(order(&claims(&["AS21", "AS22"]), "k"))
        .await
        .unwrap();
    let other = world.book(order(&claims(&["AS21"]), "l")).await.unwrap();
    for _ in 0..2 {
        let cancelled = world.cancel("ada", cancel(&trip, "c")).await.unwrap();
        assert_eq!(cancelled.state(), TripState::Cancelled);
    }
    assert_eq!(world.bookings.count(BookingState::Cancelled), 2);
    let reused = world.cancel("ada", cancel(&other, "c")).await;
    assert_eq!(
        refused(reused),
        (Code::InvalidArgument, "IDEMPOTENCY_KEY_REUSED".to_owned())
    );
    let full = world.book(order(&claims(&["FULL1"]), "m")).await;
    assert_eq!(refused(full).1, "SOLD_OUT");
    let failed = world
        .list("ada", ListTripsRequest::default())
        .await
        .unwrap()
        .trips;
    let outcome = world.cancel("ada", cancel(&failed[0], "")).await;
    assert_eq!(
        refused(outcome),
        (Code::FailedPrecondition, "TRIP_NOT_CONFIRMED".to_owned())
    );
    assert_eq!(world.violations().await, []);
}

#[tokio::test]
async fn a_list_goes_on_where_the_last_page_ended() {
    let mut world = World::start().await;
    for key in ["a", "b", "c"] {
        world.book(order(&claims(&["AS21"]), key)).await.unwrap();
    }
    let page = |page_token: String| ListTripsRequest {
        page_size: 2,
        page_token,
    };
    let first = world.list("ada", page(String::new())).await.unwrap();
    // A trip that is booked in between moves nothing.
    world.book(order(&claims(&["AS21"]), "d")).await.unwrap();
    let second = world
        .list("ada", page(first.next_page_token))
        .await
        .unwrap();
    assert_eq!((first.trips.len(), second.trips.len()), (2, 1));
    assert_eq!(second.next_page_token, "");
    assert!(first.trips.iter().all(|trip| *trip != second.trips[0]));
    assert!(
        first.trips[0].create_time.unwrap().seconds >= second.trips[0].create_time.unwrap().seconds
    );
    let forged = world
        .list("ada", page("forged".to_owned()))
        .await
        .unwrap_err();
    assert_eq!(forged.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn an_overview_tells_what_happened_and_names_what_is_missing() {
    let mut world = World::start().await;
    let trip = world
        .book(order(&claims(&["AS21", "LOST1", "AS22"]), "k"))
        .await
        .unwrap();
    let request = GetTripOverviewRequest {
        trip_id: trip.trip_id.clone(),
    };
    let request = world.by("ada", "GetTripOverview", request);
    let overview = world
        .trips
        .get_trip_overview(request)
        .await
        .unwrap()
        .into_inner();
    let flights: Vec<&str> = overview
        .flights
        .iter()
        .map(|flight| &*flight.flight_id)
        .collect();
    assert_eq!(flights, ["AS21", "AS22"]);
    assert_eq!(overview.unavailable.len(), 1);
    assert_eq!(overview.unavailable[0].part, "flights/LOST1");
    let timeline = overview.timeline.iter();
    let timeline: Vec<_> = timeline
        .map(|entry| (&*entry.event, entry.state(), entry.attempt))
        .collect();
    assert_eq!(
        timeline,
        [
            ("hold", TripState::Holding, 1),
            ("confirm", TripState::Confirming, 1),
            ("trip.confirmed", TripState::Confirmed, 1)
        ]
    );
    assert_eq!(overview.trip, Some(trip));
}

#[tokio::test]
async fn a_watched_trip_is_shown_at_once_and_then_the_stream_ends() {
    let mut world = World::start().await;
    let trip = world.book(order(&claims(&["AS21"]), "k")).await.unwrap();
    let watch = WatchTripRequest {
        trip_id: trip.trip_id.clone(),
    };
    let request = world.by("ada", "WatchTrip", watch.clone());
    let mut watched = world.trips.watch_trip(request).await.unwrap().into_inner();
    assert_eq!(watched.message().await.unwrap(), Some(trip));
    assert_eq!(watched.message().await.unwrap(), None);
    let request = world.by("eve", "WatchTrip", watch);
    assert_eq!(
        refused(world.trips.watch_trip(request).await.map(|_| ())).1,
        "TRIP_NOT_FOUND"
    );
}

#[tokio::test]
async fn the_audit_names_a_trip_that_is_not_whole() {
    let mut world = World::start().await;
    let trip = world
        .book(order(&claims(&["AS21", "AS22"]), "k"))
        .await
        .unwrap();
    let half = [format!("{}-2", trip.trip_id)];
    world.bookings.set_all(&half, BookingState::Cancelled);
    assert_eq!(
        world.violations().await,
        [("booked-whole".to_owned(), 1, vec![trip.trip_id])]
    );
    let path = AUDIT_SERVICE.methods[0].path;
    let user = world.by_path("admin", path, RunAuditRequest {});
    let refused = refused(world.audit.run_audit(user).await);
    assert_eq!(refused.0, Code::PermissionDenied);
}

#[tokio::test]
async fn a_replica_that_is_told_to_stop_stops() {
    let mut world = World::start().await;
    world.book(order(&claims(&["AS21"]), "k")).await.unwrap();
    world.shutdown.cancel();
    world.served.await.unwrap().unwrap();
}

#[tokio::test]
async fn its_jobs_are_told_and_can_be_run() {
    let mut world = World::start().await;
    world.book(order(&claims(&["AS21"]), "k")).await.unwrap();
    let told = world.cron.list_cron_jobs(ListCronJobsRequest {}).await;
    let told = told.unwrap().into_inner().cron_jobs;
    for name in ["audit-orchestration", "resume-trips"] {
        let job = told.iter().find(|job| job.name == name);
        assert!(job.is_some_and(|job| job.next_time.is_some()), "{name}");
    }
    let name = "audit-orchestration".to_owned();
    let run = world.cron.run_cron_job(RunCronJobRequest { name }).await;
    let run = run.unwrap().into_inner();
    assert_eq!(
        (run.outcome(), run.detail.as_str(), run.tick_time),
        (CronOutcome::Succeeded, "3 promises kept", None)
    );
}
