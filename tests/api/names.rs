//! What people call their accounts.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    app::TestApp,
    nango::Decision,
    person::{Answer, Person, text},
};

async fn rename(person: &Person, connection: &Value, body: &Value) -> Answer {
    let path = format!("/api/v1/connections/{}", text(&connection["id"]));
    let body = ("application/json", body.to_string());
    person.request(Method::PATCH, &path, &[], Some(body)).await
}

on_both! {
    async fn a_name_is_kept_told_and_survives_a_reconnect(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let gmail = ada.connected(&app.nango, "gmail").await;
        assert!(gmail.get("account").is_none(), "{gmail}");
        let mut stream = ada.events().await;
        stream.next().await.expect("the snapshot");

        let named = rename(&ada, &gmail, &json!({"account": "  Work & more "})).await.ok();
        assert_eq!(named["account"], "Work & more");
        assert_eq!(named["version"], json!(gmail["version"].as_i64().expect("a version") + 1));
        let (kind, told) = stream.next().await.expect("an event");
        assert_eq!((kind.as_str(), &told), ("connection", &named));
        // The same name again is no change.
        let again = rename(&ada, &gmail, &json!({"account": "Work & more"})).await.ok();
        assert_eq!(again["version"], named["version"]);
        let longest = "ä".repeat(80);
        let named = rename(&ada, &gmail, &json!({"account": longest})).await.ok();
        assert_eq!(named["account"], longest.as_str());
        assert!(ada.get("/connectors/gmail").await.text.contains(&longest));

        let started = ada.reconnect("gmail").await;
        app.nango.popup(text(&started["oauth_url"]), Decision::Allow).await;
        ada.until_attempt(&started, "succeeded").await;
        assert_eq!(ada.connection("gmail").await["account"], longest.as_str());
    }

    async fn without_a_name_an_account_is_called_by_its_first_input(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let body = json!({"inputs": {"subdomain": "acme"}});
        let started = ada.post("/api/v1/connectors/zendesk/connect", &body).await.ok();
        // What is not connected yet has nothing to name.
        let early = rename(&ada, &started["connection"], &json!({"account": "Help"})).await;
        early.problem(409, "not_connected");
        app.nango.popup(text(&started["oauth_url"]), Decision::Allow).await;
        let zendesk = ada.until("zendesk", "connected").await;
        rename(&ada, &zendesk, &json!({"account": "Help"})).await.ok();
        let reset = rename(&ada, &zendesk, &json!({"account": null})).await.ok();
        assert_eq!(reset["account"], "acme.zendesk.com");
    }

    async fn what_is_no_name_is_refused(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let gmail = ada.connected(&app.nango, "gmail").await;
        for name in ["", "   ", "a\u{7}b", "a".repeat(81).as_str()] {
            let problem = rename(&ada, &gmail, &json!({"account": name})).await;
            let problem = problem.problem(422, "name_invalid");
            assert_eq!(problem["errors"][0]["field"], "account");
        }
        for body in [json!({}), json!({"account": 7}), json!({"account": "a", "status": "error"})] {
            rename(&ada, &gmail, &body).await.problem(400, "body_invalid");
        }
        let ben = app.sign_in("ben").await;
        let theirs = json!({"account": "Mine"});
        rename(&ben, &gmail, &theirs).await.problem(404, "connection_unknown");
        rename(&ada, &json!({"id": "gmail"}), &theirs).await.problem(404, "connection_unknown");
        rename(&app.nobody(), &gmail, &theirs).await.problem(401, "signed_out");
        assert_eq!(ada.connection("gmail").await, gmail);
    }

    async fn a_form_names_it_without_scripts(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let gmail = ada.connected(&app.nango, "gmail").await;
        let path = format!("/connections/{}/name", text(&gmail["id"]));
        assert!(ada.get("/connectors/gmail").await.text.contains(&path));
        let ours = [("origin", app.base.as_str())];
        let answer = ada.form(&path, &[("account", " Home ")], &ours).await;
        assert_eq!(answer.redirect(303), "/connectors/gmail");
        assert_eq!(ada.connection("gmail").await["account"], "Home");
        let long = "a".repeat(81);
        let answer = ada.form(&path, &[("account", &long)], &ours).await;
        assert_eq!(answer.redirect(303), "/connectors/gmail");
        let page = ada.get("/connectors/gmail").await.text;
        assert!(page.contains("The name is longer than 80 characters."), "{page}");
        assert_eq!(ada.connection("gmail").await["account"], "Home");
        // An empty field takes the name away.
        ada.form(&path, &[("account", " ")], &ours).await.redirect(303);
        assert!(ada.connection("gmail").await.get("account").is_none());
        let ben = app.sign_in("ben").await;
        let answer = ben.form(&path, &[("account", "Mine")], &ours).await;
        answer.problem(404, "connection_unknown");
        let elsewhere = [("origin", "https://evil.example")];
        ada.form(&path, &[("account", "Evil")], &elsewhere).await.problem(403, "cross_site");
    }

    async fn several_accounts_are_told_apart(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let first = ada.connected(&app.nango, "gmail").await;
        let started = ada.connect("gmail").await;
        app.nango.popup(text(&started["oauth_url"]), Decision::Allow).await;
        ada.until_attempt(&started, "succeeded").await;
        rename(&ada, &first, &json!({"account": "Work"})).await.ok();
        let page = ada.get("/connectors/gmail").await.text;
        for words in ["Reconnect Gmail Work", "Reconnect Gmail Account 2", "Connect another account"] {
            assert!(page.contains(words), "{words}: {page}");
        }
        assert!(ada.get("/connectors").await.text.contains("2 accounts"));
    }
}
