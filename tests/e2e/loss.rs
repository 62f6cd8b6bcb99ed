//! Whoever is killed, wiped or away: every mail arrives, and none twice but where the mail server had it and the
//! process or the connection died before that was written down; the record says of which mails that may be.

use std::time::Duration;

use contracts::orchestration::v1::{Passenger, Trip, TripBooking, TripEvent, TripEventKind};
use prost::Message as _;
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement};
use tempfile::TempDir;
use testing::{Redis, smtp::SmtpSink};

use crate::support::day;
use crate::support::mesh::{Part, number};
use crate::support::process::Process;
use crate::support::wait;

const MAILS: usize = 2_000;
/// Mails that may come twice, less than one in a thousand: the mail server had them, and it was not yet written down.
const WINDOW: usize = (MAILS - 1) / 1_000;
/// Mails per second over both replicas: they take as long as the harm that is done meanwhile.
const RATE: &str = "50";
const TIMETABLE: &str = "carrier,number,origin,destination,departure,arrival,arrival_day,economy_seats,economy_fare\n\
                         UA,1,JFK,SEA,08:00,11:15,,200,60.00\n";
/// Mails of which the record says that a replica died while it handed them over.
const UNCLEAR: &str = "SELECT mail_id FROM mails WHERE unclear > 0";
/// Mails of which it says that the connection broke over them.
const BROKEN: &str = "SELECT mail_id FROM mails WHERE unclear = 0 AND last_error <> ''";

/// What brings mails from the outbox to the mailbox.
struct Post {
    sink: SmtpSink,
    redis: Redis,
    outbox: DatabaseConnection,
    record: DatabaseConnection,
    mail: [Part; 2],
    _others: [Part; 2],
    _data: TempDir,
}

