//! What forgetting a person asks of each table.

use std::collections::BTreeMap;

use patchbay::{
    domain::{attempt::AttemptState, connection::Status},
    server::db::{attempt, connection, connector, owed_deletion},
};

use crate::fixture::{
    T0, after, another_person, connector_id, full, id, open_attempt, pending, person,
};

on_both! {
    async fn of_erased_connections_and_attempts_ids_and_times_are_left(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let ada = person(&mut tx).await;
        let ben = another_person(&mut tx).await;
        let (hers, his) = (full(ada, "gmail"), full(ben, "gmail"));
        let never = pending(ada, "slack");
        for row in [&hers, &his, &never] {
            connection::insert(&mut tx, row).await.unwrap();
        }
        let open = open_attempt(&hers);
        let failed = attempt::Row {
            state: AttemptState::Failed,
            error: Some("Google says no".to_owned()),
            settled_at: Some(after(1)),
            created_at: after(-5),
            ..open_attempt(&never)
        };
        let expired = attempt::Row {
            state: AttemptState::Expired,
            settled_at: Some(after(2)),
            created_at: after(-9),
            ..open_attempt(&never)
        };
        let others = open_attempt(&his);
        for row in [&open, &failed, &expired, &others] {
            attempt::insert(&mut tx, row).await.unwrap();
        }
        assert_eq!(attempt::of_user(&mut tx, ada).await.unwrap(), [expired.clone(), failed.clone(), open.clone()]);

        assert_eq!(connection::erase_of_user(&mut tx, ada, after(9)).await.unwrap(), 2);
        assert_eq!(attempt::erase_of_user(&mut tx, ada, after(9)).await.unwrap(), 3);
        let left = connection::get(&mut tx, hers.id).await.unwrap().unwrap();
        assert_eq!(left.attempt, None);
        let expected = connection::Row {
            nango_connection_id: None,
            lost_connection_id: None,
            status: Status::Disconnected,
            config: BTreeMap::new(),
            account: None,
            last_error: None,
            error_count: 0,
            updated_at: after(9),
            version: hers.version + 1,
            ..hers
        };
        assert_eq!(left.row, expected);
        let left = connection::get(&mut tx, never.id).await.unwrap().unwrap().row;
        assert_eq!((left.status, left.disconnected_at), (Status::Disconnected, Some(after(9))));
        let left = attempt::of_user(&mut tx, ada).await.unwrap();
        let failed = attempt::Row { error: None, config: BTreeMap::new(), ..failed };
        let open = attempt::Row {
            state: AttemptState::Cancelled,
            config: BTreeMap::new(),
            settled_at: Some(after(9)),
            ..open
        };
        // Cancelled, and since when it had ended stays: a late success of either is an orphan.
        let expired = attempt::Row {
            state: AttemptState::Cancelled,
            config: BTreeMap::new(),
            ..expired
        };
        assert_eq!(left, [expired, failed, open]);
        assert_eq!(connection::get(&mut tx, his.id).await.unwrap().unwrap().row, his);
        assert_eq!(attempt::of_user(&mut tx, ben).await.unwrap(), [others]);
    }

    async fn a_deletion_that_was_done_is_forgotten(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        for nango_id in ["a", "b"] {
            let row = owed_deletion::Row {
                id: id(),
                user_id: None,
                nango_connection_id: nango_id.to_owned(),
                provider_config_key: "k".to_owned(),
                reason: "orphan".to_owned(),
                tries: 0,
                next_try_at: T0,
                created_at: T0,
            };
            owed_deletion::owe(&mut tx, &row).await.unwrap();
        }
        owed_deletion::forget(&mut tx, "a").await.unwrap();
        owed_deletion::forget(&mut tx, "never owed").await.unwrap();
        assert!(!owed_deletion::is_owed(&mut tx, "a").await.unwrap());
        assert!(owed_deletion::is_owed(&mut tx, "b").await.unwrap());
    }

    async fn every_connector_has_its_slug(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        person(&mut tx).await;
        let slugs = connector::slugs(&mut tx).await.unwrap();
        assert_eq!(slugs.len(), 2);
        assert_eq!(slugs[&connector_id("slack")], "slack");
    }
}
