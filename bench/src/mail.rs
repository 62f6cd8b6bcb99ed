//! Mails that leave at their rate while bookings come faster, and what they cost the bookings.
//!
//! First 15,000 trips are booked as fast as it goes, while two replicas of mail send at 50 a second what that
//! orders: every full window of ten seconds is to have 500 mails, give or take 2 %, and all are to come, once. Then trips
//! are booked in turns with mail and without, 100 a second and as fast as it goes: the slowest hundredth of the bookings
//! is not to become slower.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use testing::{Redis, smtp::SmtpSink};

use crate::process::Process;
use crate::skyway::Skyway;
use crate::spread;
use crate::trips::Trips;

/// Flights that trips are spread over.
const FLIGHTS: u32 = 200;
/// Mails that are ordered at once.
const MAILS: usize = 15_000;
/// Mails per second over all replicas.
const RATE: f64 = 50.0;
/// In which the rate is to hold.
const WINDOW: Duration = Duration::from_secs(10);
/// Bookings per second while their times are taken: twice as many as mails leave.
const BOOKINGS: u32 = 100;
/// Goals: how far a window may be off, and how much slower a booking may become.
const RATE_GOAL: f64 = 0.02;
const SLOWER_GOAL: f64 = 1.1;
/// How long trips are booked with mail, and without, in a round: not in step with what the database does every minute.
const ROUND: Duration = Duration::from_secs(20);
/// Booked before, until what was started or stopped is as it stays.
const WARM_UP: Duration = Duration::from_secs(5);
/// What runs besides mail, in its order.
const SERVICES: [&str; 5] = ["search", "identity", "booking", "orchestration", "gateway"];

/// How trips are booked while their times are taken.
#[derive(Clone, Copy)]
enum Pace {
    /// [`BOOKINGS`] a second.
    Steady,
    /// As fast as it goes: what mail takes of the machine, it takes from the bookings.
    Full,
}

/// What stands around the mails.
struct Bench {
    skyway: Skyway,
    trips: Trips,
    sink: SmtpSink,
    /// Its replicas, while they run.
    mail: Vec<Process>,
    _redis: Redis,
}

/// Runs both parts, prints what came of it, and writes `mail.md`.
pub(crate) fn run(out: &Path, skyway: &Path, rounds: usize) -> Result<()> {
    std::fs::create_dir_all(out)?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let mut bench = Box::pin(Bench::start(skyway)).await?;
        let mut windows = bench.rate().await?;
        let mut steady = bench.ratios(Pace::Steady, rounds).await?;
        let mut full = bench.ratios(Pace::Full, rounds).await?;
        let report = report(&mut windows, &mut steady, &mut full);
        std::fs::write(out.join("mail.md"), &report)?;
        println!("{report}");
        Ok(())
    })
}

fn report(windows: &mut [f64], steady: &mut [f64], full: &mut [f64]) -> String {
    let [rate, slowest, fastest] = spread(windows);
    let met = |met: bool| if met { "met" } else { "missed" };
    let rate_met = met(1.0 - slowest <= RATE_GOAL && fastest - 1.0 <= RATE_GOAL);
    let mut rows = vec![
        "| | median | least | most | goal |".to_owned(),
        "| --- | --- | --- | --- | --- |".to_owned(),
        format!(
            "| {MAILS} mails in windows of {} s / {RATE} a second | {rate:.3} | {slowest:.3} | {fastest:.3} | 0.98 to 1.02 {rate_met} |",
            WINDOW.as_secs()
        ),
    ];
    let at_steady = format!("{BOOKINGS} bookings a second");
    for (pace, ratios) in [(at_steady.as_str(), steady), ("as many as go", full)] {
        let [ratio, least, most] = spread(ratios);
        let slower_met = met(ratio <= SLOWER_GOAL);
        rows.push(format!(
            "| p99 of a booking with mail / without, {pace} | {ratio:.2} | {least:.2} | {most:.2} | {SLOWER_GOAL} {slower_met} |"
        ));
    }
    rows.join("\n") + "\n"
}

impl Bench {
    async fn start(binary: &Path) -> Result<Self> {
        let sink = SmtpSink::start_counting().await;
        let redis = Redis::start_with(&["--appendonly", "yes"]).await;
        let more = [
            ("REDIS_URL", redis.url()),
            ("SMTP_URL", sink.url()),
            ("SKYWAY_MAIL_RATE", RATE.to_string()),
        ];
        let mut skyway = Skyway::new(binary, FLIGHTS, &more).await?;
        skyway.start(&SERVICES)?;
        let mail = replicas(&skyway)?;
        let trips = Trips::start(skyway.port("gateway"), &skyway.day).await?;
        // Each flight once; then no seat is scarce.
        trips.book(|begun| begun < trips.offers()).await?;
        skyway.seats_without_end()?;
        Ok(Self {
            skyway,
            trips,
            sink,
            mail,
            _redis: redis,
        })
    }

