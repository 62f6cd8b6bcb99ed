//! What is told of a job: its next time, and runs that do not pile up.

use std::time::Duration;

use durable::cron::{Cron, Job};
use mesh::cron::{JobStatus, Jobs as _};
use sea_orm::{ConnectionTrait as _, Statement};
use testing::{clock::StillClock, each_database};

use crate::support::{Gate, MIDNIGHT, Replica, open};

#[tokio::test(flavor = "multi_thread")]
async fn only_the_last_hundred_runs_are_kept_and_ten_are_told() {
    each_database(async |url| {
        let (db, clock, gate) = (open(&url).await, StillClock::at(MIDNIGHT), Gate::new(120));
        let job = gate.job("0 0 12 * * *").zone("America/New_York");
        let other = |name| {
            Job::new(name, "Another one.", "0 0 12 * * *", async || {
                Ok(String::new())
            })
        };
        let jobs = [job, other("after"), other("never")];
        let cron = Cron::new(db.clone(), "test", "one", clock.clone(), jobs).unwrap();
        for _ in 0..103 {
            cron.run_now("gated").await.unwrap();
        }
        let rows = db.reader().query_one_raw(Statement::from_string(
            db.backend(),
            "SELECT COUNT(*) AS n FROM cron_runs",
        ));
        let rows: i64 = rows.await.unwrap().unwrap().try_get("", "n").unwrap();
        assert_eq!(rows, 100);
        clock
            .advance(Duration::from_secs(1), Duration::from_secs(1), 0)
            .await;
        cron.run_now("gated").await.unwrap();
        cron.run_now("after").await.unwrap();
        let mut told = cron.list().await.unwrap();
        let (status, runs) = (told.remove(1), |job: &JobStatus| job.runs.len());
        assert_eq!((runs(&told[0]), runs(&status), runs(&told[1])), (1, 10, 0));
        let starts: Vec<_> = status.runs.iter().map(|run| run.start).collect();
        assert_eq!(
            starts[..2],
            [MIDNIGHT + 1_000, MIDNIGHT],
            "the newest first"
        );
        assert_eq!(
            (status.name.as_str(), status.service.as_str()),
            ("gated", "test")
        );
        assert_eq!(status.schedule, "0 0 12 * * *");
        assert_eq!(status.time_zone, "America/New_York");
        // Noon in New York is 17:00 in winter.
        assert_eq!(status.next, Some(MIDNIGHT + 17 * 3_600_000));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daily_job_runs_once_a_day_while_clocks_are_changed() {
    // 2026-03-27 and 2026-10-23, 12:00 UTC.
    for start in [1_774_612_800_000, 1_792_756_800_000] {
        let (database, clock, gate) = (testing::sqlite(), StillClock::at(start), Gate::new(9));
        let db = open(&database.url).await;
        let job = gate.job("0 30 2 * * *").zone("Europe/Berlin");
        let replica = Replica::start(&db, "one", &clock, vec![job]);
        clock.quiet(1).await;
        for day in 1..=4 {
            let (by, step) = (Duration::from_hours(24), Duration::from_mins(5));
            clock.advance_idle(by, step, 1, &[db.reader()]).await;
            assert_eq!(gate.begun(), day, "day {day} from {start}");
        }
        assert_eq!(replica.runs("gated").await.len(), 4);
    }
}
