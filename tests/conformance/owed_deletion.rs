//! `db::owed_deletion`.

use patchbay::{domain::timestamp::Timestamp, server::db::owed_deletion};

use crate::fixture::{T0, after, another_person, id};

fn owed(nango_connection_id: &str, next_try_at: Timestamp) -> owed_deletion::Row {
    owed_deletion::Row {
        id: id(),
        user_id: None,
        nango_connection_id: nango_connection_id.to_owned(),
        provider_config_key: "google-mail".to_owned(),
        reason: "the attempt was cancelled".to_owned(),
        tries: 0,
        next_try_at,
        created_at: T0,
    }
}

on_both! {
    async fn what_is_due_comes_the_longest_waiting_first(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let (first, second, third) = (owed("a", after(-1)), owed("b", T0), owed("c", after(1)));
        for row in [&third, &first, &second] {
            owed_deletion::owe(&mut tx, row).await.unwrap();
        }
        let due = owed_deletion::due(&mut tx, T0, 10).await.unwrap();
        assert_eq!(due, [first.clone(), second.clone()]);
        let due = owed_deletion::due(&mut tx, after(1), 2).await.unwrap();
        assert_eq!(due, [first.clone(), second]);
        owed_deletion::done(&mut tx, first.id).await.unwrap();
        let due = owed_deletion::due(&mut tx, after(1), 10).await.unwrap();
        assert_eq!(due.iter().map(|d| d.nango_connection_id.as_str()).collect::<Vec<_>>(), ["b", "c"]);
    }

    async fn a_person_has_what_is_owed_for_them_the_oldest_first(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let (ada, ben) = (another_person(&mut tx).await, another_person(&mut tx).await);
        let of = |user_id, name: &str, created_at| owed_deletion::Row {
            user_id,
            created_at,
            ..owed(name, after(99))
        };
        let (late, early) = (of(Some(ada), "a", after(1)), of(Some(ada), "b", T0));
        for row in [&late, &early, &of(Some(ben), "c", T0), &of(None, "d", T0)] {
            owed_deletion::owe(&mut tx, row).await.unwrap();
        }
        assert_eq!(owed_deletion::of_user(&mut tx, ada).await.unwrap(), [early, late]);
        assert_eq!(owed_deletion::of_user(&mut tx, id()).await.unwrap(), []);
        let due = owed_deletion::due(&mut tx, after(99), 10).await.unwrap();
        assert_eq!(due.iter().filter(|row| row.user_id == Some(ben)).count(), 1);
    }

    async fn owing_twice_changes_nothing(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let first = owed("a", T0);
        owed_deletion::owe(&mut tx, &first).await.unwrap();
        owed_deletion::owe(&mut tx, &owed("a", after(-5))).await.unwrap();
        assert_eq!(owed_deletion::due(&mut tx, T0, 10).await.unwrap(), [first]);
        assert!(owed_deletion::is_owed(&mut tx, "a").await.unwrap());
        assert!(!owed_deletion::is_owed(&mut tx, "b").await.unwrap());
    }

    async fn a_failed_try_is_counted_and_put_off(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let (row, bystander) = (owed("a", T0), owed("b", T0));
        owed_deletion::owe(&mut tx, &row).await.unwrap();
        owed_deletion::owe(&mut tx, &bystander).await.unwrap();
        owed_deletion::postpone(&mut tx, row.id, after(60_000)).await.unwrap();
        assert_eq!(owed_deletion::due(&mut tx, after(59_999), 10).await.unwrap(), std::slice::from_ref(&bystander));
        let put_off = owed_deletion::Row { tries: 1, next_try_at: after(60_000), ..row };
        let due = owed_deletion::due(&mut tx, after(60_000), 10).await.unwrap();
        assert_eq!(due, [bystander, put_off]);
    }
}
