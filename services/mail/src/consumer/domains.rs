//! No more than so many mails to one domain at once: a mail server that is slow or overrun takes its own
//! mails' time, and not everybody's.
//!
//! Mails that wait for their turn of the rate are no burden to a domain, only those that are handed over are. But
//! a domain that fills all places of a replica with waiting would stop it too, so that its places are bounded as well. A
//! mail that finds none goes back to the queue until it will have its turn: the delays follow each other as fast
//! as the domain has lately taken mails, so that a mail comes back once and not over and over.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// How long one that has had its turn of the rate waits for its domain as well.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bounds of a delay.
const DELAYS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_mins(1));
/// How long a mail takes before one has been seen, seconds. Rather too little: the first mails of a backlog for one domain
/// are sent away by it, and those that come back too late leave turns of the rate unused.
const FIRST_GUESS: f64 = 0.1;
/// Weight of the newest mail in the average.
const WEIGHT: f64 = 0.2;
/// Domains that are remembered although they have no mail here.
const MOST_IDLE: usize = 1_024;

/// All domains.
#[derive(Debug)]
pub(super) struct Domains {
    /// Mails that are handed over at once.
    limit: usize,
    /// Mails that are here at once.
    places: usize,
    known: Arc<Mutex<HashMap<String, Domain>>>,
}

#[derive(Debug)]
struct Domain {
    /// Mails that are here.
    here: usize,
    /// Room to be handed over.
    room: Arc<Semaphore>,
    /// How long that takes, seconds, on average.
    takes: f64,
    /// When the last one that was sent away may come back.
    next: Instant,
}

impl Domain {
    /// When another one may come.
    fn later(&mut self, limit: usize, now: Instant) -> Duration {
        #[allow(clippy::cast_precision_loss)] // some dozens
        let apart = Duration::from_secs_f64(self.takes / limit as f64);
        self.next = (self.next.max(now) + apart).min(now + DELAYS.1);
        (self.next - now).max(DELAYS.0)
    }
}

impl Domains {
    /// At most `limit` are handed over at once, of those that a replica works on at once.
    pub(super) fn new(limit: usize, concurrency: usize) -> Self {
        let limit = limit.max(1);
        Self {
            limit,
            places: limit.max(concurrency * 3 / 4),
            known: Arc::default(),
        }
    }

    /// Takes a place; where there is none, says when to come back.
    pub(super) fn take(&self, name: &str, now: Instant) -> Result<Place, Duration> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() > MOST_IDLE {
            known.retain(|_, domain| domain.here > 0);
        }
        let domain = known.entry(name.to_owned()).or_insert_with(|| Domain {
            here: 0,
            room: Arc::new(Semaphore::new(self.limit)),
            takes: FIRST_GUESS,
            next: now,
        });
        if domain.here >= self.places {
            return Err(domain.later(self.limit, now));
        }
        domain.here += 1;
        Ok(Place {
            known: Arc::clone(&self.known),
            limit: self.limit,
            room: Arc::clone(&domain.room),
            name: name.to_owned(),
            entered: None,
        })
    }
}

/// A place of one mail, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    known: Arc<Mutex<HashMap<String, Domain>>>,
    limit: usize,
    room: Arc<Semaphore>,
    name: String,
    /// Since when it is handed over.
    entered: Option<(OwnedSemaphorePermit, Instant)>,
}

impl Place {
    /// Waits a little for room to be handed over; where none comes, says when to come back.
    pub(super) async fn enter(&mut self) -> Result<(), Duration> {
        let room = timeout(PATIENCE, Arc::clone(&self.room).acquire_owned());
        // It is never closed.
        if let Ok(Ok(permit)) = room.await {
            self.entered = Some((permit, Instant::now()));
            return Ok(());
        }
        let limit = self.limit;
        let later = |domain: &mut Domain| domain.later(limit, Instant::now());
        Err(self.with(later).unwrap_or(DELAYS.0))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Domain) -> T) -> Option<T> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get_mut(&self.name).map(act)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let took = self.entered.as_ref().map(|(_, since)| since.elapsed());
        self.with(|domain| {
            domain.here = domain.here.saturating_sub(1);
            if let Some(took) = took {
                domain.takes += WEIGHT * (took.as_secs_f64() - domain.takes);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_full_domain_sends_away_at_the_rate_it_takes_and_lets_others_in() {
        let (domains, now) = (Domains::new(2, 4), Instant::now());
        let mut slow: Vec<_> = (0..3)
            .map(|_| domains.take("slow.example", now).unwrap())
            .collect();
        let delay = || domains.take("slow.example", now).unwrap_err().as_millis();
        assert_eq!(
            [delay(), delay(), delay()],
            [100, 100, 150],
            "two at once, a tenth of a second each, and not at once"
        );
        domains.take("fast.example", now).unwrap();
        slow[0].enter().await.unwrap();
        slow[1].enter().await.unwrap();
        slow[2].enter().await.unwrap_err();
        slow.remove(0);
        slow[1].enter().await.unwrap();
        domains.take("slow.example", now).unwrap();
    }

    #[test]
    fn domains_without_mails_are_forgotten_where_there_are_too_many() {
        let (domains, now) = (Domains::new(1, 1), Instant::now());
        let _busy = domains.take("busy.example", now).unwrap();
        for number in 0..3_000 {
            domains.take(&format!("{number}.example"), now).unwrap();
        }
        assert!(domains.known.lock().unwrap().len() <= MOST_IDLE + 1);
        domains.take("busy.example", now).unwrap_err();
    }
}
