//! The consumer: takes mails from the queue and sees each one through.
//!
//! It takes no more than it can work on, and no more than some seconds' worth of the rate, so that what one
//! replica has taken is not what another one waits for. Whatever happens to a mail ends in one of five calls of the queue
//! (`Outcome`); a replica that dies calls none of them, and the queue gives its mails to another one.
//! Nothing is handed to the mail server that the database has not recorded as claimed first.

mod attempt;
mod domains;
mod in_flight;
mod observe;

use std::{collections::HashMap, sync::Arc, time::Duration};

use durable::queue::{Delivery, Queue};
use mesh::backoff::Backoff;
use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use self::{domains::Domains, in_flight::InFlight};
use crate::{
    decode,
    domain::{
        error::StoreError,
        mail::{Mail, NewMail},
        ports::{Flights, Mails, Sender},
        retry::Schedule,
    },
    render,
};

/// How long the queue is asked to wait for something to take; a shutdown waits for it too.
const TAKE_WAIT: Duration = Duration::from_secs(1);
/// Taken at once at most.
const MOST_TAKEN: usize = 200;
/// How many seconds' worth of the rate are taken at most.
const AHEAD: f64 = 2.0;
/// Where little room is left, how long more of it is waited for: taking one by one costs as much as taking many.
const ROOM_WAIT: Duration = Duration::from_millis(20);
/// After a failure of the queue or the database, and after many.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// When others may have what could not be recorded.
const UNRECORDED: Duration = Duration::from_secs(1);

/// What an operator has said about it.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// What tells it from other consumers; at most 40 bytes.
    pub(crate) name: String,
    /// What kind of queue it is, for traces.
    pub(crate) system: &'static str,
    /// The mail server for traces; empty where there is none.
    pub(crate) server: (String, u16),
    /// Address of the sender.
    pub(crate) sender: String,
    /// Mails per second over all consumers.
    pub(crate) rate: f64,
    /// Turns that add up.
    pub(crate) burst: u32,
    /// Mails that it works on at once.
    pub(crate) concurrency: usize,
    /// Those of them that are handed to the servers of one domain at once.
    pub(crate) domain_concurrency: usize,
    /// When mails are tried again.
    pub(crate) retry: Schedule,
    /// How long mails may take to be finished at shutdown.
    pub(crate) grace: Duration,
}

/// What it cannot know by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edges {
    /// Unix milliseconds.
    pub(crate) clock: fn() -> i64,
    /// Between 0 and 1.
    pub(crate) jitter: fn() -> f64,
    /// Makes names of claims.
    pub(crate) random: fn() -> u64,
}

/// Consumes the queue of mails.
#[derive(Debug)]
pub(crate) struct Consumer<Q, M, S, F> {
    queue: Q,
    mails: Arc<M>,
    sender: S,
    flights: F,
    settings: Settings,
    edges: Edges,
    in_flight: InFlight,
    domains: Domains,
    shutdown: CancellationToken,
}

