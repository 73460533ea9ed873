//! `db::connection`.

use patchbay::{
    domain::{
        attempt::{AttemptKind, AttemptState, OpenAttempt},
        connection::Status,
    },
    server::db::{DbError, attempt, connection},
};

use crate::fixture::{
    T0, after, another_person, connecting, connector_id, full, id, open_attempt, pending, person,
    run,
};

on_both! {
    async fn a_row_comes_back_as_it_went_in(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let user = person(&mut tx).await;
        for row in [pending(user, "gmail"), full(user, "slack")] {
            connection::insert(&mut tx, &row).await.unwrap();
            let found = connection::get(&mut tx, row.id).await.unwrap().unwrap();
            assert_eq!(found, connection::WithAttempt { row, attempt: None });
        }
        assert_eq!(connection::get(&mut tx, id()).await.unwrap(), None);
    }

    async fn what_is_bound_comes_in_pages(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let user = person(&mut tx).await;
        let bound = |id: &str, status| connection::Row {
            nango_connection_id: Some(id.to_owned()),
            status,
            ..pending(user, "gmail")
        };
        let rows = [bound("c", Status::Error), bound("a", Status::Pending), bound("b", Status::Connected), bound("d", Status::Pending)];
        for row in &rows {
            connection::insert(&mut tx, row).await.unwrap();
        }
        connection::insert(&mut tx, &pending(user, "slack")).await.unwrap();
        let [c, a, b, d] = rows;
        let first = connection::bound_after(&mut tx, "", 3).await.unwrap();
        assert_eq!(first, [a.clone(), b, c.clone()]);
        assert_eq!(connection::bound_after(&mut tx, "c", 3).await.unwrap(), std::slice::from_ref(&d));
        assert_eq!(connection::bound_after(&mut tx, "d", 3).await.unwrap(), []);

        assert_eq!(connection::waiting_after(&mut tx, "", 1).await.unwrap(), [a]);
        assert_eq!(connection::waiting_after(&mut tx, "a", 2).await.unwrap(), [d]);
    }

    async fn every_status_is_stored(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let user = person(&mut tx).await;
        for status in Status::ALL {
            let row = connection::Row { status, ..pending(user, "gmail") };
            connection::insert(&mut tx, &row).await.unwrap();
            let found = connection::get(&mut tx, row.id).await.unwrap().unwrap();
            assert_eq!(found.row.status, status);
        }
    }

    async fn a_connection_brings_its_open_attempt_and_no_other(db: &TestDb) {
        let (row, open) = connecting(&db.db).await;
        let mut tx = db.db.write().await.unwrap();
        for state in [AttemptState::Cancelled, AttemptState::Succeeded] {
            let old = attempt::Row { state, ..open_attempt(&row) };
            attempt::insert(&mut tx, &old).await.unwrap();
        }
        let expected = Some(OpenAttempt {
            id: open.id,
            kind: AttemptKind::Connect,
            expires_at: open.expires_at,
        });
        let found = connection::get(&mut tx, row.id).await.unwrap().unwrap();
        assert_eq!(found.attempt, expected);
        let found = connection::of_user(&mut tx, row.user_id).await.unwrap();
        assert_eq!(found, [connection::WithAttempt { row: row.clone(), attempt: expected.clone() }]);
        let found = connection::of_user_and_connector(&mut tx, row.user_id, row.connector_id)
            .await
            .unwrap();
        assert_eq!(found, [connection::WithAttempt { row, attempt: expected }]);
    }

    async fn a_person_sees_their_own_in_order(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let (user, other) = (person(&mut tx).await, another_person(&mut tx).await);
        let at = |ms, slug| connection::Row { created_at: after(ms), ..pending(user, slug) };
        let late = at(5, "gmail");
        let early = at(-1000, "gmail");
        let slack = at(0, "slack");
        // Made at the same moment: the id decides.
        let (mut twin, mut twin_too) = (at(7, "gmail"), at(7, "gmail"));
        if twin.id > twin_too.id {
            std::mem::swap(&mut twin, &mut twin_too);
        }
        for row in [&twin_too, &late, &slack, &twin, &early, &pending(other, "gmail")] {
            connection::insert(&mut tx, row).await.unwrap();
        }
        let rows = |found: Vec<connection::WithAttempt>| -> Vec<connection::Row> {
            found.into_iter().map(|f| f.row).collect()
        };
        let gmail = vec![early, late, twin, twin_too];
        let mut all = gmail.clone();
        // By connector, whatever its name.
        if connector_id("slack") < connector_id("gmail") {
            all.insert(0, slack.clone());
        } else {
            all.push(slack.clone());
        }
        assert_eq!(rows(connection::of_user(&mut tx, user).await.unwrap()), all);
        let of = connection::of_user_and_connector(&mut tx, user, connector_id("gmail")).await;
        assert_eq!(rows(of.unwrap()), gmail);
        let of = connection::of_user_and_connector(&mut tx, other, connector_id("slack")).await;
        assert_eq!(of.unwrap(), []);
        assert_eq!(connection::of_user(&mut tx, id()).await.unwrap(), []);
    }

    async fn a_nango_connection_is_found_and_bound_once(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let user = person(&mut tx).await;
        let row = full(user, "gmail");
        connection::insert(&mut tx, &row).await.unwrap();
        // Any number may have none.
        connection::insert(&mut tx, &pending(user, "slack")).await.unwrap();
        connection::insert(&mut tx, &pending(user, "slack")).await.unwrap();
        let nango_id = row.nango_connection_id.clone().unwrap();
        let found = connection::by_nango_id(&mut tx, &nango_id).await.unwrap();
        assert_eq!(found, Some(row));
        assert_eq!(connection::by_nango_id(&mut tx, "other").await.unwrap(), None);

        let thief = connection::Row {
            nango_connection_id: Some(nango_id),
            ..pending(user, "gmail")
        };
        let error = connection::insert(&mut tx, &thief).await.unwrap_err();
        assert!(error.is_unique_violation(), "{error:?}");
    }

    async fn an_update_writes_every_column_and_moves_the_version(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let user = person(&mut tx).await;
        let before = pending(user, "gmail");
        connection::insert(&mut tx, &before).await.unwrap();
        let bystander = pending(user, "gmail");
        connection::insert(&mut tx, &bystander).await.unwrap();

        let mut row = connection::Row {
            id: before.id,
            version: before.version,
            ..full(user, "gmail")
        };
        let expected = connection::Row { version: 2, updated_at: after(99), ..row.clone() };
        assert!(connection::update(&mut tx, &mut row, after(99)).await.unwrap());
        assert_eq!(row, expected);
        let found = connection::get(&mut tx, row.id).await.unwrap().unwrap();
        assert_eq!(found.row, expected);
        let found = connection::get(&mut tx, bystander.id).await.unwrap().unwrap();
        assert_eq!(found.row, bystander);

        // And back to nothing.
        let mut row = connection::Row { id: before.id, version: 2, ..before };
        assert!(connection::update(&mut tx, &mut row, after(100)).await.unwrap());
        let found = connection::get(&mut tx, row.id).await.unwrap().unwrap();
        assert_eq!(found.row, row);
        assert_eq!(found.row.version, 3);
    }

    async fn an_update_of_an_old_copy_writes_nothing(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let mut row = pending(person(&mut tx).await, "gmail");
        connection::insert(&mut tx, &row).await.unwrap();
        let mut old = row.clone();
        row.account = Some("first".to_owned());
        assert!(connection::update(&mut tx, &mut row, after(1)).await.unwrap());
        old.account = Some("second".to_owned());
        let copy = old.clone();
        assert!(!connection::update(&mut tx, &mut old, after(2)).await.unwrap());
        assert_eq!(old, copy);
        let found = connection::get(&mut tx, row.id).await.unwrap().unwrap();
        assert_eq!(found.row, row);
    }

    async fn a_connection_needs_its_person_and_connector(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let user = person(&mut tx).await;
        tx.commit().await.unwrap();
        for row in [pending(id(), "gmail"), pending(user, "unheard-of")] {
            let mut tx = db.db.write().await.unwrap();
            let error = connection::insert(&mut tx, &row).await.unwrap_err();
            let DbError::Sqlx(sqlx::Error::Database(error)) = error else {
                panic!("{error:?}");
            };
            assert!(error.is_foreign_key_violation(), "{error:?}");
        }
    }

    async fn an_unknown_status_is_an_error_and_no_panic(db: &TestDb) {
        let (row, _) = connecting(&db.db).await;
        let mut tx = db.db.write().await.unwrap();
        let write = "UPDATE user_connector_connection SET status = 'dancing'";
        assert!(run(&mut tx, write, write).await.is_err());
        drop(tx);

        let mut tx = db.db.write().await.unwrap();
        run(
            &mut tx,
            &format!("PRAGMA ignore_check_constraints = ON; {write}"),
            &format!(
                "ALTER TABLE user_connector_connection \
                 DROP CONSTRAINT user_connector_connection_status_check; {write}"
            ),
        )
        .await
        .unwrap();
        let error = connection::of_user(&mut tx, row.user_id).await.unwrap_err();
        assert!(
            matches!(&error, DbError::Corrupt(what) if what.contains("dancing")),
            "{error:?}"
        );
    }

    async fn a_moment_keeps_its_milliseconds(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let user = person(&mut tx).await;
        for ms in [0, 1, 10, 999, -1, -T0.0, 4_000_000_000_123] {
            let row = connection::Row { connected_at: Some(after(ms)), ..pending(user, "gmail") };
            connection::insert(&mut tx, &row).await.unwrap();
            let found = connection::get(&mut tx, row.id).await.unwrap().unwrap();
            assert_eq!(found.row.connected_at, Some(after(ms)));
        }
    }
}
