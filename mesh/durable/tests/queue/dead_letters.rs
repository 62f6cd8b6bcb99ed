//! Messages that were given up.

use durable::queue::{DeadLetter, Queue as _};

use crate::support::{FOR_EVER, each_queue, ids, message, messages, take, take_now};

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_listed_with_its_reason_and_can_be_redriven() {
    each_queue(async |place| {
        let queue = place.open(FOR_EVER).await;
        queue.publish(&[message(7)]).await.unwrap();
        let taken = take(&queue, "a", 1).await;
        queue
            .retry(&taken[0], std::time::Duration::ZERO)
            .await
            .unwrap();
        let taken = take(&queue, "a", 1).await;
        let long = format!("550 no\0 such mailbox: {}", "é".repeat(2_000));
        queue.bury(&taken[0], &long).await.unwrap();
        queue.bury(&taken[0], "once more").await.unwrap();
        let dead = queue.dead(None, 10).await.unwrap();
        let [letter] = dead.as_slice() else {
            panic!("{dead:?}");
        };
        assert_eq!(
            (letter.id.as_str(), letter.attempts, letter.enqueued),
            ("m-7", 2, 1_007)
        );
        assert_eq!(letter.payload, message(7).payload);
        assert!(
            letter.reason.starts_with("550 no such mailbox: éé"),
            "{}",
            letter.reason
        );
        assert!(letter.died > 1_700_000_000_000, "{}", letter.died);
        // It is held: publishing it again does not bring it back.
        queue.publish(&[message(7)]).await.unwrap();
        assert_eq!(queue.missing(&[message(7).id]).await.unwrap(), [""; 0]);
        assert_eq!(take_now(&queue).await, []);
        assert!(!queue.redrive("m-8").await.unwrap());
        assert!(queue.redrive("m-7").await.unwrap());
        assert!(!queue.redrive("m-7").await.unwrap());
        assert_eq!(queue.dead(None, 10).await.unwrap(), []);
        let taken = take(&queue, "a", 1).await;
        assert_eq!((ids(&taken), taken[0].attempt), (vec!["m-7"], 1));
        assert_eq!(taken[0].trace_parent, message(7).trace_parent);
        queue.settle(&taken).await.unwrap();
        assert_eq!(queue.missing(&[message(7).id]).await.unwrap(), ["m-7"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_listed_page_by_page_the_oldest_first() {
    each_queue(async |place| {
        let queue = place.open(FOR_EVER).await;
        queue.publish(&messages(0..7)).await.unwrap();
        for delivery in take(&queue, "a", 7).await {
            queue.bury(&delivery, "no").await.unwrap();
        }
        let mut seen: Vec<String> = vec![];
        let mut after: Option<String> = None;
        loop {
            let page: Vec<DeadLetter> = queue.dead(after.as_deref(), 3).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.cursor.clone());
            seen.extend(page.into_iter().map(|letter| letter.id));
        }
        let all: Vec<_> = (0..7).map(|number| message(number).id).collect();
        assert_eq!(seen, all);
        assert!(queue.dead(Some("nonsense"), 3).await.is_err());
    })
    .await;
}
