//! What happens to a trip comes by mail, once, whoever is away meanwhile.

use std::collections::HashSet;

use reqwest::Method;
use serde_json::{Value, json};
use testing::smtp::{Mails, Misbehaviour, SmtpSink};

use crate::support::cluster::Up;
use crate::support::day;
use crate::support::http::{Answer, Rest};
use crate::support::mesh::{book, booking_of, offer, sign_up};
use crate::support::otlp::{Collector, Span};
use crate::support::wait;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
/// Kinds of a span in OTLP.
const CLIENT: i32 = 3;
const PRODUCER: i32 = 4;
const CONSUMER: i32 = 5;

/// What the mails of somebody are, once they are as `done` wants them.
async fn mails(user: &Rest, done: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    wait::until("mails to be listed", async || {
        let listed = user.get("/v1/mails").await;
        assert_eq!(listed.status, 200, "{}", listed.json);
        let mails = listed.json["mails"].as_array().cloned().unwrap_or_default();
        done(&mails).then_some(mails)
    })
    .await
}

fn all_are(state: &str, count: usize) -> impl Fn(&[Value]) -> bool {
    move |mails| mails.len() == count && mails.iter().all(|mail| mail["state"] == state)
}

/// An administrator's client; the environment names who that is.
async fn admin(up: &Up) -> Rest {
    let credentials = json!({"email": ADMIN[0].1, "password": ADMIN[1].1});
    let session = up.rest().post("/v1/sessions", &credentials).await;
    assert_eq!(session.status, 200, "{}", session.json);
    up.rest()
        .with_token(session.json["accessToken"].as_str().unwrap())
}

const ADMIN: [(&str, &str); 2] = [
    ("SKYWAY_IDENTITY_ADMIN_EMAIL", "admin@example.com"),
    ("SKYWAY_IDENTITY_ADMIN_PASSWORD", "correct horse battery"),
];

#[tokio::test]
async fn a_trip_and_its_end_are_told_by_mail() {
    let sink = SmtpSink::start().await;
    let (collector, endpoint) = Collector::start();
    let up = Up::start(&[
        ("SMTP_URL", &sink.url()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
    ])
    .await;
    let user = sign_up(&up.rest(), "mail@example.com").await;
    let offer = offer(&up.rest(), "JFK", "SEA", &day(20), 2).await;
    let request = user
        .request(Method::POST, "/v1/trips")
        .header("idempotency-key", "mail")
        .header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"));
    let answer = request.json(&booking_of(&offer, 2)).send().await.unwrap();
    let trip = Answer::read(answer).await.unwrap().json;
    let id = trip["tripId"].as_str().unwrap();
    let confirmed = sink.wait_for(1).await.remove(0);
    assert_eq!(confirmed.recipient, "ada@example.com");
    for part in ["text/plain", "text/html", "text/calendar"] {
        assert!(
            confirmed.text.contains(part),
            "{part} in {}",
            confirmed.text
        );
    }
    let locator = trip["bookings"][0]["locator"].as_str().unwrap();
    assert!(
        confirmed.text.contains(locator),
        "{locator} in {}",
        confirmed.text
    );

    let cancelled = user
        .post(&format!("/v1/trips/{id}:cancel"), &json!({}))
        .await;
    assert_eq!(cancelled.status, 200, "{}", cancelled.json);
    sink.wait_for(2).await;
    let listed = mails(&user, all_are("SENT", 2)).await;
    let kinds: HashSet<_> = listed
        .iter()
        .map(|mail| mail["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, HashSet::from(["TRIP_CONFIRMED", "TRIP_CANCELLED"]));
    let overview = user.get(&format!("/v1/trips/{id}/overview")).await;
    assert_eq!(
        overview.json["mails"].as_array().unwrap().len(),
        2,
        "{}",
        overview.json
    );
    assert_eq!(
        overview.json["unavailable"],
        Value::Null,
        "{}",
        overview.json
    );

    let other = sign_up(&up.rest(), "other@example.com").await;
    assert_eq!(other.get("/v1/mails").await.json, json!({}));
    let mail = listed[0]["mailId"].as_str().unwrap();
    assert_eq!(user.get(&format!("/v1/mails/{mail}")).await.json, listed[0]);
    assert_eq!(
        other.get(&format!("/v1/mails/{mail}")).await.reason(),
        "MAIL_NOT_FOUND"
    );
    check_trace(&collector).await;
}

/// The mail belongs to the trace of the request that caused it: put into the queue, taken out, handed on.
async fn check_trace(collector: &Collector) {
    let trace = u128::from_str_radix(TRACE, 16).unwrap().to_be_bytes();
    let is_there = |span: &Span, service: &str, kind: i32| {
        span.trace == trace && span.service == service && span.kind == kind
    };
    for (service, kind, what) in [
        ("orchestration", PRODUCER, "publish"),
        ("mail", CONSUMER, "consume"),
        ("mail", CLIENT, "SMTP"),
    ] {
        wait::until(&format!("the {what} span of {service}"), async || {
            let spans = collector.spans();
            spans
                .iter()
                .any(|span| is_there(span, service, kind))
                .then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn without_a_mail_server_mails_are_files() {
    let up = Up::shared().await;
    let user = sign_up(&up.rest(), "files@example.com").await;
    let offer = offer(&up.rest(), "JFK", "SEA", &day(21), 1).await;
    let trip = book(&user, &booking_of(&offer, 1), "files").await;
    let id = trip.json["tripId"].as_str().unwrap();
    mails(&user, all_are("SENT", 1)).await;
    let folder = up.process.directory().join(".skyway/mail");
    let files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    let texts = files
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap());
    assert_eq!(
        texts.filter(|text| text.contains(id)).count(),
        1,
        "{files:?}"
    );
}

#[tokio::test]
async fn what_cannot_be_sent_is_a_dead_letter_until_it_is_redriven() {
    let sink = SmtpSink::start().await;
    sink.script(Mails::Next(1), Misbehaviour::Refuse(550));
    let up = Up::start(&[&[("SMTP_URL", sink.url().as_str())], ADMIN.as_slice()].concat()).await;
    let user = sign_up(&up.rest(), "dead@example.com").await;
    let offer = offer(&up.rest(), "JFK", "SEA", &day(22), 1).await;
    book(&user, &booking_of(&offer, 1), "dead").await;
    let dead = mails(&user, all_are("DEAD", 1)).await.remove(0);
    assert!(
        dead["lastError"].as_str().unwrap().contains("550"),
        "{dead}"
    );
    let id = dead["mailId"].as_str().unwrap();

    let admin = admin(&up).await;
    let letters = admin.get("/v1/deadLetters").await;
    assert_eq!(letters.json["deadLetters"][0]["id"], id, "{}", letters.json);
    let redrive = format!("/v1/deadLetters/{id}:redrive");
    assert_eq!(user.post(&redrive, &json!({})).await.status, 403);
    assert_eq!(admin.post(&redrive, &json!({})).await.status, 200);
    assert_eq!(
        admin.post(&redrive, &json!({})).await.reason(),
        "DEAD_LETTER_NOT_FOUND"
    );
    mails(&user, all_are("SENT", 1)).await;
    assert_eq!(sink.received().len(), 1);
    let queue = admin.get("/v1/mailQueue").await;
    assert_eq!(queue.json["ratePerSecond"], 50.0, "{}", queue.json);
    assert_eq!(queue.json["dead"], Value::Null, "{}", queue.json);
}
