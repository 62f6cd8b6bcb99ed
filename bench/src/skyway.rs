//! Skyway under measurement: every service a process of its own, on `PostgreSQL` as it comes, with its
//! commits on disk, and a timetable of one route with as many flights as a benchmark wants.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Result, ensure};
use tempfile::TempDir;
use testing::{Postgres, free_port, program};

use crate::process::Process;

/// Any key: those who call each other only have to agree.
pub(crate) const MESH_KEY: [u8; 32] = [1; 32];
/// What listens, with how many replicas at most.
const SERVICES: [(&str, usize); 6] = [
    ("search", 1),
    ("identity", 1),
    ("booking", 1),
    ("mail", 2),
    ("orchestration", 1),
    ("gateway", 1),
];
/// Services with a database of their own on `PostgreSQL`; the others keep theirs in files.
const DATABASES: [&str; 3] = ["booking", "mail", "orchestration"];

/// The services, of which those run that were started.
pub(crate) struct Skyway {
    pub(crate) postgres: Postgres,
    /// Where state and scripts go.
    pub(crate) folder: TempDir,
    /// A day within the timetable.
    pub(crate) day: String,
    binary: PathBuf,
    /// The environment of every process.
    settings: Vec<(String, String)>,
    /// Ports of each service's replicas.
    ports: HashMap<&'static str, Vec<u16>>,
    processes: Vec<Process>,
}

impl Skyway {
    /// Prepares databases and a timetable with so many flights from JFK to SEA; `more` settings go to every process.
    pub(crate) async fn new(binary: &Path, flights: u32, more: &[(&str, String)]) -> Result<Self> {
        let mut skyway = Self {
            postgres: Postgres::start(&[]).await,
            folder: tempfile::tempdir()?,
            day: day(),
            binary: binary.to_owned(),
            settings: Vec::new(),
            ports: HashMap::new(),
            processes: Vec::new(),
        };
        for database in DATABASES {
            skyway.sql("postgres", &format!("CREATE DATABASE {database}"))?;
        }
        skyway.configure(more);
        skyway.import(flights)?;
        Ok(skyway)
    }

    fn configure(&mut self, more: &[(&str, String)]) {
        let mut set = |name: &str, value: String| self.settings.push((name.to_owned(), value));
        set("SKYWAY_DATA_DIR", self.folder.path().display().to_string());
        set("SKYWAY_MESH_KEY", "01".repeat(MESH_KEY.len()));
        set("SKYWAY_SEARCH_DEMONSTRATION", "false".to_owned());
        set("SKYWAY_SEARCH_LIVE_SEATS", "false".to_owned());
        set("SKYWAY_GATEWAY_ADMIN_LISTEN", "none".to_owned());
        set("RUST_LOG", "warn".to_owned());
        for (service, replicas) in SERVICES {
            let ports: Vec<_> = (0..replicas).map(|_| free_port()).collect();
            if service != "gateway" {
                let addresses: Vec<_> = ports.iter().map(|port| address(*port)).collect();
                let endpoints = format!("static://{}", addresses.join(","));
                set(&variable(service, "ENDPOINTS"), endpoints);
            }
            self.ports.insert(service, ports);
        }
        for service in DATABASES {
            set(
                &variable(service, "DATABASE_URL"),
                self.postgres.url(service),
            );
        }
        for (name, value) in more {
            set(name, value.clone());
        }
    }

    fn import(&self, flights: u32) -> Result<()> {
        let timetable = self.folder.path().join("timetable.csv");
        let mut csv = String::from(
            "carrier,number,origin,destination,departure,arrival,arrival_day,economy_seats,economy_fare\n",
        );
        for number in 1..=flights {
            writeln!(csv, "UA,{number},JFK,SEA,10:00,13:15,,200,250.00")?;
        }
        std::fs::write(&timetable, csv)?;
        let imported = self.command().arg("import").arg(&timetable).output()?;
        succeeded(&imported, "skyway import").map(drop)
    }

    /// Starts services one after the other, each before those that call it; they end with this.
    pub(crate) fn start(&mut self, services: &[&'static str]) -> Result<()> {
        for service in services {
            let process = self.replica(service, 0)?;
            self.processes.push(process);
        }
        Ok(())
    }

    /// Starts one replica of a service, which its caller ends.
    pub(crate) fn replica(&self, service: &str, replica: usize) -> Result<Process> {
        let port = self.ports[service][replica];
        let mut command = self.command();
        command.args(["serve", service]);
        command.env(variable(service, "LISTEN"), address(port));
        Process::start("0-1", port, &mut command)
    }

    /// Where the first replica of a service listens.
    pub(crate) fn port(&self, service: &str) -> u16 {
        self.ports[service][0]
    }

    /// Runs statements in a service's database.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> Result<()> {
        let output = Command::new(program("psql"))
            .args([
                "--quiet",
                "--no-psqlrc",
                "--set=ON_ERROR_STOP=1",
                "--command",
                sql,
            ])
            .arg(self.postgres.url(database))
            .output()?;
        succeeded(&output, "psql").map(drop)
    }

    /// No flight is sold out any more, of those that somebody has booked before.
    pub(crate) fn seats_without_end(&self) -> Result<()> {
        self.sql("booking", "UPDATE inventory SET capacity = 1000000000")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// What a program that has succeeded wrote.
pub(crate) fn succeeded(output: &Output, what: &str) -> Result<String> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{what}: {text}{errors}");
    Ok(text)
}

fn variable(service: &str, key: &str) -> String {
    format!("SKYWAY_{}_{key}", service.to_uppercase())
}

fn address(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn day() -> String {
    let day = chrono::Utc::now() + chrono::Days::new(30);
    day.format("%Y-%m-%d").to_string()
}
