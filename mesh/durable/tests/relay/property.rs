//! Anything, in any order: commits, late commits and rollbacks, relays that die or run side by side, a queue
//! that fails, forgets or is wiped, a consumer that goes away. At the end everything has arrived.

use std::{collections::HashMap, time::Duration};

use fastrand::Rng;
use testing::each_database;

use crate::world::{Publishing, Running, World, until, write};

/// Short enough to be taken over often, also by accident.
const LEASE: Duration = Duration::from_millis(250);
const STEPS: usize = 120;
const AGGREGATES: [&str; 4] = ["a", "b", "c", "d"];

/// What has been done so far.
struct Story {
    world: World,
    rng: Rng,
    relays: Vec<Running>,
    /// Events committed per aggregate.
    written: HashMap<&'static str, usize>,
    /// Transactions that committed after others that began later.
    late: usize,
}

impl Story {
    fn events(&mut self) -> Vec<(&'static str, usize)> {
        (0..self.rng.usize(1..8))
            .map(|_| {
                let aggregate = AGGREGATES[self.rng.usize(..AGGREGATES.len())];
                let number = self.written.entry(aggregate).or_default();
                *number += 1;
                (aggregate, *number)
            })
            .collect()
    }

    async fn commit(&mut self) {
        let events = self.events();
        self.world.commit(&events).await;
    }

    /// A row that is seen after one with a higher number, and numbers that are never seen.
    async fn commit_late(&mut self) {
        let before = self.world.db.begin().await.unwrap();
        if self.rng.bool() {
            write(&before, &[("never", self.late)]).await;
            before.rollback().await.unwrap();
            return;
        }
        write(&before, &[("late", self.late)]).await;
        self.late += 1;
        // SQLite has one writer: there nothing overtakes.
        if self.world.db.backend() != sea_orm::DbBackend::Sqlite {
            self.commit().await;
        }
        before.commit().await.unwrap();
    }

    async fn step(&mut self) {
        let world = self.world.clone();
        match self.rng.u32(..16) {
            0..5 => self.commit().await,
            5 => self.commit_late().await,
            6 if self.relays.len() < 3 => self.relays.push(world.relay(LEASE)),
            7 if !self.relays.is_empty() => self.relays.remove(0).kill().await,
            8 if self.relays.len() > 1 => self.relays.remove(0).stop().await,
            9 => world.lane.lose(|_| true),
            10 => {
                let kept: Vec<bool> = (0..16).map(|_| self.rng.bool()).collect();
                world.lane.lose(|message| kept[message.id.len() % 16]);
            }
            11 => {
                let publishing = [Publishing::Fails, Publishing::AnswerLost, Publishing::Works];
                world.lane.set(publishing[self.rng.usize(..3)]);
            }
            12 => world.inbox.set_away(self.rng.bool()),
            _ => world.inbox.consume(&world.lane, self.rng.usize(..20)),
        }
        // Gives the relays a turn that is as long as it happens to be.
        tokio::time::sleep(Duration::from_millis(self.rng.u64(..4))).await;
    }

    fn ids(&self) -> Vec<String> {
        let of = |aggregate: &'static str, numbers: std::ops::Range<usize>| {
            numbers.map(move |number| format!("{aggregate}-{number}"))
        };
        let written = self.written.iter();
        let written = written.flat_map(|(aggregate, last)| of(aggregate, 1..*last + 1));
        written.chain(of("late", 0..self.late)).collect()
    }

    /// A row that is gone was recorded before.
    async fn check_rows(&self) {
        let rows = self.world.rows().await;
        let recorded = self.world.inbox.ids();
        for id in self.ids() {
            assert!(rows.contains(&id) || recorded.contains(&id), "{id} is lost");
        }
    }

    /// Messages of one aggregate were published first in their order.
    fn check_order(&self) {
        let mut last: HashMap<String, usize> = HashMap::new();
        for message in self.world.lane.first() {
            let (aggregate, number) = message.id.split_once('-').unwrap();
            let number: usize = number.parse().unwrap();
            assert_ne!(aggregate, "never", "it was not committed");
            if aggregate != "late" {
                let before = last.insert(aggregate.to_owned(), number);
                assert_eq!(before.unwrap_or_default() + 1, number, "{aggregate}");
            }
        }
    }

    async fn finish(mut self) {
        self.world.lane.set(Publishing::Works);
        self.world.inbox.set_away(false);
        self.relays.push(self.world.relay(LEASE));
        until("all recorded, and no row left", async || {
            self.world.inbox.consume(&self.world.lane, 1_000);
            self.world.is_empty().await
        })
        .await;
        let recorded = self.world.inbox.ids();
        let mut ids = self.ids();
        ids.retain(|id| !recorded.contains(id));
        assert_eq!(ids, [""; 0], "never arrived");
        assert_eq!(recorded.len(), self.ids().len());
        self.check_order();
        for relay in self.relays {
            relay.stop().await;
        }
    }
}

#[tokio::test]
async fn whatever_happens_everything_arrives_and_no_row_goes_before() {
    each_database(async |url| {
        let seed = fastrand::u64(..);
        eprintln!("seed {seed}");
        let world = World::new(&url).await;
        let mut story = Story {
            relays: vec![world.relay(LEASE)],
            world,
            rng: Rng::with_seed(seed),
            written: HashMap::new(),
            late: 0,
        };
        for step in 0..STEPS {
            story.step().await;
            if step % 8 == 0 {
                story.check_rows().await;
            }
        }
        story.finish().await;
    })
    .await;
}
