//! One mail, from its delivery to its outcome.

use std::time::{Duration, Instant};

use durable::queue::{Delivery, Queue, QueueError};
use mesh::backoff::Backoff;
use tracing::{Instrument, Span};

use super::{Consumer, observe};
use crate::{
    decode::DecodeError,
    domain::{
        answer::Verdict,
        error::{SendError, StoreError},
        event::{Event, Flight},
        letter::domain_of,
        mail::{Claim, Mail, State},
        ports::{CLAIM_MS, Flights, Mails, Sender},
    },
    render::{self, Occasion},
};

/// When others may have a mail for whose flights search could not be asked.
const WITHOUT_FLIGHTS: Duration = Duration::from_secs(5);
/// When others may have a mail for which the database or the queue failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// How often the queue is told what became of a mail; after that it learns by itself.
const TELLINGS: u32 = 6;
/// One that was taken so often without an outcome ends its replicas, or makes them panic.
const MOST_DELIVERIES: u32 = 32;
/// Between two attempts to tell, and to write down what cannot be forgotten.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// What becomes of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The mail server has accepted it.
    Sent,
    /// It had been sent before.
    Repeated,
    /// It failed, and is tried again after this.
    Retry(Duration),
    /// It was not tried, and may be after this.
    GivenBack(Duration),
    /// It is given up for this reason.
    Dead(String),
}

impl Outcome {
    const fn name(&self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Repeated => "repeated",
            Self::Retry(_) => "retried",
            Self::GivenBack(_) => "given_back",
            Self::Dead(_) => "dead",
        }
    }
}

impl<Q: Queue, M: Mails, S: Sender, F: Flights> Consumer<Q, M, S, F> {
    /// Works on a delivery, and tells the queue what became of it.
    pub(super) async fn see_through(
        &self,
        delivery: Delivery,
        event: Result<Event, DecodeError>,
        mail: Mail,
    ) {
        let guard = self.in_flight.add(&delivery);
        let outcome = match self.work(&delivery, event, &mail).await {
            Ok(outcome) => outcome,
            Err(StoreError { .. }) => Outcome::GivenBack(AFTER_FAILURE),
        };
        observe::outcome(outcome.name(), 1);
        Span::current().record("messaging.skyway.outcome", outcome.name());
        self.tell(&delivery, &outcome).await;
        drop(guard);
    }

    async fn tell(&self, delivery: &Delivery, outcome: &Outcome) {
        let one = std::slice::from_ref(delivery);
        self.tell_queue(|| async {
            match outcome {
                Outcome::Sent | Outcome::Repeated => self.queue.settle(one).await,
                Outcome::Retry(delay) => self.queue.retry(delivery, *delay).await,
                Outcome::GivenBack(delay) => self.queue.give_back(one, *delay).await,
                Outcome::Dead(reason) => self.queue.bury(delivery, reason).await,
            }
        })
        .await;
    }

    /// Tells the queue something, some times if need be. Where it never hears, it gives the mail to
    /// somebody else in the end, who finds what is recorded.
    pub(super) async fn tell_queue<T: Future<Output = Result<(), QueueError>>>(
        &self,
        mut tell: impl FnMut() -> T,
    ) {
        let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
        for _ in 1..TELLINGS {
            if tell().await.is_ok() {
                return;
            }
            tokio::time::sleep(backoff.next((self.edges.jitter)())).await;
        }
        if let Err(error) = tell().await {
            tracing::warn!(?error, "the queue cannot be told what became of a mail");
        }
    }

    async fn work(
        &self,
        delivery: &Delivery,
        event: Result<Event, DecodeError>,
        mail: &Mail,
    ) -> Result<Outcome, StoreError> {
        match mail.state {
            State::Sent => return Ok(Outcome::Repeated),
            // Somebody gave it up and died before the queue heard of it.
            State::Dead if delivery.attempt > 1 => {
                return Ok(Outcome::Dead(mail.last_error.clone()));
            }
            // It was redriven: that is the only way for a dead one to be delivered for the first time.
            // Whoever redrove it has died before that was recorded, or is about to record it.
            State::Dead => {
                let now = (self.edges.clock)();
                self.mails.revive(&mail.id, mail.updated, now).await?;
            }
            State::Queued | State::Sending if delivery.attempt > MOST_DELIVERIES => {
                let reason =
                    format!("{MOST_DELIVERIES} replicas have taken it and did not finish it");
                return self.give_up(mail, reason).await;
            }
            State::Queued | State::Sending => {}
        }
        let event = match event {
            Ok(event) => event,
            Err(error) => return self.give_up(mail, error.to_string()).await,
        };
        let ids: Vec<_> = event
            .trip
            .bookings
            .iter()
            .map(|booking| booking.flight.clone())
            .collect();
        let Ok(flights) = self.flights.flights(&ids).await else {
            return Ok(Outcome::GivenBack(WITHOUT_FLIGHTS));
        };
        let domain = domain_of(&event.trip.recipient);
        let mut place = match self.domains.take(&domain, Instant::now()) {
            Ok(place) => place,
            Err(delay) => return Ok(Outcome::GivenBack(delay)),
        };
        if !self.has_its_turn().await {
            return Ok(Outcome::GivenBack(Duration::ZERO));
        }
        if let Err(delay) = place.enter().await {
            return Ok(Outcome::GivenBack(delay));
        }
        self.claim_and_send(mail, &event, &flights).await
    }

