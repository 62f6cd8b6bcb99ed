//! The gateway beside Envoy's JSON transcoder: processor time per request, as a ratio.
//!
//! Load and backend share processor 0, the two gateways take turns on processor 1, the order is
//! reversed every round. Wall time and throughput are not reported: on two processors they
//! measure the load generator.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use testing::free_port;

use crate::process::Process;
use crate::{Setup, envoy, load, spread};

const REQUESTS: [load::Request; 3] = [
    load::Request {
        name: "search",
        method: "GET",
        target: "/v1/itineraries:search?origin=JFK&destination=SEA&departureDate=2026-12-01&passengers=2",
        body: "",
    },
    load::Request {
        name: "get",
        method: "GET",
        target: "/v1/flights/AS21-2026-12-01-JFK",
        body: "",
    },
    load::Request {
        name: "post",
        method: "POST",
        target: "/v1/itineraries:search",
        body: r#"{"origin":"JFK","destination":"SEA","departureDate":"2026-12-01","returnDate":"2026-12-08","passengers":2,"maxStops":1,"maxPrice":900,"carriers":["AS","DL","B6"],"departAfter":"06:00","departBefore":"22:00","orderBy":"price","pageSize":1}"#,
    },
];

/// The least ratio that we promise, by connections and request.
const GOALS: [(u32, [f64; 3]); 2] = [(64, [6.0, 4.0, 4.0]), (1, [2.5, 2.5, 2.5])];

/// One of the two that are compared.
struct Side {
    process: Process,
    port: u16,
}

/// What was measured of one request at one number of connections, in microseconds per request.
struct Cell {
    request: &'static str,
    connections: u32,
    goal: f64,
    script: PathBuf,
    ours: Vec<f64>,
    envoys: Vec<f64>,
}

/// Runs the comparison, prints it, and writes `gateway.md`.
pub(crate) fn run(setup: &Setup) -> Result<()> {
    std::fs::create_dir_all(&setup.out)?;
    let backend_port = free_port();
    let mut backend = Command::new(std::env::current_exe()?);
    let _backend = Process::start(
        "0",
        backend_port,
        backend.args(["backend", &backend_port.to_string()]),
    )?;
    let ours = start_ours(setup, backend_port)?;
    let envoy = start_envoy(setup, backend_port)?;
    for request in &REQUESTS {
        let (a, b) = (request.fetch(ours.port)?, request.fetch(envoy.port)?);
        ensure!(
            normal(&a) == normal(&b),
            "different answers to {}:\n{a}\n{b}",
            request.name
        );
    }

    let mut cells = cells(setup)?;
    for round in 0..=setup.rounds {
        eprintln!("round {round} of {} (0 warms up)", setup.rounds);
        for (index, cell) in cells.iter_mut().enumerate() {
            let request = &REQUESTS[index % REQUESTS.len()];
            let mut sides = [(&ours, true), (&envoy, false)];
            if round % 2 == 1 {
                sides.reverse();
            }
            for (side, is_ours) in sides {
                let micros = measure(side, request, cell)?;
                if round > 0 {
                    if is_ours {
                        &mut cell.ours
                    } else {
                        &mut cell.envoys
                    }
                    .push(micros);
                }
            }
        }
    }
    let report = report(&cells);
    print!("{report}");
    std::fs::write(setup.out.join("gateway.md"), report)?;
    Ok(())
}

fn start_ours(setup: &Setup, backend: u16) -> Result<Side> {
    let (port, admin) = (free_port(), free_port());
    let mut command = Command::new(&setup.skyway);
    command
        .args(["serve", "gateway", "--data-dir"])
        .arg(setup.out.join("state"))
        .env("SKYWAY_GATEWAY_LISTEN", format!("127.0.0.1:{port}"))
        .env("SKYWAY_GATEWAY_ADMIN_LISTEN", format!("127.0.0.1:{admin}"))
        .env(
            "SKYWAY_SEARCH_ENDPOINTS",
            format!("static://127.0.0.1:{backend}"),
        );
    Ok(Side {
        process: Process::start("1", port, &mut command)?,
        port,
    })
}

fn start_envoy(setup: &Setup, backend: u16) -> Result<Side> {
    let port = free_port();
    let out = std::path::absolute(&setup.out)?;
    let descriptor = out.join("descriptor.bin");
    std::fs::write(&descriptor, contracts::FILE_DESCRIPTOR_SET)?;
    let config = out.join("envoy.yaml");
    std::fs::write(&config, envoy::config(port, backend, &descriptor))?;
    let mut command = Command::new(&setup.envoy);
    command
        .args([
            "--concurrency",
            "1",
            "--use-dynamic-base-id",
            "--config-path",
        ])
        .arg(&config);
    Ok(Side {
        process: Process::start("1", port, &mut command)?,
        port,
    })
}

fn cells(setup: &Setup) -> Result<Vec<Cell>> {
    let mut cells = Vec::new();
    for (connections, goals) in GOALS {
        for (request, goal) in REQUESTS.iter().zip(goals) {
            let script = request.script(&setup.out)?;
            let (ours, envoys) = (Vec::new(), Vec::new());
            cells.push(Cell {
                request: request.name,
                connections,
                goal,
                script,
                ours,
                envoys,
            });
        }
    }
    Ok(cells)
}

/// Processor time per request in microseconds.
fn measure(side: &Side, request: &load::Request, cell: &Cell) -> Result<f64> {
    let before = side.process.cpu_nanos()?;
    let requests = load::run(request, &cell.script, side.port, cell.connections)
        .with_context(|| format!("port {}", side.port))?;
    let spent = side.process.cpu_nanos()? - before;
    #[allow(clippy::cast_precision_loss)] // a second's worth of nanoseconds fits
    Ok(spent as f64 / requests as f64 / 1e3)
}

/// The answer with the one difference that the contract makes: we write enum values without the
/// name of their enum.
fn normal(answer: &serde_json::Value) -> String {
    answer.to_string().replace("\"CABIN_", "\"")
}

fn report(cells: &[Cell]) -> String {
    let mut text = String::from(
        "# Processor time per request: Envoy's, divided by the gateway's\n\n\
         Paired within each round; median [least - greatest]. Our side has every filter on, Envoy's only\n\
         transcoder and router.\n\n\
         | connections | request | gateway us | Envoy us | ratio | goal | |\n|---|---|---|---|---|---|---|\n",
    );
    for cell in cells {
        let mut ratios: Vec<f64> = cell
            .envoys
            .iter()
            .zip(&cell.ours)
            .map(|(e, o)| e / o)
            .collect();
        let [ratio, least, most] = spread(&mut ratios);
        let verdict = if ratio >= cell.goal { "met" } else { "missed" };
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {:.0} | {:.0} | {ratio:.1} [{least:.1} - {most:.1}] | {:.1} | {verdict} |",
            cell.connections,
            cell.request,
            spread(&mut cell.ours.clone())[0],
            spread(&mut cell.envoys.clone())[0],
            cell.goal,
        );
    }
    text
}
