//! The walk of README: sign up, sign in, search, book, see, cancel; and what a trip's owner can rely on.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::cluster::Up;
use crate::support::http::{Answer, Rest};
use crate::support::mesh::{Mesh, Stores, book, booking_of, offer, sign_up};
use crate::support::otlp::Collector;
use crate::support::{day, wait};

/// A round trip with connections that has seats, and its flights.
async fn round_trip(rest: &Rest) -> (String, Vec<(String, u64)>) {
    let path = format!(
        "/v1/itineraries:search?origin=BTV&destination=SAN&departureDate={}&returnDate={}&passengers=2",
        day(20),
        day(27)
    );
    let answer = rest.get(&path).await;
    let itineraries = answer.json["itineraries"].as_array();
    let itineraries = itineraries.unwrap_or_else(|| panic!("{}", answer.json));
    let connecting = itineraries
        .iter()
        .find(|itinerary| itinerary["stops"].as_u64().unwrap() >= 2)
        .unwrap_or_else(|| panic!("a connection in {}", answer.json));
    let flights = connecting["legs"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|leg| leg["flights"].as_array().unwrap())
        .map(|flight| {
            let id = flight["flightId"].as_str().unwrap().to_owned();
            (id, flight["seatsLeft"].as_u64().unwrap())
        })
        .collect();
    (connecting["offerId"].as_str().unwrap().to_owned(), flights)
}

/// Waits until search tells so many seats of a flight's economy cabin.
async fn seats_left(rest: &Rest, flight: &str, expected: u64) {
    wait::until("search to know the seats", async || {
        let answer = rest.get(&format!("/v1/flights/{flight}")).await;
        (answer.json["cabins"][0]["seatsLeft"] == expected).then_some(())
    })
    .await;
}

