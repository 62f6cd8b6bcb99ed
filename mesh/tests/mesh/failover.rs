//! A replica that dies takes no call with it.

use std::time::Duration;

use contracts::{
    rt::{
        route::{Access, Idempotency, Method, Service},
        schema::Described,
    },
    search::v1::{Flight, GetFlightRequest, search_service_client::SearchServiceClient},
};
use tonic::Code;

use crate::support::{Replica, Script, calls, channel_to, client, eventually, flight};

fn script() -> Script {
    Script {
        delay: Duration::from_millis(1),
        ..Script::default()
    }
}

/// `GetFlight` as if it were not known to be harmless to do twice.
static CAREFUL: Service = Service {
    name: "skyway.search.v1.SearchService",
    methods: &[Method {
        service: "skyway.search.v1.SearchService",
        name: "GetFlight",
        path: "/skyway.search.v1.SearchService/GetFlight",
        input: GetFlightRequest::MESSAGE,
        output: Flight::MESSAGE,
        client_streaming: false,
        server_streaming: false,
        access: Access::Public,
        deadline: Some(Duration::from_secs(5)),
        idempotency: Idempotency::Unknown,
        key: contracts::rt::route::KeyRule::None,
        spread: contracts::rt::route::Spread::None,
        bindings: &[],
    }],
};

#[tokio::test]
async fn no_call_fails_when_one_of_two_is_killed() {
    let (stays, mut dies) = (Replica::start(script()), Replica::start(script()));
    let client = client(&[stays.address, dies.address]);
    let running = tokio::spawn({
        let client = client.clone();
        async move { calls(&client, 16, 2000).await }
    });
    eventually("calls to the one that dies", async || dies.calls() > 100).await;
    dies.kill();
    let errors = running.await.unwrap();
    assert!(
        errors.is_empty(),
        "{} failed, first: {}",
        errors.len(),
        errors[0]
    );
    assert!(stays.calls() > 1000);
}

#[tokio::test]
async fn no_call_fails_when_one_of_two_drains() {
    let (stays, mut drains) = (Replica::start(script()), Replica::start(script()));
    // Not even calls that must not be done twice.
    let client = SearchServiceClient::new(channel_to(&CAREFUL, &[stays.address, drains.address]));
    let running = tokio::spawn({
        let client = client.clone();
        async move { calls(&client, 16, 2000).await }
    });
    eventually("calls to the one that drains", async || {
        drains.calls() > 100
    })
    .await;
    drains.shutdown.cancel();
    let errors = running.await.unwrap();
    assert!(
        errors.is_empty(),
        "{} failed, first: {}",
        errors.len(),
        errors[0]
    );
    drains.join();
    assert_eq!(stays.calls() + drains.calls(), 2000, "none was done twice");
}

#[tokio::test]
async fn a_call_that_may_have_been_done_is_not_done_again() {
    let (mut first, mut second) = (Replica::start(script()), Replica::start(script()));
    let mut client =
        SearchServiceClient::new(channel_to(&CAREFUL, &[first.address, second.address]));
    let call = tokio::spawn(async move { client.get_flight(flight("NEVER")).await });
    eventually("the call arrives", async || {
        first.calls() + second.calls() == 1
    })
    .await;
    let (dies, other) = if first.calls() == 1 {
        (&mut first, &second)
    } else {
        (&mut second, &first)
    };
    dies.kill();
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert_eq!(
        mesh::status::reason(&status).as_deref(),
        Some("UNAVAILABLE")
    );
    assert_eq!(other.calls(), 0);
}

#[tokio::test]
async fn a_single_replica_may_restart_between_two_calls() {
    let mut replica = Replica::start(script());
    let client = client(&[replica.address]);
    assert!(calls(&client, 1, 1).await.is_empty());
    replica.kill();
    let _again = Replica::start_at(replica.address, script());
    let errors = calls(&client, 4, 20).await;
    assert!(errors.is_empty(), "{}", errors[0]);
}
