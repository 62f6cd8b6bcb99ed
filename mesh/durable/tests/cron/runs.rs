//! One run: its bounds, what it fails of, and what passes meanwhile.

use std::time::Duration;

use durable::cron::{Cron, Job, JobError, Overlap, ScheduleError};
use mesh::cron::{CronError, Jobs as _, Outcome};
use sea_orm::ConnectionTrait as _;
use testing::{clock::StillClock, each_database};

use crate::support::{Gate, MIDNIGHT, Replica, open, pass_idle, until};

#[tokio::test(flavor = "multi_thread")]
async fn ticks_that_pass_during_a_run_are_skipped_or_made_up_for_once() {
    each_database(async |url| {
        for (overlap, at_once) in [(Overlap::Skip, 1), (Overlap::RunAfter, 2)] {
            let name = format!("{overlap:?}");
            let (db, clock, gate) = (open(&url).await, StillClock::at(MIDNIGHT), Gate::new(0));
            db.reader()
                .execute_unprepared("DELETE FROM cron_jobs")
                .await
                .unwrap();
            db.reader()
                .execute_unprepared("DELETE FROM cron_runs")
                .await
                .unwrap();
            let job = gate.job("*/10 * * * * *").overlap(overlap);
            let replica = Replica::start(&db, &name, &clock, vec![job]);
            clock.quiet(1).await;
            // From 00:00:10 to 00:00:45: three ticks pass.
            clock.pass(45, 1).await;
            assert_eq!(gate.begun(), 1, "{overlap:?}");
            clock.after(|| gate.open(9), 1).await;
            assert_eq!(gate.begun(), at_once, "{overlap:?}");
            clock.pass(4, 1).await;
            assert_eq!(gate.begun(), at_once, "{overlap:?}");
            clock.pass(1, 1).await;
            assert_eq!(gate.begun(), at_once + 1, "{overlap:?}");
            assert_eq!(replica.runs("gated").await[0].tick, Some(MIDNIGHT + 50_000));
            replica.kill().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_takes_too_long_is_stopped() {
    each_database(async |url| {
        let (db, clock, gate) = (open(&url).await, StillClock::at(MIDNIGHT), Gate::new(0));
        let job = gate.job("0 * * * * *").timeout(Duration::from_secs(12));
        let replica = Replica::start(&db, "one", &clock, vec![job]);
        clock.quiet(1).await;
        clock.pass(73, 1).await;
        let run = replica.runs("gated").await.remove(0);
        assert_eq!(run.outcome, Some(Outcome::TimedOut));
        assert_eq!(run.end, Some(run.start + 12_000));
        gate.open(1);
        clock.pass(50, 1).await;
        let run = replica.runs("gated").await.remove(0);
        assert_eq!(
            (run.outcome, run.detail.as_str()),
            (Some(Outcome::Succeeded), "passed")
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_or_panics_says_why_and_goes_on_with_the_next_tick() {
    let (database, clock) = (testing::sqlite(), StillClock::at(MIDNIGHT));
    let db = open(&database.url).await;
    let fails = Job::new("fails", "Fails.", "0 * * * * *", || async {
        Err(JobError::new("no seats to be had"))
    });
    let panics = Job::new("panics", "Panics.", "0 * * * * *", || async {
        panic!("scripted")
    });
    let replica = Replica::start(&db, "one", &clock, vec![fails, panics]);
    clock.quiet(2).await;
    pass_idle(&clock, 121, 2, &db).await;
    for (job, why) in [
        ("fails", "no seats to be had"),
        ("panics", "it panicked: scripted"),
    ] {
        let runs = replica.runs(job).await;
        assert_eq!(runs.len(), 2, "{job}");
        for run in runs {
            assert_eq!(
                (run.outcome, run.detail.as_str()),
                (Some(Outcome::Failed), why)
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_can_be_run_out_of_turn_unless_it_runs() {
    each_database(async |url| {
        let (db, clock, gate) = (open(&url).await, StillClock::at(MIDNIGHT), Gate::new(1));
        let one = Replica::start(&db, "one", &clock, vec![gate.job("0 * * * * *")]);
        let other = Replica::start(&db, "other", &clock, vec![gate.job("0 * * * * *")]);
        clock.quiet(2).await;
        let unknown = one.cron.run_now("unknown").await;
        assert_eq!(unknown, Err(CronError::NotFound("unknown".to_owned())));
        let run = one.cron.run_now("gated").await.unwrap();
        assert_eq!(
            (run.tick, run.attempt, run.replica.as_str(), run.outcome),
            (None, 1, "one", Some(Outcome::Succeeded))
        );
        // A second time, whose caller does not wait for the end.
        let hung_up = tokio::spawn({
            let cron = one.cron.clone();
            async move { cron.run_now("gated").await }
        });
        gate.has_begun(2).await;
        hung_up.abort();
        for replica in [&one, &other] {
            let refused = replica.cron.run_now("gated").await;
            assert_eq!(refused, Err(CronError::Running("gated".to_owned())));
        }
        gate.open(1);
        until(async || other.runs("gated").await[0].end.is_some()).await;
        clock.quiet(2).await;
        let runs = other.runs("gated").await;
        assert_eq!(runs.len(), 2);
        assert!(runs.iter().all(|run| run.tick.is_none()));
        // The tick is run all the same.
        gate.open(1);
        pass_idle(&clock, 61, 2, &db).await;
        let runs = other.runs("gated").await;
        assert_eq!((runs.len(), runs[0].tick), (3, Some(MIDNIGHT + 60_000)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_begins_so_much_later_as_its_jitter_says() {
    let (database, clock, gate) = (testing::sqlite(), StillClock::at(MIDNIGHT), Gate::new(9));
    let db = open(&database.url).await;
    let job = gate.job("0 * * * * *").jitter(Duration::from_secs(20));
    let replica = Replica::start(&db, "one", &clock, vec![job]);
    clock.quiet(1).await;
    pass_idle(&clock, 79, 1, &db).await;
    assert_eq!(gate.begun(), 0);
    pass_idle(&clock, 2, 1, &db).await;
    let run = replica.runs("gated").await.remove(0);
    assert_eq!(
        (run.tick, run.start),
        (Some(MIDNIGHT + 60_000), MIDNIGHT + 80_000)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_is_waited_for() {
    each_database(async |url| {
        let (db, clock, gate) = (open(&url).await, StillClock::at(MIDNIGHT), Gate::new(9));
        let replica = Replica::start(&db, "one", &clock, vec![gate.job("*/10 * * * * *")]);
        clock.quiet(1).await;
        let rename = async |from: &str, to: &str| {
            let rename = format!("ALTER TABLE {from} RENAME TO {to}");
            db.reader().execute_unprepared(&rename).await.unwrap();
        };
        rename("cron_jobs", "elsewhere").await;
        clock.pass(35, 1).await;
        assert_eq!(gate.begun(), 0);
        assert_eq!(
            replica.cron.run_now("gated").await,
            Err(CronError::Unavailable)
        );
        rename("elsewhere", "cron_jobs").await;
        pass_idle(&clock, 2, 1, &db).await;
        assert_eq!(gate.begun(), 1);
        assert_eq!(replica.runs("gated").await[0].tick, Some(MIDNIGHT + 30_000));
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_planned_is_said_at_start() {
    let database = testing::sqlite();
    let db = open(&database.url).await;
    let planned = |jobs: Vec<Job>| Cron::new(db.clone(), "test", "one", || MIDNIGHT, jobs);
    let gate = Gate::new(0);
    let wrong = planned(vec![gate.job("every day")]).unwrap_err();
    assert!(
        matches!(wrong, ScheduleError::Expression { job: "gated", .. }),
        "{wrong}"
    );
    let wrong = planned(vec![gate.job("0 * * * * *").zone("Mars/Olympus")]).unwrap_err();
    assert!(matches!(wrong, ScheduleError::Zone { .. }), "{wrong}");
    let wrong = planned(vec![gate.job("0 0 0 30 2 *")]).unwrap_err();
    assert!(matches!(wrong, ScheduleError::Never { .. }), "{wrong}");
    let twice = planned(vec![gate.job("0 * * * * *"), gate.job("1 * * * * *")]).unwrap_err();
    assert_eq!(twice, ScheduleError::Twice("gated"));
}
