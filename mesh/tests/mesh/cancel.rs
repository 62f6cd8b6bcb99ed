//! Callers who leave disturb nobody else.

use crate::support::{Replica, Script, calls, client, eventually, flight};

#[tokio::test]
async fn many_callers_that_leave_at_once_do_not_break_the_connection() {
    let replica = Replica::start(Script::default());
    let client = client(&[replica.address]);
    for round in 1..=8 {
        let leaving: Vec<_> = (0..64)
            .map(|_| {
                let mut client = client.clone();
                tokio::spawn(async move { client.get_flight(flight("NEVER")).await })
            })
            .collect();
        let mut steady = client.clone();
        let steady = tokio::spawn(async move { steady.get_flight(flight("AA1")).await });
        eventually("all calls are under way", async || {
            replica.calls() == round * 65 + (round - 1) * 100
        })
        .await;
        leaving.iter().for_each(tokio::task::JoinHandle::abort);
        assert!(steady.await.unwrap().is_ok());
        let errors = calls(&client, 16, 100).await;
        assert!(errors.is_empty(), "{}", errors[0]);
    }
}

#[tokio::test]
async fn a_panic_costs_one_call() {
    let replica = Replica::start(Script::default());
    let mut client = client(&[replica.address]);
    let status = client.get_flight(flight("PANIC")).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Internal, "{status}");
    assert!(client.get_flight(flight("AA1")).await.is_ok());
}