    /// Books until there are as many mails as we want, and waits for all: the mails of each full window,
    /// divided by what the rate says.
    async fn rate(&mut self) -> Result<Vec<f64>> {
        let started = Instant::now();
        let left = MAILS - self.trips.offers();
        self.trips.book(|begun| begun < left).await?;
        eprintln!(
            "{MAILS} mails ordered in {:.0?}, {} have come",
            started.elapsed(),
            self.sink.came()
        );
        let mut came = self.sink.came();
        let mut progress = Instant::now();
        while came < MAILS {
            ensure!(progress.elapsed() < WINDOW, "{came} of {MAILS} mails came");
            tokio::time::sleep(Duration::from_millis(100)).await;
            if self.sink.came() > came {
                (came, progress) = (self.sink.came(), Instant::now());
            }
        }
        self.stop_mail()?;
        let counts = self.sink.counts();
        ensure!(
            counts.len() == MAILS && counts.values().all(|times| *times == 1),
            "of {MAILS} mails {} came, {} times",
            counts.len(),
            counts.values().sum::<usize>()
        );
        let received = self.sink.received();
        let times = received.iter().map(|mail| mail.accepted);
        Ok(windows(times.filter(|time| *time > started).collect()))
    }

    /// By how much the slowest hundredth of the bookings is slower with mail than without, in each round but the first.
    async fn ratios(&mut self, pace: Pace, rounds: usize) -> Result<Vec<f64>> {
        let mut ratios = vec![];
        for round in 0..=rounds {
            let mut slowest = [Duration::ZERO; 2];
            let order = if round % 2 == 0 { [1, 0] } else { [0, 1] };
            for mail in order {
                slowest[mail] = self.slowest(pace, mail == 1).await?;
            }
            let [without, with] = slowest;
            let ratio = with.as_secs_f64() / without.as_secs_f64();
            eprintln!(
                "round {round} of {rounds} (0 warms up): p99 without mail {without:.1?}, with mail {with:.1?}: {ratio:.2}"
            );
            if round > 0 {
                ratios.push(ratio);
            }
        }
        Ok(ratios)
    }

    /// How long all but the slowest hundredth of the bookings take at most.
    async fn slowest(&mut self, pace: Pace, with_mail: bool) -> Result<Duration> {
        if with_mail {
            self.mail = replicas(&self.skyway)?;
        }
        self.trips.find_offers(&self.skyway.day).await?;
        let before = self.sink.came();
        self.book(pace, WARM_UP).await?;
        let mut took = self.book(pace, ROUND).await?;
        took.sort();
        let came = self.sink.came() - before;
        ensure!((came > 0) == with_mail, "{came} mails came");
        self.stop_mail()?;
        Ok(took[took.len() * 99 / 100])
    }

    async fn book(&self, pace: Pace, round: Duration) -> Result<Vec<Duration>> {
        let started = Instant::now();
        match pace {
            Pace::Steady => self.trips.steady(BOOKINGS, round).await,
            Pace::Full => self.trips.book(|_| started.elapsed() < round).await,
        }
    }

    fn stop_mail(&mut self) -> Result<()> {
        self.mail.drain(..).try_for_each(Process::stop)
    }
}

fn replicas(skyway: &Skyway) -> Result<Vec<Process>> {
    Ok(vec![skyway.replica("mail", 0)?, skyway.replica("mail", 1)?])
}

/// Of each full window from the first mail on, how many came in it, divided by what the rate says.
fn windows(mut times: Vec<Instant>) -> Vec<f64> {
    times.sort();
    let (Some(first), Some(last)) = (times.first(), times.last()) else {
        return vec![];
    };
    let full = last.duration_since(*first).as_secs() / WINDOW.as_secs();
    let mut windows = vec![0.0; usize::try_from(full).unwrap_or_default()];
    for time in &times {
        let window = time.duration_since(*first).as_secs() / WINDOW.as_secs();
        if let Some(mails) = usize::try_from(window)
            .ok()
            .and_then(|window| windows.get_mut(window))
        {
            *mails += 1.0 / (RATE * WINDOW.as_secs_f64());
        }
    }
    windows
}
