//! `db::session`, through the trait that tower-sessions calls.

use patchbay::server::{
    clock::Clock,
    db::{
        attempt, connection,
        session::{self, Store, along},
        user,
    },
};
use serde_json::json;
use time::{Duration, OffsetDateTime};
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
};
use uuid::Uuid;

use crate::fixture::{T0, after, another_person, full, open_attempt, pending, person, texts};

fn record(id: i128, seconds: i64) -> Record {
    let start = OffsetDateTime::from_unix_timestamp(T0.0 / 1000).unwrap();
    Record {
        id: Id(id),
        data: [("user_id".to_owned(), json!({"a": [1, "é"]}))].into(),
        expiry_date: start + Duration::seconds(seconds) + Duration::milliseconds(7),
    }
}

on_both! {
    async fn a_session_lives_from_create_to_delete(db: &TestDb) {
        let store = Store::new(db.db.clone(), Clock::fixed(T0));
        let mut session = record(1, 60);
        store.create(&mut session).await.unwrap();
        assert_eq!(store.load(&session.id).await.unwrap(), Some(session.clone()));
        assert_eq!(store.load(&Id(2)).await.unwrap(), None);

        session.data.insert("theme".to_owned(), json!("dark"));
        session.expiry_date += Duration::hours(1);
        store.save(&session).await.unwrap();
        assert_eq!(store.load(&session.id).await.unwrap(), Some(session.clone()));

        store.delete(&session.id).await.unwrap();
        assert_eq!(store.load(&session.id).await.unwrap(), None);
        // A slow request ends after the person signed out.
        store.save(&session).await.unwrap();
        assert_eq!(store.load(&session.id).await.unwrap(), None);
    }

    async fn an_id_that_is_taken_is_replaced(db: &TestDb) {
        let store = Store::new(db.db.clone(), Clock::fixed(T0));
        let mut first = record(1, 60);
        store.create(&mut first).await.unwrap();
        let mut second = record(1, 120);
        store.create(&mut second).await.unwrap();
        assert_ne!(second.id, first.id);
        assert_eq!(store.load(&first.id).await.unwrap(), Some(first));
        assert_eq!(store.load(&second.id).await.unwrap(), Some(second));
    }

    async fn a_session_runs_out(db: &TestDb) {
        let clock = Clock::fixed(T0);
        let store = Store::new(db.db.clone(), clock.clone());
        let (mut short, mut long) = (record(1, 60), record(2, 120));
        store.create(&mut short).await.unwrap();
        store.create(&mut long).await.unwrap();
        clock.advance(60_006);
        assert!(store.load(&short.id).await.unwrap().is_some());
        assert_eq!(store.delete_expired().await.unwrap(), 0);
        clock.advance(1);
        assert_eq!(store.load(&short.id).await.unwrap(), None);
        assert_eq!(store.delete_expired().await.unwrap(), 1);
        assert_eq!(store.delete_expired().await.unwrap(), 0);
        assert_eq!(store.load(&long.id).await.unwrap(), Some(long));
    }

    /// The table holds the cookie's hash: 64 hex digits, not the cookie.
    async fn a_stolen_table_opens_no_session(db: &TestDb) {
        let store = Store::new(db.db.clone(), Clock::fixed(T0));
        store.create(&mut record(1, 60)).await.unwrap();
        let mut tx = db.db.read().await.unwrap();
        let sql = "SELECT id FROM session";
        assert_eq!(
            texts(&mut tx, sql, sql).await,
            // echo -n AQAAAAAAAAAAAAAAAAAAAA | sha256sum
            [HASH_OF_1]
        );
    }

    async fn a_persons_sessions_are_listed_and_ended(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let (ada, eve) = (another_person(&mut tx).await, another_person(&mut tx).await);
        tx.commit().await.unwrap();
        let store = Store::new(db.db.clone(), Clock::fixed(T0));
        let digest = |record: &Record| session::digest(&record.id.to_string());
        let mut all = Vec::new();
        for (number, seconds, person) in [(1, 60, ada), (2, 180, ada), (3, 120, ada), (4, 60, eve)] {
            let mut of = record(number, seconds);
            of.data.insert(session::USER_ID.to_owned(), json!(person));
            store.create(&mut of).await.unwrap();
            all.push(of);
        }
        // Nobody's yet, and then Ada's.
        let mut late = record(5, 30);
        late.data.remove(session::USER_ID);
        store.create(&mut late).await.unwrap();
        late.data.insert(session::USER_ID.to_owned(), json!(ada));
        store.save(&late).await.unwrap();

        let mut tx = db.db.write().await.unwrap();
        let found = session::of_user(&mut tx, ada, T0).await.unwrap();
        let ids: Vec<_> = found.iter().map(|owned| owned.id.clone()).collect();
        assert_eq!(ids, [digest(&all[1]), digest(&all[2]), digest(&all[0]), digest(&late)]);
        assert_eq!(found[3].data, late.data);
        assert_eq!(session::of_user(&mut tx, ada, after(130_000)).await.unwrap().len(), 1);

        assert!(!session::delete_one(&mut tx, eve, &digest(&all[0])).await.unwrap(), "not hers");
        assert!(session::delete_one(&mut tx, ada, &digest(&all[0])).await.unwrap());
        assert!(!session::delete_one(&mut tx, ada, &digest(&all[0])).await.unwrap());
        assert_eq!(session::delete_of_user(&mut tx, ada, &digest(&all[1])).await.unwrap(), 2);
        assert_eq!(session::of_user(&mut tx, ada, T0).await.unwrap().len(), 1);
        assert_eq!(session::delete_of_user(&mut tx, ada, "").await.unwrap(), 1);
        assert_eq!(session::of_user(&mut tx, eve, T0).await.unwrap().len(), 1);
    }
}

