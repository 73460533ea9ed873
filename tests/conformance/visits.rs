//! Visits to the database: each has a connection to itself, and leaves nothing on it.

use std::time::Duration;

use futures::future::join_all;
use patchbay::server::{
    clock::Clock,
    db::user::{self, NewUser},
};
use sqlx::Connection;
use uuid::Uuid;

use crate::{fixture::T0, support::db::TestDb};

fn somebody(id: Uuid) -> NewUser<'static> {
    NewUser {
        id,
        issuer: "https://id.example",
        subject: "visitor",
        display_name: "Vera Visitor",
        email: None,
    }
}

on_both! {
    async fn what_a_visit_did_not_finish_is_nobodys(db: &TestDb) {
        let id = Clock::system().new_id();
        for _ in 0..3 {
            let mut tx = db.db.write().await.unwrap();
            user::upsert(&mut tx, &somebody(id), T0).await.unwrap();
            drop(tx);
            // Whichever connection this takes, it is in nobody's transaction.
            for _ in 0..4 {
                assert_eq!(user::look_up(&db.db, id).await.unwrap(), None);
            }
        }
        let mut tx = db.db.write().await.unwrap();
        user::upsert(&mut tx, &somebody(id), T0).await.unwrap();
        tx.commit().await.unwrap();
        assert!(user::look_up(&db.db, id).await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_many_come_each_has_its_turn() {
    let test = TestDb::postgres().await;
    let db = &test.db;
    db.keep_statements();
    let visits = (0..200).map(|number| async move {
        if number % 10 != 0 {
            user::look_up(db, Uuid::from_u128(number)).await.unwrap();
            return;
        }
        let mut tx = db.write().await.unwrap();
        let id = Uuid::from_u128(9);
        user::upsert(&mut tx, &somebody(id), T0).await.unwrap();
        if number % 20 == 0 {
            tx.commit().await.unwrap();
        }
    });
    join_all(visits).await;
    let all = db.connections();
    assert!(all.open <= all.max, "{all:?}");
    assert!(
        user::look_up(db, Uuid::from_u128(9))
            .await
            .unwrap()
            .is_some()
    );
}

/// The pool would ask it first whether it still answers, which is a visit more.
#[tokio::test]
async fn a_connection_goes_from_one_visit_to_the_next_as_it_is() {
    let db = TestDb::postgres().await;
    db.db.keep_statements();
    for _ in 0..20 {
        user::look_up(&db.db, Uuid::nil()).await.unwrap();
        let all = db.db.connections();
        assert_eq!(all.idle, all.open, "it is there again at once: {all:?}");
    }
    assert_eq!(db.db.connections().open, 1);
    // Those that wait for the next visit are closed with the others.
    db.db.close().await;
    assert_eq!(db.db.connections().open, 0);
}

/// Whoever asked has gone by then; the server's process would wait on, and there are only so many.
#[tokio::test]
async fn who_waits_for_a_lock_leaves_nobody_behind() {
    let db = TestDb::postgres().await;
    db.db.keep_statements();
    let mut holder = sqlx::PgConnection::connect(&db.url).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE \"user\" IN ACCESS EXCLUSIVE MODE")
        .execute(&mut holder)
        .await
        .unwrap();
    let read = async {
        let mut tx = db.db.read().await?;
        user::get(&mut tx, Uuid::nil()).await
    };
    let (alone, within) = tokio::join!(user::look_up(&db.db, Uuid::nil()), read);
    assert!(alone.is_err() && within.is_err());
    let waiting = "SELECT count(*) FROM pg_stat_activity \
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let mut waited = Duration::ZERO;
    loop {
        let left: i64 = sqlx::query_scalar(waiting)
            .fetch_one(&mut holder)
            .await
            .unwrap();
        if left == 0 {
            break;
        }
        assert!(waited < Duration::from_secs(20), "{left} wait on");
        tokio::time::sleep(Duration::from_millis(100)).await;
        waited += Duration::from_millis(100);
    }
}

#[tokio::test]
async fn connections_that_nobody_uses_are_given_back() {
    let db = TestDb::postgres().await;
    db.db.keep_statements();
    let visits = (0..5).map(|_| user::look_up(&db.db, Uuid::nil()));
    join_all(visits).await;
    let patchbay::server::db::Db::Postgres(server) = &db.db else {
        unreachable!("a database is of one kind");
    };
    assert_eq!(server.pooled(), 0, "they wait for the next visit");
    let mut waited = Duration::ZERO;
    while server.pooled() < server.size() as usize {
        assert!(waited < Duration::from_secs(30), "they stay away");
        tokio::time::sleep(Duration::from_millis(100)).await;
        waited += Duration::from_millis(100);
    }
    user::look_up(&db.db, Uuid::nil()).await.unwrap();
}
