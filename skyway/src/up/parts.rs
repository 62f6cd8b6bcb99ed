//! The threads: one per replica, stopped in the order in which they call each other.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use anyhow::Context;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::ports::Ports;
use crate::config::{Config, Service};
use crate::{process, wire};

/// Parts that stop together, only when all before them have: whoever drains can still call those
/// after it. The gateway, then orchestration, then mail, then those that all of them call.
const STAGES: usize = 4;

const GATEWAY: usize = 0;

const fn stage(service: Service) -> usize {
    match service {
        Service::Orchestration => 1,
        Service::Mail => 2,
        Service::Search | Service::Booking | Service::Identity => 3,
    }
}

/// How a part ended.
#[derive(Debug)]
pub(super) struct Ended {
    stage: usize,
    result: anyhow::Result<()>,
}

/// The threads.
#[derive(Debug)]
pub(super) struct Parts {
    /// How many of each stage run.
    running: [usize; STAGES],
    ended: mpsc::Receiver<Ended>,
    /// Stops the parts of a stage. Whoever else holds the first one stops the whole.
    stop: [CancellationToken; STAGES],
}

impl Parts {
    /// Starts them all; `shutdown` stops the first stage, and that the next.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(
        config: &Config,
        ports: Ports,
        admin_made: &Arc<AtomicBool>,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let mut stop = std::array::from_fn(|_| CancellationToken::new());
        stop[GATEWAY] = shutdown.clone();
        let mut running = [0; STAGES];
        let (report, ended) = mpsc::channel(ports.replicas.len() + 1);
        let (config, peers) = (Arc::new(config.clone()), Arc::new(ports.peers()?));
        for replica in ports.replicas {
            let (service, listener) = (replica.service, replica.listener);
            let part = Part {
                label: replica.label,
                service: service.name(),
                stage: stage(service),
                instance: listener.address(),
                config: Arc::clone(&config),
            };
            let (config, peers) = (Arc::clone(&config), Arc::clone(&peers));
            let made = Arc::clone(admin_made);
            let shutdown = stop[part.stage].clone();
            running[part.stage] += 1;
            part.spawn(report.clone(), async move || {
                wire::replica(service, &config, &peers, &made, listener, shutdown).await
            })?;
        }
        let part = Part {
            label: "gateway".to_owned(),
            service: "gateway",
            stage: GATEWAY,
            instance: ports.gateway.address(),
            config: Arc::clone(&config),
        };
        let shutdown = stop[GATEWAY].clone();
        running[GATEWAY] += 1;
        part.spawn(report, async move || {
            wire::gateway(&config, &peers, ports.gateway, ports.admin, shutdown).await
        })?;
        Ok(Self {
            running,
            ended,
            stop,
        })
    }

    /// Completes when the first part has ended, of itself or because it was stopped.
    pub(super) async fn first_ended(&mut self) -> Option<Ended> {
        self.ended.recv().await
    }

    /// Stops what still runs after the first part ended, and gives the first failure.
    ///
    /// # Errors
    /// What the first part that failed says.
    pub(super) async fn drain(mut self, first: Option<Ended>) -> anyhow::Result<()> {
        self.stop[GATEWAY].cancel();
        let mut result = Ok(());
        let mut next = first;
        while let Some(ended) = next {
            self.running[ended.stage] -= 1;
            result = result.and(ended.result);
            let stopped = self.running.iter().take_while(|running| **running == 0);
            match self.stop.get(stopped.count()) {
                Some(stop) => stop.cancel(),
                None => break,
            }
            next = self.ended.recv().await;
        }
        result
    }
}

/// One thread.
struct Part {
    label: String,
    service: &'static str,
    stage: usize,
    instance: SocketAddr,
    config: Arc<Config>,
}

impl Part {
    /// Runs `work` on a thread of its own and reports how it ended, a panic included.
    fn spawn<W>(self, report: mpsc::Sender<Ended>, work: W) -> anyhow::Result<()>
    where
        W: AsyncFnOnce() -> anyhow::Result<()> + Send + 'static,
    {
        let thread = thread::Builder::new().name(self.label.clone());
        let body = move || {
            let run = AssertUnwindSafe(|| self.run(work));
            let ended = std::panic::catch_unwind(run);
            let panicked = |_| {
                Err(anyhow::anyhow!(
                    "{} panicked; its log says where",
                    self.label
                ))
            };
            let (stage, result) = (self.stage, ended.unwrap_or_else(panicked));
            // Nobody listens any more after a stop at once.
            let _ = report.blocking_send(Ended { stage, result });
        };
        thread.spawn(body).context("cannot start a thread")?;
        Ok(())
    }

    fn run(&self, work: impl AsyncFnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
        process::single_threaded()?.block_on(async {
            let (dispatch, telemetry) =
                process::telemetry(self.service, self.instance.to_string(), &self.config)?;
            let default = tracing::dispatcher::set_default(&dispatch);
            let ended = work().await;
            telemetry.shutdown().await;
            drop(default);
            ended
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parts of the given stages that end as soon as they are stopped, and tell in what order.
    fn parts(stages: &[usize]) -> (Parts, mpsc::Sender<Ended>) {
        let mut running = [0; STAGES];
        let (report, ended) = mpsc::channel(stages.len());
        let stop = std::array::from_fn(|_| CancellationToken::new());
        for stage in stages {
            running[*stage] += 1;
        }
        let parts = Parts {
            running,
            ended,
            stop,
        };
        (parts, report)
    }

    #[tokio::test]
    async fn a_stage_is_stopped_when_all_before_it_have_ended() {
        let (parts, report) = parts(&[0, 1, 1, 2, 3]);
        let stop = parts.stop.clone();
        let stopped = || stop.clone().map(|stop| stop.is_cancelled());
        let (order, mut seen) = mpsc::channel(8);
        let drained = tokio::spawn(parts.drain(Some(Ended {
            stage: 1,
            result: Ok(()),
        })));
        for (stage, expected) in [
            (0, [true, false, false, false]),
            (1, [true, true, false, false]),
            (2, [true, true, true, false]),
            (3, [true, true, true, true]),
        ] {
            stop[stage].cancelled().await;
            order.send(stopped()).await.unwrap();
            assert_eq!(seen.recv().await, Some(expected), "stage {stage}");
            let result = Ok(());
            report.send(Ended { stage, result }).await.unwrap();
        }
        drained.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn the_first_failure_is_told() {
        let (parts, report) = parts(&[0, 2, 2]);
        let failed = |stage, why| Ended {
            stage,
            result: Err(anyhow::anyhow!("{why}")),
        };
        for ended in [failed(2, "second"), failed(0, "third")] {
            report.send(ended).await.unwrap();
        }
        let error = parts.drain(Some(failed(2, "first"))).await.unwrap_err();
        assert_eq!(error.to_string(), "first");
    }
}
