//! How full a queue is, as metrics.

use super::Depth;

/// Tells the gauges `queue_depth` by topic and state, and `queue_oldest_seconds` by topic. `now` in Unix
/// milliseconds. Every replica may tell them: they are of the queue, not of the replica.
pub fn record_depth(topic: &'static str, depth: &Depth, now: i64) {
    for (state, messages) in [
        ("waiting", depth.waiting),
        ("delayed", depth.delayed),
        ("taken", depth.taken),
        ("dead", depth.dead),
    ] {
        let messages = u32::try_from(messages).unwrap_or(u32::MAX);
        metrics::gauge!("queue_depth", "topic" => topic, "state" => state).set(messages);
    }
    let age = depth.oldest.map_or(0, |oldest| now.saturating_sub(oldest));
    let seconds = u32::try_from(age / 1_000).unwrap_or_default();
    metrics::gauge!("queue_oldest_seconds", "topic" => topic).set(seconds);
}
