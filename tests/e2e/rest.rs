//! Flights are found over REST, and a mistake is told by its field.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::support::cluster::Up;
use crate::support::day;
use crate::support::http::Answer;

/// The search of the README.
fn search() -> String {
    format!(
        "/v1/itineraries:search?origin=JFK&destination=SEA&departureDate={}&passengers=2&orderBy=price&maxStops=1",
        day(1)
    )
}

fn itineraries(answer: &Answer) -> &[Value] {
    assert_eq!(answer.status, 200, "{}", answer.json);
    answer.json["itineraries"].as_array().unwrap()
}

/// An amount in cents.
fn cents(money: &Value) -> i64 {
    assert_eq!(money["currencyCode"], "USD");
    let units: i64 = money["units"]
        .as_str()
        .map_or(0, |units| units.parse().unwrap());
    units * 100 + money["nanos"].as_i64().unwrap_or(0) / 10_000_000
}

fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
}

/// Without what differs from one answer to the next by its nature: the signature of an offer.
fn without_offers(itineraries: &[Value]) -> Vec<Value> {
    let mut itineraries = itineraries.to_vec();
    for itinerary in &mut itineraries {
        assert!(
            itinerary["offerId"]
                .take()
                .as_str()
                .is_some_and(|offer| offer.len() > 20)
        );
    }
    itineraries
}

#[tokio::test]
async fn a_search_answers_as_documented() {
    let answer = Up::shared().await.rest().get(&search()).await;
    assert_eq!(answer.headers["content-type"], "application/json");
    let found = itineraries(&answer);
    assert!(found.len() > 1, "{found:?}");
    assert!(
        found.iter().any(|itinerary| itinerary["stops"] == 0),
        "a non-stop says so"
    );
    assert!(
        found.is_sorted_by_key(|itinerary| cents(&itinerary["totalPrice"])),
        "cheapest first"
    );
    for itinerary in found {
        assert!(text(&itinerary["offerId"]).len() > 20);
        let seconds: u64 = text(&itinerary["duration"])
            .strip_suffix('s')
            .unwrap()
            .parse()
            .unwrap();
        assert!((4 * 3600..24 * 3600).contains(&seconds), "{seconds}");
        let legs = itinerary["legs"].as_array().unwrap();
        let [leg] = legs.as_slice() else {
            panic!("one way is one leg: {legs:?}")
        };
        let flights = leg["flights"].as_array().unwrap();
        assert_eq!(
            itinerary["stops"].as_u64().unwrap() + 1,
            flights.len() as u64
        );
        assert_eq!(flights[0]["origin"], "JFK");
        assert_eq!(flights[flights.len() - 1]["destination"], "SEA");
        for flight in flights {
            let local = text(&flight["departureLocal"]);
            let id = format!(
                "{}{}-{}-{}",
                text(&flight["carrier"]),
                flight["flightNumber"],
                &local[..10],
                text(&flight["origin"])
            );
            assert_eq!(text(&flight["flightId"]), id);
            for (instant, local) in [
                ("departureTime", "departureLocal"),
                ("arrivalTime", "arrivalLocal"),
            ] {
                let (instant, local) = (text(&flight[instant]), text(&flight[local]));
                assert!(instant.ends_with('Z'), "{instant}");
                let same = |text| {
                    chrono::DateTime::parse_from_rfc3339(text)
                        .unwrap()
                        .timestamp()
                };
                assert_eq!(same(instant), same(local), "{instant} is {local}");
            }
            assert_eq!(flight["cabin"], "ECONOMY");
            assert!(flight["seatsLeft"].as_u64().unwrap() >= 2);
        }
    }
}

#[tokio::test]
async fn post_and_both_spellings_find_the_same() {
    let up = Up::shared().await;
    let expected = without_offers(itineraries(&up.rest().get(&search()).await));
    let snake = search()
        .replace("departureDate", "departure_date")
        .replace("orderBy", "order_by")
        .replace("maxStops", "max_stops");
    assert_eq!(
        without_offers(itineraries(&up.rest().get(&snake).await)),
        expected
    );
    for body in [
        json!({"origin": "JFK", "destination": "SEA", "departureDate": day(1), "passengers": 2, "orderBy": "price", "maxStops": 1}),
        json!({"origin": "JFK", "destination": "SEA", "departure_date": day(1), "passengers": 2, "order_by": "price", "max_stops": 1}),
        json!({"origin": "jfk", "destination": "sea", "departureDate": day(1), "passengers": 2, "cabin": "CABIN_ECONOMY", "maxStops": 1}),
    ] {
        let answer = up.rest().post("/v1/itineraries:search", &body).await;
        assert_eq!(without_offers(itineraries(&answer)), expected, "{body}");
    }
}

