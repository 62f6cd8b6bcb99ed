//! Processes under measurement: pinned to processors, weighed by the kernel's own account.

use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// A child process, ended when it goes out of scope.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts `command` on processors `cpus`, for example `0` or `0-1`, and waits until it listens on `port`.
    pub(crate) fn start(cpus: &str, port: u16, command: &mut Command) -> Result<Self> {
        let mut pinned = Command::new("taskset");
        pinned
            .arg("--cpu-list")
            .arg(cpus)
            .arg(command.get_program());
        pinned.args(command.get_args());
        for (key, value) in command.get_envs() {
            if let Some(value) = value {
                pinned.env(key, value);
            }
        }
        let child = pinned
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start taskset (package util-linux)")?;
        let mut process = Self { child };
        process
            .wait_for(port)
            .with_context(|| format!("starting {}", command.get_program().display()))?;
        Ok(process)
    }

    /// Asks it to drain, and waits until it has.
    pub(crate) fn stop(mut self) -> Result<()> {
        let id = self.child.id().to_string();
        let told = Command::new("kill").args(["-s", "TERM", &id]).status()?;
        ensure!(told.success(), "cannot signal process {id}");
        let status = self.child.wait()?;
        ensure!(status.success(), "it ended with {status}");
        Ok(())
    }

    /// Processor time of all its threads so far, in nanoseconds.
    pub(crate) fn cpu_nanos(&self) -> Result<u64> {
        let tasks = format!("/proc/{}/task", self.child.id());
        let mut total = 0;
        for task in std::fs::read_dir(Path::new(&tasks))? {
            let schedstat = std::fs::read_to_string(task?.path().join("schedstat"))?;
            let on_cpu = schedstat
                .split_whitespace()
                .next()
                .context("schedstat is empty")?;
            total += on_cpu.parse::<u64>()?;
        }
        Ok(total)
    }

    fn wait_for(&mut self, port: u16) -> Result<()> {
        let give_up = Instant::now() + Duration::from_secs(20);
        while Instant::now() < give_up {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended with {status}");
            }
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(());
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        bail!("nothing listens on port {port} after 20 s")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
