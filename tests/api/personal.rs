//! A person's data, as the commands export and erase it, and the log afterwards.

use patchbay::server::{
    db::{owed_deletion, user},
    services::{audit_chain::Verification, personal::Erased},
    startup::{self, StartError},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    app::TestApp,
    nango::Decision,
    person::{Person, text},
};

/// Somebody who has connected, typed and renamed things.
async fn life(app: &TestApp, name: &str) -> (Person, Uuid) {
    let person = app.sign_in(name).await;
    let connected = person.connected(&app.nango, "gmail").await;
    let path = format!("/api/v1/connections/{}", text(&connected["id"]));
    person
        .patch(&path, &json!({"account": "Adas private post"}))
        .await
        .ok();
    let body = json!({"inputs": {"subdomain": "adascorner"}});
    let started = person
        .post("/api/v1/connectors/zendesk/connect", &body)
        .await
        .ok();
    app.nango
        .popup(text(&started["oauth_url"]), Decision::Deny)
        .await;
    person.until("zendesk", "disconnected").await;
    person.connect("zoom").await;
    (person, app.user_id(name).await)
}

async fn erase(app: &TestApp, id: Uuid) -> Result<Erased, StartError> {
    startup::personal::erase(&app.config(), id).await
}

async fn verify(app: &TestApp) -> Verification {
    let found = startup::audit::verify(&app.config(), None).await;
    found.expect("a walk")
}

