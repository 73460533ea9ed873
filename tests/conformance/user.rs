//! `db::user`.

use patchbay::{
    domain::user::{Role, User},
    server::db::user::{self, Row},
};
use uuid::Uuid;

use crate::fixture::{T0, after, id};

on_both! {
    async fn a_person_keeps_the_id_and_gets_the_new_name(db: &TestDb) {
        let (first, second) = (id(), id());
        let new = |id, subject, display_name| user::NewUser {
            id, issuer: "https://id.example.com", subject, display_name, email: None,
        };
        let mut tx = db.db.write().await.unwrap();
        let ada = user::upsert(&mut tx, &new(first, "ada", "Ada"), T0).await.unwrap();
        let expected = Row {
            id: first,
            issuer: "https://id.example.com".to_owned(),
            subject: "ada".to_owned(),
            display_name: "Ada".to_owned(),
            email: None,
            role: Role::User,
            created_at: T0,
            disabled_at: None,
            erased_at: None,
            sessions_valid_from: None,
        };
        assert_eq!(ada, expected);
        assert_eq!(ada.user(), User { id: first, display_name: "Ada".to_owned(), role: Role::User });
        let again = user::upsert(&mut tx, &new(second, "ada", "Ada L."), after(1)).await.unwrap();
        assert_eq!(again, Row { display_name: "Ada L.".to_owned(), ..expected });
        let bob = user::upsert(&mut tx, &new(second, "bob", "Bob"), T0).await.unwrap();
        assert_eq!(bob.id, second);
        tx.commit().await.unwrap();

        let mut tx = db.db.read().await.unwrap();
        assert_eq!(user::get(&mut tx, first).await.unwrap(), Some(again));
        assert_eq!(user::get(&mut tx, id()).await.unwrap(), None);
    }

    async fn the_same_subject_of_another_issuer_is_another_person(db: &TestDb) {
        let (first, second) = (id(), id());
        let mut tx = db.db.write().await.unwrap();
        for (id, issuer) in [(first, "https://a.example.com"), (second, "https://b.example.com")] {
            let new = user::NewUser { id, issuer, subject: "1", display_name: "One", email: None };
            assert_eq!(user::upsert(&mut tx, &new, T0).await.unwrap().id, id);
        }
    }

    async fn what_is_not_committed_is_rolled_back(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let new = user::NewUser { id: id(), issuer: "i", subject: "s", display_name: "d", email: None };
        user::upsert(&mut tx, &new, T0).await.unwrap();
        drop(tx);
        let mut tx = db.db.read().await.unwrap();
        assert_eq!(user::get(&mut tx, new.id).await.unwrap(), None);
    }

    async fn a_person_is_found_by_issuer_and_subject(db: &TestDb) {
        let new = user::NewUser {
            id: id(), issuer: "i", subject: "s", display_name: "d", email: Some("d@example.com"),
        };
        let mut tx = db.db.write().await.unwrap();
        let row = user::upsert(&mut tx, &new, T0).await.unwrap();
        assert_eq!(row.email.as_deref(), Some("d@example.com"));
        assert_eq!(user::by_subject(&mut tx, "i", "s").await.unwrap(), Some(row));
        for (issuer, subject) in [("i", "S"), ("s", "i"), ("", "s")] {
            assert_eq!(user::by_subject(&mut tx, issuer, subject).await.unwrap(), None);
        }
    }

    async fn everybody_is_listed_by_id(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let mut all = Vec::new();
        for subject in ["a", "b", "c"] {
            let new = user::NewUser { id: id(), issuer: "i", subject, display_name: "d", email: None };
            all.push(user::upsert(&mut tx, &new, T0).await.unwrap());
        }
        all.sort_by_key(|row| row.id);
        assert_eq!(user::after(&mut tx, Uuid::nil(), 10).await.unwrap(), all);
        assert_eq!(user::after(&mut tx, all[0].id, 1).await.unwrap(), all[1..2]);
        assert_eq!(user::after(&mut tx, all[2].id, 10).await.unwrap(), []);
    }

    async fn a_role_and_a_closed_door_stay_through_the_next_sign_in(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let new = user::NewUser { id: id(), issuer: "i", subject: "s", display_name: "d", email: None };
        let other = user::NewUser { id: id(), subject: "t", ..new };
        user::upsert(&mut tx, &new, T0).await.unwrap();
        let untouched = user::upsert(&mut tx, &other, T0).await.unwrap();
        user::set_role(&mut tx, new.id, Role::Admin).await.unwrap();
        user::set_disabled(&mut tx, new.id, Some(after(5))).await.unwrap();
        let row = user::upsert(&mut tx, &new, after(9)).await.unwrap();
        assert_eq!((row.role, row.disabled_at, row.created_at), (Role::Admin, Some(after(5)), T0));
        assert!(!row.is_active());
        user::set_disabled(&mut tx, new.id, None).await.unwrap();
        user::set_role(&mut tx, new.id, Role::User).await.unwrap();
        let row = user::get(&mut tx, new.id).await.unwrap().unwrap();
        assert_eq!((row.role, row.is_active()), (Role::User, true));
        assert_eq!(user::get(&mut tx, other.id).await.unwrap(), Some(untouched));
    }

    async fn who_is_erased_leaves_an_id_and_comes_back_as_somebody_new(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let new = user::NewUser {
            id: id(), issuer: "i", subject: "s", display_name: "Ada", email: Some("ada@example.com"),
        };
        user::upsert(&mut tx, &new, T0).await.unwrap();
        user::erase(&mut tx, new.id, after(3)).await.unwrap();
        let row = user::get(&mut tx, new.id).await.unwrap().unwrap();
        assert_eq!((row.email.as_deref(), row.erased_at, row.is_active()), (None, Some(after(3)), false));
        let left = format!("{row:?}");
        assert!(!left.contains("Ada") && !left.contains("ada@"), "{left}");
        let again = user::upsert(&mut tx, &user::NewUser { id: id(), ..new }, after(4)).await.unwrap();
        assert_ne!(again.id, new.id);
        assert!(again.is_active());
    }

    async fn the_end_of_all_sessions_never_goes_back(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let new = user::NewUser { id: id(), issuer: "i", subject: "s", display_name: "d", email: None };
        let other = user::NewUser { id: id(), subject: "t", ..new };
        user::upsert(&mut tx, &new, T0).await.unwrap();
        let untouched = user::upsert(&mut tx, &other, T0).await.unwrap();
        // The same moment twice, a clock that is behind, and one that is ahead.
        for (now, expected) in [(5, 5), (5, 6), (-900, 7), (40, 40)] {
            let from = user::end_sessions(&mut tx, new.id, after(now)).await.unwrap();
            assert_eq!(from, after(expected));
            let row = user::upsert(&mut tx, &new, after(50)).await.unwrap();
            assert_eq!(row.sessions_valid_from, Some(from));
            assert_eq!(user::get(&mut tx, new.id).await.unwrap(), Some(row));
        }
        user::end_sessions(&mut tx, id(), T0).await.unwrap();
        assert_eq!(user::get(&mut tx, other.id).await.unwrap(), Some(untouched));
    }
}
