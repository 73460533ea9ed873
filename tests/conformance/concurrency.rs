//! Several tasks at once.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use patchbay::{
    domain::attempt::AttemptState,
    server::db::{attempt, connection, user},
};

use crate::{
    fixture::{after, connecting},
    support::db::TestDb,
};

on_both! {
    async fn of_twenty_that_settle_one_wins(db: &TestDb) {
        let (_, open) = connecting(&db.db).await;
        let tasks: Vec<_> = (0..20)
            .map(|i| {
                let (db, id) = (db.db.clone(), open.id);
                tokio::spawn(async move {
                    let to = if i % 2 == 0 { AttemptState::Succeeded } else { AttemptState::Failed };
                    let mut tx = db.write().await?;
                    let won = attempt::compare_and_set(
                        &mut tx, id, &[AttemptState::Open], to, Some(&i.to_string()), after(i),
                    )
                    .await?;
                    tx.commit().await.map(|()| won.then_some(i))
                })
            })
            .collect();
        let mut winners = Vec::new();
        for task in tasks {
            winners.extend(task.await.unwrap().unwrap());
        }
        assert_eq!(winners.len(), 1, "{winners:?}");
        let mut tx = db.db.read().await.unwrap();
        let settled = attempt::get(&mut tx, open.id).await.unwrap().unwrap();
        assert_eq!(settled.error, winners.first().map(i64::to_string));
    }

    /// With the person's lock every read is of what is there to be changed: no version is stale.
    async fn under_the_persons_lock_no_update_is_refused(db: &TestDb) {
        let (row, _) = connecting(&db.db).await;
        let tasks: Vec<_> = (0..20)
            .map(|i| {
                let (db, id, person) = (db.db.clone(), row.id, row.user_id);
                tokio::spawn(async move {
                    let mut tx = db.write().await.unwrap();
                    user::lock(&mut tx, person).await.unwrap();
                    let mut row = connection::get(&mut tx, id).await.unwrap().unwrap().row;
                    row.error_count += 1;
                    assert!(connection::update(&mut tx, &mut row, after(i)).await.unwrap());
                    tx.commit().await.unwrap();
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let mut tx = db.db.read().await.unwrap();
        let row = connection::get(&mut tx, row.id).await.unwrap().unwrap().row;
        assert_eq!(row.error_count, 20);
    }

    async fn no_update_is_lost(db: &TestDb) {
        let (row, _) = connecting(&db.db).await;
        let tasks: Vec<_> = (0..20)
            .map(|i| {
                let (db, id) = (db.db.clone(), row.id);
                tokio::spawn(async move {
                    loop {
                        let mut tx = db.write().await.unwrap();
                        let mut row = connection::get(&mut tx, id).await.unwrap().unwrap().row;
                        row.error_count += 1;
                        if connection::update(&mut tx, &mut row, after(i)).await.unwrap() {
                            tx.commit().await.unwrap();
                            return;
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let mut tx = db.db.read().await.unwrap();
        let row = connection::get(&mut tx, row.id).await.unwrap().unwrap().row;
        assert_eq!((row.error_count, row.version), (20, 21));
    }
}

/// The second writer waits for the first, also where both read before they write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_writers_on_sqlite_both_succeed() {
    let db = TestDb::sqlite().await;
    let (row, _) = connecting(&db.db).await;
    let write = |pause: u64| {
        let (db, id) = (db.db.clone(), row.id);
        async move {
            let mut tx = db.write().await?;
            let mut row = connection::get(&mut tx, id).await?.expect("the row").row;
            tokio::time::sleep(Duration::from_millis(pause)).await;
            row.error_count += 1;
            assert!(connection::update(&mut tx, &mut row, after(1)).await?);
            tx.commit().await
        }
    };
    let (first, second) = tokio::join!(tokio::spawn(write(300)), tokio::spawn(write(300)));
    first.unwrap().expect("the first writer");
    second.unwrap().expect("the second writer");
    let mut tx = db.db.read().await.unwrap();
    let row = connection::get(&mut tx, row.id).await.unwrap().unwrap().row;
    assert_eq!(row.error_count, 2);
}

/// A reader neither waits for a writer nor sees half of its work.
#[tokio::test]
async fn a_reader_on_sqlite_does_not_wait() {
    let db = TestDb::sqlite().await;
    let (mut row, _) = connecting(&db.db).await;
    let mut writing = db.db.write().await.unwrap();
    row.error_count = 9;
    assert!(
        connection::update(&mut writing, &mut row, after(1))
            .await
            .unwrap()
    );
    let mut reading = db.db.read().await.unwrap();
    let seen = connection::get(&mut reading, row.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(seen.row.error_count, 0);
    writing.commit().await.unwrap();
}

/// Left to SQLite's own naps the luckiest goes first, and under load the unluckiest never.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_of_a_file_go_in_the_order_in_which_they_came() {
    let db = TestDb::sqlite().await;
    let went = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for number in 0..30 {
        let (db, went) = (db.db.clone(), went.clone());
        tasks.push(tokio::spawn(async move {
            let tx = db.write().await.unwrap();
            went.lock().unwrap().push(number);
            tokio::time::sleep(Duration::from_millis(20)).await;
            tx.commit().await.unwrap();
        }));
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    for task in tasks {
        task.await.unwrap();
    }
    let went = went.lock().unwrap().clone();
    assert_eq!(went, (0..30).collect::<Vec<_>>());
}
