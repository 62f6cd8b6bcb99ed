//! Redis over TLS, by a certificate of an authority that only this deployment knows.

use std::error::Error as _;

use durable::queue::{Queue as _, dial, open};
use testing::{
    Redis,
    tls::{Authority, again},
};

use crate::support::{FOR_EVER, Place, ids, message, messages, take};

const VARIABLE: &str = "SKYWAY_TEST_QUEUE_URL";

#[tokio::test(flavor = "multi_thread")]
async fn the_authority_that_ssl_cert_file_names_is_trusted_and_no_unknown_one() {
    if let Some(url) = again() {
        return serves(url).await;
    }
    let authority = Authority::new();
    let server = Redis::start_tls(&authority).await;
    let error = open(&server.tls_url(), "test", VARIABLE).await.unwrap_err();
    let cause = error.source().unwrap().to_string();
    assert!(cause.contains("UnknownIssuer"), "{cause}");
    let this = "tls::the_authority_that_ssl_cert_file_names_is_trusted_and_no_unknown_one";
    authority.run_again(this, &server.tls_url());
}

/// It is the queue that it is without TLS, blocking reads included.
async fn serves(url: String) {
    dial(&url, VARIABLE).await.unwrap();
    let queue = Place::new(url).open(FOR_EVER).await;
    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move { take(&queue, "a", 1).await }
    });
    queue.publish(&[message(0)]).await.unwrap();
    let taken = waiting.await.unwrap();
    assert_eq!(taken[0].payload, message(0).payload);
    queue.settle(&taken).await.unwrap();
    queue.publish(&messages(0..3)).await.unwrap();
    assert_eq!(ids(&take(&queue, "a", 3).await), ["m-0", "m-1", "m-2"]);
}
