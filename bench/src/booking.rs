//! Holding seats beside the same statements run straight by `pgbench` on the same `PostgreSQL`, and
//! booking whole trips over REST.
//!
//! Holds per second over gRPC, divided by transactions per second of `pgbench`, in rounds that take
//! turns. Spread over 200 flights the ratio says what our layers cost; on one hot flight, where
//! `pgbench`'s transactions queue for the row's lock one by one, what combining wins. A whole trip over REST
//! passes through every service and eight transactions or so; its ratio has no goal, and is there to be compared with itself.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use contracts::booking::v1::{
    BOOKING_SERVICE, HoldSeatsRequest, booking_service_client::BookingServiceClient,
};
use mesh::{
    auth::Auth,
    client::{Channel, Config},
    seal::Key,
};
use testing::program;

use crate::skyway::{MESH_KEY, Skyway, succeeded};
use crate::spread;
use crate::trips::Trips;

/// Flights that holds are spread over.
const FLIGHTS: u32 = 200;
/// Calls at once, and connections of `pgbench`: as many as the service's pool has.
const CALLERS: usize = 64;
const CONNECTIONS: usize = 16;
/// How long each side runs in a round.
const ROUND: Duration = Duration::from_secs(3);
/// What is compared, and the least ratio that we promise of it.
const ROWS: [(&str, Option<f64>); 3] = [
    ("holds over gRPC, spread over 200 flights", Some(0.8)),
    ("holds over gRPC, one hot flight", Some(3.0)),
    ("trips over REST, spread over 200 flights", None),
];
/// What is run in its order.
const SERVICES: [&str; 6] = [
    "search",
    "identity",
    "booking",
    "mail",
    "orchestration",
    "gateway",
];

/// What stands beside each other.
struct Bench {
    skyway: Skyway,
    client: BookingServiceClient<Channel>,
    trips: Trips,
}

/// Runs the comparison, prints it, and writes `booking.md`.
pub(crate) fn run(out: &Path, skyway: &Path, rounds: usize) -> Result<()> {
    std::fs::create_dir_all(out)?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let bench = Box::pin(Bench::start(skyway)).await?;
        let mut ratios = [vec![], vec![], vec![]];
        for round in 0..=rounds {
            eprintln!("round {round} of {rounds} (0 warms up)");
            let trips = bench.trips.per_second(ROUND).await?;
            let (spread, hot) = (bench.hold(FLIGHTS).await?, bench.hold(1).await?);
            let theirs = [bench.pgbench(FLIGHTS)?, bench.pgbench(1)?];
            eprintln!(
                "  {FLIGHTS} flights: {spread:.0} holds/s, {trips:.0} trips/s, pgbench {:.0} tx/s; one: {hot:.0} holds/s, pgbench {:.0} tx/s",
                theirs[0], theirs[1]
            );
            if round > 0 {
                let round = [spread / theirs[0], hot / theirs[1], trips / theirs[0]];
                for (ratios, ratio) in ratios.iter_mut().zip(round) {
                    ratios.push(ratio);
                }
            }
        }
        let report = report(&mut ratios);
        std::fs::write(out.join("booking.md"), &report)?;
        println!("{report}");
        Ok(())
    })
}

fn report(ratios: &mut [Vec<f64>; 3]) -> String {
    let mut text = String::from(
        "| per second / pgbench's transactions | median | least | most | goal |\n| --- | --- | --- | --- | --- |\n",
    );
    for (ratios, (name, goal)) in ratios.iter_mut().zip(ROWS) {
        let [middle, lowest, highest] = spread(ratios);
        let goal = match goal {
            Some(goal) if middle >= goal => format!("{goal} met"),
            Some(goal) => format!("{goal} missed"),
            None => "none".to_owned(),
        };
        writeln!(
            text,
            "| {name} | {middle:.2} | {lowest:.2} | {highest:.2} | {goal} |"
        )
        .ok();
    }
    text
}

