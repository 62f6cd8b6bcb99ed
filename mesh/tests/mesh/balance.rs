//! Calls go where they are answered soonest, and every healthy replica gets its share.

use std::time::Duration;

use tonic::Code;

use crate::support::{Replica, Script, calls, channel, client, eventually, nobody};

fn taking(millis: u64) -> Script {
    Script {
        delay: Duration::from_millis(millis),
        ..Script::default()
    }
}

#[tokio::test]
async fn equal_replicas_share_the_calls() {
    let replicas = [Replica::start(taking(1)), Replica::start(taking(1))];
    let client = client(&[replicas[0].address, replicas[1].address]);
    // A hiccup of the machine can shun one for a while, so not every batch is even.
    eventually("both have a fair share", async || {
        let before = [replicas[0].calls(), replicas[1].calls()];
        assert!(calls(&client, 16, 400).await.is_empty());
        (0..2).all(|index| replicas[index].calls() - before[index] >= 100)
    })
    .await;
}

#[tokio::test]
async fn a_slow_replica_gets_few_calls() {
    let (fast, slow) = (Replica::start(taking(1)), Replica::start(taking(25)));
    let client = client(&[fast.address, slow.address]);
    assert!(calls(&client, 16, 2000).await.is_empty());
    assert!(
        slow.calls() < 400,
        "{} of 2000 calls went to the slow one",
        slow.calls()
    );
}

#[tokio::test]
async fn failing_fast_does_not_attract_calls() {
    let good = Replica::start(taking(1));
    let failing = Replica::start(Script {
        code: Some(Code::Unavailable),
        ..Script::default()
    });
    let client = client(&[good.address, failing.address]);
    let errors = calls(&client, 16, 2000).await;
    assert!(errors.len() < 40, "{} of 2000 calls failed", errors.len());
    assert_eq!(errors.len(), failing.calls());
}

#[tokio::test]
async fn a_dead_replica_gets_no_call_and_its_share_once_it_lives() {
    let alive = Replica::start(taking(1));
    let address = nobody();
    let client = client(&[alive.address, address]);
    assert!(calls(&client, 16, 1000).await.is_empty());

    let back = Replica::start_at(address, taking(1));
    eventually("a call to the replica that came", async || {
        assert!(calls(&client, 16, 32).await.is_empty());
        back.calls() > 0
    })
    .await;
    eventually("at least a tenth of the calls", async || {
        let before = back.calls();
        assert!(calls(&client, 16, 400).await.is_empty());
        back.calls() - before >= 40
    })
    .await;
}

#[tokio::test]
async fn a_channel_is_ready_once_one_endpoint_is_connected() {
    let address = nobody();
    let channel = channel(&[address, nobody()]);
    assert!(!channel.ready());
    let _replica = Replica::start_at(address, taking(0));
    eventually("ready", async || channel.ready()).await;
}

#[tokio::test]
async fn names_are_resolved() {
    let replica = Replica::start(taking(0));
    let endpoints = format!("dns://localhost:{}", replica.address.port())
        .parse()
        .unwrap();
    let channel = mesh::client::Channel::connect(
        &contracts::search::v1::SEARCH_SERVICE,
        mesh::client::Config::new(endpoints),
    );
    let client = crate::support::Client::new(channel);
    assert!(calls(&client, 4, 50).await.is_empty());
    assert_eq!(replica.calls(), 50);
}