    /// Waits for a turn of the rate; false where it has none.
    async fn has_its_turn(&self) -> bool {
        if self.shutdown.is_cancelled() {
            return false;
        }
        let turn = self.queue.turn(self.settings.rate, self.settings.burst);
        match turn.await {
            Ok(wait) => {
                let stopped = self.shutdown.cancelled();
                tokio::time::timeout(wait, stopped).await.is_err()
            }
            Err(error) => {
                tracing::warn!(?error, "the rate of mails cannot be asked");
                tokio::time::sleep(AFTER_FAILURE).await;
                false
            }
        }
    }

    async fn claim_and_send(
        &self,
        mail: &Mail,
        event: &Event,
        flights: &[Option<Flight>],
    ) -> Result<Outcome, StoreError> {
        let now = (self.edges.clock)();
        let owner = format!("{}.{:016x}", self.settings.name, (self.edges.random)());
        let seen = (mail.id.as_str(), mail.attempts);
        let claim = self.mails.claim(seen, &owner, now, now + CLAIM_MS);
        let attempt = match claim.await? {
            Claim::Granted { attempt, unclear } => {
                if unclear {
                    metrics::counter!("mail_unclear_total").increment(1);
                    tracing::warn!(
                        mail.id = mail.id,
                        "a replica that had this mail has died: it may be sent twice"
                    );
                }
                attempt
            }
            Claim::Taken { until } => {
                let rest = u64::try_from(until - now).unwrap_or_default();
                return Ok(Outcome::GivenBack(
                    Duration::from_millis(rest) + AFTER_FAILURE,
                ));
            }
            Claim::Sent => return Ok(Outcome::Repeated),
            Claim::Dead => return Ok(Outcome::Dead(mail.last_error.clone())),
            Claim::Unknown => return Ok(Outcome::GivenBack(AFTER_FAILURE)),
        };
        match self.send(mail, event, flights, now).await {
            Ok(()) => {
                self.write_down_sent(&mail.id).await;
                Ok(Outcome::Sent)
            }
            Err(error) => self.refused(mail, &owner, attempt, error).await,
        }
    }

    async fn send(
        &self,
        mail: &Mail,
        event: &Event,
        flights: &[Option<Flight>],
        now: i64,
    ) -> Result<(), SendError> {
        let occasion = Occasion {
            mail: &mail.id,
            sender: &self.settings.sender,
            created: mail.created,
            date: now,
        };
        let letter = render::letter(&occasion, event, flights).map_err(|error| {
            SendError::impossible(format!("the mail cannot be written: {error}"))
        })?;
        let span = observe::smtp(&self.settings.server);
        let started = Instant::now();
        let handed = self.sender.send(&letter).instrument(span.clone()).await;
        metrics::histogram!("mail_smtp_duration_seconds").record(started.elapsed().as_secs_f64());
        match handed {
            Ok(answer) => {
                span.record("smtp.response", answer);
                Ok(())
            }
            Err(error) => {
                span.record("smtp.response", error.message.as_str());
                span.record("otel.status_code", "ERROR");
                Err(error)
            }
        }
    }

    /// It is tried until it is written: forgetting it would send the mail twice. Where the process ends before,
    /// the claim runs out and the next one is counted as unclear.
    async fn write_down_sent(&self, id: &str) {
        let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
        while self.mails.sent(id, (self.edges.clock)()).await.is_err() {
            tokio::time::sleep(backoff.next((self.edges.jitter)())).await;
        }
    }

    async fn refused(
        &self,
        mail: &Mail,
        owner: &str,
        attempt: u32,
        error: SendError,
    ) -> Result<Outcome, StoreError> {
        let delay = self.settings.retry.delay(attempt, (self.edges.jitter)());
        let delay = delay.filter(|_| error.verdict == Verdict::Transient);
        let Some(delay) = delay else {
            return self.give_up(mail, error.message).await;
        };
        tracing::info!(
            mail.id = mail.id,
            attempt,
            error = error.message,
            "a mail was not accepted"
        );
        // Where even that fails, its claim runs out instead.
        let _ = self
            .mails
            .failed(&mail.id, owner, &error.message, (self.edges.clock)())
            .await;
        Ok(Outcome::Retry(delay))
    }

    async fn give_up(&self, mail: &Mail, reason: String) -> Result<Outcome, StoreError> {
        self.mails
            .dead(&mail.id, &reason, (self.edges.clock)())
            .await?;
        tracing::warn!(mail.id = mail.id, reason, "a mail is given up");
        Ok(Outcome::Dead(reason))
    }
}
