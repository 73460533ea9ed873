//! `/api/v1/admin/users`: who there is, and keeping somebody out.

use patchbay::{
    domain::user::Role,
    server::db::audit::{self, Asked},
};
use serde_json::{Value, json};

use crate::{
    app::TestApp,
    local_accounts::{PASSWORD, account, enter},
    person::{Person, text},
};

async fn admin(app: &TestApp) -> (uuid::Uuid, Person) {
    let person = app.sign_in("root").await;
    let id = app.user_id("root").await;
    let people = &app.services().people;
    people
        .set_role(id, Role::Admin, None)
        .await
        .expect("a role");
    (id, person)
}

fn names(page: &Value) -> Vec<&str> {
    let users = page["users"].as_array().expect("a list");
    users.iter().map(|user| text(&user["name"])).collect()
}

on_both! {
    async fn an_administrator_sees_everybody_page_by_page(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        ada.get("/api/v1/admin/users").await.problem(403, "not_allowed");
        app.get("/api/v1/admin/users").await.problem(401, "signed_out");
        app.sign_in("grace").await;
        let local = account(&app, "lin@example.com").await;
        let (_, root) = admin(&app).await;
        let all = root.get("/api/v1/admin/users").await.ok();
        assert_eq!(names(&all), ["ada", "grace", "Ada Local", "root"]);
        assert_eq!(all["next"], Value::Null);
        let lin = &all["users"][2];
        assert_eq!((text(&lin["email"]), text(&lin["role"]), &lin["local"]), ("lin@example.com", "user", &json!(true)));
        assert_eq!((text(&lin["id"]), &lin["disabled_at"]), (local.to_string().as_str(), &Value::Null));
        assert!(!all.to_string().contains("argon2"));
        let first = root.get("/api/v1/admin/users?limit=3").await.ok();
        assert_eq!(names(&first), ["ada", "grace", "Ada Local"]);
        let rest = root.get(&format!("/api/v1/admin/users?limit=3&after={}", text(&first["next"]))).await.ok();
        assert_eq!((names(&rest), &rest["next"]), (vec!["root"], &Value::Null));
        for bad in ["after=x", "limit=many", "page=2"] {
            root.get(&format!("/api/v1/admin/users?{bad}")).await.problem(400, "query_invalid");
        }
    }

    async fn whoever_is_switched_off_is_out_at_once(db: &TestDb) {
        let app = TestApp::start(db).await;
        let id = account(&app, "ada@example.com").await;
        let ada = enter(&app, "ada@example.com", PASSWORD).await;
        let (own, root) = admin(&app).await;
        let path = |id: uuid::Uuid, what: &str| format!("/api/v1/admin/users/{id}/{what}");
        ada.post(&path(own, "disable"), &json!({})).await.problem(403, "not_allowed");
        let mut stream = ada.events().await;
        assert!(stream.next().await.is_some());

        let answer = root.post(&path(id, "disable"), &json!({})).await.ok();
        assert!(answer["disabled_at"].is_string(), "{answer}");
        ada.get("/api/v1/connections").await.problem(401, "signed_out");
        assert_eq!(stream.next().await, Some(("bye".to_owned(), json!({}))));
        // Once more changes nothing, not even since when.
        let again = root.post(&path(id, "disable"), &json!({})).await.ok();
        assert_eq!(again, answer);
        let answer = root.post(&path(id, "enable"), &json!({})).await.ok();
        assert_eq!(answer["disabled_at"], Value::Null);
        // The old session stays over.
        ada.get("/api/v1/connections").await.problem(401, "signed_out");
        enter(&app, "ada@example.com", PASSWORD).await;

        root.post(&path(own, "disable"), &json!({})).await.problem(409, "own_account");
        assert_eq!(root.get("/api/v1/admin/users").await.status, 200);
        for what in ["disable", "enable"] {
            root.post(&path(app.clock.new_id(), what), &json!({})).await.problem(404, "user_unknown");
            root.post(&format!("/api/v1/admin/users/x/{what}"), &json!({})).await.problem(404, "user_unknown");
        }
        // Who did it is written down.
        let mut tx = app.db.read().await.expect("a transaction");
        let asked = Asked { user_id: id, connector_id: None, before: None, limit: 10 };
        let told = audit::of_user(&mut tx, &asked).await.expect("events");
        let events = told.iter().map(|told| &told.event).filter(|e| e.action.starts_with("user_"));
        let of: Vec<_> = events.map(|e| (e.action.as_str(), e.actor_id)).collect();
        let by = Some(own);
        assert_eq!(of, [("user_enabled", by), ("user_disabled", by), ("user_created", None)]);
    }
}