impl<Q: Queue, M: Mails, S: Sender, F: Flights> Consumer<Q, M, S, F> {
    pub(crate) fn new(
        (queue, mails, sender, flights): (Q, Arc<M>, S, F),
        settings: Settings,
        edges: Edges,
        shutdown: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            domains: Domains::new(settings.domain_concurrency, settings.concurrency),
            in_flight: InFlight::default(),
            queue,
            mails,
            sender,
            flights,
            settings,
            edges,
            shutdown,
        })
    }

    /// Consumes until the shutdown, and then finishes what it has taken, or gives it back.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut tasks = JoinSet::new();
        let work = async {
            self.take_all(&mut tasks).await;
            let finished = async { while tasks.join_next().await.is_some() {} };
            if timeout(self.settings.grace, finished).await.is_err() {
                let mails = self.in_flight.len();
                tracing::warn!(
                    mails,
                    "left to other replicas: they were not finished in time"
                );
            }
        };
        tokio::select! {
            () = work => {}
            never = self.in_flight.keep(&self.queue, &self.settings.name) => match never {},
            never = observe::watch(&self.queue, self.edges.clock) => match never {},
        }
    }

    async fn take_all(self: &Arc<Self>, tasks: &mut JoinSet<()>) {
        let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
        while !self.shutdown.is_cancelled() {
            let room = self.room(tasks).await;
            // It is not given up half-way: what it has taken would be nobody's for a while.
            let taken = self.queue.take(&self.settings.name, room, TAKE_WAIT).await;
            let begun = match taken {
                Ok(deliveries) => self
                    .begin(deliveries, tasks)
                    .await
                    .map_err(|error| error.to_string()),
                Err(error) => {
                    tracing::warn!(?error, "the queue of mails cannot be read");
                    Err(error.to_string())
                }
            };
            if begun.is_ok() {
                backoff.reset();
                continue;
            }
            let pause = backoff.next((self.edges.jitter)());
            let _ = timeout(pause, self.shutdown.cancelled()).await;
        }
    }

    /// How many may be taken, at least one; waits until there is room.
    async fn room(&self, tasks: &mut JoinSet<()>) -> usize {
        while tasks.try_join_next().is_some() {}
        let worthwhile = (self.settings.concurrency / 4).max(1);
        loop {
            let room = self.settings.concurrency.max(1).saturating_sub(tasks.len());
            if room >= worthwhile {
                return room.min(self.most_taken());
            }
            // Without room, it waits for as long as it takes: every task ends.
            let patience = if room == 0 { Duration::MAX } else { ROOM_WAIT };
            if timeout(patience, tasks.join_next()).await.is_err() {
                return room.min(self.most_taken());
            }
        }
    }

    fn most_taken(&self) -> usize {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // within the bounds
        let ahead = (self.settings.rate * AHEAD).clamp(1.0, 1e6) as usize;
        ahead.min(MOST_TAKEN)
    }

    /// Records what was taken, and begins to work on it.
    async fn begin(
        self: &Arc<Self>,
        deliveries: Vec<Delivery>,
        tasks: &mut JoinSet<()>,
    ) -> Result<(), StoreError> {
        if deliveries.is_empty() {
            return Ok(());
        }
        let read: Vec<_> = deliveries
            .iter()
            .map(|delivery| decode::event(&delivery.payload))
            .collect();
        let new: Vec<_> = deliveries
            .iter()
            .zip(&read)
            .map(|(delivery, event)| new_mail(delivery, event.as_ref().ok()))
            .collect();
        let recorded = match self.mails.record(&new, (self.edges.clock)()).await {
            Ok(recorded) => recorded,
            Err(error) => {
                observe::outcome("given_back", deliveries.len());
                self.tell_queue(|| self.queue.give_back(&deliveries, UNRECORDED))
                    .await;
                return Err(error);
            }
        };
        let mut recorded: HashMap<String, Mail> = recorded
            .into_iter()
            .map(|mail| (mail.id.clone(), mail))
            .collect();
        for (delivery, event) in deliveries.into_iter().zip(read) {
            let Some(mail) = recorded.remove(&delivery.id) else {
                // A second delivery of the same mail in one batch: by then the first one has had its way.
                self.tell_queue(|| {
                    self.queue
                        .give_back(std::slice::from_ref(&delivery), UNRECORDED)
                })
                .await;
                continue;
            };
            let consumer = Arc::clone(self);
            let span = observe::process(&delivery, self.settings.system);
            tasks.spawn(
                async move { consumer.see_through(delivery, event, mail).await }.instrument(span),
            );
        }
        Ok(())
    }
}

/// A mail as it is recorded before anything is done with it.
fn new_mail(delivery: &Delivery, event: Option<&crate::domain::event::Event>) -> NewMail {
    let trip = event.map(|event| &event.trip);
    NewMail {
        id: delivery.id.clone(),
        kind: event.map(|event| event.kind),
        trip: trip.map(|trip| trip.id.clone()).unwrap_or_default(),
        user: event.map(|event| event.user.clone()).unwrap_or_default(),
        recipient: trip.map(|trip| trip.recipient.clone()).unwrap_or_default(),
        // A template that fails does so again when the letter is written, and that is where it is told.
        subject: event
            .and_then(|event| render::subject(event).ok())
            .unwrap_or_default(),
        created: delivery.enqueued,
        trace: observe::trace_id(delivery),
    }
}
