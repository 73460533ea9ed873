//! Two people at once: neither sees, changes or takes over what is the other's.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    app::TestApp,
    nango::Decision,
    person::{Person, text},
};

/// The whole life of a connection.
async fn live(app: &TestApp, person: &Person, slug: &str) -> Value {
    let connected = person.connected(&app.nango, slug).await;
    let renewed = person.reconnect(slug).await;
    app.nango
        .popup(text(&renewed["oauth_url"]), Decision::Allow)
        .await;
    person.until_attempt(&renewed, "succeeded").await;
    let denied = person.connect("zoom").await;
    app.nango
        .popup(text(&denied["oauth_url"]), Decision::Deny)
        .await;
    person.until("zoom", "disconnected").await;
    connected
}

on_both! {
    async fn two_people_at_once(db: &TestDb) {
        let app = TestApp::start(db).await;
        let (ada, grace) = tokio::join!(app.sign_in("ada"), app.sign_in("grace"));
        let (hers, his) = tokio::join!(live(&app, &ada, "gmail"), live(&app, &grace, "gmail"));
        assert_ne!(hers["id"], his["id"]);
        for (person, name, own) in [(&ada, "ada", &hers), (&grace, "grace", &his)] {
            let mine = person.connections().await;
            assert_eq!(mine.len(), 2);
            let gmail = person.connection("gmail").await;
            assert_eq!((&gmail["id"], &gmail["status"]), (&own["id"], &json!("connected")));
            let id = app.user_id(name).await.to_string();
            let at_nango = app.nango.connections().await;
            let tagged = at_nango.iter().filter(|c| c["tags"]["end_user_id"] == id).count();
            assert_eq!((tagged, at_nango.len()), (1, 2));
        }
        ada.post("/api/v1/connectors/gmail/disconnect", &json!({})).await.ok();
        assert_eq!(grace.connection("gmail").await["status"], "connected");
        let left = app.nango.connections().await;
        assert_eq!(left.len(), 1);
        assert_eq!(left[0]["tags"]["end_user_id"], app.user_id("grace").await.to_string());
    }

    async fn another_persons_ids_lead_nowhere(db: &TestDb) {
        let app = TestApp::start(db).await;
        let (ada, eve) = (app.sign_in("ada").await, app.sign_in("eve").await);
        let connected = ada.connected(&app.nango, "gmail").await;
        let started = ada.connect("zoom").await;
        let reconnect = ada.reconnect("gmail").await;
        let before = ada.connections().await;
        let at_nango = app.nango.connections().await;
        let own = eve.connect("slack").await;
        let eves = eve.connections().await;

        let mut tried: BTreeSet<String> = BTreeSet::new();
        for attempt in [&started, &reconnect] {
            let id = text(&attempt["attempt_id"]);
            eve.get(&format!("/api/v1/attempts/{id}")).await.problem(404, "attempt_unknown");
            eve.post(&format!("/api/v1/attempts/{id}/finish"), &json!({})).await.problem(404, "attempt_unknown");
            eve.post(&format!("/api/v1/attempts/{id}/cancel"), &json!({})).await.problem(404, "attempt_unknown");
            eve.get(&format!("/api/v1/connectors/callback?attempt={id}")).await.problem(404, "attempt_unknown");
            // The same without scripts, and what the page loads.
            eve.get(&format!("/attempts/{id}/open")).await.problem(404, "attempt_unknown");
            for what in ["finish", "cancel"] {
                let ours = [("origin", app.base.as_str())];
                let answer = eve.form(&format!("/attempts/{id}/{what}"), &[], &ours).await;
                answer.problem(404, "attempt_unknown");
            }
            let answer = eve.post("/api/fn/attempt_page", &json!({"attempt_id": id})).await;
            assert!(answer.status >= 400 && answer.text.contains("attempt_unknown"), "{}", answer.text);
            let page = eve.get(&format!("/attempts/{id}")).await;
            assert_eq!(page.status, 404);
            assert!(!page.text.contains(text(&attempt["connection"]["id"])));
        }
        tried.extend(["", "/finish", "/cancel"].map(|p| format!("/api/v1/attempts/{{id}}{p}")));
        tried.insert("/api/v1/connectors/callback".to_owned());
        for connection in [&connected, &started["connection"]] {
            let slug = text(&connection["connector"]);
            let id = text(&connection["id"]);
            let named = json!({"connection_id": id});
            for what in ["connect", "reconnect", "disconnect"] {
                let answer = eve.post(&format!("/api/v1/connectors/{slug}/{what}"), &named).await;
                answer.problem(404, "connection_unknown");
                tried.insert(format!("/api/v1/connectors/{{id}}/{what}"));
                let ours = [("origin", app.base.as_str())];
                let form = format!("/connectors/{slug}/{what}");
                let answer = eve.form(&form, &[("connection_id", id)], &ours).await;
                assert_eq!(answer.redirect(303), format!("/connectors/{slug}"));
            }
            let answer = eve.patch(&format!("/api/v1/connections/{id}"), &json!({"account": "mine"})).await;
            answer.problem(404, "connection_unknown");
            tried.insert("/api/v1/connections/{id}".to_owned());
            let ours = [("origin", app.base.as_str())];
            let named = [("account", "mine")];
            let answer = eve.form(&format!("/connections/{id}/name"), &named, &ours).await;
            answer.problem(404, "connection_unknown");
            // And what names nobody shows nothing of theirs.
            for path in ["", "/status"] {
                let shown = eve.get(&format!("/api/v1/connectors/{slug}{path}")).await.ok();
                assert_eq!((&shown["status"], &shown["connections"]), (&json!("not_connected"), &json!([])));
                tried.insert(format!("/api/v1/connectors/{{id}}{path}"));
            }
            let history = eve.get(&format!("/api/v1/connectors/{slug}/history?before={id}")).await.ok();
            assert_eq!(history, json!({"entries": [], "next": null}));
            tried.insert("/api/v1/connectors/{id}/history".to_owned());
            for path in ["/api/v1/history", "/api/v1/connectors", "/api/v1/connections", "/connectors", &format!("/connectors/{slug}")] {
                assert!(!eve.get(path).await.text.contains(id), "{path}");
                tried.insert(path.to_owned());
            }
        }
        eve.get("/api/v1/admin/audit").await.problem(403, "not_allowed");
        tried.insert("/api/v1/admin/audit".to_owned());
        eve.get("/api/v1/admin/users").await.problem(403, "not_allowed");
        tried.insert("/api/v1/admin/users".to_owned());
        let hers = app.user_id("ada").await;
        for what in ["disable", "enable"] {
            let path = format!("/api/v1/admin/users/{hers}/{what}");
            eve.post(&path, &json!({})).await.problem(403, "not_allowed");
            tried.insert(format!("/api/v1/admin/users/{{id}}/{what}"));
        }
        // It names nobody: it is about the session that comes with it, and no other.
        tried.insert("/api/v1/session".to_owned());
        let mut events = eve.events().await;
        assert_eq!(events.next().await.expect("a snapshot").1, json!([own["connection"]]));
        tried.insert("/api/v1/events".to_owned());
        // Names nobody: `tokens` tries it.
        tried.insert("/api/v1/session".to_owned());

        assert_eq!(ada.connections().await, before, "nothing has changed");
        assert_eq!(ada.attempt(&started).await["state"], "open");
        assert_eq!(ada.attempt(&reconnect).await["state"], "open");
        assert_eq!(app.nango.connections().await, at_nango);
        assert_eq!(eve.connections().await, eves);

        // An endpoint that comes later has to be tried here too.
        let document = app.get("/api/v1/openapi.json").await.ok();
        for (path, methods) in document["paths"].as_object().expect("paths") {
            let personal = methods
                .as_object()
                .is_some_and(|all| all.values().any(|operation| operation.get("security").is_some()));
            assert!(!personal || tried.contains(path), "{path} was not tried");
        }
    }
}
