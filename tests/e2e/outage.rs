//! The queue is away for half a minute while trips are booked: none fails, none takes longer, and all mails come afterwards.

use std::time::{Duration, Instant};

use testing::{Redis, smtp::SmtpSink};

use crate::support::day;
use crate::support::http::Rest;
use crate::support::mesh::{Mesh, Stores, booking_of, number, offer};
use crate::support::wait;

const TIMETABLE: &str = "carrier,number,origin,destination,departure,arrival,arrival_day,economy_seats,economy_fare\n\
                         AS,21,JFK,SEA,10:00,13:15,,999,250.00\n";
/// Between two trips: a rate that the busiest machine keeps up with.
const EVERY: Duration = Duration::from_millis(250);
/// How long the queue is away, and how long trips are booked before.
const AWAY: Duration = Duration::from_secs(30);
const BEFORE: Duration = Duration::from_secs(15);
/// How much longer half of the trips may take than before: a timeout of the queue in their way would be seconds.
const SLOWER: u32 = 2;

/// Books trips at a steady rate, each of which must succeed at the first attempt, and gives how long each took.
async fn book(user: &Rest, offer: &str, name: &str, period: Duration) -> Vec<Duration> {
    let start = Instant::now();
    let mut took = vec![];
    while start.elapsed() < period {
        let number = u32::try_from(took.len()).unwrap();
        tokio::time::sleep_until((start + EVERY * number).into()).await;
        let begun = Instant::now();
        let request = user.request(reqwest::Method::POST, "/v1/trips");
        let request = request.header("idempotency-key", format!("{name}-{number}"));
        let answer = request.json(&booking_of(offer, 1)).send().await.unwrap();
        let (status, trip) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{name} {number}: {status} {trip}");
        assert!(trip.contains("\"CONFIRMED\""), "{name} {number}: {trip}");
        took.push(begun.elapsed());
    }
    took.sort();
    took
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_queue_is_away_no_booking_fails_or_waits() {
    let (booking, orchestration) = (testing::postgres().await, testing::postgres().await);
    let stores = Stores {
        booking: booking.url.clone(),
        orchestration: orchestration.url.clone(),
    };
    let (redis, sink) = (Redis::start_durable().await, SmtpSink::start().await);
    let settings = [("REDIS_URL", redis.url()), ("SMTP_URL", sink.url())];
    let settings = settings
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let mesh = Mesh::start(&stores, TIMETABLE, &settings).await;
    let user = mesh.user("ada@example.com").await;
    let offer = offer(&mesh.rest, "JFK", "SEA", &day(30), 1).await;

    let before = book(&user, &offer, "before", BEFORE).await;
    sink.wait_for(before.len()).await;
    redis.kill().await;
    let away = book(&user, &offer, "away", AWAY).await;
    assert_eq!(sink.came(), before.len(), "nothing is queued");
    let waiting = number(
        &mesh.trips,
        "SELECT COUNT(*) FROM outbox WHERE topic = 'mail'",
    )
    .await;
    assert_eq!(usize::try_from(waiting).unwrap(), away.len());
    redis.start_again().await;
    let mails = before.len() + away.len();
    sink.wait_for(mails).await;
    wait::until("the outbox to be empty", async || {
        let left = number(
            &mesh.trips,
            "SELECT COUNT(*) FROM outbox WHERE topic = 'mail'",
        )
        .await;
        (left == 0).then_some(())
    })
    .await;
    assert_eq!((sink.came(), sink.counts().len()), (mails, mails));

    let [before, away] = [&before, &away].map(|took| took[took.len() / 2]);
    println!(
        "half of the trips took at most {before:.0?} before, and {away:.0?} while the queue was away"
    );
    assert!(away <= before * SLOWER, "{away:?} in place of {before:?}");
}
