//! A replica as others see it, over its port.

use contracts::{
    mail::v1::{
        GetMailRequest, GetQueueRequest, ListDeadLettersRequest, ListMailsRequest,
        ListSettledMailsRequest, ListTripMailsRequest, MailState, RedriveDeadLetterRequest,
    },
    operations::v1::{AUDIT_SERVICE, RunAuditRequest, audit_service_client::AuditServiceClient},
};
use durable::queue::Queue;
use mesh::{
    client::{Channel, Config as ClientConfig},
    status::reason,
};
use tonic::Code;

use crate::support::{World, auth, by, eventually, message};

#[tokio::test]
async fn people_see_their_own_mails_and_administrators_all() {
    let world = World::start().await;
    let replica = world.replica(|_| {}).await;
    world.order(&["t-1", "t-2", "t-3"]).await;
    for trip in ["t-1", "t-2", "t-3"] {
        replica
            .wait_for(&format!("{trip}-confirmed"), MailState::Sent)
            .await;
    }
    let mut client = replica.client.clone();
    let get = || GetMailRequest {
        mail_id: "t-1-confirmed".to_owned(),
    };
    for (user, admin, sees) in [
        ("ada", false, true),
        ("eve", false, false),
        ("root", true, true),
    ] {
        let answer = client.get_mail(by(user, admin, "GetMail", get())).await;
        match answer {
            Ok(mail) => assert!(sees && mail.into_inner().trip_id == "t-1", "{user}"),
            Err(status) => {
                assert!(!sees, "{user}: {status}");
                assert_eq!(status.code(), Code::NotFound);
                assert_eq!(reason(&status).as_deref(), Some("MAIL_NOT_FOUND"));
            }
        }
        let mut seen = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = ListMailsRequest {
                page_size: 2,
                page_token,
            };
            let page = client
                .list_mails(by(user, admin, "ListMails", request))
                .await;
            let page = page.unwrap().into_inner();
            seen.extend(page.mails.into_iter().map(|mail| mail.mail_id));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        seen.sort();
        let all = ["t-1-confirmed", "t-2-confirmed", "t-3-confirmed"];
        assert_eq!(seen, if sees { &all[..] } else { &[] }, "{user}");
    }
    let trip = ListTripMailsRequest {
        trip_id: "t-2".to_owned(),
    };
    let mails = client
        .list_trip_mails(trip)
        .await
        .unwrap()
        .into_inner()
        .mails;
    assert_eq!(mails.len(), 1);
    let settled = ListSettledMailsRequest {
        mail_ids: vec!["t-1-confirmed".to_owned(), "other".to_owned()],
    };
    let settled = client.list_settled_mails(settled).await.unwrap();
    assert_eq!(settled.into_inner().mail_ids, ["t-1-confirmed"]);
}

#[tokio::test]
async fn administrators_see_the_queue_and_its_dead_letters() {
    let world = World::start().await;
    let replica = world.replica(|_| {}).await;
    let poison: Vec<_> = (0..3)
        .map(|number| message(&format!("poison-{number}"), vec![0xFF]))
        .collect();
    world.queue.publish(&poison).await.unwrap();
    let mut client = replica.client.clone();
    let queue = eventually("three dead letters", async || {
        let request = by("root", true, "GetQueue", GetQueueRequest {});
        let queue = client.get_queue(request).await.unwrap().into_inner();
        (queue.dead == 3 && queue.in_flight == 0).then_some(queue)
    })
    .await;
    assert_eq!(
        (queue.waiting, queue.delayed, queue.oldest_time),
        (0, 0, None)
    );
    assert!((queue.rate_per_second - 1_000.0).abs() < f64::EPSILON);
    let mut seen = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListDeadLettersRequest {
            page_size: 2,
            page_token,
        };
        let request = by("root", true, "ListDeadLetters", request);
        let page = client
            .list_dead_letters(request)
            .await
            .unwrap()
            .into_inner();
        seen.extend(page.dead_letters.into_iter().map(|letter| letter.id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    seen.sort();
    assert_eq!(seen, ["poison-0", "poison-1", "poison-2"]);
    let redrive = RedriveDeadLetterRequest {
        id: "none".to_owned(),
    };
    let request = by("root", true, "RedriveDeadLetter", redrive);
    let status = client.redrive_dead_letter(request).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_deref()),
        (Code::NotFound, Some("DEAD_LETTER_NOT_FOUND"))
    );
    let request = by("ada", false, "GetQueue", GetQueueRequest {});
    let status = client.get_queue(request).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn the_audit_finds_every_promise_kept() {
    let world = World::start().await;
    let replica = world.replica(|_| {}).await;
    world.order(&["t-1"]).await;
    replica.wait_for("t-1-confirmed", MailState::Sent).await;
    let client = ClientConfig::new(replica.endpoints.clone());
    let client = client.signed(auth().signer("gateway"));
    let mut audit = AuditServiceClient::new(Channel::connect(&AUDIT_SERVICE, client));
    let report = audit
        .run_audit(RunAuditRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(report.service, "mail");
    let checks: Vec<_> = report
        .checks
        .iter()
        .map(|check| (check.name.as_str(), check.rows, check.violations))
        .collect();
    assert_eq!(
        checks,
        [
            ("sent-once", 1, 0),
            ("no-mail-stuck", 0, 0),
            ("claimed-before-sending", 0, 0)
        ]
    );
}

#[tokio::test]
async fn a_replica_without_a_mail_server_serves_what_it_has_recorded() {
    let mut world = World::start().await;
    world.sink.stop().await;
    let replica = world
        .replica(|config| {
            config.retry.first = std::time::Duration::from_secs(1);
            config.retry.most = std::time::Duration::from_secs(1);
        })
        .await;
    world.order(&["t-1"]).await;
    let mail = eventually("it was tried", async || {
        replica
            .mail("t-1-confirmed")
            .await
            .filter(|mail| mail.attempts > 0 && mail.state() == MailState::Queued)
    })
    .await;
    assert!(!mail.last_error.is_empty());
    world.sink.restart().await;
    replica.wait_for("t-1-confirmed", MailState::Sent).await;
}
