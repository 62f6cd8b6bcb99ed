//! Metrics of the process in Prometheus' text format: one recorder, however many services.

use std::{sync::OnceLock, time::Duration};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper bounds in seconds of everything that is timed: from a look-up in memory to a slow search.
const BUCKETS: [f64; 14] = [
    0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];
/// Time between two sweeps of what has been recorded.
const UPKEEP: Duration = Duration::from_secs(5);

/// What renders the metrics of this process. The first call installs the recorder.
pub fn metrics() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        // It declines only where there are no buckets; without them timings are summaries.
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)
            .unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        // Where a program has installed another recorder, that one gets the metrics.
        let _ = metrics::set_global_recorder(recorder);
        handle
    })
}

/// Folds what has been recorded into its buckets from time to time; without that it would pile up
/// until somebody asks. Never ends.
pub(crate) async fn keep_metrics_small() {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        ticks.tick().await;
        metrics().run_upkeep();
    }
}
