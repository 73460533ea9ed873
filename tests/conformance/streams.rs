//! What is asked for all open event streams together: `db::connection::versions`,
//! `db::session::living`, `db::user::active`.

use patchbay::server::{
    clock::Clock,
    db::{
        connection,
        session::{self, Store},
        user,
    },
};
use serde_json::json;
use time::{Duration, OffsetDateTime};
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
};

use crate::fixture::{T0, after, another_person, id, pending, person};

on_both! {
    async fn every_change_of_a_persons_connections_shows_in_the_sum_of_versions(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let (ada, grace) = (person(&mut tx).await, another_person(&mut tx).await);
        let all = [ada, grace, id()];
        assert!(connection::versions(&mut tx, &all).await.unwrap().is_empty());
        let mut row = pending(ada, "gmail");
        connection::insert(&mut tx, &row).await.unwrap();
        connection::insert(&mut tx, &pending(grace, "gmail")).await.unwrap();
        let found = connection::versions(&mut tx, &all).await.unwrap();
        assert_eq!(found, [(ada, 1), (grace, 1)].into());
        assert!(connection::update(&mut tx, &mut row, after(1)).await.unwrap());
        connection::insert(&mut tx, &pending(ada, "slack")).await.unwrap();
        let found = connection::versions(&mut tx, &all).await.unwrap();
        assert_eq!(found, [(ada, 3), (grace, 1)].into());
        assert_eq!(connection::versions(&mut tx, &[grace]).await.unwrap(), [(grace, 1)].into());
        assert!(connection::versions(&mut tx, &[]).await.unwrap().is_empty());
    }

    async fn of_many_sessions_those_that_live_are_named(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let ada = another_person(&mut tx).await;
        tx.commit().await.unwrap();
        let store = Store::new(db.db.clone(), Clock::fixed(T0));
        let mut digests = Vec::new();
        for (number, seconds) in [(1, 60), (2, 120), (3, 120)] {
            let start = OffsetDateTime::from_unix_timestamp(T0.0 / 1000).unwrap();
            let mut record = Record {
                id: Id(number),
                data: [
                    ("user_id".to_owned(), json!(ada)),
                    ("user_valid_from".to_owned(), json!(0)),
                ].into(),
                expiry_date: start + Duration::seconds(seconds),
            };
            store.create(&mut record).await.unwrap();
            digests.push(session::digest(&record.id.to_string()));
        }
        let all: Vec<&str> = digests.iter().map(String::as_str).chain(["no such"]).collect();
        let mut tx = db.db.write().await.unwrap();
        let living = session::living(&mut tx, &all, T0).await.unwrap();
        assert_eq!(living, digests.iter().cloned().collect());
        // One has run out, one was ended.
        session::delete_one(&mut tx, ada, &digests[1]).await.unwrap();
        let living = session::living(&mut tx, &all, after(60_000)).await.unwrap();
        assert_eq!(living, [digests[2].clone()].into());
        // All were ended together.
        user::end_sessions(&mut tx, ada, after(1)).await.unwrap();
        assert!(session::living(&mut tx, &all, T0).await.unwrap().is_empty());
    }

    async fn of_many_people_those_who_may_come_in_are_named(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let mut people = Vec::new();
        for _ in 0..3 {
            people.push(another_person(&mut tx).await);
        }
        let asked = [people[0], people[1], people[2], id()];
        let found = user::active(&mut tx, &asked).await.unwrap();
        assert_eq!(found, people.iter().copied().collect());
        user::set_disabled(&mut tx, people[0], Some(T0)).await.unwrap();
        user::erase(&mut tx, people[1], T0).await.unwrap();
        assert_eq!(user::active(&mut tx, &asked).await.unwrap(), [people[2]].into());
    }
}
