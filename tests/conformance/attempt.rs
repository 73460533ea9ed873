//! `db::attempt`.

use patchbay::{
    domain::attempt::{AttemptKind, AttemptState},
    server::db::{DbError, Tx, attempt, connection},
};
use uuid::Uuid;

use crate::fixture::{T0, after, connecting, id, open_attempt, pending, person, run};

/// An attempt in this state, of a connection of its own, that runs out so much after `T0`.
async fn strewn(tx: &mut Tx, user: Uuid, state: AttemptState, expires_ms: i64) -> attempt::Row {
    let of = pending(user, "gmail");
    connection::insert(tx, &of).await.unwrap();
    let row = attempt::Row {
        state,
        expires_at: after(expires_ms),
        created_at: after(expires_ms - 600_000),
        ..open_attempt(&of)
    };
    attempt::insert(tx, &row).await.unwrap();
    row
}

on_both! {
    async fn a_row_comes_back_as_it_went_in(db: &TestDb) {
        let (of, open) = connecting(&db.db).await;
        let mut tx = db.db.write().await.unwrap();
        assert_eq!(attempt::get(&mut tx, open.id).await.unwrap(), Some(open.clone()));
        assert_eq!(attempt::get(&mut tx, id()).await.unwrap(), None);
        for state in AttemptState::ALL.into_iter().skip(1) {
            let row = attempt::Row {
                state,
                kind: AttemptKind::Reconnect,
                error: Some("The person said “no”.".to_owned()),
                settled_at: Some(after(1234)),
                ..open_attempt(&of)
            };
            attempt::insert(&mut tx, &row).await.unwrap();
            assert_eq!(attempt::get(&mut tx, row.id).await.unwrap(), Some(row));
        }
        assert_eq!(attempt::open_of(&mut tx, of.id).await.unwrap(), Some(open));
        assert_eq!(attempt::open_of(&mut tx, id()).await.unwrap(), None);
    }

    async fn a_connection_has_at_most_one_open_attempt(db: &TestDb) {
        let (of, first) = connecting(&db.db).await;
        let mut tx = db.db.write().await.unwrap();
        let error = attempt::insert(&mut tx, &open_attempt(&of)).await.unwrap_err();
        assert!(error.is_unique_violation(), "{error:?}");
        drop(tx);

        let mut tx = db.db.write().await.unwrap();
        let cancelled = attempt::compare_and_set(
            &mut tx, first.id, &[AttemptState::Open], AttemptState::Cancelled, None, after(1),
        );
        assert!(cancelled.await.unwrap());
        let second = open_attempt(&of);
        attempt::insert(&mut tx, &second).await.unwrap();
        assert_eq!(attempt::open_of(&mut tx, of.id).await.unwrap(), Some(second));
    }

    async fn a_state_changes_only_from_where_it_is_expected(db: &TestDb) {
        use AttemptState::{Cancelled, Expired, Failed, Open, Succeeded};
        let (_, open) = connecting(&db.db).await;
        let mut tx = db.db.write().await.unwrap();
        for (from, to, error, moves) in [
            (&[][..], Failed, None, false),
            (&[Succeeded, Failed, Expired, Cancelled], Failed, None, false),
            (&[Open], Expired, Some("Nobody finished it."), true),
            (&[Open], Failed, Some("too late"), false),
            (&[Open, Expired, Expired], Succeeded, None, true),
            (&[Open, Expired], Succeeded, None, false),
        ] {
            let before = attempt::get(&mut tx, open.id).await.unwrap().unwrap();
            let now = after(before.settled_at.map_or(1, |at| at.0 - T0.0 + 1));
            let moved = attempt::compare_and_set(&mut tx, open.id, from, to, error, now)
                .await
                .unwrap();
            assert_eq!(moved, moves, "{from:?} → {to:?}");
            let expected = if moves {
                attempt::Row {
                    state: to,
                    error: error.map(str::to_owned),
                    settled_at: Some(now),
                    ..before
                }
            } else {
                before
            };
            assert_eq!(attempt::get(&mut tx, open.id).await.unwrap(), Some(expected));
        }
        let unknown = attempt::compare_and_set(&mut tx, id(), &[Open], Failed, None, T0).await;
        assert!(!unknown.unwrap());
    }

    async fn open_ones_come_newest_first(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let user = person(&mut tx).await;
        let middle = strewn(&mut tx, user, AttemptState::Open, 0).await;
        let newest = strewn(&mut tx, user, AttemptState::Open, 1).await;
        strewn(&mut tx, user, AttemptState::Expired, 2).await;
        let oldest = strewn(&mut tx, user, AttemptState::Open, -5000).await;
        assert_eq!(attempt::open(&mut tx).await.unwrap(), [newest, middle, oldest]);
    }

    /// `T0` is a whole second, which SQLite stores without a fraction: text must sort as time.
    async fn expiry_is_compared_right_across_whole_and_fractional_seconds(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        let user = person(&mut tx).await;
        let mut rows = Vec::new();
        for ms in [-1000, -999, -1, 0, 1, 10, 100, 999, 1000, 1001] {
            rows.push(strewn(&mut tx, user, AttemptState::Open, ms).await);
        }
        strewn(&mut tx, user, AttemptState::Cancelled, -1).await;
        for now in [-1001, -1000, -999, -2, -1, 0, 1, 99, 100, 101, 999, 1000, 1001, 2000] {
            let expected: Vec<_> = rows
                .iter()
                .filter(|row| row.expires_at <= after(now))
                .cloned()
                .collect();
            assert_eq!(attempt::overdue(&mut tx, after(now)).await.unwrap(), expected, "{now}");
        }
    }

    async fn a_late_success_is_watched_for_an_hour(db: &TestDb) {
        const HOUR: i64 = 3_600_000;
        let mut tx = db.db.write().await.unwrap();
        let user = person(&mut tx).await;
        strewn(&mut tx, user, AttemptState::Open, -HOUR).await;
        let barely = strewn(&mut tx, user, AttemptState::Cancelled, -HOUR + 1).await;
        let expired = strewn(&mut tx, user, AttemptState::Expired, -1000).await;
        let failed = strewn(&mut tx, user, AttemptState::Failed, 1000).await;
        let succeeded = strewn(&mut tx, user, AttemptState::Succeeded, 999).await;
        let open = strewn(&mut tx, user, AttemptState::Open, 1001).await;
        let watched = attempt::watched(&mut tx, T0).await.unwrap();
        assert_eq!(watched, [open, failed, succeeded, expired, barely]);
    }

    async fn a_disconnect_cancels_what_could_still_connect(db: &TestDb) {
        let (of, open) = connecting(&db.db).await;
        let (_, elsewhere) = connecting(&db.db).await;
        let mut tx = db.db.write().await.unwrap();
        let mut kept = Vec::new();
        let mut cancelled = vec![open.id];
        for state in [AttemptState::Expired, AttemptState::Failed, AttemptState::Succeeded] {
            let row = attempt::Row { state, ..open_attempt(&of) };
            attempt::insert(&mut tx, &row).await.unwrap();
            match state {
                AttemptState::Expired => cancelled.push(row.id),
                _ => kept.push(row),
            }
        }
        attempt::cancel_of(&mut tx, of.id, after(7)).await.unwrap();
        for id in cancelled {
            let row = attempt::get(&mut tx, id).await.unwrap().unwrap();
            assert_eq!((row.state, row.settled_at), (AttemptState::Cancelled, Some(after(7))));
        }
        for row in kept {
            assert_eq!(attempt::get(&mut tx, row.id).await.unwrap(), Some(row));
        }
        assert_eq!(attempt::get(&mut tx, elsewhere.id).await.unwrap(), Some(elsewhere));
    }

    async fn an_unknown_kind_is_an_error_and_no_panic(db: &TestDb) {
        let (row, _) = connecting(&db.db).await;
        let mut tx = db.db.write().await.unwrap();
        let write = "UPDATE connect_attempt SET kind = 'waltz'";
        run(
            &mut tx,
            &format!("PRAGMA ignore_check_constraints = ON; {write}"),
            &format!(
                "ALTER TABLE connect_attempt DROP CONSTRAINT connect_attempt_kind_check; {write}"
            ),
        )
        .await
        .unwrap();
        for error in [
            attempt::open(&mut tx).await.unwrap_err(),
            connection::get(&mut tx, row.id).await.unwrap_err(),
        ] {
            assert!(
                matches!(&error, DbError::Corrupt(what) if what.contains("waltz")),
                "{error:?}"
            );
        }
    }
}