async fn lines(app: &TestApp, after: i64, with_personal: bool) -> Vec<Value> {
    let mut out = Vec::new();
    startup::audit::export(&app.config(), after, with_personal, &mut out)
        .await
        .expect("an export");
    let text = String::from_utf8(out).expect("text");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

on_both! {
    async fn an_export_has_all_of_one_person_and_no_secret(db: &TestDb) {
        let app = TestApp::start(db).await;
        let (ada, id) = life(&app, "ada").await;
        life(&app, "ben").await;
        let bens = app.user_id("ben").await;
        let found = startup::personal::export(&app.config(), id).await.expect("an export");
        assert_eq!((&found["user"]["id"], &found["user"]["subject"]), (&json!(id), &json!("ada")));
        let count = |what: &str| found[what].as_array().expect("a list").len();
        assert_eq!((count("connections"), count("attempts"), count("sessions"), count("sign_ins")), (3, 3, 1, 1));
        assert!(count("audit") >= 7, "{found}");
        let gmail = &found["connections"].as_array().expect("a list").iter().find(|c| c["connector"] == "gmail");
        let gmail = gmail.expect("Gmail");
        assert_eq!((&gmail["account"], &gmail["status"]), (&json!("Adas private post"), &json!("connected")));
        let all = found.to_string();
        assert!(all.contains("adascorner") && all.contains("\"rename\""), "{all}");
        let key = ada.cookie.split_once('=').expect("a cookie").1;
        let digest = patchbay::server::db::session::digest(key);
        for other in [key, &digest, &bens.to_string(), "\"salt\""] {
            assert!(!all.contains(other), "{other}: {all}");
        }
        let nobody = app.clock.random_id();
        let error = startup::personal::export(&app.config(), nobody).await.expect_err("nobody");
        assert_eq!(error.to_string(), format!("there is nobody with the id {nobody}"));
        let error = erase(&app, nobody).await.expect_err("nobody");
        assert_eq!(error.to_string(), format!("there is nobody with the id {nobody}"));
    }

    async fn who_is_erased_leaves_ids_and_a_whole_chain(db: &TestDb) {
        let mut app = TestApp::start(db).await;
        let (ada, id) = life(&app, "ada").await;
        let (ben, _) = life(&app, "ben").await;
        let orphan = json!({"end_user_id": id, "attempt_id": app.clock.random_id()});
        app.nango.connect_with_tags("slack", &orphan, None).await;
        app.nango.until_connections(3).await;
        let before = lines(&app, 0, true).await.len();

        let erased = erase(&app, id).await.expect("erased");
        assert_eq!((erased.at_nango, erased.connections, erased.attempts), (2, 3, 3));
        assert!(erased.sessions == 1 && erased.audit_entries >= 3 && !erased.again, "{erased:?}");
        // At Nango only what is Ben's is left, and here only he is known.
        let left = app.nango.until_connections(1).await;
        assert_eq!(left[0]["tags"]["end_user_id"], app.user_id("ben").await.to_string());
        ada.get("/api/v1/connections").await.problem(401, "signed_out");
        assert_eq!(ben.connection("gmail").await["account"], "Adas private post");
        let export = startup::personal::export(&app.config(), id).await.expect("an export");
        let all = export.to_string();
        for word in ["\"ada\"", "adascorner", "private post", "account\":\""] {
            assert!(!all.contains(word), "{word}: {all}");
        }
        for connection in export["connections"].as_array().expect("a list") {
            assert_eq!((&connection["status"], &connection["nango_connection_id"]), (&json!("disconnected"), &Value::Null));
        }
        // The trail stays, and fits.
        let found = verify(&app).await;
        assert_eq!((found.broken, found.erased), (None, erased.audit_entries));
        let log = lines(&app, 0, true).await;
        assert!(log.len() > before);
        let last = log.last().expect("an entry");
        assert_eq!((&last["action"], &last["user_id"], &last["actor_id"]), (&json!("user_erased"), &json!(id), &Value::Null));
        assert_eq!((&last["personal"], &last["detail"]), (&Value::Null, &json!({})));
        for entry in log.iter().filter(|entry| entry["user_id"] == json!(id)) {
            assert_eq!(entry["personal"], Value::Null, "{entry}");
        }

        // Again: nothing more to do, and nothing more to say.
        let again = erase(&app, id).await.expect("erased");
        assert_eq!((again.at_nango, again.sessions, again.audit_entries, again.again), (0, 0, 0, true));
        app.stop().await;
        assert_eq!(verify(&app).await.entries, i64::try_from(log.len()).expect("a count"));
        // Whoever comes back is somebody new.
        let app = app.twin().await;
        assert_ne!(app.user_id("ada").await, id);
    }

    async fn without_nango_nothing_is_erased(db: &TestDb) {
        let mut app = TestApp::with(db, &[("NANGO_TIMEOUT_SECONDS", "1")]).await;
        let (ada, id) = life(&app, "ada").await;
        let before = startup::personal::export(&app.config(), id).await.expect("an export");
        app.nango.stop().await;
        let error = erase(&app, id).await.expect_err("no Nango").to_string();
        assert!(error.starts_with("nothing was erased: Nango, "), "{error}");
        assert_eq!(ada.connection("gmail").await["status"], "connected");
        let after = startup::personal::export(&app.config(), id).await.expect("an export");
        for what in ["user", "connections", "sessions", "sign_ins"] {
            assert_eq!(before[what], after[what]);
        }
        app.stop().await;
        // Switched off, it can't be asked either.
        let off = TestApp::at(db, app.nango.clone(), app.clock.clone(), &[("NANGO_ENABLED", "false")]).await;
        let error = erase(&off, id).await.expect_err("no Nango").to_string();
        assert!(error.contains("NANGO_ENABLED=false"), "{error}");
        let mut tx = off.db.read().await.expect("a transaction");
        let row = user::get(&mut tx, id).await.expect("a row").expect("the person");
        assert!(row.is_active() && row.subject == "ada");
        drop(tx);
        // Who has nothing there can be forgotten all the same.
        let eve = off.user_id("eve").await;
        assert!(!erase(&off, eve).await.expect("erased").again);
    }

    async fn what_was_owed_is_done_and_forgotten(db: &TestDb) {
        let app = TestApp::start(db).await;
        let (_, id) = life(&app, "ada").await;
        let at_nango = app.nango.connections().await;
        let nango_id = text(&at_nango[0]["connection_id"]).to_owned();
        let later = patchbay::domain::timestamp::Timestamp(app.clock.now().0 + 3_600_000);
        let owed = owed_deletion::Row {
            id: app.clock.new_id(),
            user_id: None,
            nango_connection_id: nango_id.clone(),
            provider_config_key: "google-mail".to_owned(),
            reason: "orphan".to_owned(),
            tries: 0,
            next_try_at: later,
            created_at: later,
        };
        let mut tx = app.db.write().await.expect("a transaction");
        owed_deletion::owe(&mut tx, &owed).await.expect("a row");
        tx.commit().await.expect("a commit");
        erase(&app, id).await.expect("erased");
        let mut tx = app.db.read().await.expect("a transaction");
        assert!(!owed_deletion::is_owed(&mut tx, &nango_id).await.expect("a count"));
        assert!(app.nango.connections().await.is_empty());
    }

    async fn an_exported_log_can_be_checked_by_itself(db: &TestDb) {
        let mut app = TestApp::start(db).await;
        life(&app, "ada").await;
        app.stop().await;
        let log = lines(&app, 0, true).await;
        assert!(log.len() >= 7, "{log:?}");
        let mut prev = "0".repeat(64);
        for (place, entry) in log.iter().enumerate() {
            assert_eq!((&entry["seq"], &entry["prev"]), (&json!(place + 1), &json!(prev)));
            assert_eq!(by_hand(entry), text(&entry["hash"]), "{entry}");
            text(&entry["hash"]).clone_into(&mut prev);
            if let Some(digest) = entry["personal_digest"].as_str() {
                let both = format!("{}{}", text(&entry["personal"]["salt"]), text(&entry["personal"]["data"]));
                assert_eq!(sha256(both.as_bytes()), digest, "{entry}");
            }
        }
        let head = format!("{}:{prev}", log.len());
        assert_eq!(verify(&app).await.head, Some(head));
        let rest = lines(&app, 3, false).await;
        assert_eq!(rest.len(), log.len() - 3);
        assert!(rest.iter().all(|entry| entry["personal"].is_null()), "{rest:?}");
    }
}

/// The hash of an exported line as docs/AUDIT.md describes it.
fn by_hand(entry: &Value) -> String {
    let mut bytes = b"patchbay audit chain\0\x01".to_vec();
    for name in [
        "prev",
        "seq",
        "id",
        "at",
        "user_id",
        "actor_id",
        "connector_id",
        "connection_id",
        "attempt_id",
        "action",
        "detail",
        "personal_digest",
    ] {
        let field = match &entry[name] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            // Of one key at the most, as this version writes them.
            other => Some(other.to_string()),
        };
        let length = field.as_ref().map_or(u32::MAX, |text| {
            u32::try_from(text.len()).expect("a length")
        });
        bytes.extend(length.to_be_bytes());
        bytes.extend(field.unwrap_or_default().into_bytes());
    }
    sha256(&bytes)
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    format!("{:x}", sha2::Sha256::digest(bytes))
}
