//! Waiting for a condition, with an end.

use std::time::{Duration, Instant};

/// Asks until there is an answer, and gives it.
///
/// # Panics
/// After 60 s, saying what was waited for.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(
            started.elapsed() < Duration::from_mins(1),
            "waited a minute for: {what}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
