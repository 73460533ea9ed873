//! `db::counts`.

use patchbay::{
    domain::attempt::AttemptState,
    server::db::{attempt, audit, connection, counts, owed_deletion},
};
use serde_json::json;

use crate::fixture::{T0, id, open_attempt, pending, person};

on_both! {
    async fn what_waits_is_counted_and_nothing_else(db: &TestDb) {
        let mut tx = db.db.write().await.unwrap();
        counts::answers(&mut tx).await.unwrap();
        assert_eq!(counts::counts(&mut tx).await.unwrap(), counts::Counts::default());
        let user = person(&mut tx).await;
        for state in [AttemptState::Open, AttemptState::Open, AttemptState::Failed] {
            let of = pending(user, "gmail");
            connection::insert(&mut tx, &of).await.unwrap();
            let row = attempt::Row { state, ..open_attempt(&of) };
            attempt::insert(&mut tx, &row).await.unwrap();
        }
        for name in ["a", "b", "c"] {
            let owed = owed_deletion::Row {
                id: id(),
                user_id: None,
                nango_connection_id: name.to_owned(),
                provider_config_key: "google-mail".to_owned(),
                reason: "the attempt was cancelled".to_owned(),
                tries: 0,
                next_try_at: T0,
                created_at: T0,
            };
            owed_deletion::owe(&mut tx, &owed).await.unwrap();
        }
        let event = audit::Event {
            id: id(),
            at: T0,
            user_id: Some(user),
            actor_id: None,
            connector_id: None,
            connection_id: None,
            attempt_id: None,
            action: "connect".to_owned(),
            detail: json!({}),
            personal_digest: None,
        };
        audit::record(&mut tx, &event).await.unwrap();
        let found = counts::counts(&mut tx).await.unwrap();
        let wanted = counts::Counts { open_attempts: 2, owed_deletions: 3, unsealed_entries: 1 };
        assert_eq!(found, wanted);
    }
}
