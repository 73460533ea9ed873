//! What a browser is told about every answer, and what other sites get.

use std::collections::{BTreeMap, BTreeSet};

use patchbay::server::{db::Db, http::access::RULES};
use reqwest::Method;
use scraper::{Html, Selector};
use serde_json::json;

use crate::{
    app::{TestApp, log_text},
    person::{Answer, text},
};

const BARE: &str = "default-src 'none'; frame-ancestors 'none'";

/// The nonce of a page's policy. What stands in the page obeys the policy.
#[track_caller]
fn obeys(page: &Answer) -> String {
    let policy = page.header("content-security-policy");
    let directives: Vec<&str> = policy.split("; ").collect();
    for wanted in [
        "default-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(directives.contains(&wanted), "{policy}");
    }
    for loose in [
        "unsafe-inline",
        "'unsafe-eval'",
        "*",
        "http:",
        "https:",
        "data:",
    ] {
        assert!(!policy.contains(loose), "{policy}");
    }
    let scripts = directives
        .iter()
        .find_map(|d| d.strip_prefix("script-src "));
    let nonce = scripts.and_then(|s| s.strip_prefix("'nonce-")?.split('\'').next());
    let nonce = nonce.unwrap_or_else(|| panic!("no nonce: {policy}"));
    assert!(nonce.len() >= 22, "{policy}");
    let html = Html::parse_document(&page.text);
    let all = Selector::parse("*").expect("a selector");
    for element in html.select(&all).map(|found| found.value()) {
        let shown = format!("{element:?}");
        for (name, value) in element.attrs() {
            assert!(name != "style" && !name.starts_with("on"), "{shown}");
            assert!(!value.trim_start().starts_with("javascript:"), "{shown}");
        }
        match element.name() {
            "script" if element.attr("type") == Some("application/json") => {}
            "script" => assert_eq!(element.attr("nonce"), Some(nonce), "{shown}"),
            "style" => {
                assert_eq!(element.attr("nonce"), Some(nonce), "{shown}");
                assert!(
                    policy.contains(&format!("style-src 'nonce-{nonce}'")),
                    "{policy}"
                );
            }
            "link" => {
                let href = element.attr("href").unwrap_or_default();
                assert!(href.starts_with('/') && !href.starts_with("//"), "{shown}");
            }
            "iframe" | "object" | "embed" | "base" => panic!("{shown}"),
            _ => {}
        }
    }
    nonce.to_owned()
}