impl Bench {
    /// Starts the mesh on `PostgreSQL` as it comes, with its commits on disk.
    async fn start(binary: &Path) -> Result<Self> {
        let mut skyway = Skyway::new(binary, FLIGHTS, &[]).await?;
        skyway.start(&SERVICES)?;
        let auth = Auth::new(Key::new(MESH_KEY));
        let endpoints = format!("static://127.0.0.1:{}", skyway.port("booking"));
        let config = Config::new(endpoints.parse()?);
        let channel = Channel::connect(&BOOKING_SERVICE, config.signed(auth.signer("bench")));
        let bench = Self {
            client: BookingServiceClient::new(channel),
            trips: Trips::start(skyway.port("gateway"), &skyway.day).await?,
            skyway,
        };
        bench.open_flights().await?;
        Ok(bench)
    }

    /// Every flight has been touched once and has seats without end, so that only holding is measured.
    async fn open_flights(&self) -> Result<()> {
        let mut client = self.client.clone();
        for number in 1..=FLIGHTS {
            client
                .hold_seats(self.request(number, format!("open-{number}")))
                .await?;
        }
        self.skyway.seats_without_end()?;
        self.skyway.sql("booking", "CREATE SEQUENCE bench")
    }

    fn request(&self, number: u32, hold_id: String) -> HoldSeatsRequest {
        HoldSeatsRequest {
            hold_id,
            trip_id: "trip".to_owned(),
            user_id: "user".to_owned(),
            flight_id: format!("UA{number}-{}-JFK", self.skyway.day),
            seats: 1,
            ..HoldSeatsRequest::default()
        }
    }

    /// Holds per second over gRPC.
    async fn hold(&self, flights: u32) -> Result<f64> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let started = Instant::now();
        let callers = (0..CALLERS).map(|_| async {
            let mut client = self.client.clone();
            let mut held = 0_u64;
            while started.elapsed() < ROUND {
                let number = NEXT.fetch_add(1, Ordering::Relaxed);
                let flight = u32::try_from(number % u64::from(flights))? + 1;
                client
                    .hold_seats(self.request(flight, format!("bench-{number}")))
                    .await?;
                held += 1;
            }
            anyhow::Ok(held)
        });
        let held: u64 = futures_util::future::try_join_all(callers)
            .await?
            .iter()
            .sum();
        #[allow(clippy::cast_precision_loss)] // far below 2^52
        Ok(held as f64 / started.elapsed().as_secs_f64())
    }

    /// The statements of a hold, as the service sends them, straight from `pgbench`.
    fn pgbench(&self, flights: u32) -> Result<f64> {
        let script = self.skyway.folder.path().join("hold.sql");
        let day = &self.skyway.day;
        std::fs::write(
            &script,
            format!(
                "\\set flight random(1, {flights})\n\
                 BEGIN;\n\
                 UPDATE inventory SET held = held + 1, sold = sold + 0, version = version + 1 WHERE flight_id = 'UA' || :flight || '-{day}-JFK' AND cabin = 'ECONOMY' \
                 AND departure_ms > 1000 AND held + sold + 1 <= capacity RETURNING flight_id, cabin, capacity, held, sold, version, departure_ms;\n\
                 INSERT INTO bookings (booking_id, locator, trip_id, user_id, flight_id, cabin, seats, state, created, updated, expires) \
                 VALUES ('p-' || nextval('bench'), '!' || lpad(to_hex(currval('bench')), 5, '0'), 'trip', 'user', 'UA' || :flight || '-{day}-JFK', 'ECONOMY', 1, 'HELD', 1000, 1000, 4000000000000);\n\
                 INSERT INTO outbox (topic, aggregate, payload, trace_parent, created) \
                 VALUES ('inventory', 'UA' || :flight || '-{day}-JFK/ECONOMY', '\\x0a1455413132332d323032362d31322d32322d4a464b10011804', NULL, 1000);\n\
                 COMMIT;\n"
            ),
        )?;
        let output = Command::new(program("pgbench"))
            .args(["--no-vacuum", "--protocol=prepared", "--jobs=2"])
            .arg(format!("--client={CONNECTIONS}"))
            .arg(format!("--time={}", ROUND.as_secs()))
            .arg("--file")
            .arg(&script)
            .arg(self.skyway.postgres.url("booking"))
            .output()?;
        let text = succeeded(&output, "pgbench")?;
        let rate = text.lines().find_map(|line| line.strip_prefix("tps = "));
        let rate = rate.and_then(|rate| rate.split(' ').next());
        Ok(rate
            .with_context(|| format!("pgbench said: {text}"))?
            .parse()?)
    }
}
