//! A replica as others see it: over its port, with its database beside it.

#![allow(clippy::unwrap_used)] // a failed step fails the test

use std::{path::Path, time::Duration};

use contracts::search::v1::{
    Flight, GetFlightRequest, ListAirportsRequest, SEARCH_SERVICE, SearchItinerariesRequest,
    SearchItinerariesResponse, StreamDeparturesRequest, WatchFlightRequest,
    search_service_client::SearchServiceClient,
};
use futures_util::TryStreamExt;
use mesh::client::{Channel, Config as ClientConfig};
use search::{
    Config,
    domain::day::Day,
    import::{Format, Options},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Code, Response, Status};
use tonic_types::StatusExt;

/// A timetable of five flights: enough for a non-stop, a connection and a way back.
const TIMETABLE: &str = "\
carrier,number,origin,destination,departure,arrival,arrival_day,economy_seats,economy_fare,first_seats,first_fare
AS,21,JFK,SEA,10:00,13:15,,150,250.00,12,900.00
UA,5,JFK,ORD,08:00,09:45,,150,60.00,,
UA,6,ORD,SEA,11:00,13:40,,150,80.00,,
AS,22,SEA,JFK,14:00,22:20,,150,240.00,,
B6,7,JFK,LAX,23:30,02:45,1,150,240.00,,
";

struct Replica {
    client: SearchServiceClient<Channel>,
    served: JoinHandle<Result<(), search::ServeError>>,
    shutdown: CancellationToken,
    _stop: DropGuard,
}

fn config(dir: &Path, seed_demo: bool) -> Config {
    Config {
        seed_demo,
        timetable_poll: Duration::from_millis(20),
        ..Config::new(dir)
    }
}

async fn start(config: Config) -> Replica {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoints = format!("static://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let shutdown = CancellationToken::new();
    let served = tokio::spawn(search::serve(config, listener, shutdown.clone()));
    let client = SearchServiceClient::new(Channel::connect(
        &SEARCH_SERVICE,
        ClientConfig {
            patience: Duration::from_mins(1),
            ..ClientConfig::new(endpoints)
        },
    ));
    Replica {
        client,
        served,
        _stop: shutdown.clone().drop_guard(),
        shutdown,
    }
}

fn today() -> Day {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    Day::from_number(i32::try_from(now.as_secs() / 86_400).unwrap())
}

async fn import(config: &Config, text: &str, merge: bool) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let options = Options {
        format: Format::Auto,
        keep_dates: false,
        merge,
        today: today(),
    };
    let summary = search::import(config, &[file.path().to_owned()], options, |_| {})
        .await
        .unwrap();
    assert_eq!(summary.refused, []);
}

fn from_jfk_to_sea() -> SearchItinerariesRequest {
    SearchItinerariesRequest {
        origin: "JFK".into(),
        destination: "SEA".into(),
        departure_date: today().plus(30).to_string(),
        ..SearchItinerariesRequest::default()
    }
}

impl Replica {
    async fn search(
        &mut self,
        request: SearchItinerariesRequest,
    ) -> Result<SearchItinerariesResponse, Status> {
        self.client
            .search_itineraries(request)
            .await
            .map(Response::into_inner)
    }

    async fn flight(&mut self, flight_id: String) -> Result<Flight, Status> {
        self.client
            .get_flight(GetFlightRequest { flight_id })
            .await
            .map(Response::into_inner)
    }
}

/// A replica with that timetable; the directory lives as long as the test wants it.
async fn start_with(dir: &tempfile::TempDir) -> Replica {
    let config = config(dir.path(), false);
    import(&config, TIMETABLE, false).await;
    start(config).await
}

fn reason(status: &Status) -> String {
    status
        .get_error_details()
        .error_info()
        .unwrap()
        .reason
        .clone()
}

fn wrong_fields(status: &Status) -> Vec<String> {
    let details = status.get_error_details();
    details
        .bad_request()
        .unwrap()
        .field_violations
        .iter()
        .map(|violation| violation.field.clone())
        .collect()
}

