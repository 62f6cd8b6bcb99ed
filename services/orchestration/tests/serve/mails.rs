//! What travellers are told: into the queue, kept until mail has recorded it, and back in overviews.

use std::time::{Duration, Instant};

use contracts::{
    mail::v1::{Mail, MailState},
    orchestration::v1::{
        CancelTripRequest, GetTripOverviewRequest, Trip, TripEvent, TripEventKind, TripOverview,
    },
};
use durable::{
    queue::{Queue as _, open},
    sqlite_url,
};
use prost::Message as _;
use sea_orm::{ConnectionTrait, Database, Statement};
use tonic::Response;

use crate::world::{World, claims, in_seconds, order};

/// Rows in the outbox of a world's replica.
async fn outbox_rows(world: &World) -> i64 {
    let url = sqlite_url(&world.directory.path().join("orchestration.db"));
    let db = Database::connect(url).await.unwrap();
    let count = Statement::from_string(
        db.get_database_backend(),
        "SELECT COUNT(*) AS n FROM outbox WHERE topic = 'mail'",
    );
    let row = db.query_one_raw(count).await.unwrap().unwrap();
    row.try_get("", "n").unwrap()
}

#[tokio::test]
async fn mail_is_told_of_a_booking_and_of_its_end_until_it_has_recorded_them() {
    let mut world = World::start().await;
    let booked = world.book(order(&claims(&["AS21"]), "k")).await.unwrap();
    let cancel = CancelTripRequest {
        trip_id: booked.trip_id.clone(),
        request_id: String::new(),
    };
    let request = world.by("ada", "CancelTrip", cancel);
    let cancelled = world.trips.cancel_trip(request).await.unwrap().into_inner();
    let url = sqlite_url(&world.directory.path().join("queue.db"));
    let queue = open(&url, "mail", "TEST").await.unwrap();
    let mut told = Vec::new();
    while told.len() < 2 {
        let wait = Duration::from_mins(1);
        let taken = queue.take("mail-1", 1, wait).await.unwrap();
        assert!(!taken.is_empty(), "waited a minute for a message");
        queue.settle(&taken).await.unwrap();
        told.extend(taken);
    }
    let event = |kind: TripEventKind, trip: &Trip| TripEvent {
        kind: kind.into(),
        user_id: "ada".to_owned(),
        trip: Some(trip.clone()),
    };
    for (message, name, expected) in [
        (
            &told[0],
            "confirmed",
            event(TripEventKind::Confirmed, &booked),
        ),
        (
            &told[1],
            "cancelled",
            event(TripEventKind::Cancelled, &cancelled),
        ),
    ] {
        assert_eq!(message.id, format!("{}-{name}", booked.trip_id));
        assert_eq!(TripEvent::decode(&*message.payload).unwrap(), expected);
    }
    assert_eq!(outbox_rows(&world).await, 2, "nobody has recorded them");
    for message in &told {
        world.mails.settle(&message.id);
    }
    let started = Instant::now();
    while outbox_rows(&world).await > 0 {
        assert!(
            started.elapsed() < Duration::from_mins(1),
            "waited a minute for an empty outbox"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn overview(world: &mut World, trip: &Trip) -> TripOverview {
    let request = GetTripOverviewRequest {
        trip_id: trip.trip_id.clone(),
    };
    let request = world.by("ada", "GetTripOverview", request);
    let answer = world.trips.get_trip_overview(request).await;
    answer.map(Response::into_inner).unwrap()
}

#[tokio::test]
async fn an_overview_has_the_mails_about_a_trip_and_says_where_they_are_missing() {
    let mut world = World::start().await;
    let trip = world.book(order(&claims(&["AS21"]), "k")).await.unwrap();
    let sent = Some(in_seconds(60));
    let mail = Mail {
        mail_id: format!("{}-confirmed", trip.trip_id),
        trip_id: trip.trip_id.clone(),
        state: MailState::Sent.into(),
        send_time: sent,
        ..Mail::default()
    };
    let other = Mail {
        trip_id: "other".to_owned(),
        ..mail.clone()
    };
    world.mails.put(other);
    world.mails.put(mail.clone());
    let shown = overview(&mut world, &trip).await;
    assert_eq!(shown.mails, [mail]);
    assert_eq!(shown.unavailable, []);
    let last = shown.timeline.last().unwrap();
    assert_eq!((&*last.event, last.time), ("mail.sent", sent));
    world.mails.go_away();
    let shown = overview(&mut world, &trip).await;
    let missing: Vec<_> = shown.unavailable.iter().map(|part| &*part.part).collect();
    assert_eq!((shown.mails.len(), &*missing), (0, &["mails"][..]));
    assert_eq!(shown.timeline.last().unwrap().event, "trip.confirmed");
}
