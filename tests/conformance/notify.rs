//! `db::notify`.

use std::time::Duration;

use patchbay::server::db::notify;
use tokio::time::timeout;

use crate::support::db::TestDb;

#[tokio::test]
async fn postgres_tells_the_others_what_was_committed_and_only_that() {
    let db = TestDb::postgres().await;
    let mut listener = notify::listener(db.db.clone(), "own".to_owned())
        .await
        .unwrap()
        .expect("a listener");
    let mut tx = db.db.write().await.unwrap();
    notify::announce(&mut tx, "rolled back").await.unwrap();
    drop(tx);
    for payload in ["one", "two"] {
        let mut tx = db.db.write().await.unwrap();
        notify::announce(&mut tx, payload).await.unwrap();
        tx.commit().await.unwrap();
    }
    for payload in ["one", "two"] {
        let heard = timeout(Duration::from_secs(5), listener.recv()).await;
        let heard = heard.expect("in time").expect("a notification");
        assert_eq!(
            (heard.channel(), heard.payload()),
            (notify::CHANNEL, payload)
        );
    }
    db.assert_no_named_statements().await;
}

#[tokio::test]
async fn sqlite_has_nobody_to_tell() {
    let db = TestDb::sqlite().await;
    assert!(
        notify::listener(db.db.clone(), "own".to_owned())
            .await
            .unwrap()
            .is_none()
    );
    let mut tx = db.db.write().await.unwrap();
    notify::announce(&mut tx, "one").await.unwrap();
    tx.commit().await.unwrap();
}
