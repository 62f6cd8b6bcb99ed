//! A whole Skyway as separate processes, each of which can be killed and started again.

use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, Statement};
use serde_json::{Value, json};
use tempfile::TempDir;
use testing::free_port;

use super::cluster::ready;
use super::http::{Answer, Rest};
use super::process::Process;

/// One process.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) address: String,
    service: &'static str,
    pub(crate) environment: Vec<(String, String)>,
    process: Option<Process>,
}

impl Part {
    pub(crate) fn new(service: &'static str, environment: &[(String, String)]) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        Self {
            address,
            service,
            environment: environment.to_vec(),
            process: None,
        }
    }

    /// Starts it where it was, and does not wait until it is ready.
    pub(crate) fn start(&mut self) {
        let environment: Vec<_> = self
            .environment
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let arguments = ["serve", self.service, "--listen", &self.address];
        self.process = Some(Process::start(&arguments, &environment));
    }

    /// Starts it again if it was killed.
    pub(crate) fn start_if_dead(&mut self) {
        if self.process.is_none() {
            self.start();
        }
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    pub(crate) async fn ready(&self) {
        ready(&self.address).await;
    }
}

/// All of it: one search, identity, mail and gateway, and two replicas of what sells.
#[derive(Debug)]
pub(crate) struct Mesh {
    pub(crate) booking: Vec<Part>,
    pub(crate) orchestration: Vec<Part>,
    pub(crate) rest: Rest,
    /// Booking's database.
    pub(crate) seats: DatabaseConnection,
    /// Orchestration's database.
    pub(crate) trips: DatabaseConnection,
    environment: Vec<(String, String)>,
    /// Search, identity, mail and gateway.
    others: Vec<Part>,
    _data: TempDir,
}

/// Where the services that sell keep their state; the rest keeps it in files.
#[derive(Clone, Debug)]
pub(crate) struct Stores {
    pub(crate) booking: String,
    pub(crate) orchestration: String,
}

impl Mesh {
    /// Starts it over a timetable in Skyway's CSV.
    pub(crate) async fn start(stores: &Stores, timetable: &str, settings: &[(&str, &str)]) -> Self {
        let data = TempDir::with_prefix("skyway-mesh-").unwrap();
        let file = data.path().join("timetable.csv");
        std::fs::write(&file, timetable).unwrap();
        let mut environment: Vec<(String, String)> = [
            ("SKYWAY_DATA_DIR", data.path().to_str().unwrap()),
            ("SKYWAY_BOOKING_DATABASE_URL", &stores.booking),
            ("SKYWAY_ORCHESTRATION_DATABASE_URL", &stores.orchestration),
            ("SKYWAY_SEARCH_DEMONSTRATION", "false"),
            ("SKYWAY_GATEWAY_ADMIN_LISTEN", "none"),
            ("SKYWAY_IDENTITY_ADMIN_EMAIL", "admin@example.com"),
            ("SKYWAY_IDENTITY_ADMIN_PASSWORD", "correct horse battery"),
        ]
        .iter()
        .chain(settings)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
        let mut parts: Vec<Part> = [
            "search",
            "identity",
            "booking",
            "booking",
            "orchestration",
            "orchestration",
            "mail",
            "gateway",
        ]
        .map(|service| Part::new(service, &[]))
        .into();
        for service in ["search", "identity", "booking", "orchestration", "mail"] {
            let replicas: Vec<_> = parts
                .iter()
                .filter(|part| part.service == service)
                .map(|part| part.address.as_str())
                .collect();
            let name = format!("SKYWAY_{}_ENDPOINTS", service.to_uppercase());
            environment.push((name, format!("static://{}", replicas.join(","))));
        }
        let mut mesh = Self::run(&environment, &["import", file.to_str().unwrap()]).await;
        assert_eq!(mesh.code, Some(0), "{}", std::mem::take(&mut mesh.stderr));
        for part in &mut parts {
            part.environment.clone_from(&environment);
            part.start();
        }
        for part in &parts {
            part.ready().await;
        }
        let rest = Rest::new(&parts.last().unwrap().address);
        let booking = parts
            .extract_if(.., |part| part.service == "booking")
            .collect();
        let orchestration = parts
            .extract_if(.., |part| part.service == "orchestration")
            .collect();
        Self {
            rest,
            seats: Database::connect(&stores.booking).await.unwrap(),
            trips: Database::connect(&stores.orchestration).await.unwrap(),
            booking,
            orchestration,
            environment,
            others: parts,
            _data: data,
        }
    }

    /// Runs a command with the settings of all parts.
    async fn run(environment: &[(String, String)], arguments: &[&str]) -> super::process::Finished {
        let environment: Vec<_> = environment
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        Process::run(arguments, &environment).await
    }

