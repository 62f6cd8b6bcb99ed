//! A server that is told to stop finishes what it has begun.

use std::time::Duration;

use tonic::Code;

use crate::{
    support::{Replica, Script, client, eventually, flight},
    surface::http_get,
};

#[tokio::test]
async fn a_call_in_flight_is_finished_and_new_ones_are_refused() {
    let mut replica = Replica::start(Script {
        delay: Duration::from_millis(300),
        ..Script::default()
    });
    let mut client = client(&[replica.address]);
    let in_flight = tokio::spawn({
        let mut client = client.clone();
        async move { client.get_flight(flight("AA1")).await }
    });
    eventually("the call is in flight", async || replica.calls() == 1).await;
    replica.shutdown.cancel();
    assert!(in_flight.await.unwrap().is_ok());
    eventually("the server has stopped", async || replica.is_finished()).await;
    replica.join();
    assert_eq!(
        client.get_flight(flight("AA1")).await.unwrap_err().code(),
        Code::Unavailable
    );
}

#[tokio::test]
async fn it_says_so_before_it_stops_accepting() {
    let replica = Replica::start(Script {
        drain_wait: Duration::from_mins(1),
        ..Script::default()
    });
    assert_eq!(
        http_get(replica.address, "/readyz").await,
        (200, "ready\n".to_owned())
    );
    replica.shutdown.cancel();
    eventually("not ready", async || {
        http_get(replica.address, "/readyz").await == (503, "draining\n".to_owned())
    })
    .await;
    assert_eq!(http_get(replica.address, "/livez").await.0, 200);
    assert!(
        client(&[replica.address])
            .get_flight(flight("AA1"))
            .await
            .is_ok(),
        "still serves"
    );
}