#[tokio::test]
async fn itineraries_are_found_priced_and_offered() {
    let dir = tempfile::tempdir().unwrap();
    let found = start_with(&dir)
        .await
        .search(from_jfk_to_sea())
        .await
        .unwrap();
    let stops: Vec<Option<u32>> = found
        .itineraries
        .iter()
        .map(|itinerary| itinerary.stops)
        .collect();
    assert_eq!(
        (stops, found.next_page_token.as_str()),
        (vec![Some(1), Some(0)], "")
    );
    let direct = &found.itineraries[1];
    let flight = &direct.legs[0].flights[0];
    assert_eq!(flight.flight_id, format!("AS21-{}-JFK", today().plus(30)));
    let local = format!("{}T10:00:00-0", today().plus(30));
    assert!(
        flight.departure_local.starts_with(&local),
        "{}",
        flight.departure_local
    );
    assert_eq!(flight.seats_left, Some(150));
    // 30 days ahead, or 29 and some hours: eleven tenths of the base fare, and up to a day more.
    let price = direct.total_price.as_ref().unwrap();
    assert!(
        price.currency_code == "USD" && (275..279).contains(&price.units),
        "{price:?}"
    );
    assert!(direct.offer_id.len() > 64);
}

#[tokio::test]
async fn a_page_goes_on_where_the_last_one_ended() {
    let dir = tempfile::tempdir().unwrap();
    let mut replica = start_with(&dir).await;
    let pairs = SearchItinerariesRequest {
        return_date: today().plus(37).to_string(),
        passengers: Some(2),
        page_size: 1,
        ..from_jfk_to_sea()
    };
    let first = replica.search(pairs.clone()).await.unwrap();
    let page_token = first.next_page_token.clone();
    let second = replica
        .search(SearchItinerariesRequest {
            page_token: page_token.clone(),
            ..pairs
        })
        .await
        .unwrap();
    assert_eq!(
        (
            first.itineraries.len(),
            second.itineraries.len(),
            second.next_page_token.as_str()
        ),
        (1, 1, "")
    );
    assert_eq!(first.itineraries[0].legs.len(), 2);
    assert_ne!(first.itineraries[0].legs[0], second.itineraries[0].legs[0]);
    let other_search = SearchItinerariesRequest {
        page_token,
        ..from_jfk_to_sea()
    };
    let refused = replica.search(other_search).await.unwrap_err();
    assert_eq!(
        (refused.code(), wrong_fields(&refused)),
        (Code::InvalidArgument, vec!["page_token".to_owned()])
    );
}

#[tokio::test]
async fn flights_are_found_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let mut replica = start_with(&dir).await;
    let date = today().plus(3);
    let flight = replica.flight(format!("AS21-{date}-JFK")).await.unwrap();
    assert_eq!(
        (
            flight.carrier.as_str(),
            flight.flight_number,
            flight.destination.as_str(),
            flight.cabins.len()
        ),
        ("AS", 21, "SEA", 2)
    );
    for unknown in [
        "NOPE-2026-12-01-JFK".to_owned(),
        format!("AS99-{date}-JFK"),
        format!("AS21-{}-JFK", today().plus(400)),
    ] {
        let missing = replica.flight(unknown.clone()).await.unwrap_err();
        assert_eq!(
            (missing.code(), reason(&missing).as_str()),
            (Code::NotFound, "FLIGHT_NOT_FOUND"),
            "{unknown}"
        );
    }
}

