//! The audit log's chain: how it grows, and that whoever goes round the triggers is found out.

use patchbay::{
    domain::timestamp::Timestamp,
    server::{
        clock::Clock,
        db::{
            Db,
            audit::{self, Event, Personal, chain},
            user,
        },
        services::{
            audit_chain::{self, Break, Head, Verification},
            audit_log, seal,
        },
    },
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    fixture::{after, another_person, id, run},
    support::db::TestDb,
};

/// Takes away what stands between a hand and the tables.
async fn open(db: &TestDb) {
    let mut tx = db.db.write().await.unwrap();
    run(
        &mut tx,
        "DROP TRIGGER audit_event_no_update; DROP TRIGGER audit_event_no_delete;
         DROP TRIGGER audit_seal_no_update; DROP TRIGGER audit_seal_no_delete;
         DROP TRIGGER audit_seal_no_replace; DROP TRIGGER audit_personal_no_update;",
        "DROP TRIGGER audit_event_append_only ON audit_event;
         DROP TRIGGER audit_seal_append_only ON audit_seal;
         DROP TRIGGER audit_personal_append_only ON audit_personal;",
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
}

async fn tamper(db: &TestDb, sql: &str) {
    tamper_as(db, sql, sql).await;
}

async fn tamper_as(db: &TestDb, sqlite: &str, postgres: &str) {
    let mut tx = db.db.write().await.unwrap();
    run(&mut tx, sqlite, postgres).await.unwrap();
    tx.commit().await.unwrap();
}

/// `count` entries, each with something beside it, unsealed; their ids in order.
async fn written(db: &TestDb, count: i64) -> Vec<Uuid> {
    let mut tx = db.db.write().await.unwrap();
    let user = another_person(&mut tx).await;
    let mut ids = Vec::new();
    for ms in 0..count {
        let said = Personal {
            salt: format!("salt{ms}"),
            data: r#"{"address":"203.0.113.9"}"#.to_owned(),
        };
        let event = Event {
            id: id(),
            at: after(ms),
            user_id: Some(user),
            actor_id: (ms % 2 == 0).then_some(user),
            connector_id: None,
            connection_id: None,
            attempt_id: None,
            action: "sign_in".to_owned(),
            detail: json!({"status": "ok", "a": [{"z": 1, "b": "é\"\\\n"}], "n": -3}),
            personal_digest: Some(audit_chain::personal_digest(&said)),
        };
        audit::record(&mut tx, &event).await.unwrap();
        audit::record_personal(&mut tx, event.id, user, &said)
            .await
            .unwrap();
        ids.push(event.id);
    }
    tx.commit().await.unwrap();
    ids
}

async fn sealed(db: &TestDb, count: i64) -> Vec<Uuid> {
    let ids = written(db, count).await;
    seal::seal_waiting(&db.db).await.unwrap();
    ids
}

async fn look(db: &Db, head: Option<&str>) -> Verification {
    let head = head.map(|text| Head::parse(text).unwrap());
    audit_log::verify(db, head, Clock::system().now())
        .await
        .unwrap()
}

async fn broken(db: &TestDb) -> Break {
    let found = look(&db.db, None).await;
    assert!(!found.ok);
    found.broken.expect("a finding")
}

on_both! {
    async fn entries_are_sealed_in_their_order_and_once(db: &TestDb) {
        let ids = written(db, 250).await;
        assert_eq!(seal::seal_waiting(&db.db).await.unwrap(), 250);
        assert_eq!(seal::seal_waiting(&db.db).await.unwrap(), 0);
        let more = written(db, 1).await;
        assert_eq!(seal::seal_waiting(&db.db).await.unwrap(), 1);
        let mut tx = db.db.read().await.unwrap();
        assert!(!chain::anything_waits(&mut tx).await.unwrap());
        let head = chain::head(&mut tx).await.unwrap().unwrap();
        assert_eq!((head.seq, head.event_id), (251, more[0]));
        assert_eq!(chain::hash_at(&mut tx, 251).await.unwrap(), Some(head.hash.clone()));
        assert_eq!(chain::hash_at(&mut tx, 252).await.unwrap(), None);
        drop(tx);
        let page = audit_log::page(&db.db, 0, 1000, true).await.unwrap();
        let order: Vec<_> = page.iter().map(|entry| entry.id).collect();
        assert_eq!(order, [ids, more].concat());
        assert_eq!(page[0].prev, audit_chain::START);
        assert!(page.windows(2).all(|two| two[1].prev == two[0].hash && two[1].seq == two[0].seq + 1));
        let next = audit_log::page(&db.db, 200, 2, false).await.unwrap();
        assert_eq!((next[0].seq, &next[0].prev), (201, &page[199].hash));
        assert!(next.len() == 2 && next[0].personal.is_none() && page[200].personal.is_some());
        let found = look(&db.db, None).await;
        let head = format!("251:{}", head.hash);
        assert_eq!((found.ok, found.entries, found.personal, found.head), (true, 251, 251, Some(head)));
    }

    async fn an_empty_log_is_whole(db: &TestDb) {
        let found = look(&db.db, None).await;
        assert_eq!((found.ok, found.entries, found.head), (true, 0, None));
    }

    /// Every writer has a pool of its own, as two instances have.
    async fn two_writers_at_once_make_one_chain(db: &TestDb) {
        let other = Db::connect(&db.url).await.unwrap();
        for _ in 0..5 {
            written(db, 120).await;
            let writers: Vec<_> = (0..4)
                .map(|i| {
                    let db = if i % 2 == 0 { db.db.clone() } else { other.clone() };
                    tokio::spawn(async move { seal::seal_waiting(&db).await })
                })
                .collect();
            for writer in writers {
                writer.await.unwrap().unwrap();
            }
        }
        other.close().await;
        seal::seal_waiting(&db.db).await.unwrap();
        let found = look(&db.db, None).await;
        assert_eq!((found.broken, found.entries), (None, 600));
    }

    /// The second of two that read the same end is refused, and nothing of it stays.
    async fn a_place_in_the_chain_is_taken_once(db: &TestDb) {
        let ids = sealed(db, 2).await;
        let mut tx = db.db.write().await.unwrap();
        let waiting = chain::waiting(&mut tx, 9).await.unwrap();
        assert_eq!(waiting, []);
        let again = chain::Seal { seq: 2, event_id: ids[0], hash: "x".repeat(64) };
        assert!(chain::seal(&mut tx, &again).await.is_err());
        drop(tx);
        assert!(look(&db.db, None).await.ok);
    }

    async fn what_older_versions_wrote_waits_too(db: &TestDb) {
        tamper_as(
            db,
            "INSERT INTO audit_event (id, at, action) VALUES (randomblob(16), '2026-11-22T13:34:50+00:00', 'old')",
            "INSERT INTO audit_event (id, at, action) VALUES (gen_random_uuid(), '2026-11-22T13:34:50Z', 'old')",
        )
        .await;
        assert!(matches!(broken(db).await, Break::Unsealed { .. }));
        assert_eq!(seal::seal_waiting(&db.db).await.unwrap(), 1);
        assert!(look(&db.db, None).await.ok);
    }

    /// Entries of two people: what is gone of the one who was erased may be, of the other not.
    async fn side_data_may_go_with_their_person_only(db: &TestDb) {
        let hers = sealed(db, 3).await;
        let his = sealed(db, 2).await;
        let gone = async |entry: Uuid| {
            tamper_as(
                db,
                &format!("DELETE FROM audit_personal WHERE event_id = x'{}'", entry.simple()),
                &format!("DELETE FROM audit_personal WHERE event_id = '{entry}'"),
            )
            .await;
        };
        // By hand, without anybody's having been erased.
        gone(hers[1]).await;
        assert_eq!(broken(db).await, Break::PersonalMissing { seq: 2, event_id: hers[1] });
        let her = audit_log::page(&db.db, 0, 1, false).await.unwrap()[0].user_id.unwrap();
        let mut tx = db.db.write().await.unwrap();
        assert_eq!(audit::erase_personal(&mut tx, her).await.unwrap(), 2);
        user::erase(&mut tx, her, after(9)).await.unwrap();
        tx.commit().await.unwrap();
        let found = look(&db.db, None).await;
        assert_eq!((found.broken, found.personal, found.erased), (None, 2, 3));
        gone(his[1]).await;
        assert_eq!(broken(db).await, Break::PersonalMissing { seq: 5, event_id: his[1] });
    }

    /// The data beside what somebody did to another are their own: they go with the one who did it.
    async fn side_data_are_the_actors(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let (admin, about) = (another_person(&mut tx).await, another_person(&mut tx).await);
        let said = Personal { salt: "s".to_owned(), data: "{}".to_owned() };
        let event = Event {
            id: id(),
            at: after(0),
            user_id: Some(about),
            actor_id: Some(admin),
            connector_id: None,
            connection_id: None,
            attempt_id: None,
            action: "user_disabled".to_owned(),
            detail: json!({}),
            personal_digest: Some(audit_chain::personal_digest(&said)),
        };
        audit::record(&mut tx, &event).await.unwrap();
        audit::record_personal(&mut tx, event.id, admin, &said).await.unwrap();
        user::erase(&mut tx, about, after(1)).await.unwrap();
        tx.commit().await.unwrap();
        seal::seal_waiting(&db.db).await.unwrap();
        assert_eq!(look(&db.db, None).await.personal, 1);
        tamper(db, "DELETE FROM audit_personal").await;
        assert_eq!(broken(db).await, Break::PersonalMissing { seq: 1, event_id: event.id });
        let mut tx = db.db.write().await.unwrap();
        user::erase(&mut tx, admin, after(2)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(look(&db.db, None).await.erased, 1);
    }

    async fn an_edited_field_shows(db: &TestDb) {
        let ids = sealed(db, 5).await;
        open(db).await;
        for change in [
            "action = 'sign_out'",
            "detail = '{\"status\": \"bad\"}'",
            "personal_digest = NULL",
            "actor_id = NULL",
            "user_id = NULL",
        ] {
            tamper(db, "CREATE TABLE kept AS SELECT * FROM audit_event").await;
            tamper(db, &format!("UPDATE audit_event SET {change} WHERE id = (SELECT event_id FROM audit_seal WHERE seq = 3)")).await;
            assert_eq!(broken(db).await, Break::EntryChanged { seq: 3, event_id: ids[2] }, "{change}");
            for column in ["action", "detail", "personal_digest", "actor_id", "user_id"] {
                tamper(db, &format!("UPDATE audit_event SET {column} = (SELECT {column} FROM kept WHERE kept.id = audit_event.id)")).await;
            }
            tamper(db, "DROP TABLE kept").await;
            assert!(look(&db.db, None).await.ok, "{change}, taken back");
        }
        tamper_as(
            db,
            "UPDATE audit_event SET at = '2026-11-22T13:34:51+00:00' WHERE id = (SELECT event_id FROM audit_seal WHERE seq = 3)",
            "UPDATE audit_event SET at = at + interval '1 second' WHERE id = (SELECT event_id FROM audit_seal WHERE seq = 3)",
        )
        .await;
        assert_eq!(broken(db).await, Break::EntryChanged { seq: 3, event_id: ids[2] });
    }

    async fn a_deleted_entry_shows(db: &TestDb) {
        let ids = sealed(db, 5).await;
        open(db).await;
        let gone = ids[2];
        tamper_as(
            db,
            &format!("DELETE FROM audit_personal WHERE event_id = x'{0}';
                DELETE FROM audit_seal WHERE seq = 3; DELETE FROM audit_event WHERE id = x'{0}'", gone.simple()),
            &format!("DELETE FROM audit_personal WHERE event_id = '{gone}';
                DELETE FROM audit_seal WHERE seq = 3; DELETE FROM audit_event WHERE id = '{gone}'"),
        )
        .await;
        assert_eq!(broken(db).await, Break::Gap { expected: 3, found: 4 });
        // Closing the gap does not help.
        tamper(db, "UPDATE audit_seal SET seq = 3 WHERE seq = 4; UPDATE audit_seal SET seq = 4 WHERE seq = 5").await;
        assert_eq!(broken(db).await, Break::EntryChanged { seq: 3, event_id: ids[3] });
    }

    async fn an_entry_without_its_row_shows(db: &TestDb) {
        let ids = sealed(db, 3).await;
        open(db).await;
        let gone = ids[1];
        match &db.db {
            Db::Sqlite(file) => {
                let mut connection = file.acquire().await.unwrap();
                let sql = format!("PRAGMA foreign_keys = OFF; DELETE FROM audit_event WHERE id = x'{}'; PRAGMA foreign_keys = ON", gone.simple());
                sqlx::raw_sql(&sql).execute(&mut *connection).await.unwrap();
            }
            Db::Postgres(_) => {
                tamper(db, &format!("ALTER TABLE audit_seal DROP CONSTRAINT audit_seal_event_id_fkey;
                    ALTER TABLE audit_personal DROP CONSTRAINT audit_personal_event_id_fkey;
                    DELETE FROM audit_event WHERE id = '{gone}'")).await;
            }
        }
        assert_eq!(broken(db).await, Break::EntryMissing { seq: 2, event_id: gone });
    }

    async fn swapped_seals_show(db: &TestDb) {
        let ids = sealed(db, 5).await;
        open(db).await;
        tamper(db, "UPDATE audit_seal SET seq = -2 WHERE seq = 2; UPDATE audit_seal SET seq = 2 WHERE seq = 3; UPDATE audit_seal SET seq = 3 WHERE seq = -2").await;
        assert_eq!(broken(db).await, Break::EntryChanged { seq: 2, event_id: ids[2] });
    }

    async fn a_seal_that_hides_below_the_start_shows(db: &TestDb) {
        sealed(db, 2).await;
        open(db).await;
        for found in [0, -1, i64::MIN] {
            tamper(db, &format!("UPDATE audit_seal SET seq = {found} WHERE seq <> 1")).await;
            assert_eq!(broken(db).await, Break::Gap { expected: 1, found });
        }
        // Nor is it a way past the last number.
        tamper(db, &format!("UPDATE audit_seal SET seq = {} WHERE seq <> 1", i64::MAX)).await;
        assert_eq!(broken(db).await, Break::Gap { expected: 2, found: i64::MAX });
        written(db, 1).await;
        assert!(seal::seal_waiting(&db.db).await.is_err(), "there is no next number");
        assert_eq!(broken(db).await, Break::Gap { expected: 2, found: i64::MAX });
    }

    async fn a_cut_off_end_shows_with_the_head_kept_elsewhere(db: &TestDb) {
        let ids = sealed(db, 5).await;
        let head = look(&db.db, None).await.head.unwrap();
        assert!(look(&db.db, Some(&head)).await.ok);
        open(db).await;
        tamper(db, "DELETE FROM audit_seal WHERE seq > 3").await;
        // The entries are there, their seals are not, and nothing waits.
        let at = after(3).to_rfc3339();
        assert_eq!(broken(db).await, Break::Unsealed { event_id: ids[3], at });
        tamper(db, "DELETE FROM audit_personal WHERE event_id NOT IN (SELECT event_id FROM audit_seal);
            DELETE FROM audit_event WHERE id NOT IN (SELECT event_id FROM audit_seal)").await;
        assert!(look(&db.db, None).await.ok, "alone, the rest is whole");
        let found = look(&db.db, Some(&head)).await;
        assert_eq!((found.broken, found.entries), (Some(Break::CutOff { seq: 5 }), 3));
        // Others grow in their place.
        sealed(db, 4).await;
        assert!(look(&db.db, None).await.ok);
        assert_eq!(look(&db.db, Some(&head)).await.broken, Some(Break::Rewritten { seq: 5 }));
    }

    async fn edited_side_data_show(db: &TestDb) {
        let ids = sealed(db, 5).await;
        open(db).await;
        let changed = Break::PersonalChanged { seq: 4, event_id: ids[3] };
        for change in ["data = '{\"address\":\"198.51.100.1\"}'", "salt = 'x'"] {
            tamper(db, &format!("UPDATE audit_personal SET {change} WHERE event_id = (SELECT event_id FROM audit_seal WHERE seq = 4)")).await;
            assert_eq!(broken(db).await, changed, "{change}");
        }
    }

    async fn what_was_just_written_may_wait(db: &TestDb) {
        written(db, 1).await;
        let soon = audit_log::verify(&db.db, None, after(59_000)).await.unwrap();
        assert!(soon.ok);
        let late = audit_log::verify(&db.db, None, Timestamp(after(61_000).0)).await.unwrap();
        assert!(matches!(late.broken, Some(Break::Unsealed { .. })));
    }
}
