//! The store on every kind of database.

use sea_orm::{EntityTrait, IntoActiveModel};
use sea_orm_migration::MigratorTrait;

use super::{
    Refreshed, Store,
    entity::{session, token},
    migration::Migrator,
};
use crate::domain::{key::Key, user::User};

const NOW: i64 = 1_800_000_000_000;
const LATER: i64 = NOW + 1_000_000;

fn ada() -> User {
    User {
        id: "u-ada".to_owned(),
        email: "ada@example.com".to_owned(),
        admin: false,
        created: NOW,
    }
}

async fn store(url: &str) -> Store {
    Store::open(url, 8).await.unwrap()
}

async fn with_ada(url: &str) -> Store {
    let store = store(url).await;
    assert!(store.user_add(&ada(), "hash").await.unwrap());
    store
        .session_begin("s1", "u-ada", "t1", NOW, LATER)
        .await
        .unwrap();
    store
}

#[tokio::test]
async fn an_address_has_one_account() {
    testing::each_database(async |url| {
        let store = store(&url).await;
        assert!(store.user_add(&ada(), "hash").await.unwrap());
        assert!(store.user_add(&ada(), "hash").await.unwrap(), "run again");
        let impostor = User {
            id: "u-other".to_owned(),
            admin: true,
            ..ada()
        };
        assert!(!store.user_add(&impostor, "another").await.unwrap());
        let found = store.user_by_email("ada@example.com").await.unwrap();
        assert_eq!(found, Some((ada(), "hash".to_owned())));
        assert_eq!(store.user_by_email("Ada@example.com").await.unwrap(), None);
        assert_eq!(store.user_by_id("u-ada").await.unwrap(), Some(ada()));
        assert_eq!(store.user_by_id("u-other").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_refresh_token_is_exchanged_once_and_its_reuse_ends_the_session() {
    testing::each_database(async |url| {
        let store = with_ada(&url).await;
        let fresh = Refreshed::Fresh {
            session: "s1".to_owned(),
            user: ada(),
        };
        let refresh = async |old, new| store.session_refresh(old, new, NOW + 1, LATER + 1).await;
        assert_eq!(refresh("t1", "t2").await.unwrap(), fresh);
        assert_eq!(refresh("t1", "t2").await.unwrap(), fresh, "run again");
        assert_eq!(refresh("t2", "t3").await.unwrap(), fresh);
        let reused = refresh("t1", "t4").await.unwrap();
        let ended = Refreshed::Reused {
            session: "s1".to_owned(),
            user: "u-ada".to_owned(),
        };
        assert_eq!(reused, ended);
        for token in ["t1", "t2", "t3", "t4", "none"] {
            assert_eq!(
                refresh(token, "t5").await.unwrap(),
                Refreshed::Void,
                "{token}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn of_many_who_exchange_one_token_at_once_one_succeeds() {
    testing::each_database(async |url| {
        let store = with_ada(&url).await;
        let tasks: Vec<_> = (0..8)
            .map(|n| {
                let store = store.clone();
                tokio::spawn(async move {
                    let new = format!("new-{n}");
                    store.session_refresh("t1", &new, NOW + 1, LATER).await
                })
            })
            .collect();
        let mut fresh = 0;
        for task in tasks {
            if matches!(task.await.unwrap().unwrap(), Refreshed::Fresh { .. }) {
                fresh += 1;
            }
        }
        assert_eq!(fresh, 1);
        let checks = store.audit().await.unwrap();
        assert!(
            checks.iter().all(|check| check.violations == 0),
            "{checks:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_session_that_has_ended_or_expired_gives_nothing() {
    testing::each_database(async |url| {
        let store = with_ada(&url).await;
        let refresh = async |now| store.session_refresh("t1", "t2", now, LATER).await.unwrap();
        assert_eq!(refresh(LATER).await, Refreshed::Void, "expired");
        store.session_end("s1", NOW + 1).await.unwrap();
        store.session_end("s1", NOW + 2).await.unwrap();
        assert_eq!(refresh(NOW + 3).await, Refreshed::Void, "ended");
        assert_eq!(store.expired_remove(LATER - 1).await.unwrap(), 0);
        assert_eq!(store.expired_remove(LATER).await.unwrap(), 1);
        assert_eq!(store.audit().await.unwrap()[0].rows, 0);
    })
    .await;
}

#[tokio::test]
async fn a_promoted_user_has_a_new_password_and_no_session() {
    testing::each_database(async |url| {
        let store = with_ada(&url).await;
        store
            .user_promote("ada@example.com", "new", NOW + 1)
            .await
            .unwrap();
        let (user, hash) = store
            .user_by_email("ada@example.com")
            .await
            .unwrap()
            .unwrap();
        assert!(user.admin && hash == "new");
        let refreshed = store.session_refresh("t1", "t2", NOW + 2, LATER).await;
        assert_eq!(refreshed.unwrap(), Refreshed::Void);
    })
    .await;
}

#[tokio::test]
async fn replicas_agree_on_the_next_key() {
    testing::each_database(async |url| {
        let store = store(&url).await;
        let key = |generation, id: &str| Key {
            generation,
            id: id.to_owned(),
            public: [7; 32],
            created: NOW,
            signs_from: NOW,
        };
        store.key_add(&key(1, "a")).await.unwrap();
        store.key_add(&key(1, "b")).await.unwrap();
        store.key_add(&key(2, "c")).await.unwrap();
        assert_eq!(store.keys().await.unwrap(), [key(1, "a"), key(2, "c")]);
        store.key_remove(&[1]).await.unwrap();
        assert_eq!(store.keys().await.unwrap(), [key(2, "c")]);
    })
    .await;
}

#[tokio::test]
async fn the_audit_names_what_breaks_a_promise() {
    testing::each_database(async |url| {
        let store = with_ada(&url).await;
        let stray = session::Model {
            id: "s2".to_owned(),
            user_id: "nobody".to_owned(),
            created: NOW,
            expires: LATER,
            ended: None,
        };
        let token = |hash: &str, session: &str| token::Model {
            hash: hash.to_owned(),
            session_id: session.to_owned(),
            created: NOW,
            expires: LATER,
            used: None,
        };
        let tx = store.db.begin().await.unwrap();
        session::Entity::insert(stray.into_active_model())
            .exec_without_returning(&tx)
            .await
            .unwrap();
        for row in [token("x", "s1"), token("y", "s3")] {
            token::Entity::insert(row.into_active_model())
                .exec_without_returning(&tx)
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
        let checks = store.audit().await.unwrap();
        let found: Vec<_> = checks
            .iter()
            .map(|check| {
                (
                    check.name,
                    check.rows,
                    check.violations,
                    check.examples.join(","),
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                ("session-has-user", 2, 1, "s2".to_owned()),
                ("token-has-session", 3, 1, "s3".to_owned()),
                ("one-account-per-address", 1, 0, String::new()),
                ("one-token-per-session", 2, 1, "s1".to_owned()),
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn the_schema_goes_down_and_up_again() {
    testing::each_database(async |url| {
        let store = with_ada(&url).await;
        let tx = store.db.begin().await.unwrap();
        Migrator::down(&tx, None).await.unwrap();
        Migrator::up(&tx, None).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(store.user_by_id("u-ada").await.unwrap(), None);
    })
    .await;
}