fn states<'a>(trip: &'a Value, field: &str) -> Vec<&'a str> {
    let bookings = trip["bookings"].as_array().unwrap();
    bookings
        .iter()
        .map(|booking| booking[field].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn sign_up_search_book_see_and_cancel() {
    let up = Up::shared().await;
    let user = sign_up(&up.rest(), "ada@example.com").await;
    let (offer, flights) = round_trip(&up.rest()).await;
    let booked = book(&user, &booking_of(&offer, 2), "walk-1").await;
    assert_eq!(
        (booked.status, &booked.json["state"]),
        (200, &"CONFIRMED".into()),
        "{}",
        booked.json
    );
    assert!(booked.json["totalPrice"]["units"].is_string());
    assert_eq!(
        states(&booked.json, "state"),
        vec!["CONFIRMED"; flights.len()]
    );
    let ids: Vec<_> = flights.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(states(&booked.json, "flightId"), ids);

    let id = booked.json["tripId"].as_str().unwrap();
    let seen = user.get(&format!("/v1/trips/{id}")).await;
    assert_eq!(seen.json, booked.json);
    let locator = states(&booked.json, "locator")[0].to_lowercase();
    let booking = user.get(&format!("/v1/bookings/{locator}")).await;
    assert_eq!((booking.status, &booking.json["tripId"]), (200, &id.into()));
    let listed = user.get("/v1/bookings?pageSize=1").await;
    assert_eq!(listed.json["bookings"].as_array().unwrap().len(), 1);
    assert!(listed.json["nextPageToken"].is_string());
    for (flight, before) in &flights {
        seats_left(&up.rest(), flight, before - 2).await;
    }

    let cancelled = user
        .post(&format!("/v1/trips/{id}:cancel"), &json!({}))
        .await;
    assert_eq!(
        (cancelled.status, &cancelled.json["state"]),
        (200, &"CANCELLED".into()),
        "{}",
        cancelled.json
    );
    for (flight, before) in &flights {
        seats_left(&up.rest(), flight, *before).await;
    }
    let again = user
        .post(&format!("/v1/trips/{id}:cancel"), &json!({}))
        .await;
    assert_eq!(
        again.json, cancelled.json,
        "cancelling again changes nothing"
    );
    let same = book(&user, &booking_of(&offer, 2), "walk-1").await;
    assert_eq!(
        (same.status, &same.json),
        (200, &booked.json),
        "the same key, the same answer"
    );
}

#[tokio::test]
async fn the_overview_tells_what_happened() {
    let up = Up::shared().await;
    let user = sign_up(&up.rest(), "overview@example.com").await;
    let offer = offer(&up.rest(), "JFK", "SEA", &day(21), 1).await;
    let trip = book(&user, &booking_of(&offer, 1), "overview").await;
    let id = trip.json["tripId"].as_str().unwrap();
    let overview = user.get(&format!("/v1/trips/{id}/overview")).await;
    assert_eq!(overview.status, 200, "{}", overview.json);
    assert_eq!(overview.json["trip"], trip.json);
    let flight = &overview.json["flights"][0];
    assert_eq!(flight["flightId"], trip.json["bookings"][0]["flightId"]);
    let timeline = overview.json["timeline"].as_array().unwrap();
    let events: Vec<_> = timeline
        .iter()
        .map(|entry| entry["event"].as_str().unwrap())
        .collect();
    for event in ["hold", "confirm", "trip.confirmed"] {
        assert!(events.contains(&event), "{event} in {events:?}");
    }
}

#[tokio::test]
async fn what_the_overview_cannot_have_is_named() {
    let (booking, orchestration) = (testing::sqlite(), testing::sqlite());
    let stores = Stores {
        booking: booking.url.clone(),
        orchestration: orchestration.url.clone(),
    };
    let timetable = "carrier,number,origin,destination,departure,arrival,arrival_day,economy_seats,economy_fare\nAS,21,JFK,SEA,10:00,13:15,,9,250.00\n";
    let mut mesh = Mesh::start(&stores, timetable, &[]).await;
    let user = mesh.user("partial@example.com").await;
    let offer = offer(&mesh.rest, "JFK", "SEA", &day(30), 1).await;
    let trip = book(&user, &booking_of(&offer, 1), "partial").await;
    let id = trip.json["tripId"].as_str().unwrap();
    mesh.kill_search();
    let overview = user.get(&format!("/v1/trips/{id}/overview")).await;
    assert_eq!(overview.status, 200, "{}", overview.json);
    assert_eq!(overview.json["trip"], trip.json);
    assert_eq!(overview.json["flights"], Value::Null);
    let flight = trip.json["bookings"][0]["flightId"].as_str().unwrap();
    let missing = &overview.json["unavailable"][0]["part"];
    assert_eq!(missing, &format!("flights/{flight}"));
}

#[tokio::test]
async fn a_key_stands_for_one_trip() {
    let up = Up::shared().await;
    let user = sign_up(&up.rest(), "keys@example.com").await;
    let offer = offer(&up.rest(), "JFK", "SEA", &day(22), 1).await;
    let body = booking_of(&offer, 1);
    let answers = futures_util::future::join_all((0..8).map(|_| book(&user, &body, "one"))).await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.json), (200, &answers[0].json));
    }
    let trips = user.get("/v1/trips").await;
    assert_eq!(trips.json["trips"].as_array().unwrap().len(), 1);

    let other = book(
        &user,
        &booking_of(&offer, 1).tap("contactEmail", "b@example.com"),
        "one",
    )
    .await;
    assert_eq!(
        (other.status, other.reason()),
        (400, "IDEMPOTENCY_KEY_REUSED")
    );
    let missing = user.post("/v1/trips", &body).await;
    assert_eq!(
        (missing.status, missing.reason()),
        (400, "IDEMPOTENCY_KEY_MISSING")
    );
    let both = user
        .request(Method::POST, "/v1/trips")
        .header("idempotency-key", "two");
    let both = both
        .json(&body.clone().tap("requestId", "three"))
        .send()
        .await
        .unwrap();
    assert_eq!(both.status(), 400);
    let field = user.post("/v1/trips", &body.tap("requestId", "one")).await;
    assert_eq!(
        (field.status, &field.json),
        (200, &answers[0].json),
        "the field is the header"
    );
}

