//! `db::audit`.

use patchbay::server::db::{
    Tx,
    audit::{self, Asked, Event, Personal, Told},
};
use serde_json::json;
use uuid::Uuid;

use crate::fixture::{after, another_person, connecting, connector_id, id, run};

fn event(ms: i64, user_id: Option<Uuid>) -> Event {
    Event {
        id: id(),
        at: after(ms),
        user_id,
        actor_id: None,
        connector_id: None,
        connection_id: None,
        attempt_id: None,
        action: "sign_in".to_owned(),
        detail: json!({}),
        personal_digest: None,
    }
}

fn asked(user_id: Uuid, limit: i64) -> Asked {
    Asked {
        user_id,
        connector_id: None,
        before: None,
        limit,
    }
}

async fn events(tx: &mut Tx, asked: &Asked) -> Vec<Event> {
    let found = audit::of_user(tx, asked).await.unwrap();
    found.into_iter().map(|told| told.event).collect()
}

on_both! {
    async fn a_person_sees_the_latest_first(db: &TestDb) {
        let (row, attempt) = connecting(&db.db).await;
        let mut tx = db.db.write().await.unwrap();
        let other = another_person(&mut tx).await;
        let event = |ms, user_id| Event {
            actor_id: Some(other),
            connector_id: Some(row.connector_id),
            connection_id: Some(row.id),
            attempt_id: Some(attempt.id),
            action: "connect.started".to_owned(),
            detail: json!({"via": "popup", "n": [1, null, "é"]}),
            personal_digest: Some("d".to_owned()),
            ..event(ms, user_id)
        };
        let (old, new) = (event(0, Some(row.user_id)), event(1, Some(row.user_id)));
        let bare = self::event(-1, Some(row.user_id));
        for event in [&old, &new, &bare, &event(5, Some(other)), &event(6, None)] {
            audit::record(&mut tx, event).await.unwrap();
        }
        let mut asked = asked(row.user_id, 10);
        assert_eq!(events(&mut tx, &asked).await, [new.clone(), old.clone(), bare.clone()]);
        let told = audit::of_user(&mut tx, &asked).await.unwrap();
        let kinds: Vec<_> = told.iter().map(|told| told.attempt_kind.as_deref()).collect();
        assert_eq!(kinds, [Some("connect"), Some("connect"), None]);
        asked.limit = 2;
        assert_eq!(events(&mut tx, &asked).await, [new.clone(), old.clone()]);
        asked.before = Some(old.id);
        assert_eq!(events(&mut tx, &asked).await, [bare]);
        asked.before = None;
        asked.connector_id = Some(row.connector_id);
        asked.limit = 10;
        assert_eq!(events(&mut tx, &asked).await, [new.clone(), old]);
        asked.connector_id = Some(connector_id("slack"));
        assert_eq!(events(&mut tx, &asked).await, []);
        // Where somebody else's entry stands is told to nobody.
        let mut others = self::asked(other, 10);
        others.before = Some(new.id);
        assert_eq!(events(&mut tx, &others).await, []);
    }

    async fn what_somebody_did_to_others_comes_the_latest_first(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let (admin, ada) = (another_person(&mut tx).await, another_person(&mut tx).await);
        let said = Personal { salt: "s".to_owned(), data: "{}".to_owned() };
        let by = |ms, actor_id, user_id| Event { actor_id, ..event(ms, user_id) };
        let old = by(0, Some(admin), Some(ada));
        let new = by(1, Some(admin), Some(ada));
        let own = by(2, Some(admin), Some(admin));
        let others = by(3, Some(ada), Some(admin));
        for event in [&old, &new, &own, &others, &by(4, None, Some(ada))] {
            audit::record(&mut tx, event).await.unwrap();
        }
        audit::record_personal(&mut tx, new.id, admin, &said).await.unwrap();
        let told = audit::by_actor_on_others(&mut tx, admin, None, 9).await.unwrap();
        let personal: Vec<_> = told.iter().map(|told| told.personal.clone()).collect();
        assert_eq!(personal, [Some(said), None]);
        let events = async |tx: &mut Tx, actor, before, limit| {
            let told = audit::by_actor_on_others(tx, actor, before, limit).await.unwrap();
            told.into_iter().map(|told| told.event).collect::<Vec<_>>()
        };
        assert_eq!(events(&mut tx, admin, None, 9).await, [new.clone(), old.clone()]);
        assert_eq!(events(&mut tx, admin, None, 1).await, std::slice::from_ref(&new));
        assert_eq!(events(&mut tx, admin, Some(new.id), 9).await, [old]);
        assert_eq!(events(&mut tx, ada, None, 9).await, std::slice::from_ref(&others));
        // Where another's entry stands is told to nobody.
        assert_eq!(events(&mut tx, admin, Some(others.id), 9).await, []);
    }

    async fn what_stands_beside_an_entry_can_be_erased(db: &TestDb) {
        let (row, _) = connecting(&db.db).await;
        let mut tx = db.db.write().await.unwrap();
        let other = another_person(&mut tx).await;
        // As it is written, in whatever order its keys are.
        let said = Personal { salt: "s".to_owned(), data: r#"{"b": 1,"a":"é"}"#.to_owned() };
        for user in [row.user_id, other] {
            let event = event(0, Some(user));
            audit::record(&mut tx, &event).await.unwrap();
            audit::record_personal(&mut tx, event.id, user, &said).await.unwrap();
        }
        let beside = |found: Vec<Told>| found.into_iter().map(|t| t.personal).collect::<Vec<_>>();
        let found = audit::of_user(&mut tx, &asked(row.user_id, 9)).await.unwrap();
        assert_eq!(beside(found), [Some(said.clone())]);
        assert_eq!(audit::erase_personal(&mut tx, row.user_id).await.unwrap(), 1);
        assert_eq!(audit::erase_personal(&mut tx, row.user_id).await.unwrap(), 0);
        let found = audit::of_user(&mut tx, &asked(row.user_id, 9)).await.unwrap();
        assert_eq!(beside(found), [None]);
        let found = audit::of_user(&mut tx, &asked(other, 9)).await.unwrap();
        assert_eq!(beside(found), [Some(said)]);
    }

    async fn nothing_that_was_written_is_changed_or_taken_away(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let user = another_person(&mut tx).await;
        let event = event(0, Some(user));
        audit::record(&mut tx, &event).await.unwrap();
        let said = Personal { salt: "s".to_owned(), data: "{}".to_owned() };
        audit::record_personal(&mut tx, event.id, user, &said).await.unwrap();
        tx.commit().await.unwrap();
        patchbay::server::services::seal::seal_waiting(&db.db).await.unwrap();
        for (sqlite, postgres) in [
            ("UPDATE audit_event SET action = 'x'", "UPDATE audit_event SET action = 'x'"),
            ("DELETE FROM audit_event", "DELETE FROM audit_event"),
            (
                "INSERT OR REPLACE INTO audit_event (id, at, action) SELECT id, at, 'x' FROM audit_event",
                "TRUNCATE audit_event CASCADE",
            ),
            ("UPDATE audit_seal SET hash = 'x'", "UPDATE audit_seal SET hash = 'x'"),
            ("DELETE FROM audit_seal", "DELETE FROM audit_seal"),
            (
                "INSERT OR REPLACE INTO audit_seal SELECT seq, event_id, 'x' FROM audit_seal",
                "TRUNCATE audit_seal",
            ),
            ("UPDATE audit_personal SET data = 'x'", "UPDATE audit_personal SET data = 'x'"),
            (
                "INSERT OR REPLACE INTO audit_personal SELECT event_id, user_id, salt, 'x' FROM audit_personal",
                "UPDATE audit_personal SET salt = 'x' WHERE FALSE",
            ),
        ] {
            let mut tx = db.db.write().await.unwrap();
            let error = run(&mut tx, sqlite, postgres).await.unwrap_err().to_string();
            assert!(error.contains("is append-only: "), "{sqlite}: {error}");
        }
    }
}