on_both! {
    /// In one look, and only for who may come in. What is read of the person is never written.
    async fn a_session_is_read_with_its_person(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let ada = another_person(&mut tx).await;
        tx.commit().await.unwrap();
        let store = Store::new(db.db.clone(), Clock::fixed(T0));
        let mut of_ada = record(1, 3600);
        of_ada.data.insert(session::USER_ID.to_owned(), json!(ada));
        let mut of_nobody = record(2, 3600);
        for record in [&mut of_ada, &mut of_nobody] {
            record.data.insert(session::PERSON.to_owned(), json!({"role": "admin"}));
            store.create(record).await.unwrap();
            store.save(record).await.unwrap();
        }
        let person = async |record: &Record| {
            let loaded = store.load(&record.id).await.unwrap().unwrap();
            loaded.data.get(session::PERSON).cloned()
        };
        let expected = json!({"id": ada, "display_name": "Ada Lovelace", "role": "user"});
        assert_eq!(person(&of_ada).await, Some(expected));
        assert_eq!(person(&of_nobody).await, None);
        let mut tx = db.db.read().await.unwrap();
        let written = session::of_user(&mut tx, ada, T0).await.unwrap();
        assert_eq!(written[0].data.get(session::PERSON), None);
        drop(tx);

        let mut tx = db.db.write().await.unwrap();
        user::set_disabled(&mut tx, ada, Some(T0)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(person(&of_ada).await, None);
    }

    /// All that the listing says, for whoever wants it, once, and only of who may come in.
    async fn a_session_is_read_with_its_persons_connections(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let (ada, eve) = (person(&mut tx).await, another_person(&mut tx).await);
        let gmail = pending(ada, "gmail");
        for row in [&gmail, &full(ada, "slack")] {
            connection::insert(&mut tx, row).await.unwrap();
        }
        attempt::insert(&mut tx, &open_attempt(&gmail)).await.unwrap();
        let listed = connection::of_user(&mut tx, ada).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(listed.len(), 2);
        assert_eq!(listed.iter().filter(|found| found.attempt.is_some()).count(), 1);

        let store = Store::new(db.db.clone(), Clock::fixed(T0));
        let mut of_ada = record(1, 3600);
        of_ada.data.insert(session::USER_ID.to_owned(), json!(ada));
        let mut of_eve = record(2, 3600);
        of_eve.data.insert(session::USER_ID.to_owned(), json!(eve));
        let mut of_nobody = record(3, 3600);
        for record in [&mut of_ada, &mut of_eve, &mut of_nobody] {
            store.create(record).await.unwrap();
        }
        let read = async |record: &Record, person: Uuid| {
            along::scope(async {
                let loaded = store.load(&record.id).await.unwrap().unwrap();
                assert_eq!(loaded.data.get(session::USER_ID), record.data.get(session::USER_ID));
                let found = along::take(person);
                assert_eq!(along::take(person), None, "once");
                found
            })
            .await
        };
        assert_eq!(read(&of_ada, ada).await, Some(listed));
        assert_eq!(read(&of_ada, eve).await, None, "another person's");
        assert_eq!(read(&of_eve, eve).await, Some(Vec::new()));
        assert_eq!(read(&of_nobody, ada).await, None);
        // Where nobody wants them.
        let loaded = store.load(&of_ada.id).await.unwrap().unwrap();
        assert!(loaded.data.contains_key(session::PERSON));
        assert_eq!(along::take(ada), None);

        let mut tx = db.db.write().await.unwrap();
        user::set_disabled(&mut tx, ada, Some(T0)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(read(&of_ada, ada).await, None);
        // A session that is over is none.
        let late = Store::new(db.db.clone(), Clock::fixed(after(7_200_000)));
        let over = along::scope(async { late.load(&of_eve.id).await.unwrap() }).await;
        assert!(over.is_none());
    }

    /// What is written only after all sessions were ended opens nothing.
    async fn a_session_is_valid_from_what_its_person_says(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let (ada, eve) = (another_person(&mut tx).await, another_person(&mut tx).await);
        tx.commit().await.unwrap();
        let clock = Clock::fixed(T0);
        let store = Store::new(db.db.clone(), clock.clone());
        let of = |number: i128, person: Uuid, more: &[(&str, i64)]| {
            let mut record = record(number, 3600);
            record.data.insert(session::USER_ID.to_owned(), json!(person));
            for (name, value) in more {
                record.data.insert((*name).to_owned(), json!(value));
            }
            record
        };
        let mut early = of(1, ada, &[(session::VALID_FROM, 0), ("signed_in_at", after(900).0)]);
        let mut kept = of(2, ada, &[(session::VALID_FROM, 0), ("signed_in_at", T0.0)]);
        for record in [&mut early, &mut kept] {
            store.create(record).await.unwrap();
        }
        let digest = |record: &Record| session::digest(&record.id.to_string());
        let mut tx = db.db.write().await.unwrap();
        let from = user::end_sessions(&mut tx, ada, after(500)).await.unwrap();
        assert_eq!(from, after(500));
        session::keep(&mut tx, eve, &digest(&early), from).await.unwrap();
        session::keep(&mut tx, ada, &digest(&kept), from).await.unwrap();
        tx.commit().await.unwrap();
        // The moment of signing in does not count where there is a stamp.
        assert_eq!(store.load(&early.id).await.unwrap(), None);
        assert!(store.load(&kept.id).await.unwrap().is_some());
        // A slow request saves what it had read before.
        store.save(&kept).await.unwrap();
        let mut loaded = store.load(&kept.id).await.unwrap().unwrap();
        loaded.data.remove(session::PERSON);
        assert_eq!(loaded, kept);

        let mut all = [
            of(3, ada, &[(session::VALID_FROM, from.0 - 1)]),
            of(4, ada, &[("signed_in_at", from.0 - 1)]),
            of(5, ada, &[]),
            of(6, ada, &[(session::VALID_FROM, from.0)]),
            of(7, ada, &[("signed_in_at", from.0)]),
            of(8, eve, &[(session::VALID_FROM, 0)]),
            of(9, eve, &[]),
        ];
        for record in &mut all {
            store.create(record).await.unwrap();
        }
        for (record, valid) in all.iter().zip([false, false, false, true, true, true, true]) {
            assert_eq!(store.load(&record.id).await.unwrap().is_some(), valid, "{}", record.id.0);
        }
        let mut tx = db.db.read().await.unwrap();
        let listed = session::of_user(&mut tx, ada, T0).await.unwrap();
        let ids: std::collections::BTreeSet<_> = listed.into_iter().map(|owned| owned.id).collect();
        assert_eq!(ids, [&kept, &all[3], &all[4]].map(digest).into());
        assert_eq!(session::of_user(&mut tx, eve, T0).await.unwrap().len(), 2);
        drop(tx);
        assert_eq!(store.delete_expired().await.unwrap(), 4, "what is over is removed");
        assert_eq!(store.delete_expired().await.unwrap(), 0);
    }
}

on_both! {
    async fn the_oldest_of_too_many_end(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let (ada, eve) = (another_person(&mut tx).await, another_person(&mut tx).await);
        tx.commit().await.unwrap();
        let store = Store::new(db.db.clone(), Clock::fixed(T0));
        // One that does not say when it began counts as the oldest, however long it lives.
        for (number, person, began, seconds) in [
            (1, ada, Some(9), 60), (2, ada, Some(10), 60), (3, ada, None, 900), (4, ada, Some(8), 600), (5, eve, Some(1), 60),
        ] {
            let mut record = record(number, seconds);
            record.data.insert(session::USER_ID.to_owned(), json!(person));
            if let Some(began) = began {
                record.data.insert("signed_in_at".to_owned(), json!(began));
            }
            store.create(&mut record).await.unwrap();
        }
        let left = async || {
            let mut left = Vec::new();
            for number in 1..=5 {
                if store.load(&Id(number)).await.unwrap().is_some() {
                    left.push(number);
                }
            }
            left
        };
        for (but, ended, stay) in [(4, 0, vec![1, 2, 3, 4, 5]), (3, 1, vec![1, 2, 4, 5]), (1, 2, vec![2, 5]), (0, 1, vec![5])] {
            let mut tx = db.db.write().await.unwrap();
            assert_eq!(session::delete_oldest(&mut tx, ada, but).await.unwrap(), ended);
            tx.commit().await.unwrap();
            assert_eq!(left().await, stay);
        }
    }
}

const HASH_OF_1: &str = "c20b382edd27f8925fb2f53d12130212163e38651dd7fc2583d1a9db30f41176";
