//! The real binary as a child: its arguments, its environment, its output, its end.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use tempfile::TempDir;

use super::wait;

/// A running `skyway`. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// Its working directory, with its output beside its state.
    directory: TempDir,
}

/// What a command that ended left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Process {
    /// Starts `skyway` in an empty directory, with nothing of ours in its environment but `environment`.
    pub(crate) fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let directory = TempDir::with_prefix("skyway-e2e-").unwrap();
        Self::start_in(directory, arguments, environment)
    }

    /// As [`Process::start`], in a directory that may hold a `skyway.toml` or input files.
    pub(crate) fn start_in(
        directory: TempDir,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let output = |name: &str| Stdio::from(File::create(directory.path().join(name)).unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_skyway"));
        command
            .args(arguments)
            .current_dir(directory.path())
            .stdin(Stdio::null());
        command.stdout(output("stdout")).stderr(output("stderr"));
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if ["SKYWAY_", "OTEL_", "RUST_LOG", "REDIS_URL", "SMTP_URL"]
                .iter()
                .any(|ours| name.starts_with(ours))
            {
                command.env_remove(name);
            }
        }
        command.envs(environment.iter().copied());
        let child = command.spawn().unwrap();
        Self { child, directory }
    }

    /// Runs `skyway` to its end.
    pub(crate) async fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Finished {
        Self::start(arguments, environment).finished().await
    }

    /// Waits for its end.
    pub(crate) async fn finished(mut self) -> Finished {
        let status = self.ended().await;
        Finished {
            code: status.code(),
            stdout: self.output("stdout"),
            stderr: self.output("stderr"),
        }
    }

    /// Waits for its end, and keeps its directory.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        wait::until("the process to end", async || {
            self.child.try_wait().unwrap()
        })
        .await
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends a signal by its name, for example `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill")
            .args(["-s", name, &id])
            .status()
            .unwrap();
        assert!(sent.success(), "kill -s {name} {id}");
    }

    /// Ends it as a crash would, without a chance to say goodbye.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Where it runs.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// What it wrote so far to `stdout` or `stderr`.
    pub(crate) fn output(&self, name: &str) -> String {
        fs::read_to_string(self.directory.path().join(name)).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!(
                "--- stdout\n{}\n--- stderr\n{}",
                self.output("stdout"),
                self.output("stderr")
            );
        }
    }
}