#[tokio::test]
async fn what_cannot_be_booked_says_why() {
    let up = Up::shared().await;
    let user = sign_up(&up.rest(), "why@example.com").await;
    let offer = offer(&up.rest(), "JFK", "SEA", &day(23), 2).await;
    for (body, reason) in [
        (booking_of("forged", 2), "OFFER_INVALID"),
        (booking_of(&offer, 1), "PASSENGERS_MISMATCH"),
        (
            booking_of(&offer, 2).tap("contactEmail", "nobody"),
            "INVALID_ARGUMENT",
        ),
    ] {
        let answer = book(&user, &body, "why").await;
        assert_eq!(
            (answer.status, answer.reason()),
            (400, reason),
            "{}",
            answer.json
        );
    }
}

#[tokio::test]
async fn a_watched_trip_is_told_as_it_changes() {
    let up = Up::shared().await;
    let user = sign_up(&up.rest(), "watch@example.com").await;
    let offer = offer(&up.rest(), "JFK", "SEA", &day(24), 1).await;
    let trip = book(&user, &booking_of(&offer, 1), "watch").await;
    let id = trip.json["tripId"].as_str().unwrap();
    let watched = user.get(&format!("/v1/trips/{id}:watch")).await;
    assert_eq!(
        watched.json,
        json!([trip.json]),
        "it can change no more without being asked to"
    );
}

#[tokio::test]
async fn one_trace_from_the_request_to_its_sql() {
    let (collector, endpoint) = Collector::start();
    let up = Up::start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]).await;
    let user = sign_up(&up.rest(), "trace@example.com").await;
    let offer = offer(&up.rest(), "JFK", "SEA", &day(25), 1).await;
    let request = user
        .request(Method::POST, "/v1/trips")
        .header("idempotency-key", "trace");
    let request = request.header(
        "traceparent",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    );
    let answer = Answer::read(request.json(&booking_of(&offer, 1)).send().await.unwrap())
        .await
        .unwrap();
    assert_eq!(answer.status, 200, "{}", answer.json);
    let trace = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes();
    for (service, name) in [
        ("gateway", "POST /v1/trips"),
        (
            "orchestration",
            "skyway.orchestration.v1.TripService/BookTrip",
        ),
        ("booking", "skyway.booking.v1.BookingService/HoldSeats"),
        ("booking", "booking.hold"),
        ("booking", "skyway.booking.v1.BookingService/ConfirmBooking"),
        ("search", "skyway.search.v1.SearchService/GetFlight"),
    ] {
        wait::until(&format!("the span {name} of {service}"), async || {
            let spans = collector.spans();
            spans
                .iter()
                .any(|span| span.trace == trace && span.service == service && span.name == name)
                .then_some(())
        })
        .await;
    }
    let sql = collector.spans();
    let sql = sql
        .iter()
        .find(|span| span.trace == trace && span.name == "booking.hold")
        .unwrap();
    assert_eq!(sql.attributes["db.system.name"], "sqlite");
    let id = answer.json["tripId"].as_str().unwrap();
    let overview = user.get(&format!("/v1/trips/{id}/overview")).await;
    let timeline = overview.json["timeline"].as_array().unwrap();
    assert!(
        timeline
            .iter()
            .any(|entry| entry["traceId"] == "4bf92f3577b34da6a3ce929d0e0e4736"),
        "{}",
        overview.json
    );
}

/// A JSON object with one member more.
trait Tap {
    fn tap(self, name: &str, value: &str) -> Value;
}

impl Tap for Value {
    fn tap(mut self, name: &str, value: &str) -> Value {
        self[name] = value.into();
        self
    }
}
