//! What several replicas do together, and what happens when one goes away.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use durable::cron::{Clock as _, Job};
use mesh::cron::Outcome;
use testing::{clock::StillClock, each_database};

use crate::support::{Gate, MIDNIGHT, Replica, open, pass_idle};

/// When each job has run.
type Seen = Arc<Mutex<BTreeMap<&'static str, Vec<i64>>>>;

fn noted(name: &'static str, schedule: &'static str, clock: &StillClock, seen: &Seen) -> Job {
    let (clock, seen) = (clock.clone(), Arc::clone(seen));
    Job::new(name, "Notes when it ran.", schedule, move || {
        seen.lock()
            .unwrap()
            .entry(name)
            .or_default()
            .push(clock.now());
        async { Ok(String::new()) }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_tick_of_ten_minutes_runs_on_exactly_one_of_two_replicas() {
    const JOBS: [(&str, &str, i64); 3] = [
        ("every-5-s", "*/5 * * * * *", 5_000),
        ("every-10-s", "*/10 * * * * *", 10_000),
        ("every-5-min", "0 */5 * * * *", 300_000),
    ];
    each_database(async |url| {
        let (db, clock, seen) = (open(&url).await, StillClock::at(MIDNIGHT), Seen::default());
        let jobs = || {
            let noted = JOBS.map(|(name, schedule, _)| noted(name, schedule, &clock, &seen));
            noted.to_vec()
        };
        let one = Replica::start(&db, "one", &clock, jobs());
        let other = Replica::start(&db, "other", &clock, jobs());
        clock.quiet(6).await;
        pass_idle(&clock, 600, 6, &db).await;
        let seen = seen.lock().unwrap().clone();
        for (name, _, every) in JOBS {
            let ticks: Vec<i64> = (1..=600_000 / every)
                .map(|n| MIDNIGHT + n * every)
                .collect();
            assert_eq!(seen[name], ticks, "{name}");
            for run in one.runs(name).await {
                assert_eq!((run.attempt, run.outcome), (1, Some(Outcome::Succeeded)));
            }
        }
        for replica in [one, other] {
            replica.shutdown.cancel();
            replica.ended().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_whose_replica_dies_runs_again_after_the_lease_once() {
    each_database(async |url| {
        let (db, clock, gate) = (open(&url).await, StillClock::at(MIDNIGHT), Gate::new(0));
        let job = || vec![gate.job("0 * * * * *")];
        let one = Replica::start(&db, "one", &clock, job());
        let other = Replica::start(&db, "other", &clock, job());
        clock.quiet(2).await;
        clock.pass(61, 2).await;
        assert_eq!(gate.begun(), 1);
        // While the job runs, its lease is kept: nobody else begins.
        clock.pass(20, 2).await;
        assert_eq!(gate.begun(), 1);
        let runner = one.runs("gated").await[0].replica.clone();
        let (victim, survivor) = if runner == "one" {
            (one, other)
        } else {
            (other, one)
        };
        victim.kill().await;
        let killed = clock.now();
        gate.open(1);
        clock.pass(8, 1).await;
        assert_eq!(gate.begun(), 2);
        let runs = survivor.runs("gated").await;
        assert_eq!(runs.len(), 2, "{runs:?}");
        assert_eq!(
            (runs[0].tick, runs[0].attempt, runs[0].outcome),
            (Some(MIDNIGHT + 60_000), 2, Some(Outcome::Succeeded))
        );
        assert_eq!(
            (runs[1].tick, runs[1].attempt, runs[1].outcome),
            (Some(MIDNIGHT + 60_000), 1, Some(Outcome::Abandoned))
        );
        assert!(runs[0].start > killed && runs[0].replica != runner);
        // And not a third time before the next tick.
        clock.pass(28, 1).await;
        assert_eq!(gate.begun(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ticks_that_nobody_ran_are_made_up_for_by_one_run() {
    each_database(async |url| {
        let (db, clock, seen) = (open(&url).await, StillClock::at(MIDNIGHT), Seen::default());
        let job = || vec![noted("missed", "0 * * * * *", &clock, &seen)];
        let one = Replica::start(&db, "one", &clock, job());
        clock.quiet(1).await;
        pass_idle(&clock, 61, 1, &db).await;
        one.kill().await;
        clock
            .advance(Duration::from_hours(1), Duration::from_hours(1), 0)
            .await;
        let again = Replica::start(&db, "again", &clock, job());
        clock.idle(1, &[db.reader()]).await;
        let back = MIDNIGHT + 3_661_000;
        assert_eq!(seen.lock().unwrap()["missed"], [MIDNIGHT + 60_000, back]);
        assert_eq!(
            again.runs("missed").await[0].tick,
            Some(MIDNIGHT + 3_660_000)
        );
        pass_idle(&clock, 59, 1, &db).await;
        assert_eq!(
            seen.lock().unwrap()["missed"].len(),
            3,
            "the next tick is one of its own"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_stops_gives_its_run_back_at_once() {
    each_database(async |url| {
        let (db, clock, gate) = (open(&url).await, StillClock::at(MIDNIGHT), Gate::new(0));
        let one = Replica::start(&db, "one", &clock, vec![gate.job("0 * * * * *")]);
        clock.quiet(1).await;
        clock.pass(60, 1).await;
        gate.has_begun(1).await;
        one.shutdown.cancel();
        // It waits for the job and for the end of its patience.
        clock.quiet(2).await;
        clock.pass(4, 2).await;
        clock
            .advance(Duration::from_secs(1), Duration::from_secs(1), 0)
            .await;
        one.ended().await;
        gate.open(1);
        let other = Replica::start(&db, "other", &clock, vec![gate.job("0 * * * * *")]);
        clock.quiet(1).await;
        let runs = other.runs("gated").await;
        let told: Vec<_> = runs.iter().map(|run| (run.attempt, run.outcome)).collect();
        assert_eq!(
            told,
            [(2, Some(Outcome::Succeeded)), (1, Some(Outcome::Abandoned))]
        );
        assert_eq!(runs[0].start, clock.now());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_ends_in_time_is_let_finish() {
    let (database, clock, gate) = (testing::sqlite(), StillClock::at(MIDNIGHT), Gate::new(0));
    let db = open(&database.url).await;
    let one = Replica::start(&db, "one", &clock, vec![gate.job("0 * * * * *")]);
    clock.quiet(1).await;
    clock.pass(60, 1).await;
    one.shutdown.cancel();
    clock.quiet(2).await;
    gate.open(1);
    let cron = one.cron.clone();
    one.ended().await;
    let runs = mesh::cron::Jobs::list(&cron).await.unwrap().remove(0).runs;
    assert_eq!(runs[0].outcome, Some(Outcome::Succeeded));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_others_follow_a_run_once_each() {
    each_database(async |url| {
        let (db, clock) = (open(&url).await, StillClock::at(MIDNIGHT));
        let seen = Seen::default();
        let start = |name: &'static str, followed: &'static str| {
            let follow = Arc::clone(&seen);
            let job = noted("shared", "0 * * * * *", &clock, &seen).others_follow(move || {
                follow.lock().unwrap().entry(followed).or_default().push(0);
                async { Ok(String::new()) }
            });
            Replica::start(&db, name, &clock, vec![job])
        };
        let replicas = [
            start("one", "one followed"),
            start("two", "two followed"),
            start("three", "three followed"),
        ];
        clock.quiet(3).await;
        pass_idle(&clock, 63, 3, &db).await;
        let count = |seen: &Seen| {
            let seen = seen.lock().unwrap();
            let followed = ["one followed", "two followed", "three followed"];
            let followed = followed.map(|name| seen.get(name).map_or(0, Vec::len));
            (
                seen["shared"].len(),
                followed.iter().sum::<usize>(),
                followed.into_iter().max(),
            )
        };
        assert_eq!(count(&seen), (1, 2, Some(1)));
        // What was asked for is followed too.
        mesh::cron::Jobs::run_now(&replicas[0].cron, "shared")
            .await
            .unwrap();
        pass_idle(&clock, 3, 3, &db).await;
        assert_eq!(count(&seen).0, 2);
        assert_eq!(count(&seen).1, 4);
    })
    .await;
}
