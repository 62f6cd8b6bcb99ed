//! The `skyway` binary: a command line, a configuration, and what to do with them.
//!
//! Services are libraries that know neither; this crate reads the settings once, takes the ports,
//! builds the runtimes and turns every failure into one line on standard error.

mod audit;
mod check;
mod cli;
mod client;
mod config;
mod import;
mod listen;
mod mesh_header;
mod probe;
mod process;
mod serve;
mod table;
mod up;
mod wire;

use std::process::ExitCode;

use clap::Parser;
use cli::{Cli, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => return process::usage(&usage),
    };
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => process::failure(&error),
    }
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    let loaded = config::load(
        cli.config_file().as_deref(),
        process::environment(),
        cli.flags(),
    )?;
    match &cli.command {
        Command::Up(_) => up::up(&loaded.config),
        Command::Serve(service) => serve::serve(service, &loaded.config),
        Command::Import(import) => import::import(import, &loaded.config),
        Command::Check => check::check(&loaded),
        Command::Audit(audit) => audit::audit(audit, &loaded.config),
        Command::MeshHeader(header) => mesh_header::print(header, &loaded.config),
        traveller => client::run(traveller, &loaded.config),
    }
}
