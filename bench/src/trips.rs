//! Whole trips over REST, through every service: what a traveller's request costs all of us together.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// Trips asked for at once.
const CALLERS: usize = 64;
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
        let mut page = String::new();
        loop {
            let answer = trips
                .send(
                    "/v1/itineraries:search",
                    &json!({"origin": "JFK", "destination": "SEA", "departureDate": day, "maxStops": 0,
                            "passengers": 1, "pageSize": 100, "pageToken": page}),
                    "",
                )
                .await?;
            for itinerary in answer["itineraries"].as_array().into_iter().flatten() {
                trips.offers.push(text(&itinerary["offerId"])?);
            }
            match answer["nextPageToken"].as_str() {
                Some(next) => next.clone_into(&mut page),
                None => return Ok(trips),
            }
        }
    }

    /// Trips booked per second over `round`, each with one flight.
    pub(crate) async fn per_second(&self, round: Duration) -> Result<f64> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let started = Instant::now();
        let callers = (0..CALLERS).map(|_| async {
            let mut booked = 0_u64;
            while started.elapsed() < round {
                let number = NEXT.fetch_add(1, Ordering::Relaxed);
                let offer = &self.offers[usize::try_from(number)? % self.offers.len()];
                let order = json!({"offerId": offer, "contactEmail": "bench@example.com",
                                   "passengers": [{"givenName": "Ada", "familyName": "Lovelace"}]});
                let trip = self
                    .send("/v1/trips", &order, &format!("bench-{number}"))
                    .await?;
                ensure!(trip["state"] == "CONFIRMED", "not booked: {trip}");
                booked += 1;
            }
            Ok(booked)
        });
        let booked: u64 = futures_util::future::try_join_all(callers)
            .await?
            .iter()
            .sum();
        #[allow(clippy::cast_precision_loss)] // far below 2^52
        Ok(booked as f64 / started.elapsed().as_secs_f64())
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
        let answer = request.json(body).send().await?;
        let status = answer.status();
        let json: Value = answer.json().await?;
        ensure!(status.is_success(), "{path}: {status} {json}");
        Ok(json)
    }
}

fn text(value: &Value) -> Result<String> {
    Ok(value.as_str().context("text is missing")?.to_owned())
}
