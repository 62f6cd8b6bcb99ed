//! A mail server that wants encryption and a password, and whose certificate is of an authority that only this
//! deployment knows.

use std::time::Duration;

use contracts::mail::v1::MailState;
use mail::{Config, domain::retry::Schedule};
use testing::{
    Mailbox,
    tls::{Authority, again},
};

use crate::support::{Replica, World, eventually, message_id};

/// Hers, and as a URL has it.
const PASSWORD: &str = "p@ss:word";
const ENCODED: &str = "p%40ss%3Aword";

#[tokio::test]
async fn a_server_of_an_unknown_authority_gets_no_mail() {
    let mailbox = Mailbox::start(&Authority::new(), PASSWORD).await;
    let world = World::start().await;
    for (trip, scheme, port) in [
        ("t-1", "smtp", mailbox.port()),
        ("t-2", "smtps", mailbox.tls_port()),
    ] {
        let url = format!("{scheme}://ada:{ENCODED}@localhost:{port}");
        let replica = world.replica(|config| patient(config, url)).await;
        world.order(&[trip]).await;
        let error = waits(&replica, trip).await;
        assert!(error.contains("UnknownIssuer"), "{error}");
        replica.stop().await;
    }
    assert!(mailbox.received().is_empty());
}

#[tokio::test]
async fn mails_leave_encrypted_where_the_authority_is_known_and_wait_while_the_password_is_wrong() {
    if let Some(port) = again() {
        return leave(port.parse().unwrap()).await;
    }
    let authority = Authority::new();
    let mailbox = Mailbox::start(&authority, PASSWORD).await;
    let this = "tls::mails_leave_encrypted_where_the_authority_is_known_and_wait_while_the_password_is_wrong";
    authority.run_again(this, &mailbox.port().to_string());
    let mails = mailbox.received();
    for trip in ["t-1", "t-2"] {
        let id = format!("Message-ID: {}", message_id(trip));
        let came = mails.iter().filter(|mail| mail.contains(&id)).count();
        assert_eq!(came, 1, "{id} in {mails:?}");
    }
    assert_eq!(mails.len(), 2);
}

/// Sends two mails, the first one after it has had to wait.
async fn leave(port: u16) {
    let world = World::start().await;
    let wrong = format!("smtp://ada:wrong@localhost:{port}");
    let replica = world.replica(|config| patient(config, wrong)).await;
    world.order(&["t-1"]).await;
    let error = waits(&replica, "t-1").await;
    assert!(error.contains("535"), "{error}");
    replica.stop().await;
    for (trip, scheme, port) in [("t-1", "smtp", port), ("t-2", "smtps", port + 10)] {
        let url = format!("{scheme}://ada:{ENCODED}@localhost:{port}");
        let replica = world.replica(|config| patient(config, url)).await;
        world.order(&[trip]).await;
        let id = format!("{trip}-confirmed");
        replica.wait_for(&id, MailState::Sent).await;
        replica.stop().await;
    }
}

/// Hands mails to this server, and does not give up.
fn patient(config: &mut Config, url: String) {
    config.smtp_url = Some(url);
    config.retry = Schedule {
        tries: 10_000,
        first: Duration::from_millis(50),
        most: Duration::from_millis(50),
    };
}

/// What a trip's mail waits for, once it has been tried twice and waits to be tried again.
async fn waits(replica: &Replica, trip: &str) -> String {
    let mail = eventually("it waits", async || {
        let mail = replica.mail(&format!("{trip}-confirmed")).await;
        mail.filter(|mail| mail.attempts > 1 && mail.state() == MailState::Queued)
    });
    mail.await.last_error
}