#[tokio::test]
async fn filters_hold_for_every_flight() {
    let up = Up::shared().await;
    let all = up.rest().get(&search()).await;
    let carrier = text(&itineraries(&all)[0]["legs"][0]["flights"][0]["carrier"]).to_owned();
    let price = cents(&itineraries(&all)[0]["totalPrice"]);
    let answer = up
        .rest()
        .get(&format!("{}&carriers={carrier}", search()))
        .await;
    let flights = itineraries(&answer)
        .iter()
        .flat_map(|itinerary| itinerary["legs"][0]["flights"].as_array().unwrap());
    assert!(
        flights
            .map(|flight| text(&flight["carrier"]))
            .all(|other| other == carrier)
    );
    assert!(!itineraries(&answer).is_empty());

    let limit = price / 100 + 1;
    let answer = up
        .rest()
        .get(&format!("{}&maxPrice={limit}", search()))
        .await;
    assert!(!itineraries(&answer).is_empty());
    assert!(
        itineraries(&answer)
            .iter()
            .all(|itinerary| cents(&itinerary["totalPrice"]) <= limit * 100)
    );

    let answer = up
        .rest()
        .get(&format!(
            "{}&departAfter=10:00&departBefore=16:00",
            search()
        ))
        .await;
    let first = itineraries(&answer)
        .iter()
        .map(|itinerary| text(&itinerary["legs"][0]["flights"][0]["departureLocal"]));
    let times: Vec<&str> = first.map(|local| &local[11..16]).collect();
    assert!(
        !times.is_empty() && times.iter().all(|time| ("10:00"..="16:00").contains(time)),
        "{times:?}"
    );
}

#[tokio::test]
async fn a_round_trip_is_pairs_of_legs() {
    let answer = Up::shared()
        .await
        .rest()
        .get(&format!("{}&returnDate={}", search(), day(8)))
        .await;
    for itinerary in itineraries(&answer) {
        let legs = itinerary["legs"].as_array().unwrap();
        let [out, back] = legs.as_slice() else {
            panic!("two legs: {legs:?}")
        };
        let first = |leg: &Value| leg["flights"][0].clone();
        assert_eq!(
            (text(&first(out)["origin"]), text(&first(back)["origin"])),
            ("JFK", "SEA")
        );
        assert_eq!(text(&first(out)["departureLocal"])[..10], day(1));
        assert_eq!(text(&first(back)["departureLocal"])[..10], day(8));
    }
    assert!(!itineraries(&answer).is_empty());
}

#[tokio::test]
async fn pages_add_up_to_the_whole() {
    let up = Up::shared().await;
    let whole = up.rest().get(&format!("{}&pageSize=100", search())).await;
    let ids = |answer: &Answer| -> Vec<String> {
        itineraries(answer)
            .iter()
            .map(|itinerary| itinerary["legs"].to_string())
            .collect()
    };
    let mut paged = vec![];
    let mut token = String::new();
    loop {
        let page = up
            .rest()
            .get(&format!("{}&pageSize=3&pageToken={token}", search()))
            .await;
        assert!((1..=3).contains(&itineraries(&page).len()));
        paged.extend(ids(&page));
        match page.json["nextPageToken"].as_str() {
            Some(next) if paged.len() < 100 => token = next.to_owned(),
            _ => break,
        }
    }
    assert_eq!(
        paged[..ids(&whole).len().min(paged.len())],
        ids(&whole)[..paged.len().min(ids(&whole).len())]
    );
    assert_eq!(
        paged.iter().collect::<HashSet<_>>().len(),
        paged.len(),
        "nothing twice"
    );
    let other = up
        .rest()
        .get(&format!("{}&pageToken={token}x", search()))
        .await;
    assert_eq!((other.status, other.fields()), (400, vec!["pageToken"]));
}