impl Post {
    /// Starts it: search and orchestration, and two replicas of mail.
    async fn start(redis: Redis, rate: &str) -> Self {
        let data = TempDir::with_prefix("skyway-post-").unwrap();
        let timetable = data.path().join("timetable.csv");
        std::fs::write(&timetable, TIMETABLE).unwrap();
        let (trips, mails) = (testing::postgres().await, testing::postgres().await);
        let sink = SmtpSink::start().await;
        let mut parts =
            ["search", "orchestration", "mail", "mail"].map(|service| Part::new(service, &[]));
        let of = |indices: &[usize]| {
            let addresses = indices.iter().map(|index| parts[*index].address.as_str());
            format!("static://{}", addresses.collect::<Vec<_>>().join(","))
        };
        let environment: Vec<(String, String)> = [
            ("SKYWAY_DATA_DIR", data.path().display().to_string()),
            ("SKYWAY_SEARCH_DEMONSTRATION", "false".to_owned()),
            ("SKYWAY_SEARCH_LIVE_SEATS", "false".to_owned()),
            ("SKYWAY_SEARCH_ENDPOINTS", of(&[0])),
            ("SKYWAY_MAIL_ENDPOINTS", of(&[2, 3])),
            ("SKYWAY_ORCHESTRATION_DATABASE_URL", trips.url.clone()),
            ("SKYWAY_MAIL_DATABASE_URL", mails.url.clone()),
            ("SKYWAY_MAIL_RATE", rate.to_owned()),
            ("REDIS_URL", redis.url()),
            ("SMTP_URL", sink.url()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let import = ["import", timetable.to_str().unwrap()];
        let settings: Vec<_> = environment
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(Process::run(&import, &settings).await.code, Some(0));
        for part in &mut parts {
            part.environment.clone_from(&environment);
            part.start();
        }
        for part in &parts {
            part.ready().await;
        }
        let [search, orchestration, one, other] = parts;
        Self {
            sink,
            redis,
            outbox: Database::connect(&trips.url).await.unwrap(),
            record: Database::connect(&mails.url).await.unwrap(),
            mail: [one, other],
            _others: [search, orchestration],
            _data: data,
        }
    }

    /// Orders mails, as trips that are booked do: by rows of the outbox.
    async fn order(&self, numbers: std::ops::Range<usize>) {
        let flight = format!("UA1-{}-JFK", day(30));
        for number in numbers {
            let id = format!("trip-{number}");
            let event = TripEvent {
                kind: TripEventKind::Confirmed.into(),
                user_id: "ada".to_owned(),
                trip: Some(trip(&id, &flight)),
            };
            let values = [
                id.clone().into(),
                format!("{id}-confirmed").into(),
                event.encode_to_vec().into(),
            ];
            let insert = "INSERT INTO outbox (topic, aggregate, message_id, payload, created) \
                          VALUES ('mail', $1, $2, $3, 1700000000000)";
            let insert = Statement::from_sql_and_values(DbBackend::Postgres, insert, values);
            self.outbox.execute_raw(insert).await.unwrap();
        }
    }

    /// Waits until every ordered mail has come, and the outbox is empty.
    async fn settled(&self, mails: usize) {
        let mut patience = 10;
        loop {
            let waited = tokio::time::timeout(Duration::from_secs(30), async {
                while self.sink.counts().len() < mails
                    || number(&self.outbox, "SELECT COUNT(*) FROM outbox").await > 0
                {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            });
            if waited.await.is_ok() {
                return;
            }
            patience -= 1;
            let (came, left) = (
                self.sink.counts().len(),
                number(&self.outbox, "SELECT COUNT(*) FROM outbox").await,
            );
            assert!(
                patience > 0,
                "{came} of {mails} mails came, {left} rows are left"
            );
        }
    }

    /// Message-IDs of mails that came more than once.
    fn doubles(&self) -> Vec<String> {
        let counts = self.sink.counts().into_iter();
        let doubles = counts.filter(|(_, times)| *times > 1);
        doubles.map(|(message_id, _)| message_id).collect()
    }

    /// Takes those from some Message-IDs of which the record says so, and gives how many.
    async fn account(&self, message_ids: &mut Vec<String>, of: &str) -> usize {
        let of = Statement::from_string(DbBackend::Postgres, of);
        let rows = self.record.query_all_raw(of).await.unwrap();
        let known = rows.iter().map(|row| row.try_get_by_index(0).unwrap());
        let known: Vec<String> = known.map(|mail: String| format!("<{mail}@")).collect();
        let before = message_ids.len();
        message_ids.retain(|message_id| !known.iter().any(|mail| message_id.starts_with(mail)));
        before - message_ids.len()
    }
}

fn trip(id: &str, flight: &str) -> Trip {
    Trip {
        trip_id: id.to_owned(),
        state: contracts::orchestration::v1::TripState::Confirmed.into(),
        bookings: vec![TripBooking {
            locator: "K7QXPL".to_owned(),
            flight_id: flight.to_owned(),
            seats: 1,
            state: contracts::booking::v1::BookingState::Confirmed.into(),
        }],
        passengers: vec![Passenger {
            given_name: "Ada".to_owned(),
            family_name: "Lovelace".to_owned(),
        }],
        contact_email: "ada@example.com".to_owned(),
        total_price: Some(contracts::google::r#type::Money {
            currency_code: "USD".to_owned(),
            units: 60,
            nanos: 0,
        }),
        departure_time: Some(prost_types::Timestamp {
            seconds: 1_900_000_000,
            nanos: 0,
        }),
        create_time: Some(prost_types::Timestamp {
            seconds: 1_700_000_000,
            nanos: 0,
        }),
        ..Trip::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_every_mail_arrives() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut post = Post::start(Redis::start_durable().await, RATE).await;
    for round in 0..8 {
        post.order(round * MAILS / 8..(round + 1) * MAILS / 8).await;
        tokio::time::sleep(Duration::from_millis(random.u64(100..600))).await;
        match round % 4 {
            0 | 2 => post.mail[random.usize(0..2)].kill(),
            1 => {
                post.redis.kill().await;
                tokio::time::sleep(Duration::from_millis(random.u64(100..600))).await;
                post.redis.start_again().await;
            }
            _ => {
                post.sink.stop().await;
                tokio::time::sleep(Duration::from_millis(random.u64(100..1_000))).await;
                post.sink.restart().await;
            }
        }
        tokio::time::sleep(Duration::from_millis(random.u64(0..300))).await;
        for replica in &mut post.mail {
            replica.start_if_dead();
        }
    }
    post.settled(MAILS).await;
    let mut doubles = post.doubles();
    let died = post.account(&mut doubles, UNCLEAR).await;
    let broke = post.account(&mut doubles, BROKEN).await;
    println!(
        "{MAILS} mails came; twice: {died} where a replica died, {broke} where the connection broke"
    );
    assert!(
        died + broke <= WINDOW,
        "{died} came twice where a replica died, {broke} where the connection broke"
    );
    assert_eq!(
        doubles, [""; 0],
        "came twice, and the record does not say how"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_queue_loses_nothing_and_doubles_nothing() {
    let post = Post::start(Redis::start().await, "40").await;
    post.order(0..200).await;
    post.sink.wait_for(40).await;
    let client = redis::Client::open(post.redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd("FLUSHALL")
        .exec_async(&mut connection)
        .await
        .unwrap();
    post.settled(200).await;
    assert_eq!(post.doubles(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_wait_while_the_queue_is_away_and_leave_when_it_is_back() {
    let post = Post::start(Redis::start_durable().await, "200").await;
    post.redis.kill().await;
    post.order(0..100).await;
    assert_eq!(post.sink.received().len(), 0);
    post.redis.start_again().await;
    post.settled(100).await;
    assert_eq!(post.doubles(), [""; 0]);
    wait::until("the outbox to be empty", async || {
        (number(&post.outbox, "SELECT COUNT(*) FROM outbox").await == 0).then_some(())
    })
    .await;
}
