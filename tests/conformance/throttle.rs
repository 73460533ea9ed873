//! `db::throttle`.

use patchbay::server::db::{
    Tx,
    throttle::{self, Limit},
};

use crate::fixture::{T0, after};

const LIMIT: Limit = Limit {
    failures: 3,
    window_ms: 60_000,
};

/// Until when nothing is looked at, in milliseconds after the start; `None`: it may.
async fn take(tx: &mut Tx, key: &str, at: i64) -> Option<i64> {
    let until = throttle::take(tx, key, LIMIT, after(at)).await.unwrap();
    until.map(|until| until.0 - T0.0)
}

on_both! {
    async fn so_many_may_fail_and_then_nothing_is_looked_at(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        assert_eq!(take(&mut tx, "a", 0).await, None);
        assert_eq!(take(&mut tx, "a", 10_000).await, None);
        assert_eq!(take(&mut tx, "a", 20_000).await, None);
        // The third may; it was the last.
        assert_eq!(take(&mut tx, "a", 20_001).await, Some(80_000));
        assert_eq!(take(&mut tx, "a", 79_999).await, Some(80_000), "asking does not make it longer");
        assert_eq!(take(&mut tx, "b", 20_002).await, None, "another is another");
        // And then as from the beginning.
        assert_eq!(take(&mut tx, "a", 80_000).await, None);
        assert_eq!(take(&mut tx, "a", 80_001).await, None);
        assert_eq!(take(&mut tx, "a", 80_002).await, None);
        assert_eq!(take(&mut tx, "a", 80_003).await, Some(140_002));
    }

    async fn failures_of_long_ago_do_not_count(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        assert_eq!(take(&mut tx, "a", 0).await, None);
        assert_eq!(take(&mut tx, "a", 59_999).await, None);
        // The window is over; a new one begins.
        assert_eq!(take(&mut tx, "a", 60_000).await, None);
        assert_eq!(take(&mut tx, "a", 60_001).await, None);
        assert_eq!(take(&mut tx, "a", 60_002).await, None);
        assert!(take(&mut tx, "a", 60_003).await.is_some());
    }

    async fn what_was_no_failure_is_given_back(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        for at in 0..3 {
            assert_eq!(take(&mut tx, "a", at).await, None);
        }
        throttle::give_back(&mut tx, "a").await.unwrap();
        throttle::give_back(&mut tx, "nobody").await.unwrap();
        assert_eq!(take(&mut tx, "a", 4).await, None);
        assert!(take(&mut tx, "a", 5).await.is_some());
        throttle::touch(&mut tx, "a").await.unwrap();
        assert!(take(&mut tx, "a", 6).await.is_some(), "touching changes nothing");
        throttle::clear(&mut tx, "a").await.unwrap();
        assert_eq!(take(&mut tx, "a", 7).await, None);
    }

    async fn a_limit_of_one_blocks_at_once(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let one = Limit { failures: 1, ..LIMIT };
        assert_eq!(throttle::take(&mut tx, "a", one, T0).await.unwrap(), None);
        assert_eq!(throttle::take(&mut tx, "a", one, after(1)).await.unwrap(), Some(after(60_000)));
    }

    async fn what_counts_no_longer_is_removed(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        take(&mut tx, "old", 0).await;
        for at in 1..4 {
            take(&mut tx, "blocked", at).await;
        }
        take(&mut tx, "new", 50_000).await;
        // "blocked" began long ago, and its block lasts until 60,003.
        assert_eq!(throttle::delete_old(&mut tx, after(1000), after(60_002)).await.unwrap(), 1);
        assert_eq!(throttle::delete_old(&mut tx, after(1000), after(60_003)).await.unwrap(), 1);
        assert_eq!(throttle::delete_old(&mut tx, after(49_999), after(60_003)).await.unwrap(), 0);
        assert_eq!(throttle::delete_old(&mut tx, after(50_000), after(60_003)).await.unwrap(), 1);
    }
}

/// However many come at once: on PostgreSQL each in a transaction of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_than_the_limit_get_through_at_once() {
    let db = crate::support::db::TestDb::postgres().await;
    let tries = (0..12).map(|_| async {
        let mut tx = db.db.write().await.unwrap();
        let until = throttle::take(&mut tx, "a", LIMIT, T0).await.unwrap();
        tx.commit().await.unwrap();
        until.is_none()
    });
    let through = futures::future::join_all(tries).await;
    assert_eq!(through.into_iter().filter(|got| *got).count(), 3);
}
