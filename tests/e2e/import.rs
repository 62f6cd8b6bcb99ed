//! A timetable comes in whole or not at all.

use std::fs;
use std::path::Path;

use chrono::{Datelike, Days, NaiveDate, Utc, Weekday};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::cluster::{Gateway, Replica};
use crate::support::process::{Finished, Process};
use crate::support::{day, tools, wait};

/// Two daily flights in Skyway's own format.
const NATIVE: &str = "\
carrier,number,origin,destination,departure,arrival,arrival_day,weekdays,effective_from,effective_to,economy_seats,economy_fare
ZZ,1,JFK,SEA,10:00,13:15,0,1234567,,,150,199.00
ZZ,2,SEA,JFK,22:00,06:10,1,1234567,,,150,219.00
";

async fn import(files: &[&Path], data_dir: &Path) -> Finished {
    let files = files.iter().map(|file| file.to_str().unwrap());
    let arguments: Vec<&str> = ["import", "--data-dir", data_dir.to_str().unwrap()]
        .into_iter()
        .chain(files)
        .collect();
    Process::run(&arguments, &[]).await
}

#[tokio::test]
async fn a_running_replica_takes_over_what_is_imported() {
    let data = TempDir::new().unwrap();
    let replica = Replica::start(data.path(), &[]).await;
    let gateway = Gateway::start(&[&replica], &[]).await;
    let flight = format!("/v1/flights/ZZ1-{}-JFK", day(1));
    assert_eq!(gateway.rest.get(&flight).await.status, 404);

    let file = data.path().join("own.csv");
    fs::write(&file, NATIVE).unwrap();
    let finished = import(&[&file], data.path()).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    for part in ["2 rows read", "2 patterns made", "0 rows refused"] {
        assert!(
            finished.stdout.contains(part),
            "{part} in {}",
            finished.stdout
        );
    }
    wait::until("the new timetable", async || {
        (gateway.rest.get(&flight).await.status == 200).then_some(())
    })
    .await;
    let overnight = gateway
        .rest
        .get(&format!("/v1/flights/ZZ2-{}-SEA", day(1)))
        .await;
    assert!(
        overnight.json["arrivalLocal"]
            .as_str()
            .unwrap()
            .starts_with(&day(2)),
        "{}",
        overnight.json
    );
    let found = gateway
        .rest
        .get(&format!(
            "/v1/itineraries:search?origin=JFK&destination=SEA&departureDate={}",
            day(1)
        ))
        .await;
    assert_eq!(
        found.json["itineraries"].as_array().unwrap().len(),
        1,
        "the demonstration network is gone: {}",
        found.json
    );
}

