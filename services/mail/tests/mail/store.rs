//! What the sent-log promises, on every database.

use durable::Options;
use mail::{
    domain::{
        mail::{Claim, Cursor, Kind, NewMail, State, Viewer},
        ports::Mails,
    },
    store::{Migrator, Sql},
};
use sea_orm::Database;
use sea_orm_migration::MigratorTrait;
use testing::each_database;

const EVERYBODY: Viewer = Viewer::Everybody;

async fn open(url: &str) -> Sql {
    let options = Options {
        url: url.to_owned(),
        variable: "TEST_DATABASE_URL",
        max_connections: 8,
    };
    Sql::open(&options).await.unwrap()
}

/// A mail of this user, ordered at this time.
fn mail(id: &str, user: &str, created: i64) -> NewMail {
    NewMail {
        id: id.to_owned(),
        kind: Some(Kind::TripConfirmed),
        trip: "t".to_owned(),
        user: user.to_owned(),
        recipient: "ada@example.com".to_owned(),
        subject: "Your trip is booked: K7QXPL".to_owned(),
        created,
        trace: Some("0af7651916cd43dd8448eb211c80319c".to_owned()),
    }
}

async fn record(store: &Sql, ids: &[&str]) {
    let mails: Vec<_> = ids.iter().map(|id| mail(id, "ada", 1)).collect();
    store.record(&mails, 10).await.unwrap();
}

async fn state(store: &Sql, id: &str) -> State {
    store.mail(&EVERYBODY, id).await.unwrap().unwrap().state
}

const fn granted(attempt: u32, unclear: bool) -> Claim {
    Claim::Granted { attempt, unclear }
}

#[tokio::test]
async fn a_mail_is_recorded_once() {
    each_database(async |url| {
        let store = open(&url).await;
        assert_eq!(store.record(&[], 10).await.unwrap(), []);
        let first = store.record(&[mail("a", "ada", 1)], 10).await.unwrap();
        assert_eq!((first[0].state, first[0].attempts), (State::Queued, 0));
        store.claim(("a", 0), "o", 20, 50).await.unwrap();
        store.sent("a", 30).await.unwrap();
        let other = NewMail {
            subject: "other".to_owned(),
            ..mail("a", "eve", 99)
        };
        // The same message twice in one batch, as after a queue was wiped and filled again.
        let batch = [other.clone(), mail("b", "ada", 2), other];
        let mut again = store.record(&batch, 40).await.unwrap();
        again.sort_by(|one, other| one.id.cmp(&other.id));
        assert_eq!(again.len(), 2);
        assert_eq!(
            (again[0].state, again[0].sent, again[0].subject.as_str()),
            (State::Sent, Some(30), "Your trip is booked: K7QXPL")
        );
        assert_eq!(again[1].state, State::Queued);
    })
    .await;
}

#[tokio::test]
async fn a_mail_is_claimed_by_one_until_the_claim_runs_out() {
    each_database(async |url| {
        let store = open(&url).await;
        assert_eq!(
            store.claim(("a", 0), "o", 0, 1).await.unwrap(),
            Claim::Unknown
        );
        record(&store, &["a"]).await;
        let claims = (0..8).map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                let owner = format!("o{number}");
                store.claim(("a", 0), &owner, 100, 200).await.unwrap()
            })
        });
        let mut won = 0;
        for claim in claims.collect::<Vec<_>>() {
            match claim.await.unwrap() {
                Claim::Granted { attempt, unclear } => {
                    assert_eq!((attempt, unclear), (1, false));
                    won += 1;
                }
                other => assert_eq!(other, Claim::Taken { until: 200 }),
            }
        }
        assert_eq!(won, 1);
        let late = store.claim(("a", 0), "p", 200, 300).await.unwrap();
        assert_eq!(late, granted(2, true), "its owner may have sent it");
        let again = store.claim(("a", 0), "p", 300, 400).await.unwrap();
        assert_eq!(again, granted(2, false), "asked for twice, granted once");
        // Whoever comes too late changes nothing.
        store.failed("a", "o0", "too late", 210).await.unwrap();
        assert_eq!(state(&store, "a").await, State::Sending);
        store.failed("a", "p", "451 later", 220).await.unwrap();
        let mail = store.mail(&EVERYBODY, "a").await.unwrap().unwrap();
        assert_eq!(
            (mail.state, mail.attempts, mail.last_error.as_str()),
            (State::Queued, 2, "451 later")
        );
        assert_eq!(
            store.claim(("a", 2), "q", 230, 300).await.unwrap(),
            granted(3, false)
        );
    })
    .await;
}

