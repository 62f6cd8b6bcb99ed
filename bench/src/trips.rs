//! Whole trips over REST, through every service: what a traveller's request costs all of us together.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// Trips asked for at once.
const CALLERS: usize = 64;
/// Domains that the travellers' mails go to.
const DOMAINS: usize = 100;
/// How long the gateway may take to find all services.
const PATIENCE: Duration = Duration::from_secs(20);

/// A traveller with offers to book.
pub(crate) struct Trips {
    client: reqwest::Client,
    gateway: String,
    token: String,
    offers: Vec<String>,
}

impl Trips {
    /// Signs up at the gateway on `port`, and finds every non-stop flight from JFK to SEA on a day.
    pub(crate) async fn start(port: u16, day: &str) -> Result<Self> {
        let mut trips = Self {
            client: reqwest::Client::new(),
            gateway: format!("http://127.0.0.1:{port}"),
            token: String::new(),
            offers: Vec::new(),
        };
        trips.until_ready().await?;
        let credentials = json!({"email": "bench@example.com", "password": "correct horse"});
        trips.send("/v1/users", &credentials, "").await?;
        let session = trips.send("/v1/sessions", &credentials, "").await?;
        trips.token = text(&session["accessToken"])?;
        trips.find_offers(day).await?;
        Ok(trips)
    }

    /// Finds the offers anew: they expire after some minutes.
    pub(crate) async fn find_offers(&mut self, day: &str) -> Result<()> {
        self.offers.clear();
        let mut page = String::new();
        loop {
            let answer = self
                .send(
                    "/v1/itineraries:search",
                    &json!({"origin": "JFK", "destination": "SEA", "departureDate": day, "maxStops": 0,
                            "passengers": 1, "pageSize": 100, "pageToken": page}),
                    "",
                )
                .await?;
            for itinerary in answer["itineraries"].as_array().into_iter().flatten() {
                self.offers.push(text(&itinerary["offerId"])?);
            }
            match answer["nextPageToken"].as_str() {
                Some(next) => next.clone_into(&mut page),
                None => return Ok(()),
            }
        }
    }

    /// Trips booked per second over `round`.
    pub(crate) async fn per_second(&self, round: Duration) -> Result<f64> {
        let started = Instant::now();
        let took = self.book(|_| started.elapsed() < round).await?;
        let booked = f64::from(u32::try_from(took.len())?);
        Ok(booked / started.elapsed().as_secs_f64())
    }

    /// Books trips of one flight, as fast as it goes, while `more` says so of how many have been begun; gives how long
    /// each took.
    pub(crate) async fn book(&self, more: impl Fn(usize) -> bool) -> Result<Vec<Duration>> {
        self.by_callers(async |number| Ok(more(number).then(Instant::now)))
            .await
    }

    /// Books by many callers, each one trip after the other, until `next` has nothing for them: from when on the next
    /// trip, of this number, is waited for. Gives how long each took.
    async fn by_callers(
        &self,
        next: impl AsyncFn(usize) -> Result<Option<Instant>>,
    ) -> Result<Vec<Duration>> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let first = NEXT.load(Ordering::Relaxed);
        let callers = (0..CALLERS).map(|_| async {
            let mut took = vec![];
            loop {
                let number = NEXT.fetch_add(1, Ordering::Relaxed);
                let Some(started) = next(number - first).await? else {
                    return anyhow::Ok(took);
                };
                self.book_one(number).await?;
                took.push(started.elapsed());
            }
        });
        let took = futures_util::future::try_join_all(callers).await?;
        Ok(took.into_iter().flatten().collect())
    }

    /// Books so many trips per second for `round`, whether or not those before are done; gives how long each took from
    /// when it was due.
    pub(crate) async fn steady(&self, rate: u32, round: Duration) -> Result<Vec<Duration>> {
        let interval = Duration::from_secs(1) / rate;
        let start = Instant::now();
        let took = self.by_callers(async |number| {
            let due = start + interval * u32::try_from(number)?;
            if due.duration_since(start) >= round {
                return Ok(None);
            }
            tokio::time::sleep_until(due.into()).await;
            Ok(Some(due))
        });
        took.await
    }

    /// How many offers there are, which are booked in turn.
    pub(crate) const fn offers(&self) -> usize {
        self.offers.len()
    }

    async fn book_one(&self, number: usize) -> Result<()> {
        let offer = &self.offers[number % self.offers.len()];
        let email = format!("bench@{}.example.com", number % DOMAINS);
        let order = json!({"offerId": offer, "contactEmail": email,
                           "passengers": [{"givenName": "Ada", "familyName": "Lovelace"}]});
        let key = format!("bench-{number}");
        let trip = self.send("/v1/trips", &order, &key).await?;
        ensure!(trip["state"] == "CONFIRMED", "not booked: {trip}");
        Ok(())
    }

    async fn until_ready(&self) -> Result<()> {
        let give_up = Instant::now() + PATIENCE;
        let url = format!("{}/readyz", self.gateway);
        loop {
            let answer = self.client.get(&url).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            ensure!(Instant::now() < give_up, "the gateway is not ready");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Posts JSON and gives the answer, which must be a success.
    async fn send(&self, path: &str, body: &Value, key: &str) -> Result<Value> {
        let mut request = self.client.post(format!("{}{path}", self.gateway));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if !key.is_empty() {
            request = request.header("idempotency-key", key);
        }
        let answer = Box::pin(request.json(body).send()).await?;
        let status = answer.status();
        let json: Value = answer.json().await?;
        ensure!(status.is_success(), "{path}: {status} {json}");
        Ok(json)
    }
}

fn text(value: &Value) -> Result<String> {
    Ok(value.as_str().context("text is missing")?.to_owned())
}
