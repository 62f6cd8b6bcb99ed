//! Everything in one command, which says what it did and leaves cleanly.

use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use crate::support::cluster::{Gateway, Replica, Up};
use crate::support::day;

#[tokio::test]
async fn it_says_what_listens_where_and_what_to_try() {
    let up = Up::shared().await;
    let table = up.process.output("stdout");
    for part in [
        &up.search[0],
        &up.search[1],
        &up.admin,
        "gateway",
        "grpcurl -plaintext",
        &day(1),
    ] {
        assert!(table.contains(part), "{part} in {table}");
    }
    let curl = table
        .lines()
        .find(|line| line.contains("itineraries:search"))
        .unwrap();
    let path = curl.split('\'').nth(1).unwrap();
    let answer = up.rest().get(&path[path.find('/').unwrap()..]).await;
    assert_eq!(
        answer.status, 200,
        "what it says to try works: {}",
        answer.json
    );
}

#[tokio::test]
async fn state_is_for_its_owner_alone() {
    let up = Up::shared().await;
    let data = up.process.directory().join(".skyway");
    let mode = |name: &str| {
        std::fs::metadata(data.join(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode(""), 0o700);
    assert_eq!(mode("offer.key"), 0o600);
}

#[tokio::test]
async fn metrics_are_on_the_admin_port_alone() {
    let up = Up::shared().await;
    assert_eq!(up.rest().get("/metrics").await.status, 404);
    let metrics = crate::support::http::Rest::new(&up.admin)
        .text("/metrics")
        .await;
    assert!(metrics.contains("# TYPE "), "{metrics}");
}

#[tokio::test]
async fn either_signal_drains_and_exits_with_0() {
    for signal in ["INT", "TERM"] {
        let mut up = Up::start(&[]).await;
        up.process.signal(signal);
        let status = up.process.ended().await;
        assert_eq!(
            status.code(),
            Some(0),
            "{signal}: {}",
            up.process.output("stderr")
        );
    }
}

#[tokio::test]
async fn so_do_services_of_their_own() {
    let data = TempDir::new().unwrap();
    let mut replica = Replica::start(data.path(), &[]).await;
    let mut gateway = Gateway::start(&[&replica], &[]).await;
    for process in [&mut gateway.process, &mut replica.process] {
        process.signal("TERM");
        let status = process.ended().await;
        assert_eq!(status.code(), Some(0), "{}", process.output("stderr"));
    }
}