#[tokio::test]
async fn what_was_accepted_stays_so() {
    each_database(async |url| {
        let store = open(&url).await;
        record(&store, &["a", "b"]).await;
        store.claim(("a", 0), "o", 20, 50).await.unwrap();
        // Its claim ran out, and somebody else has it, when the answer came after all.
        store.claim(("a", 0), "p", 60, 90).await.unwrap();
        store.sent("a", 70).await.unwrap();
        store.sent("a", 80).await.unwrap();
        store.failed("a", "p", "451", 81).await.unwrap();
        store.dead("a", "550", 82).await.unwrap();
        store.revive("a", 70, 83).await.unwrap();
        let mail = store.mail(&EVERYBODY, "a").await.unwrap().unwrap();
        assert_eq!(
            (mail.state, mail.sent, mail.updated),
            (State::Sent, Some(70), 70)
        );
        assert_eq!(
            store.claim(("a", 0), "q", 200, 300).await.unwrap(),
            Claim::Sent
        );
        store.dead("b", &"é".repeat(900), 20).await.unwrap();
        assert_eq!(
            store.claim(("b", 0), "q", 200, 300).await.unwrap(),
            Claim::Dead
        );
        let ids = ["a", "b", "c"].map(str::to_owned);
        let mut settled = store.settled(&ids).await.unwrap();
        settled.sort();
        assert_eq!(settled, ["a", "b"]);
        store.revive("b", 20, 30).await.unwrap();
        assert_eq!(
            store.claim(("b", 0), "q", 200, 300).await.unwrap(),
            granted(1, false)
        );
        assert_eq!(store.settled(&ids).await.unwrap(), ["a"]);
        for check in store.audit(0).await.unwrap() {
            assert_eq!(check.violations, 0, "{check:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_mail_is_revived_once_for_each_time_that_it_was_given_up() {
    each_database(async |url| {
        let store = open(&url).await;
        record(&store, &["a"]).await;
        store.claim(("a", 0), "o", 20, 50).await.unwrap();
        store.dead("a", "550", 30).await.unwrap();
        // Two want it back, a replica that has taken it and whoever redrove it.
        store.revive("a", 30, 40).await.unwrap();
        store.revive("a", 30, 41).await.unwrap();
        let mail = store.mail(&EVERYBODY, "a").await.unwrap().unwrap();
        assert_eq!(
            (mail.state, mail.attempts, mail.updated),
            (State::Queued, 0, 40)
        );
        store.dead("a", "551", 50).await.unwrap();
        // Whoever is as late as that would leave it QUEUED with nobody to take it.
        store.revive("a", 30, 60).await.unwrap();
        let mail = store.mail(&EVERYBODY, "a").await.unwrap().unwrap();
        assert_eq!((mail.state, mail.last_error.as_str()), (State::Dead, "551"));
        store.revive("a", 50, 70).await.unwrap();
        assert_eq!(state(&store, "a").await, State::Queued);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_read_is_recorded_all_the_same() {
    each_database(async |url| {
        let store = open(&url).await;
        let poison = NewMail {
            kind: None,
            trip: "x".repeat(500),
            user: String::new(),
            recipient: "a\0b".to_owned(),
            subject: "é".repeat(500),
            ..mail("a", "", 1)
        };
        let recorded = store.record(&[poison], 10).await.unwrap();
        assert_eq!((recorded[0].kind, recorded[0].trip.len()), (None, 64));
        store.dead("a", "no event", 20).await.unwrap();
        assert_eq!(state(&store, "a").await, State::Dead);
    })
    .await;
}

#[tokio::test]
async fn lists_show_what_one_may_see_page_by_page() {
    each_database(async |url| {
        let store = open(&url).await;
        let mails = [
            mail("a", "ada", 1),
            mail("b", "ada", 2),
            mail("c", "ada", 2),
            mail("d", "eve", 3),
        ];
        store.record(&mails, 10).await.unwrap();
        let ada = Viewer::User("ada".to_owned());
        let ids = async |viewer: &Viewer, after: Option<&Cursor>, limit| {
            let found = store.mails(viewer, after, limit).await.unwrap();
            found.into_iter().map(|mail| mail.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(&EVERYBODY, None, 9).await, ["d", "c", "b", "a"]);
        assert_eq!(ids(&ada, None, 2).await, ["c", "b"]);
        let after = Cursor {
            created: 2,
            id: "b".to_owned(),
        };
        assert_eq!(ids(&ada, Some(&after), 9).await, ["a"]);
        assert!(store.mail(&ada, "d").await.unwrap().is_none());
        let trip = store.trip_mails("t", 3).await.unwrap();
        let trip: Vec<_> = trip.into_iter().map(|mail| mail.id).collect();
        assert_eq!(trip, ["a", "b", "c"], "the oldest first");
    })
    .await;
}

#[tokio::test]
async fn only_what_is_settled_and_old_is_forgotten() {
    each_database(async |url| {
        let store = open(&url).await;
        record(&store, &["old", "new", "dead", "waiting"]).await;
        store.sent("old", 20).await.unwrap();
        store.sent("new", 90).await.unwrap();
        store.dead("dead", "550", 20).await.unwrap();
        assert_eq!(store.purge(50).await.unwrap(), (2, false));
        let left = store.mails(&EVERYBODY, None, 9).await.unwrap();
        let mut left: Vec<_> = left.into_iter().map(|mail| mail.id).collect();
        left.sort();
        assert_eq!(left, ["new", "waiting"]);
    })
    .await;
}

#[tokio::test]
async fn the_audit_finds_what_is_stuck() {
    each_database(async |url| {
        let store = open(&url).await;
        record(&store, &["a"]).await;
        store.claim(("a", 0), "o", 20, 50).await.unwrap();
        let stuck = |checks: Vec<mail::domain::audit::Check>| {
            let check = checks
                .into_iter()
                .find(|check| check.name == "no-mail-stuck")
                .unwrap();
            (check.rows, check.violations, check.examples)
        };
        let hour = 60 * 60 * 1_000;
        let now = store.audit(50 + hour).await.unwrap();
        assert_eq!(stuck(now), (1, 0, vec![]));
        let later = store.audit(51 + hour).await.unwrap();
        assert_eq!(stuck(later), (1, 1, vec!["a".to_owned()]));
    })
    .await;
}

#[tokio::test]
async fn every_step_of_the_schema_can_be_taken_back() {
    each_database(async |url| {
        drop(open(&url).await);
        let connection = Database::connect(&url).await.unwrap();
        Migrator::down(&connection, None).await.unwrap();
        Migrator::up(&connection, None).await.unwrap();
        connection.close().await.unwrap();
        record(&open(&url).await, &["a"]).await;
    })
    .await;
}
