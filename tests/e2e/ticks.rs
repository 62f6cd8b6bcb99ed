//! Two replicas of every service go by the same clock, which a test has in its hand: each tick runs once.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use durable::cron::SharedClock;
use mesh::{auth::Auth, client::Endpoints, seal::Key};
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, Statement};
use tempfile::TempDir;
use testing::clock::StillClock;
use testing::free_port;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::cluster::ready;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// 2026-12-01T00:00:00Z, in Unix milliseconds.
const MIDNIGHT: i64 = 1_796_083_200_000;
/// Each job: its service, how often it runs and how long after midnight it does so first, in milliseconds.
const JOBS: [(&str, &str, i64, i64); 11] = [
    ("booking", "expire-holds", 10 * SECOND, 0),
    ("booking", "trim-events", MINUTE, 0),
    ("booking", "audit-booking", HOUR, 0),
    ("orchestration", "resume-trips", 5 * SECOND, 0),
    ("orchestration", "departure-reminders", 5 * MINUTE, 0),
    ("orchestration", "audit-orchestration", HOUR, 0),
    ("mail", "purge-sent-log", DAY, 3 * HOUR + 30 * MINUTE),
    ("mail", "audit-mail", HOUR, 0),
    ("identity", "purge-sessions", HOUR, 0),
    ("identity", "audit-identity", HOUR, 0),
    ("search", "reconcile-inventory", HOUR, 0),
];
const SERVICES: [&str; 5] = ["search", "identity", "booking", "mail", "orchestration"];

/// Two replicas of each service, and their databases.
struct Replicas {
    clock: StillClock,
    databases: BTreeMap<&'static str, DatabaseConnection>,
    shutdown: CancellationToken,
    serving: JoinSet<()>,
    _data: TempDir,
}

impl Replicas {
    async fn start(now: i64) -> Self {
        let data = TempDir::with_prefix("skyway-ticks-").unwrap();
        let clock = StillClock::at(now);
        let (shutdown, mut serving) = (CancellationToken::new(), JoinSet::new());
        let ports: BTreeMap<_, _> = SERVICES
            .map(|service| (service, [free_port(), free_port()]))
            .into();
        for (service, ports_of_it) in &ports {
            for port in ports_of_it {
                let listener = TcpListener::bind(("127.0.0.1", *port)).await.unwrap();
                let (service, peers) = (*service, Peers(ports.clone()));
                let (data, clock) = (data.path().to_owned(), SharedClock::new(clock.clone()));
                let shutdown = shutdown.clone();
                serving.spawn(async move {
                    serve(service, &peers, &data, clock, listener, shutdown).await;
                });
            }
        }
        for port in ports.values().flatten() {
            ready(&format!("127.0.0.1:{port}")).await;
        }
        let mut databases = BTreeMap::new();
        for service in SERVICES {
            let file = data.path().join(format!("{service}.db"));
            let database = Database::connect(durable::sqlite_url(&file)).await;
            databases.insert(service, database.unwrap());
        }
        Self {
            clock,
            databases,
            shutdown,
            serving,
            _data: data,
        }
    }

    /// Lets so many seconds pass, each when all that the one before has begun is done.
    async fn pass(&self, seconds: u64) {
        let (by, step) = (Duration::from_secs(seconds), Duration::from_secs(1));
        let databases: Vec<_> = self.databases.values().collect();
        self.clock
            .advance_idle(by, step, 2 * JOBS.len(), &databases)
            .await;
    }

    /// The ticks of a job after this moment, each as often as it ran; all runs must have gone well at once.
    async fn ticks(&self, service: &str, job: &str, after: i64) -> Vec<i64> {
        let database = &self.databases[service];
        let sql = format!(
            "SELECT tick, attempt, outcome, detail FROM cron_runs WHERE job = '{job}' AND tick > {after} ORDER BY tick"
        );
        let statement = Statement::from_string(database.get_database_backend(), sql);
        let rows = database.query_all_raw(statement).await.unwrap();
        let tick = |row: &sea_orm::QueryResult| {
            let outcome: String = row.try_get("", "outcome").unwrap();
            let attempt: i32 = row.try_get("", "attempt").unwrap();
            let detail: String = row.try_get("", "detail").unwrap();
            assert_eq!(
                (outcome.as_str(), attempt),
                ("succeeded", 1),
                "{job}: {detail}"
            );
            row.try_get("", "tick").unwrap()
        };
        rows.iter().map(tick).collect()
    }

    async fn stop(mut self) {
        self.shutdown.cancel();
        while let Some(ended) = self.serving.join_next().await {
            ended.unwrap();
        }
    }
}

/// Where each service listens.
struct Peers(BTreeMap<&'static str, [u16; 2]>);

impl Peers {
    fn of(&self, service: &str) -> Endpoints {
        let [one, other] = self.0[service];
        let endpoints = format!("static://127.0.0.1:{one},127.0.0.1:{other}");
        endpoints.parse().unwrap()
    }
}

/// Serves one replica to its end, as `skyway serve` does, but for the clock.
async fn serve(
    service: &str,
    peers: &Peers,
    data: &Path,
    clock: SharedClock,
    listener: TcpListener,
    shutdown: CancellationToken,
) {
    let auth = Some(Auth::new(Key::new([1; 32])));
    let [search, booking, mail] = ["search", "booking", "mail"].map(|peer| peers.of(peer));
    match service {
        "search" => {
            let mut config = search::Config::new(data);
            (config.cron_clock, config.server.auth) = (clock, auth);
            (config.seed_demo, config.booking) = (false, Some(booking));
            search::serve(config, listener, shutdown).await.unwrap();
        }
        "identity" => {
            let mut config = identity::Config::new(data);
            (config.cron_clock, config.server.auth) = (clock, auth);
            identity::serve(config, listener, shutdown).await.unwrap();
        }
        "booking" => {
            let mut config = booking::Config::new(data, search);
            (config.cron_clock, config.server.auth) = (clock, auth);
            booking::serve(config, listener, shutdown).await.unwrap();
        }
        "mail" => {
            let mut config = mail::Config::new(data, search);
            (config.cron_clock, config.server.auth) = (clock, auth);
            Box::pin(mail::serve(config, listener, shutdown))
                .await
                .unwrap();
        }
        _ => {
            let mut config = orchestration::Config::new(data, search, booking);
            (config.cron_clock, config.server.auth) = (clock, auth);
            config.mail = Some(mail);
            let served = orchestration::serve(config, listener, shutdown);
            Box::pin(served).await.unwrap();
        }
    }
}

/// When a job is due after one moment, until another.
fn due(every: i64, first: i64, after: i64, until: i64) -> Vec<i64> {
    let all = (0..).map(|number| MIDNIGHT + first + number * every);
    all.skip_while(|tick| *tick <= after)
        .take_while(|tick| *tick <= until)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_tick_of_ten_minutes_runs_once_in_every_service() {
    // An hour begins in it, well before its middle: hourly jobs may wait for a minute.
    let start = MIDNIGHT + 4 * HOUR - 3 * MINUTE;
    let replicas = Replicas::start(start).await;
    replicas.clock.quiet(2 * JOBS.len()).await;
    // By halves: of a job's runs no more than the last hundred are kept.
    for after in [start, start + 5 * MINUTE] {
        replicas.pass(300).await;
        for (service, job, every, first) in JOBS {
            let ran = replicas.ticks(service, job, after).await;
            let expected = due(every, first, after, after + 5 * MINUTE);
            assert_eq!(ran, expected, "{job} of {service}");
        }
    }
    replicas.stop().await;
}
