//! Leases: one owner at a time, and none that has been taken for dead does harm.

use durable::lease::{claim, keep, release};
use testing::each_database;

use crate::world::open;

#[tokio::test]
async fn a_lease_has_one_owner_at_a_time() {
    each_database(async |url| {
        let db = open(&url).await;
        let first = claim(&db, "a", 1_000, 2_000).await.unwrap().unwrap();
        assert_eq!(claim(&db, "a", 1_999, 3_000).await.unwrap(), None);
        assert!(claim(&db, "b", 1_999, 3_000).await.unwrap().is_some());
        assert!(keep(&db, &first, 2_500).await.unwrap());
        assert_eq!(claim(&db, "a", 2_499, 3_000).await.unwrap(), None);
        let second = claim(&db, "a", 2_500, 3_500).await.unwrap().unwrap();
        assert_ne!(first, second);
        // Whoever was taken for dead neither keeps nor gives back what it has lost.
        assert!(!keep(&db, &first, 9_000).await.unwrap());
        release(&db, &first).await.unwrap();
        assert_eq!(claim(&db, "a", 3_499, 4_000).await.unwrap(), None);
        release(&db, &second).await.unwrap();
        assert!(claim(&db, "a", 1, 2).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_claim_at_once_one_gets_it() {
    each_database(async |url| {
        let db = open(&url).await;
        // The first round finds no row, the others one whose end has passed.
        for round in 1..4 {
            let mut claims = tokio::task::JoinSet::new();
            for _ in 0..8 {
                let db = db.clone();
                claims.spawn(async move {
                    let now = round * 1_000;
                    claim(&db, "a", now, now + 1_000).await.unwrap()
                });
            }
            assert_eq!(claims.join_all().await.iter().flatten().count(), 1);
        }
    })
    .await;
}
