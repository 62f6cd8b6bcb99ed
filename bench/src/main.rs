//! Side-by-side benchmarks: each runs two things in one session and prints their ratio.
//!
//! Absolute times on a shared machine say little; a ratio taken from interleaved rounds on the
//! same processor survives its moods. `make bench` runs all; results go to `target/bench/*.md`.

mod backend;
mod envoy;
mod gateway;
mod load;
mod process;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// What every benchmark needs to know about its surroundings.
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
        ["gateway", skyway, envoy, rest @ ..] => gateway::run(&Setup {
            out: PathBuf::from("target/bench"),
            skyway: skyway.into(),
            envoy: envoy.into(),
            rounds: rest
                .first()
                .map_or(Ok(7), |rounds| rounds.parse())
                .context("ROUNDS")?,
        }),
        _ => bail!("usage: bench gateway SKYWAY ENVOY [ROUNDS]   (make bench fills these in)"),
    }
}
