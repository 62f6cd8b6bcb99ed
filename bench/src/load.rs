//! Load by `wrk`: HTTP/1.1 keep-alive, closed loop; a run with a single error does not count.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// Seconds per run.
const SECONDS: u32 = 1;

/// A request, and the `wrk` script that sends it.
pub(crate) struct Request {
    /// Short name in the report.
    pub(crate) name: &'static str,
    /// HTTP method.
    pub(crate) method: &'static str,
    /// Path and query.
    pub(crate) target: &'static str,
    /// JSON body, empty for none.
    pub(crate) body: &'static str,
}

impl Request {
    /// Writes the script into `folder`. Its last line of output is `requests errors`.
    pub(crate) fn script(&self, folder: &Path) -> Result<PathBuf> {
        let path = folder.join(format!("{}.lua", self.name));
        let text = format!(
            "wrk.method = '{}'\nwrk.body = '{}'\nwrk.headers['Content-Type'] = 'application/json'\n\
             done = function(summary, latency, requests)\n  local e = summary.errors\n  \
             print(summary.requests .. ' ' .. (e.connect + e.read + e.write + e.status + e.timeout))\nend\n",
            self.method, self.body
        );
        std::fs::write(&path, text)?;
        Ok(path)
    }

    /// The answer's body, as JSON, fetched once.
    pub(crate) fn fetch(&self, port: u16) -> Result<serde_json::Value> {
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--show-error",
            "--fail-with-body",
            "--request",
            self.method,
        ]);
        if !self.body.is_empty() {
            curl.args([
                "--header",
                "content-type: application/json",
                "--data",
                self.body,
            ]);
        }
        let output = curl
            .arg(format!("http://127.0.0.1:{port}{}", self.target))
            .output()
            .context("cannot start curl")?;
        let body = String::from_utf8_lossy(&output.stdout);
        ensure!(
            output.status.success(),
            "{} answers with an error: {body}",
            self.name
        );
        serde_json::from_str(&body)
            .with_context(|| format!("{} does not answer JSON: {body}", self.name))
    }
}

/// Sends `request` over `connections` from processor 0 for a second; returns how many were answered.
pub(crate) fn run(request: &Request, script: &Path, port: u16, connections: u32) -> Result<u64> {
    let output = Command::new("taskset")
        .args(["--cpu-list", "0", "wrk", "--threads", "1"])
        .args([
            "--connections",
            &connections.to_string(),
            "--duration",
            &format!("{SECONDS}s"),
        ])
        .arg("--script")
        .arg(script)
        .arg(format!("http://127.0.0.1:{port}{}", request.target))
        .output()
        .context("cannot start wrk (package wrk)")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    let Some((requests, errors)) = last.split_once(' ') else {
        bail!(
            "wrk said: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    let (requests, errors): (u64, u64) = (requests.parse()?, errors.parse()?);
    ensure!(
        errors == 0,
        "{errors} of {requests} requests failed: {}",
        request.name
    );
    ensure!(requests > 0, "no request was answered: {}", request.name);
    Ok(requests)
}
