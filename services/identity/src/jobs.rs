//! What a replica does from time to time. Every replica does all of it: each part is harmless to
//! do twice.

use std::{convert::Infallible, time::Duration};

use crate::accounts::Accounts;

/// Between two rounds, unless keys change faster.
const INTERVAL: Duration = Duration::from_mins(1);
/// Shortest pause, whatever is configured.
const LEAST: Duration = Duration::from_millis(100);

/// Changes keys that are due, and removes what nobody can use any more.
pub(crate) async fn run(accounts: &Accounts, key_rotation: Duration) -> Infallible {
    // Keys are published half a life before they sign, so that each is seen in time.
    let interval = (key_rotation / 8).clamp(LEAST, INTERVAL);
    loop {
        tokio::time::sleep(interval).await;
        if let Err(error) = accounts.ring.refresh().await {
            tracing::warn!(%error, "cannot look after the signing keys; those known stay");
        }
        accounts.throttle.forget();
        match accounts.store.expired_remove((accounts.clock)()).await {
            Ok(0) => {}
            Ok(sessions) => tracing::debug!(sessions, "expired sessions removed"),
            Err(error) => tracing::warn!(%error, "cannot remove expired sessions"),
        }
    }
}