#[tokio::test]
async fn each_mistake_is_a_400_that_names_its_field() {
    let up = Up::shared().await;
    let yesterday = (chrono::Utc::now() - chrono::Days::new(2))
        .format("%Y-%m-%d")
        .to_string();
    let good = |name: &str| match name {
        "origin" => "JFK".to_owned(),
        "destination" => "SEA".to_owned(),
        _ => day(1),
    };
    let cases: [(&str, &str, &[&str]); 16] = [
        ("origin", "XXX1", &["origin"]),
        ("origin", "QQQ", &["origin"]),
        ("origin", "", &["origin"]),
        ("destination", "JFK", &["destination"]),
        ("departureDate", &yesterday, &["departureDate"]),
        ("departureDate", "2026-02-30", &["departureDate"]),
        ("departureDate", "tomorrow", &["departureDate"]),
        ("passengers", "0", &["passengers"]),
        ("passengers", "10", &["passengers"]),
        ("passengers", "two", &["passengers"]),
        ("maxStops", "3", &["maxStops"]),
        ("cabin", "SOFA", &["cabin"]),
        ("orderBy", "fun", &["orderBy"]),
        ("departAfter", "25:00", &["departAfter"]),
        ("pageToken", "bm9uc2Vuc2U", &["pageToken"]),
        ("colour", "red", &["colour"]),
    ];
    for (name, value, fields) in cases {
        let mut query: Vec<(&str, String)> = ["origin", "destination", "departureDate"]
            .map(|name| (name, good(name)))
            .to_vec();
        query.retain(|(other, _)| *other != name);
        query.push((name, value.to_owned()));
        let query: Vec<String> = query
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let answer = up
            .rest()
            .get(&format!("/v1/itineraries:search?{}", query.join("&")))
            .await;
        assert_eq!(
            (answer.status, answer.fields()),
            (400, fields.to_vec()),
            "{name}={value}: {}",
            answer.json
        );
        let error = &answer.json["error"];
        assert_eq!(
            (&error["code"], &error["status"]),
            (&json!(400), &json!("INVALID_ARGUMENT")),
            "{name}={value}"
        );
        assert!(!text(&error["message"]).is_empty());
        assert_eq!(answer.headers["content-type"], "application/json");
    }
    let body =
        json!({"origin": "JFK", "destination": "SEA", "departureDate": day(1), "colour": "red"});
    assert_eq!(
        up.rest()
            .post("/v1/itineraries:search", &body)
            .await
            .fields(),
        ["colour"]
    );
    let several = up
        .rest()
        .get("/v1/itineraries:search?origin=1&destination=2&departureDate=3")
        .await;
    assert_eq!(
        several.fields(),
        ["origin", "destination", "departureDate"],
        "all at once"
    );
}

#[tokio::test]
async fn what_is_not_there_is_a_404() {
    let up = Up::shared().await;
    for (path, reason) in [
        ("/v1/flights/NOPE-2026-12-01-JFK", "FLIGHT_NOT_FOUND"),
        ("/v1/nothing", "ROUTE_NOT_FOUND"),
    ] {
        let answer = up.rest().get(path).await;
        assert_eq!(
            (answer.status, answer.reason()),
            (404, reason),
            "{}",
            answer.json
        );
        assert_eq!(answer.json["error"]["status"], "NOT_FOUND");
        assert_eq!(answer.headers["content-type"], "application/json");
    }
}

#[tokio::test]
async fn a_flight_that_was_found_can_be_looked_at() {
    let up = Up::shared().await;
    let found = up.rest().get(&search()).await;
    let leg = &itineraries(&found)[0]["legs"][0]["flights"][0];
    let flight = up
        .rest()
        .get(&format!("/v1/flights/{}", text(&leg["flightId"])))
        .await;
    assert_eq!(flight.status, 200, "{}", flight.json);
    for key in [
        "flightId",
        "carrier",
        "flightNumber",
        "origin",
        "destination",
        "departureTime",
        "arrivalLocal",
    ] {
        assert_eq!(flight.json[key], leg[key], "{key}");
    }
    let economy = &flight.json["cabins"][0];
    assert_eq!(
        (&economy["cabin"], &economy["seatsLeft"]),
        (&json!("ECONOMY"), &leg["seatsLeft"])
    );
    assert!(cents(&economy["fare"]) > 0);
}

#[tokio::test]
async fn airports_are_found_by_code_city_and_name_without_accents() {
    let up = Up::shared().await;
    for (query, expected) in [
        ("jfk", "JFK"),
        ("sao paulo", "GRU"),
        ("São Paulo", "GRU"),
        ("SEATTLE", "SEA"),
        ("kennedy", "JFK"),
    ] {
        let request = up
            .rest()
            .request(reqwest::Method::GET, "/v1/airports")
            .query(&[("query", query)]);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        let codes: Vec<&str> = answer["airports"]
            .as_array()
            .unwrap()
            .iter()
            .map(|airport| text(&airport["code"]))
            .collect();
        assert!(codes.contains(&expected), "{query}: {codes:?}");
    }
    let exact = up.rest().get("/v1/airports?query=jfk&pageSize=1").await;
    assert_eq!(exact.json["airports"][0]["code"], "JFK");
    assert_eq!(exact.json["airports"][0]["timeZone"], "America/New_York");
}

#[tokio::test]
async fn the_document_of_the_surface_is_served() {
    let answer = Up::shared().await.rest().get("/openapi.json").await;
    assert_eq!(answer.status, 200);
    assert!(text(&answer.json["openapi"]).starts_with("3.1."));
    let paths = answer.json["paths"].as_object().unwrap();
    for path in [
        "/v1/airports",
        "/v1/itineraries:search",
        "/v1/flights/{flightId}",
        "/v1/flights:departures",
        "/v1/flights/{flightId}:watch",
    ] {
        assert!(paths.contains_key(path), "{path} in {:?}", paths.keys());
    }
}
