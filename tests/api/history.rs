//! A person's own history, and the log for administrators.

use patchbay::{
    domain::user::Role,
    server::{
        db::{audit, user},
        startup,
    },
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    app::{TestApp, eventually},
    local_accounts::{ANOTHER, PASSWORD, account, enter},
    nango::Decision,
    person::{Person, text},
};

const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";

/// Presses a button in a browser.
async fn press(person: &Person, path: &str) -> Value {
    let body = Some(("application/json", "{}".to_owned()));
    let headers = [("user-agent", AGENT)];
    let answer = person.request(Method::POST, path, &headers, body).await;
    answer.ok()
}

async fn history(person: &Person, slug: &str) -> Vec<Value> {
    let answer = person
        .get(&format!("/api/v1/connectors/{slug}/history"))
        .await
        .ok();
    answer["entries"].as_array().expect("a list").clone()
}

fn sentences(entries: &[Value]) -> Vec<&str> {
    entries
        .iter()
        .map(|entry| text(&entry["sentence"]))
        .collect()
}

on_both! {
    async fn a_person_reads_what_they_did_and_from_where(db: &TestDb) {
        let app = TestApp::start(db).await;
        let (ada, eve) = (app.sign_in("ada").await, app.sign_in("eve").await);
        let started = press(&ada, "/api/v1/connectors/gmail/connect").await;
        app.nango.popup(text(&started["oauth_url"]), Decision::Allow).await;
        ada.until("gmail", "connected").await;
        let renewed = press(&ada, "/api/v1/connectors/gmail/reconnect").await;
        app.nango.popup(text(&renewed["oauth_url"]), Decision::Allow).await;
        ada.until_attempt(&renewed, "succeeded").await;
        let called_off = press(&ada, "/api/v1/connectors/gmail/reconnect").await;
        press(&ada, &format!("/api/v1/attempts/{}/cancel", text(&called_off["attempt_id"]))).await;
        let at_nango = app.nango.connections().await;
        app.nango.set_broken(&at_nango[0], true).await;
        app.reconcile().await;
        press(&ada, "/api/v1/connectors/gmail/disconnect").await;
        let denied = press(&ada, "/api/v1/connectors/zoom/connect").await;
        app.nango.popup(text(&denied["oauth_url"]), Decision::Deny).await;
        ada.until("zoom", "disconnected").await;

        let found = history(&ada, "gmail").await;
        let broken = sentences(&found)[1].to_owned();
        assert!(broken.starts_with("Stopped working: "), "{broken}");
        assert_eq!(sentences(&found), [
            "Disconnected by you",
            &broken,
            "Reconnecting cancelled by you",
            "Reconnecting started",
            "Reconnected",
            "Reconnecting started",
            "Connected",
            "Connecting started",
        ]);
        for entry in &found {
            let own = !["connected", "broken"].contains(&text(&entry["action"]));
            assert_eq!(entry["own"], own, "{entry}");
            // What the system does comes from nowhere: Nango's address is nobody's business.
            let from = if own { json!("Chrome on Linux, 127.0.0.1") } else { Value::Null };
            assert_eq!(entry["from"], from, "{entry}");
            assert_eq!((&entry["connector"], &entry["connector_name"]), (&json!("gmail"), &json!("Gmail")));
        }
        let zoom = history(&ada, "zoom").await;
        assert!(sentences(&zoom)[0].starts_with("Not connected: "), "{zoom:?}");
        assert_eq!(history(&eve, "gmail").await, Vec::<Value>::new());
        app.nobody().get("/api/v1/connectors/gmail/history").await.problem(401, "signed_out");
        ada.get("/api/v1/connectors/nothing/history").await.problem(404, "connector_unknown");
        ada.get("/api/v1/connectors/gmail/history?before=x").await.problem(400, "query_invalid");

        // In pages.
        let mut path = "/api/v1/connectors/gmail/history?limit=3".to_owned();
        let mut pages = Vec::new();
        loop {
            let page = ada.get(&path).await.ok();
            pages.extend(page["entries"].as_array().expect("a list").clone());
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/api/v1/connectors/gmail/history?limit=3&before={next}");
        }
        assert_eq!(pages, found);

        // All of it, signing in included.
        let all = ada.get("/api/v1/history").await.ok();
        let all = all["entries"].as_array().expect("a list");
        assert_eq!(sentences(all).last(), Some(&"Signed in"));
        assert_eq!(all.len(), found.len() + zoom.len() + 1);
        app.nobody().get("/api/v1/history").await.problem(401, "signed_out");
        ada.get("/api/v1/history?limit=x").await.problem(400, "query_invalid");

        // On the connector's page, for nobody else.
        let page = ada.get("/connectors/gmail").await.text;
        for words in ["id=\"history\"", "Disconnected by you", "Reconnected", "Chrome on Linux"] {
            assert!(page.contains(words), "{words}: {page}");
        }
        let page = eve.get("/connectors/gmail").await.text;
        assert!(page.contains("Nothing has happened yet.") && !page.contains("Disconnected by you"), "{page}");
    }

    async fn the_log_itself_holds_ids_only(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        press(&ada, "/api/v1/connectors/gmail/connect").await;
        let asked = audit::Asked {
            user_id: app.user_id("ada").await,
            connector_id: None,
            before: None,
            limit: 10,
        };
        let mut tx = app.db.read().await.expect("a transaction");
        let told = audit::of_user(&mut tx, &asked).await.expect("entries");
        drop(tx);
        assert_eq!(told[0].event.action, "connect");
        assert_eq!(told[0].event.detail, json!({"status": "pending"}));
        let personal = told[0].personal.as_ref().expect("something beside it");
        assert!(personal.data.contains("Chrome") && personal.salt.len() == 64, "{personal:?}");
        let digest = patchbay::server::services::audit_chain::personal_digest(personal);
        assert_eq!(told[0].event.personal_digest, Some(digest));
        let log = crate::app::log_text();
        assert!(!log.contains(&personal.salt), "a salt in the log");
    }

    /// An attempt in vain and an administrator's act have an address and a program too. Whose they
    /// are: the attempt's is kept with the person it was aimed at, the act's with who did it.
    async fn where_from_is_kept_of_refusals_and_of_what_administrators_do(db: &TestDb) {
        let app = TestApp::start(db).await;
        let id = account(&app, "ada@example.com").await;
        let ada = enter(&app, "ada@example.com", PASSWORD).await;
        let browser = [("user-agent", AGENT)];
        let fields = [("email", "ada@example.com"), ("password", ANOTHER)];
        assert_eq!(app.nobody().form("/sign-in/password", &fields, &browser).await.status, 401);
        let fields = [("present", ANOTHER), ("new", "three fuses of the same")];
        assert_eq!(ada.form("/account/password", &fields, &browser).await.status, 422);
        let root = app.sign_in("root").await;
        let admin = app.user_id("root").await;
        let people = &app.services().people;
        people.set_role(admin, Role::Admin, None).await.expect("a role");
        press(&root, &format!("/api/v1/admin/users/{id}/disable")).await;
        press(&root, &format!("/api/v1/admin/users/{id}/enable")).await;
        // At the command line it comes from nowhere.
        people.disable(id, None).await.expect("disabled");

        let from_here = json!({"address": "127.0.0.1", "user_agent": AGENT});
        let beside = |told: &audit::Told| {
            let data = told.personal.as_ref().map(|personal| personal.data.clone());
            data.map_or(Value::Null, |data| serde_json::from_str(&data).expect("JSON"))
        };
        let mut tx = app.db.read().await.expect("a transaction");
        let asked = audit::Asked { user_id: id, connector_id: None, before: None, limit: 5 };
        let told = audit::of_user(&mut tx, &asked).await.expect("entries");
        let seen: Vec<_> = told.iter().map(|told| (told.event.action.as_str(), told.event.actor_id, beside(told))).collect();
        let unsaid = |action| (action, Some(admin), Value::Null);
        assert_eq!(seen, [
            ("user_disabled", None, Value::Null),
            // An administrator's address is not the person's to read.
            unsaid("user_enabled"),
            unsaid("user_disabled"),
            ("sign_in_refused", Some(id), from_here.clone()),
            ("sign_in_refused", None, from_here.clone()),
        ]);
        let told = audit::by_actor_on_others(&mut tx, admin, None, 9).await.expect("entries");
        let seen: Vec<_> = told.iter().map(|told| (told.event.action.as_str(), beside(told))).collect();
        assert_eq!(seen, [("user_enabled", from_here.clone()), ("user_disabled", from_here)]);
        drop(tx);

        // So it stands in the export of each.
        let export = async |id| {
            startup::personal::export(&app.config(), id).await.expect("an export")
        };
        let found = export(admin).await["audit_on_others"].clone();
        let acts: Vec<_> = found.as_array().expect("a list").iter().map(|act| {
            (text(&act["action"]), &act["about"], &act["personal"]["address"])
        }).collect();
        let (about, address) = (json!(id), json!("127.0.0.1"));
        assert_eq!(acts, [("user_enabled", &about, &address), ("user_disabled", &about, &address)]);
        let hers = export(id).await;
        assert_eq!(hers["audit_on_others"], json!([]));
        let hers = hers.to_string();
        assert!(hers.contains("user_disabled") && !hers.contains(&admin.to_string()), "{hers}");
    }

    async fn administrators_read_the_sealed_log(db: &TestDb) {
        let app = TestApp::start(db).await;
        let (ada, root) = (app.sign_in("ada").await, app.sign_in("root").await);
        app.nobody().get("/api/v1/admin/audit").await.problem(401, "signed_out");
        root.get("/api/v1/admin/audit").await.problem(403, "not_allowed");
        let id = app.user_id("root").await;
        let mut tx = app.db.write().await.expect("a transaction");
        user::set_role(&mut tx, id, Role::Admin).await.expect("a role");
        tx.commit().await.expect("a commit");
        press(&ada, "/api/v1/connectors/gmail/connect").await;
        // Sealed within about a second, by whoever holds the lease.
        let entries = eventually("three sealed entries", || async {
            let page = root.get("/api/v1/admin/audit").await.ok();
            let entries = page["entries"].as_array().expect("a list").clone();
            (entries.len() == 3).then_some(entries)
        })
        .await;
        assert_eq!(entries[0]["prev"], "0".repeat(64));
        assert_eq!(entries[2]["prev"], entries[1]["hash"]);
        assert_eq!((&entries[2]["action"], &entries[2]["seq"]), (&json!("connect"), &json!(3)));
        assert_eq!(entries[2]["actor_id"], entries[2]["user_id"]);
        assert!(text(&entries[2]["personal"]["data"]).contains("Chrome"), "{entries:?}");
        let page = root.get("/api/v1/admin/audit?after=1&limit=1").await.ok();
        assert_eq!((&page["entries"], &page["next"]), (&json!([entries[1]]), &json!(2)));
        let page = root.get("/api/v1/admin/audit?after=3").await.ok();
        assert_eq!(page, json!({"entries": [], "next": null}));
        root.get("/api/v1/admin/audit?after=x").await.problem(400, "query_invalid");
        ada.get("/api/v1/admin/audit").await.problem(403, "not_allowed");
    }
}
