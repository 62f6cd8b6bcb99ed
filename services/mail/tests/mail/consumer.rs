//! What becomes of mails: each test is one way that things go.

use std::{sync::atomic::Ordering, time::Duration};

use contracts::mail::v1::{MailKind, MailState, RedriveDeadLetterRequest};
use durable::queue::{DeadLetter, Queue};
use testing::smtp::{Mails, Misbehaviour};

use crate::support::{Replica, World, by, confirmed, eventually, message, message_id, to};

#[tokio::test]
async fn a_mail_leaves_once_with_all_that_it_needs() {
    let world = World::start().await;
    let replica = world.replica(|_| {}).await;
    let mut order = confirmed("t-1");
    let trace = "0af7651916cd43dd8448eb211c80319c";
    order.trace_parent = Some(format!("00-{trace}-b7ad6b7169203331-01"));
    world.queue.publish(&[order]).await.unwrap();
    let received = world.sink.wait_for(1).await;
    assert_eq!(received[0].message_id, message_id("t-1"));
    assert_eq!(received[0].recipient, "ada@example.com");
    for part in [
        "From: Skyway <trips@skyway.local>",
        "Subject: Your trip is booked: K7QXPL",
        "Content-Type: text/plain",
        "Content-Type: text/html",
        "Content-Type: text/calendar; charset=utf-8; method=PUBLISH",
        "New York (JFK) to Seattle (SEA)",
        "DTSTART;TZID=America/New_York:20261201T100000",
    ] {
        assert!(
            received[0].text.contains(part),
            "{part}\n{}",
            received[0].text
        );
    }
    let mail = replica.wait_for("t-1-confirmed", MailState::Sent).await;
    assert_eq!(
        (mail.kind(), mail.attempts, mail.trip_id.as_str()),
        (MailKind::TripConfirmed, 1, "t-1")
    );
    assert_eq!(
        (mail.trace_id.as_str(), mail.last_error.as_str()),
        (trace, "")
    );
    assert!(mail.send_time.is_some());
    eventually("the queue forgets it", async || {
        let missing = world
            .queue
            .missing(&["t-1-confirmed".to_owned()])
            .await
            .unwrap();
        (missing.len() == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_second_delivery_sends_nothing() {
    let world = World::start().await;
    let replica = world.replica(|_| {}).await;
    world.order(&["t-1"]).await;
    replica.wait_for("t-1-confirmed", MailState::Sent).await;
    let id = ["t-1-confirmed".to_owned()];
    let gone = async || (world.queue.missing(&id).await.unwrap().len() == 1).then_some(());
    eventually("it is settled", &gone).await;
    world.order(&["t-1", "t-2"]).await;
    replica.wait_for("t-2-confirmed", MailState::Sent).await;
    eventually("the second one is settled too", &gone).await;
    assert_eq!(world.sink.counts()[&message_id("t-1")], 1);
    assert_eq!(world.sink.attempts(), 2);
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let world = World::start().await;
    for code in [421, 450, 451, 452] {
        world
            .sink
            .script(Mails::Next(1), Misbehaviour::Refuse(code));
    }
    world.sink.script(Mails::Next(1), Misbehaviour::DropBefore);
    let replica = world.replica(|_| {}).await;
    world.order(&["t-1"]).await;
    let mail = replica.wait_for("t-1-confirmed", MailState::Sent).await;
    assert_eq!(mail.attempts, 6);
    assert_eq!(world.sink.counts()[&message_id("t-1")], 1);
}

#[tokio::test]
async fn the_eighth_failure_is_the_last() {
    let world = World::start().await;
    world
        .sink
        .script(Mails::To("full@"), Misbehaviour::Refuse(452));
    let replica = world.replica(|_| {}).await;
    let orders = [to("t-1", "full@example.com"), to("t-2", "ada@example.com")];
    world.queue.publish(&orders).await.unwrap();
    let mail = replica.wait_for("t-1-confirmed", MailState::Dead).await;
    assert_eq!((mail.attempts, mail.send_time), (8, None));
    assert!(mail.last_error.contains("452"), "{mail:?}");
    replica.wait_for("t-2-confirmed", MailState::Sent).await;
    assert_eq!(world.sink.attempts(), 9);
}

#[tokio::test]
async fn a_refusal_for_good_is_dead_at_once_and_can_be_redriven() {
    let world = World::start().await;
    let replica = world.replica(|_| {}).await;
    let letter = refused(&world, &replica).await;
    let redrive = RedriveDeadLetterRequest {
        id: letter.id.clone(),
    };
    let request = by("root", true, "RedriveDeadLetter", redrive);
    replica
        .client
        .clone()
        .redrive_dead_letter(request)
        .await
        .unwrap();
    let mail = replica.wait_for("t-1-confirmed", MailState::Sent).await;
    assert_eq!(mail.attempts, 1, "counted anew");
    assert_eq!(world.sink.counts()[&message_id("t-1")], 1);
}

#[tokio::test]
async fn a_mail_is_sent_where_whoever_redrove_it_died_before_that_was_recorded() {
    let world = World::start().await;
    let replica = world.replica(|_| {}).await;
    let letter = refused(&world, &replica).await;
    assert!(world.queue.redrive(&letter.id).await.unwrap());
    let mail = replica.wait_for("t-1-confirmed", MailState::Sent).await;
    assert_eq!(mail.attempts, 1, "counted anew");
    assert_eq!(world.sink.counts()[&message_id("t-1")], 1);
}

/// A mail that was refused for good, by a server that would take it now.
async fn refused(world: &World, replica: &Replica) -> DeadLetter {
    let nobody = Mails::To("nobody@");
    world.sink.script(nobody, Misbehaviour::Refuse(550));
    let order = to("t-1", "nobody@example.com");
    world.queue.publish(&[order]).await.unwrap();
    let mail = replica.wait_for("t-1-confirmed", MailState::Dead).await;
    assert_eq!(mail.attempts, 1);
    let letter = eventually("it is among the dead letters", async || {
        world.queue.dead(None, 10).await.unwrap().pop()
    })
    .await;
    assert_eq!(letter.id, "t-1-confirmed");
    assert!(letter.reason.contains("550"), "{letter:?}");
    world.sink.behave();
    letter
}

#[tokio::test]
async fn poison_is_dead_at_once_with_its_reason_and_the_queue_moves_on() {
    let world = World::start().await;
    let replica = world.replica(|_| {}).await;
    let orders = [
        message("poison", b"\xFF\xFFnot the contract".to_vec()),
        message("empty", Vec::new()),
        confirmed("t-1"),
    ];
    world.queue.publish(&orders).await.unwrap();
    replica.wait_for("t-1-confirmed", MailState::Sent).await;
    let mut letters = eventually("both are among the dead letters", async || {
        let letters = world.queue.dead(None, 10).await.unwrap();
        (letters.len() == 2).then_some(letters)
    })
    .await;
    letters.sort_by(|one, other| one.id.cmp(&other.id));
    assert_eq!(letters[0].reason, "the event has no kind");
    assert_eq!(
        letters[1].reason,
        "the message is not a skyway.orchestration.v1.TripEvent"
    );
    assert_eq!(letters[1].payload, b"\xFF\xFFnot the contract");
    let mail = replica.wait_for("poison", MailState::Dead).await;
    assert_eq!((mail.kind(), mail.attempts), (MailKind::Unspecified, 0));
    // Redriven, it is as unreadable as before.
    assert!(world.queue.redrive("poison").await.unwrap());
    eventually("it is dead again", async || {
        let letters = world.queue.dead(None, 10).await.unwrap();
        (letters.len() == 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn no_address_is_dead_at_once() {
    let world = World::start().await;
    let replica = world.replica(|_| {}).await;
    world
        .queue
        .publish(&[to("t-1", "x\r\nBcc: eve@example.com")])
        .await
        .unwrap();
    let mail = replica.wait_for("t-1-confirmed", MailState::Dead).await;
    assert_eq!(mail.last_error, "the recipient is no address");
    assert_eq!(world.sink.attempts(), 0);
}

#[tokio::test]
async fn without_search_mails_wait_and_no_attempt_is_counted() {
    let world = World::start().await;
    world.search_is_up.store(false, Ordering::Relaxed);
    let replica = world.replica(|_| {}).await;
    world.order(&["t-1"]).await;
    let mail = replica.wait_for("t-1-confirmed", MailState::Queued).await;
    assert_eq!(mail.attempts, 0);
    eventually("it was given back", async || {
        let depth = world.queue.depth().await.unwrap();
        (depth.taken == 0 && depth.waiting + depth.delayed == 1).then_some(())
    })
    .await;
    world.search_is_up.store(true, Ordering::Relaxed);
    let mail = replica.wait_for("t-1-confirmed", MailState::Sent).await;
    assert_eq!(mail.attempts, 1);
}

#[tokio::test]
async fn a_slow_domain_does_not_hold_up_others() {
    let world = World::start().await;
    let slow = Misbehaviour::Wait(Duration::from_secs(2));
    world.sink.script(Mails::To("@slow.example"), slow);
    let replica = world
        .replica(|config| {
            config.concurrency = 8;
            config.domain_concurrency = 2;
        })
        .await;
    let mut orders: Vec<_> = (0..12)
        .map(|number| to(&format!("slow-{number}"), "ada@slow.example"))
        .collect();
    orders.extend((0..20).map(|number| to(&format!("fast-{number}"), "ada@fast.example")));
    world.queue.publish(&orders).await.unwrap();
    // By then at most some of the slow ones have left, two at a time.
    let fast = eventually("the fast ones leave", async || {
        let received = world.sink.received();
        let fast = |mail: &&testing::smtp::Received| mail.recipient.ends_with("@fast.example");
        (received.iter().filter(fast).count() == 20).then(|| received.len() - 20)
    })
    .await;
    assert!(
        fast < 12,
        "{fast} of 12 slow ones left before all fast ones"
    );
    world.sink.behave();
    world.sink.wait_for(32).await;
    replica.wait_for("slow-11-confirmed", MailState::Sent).await;
    assert!(world.sink.counts().values().all(|count| *count == 1));
}

#[tokio::test]
async fn at_shutdown_mails_are_finished_or_given_back() {
    let world = World::start().await;
    world
        .sink
        .script(Mails::All, Misbehaviour::Wait(Duration::from_millis(300)));
    let replica = world.replica(|config| config.rate = 20.0).await;
    let trips: Vec<_> = (0..30).map(|number| format!("t-{number}")).collect();
    let trips: Vec<_> = trips.iter().map(String::as_str).collect();
    world.order(&trips).await;
    world.sink.wait_for(2).await;
    replica.stop().await;
    let depth = world.queue.depth().await.unwrap();
    assert_eq!(depth.taken, 0, "{depth:?}");
    let sent = world.sink.received().len() as u64;
    assert_eq!(depth.waiting + depth.delayed, 30 - sent, "{depth:?}");
    world.sink.behave();
    let _next = world.replica(|_| {}).await;
    world.sink.wait_for(30).await;
    assert!(world.sink.counts().values().all(|count| *count == 1));
}

#[tokio::test]
async fn without_a_mail_server_mails_are_files() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::start().await;
    let replica = world.replica(|config| config.smtp_url = None).await;
    world.order(&["t-1"]).await;
    replica.wait_for("t-1-confirmed", MailState::Sent).await;
    let directory = world.directory.path().join("mail");
    let file = directory.join("t-1-confirmed.eml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.contains(&format!("Message-ID: {}", message_id("t-1"))),
        "{text}"
    );
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(
        std::fs::read_dir(directory).unwrap().count(),
        1,
        "nothing half-written"
    );
}
