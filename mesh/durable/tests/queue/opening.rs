//! Opening a queue, and what is said where that fails.

use durable::queue::{dial, open};

use crate::support::each_queue;

const VARIABLE: &str = "SKYWAY_TEST_QUEUE_URL";

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_scheme_is_one_line_that_names_the_variable() {
    let error = open("amqp://broker", "test", VARIABLE).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("SKYWAY_TEST_QUEUE_URL: \"amqp\" is not supported; write redis://"),
        "{text}"
    );
    assert!(!text.contains('\n'), "{text}");
    assert!(dial("amqp://broker", VARIABLE).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_can_be_dialled() {
    each_queue(async |place| dial(place.url(), VARIABLE).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_not_shown() {
    let nobody = testing::free_port();
    for url in [
        format!("redis://:secret@127.0.0.1:{nobody}/0"),
        format!("redis://ada:secret@127.0.0.1:{nobody}/nonsense"),
        format!("rediss://:secret@127.0.0.1:{nobody}"),
        // No TLS there.
        format!(
            "rediss://:secret@127.0.0.1:{}",
            testing::redis().await.port()
        ),
        // No password there.
        format!(
            "redis://:secret@127.0.0.1:{}",
            testing::redis().await.port()
        ),
    ] {
        let error = open(&url, "test", VARIABLE).await.unwrap_err();
        let chain = format!("{error}: {:?}", std::error::Error::source(&error));
        assert!(
            chain.starts_with("SKYWAY_TEST_QUEUE_URL: cannot open redis"),
            "{chain}"
        );
        assert!(chain.contains(":***@127.0.0.1"), "{chain}");
        assert!(!chain.contains("secret"), "{chain}");
    }
}
