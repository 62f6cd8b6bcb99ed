//! `cron list` and `cron run`: what services do by the clock, for administrators.

use std::time::Duration;

use serde_json::{Value, json};

use super::format::instant;
use super::rest::Call;
use super::{Client, items, part, show, text};
use crate::cli::{CronList, CronRun};
use crate::table::{Align, Table};

/// How long a run may take: longer than the gateway gives it.
const RUN: Duration = Duration::from_secs(65);

/// How the contract says that a run went well.
const SUCCEEDED: &str = "SUCCEEDED";

impl Client<'_> {
    /// Lists the jobs of all services.
    pub(super) async fn cron_list(&self, list: &CronList) -> anyhow::Result<()> {
        let session = self.sessions.current(&self.rest).await?;
        let call = Call::get("/v1/cronJobs", vec![]).by(&session.access_token);
        let answer = self.rest.call(&call).await?;
        show(list.gateway.json, &answer, listing)
    }

    /// Runs a job, and fails where it does.
    pub(super) async fn cron_run(&self, run: &CronRun) -> anyhow::Result<()> {
        let name = part(&run.name, "job", "skyway cron list")?;
        let session = self.sessions.current(&self.rest).await?;
        let call = Call::post(format!("/v1/cronJobs/{name}:run"), json!({}));
        let call = call.by(&session.access_token).within(RUN);
        // Not again where the answer is lost: the job may be running.
        let answer = self.rest.call(&call).await?;
        show(run.gateway.json, &answer, |answer| {
            format!("{name}: {}", told(answer))
        })?;
        let outcome = outcome(&answer);
        anyhow::ensure!(outcome == SUCCEEDED, "{name} ended as {outcome}");
        Ok(())
    }
}

/// A line per job, the services in their order.
fn listing(answer: &Value) -> String {
    let mut jobs: Vec<&Value> = items(answer, "cronJobs").iter().collect();
    if jobs.is_empty() {
        return "No service has a job.".to_owned();
    }
    jobs.sort_by_key(|job| (text(job, "service"), text(job, "name")));
    let mut table = Table::new([
        ("JOB", Align::Left),
        ("SERVICE", Align::Left),
        ("SCHEDULE", Align::Left),
        ("NEXT (UTC)", Align::Left),
        ("LAST (UTC)", Align::Left),
        ("OUTCOME", Align::Left),
        ("DETAIL", Align::Left),
    ]);
    for job in jobs {
        let schedule = match text(job, "timeZone") {
            "" | "UTC" => text(job, "schedule").to_owned(),
            zone => format!("{} {zone}", text(job, "schedule")),
        };
        let last = items(job, "runs").first();
        let of_last = |tell: fn(&Value) -> String| last.map(tell).unwrap_or_default();
        table.row([
            text(job, "name").to_owned(),
            text(job, "service").to_owned(),
            schedule,
            instant(&job["nextTime"]),
            of_last(|run| instant(&run["startTime"])),
            of_last(|run| outcome(run).to_owned()),
            of_last(|run| text(run, "detail").to_owned()),
        ]);
    }
    table.text()
}

/// A run in one line.
fn told(run: &Value) -> String {
    let time = |field: &str| chrono::DateTime::parse_from_rfc3339(text(run, field)).ok();
    let took = match (time("startTime"), time("endTime")) {
        (Some(start), Some(end)) => format!(" in {} ms", (end - start).num_milliseconds()),
        _ => String::new(),
    };
    let told = format!("{} on {}{took}", outcome(run), text(run, "replica"));
    match text(run, "detail") {
        "" => told,
        detail => format!("{told}: {detail}"),
    }
}

/// How a run ended. JSON leaves out what a run that has not ended says.
fn outcome(run: &Value) -> &str {
    run["outcome"].as_str().unwrap_or("RUNNING")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> Value {
        json!({
            "tickTime": "2026-12-01T15:00:00Z", "attempt": 1, "replica": "127.0.0.1:50052",
            "startTime": "2026-12-01T15:00:00.100Z", "endTime": "2026-12-01T15:00:00.350Z",
            "outcome": "SUCCEEDED", "detail": "3 holds",
        })
    }

    #[test]
    fn jobs_have_a_line_each_by_service() {
        assert_eq!(listing(&json!({})), "No service has a job.");
        let running = json!({"startTime": "2026-12-01T15:00:05Z"});
        let jobs = json!({"cronJobs": [
            {"name": "purge-sessions", "service": "identity", "schedule": "0 0 * * * *",
             "timeZone": "Europe/Paris", "nextTime": "2026-12-01T16:00:00Z"},
            {"name": "expire-holds", "service": "booking", "schedule": "*/10 * * * * *",
             "timeZone": "UTC", "nextTime": "2026-12-01T15:00:10Z", "runs": [run(), running]},
            {"name": "a-job", "service": "booking", "schedule": "0 0 * * * *",
             "nextTime": "2026-12-01T15:00:10Z", "runs": [running]},
        ]});
        assert_eq!(
            listing(&jobs),
            "JOB             SERVICE   SCHEDULE                  NEXT (UTC)           LAST (UTC)           OUTCOME    DETAIL\n\
             a-job           booking   0 0 * * * *               2026-12-01 15:00:10  2026-12-01 15:00:05  RUNNING\n\
             expire-holds    booking   */10 * * * * *            2026-12-01 15:00:10  2026-12-01 15:00:00  SUCCEEDED  3 holds\n\
             purge-sessions  identity  0 0 * * * * Europe/Paris  2026-12-01 16:00:00\n"
        );
    }

    #[test]
    fn a_run_is_told_in_one_line() {
        assert_eq!(
            told(&run()),
            "SUCCEEDED on 127.0.0.1:50052 in 250 ms: 3 holds"
        );
        let quiet = json!({"replica": "a:1", "outcome": "TIMED_OUT"});
        assert_eq!(told(&quiet), "TIMED_OUT on a:1");
    }
}
