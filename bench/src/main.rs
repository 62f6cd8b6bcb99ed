//! Side-by-side benchmarks: each runs two things in one session and prints their ratio.
//!
//! Absolute times on a shared machine say little; a ratio taken from interleaved rounds on the
//! same processor survives its moods. `make bench` runs all; results go to `target/bench/*.md`.

mod backend;
mod booking;
mod envoy;
mod gateway;
mod load;
mod mail;
mod process;
mod queue;
mod skyway;
mod trips;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Where reports go.
const OUT: &str = "target/bench";

/// What the gateway's benchmark needs to know about its surroundings.
struct Setup {
    /// Where results and generated configuration go.
    out: PathBuf,
    /// The optimised `skyway` binary.
    skyway: PathBuf,
    /// Envoy's binary.
    envoy: PathBuf,
    /// Counted rounds; one more is run first and dropped.
    rounds: usize,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["backend", port] => backend::serve(port.parse().context("backend PORT")?),
        ["booking", skyway, rest @ ..] => {
            booking::run(Path::new(OUT), Path::new(skyway), rounds(rest)?)
        }
        ["gateway", skyway, envoy, rest @ ..] => gateway::run(&Setup {
            out: PathBuf::from(OUT),
            skyway: skyway.into(),
            envoy: envoy.into(),
            rounds: rounds(rest)?,
        }),
        ["mail", skyway, rest @ ..] => mail::run(Path::new(OUT), Path::new(skyway), rounds(rest)?),
        ["queue", rest @ ..] => queue::run(Path::new(OUT), rounds(rest)?),
        _ => bail!(
            "usage: bench gateway SKYWAY ENVOY [ROUNDS] | bench booking SKYWAY [ROUNDS] | bench mail SKYWAY [ROUNDS] | bench queue [ROUNDS]   (make bench fills these in)"
        ),
    }
}

/// The median of some figures, the least and the greatest; they are sorted by it.
fn spread(figures: &mut [f64]) -> [f64; 3] {
    figures.sort_by(f64::total_cmp);
    let (first, last) = (figures.first(), figures.last());
    [figures.get(figures.len() / 2), first, last].map(|figure| figure.copied().unwrap_or(f64::NAN))
}

/// Counted rounds, 7 where nobody says otherwise.
fn rounds(arguments: &[&str]) -> Result<usize> {
    let given = arguments.first().map_or(Ok(7), |rounds| rounds.parse());
    given.context("ROUNDS")
}