on_both! {
    async fn pages_allow_their_own_script_and_no_other(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let started = ada.connect("gmail").await;
        let id = text(&started["attempt_id"]);
        let mut nonces = BTreeSet::new();
        let pages = [
            "/connectors",
            "/connectors",
            "/connectors?q=%3Cscript%3Ealert(1)%3C/script%3E",
            "/connectors/gmail",
            "/connectors/resend",
            "/connectors/nobody",
            &format!("/attempts/{id}"),
            "/nowhere",
        ];
        for path in pages {
            let page = ada.get(path).await;
            assert!(page.header("content-type").starts_with("text/html"), "{path}");
            let policy = page.header("content-security-policy").to_owned();
            let nonce = obeys(&page);
            assert_eq!(
                policy,
                format!(
                    "default-src 'none'; script-src 'nonce-{nonce}' 'self' 'wasm-unsafe-eval'; \
                     style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
                     base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
                )
            );
            assert_eq!(page.header("cache-control"), "no-store", "{path}");
            assert!(page.text.contains(&format!("nonce=\"{nonce}\"")), "{path}");
            nonces.insert(nonce);
        }
        nonces.insert(obeys(&app.get("/sign-in").await));
        let closing = format!("/api/v1/connectors/callback?attempt={id}");
        let page = ada.get(&closing).await;
        assert_eq!(page.status, 200, "{}", page.text);
        nonces.insert(obeys(&page));
        assert_eq!(nonces.len(), pages.len() + 2, "each has another one: {nonces:?}");
    }

    async fn every_answer_says_what_a_browser_may_do_with_it(db: &TestDb) {
        for (public_url, cookie) in
            [("http://127.0.0.1:3000", "patchbay"), ("https://patchbay.example", "__Host-patchbay")]
        {
            let mut app = TestApp::with(db, &[("PUBLIC_URL", public_url)]).await;
            let ada = app.session_of("ada", cookie).await;
            let catalogue = ada.get("/connectors").await;
            assert_eq!(catalogue.status, 200);
            let file = |ending: &str| {
                let mut found = catalogue.text.split(['"', '#']);
                let found = found.find(|t| t.starts_with("/icons/") && t.ends_with(ending));
                found.unwrap_or_else(|| panic!("no {ending}")).to_owned()
            };
            let (icons, brands) = (file(".svg"), file(".css"));
            let colours = ada.get(&brands).await;
            assert_eq!(colours.header("content-type"), "text/css");
            assert!(colours.text.contains("[data-brand=\"gmail\"]{--brand:#EA4335}"), "{}", colours.text);
            for (path, cache) in [
                ("/", "no-store"),
                ("/connectors", "no-store"),
                ("/sign-in", "no-store"),
                ("/nowhere", "no-store"),
                ("/api/v1/connectors", "no-store"),
                ("/api/v1/nowhere", "no-store"),
                ("/api/v1/openapi.json", "no-store"),
                ("/health/live", "no-store"),
                (&icons, "public, max-age=31536000, immutable"),
                (&brands, "public, max-age=31536000, immutable"),
                ("/icons/0123456789ab.css", "no-cache"),
            ] {
                let answer = ada.get(path).await;
                let is_page = answer.header("content-type").starts_with("text/html");
                let policy = answer.header("content-security-policy");
                assert_eq!(policy == BARE, !is_page, "{path}: {policy}");
                let permissions = answer.header("permissions-policy");
                assert!(permissions.contains("camera=()") && permissions.contains("usb=()"), "{path}");
                for (name, value) in [
                    ("cache-control", cache),
                    ("cross-origin-opener-policy", "same-origin-allow-popups"),
                    ("cross-origin-resource-policy", "same-origin"),
                    ("x-content-type-options", "nosniff"),
                    ("x-frame-options", "DENY"),
                    ("referrer-policy", "same-origin"),
                    ("access-control-allow-origin", ""),
                ] {
                    assert_eq!(answer.header(name), value, "{path}");
                }
                let https_only = if public_url.starts_with("https") { "max-age=63072000" } else { "" };
                assert_eq!(answer.header("strict-transport-security"), https_only, "{path}");
            }
            app.stop().await;
        }
    }

    async fn other_sites_are_refused_and_the_log_says_why(db: &TestDb) {
        let public = ("PUBLIC_URL", "http://seen.example");
        let app = TestApp::with(db, &[public]).await;
        let ada = app.session_of("ada", "patchbay").await;
        let unique = app.clock.random_id().simple().to_string();
        let evil = format!("https://{unique}.example");
        let path = format!("/connectors/{unique}/connect");
        let headers = [("sec-fetch-site", "cross-site"), ("origin", evil.as_str())];
        ada.form(&path, &[("credential.apiKey", &unique[..20])], &headers)
            .await
            .problem(403, "cross_site");
        let log = log_text();
        let line = log.lines().find(|line| line.contains("another site") && line.contains(&unique));
        let line = line.expect("a line in the log");
        for said in ["WARN", "method=\"POST\"", &path, "sec_fetch_site=\"cross-site\"", &evil] {
            assert!(line.contains(said), "{said}: {line}");
        }
        let value = ada.cookie.split_once('=').expect("a value").1;
        assert!(!log.contains(value), "the cookie is not in the log");

        // Where a proxy has changed the host, the page is still ours.
        let ours = |origin: &'static str| [("origin", origin), ("host", "inner:3000")];
        let answer = ada.form("/sign-out", &[], &ours("http://other.example")).await;
        answer.problem(403, "cross_site");
        let answer = ada.form("/sign-out", &[], &ours("http://seen.example")).await;
        assert_eq!(answer.redirect(303), "/sign-in");
    }

    async fn beside_a_cookie_only_a_bearer_token_proves_anything(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let path = "/api/v1/connectors/gmail/connect";
        let evil = ("origin", "https://evil.example");
        // A browser sends these by itself, once somebody has asked for them.
        for value in ["Basic YWRhOng=", "Negotiate YII=", "Digest a", "Bearer", "Bearerx y", "Token a", ""] {
            let headers = [evil, ("authorization", value)];
            let body = Some(("application/json", "{}".to_owned()));
            ada.request(Method::POST, path, &headers, body).await.problem(403, "cross_site");
        }
        let headers = [evil, ("authorization", "bearer none.at.all")];
        let answer = ada.request(Method::POST, path, &headers, None).await;
        answer.problem(401, "token_invalid");
        assert!(ada.connections().await.is_empty());
    }

    async fn a_method_without_a_line_gets_those_that_have_one(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let mut allowed: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for rule in RULES {
            let methods = allowed.entry(rule.path).or_default();
            methods.push(rule.method.as_str());
            if rule.method == Method::GET {
                methods.push("HEAD");
            }
        }
        let mut refused = 0;
        for (route, allowed) in allowed {
            let parts = route.split('/').map(|part| if part.starts_with('{') { "x" } else { part });
            let path = parts.collect::<Vec<_>>().join("/");
            for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"] {
                if allowed.contains(&method) {
                    continue;
                }
                let at = method.parse().expect("a method");
                let answer = ada.request(at, &path, &[], None).await;
                if method == "HEAD" {
                    assert_eq!(answer.status, 405, "{path}");
                } else {
                    answer.problem(405, "method_not_allowed");
                }
                assert_eq!(answer.header("allow"), allowed.join(", "), "{method} {path}");
                refused += 1;
            }
        }
        assert!(refused > 200, "{refused}");
    }

    async fn a_session_that_cannot_be_written_is_a_problem_like_any_other(db: &TestDb) {
        let app = TestApp::with(db, &[("PUBLIC_URL", "https://localhost")]).await;
        let ours = [("sec-fetch-site", "same-origin"), ("origin", app.base.as_str())];
        let before = app.nobody().form("/sign-in/demo", &[], &ours).await;
        assert_eq!(before.redirect(303), "/connectors");
        // The handler gets on: it is the layer around it that writes the new session.
        match &app.db {
            Db::Sqlite(pool) => {
                let sql = "CREATE TRIGGER full BEFORE INSERT ON session
                    BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
                sqlx::raw_sql(sql).execute(&**pool).await.expect("a trigger");
            }
            Db::Postgres(server) => {
                let mut operator = server.connection().await.expect("a connection");
                let sql = "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS
                    $$ BEGIN RAISE EXCEPTION 'the disk is full'; END $$;
                    CREATE TRIGGER no_room BEFORE INSERT ON session
                    FOR EACH ROW EXECUTE FUNCTION no_room()";
                sqlx::raw_sql(sql).execute(&mut operator).await.expect("a trigger");
            }
        }
        let answer = app.nobody().form("/sign-in/demo", &[], &ours).await;
        let problem = answer.problem(503, "database_unavailable");
        assert!(text(&problem["detail"]).starts_with("It may have come about"), "{problem}");
        assert_eq!(answer.header("retry-after"), "5");
        assert_eq!(answer.header("content-security-policy"), BARE);
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("strict-transport-security"), "max-age=63072000");
        assert_eq!(answer.cookie(), None);
    }

    async fn a_webhook_proves_itself_by_its_signature(db: &TestDb) {
        let app = TestApp::start(db).await;
        let headers = [("sec-fetch-site", "cross-site"), ("origin", "https://nango.example")];
        let path = "/api/v1/webhooks/nango";
        let body = Some(("application/json", json!({"type": "forward"}).to_string()));
        let answer = app.nobody().request(Method::POST, path, &headers, body).await;
        answer.problem(401, "webhook_signature_invalid");
        // Its neighbours do not.
        for path in ["/api/v1/webhooks/nango/", "/api/v1/webhooks/other", "//api/v1/webhooks/nango"] {
            let answer = app.nobody().request(Method::POST, path, &headers, None).await;
            answer.problem(403, "cross_site");
        }
    }

    async fn signing_in_leads_nowhere_else(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ours = [("origin", app.base.as_str())];
        for (next, to) in [
            ("/connectors/gmail?q=a", "/connectors/gmail?q=a"),
            ("//evil.example", "/connectors"),
            ("/\\evil.example", "/connectors"),
            ("/\t/evil.example", "/connectors"),
            ("/..//evil.example", "/connectors"),
            ("https://evil.example", "/connectors"),
            ("/a\r\nSet-Cookie: a=b", "/connectors"),
        ] {
            let answer = app.nobody().form("/sign-in/demo", &[("next", next)], &ours).await;
            assert_eq!(answer.redirect(303), to, "{next:?}");
            assert_ne!(answer.cookie().as_deref(), Some("a=b"));
            let query = url::form_urlencoded::byte_serialize(next.as_bytes()).collect::<String>();
            let page = app.get(&format!("/sign-in?next={query}")).await;
            assert!(!page.text.contains("evil.example\""), "{next:?}");
        }
    }
}
