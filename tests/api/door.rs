//! A click that meets a closed door: between the click and its writing the person was disabled, or
//! erased.

use std::time::Duration;

use patchbay::{
    domain::{problem::Problem, user::User},
    server::{
        db::{audit, user},
        services::connect::Request,
    },
};
use serde_json::{Value, json};

use crate::{
    app::{TestApp, eventually},
    person::text,
};

/// Closes the door, in a transaction that is still open.
#[derive(Clone, Copy, Debug)]
enum Closes {
    Disables,
    Erases,
}

impl Closes {
    async fn on(self, app: &TestApp, tx: &mut patchbay::server::db::Tx, id: uuid::Uuid) {
        user::lock(tx, id).await.expect("a lock");
        let now = app.clock.now();
        match self {
            Self::Disables => user::set_disabled(tx, id, Some(now)).await,
            Self::Erases => user::erase(tx, id, now).await,
        }
        .expect("a change");
    }
}

/// Ada as a request knows her that has passed all that stands before the services.
async fn known(app: &TestApp) -> User {
    let id = app.user_id("ada").await;
    let mut tx = app.db.read().await.expect("a transaction");
    let row = user::get(&mut tx, id).await.expect("a look");
    row.expect("a person").user()
}

/// Everything of hers that a click could have changed.
async fn state(app: &TestApp, id: uuid::Uuid) -> (Vec<String>, usize) {
    let mut tx = app.db.read().await.expect("a transaction");
    let rows = patchbay::server::db::connection::of_user(&mut tx, id).await;
    let rows = rows
        .expect("a list")
        .into_iter()
        .map(|found| format!("{found:?}"));
    let asked = audit::Asked {
        user_id: id,
        connector_id: None,
        before: None,
        limit: 100,
    };
    let told = audit::of_user(&mut tx, &asked).await.expect("events");
    (rows.collect(), told.len())
}

on_both! {
    /// Nango has answered, the row is still to be written.
    async fn a_connect_that_meets_a_closed_door_writes_nothing(db: &TestDb) {
        for closes in [Closes::Erases, Closes::Disables] {
            let mut app = TestApp::start(db).await;
            let ada = app.sign_in("ada").await;
            let id = app.user_id("ada").await;
            let before = state(&app, id).await;
            let mut tx = app.db.write().await.expect("a transaction");
            closes.on(&app, &mut tx, id).await;
            let click = tokio::spawn({
                let ada = ada.clone();
                async move { ada.post("/api/v1/connectors/gmail/connect", &json!({})).await }
            });
            // It has passed the access table, which knows nothing yet, and now waits to write.
            eventually("a session at Nango", || async {
                (app.nango.calls("POST /connect/sessions").await == 1).then_some(())
            })
            .await;
            tokio::time::sleep(Duration::from_millis(200)).await;
            assert!(!click.is_finished(), "{closes:?}");
            tx.commit().await.expect("a commit");
            click.await.expect("an answer").problem(403, "account_disabled");
            assert_eq!(state(&app, id).await, before, "{closes:?}");
            ada.get("/api/v1/connections").await.problem(401, "signed_out");
            app.stop().await;
        }
    }

    async fn a_reconnect_and_a_name_that_meet_a_closed_door_change_nothing(db: &TestDb) {
        for closes in [Closes::Erases, Closes::Disables] {
            let mut app = TestApp::start(db).await;
            let person = app.sign_in("ada").await;
            let connection: Value = person.connected(&app.nango, "gmail").await;
            let connection_id = text(&connection["id"]).parse().expect("an id");
            let ada = known(&app).await;
            let services = app.services();
            let named = services.names.rename(&ada, connection_id, Some("Work")).await;
            assert_eq!(named.map(|c| c.account).ok().flatten().as_deref(), Some("Work"));
            let before = state(&app, ada.id).await;
            let mut tx = app.db.write().await.expect("a transaction");
            closes.on(&app, &mut tx, ada.id).await;
            tx.commit().await.expect("a commit");
            let code = |error| Problem::from(error).code;
            for name in [Some("Home"), None] {
                let renamed = services.names.rename(&ada, connection_id, name).await;
                assert_eq!(renamed.map(drop).map_err(code), Err("account_disabled".to_owned()), "{closes:?}");
            }
            let request = Request { reconnect: true, ..Request::default() };
            let started = services.connect.start(&ada, "gmail", request).await;
            assert_eq!(started.map(drop).map_err(code), Err("account_disabled".to_owned()), "{closes:?}");
            assert_eq!(state(&app, ada.id).await, before, "{closes:?}");
            app.stop().await;
        }
    }
}
