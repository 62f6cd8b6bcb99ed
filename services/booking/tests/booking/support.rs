//! What the suites share: stores, holds, and what a database says about itself.

use std::sync::Arc;

use booking::{
    domain::{
        booking::{Booking, Cabin},
        error::HoldError,
        hold::NewHold,
        inventory::CabinKey,
        ports::Store,
    },
    store::Sql,
};
use durable::Options;

/// When the flights of the suites leave.
pub(crate) const DEPARTURE: i64 = 1_000_000;

pub(crate) async fn open(url: &str) -> Arc<Sql> {
    open_with(url, || fastrand::u64(..)).await
}

/// A store that draws its locators by `random`.
pub(crate) async fn open_with(url: &str, random: fn() -> u64) -> Arc<Sql> {
    let options = Options {
        url: url.to_owned(),
        variable: "TEST_DATABASE_URL",
        max_connections: 8,
    };
    let told = |seats: &booking::domain::inventory::Inventory| {
        format!("v{} held {} sold {}", seats.version, seats.held, seats.sold).into_bytes()
    };
    Arc::new(Sql::open(&options, told, random).await.unwrap())
}

pub(crate) fn economy(flight: &str) -> CabinKey {
    CabinKey {
        flight: flight.to_owned(),
        cabin: Cabin::Economy,
    }
}

/// A hold of trip `t` for ada, asked for at 0 until 100.
pub(crate) fn hold(id: &str, seats: u32) -> NewHold {
    NewHold {
        id: id.to_owned(),
        trip: "t".to_owned(),
        user: "ada".to_owned(),
        seats,
        created: 0,
        expires: 100,
    }
}

/// Holds in one transaction; the cabin is known.
pub(crate) async fn holds(
    store: &Sql,
    cabin: &CabinKey,
    holds: &[NewHold],
) -> Vec<Result<Booking, HoldError>> {
    store.hold(cabin, holds, 0).await.unwrap().unwrap()
}

/// Held and sold seats of a cabin.
pub(crate) async fn counts(store: &Sql, cabin: &CabinKey) -> (u32, u32) {
    let all = store.inventory(None, i64::MIN, 1_000).await.unwrap();
    all.iter()
        .find(|seats| seats.key == *cabin)
        .map_or((0, 0), |seats| (seats.held, seats.sold))
}

/// Fails where a promise is broken.
pub(crate) async fn assert_promises_kept(store: &Sql, now: i64) {
    for check in store.audit(now).await.unwrap() {
        assert_eq!(check.violations, 0, "{check:?}");
    }
}

pub(crate) fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}
