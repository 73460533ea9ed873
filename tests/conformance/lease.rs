//! `db::lease`.

use patchbay::server::db::{Tx, lease};
use uuid::Uuid;

use crate::fixture::{T0, after, id, run};

/// A minute, so that the test's own time does not count.
const LENGTH: i64 = 60_000;

/// Time passes at the database: PostgreSQL's own clock, or the one that SQLite's server brings along.
async fn pass(tx: &mut Tx, ms: i64) {
    let sql = format!("UPDATE lease SET expires_at = expires_at - INTERVAL '{ms} milliseconds'");
    if matches!(tx, Tx::Postgres(_)) {
        run(tx, "", &sql).await.unwrap();
    }
}

async fn take(tx: &mut Tx, holder: Uuid, at: i64) -> bool {
    lease::take(tx, "work", holder, LENGTH, after(at))
        .await
        .unwrap()
}

on_both! {
    async fn one_holder_at_a_time(db: &TestDb) {
        let (ours, theirs) = (id(), id());
        let mut tx = db.db.write().await.unwrap();
        assert!(take(&mut tx, ours, 0).await);
        assert!(!take(&mut tx, theirs, 30_000).await);
        assert!(lease::take(&mut tx, "other work", theirs, LENGTH, after(30_000)).await.unwrap());
        // Renewed by its holder, then not renewed any more.
        pass(&mut tx, 54_000).await;
        assert!(take(&mut tx, ours, 54_000).await);
        pass(&mut tx, 30_000).await;
        assert!(!take(&mut tx, theirs, 84_000).await);
        pass(&mut tx, 30_000).await;
        assert!(take(&mut tx, theirs, 114_000).await);
        assert!(!take(&mut tx, ours, 114_001).await);
    }

    async fn it_is_given_back_by_its_holder_alone(db: &TestDb) {
        let (ours, theirs) = (id(), id());
        let mut tx = db.db.write().await.unwrap();
        assert!(take(&mut tx, ours, 0).await);
        lease::release(&mut tx, "work", theirs).await.unwrap();
        assert!(!take(&mut tx, theirs, 0).await);
        lease::release(&mut tx, "work", ours).await.unwrap();
        assert!(take(&mut tx, theirs, 0).await);
        lease::clear(&mut tx).await.unwrap();
        assert!(take(&mut tx, ours, 0).await);
    }

    /// Whoever took it, the clock was set back by an hour since: nobody waits for an hour.
    async fn a_clock_that_is_set_back_keeps_nobody_out(db: &TestDb) {
        let (ours, theirs) = (id(), id());
        let mut tx = db.db.write().await.unwrap();
        assert!(take(&mut tx, ours, 0).await);
        pass(&mut tx, -3_600_000).await;
        assert!(take(&mut tx, theirs, -3_600_000).await);
        assert!(!take(&mut tx, ours, -3_600_000).await);
    }
}

/// The clocks of two instances are an hour apart: that gives neither of them the other's lease.
#[tokio::test]
async fn on_postgres_no_instances_clock_counts() {
    let db = crate::support::db::TestDb::postgres().await;
    let (ours, theirs) = (id(), id());
    let mut tx = db.db.write().await.unwrap();
    for (first, second) in [(T0, after(3_600_000)), (after(3_600_000), T0)] {
        lease::clear(&mut tx).await.unwrap();
        assert!(
            lease::take(&mut tx, "work", ours, LENGTH, first)
                .await
                .unwrap()
        );
        assert!(
            !lease::take(&mut tx, "work", theirs, LENGTH, second)
                .await
                .unwrap()
        );
        pass(&mut tx, LENGTH).await;
        assert!(
            lease::take(&mut tx, "work", theirs, LENGTH, second)
                .await
                .unwrap()
        );
    }
}