#[tokio::test]
async fn boards_and_airports_are_served() {
    let dir = tempfile::tempdir().unwrap();
    let mut replica = start_with(&dir).await;
    let date = today().plus(3);
    let request = StreamDeparturesRequest {
        airport: "jfk".into(),
        date: date.to_string(),
    };
    let board = replica
        .client
        .stream_departures(request)
        .await
        .unwrap()
        .into_inner();
    let board: Vec<String> = board
        .map_ok(|line| line.flight_id)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(
        board,
        [
            format!("UA5-{date}-JFK"),
            format!("AS21-{date}-JFK"),
            format!("B67-{date}-JFK")
        ]
    );
    let request = ListAirportsRequest {
        query: "new york".into(),
        page_size: 1,
        page_token: String::new(),
    };
    let first = replica
        .client
        .list_airports(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(first.airports[0].code, "JFK");
    let request = ListAirportsRequest {
        page_token: first.next_page_token,
        ..request
    };
    let second = replica
        .client
        .list_airports(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(second.airports[0].city, "New York");
}

#[tokio::test]
async fn a_wrong_request_names_its_fields() {
    let dir = tempfile::tempdir().unwrap();
    let mut replica = start(config(dir.path(), false)).await;
    for (request, fields, message) in [
        (
            SearchItinerariesRequest {
                origin: "ZZZ".into(),
                ..from_jfk_to_sea()
            },
            vec!["origin"],
            "origin: no airport has the code ZZZ",
        ),
        (
            SearchItinerariesRequest {
                passengers: Some(0),
                ..from_jfk_to_sea()
            },
            vec!["passengers"],
            "passengers: ",
        ),
        (
            SearchItinerariesRequest {
                departure_date: "2020-01-01".into(),
                ..from_jfk_to_sea()
            },
            vec!["departure_date"],
            "departure_date: is in the past: today is ",
        ),
    ] {
        let refused = replica.search(request).await.unwrap_err();
        assert_eq!(
            (wrong_fields(&refused), reason(&refused).as_str()),
            (
                fields.iter().map(ToString::to_string).collect(),
                "INVALID_ARGUMENT"
            )
        );
        assert!(
            refused.message().starts_with(message),
            "{}",
            refused.message()
        );
    }
}

#[tokio::test]
async fn an_import_is_taken_up_while_serving() {
    let dir = tempfile::tempdir().unwrap();
    let mut replica = start_with(&dir).await;
    let config = config(dir.path(), false);
    let id = |flight: &str| format!("{flight}-{}-JFK", today().plus(30));
    let mut watched = replica
        .client
        .watch_flight(WatchFlightRequest {
            flight_id: id("AS21"),
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        watched.message().await.unwrap().unwrap().departure_local[11..16],
        *"10:00"
    );

    import(
        &config,
        &TIMETABLE.replace("10:00,13:15", "11:00,14:15"),
        false,
    )
    .await;
    assert_eq!(
        watched.message().await.unwrap().unwrap().departure_local[11..16],
        *"11:00"
    );
    assert_eq!(
        replica.flight(id("AS21")).await.unwrap().departure_local[11..16],
        *"11:00"
    );

    let header = TIMETABLE.lines().next().unwrap();
    import(
        &config,
        &format!("{header}\nHA,9,JFK,HNL,10:00,15:40,,150,500.00,,\n"),
        true,
    )
    .await;
    while replica.flight(id("HA9")).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert!(replica.flight(id("B67")).await.is_ok());

    // The stream ends with the replica, so that its watcher goes to another one.
    replica.shutdown.cancel();
    assert_eq!(
        watched.message().await.unwrap_err().code(),
        Code::Unavailable
    );
    replica.served.await.unwrap().unwrap();
}

#[tokio::test]
async fn replicas_that_start_at_once_share_the_demonstration_network_and_their_key() {
    let dir = tempfile::tempdir().unwrap();
    let (mut one, mut other) = tokio::join!(
        start(config(dir.path(), true)),
        start(config(dir.path(), true))
    );
    let request = SearchItinerariesRequest {
        page_size: 3,
        max_stops: Some(1),
        ..from_jfk_to_sea()
    };
    let first = one
        .client
        .search_itineraries(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(first.itineraries.len(), 3);
    assert_eq!(
        other
            .client
            .search_itineraries(request.clone())
            .await
            .unwrap()
            .into_inner()
            .itineraries
            .iter()
            .map(|found| &found.legs)
            .collect::<Vec<_>>(),
        first
            .itineraries
            .iter()
            .map(|found| &found.legs)
            .collect::<Vec<_>>()
    );
    // A page begun at one goes on at the other.
    let next = SearchItinerariesRequest {
        page_token: first.next_page_token,
        ..request
    };
    assert!(other.client.search_itineraries(next).await.is_ok());
}

#[tokio::test]
async fn a_file_that_cannot_be_used_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), false);
    import(&config, TIMETABLE, false).await;
    let bad = dir.path().join("bad.csv");
    std::fs::write(
        &bad,
        TIMETABLE
            .replace(",JFK,", ",QQQ,")
            .replace(",ORD,", ",QQQ,")
            .replace(",SEA,", ",QQQ,"),
    )
    .unwrap();
    let options = Options {
        format: Format::Native,
        keep_dates: false,
        merge: false,
        today: today(),
    };
    let error = search::import(&config, &[bad], options, |_| {})
        .await
        .unwrap_err();
    assert!(error.to_string().contains("none of its 5 rows can be used; line 2: origin: \"QQQ\" is not the code of a known airport"), "{error}");
    let mut replica = start(config).await;
    assert_eq!(
        replica
            .client
            .search_itineraries(from_jfk_to_sea())
            .await
            .unwrap()
            .into_inner()
            .itineraries
            .len(),
        2
    );
}