    /// `kill -9` of the only search.
    pub(crate) fn kill_search(&mut self) {
        self.others[0].kill();
    }

    /// `skyway audit` over all of it must find nothing.
    pub(crate) async fn audit(&self) {
        let audit = Self::run(&self.environment, &["audit"]).await;
        assert_eq!(audit.code, Some(0), "{}{}", audit.stdout, audit.stderr);
        for check in ["never-oversold", "booked-whole", "one-trip-per-key"] {
            assert!(audit.stdout.contains(check), "{check} in {}", audit.stdout);
        }
    }

    /// A client that has signed up and in.
    pub(crate) async fn user(&self, email: &str) -> Rest {
        sign_up(&self.rest, email).await
    }
}

/// A client of the same gateway for a user who has just signed up.
pub(crate) async fn sign_up(rest: &Rest, email: &str) -> Rest {
    let credentials = json!({"email": email, "password": "correct horse battery"});
    let answer = rest.post("/v1/users", &credentials).await;
    assert_eq!(answer.status, 200, "{}", answer.json);
    let answer = rest.post("/v1/sessions", &credentials).await;
    assert_eq!(answer.status, 200, "{}", answer.json);
    rest.with_token(answer.json["accessToken"].as_str().unwrap())
}

/// The best offer between two airports.
pub(crate) async fn offer(
    rest: &Rest,
    from: &str,
    to: &str,
    day: &str,
    passengers: usize,
) -> String {
    let path = format!(
        "/v1/itineraries:search?origin={from}&destination={to}&departureDate={day}&passengers={passengers}"
    );
    let answer = rest.get(&path).await;
    let offer = &answer.json["itineraries"][0]["offerId"];
    offer
        .as_str()
        .unwrap_or_else(|| panic!("{path}: {}", answer.json))
        .to_owned()
}

/// What books an offer for so many.
pub(crate) fn booking_of(offer: &str, passengers: usize) -> Value {
    let somebody = |number| json!({"givenName": "Ada", "familyName": format!("Lovelace {number}")});
    let passengers: Vec<_> = (0..passengers).map(somebody).collect();
    json!({"offerId": offer, "contactEmail": "ada@example.com", "passengers": passengers})
}

/// Books under a key until there is a definite answer, as a careful client does.
pub(crate) async fn book(rest: &Rest, body: &Value, key: &str) -> Answer {
    let started = Instant::now();
    loop {
        let request = rest.request(reqwest::Method::POST, "/v1/trips");
        let request = request.header("idempotency-key", key).json(body);
        let request = request.timeout(Duration::from_secs(25));
        if let Ok(answer) = request.send().await
            && let Ok(answer) = Answer::read(answer).await
        {
            // A trip that was given up because booking was away stays so; everything else may get better.
            let definite = answer.status < 500 && answer.status != 429;
            if definite || answer.reason() == "BOOKING_UNAVAILABLE" {
                return answer;
            }
        }
        assert!(
            started.elapsed() < Duration::from_mins(1),
            "no definite answer to {key}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The single number that a query gives; nothing counts as zero.
pub(crate) async fn number(database: &DatabaseConnection, sql: &str) -> i64 {
    let statement = Statement::from_string(database.get_database_backend(), sql);
    let row = database.query_one_raw(statement).await.unwrap().unwrap();
    row.try_get_by_index::<Option<i64>>(0)
        .unwrap()
        .unwrap_or_default()
}

/// What must hold at every instant and on every database, by SQL. Sums are cast, since each
/// database gives them another type.
pub(crate) async fn check_seats(seats: &DatabaseConnection) {
    let integer = if seats.get_database_backend() == sea_orm::DbBackend::MySql {
        "SIGNED"
    } else {
        "BIGINT"
    };
    for (promise, condition) in [
        (
            "never oversold",
            "held < 0 OR sold < 0 OR held + sold > capacity".to_owned(),
        ),
        ("held is the sum of the holds", sum("held", "HELD")),
        (
            "sold is the sum of what is confirmed",
            sum("sold", "CONFIRMED"),
        ),
    ] {
        let sql = format!("SELECT CAST(COUNT(*) AS {integer}) FROM inventory WHERE {condition}");
        assert_eq!(number(seats, &sql).await, 0, "{promise}");
    }
}

fn sum(column: &str, state: &str) -> String {
    format!(
        "{column} <> (SELECT COALESCE(SUM(seats), 0) FROM bookings WHERE bookings.flight_id = inventory.flight_id \
         AND bookings.cabin = inventory.cabin AND bookings.state = '{state}')"
    )
}
