//! How many calls each method answers, how, and how fast.
//!
//! Handles are made once per method and code, so that a call looks up no metric by name.

use std::sync::{Arc, OnceLock};

use contracts::rt::route::Method;
use metrics::{Gauge, Histogram};
use tokio::time::Instant;
use tonic::Code;

use crate::status::code_name;

/// Codes of gRPC: 0 to 16.
const CODES: usize = 17;

/// The metrics of one method.
#[derive(Debug)]
pub(super) struct Meter {
    method: &'static Method,
    in_flight: Gauge,
    durations: [OnceLock<Histogram>; CODES],
}

impl Meter {
    pub(super) fn new(method: &'static Method) -> Self {
        let in_flight = metrics::gauge!("rpc_server_in_flight", "service" => method.service, "method" => method.name);
        Self {
            method,
            in_flight,
            durations: [const { OnceLock::new() }; CODES],
        }
    }

    pub(super) fn start(self: &Arc<Self>) -> Measured {
        self.in_flight.increment(1.0);
        Measured {
            meter: Arc::clone(self),
            started: Instant::now(),
        }
    }

    fn duration(&self, code: Code) -> &Histogram {
        self.durations[code as usize % CODES].get_or_init(|| {
            metrics::histogram!(
                "rpc_server_duration_seconds",
                "service" => self.method.service,
                "method" => self.method.name,
                "code" => code_name(code),
            )
        })
    }
}

/// A call that is being measured.
#[derive(Debug)]
pub(super) struct Measured {
    meter: Arc<Meter>,
    started: Instant,
}

impl Measured {
    pub(super) fn method(&self) -> &'static Method {
        self.meter.method
    }

    /// Records the call and gives its duration in seconds.
    pub(super) fn ended(self, code: Code) -> f64 {
        let seconds = self.started.elapsed().as_secs_f64();
        self.meter.duration(code).record(seconds);
        seconds
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        self.meter.in_flight.decrement(1.0);
    }
}