#[tokio::test]
async fn a_bad_file_changes_nothing() {
    let data = TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        fs::write(data.path().join(name), text).unwrap();
        data.path().join(name)
    };
    let good = write("good.csv", NATIVE);
    assert_eq!(import(&[&good], data.path()).await.code, Some(0));

    let cases = [
        write("header.csv", "a,b,c\n1,2,3\n"),
        write("empty.csv", ""),
        write("rows.csv", &NATIVE.replace("JFK", "Q9Q")),
        data.path().join("missing.csv"),
    ];
    for bad in &cases {
        for files in [vec![bad.as_path()], vec![good.as_path(), bad.as_path()]] {
            let finished = import(&files, data.path()).await;
            assert_eq!(finished.code, Some(1), "{files:?} {finished:?}");
            let error = finished.stderr.lines().last().unwrap();
            assert!(
                error.starts_with("skyway: import: ")
                    && error.contains(bad.file_name().unwrap().to_str().unwrap()),
                "{finished:?}"
            );
            let reasons = error.matches("os error").count();
            assert!(reasons <= 1, "it says why more than once: {error}");
        }
    }
    let replica = Replica::start(data.path(), &[]).await;
    let gateway = Gateway::start(&[&replica], &[]).await;
    assert_eq!(
        gateway
            .rest
            .get(&format!("/v1/flights/ZZ1-{}-JFK", day(1)))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_bad_row_is_refused_with_its_line_and_the_rest_is_taken() {
    let data = TempDir::new().unwrap();
    let file = data.path().join("rows.csv");
    fs::write(&file, format!("{NATIVE}ZZ,3,JFK,QQQ,10:00,13:15,0,1234567,,,150,199.00\nZZ,4,JFK,SEA,25:00,13:15,0,1234567,,,150,199.00\n")).unwrap();
    let finished = import(&[&file], data.path()).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(
        finished.stdout.contains("2 rows refused"),
        "{}",
        finished.stdout
    );
    for (line, word) in [(4, "QQQ"), (5, "25:00")] {
        let place = format!("rows.csv:{line}: ");
        let refused = finished
            .stdout
            .lines()
            .find(|text| text.contains(&place))
            .unwrap_or_default();
        assert!(
            refused.contains(word),
            "{place}{word} in {}",
            finished.stdout
        );
    }
}

/// A row of the data of 2013: its day, scheduled departure and scheduled arrival.
type Flown = (NaiveDate, String, String);

/// What flew as UA 1545 from EWR to IAH, by the file itself.
fn flown(file: &Path) -> Vec<Flown> {
    let text = fs::read_to_string(file).unwrap();
    let rows = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let rows =
        rows.filter(|row| (row[9], row[10], row[12], row[13]) == ("UA", "1545", "EWR", "IAH"));
    let number = |text: &str| text.parse::<u32>().unwrap();
    let clock = |text: &str| format!("{:02}:{:02}", number(text) / 100, number(text) % 100);
    rows.map(|row| {
        let date = NaiveDate::from_ymd_opt(row[0].parse().unwrap(), number(row[1]), number(row[2]))
            .unwrap();
        (date, clock(row[4]), clock(row[7]))
    })
    .collect()
}

/// The coming day that a day of 2013 is laid over: the same ISO week and weekday, within 330 days.
fn laid_over(flown: &[Flown]) -> (NaiveDate, String, String) {
    let today = Utc::now().date_naive();
    let same = |date: NaiveDate| (date.iso_week().week(), date.weekday());
    // Weeks 1, 52 and 53 hold days of two years, so that two rows may meet in one day.
    let days = (2..300)
        .map(|days| today + Days::new(days))
        .filter(|day| (2..52).contains(&day.iso_week().week()));
    let mut met = days.filter_map(|day| {
        let (_, departure, arrival) = flown.iter().find(|(date, ..)| same(*date) == same(day))?;
        Some((day, departure.clone(), arrival.clone()))
    });
    met.next().unwrap()
}

#[tokio::test]
async fn the_flights_of_2013_can_be_searched_at_their_scheduled_times() {
    let flights = tools::path("flights.csv");
    let flown = flown(&flights);
    let first = NaiveDate::from_ymd_opt(2013, 1, 1).unwrap();
    assert_eq!(
        (first.weekday(), &flown[0]),
        (
            Weekday::Tue,
            &(first, "05:15".to_owned(), "08:19".to_owned())
        )
    );

    let data = TempDir::new().unwrap();
    let finished = import(&[&flights], data.path()).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(
        finished.stdout.contains("336776 rows read"),
        "{}",
        finished.stdout
    );

    let replica = Replica::start(data.path(), &[]).await;
    let gateway = Gateway::start(&[&replica], &[]).await;
    let (day, departure, arrival) = laid_over(&flown);
    let found = gateway.rest.get(&format!("/v1/itineraries:search?origin=EWR&destination=IAH&departureDate={day}&maxStops=0&pageSize=100&carriers=UA")).await;
    let flights = found.json["itineraries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|itinerary| &itinerary["legs"][0]["flights"][0]);
    let id = format!("UA1545-{day}-EWR");
    let flight = flights
        .clone()
        .find(|flight| flight["flightId"] == id.as_str());
    // Another non-stop may beat it on price, duration and stops alike, and then it is left out of a search.
    let looked_up = gateway.rest.get(&format!("/v1/flights/{id}")).await.json;
    for flight in flight.into_iter().chain([&looked_up]) {
        let local = |key: &str| flight[key].as_str().map(|text| text[..16].to_owned());
        assert_eq!(
            local("departureLocal"),
            Some(format!("{day}T{departure}")),
            "{flight}"
        );
        assert_eq!(
            local("arrivalLocal"),
            Some(format!("{day}T{arrival}")),
            "{flight}"
        );
    }
    assert!(flights.count() > 0, "{}", Value::to_string(&found.json));
}
