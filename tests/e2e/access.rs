//! Who may do what is in the contract, and nobody gets around it: not at the gateway, not at a service.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::cluster::Up;
use crate::support::http::Rest;
use crate::support::mesh::{book, booking_of, offer, sign_up};
use crate::support::{day, tools};

/// Calls `method` of the service at `address` and gives whether it succeeded, and what was printed.
async fn grpcurl(address: &str, headers: &[&str], body: &Value, method: &str) -> (bool, String) {
    let body = body.to_string();
    let mut arguments = vec!["-plaintext"];
    for header in headers {
        arguments.extend(["-H", header]);
    }
    arguments.extend(["-d", &body, address, method]);
    let output = tools::run("grpcurl", &arguments).await;
    (output.ok, output.text)
}

fn token(session: &Value) -> String {
    format!(
        "authorization: Bearer {}",
        session["accessToken"].as_str().unwrap()
    )
}

async fn sign_in(rest: &Rest, email: &str) -> Value {
    let credentials = json!({"email": email, "password": "correct horse battery"});
    rest.post("/v1/sessions", &credentials).await.json
}

#[tokio::test]
async fn without_a_token_only_the_public_is_open() {
    let up = Up::shared().await;
    for (method, path) in [
        (Method::GET, "/v1/trips"),
        (Method::GET, "/v1/trips/x"),
        (Method::POST, "/v1/trips"),
        (Method::GET, "/v1/bookings"),
        (Method::GET, "/v1/users/me"),
        (Method::DELETE, "/v1/sessions/current"),
    ] {
        let anonymous = up
            .rest()
            .request(method.clone(), path)
            .send()
            .await
            .unwrap();
        assert_eq!(anonymous.status(), 401, "{method} {path}");
        assert!(anonymous.headers().contains_key("www-authenticate"));
        let forged = up.rest().with_token("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.");
        let forged = forged
            .request(method.clone(), path)
            .header("skyway-identity", "x");
        assert_eq!(
            forged.send().await.unwrap().status(),
            401,
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn a_trip_that_is_not_yours_is_not_there() {
    let up = Up::shared().await;
    let ada = sign_up(&up.rest(), "ada-owner@example.com").await;
    let eve = sign_up(&up.rest(), "eve@example.com").await;
    let offer = offer(&up.rest(), "JFK", "SEA", &day(26), 1).await;
    let trip = book(&ada, &booking_of(&offer, 1), "owner").await;
    let id = trip.json["tripId"].as_str().unwrap();
    let locator = trip.json["bookings"][0]["locator"].as_str().unwrap();
    for path in [
        format!("/v1/trips/{id}"),
        format!("/v1/trips/{id}/overview"),
        format!("/v1/bookings/{locator}"),
    ] {
        assert_eq!(ada.get(&path).await.status, 200, "{path}");
        assert_eq!(eve.get(&path).await.status, 404, "{path}");
    }
    let cancel = eve
        .post(&format!("/v1/trips/{id}:cancel"), &json!({}))
        .await;
    assert_eq!((cancel.status, cancel.reason()), (404, "TRIP_NOT_FOUND"));
    assert_eq!(eve.get("/v1/trips").await.json, json!({}));
}

#[tokio::test]
async fn grpcurl_books_service_by_service_with_the_same_token() {
    let up = Up::shared().await;
    sign_up(&up.rest(), "grpc@example.com").await;
    let credentials = json!({"email": "grpc@example.com", "password": "correct horse battery"});
    let identity = "skyway.identity.v1.IdentityService";
    let (ok, session) = grpcurl(
        &up.identity,
        &[],
        &credentials,
        &format!("{identity}/CreateSession"),
    )
    .await;
    assert!(ok, "{session}");
    let token = token(&serde_json::from_str(&session).unwrap());
    let (ok, me) = grpcurl(
        &up.identity,
        &[&token],
        &json!({}),
        &format!("{identity}/GetCurrentUser"),
    )
    .await;
    assert!(ok && me.contains("grpc@example.com"), "{me}");

    let offer = offer(&up.rest(), "JFK", "SEA", &day(28), 1).await;
    let trips = "skyway.orchestration.v1.TripService";
    let headers = [token.as_str(), "idempotency-key: grpc"];
    let (ok, trip) = grpcurl(
        &up.orchestration,
        &headers,
        &booking_of(&offer, 1),
        &format!("{trips}/BookTrip"),
    )
    .await;
    assert!(ok && trip.contains("TRIP_STATE_CONFIRMED"), "{trip}");
    let bookings = "skyway.booking.v1.BookingService";
    let (ok, listed) = grpcurl(
        &up.booking,
        &[&token],
        &json!({}),
        &format!("{bookings}/ListBookings"),
    )
    .await;
    assert!(ok && listed.contains("BOOKING_STATE_CONFIRMED"), "{listed}");
}

#[tokio::test]
async fn only_the_mesh_holds_seats() {
    let up = Up::shared().await;
    sign_up(&up.rest(), "mesh@example.com").await;
    let token = token(&sign_in(&up.rest(), "mesh@example.com").await);
    let method = "skyway.booking.v1.BookingService/HoldSeats";
    let flight = up
        .rest()
        .get(&format!(
            "/v1/itineraries:search?origin=JFK&destination=SEA&departureDate={}",
            day(29)
        ))
        .await;
    let flight = &flight.json["itineraries"][0]["legs"][0]["flights"][0]["flightId"];
    let hold =
        json!({"holdId": "h1", "tripId": "t1", "userId": "u1", "flightId": flight, "seats": 1});
    for (headers, code) in [
        (vec![], "Unauthenticated"),
        (vec![token.as_str()], "PermissionDenied"),
        (vec!["skyway-identity: AAAA"], "Unauthenticated"),
    ] {
        let (ok, answer) = grpcurl(&up.booking, &headers, &hold, method).await;
        assert!(!ok && answer.contains(code), "{headers:?}: {answer}");
    }
    let directory = up.process.directory().join(".skyway");
    let header = crate::support::process::Process::run(
        &[
            "mesh-header",
            method,
            "--data-dir",
            directory.to_str().unwrap(),
        ],
        &[],
    )
    .await;
    assert_eq!(header.code, Some(0), "{}", header.stderr);
    let (ok, answer) = grpcurl(&up.booking, &[header.stdout.trim()], &hold, method).await;
    assert!(ok && answer.contains("BOOKING_STATE_HELD"), "{answer}");
}

#[tokio::test]
async fn sessions_are_renewed_once_and_end_when_told_to() {
    let up = Up::shared().await;
    let rest = up.rest();
    sign_up(&rest, "session@example.com").await;
    let first = sign_in(&rest, "Session@Example.com").await;
    let refresh = |session: &Value| json!({"refreshToken": session["refreshToken"]});
    let second = rest.post("/v1/sessions:refresh", &refresh(&first)).await;
    assert_eq!(second.status, 200, "{}", second.json);
    let stolen = rest.post("/v1/sessions:refresh", &refresh(&first)).await;
    assert_eq!(
        (stolen.status, stolen.reason()),
        (401, "REFRESH_TOKEN_INVALID")
    );
    let ended = rest
        .post("/v1/sessions:refresh", &refresh(&second.json))
        .await;
    assert_eq!(ended.status, 401, "its family is revoked");

    let third = sign_in(&rest, "session@example.com").await;
    let user = rest.with_token(third["accessToken"].as_str().unwrap());
    let out = user
        .request(Method::DELETE, "/v1/sessions/current")
        .send()
        .await
        .unwrap();
    assert_eq!(out.status(), 200);
    let gone = rest.post("/v1/sessions:refresh", &refresh(&third)).await;
    assert_eq!(gone.status, 401);

    let taken = json!({"email": "session@example.com", "password": "another password"});
    assert_eq!(
        rest.post("/v1/users", &taken).await.status,
        200,
        "nobody learns that it is taken"
    );
    let wrong = rest.post("/v1/sessions", &taken).await;
    let nobody = rest
        .post(
            "/v1/sessions",
            &json!({"email": "no@example.com", "password": "another password"}),
        )
        .await;
    assert_eq!((wrong.status, &wrong.json), (401, &nobody.json));
    assert_eq!(wrong.reason(), "WRONG_CREDENTIALS");
    let keys = rest.get("/.well-known/jwks.json").await;
    assert_eq!(keys.json["keys"][0]["crv"], "Ed25519");
}
