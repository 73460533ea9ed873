//! Signing in and out, and what is closed to whoever has not.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{app::TestApp, person::Answer};

/// Presses "Continue as demo user" with these headers.
async fn demo(app: &TestApp, headers: &[(&str, &str)]) -> Answer {
    app.nobody()
        .form("/sign-in/demo", &[("name", "ada")], headers)
        .await
}

on_both! {
    async fn the_demo_user_exists_on_loopback_only(db: &TestDb) {
        let app = TestApp::start(db).await;
        let own = app.base.clone();
        let port = own.rsplit(':').next().unwrap_or_default();
        let localhost = format!("localhost:{port}");
        let answer = demo(&app, &[("host", &localhost), ("origin", &format!("http://{localhost}"))]).await;
        assert_eq!(answer.redirect(303), "/connectors");
        let answer = app
            .nobody()
            .form("/sign-in/demo", &[("next", "/connectors/gmail")], &[("origin", &own)])
            .await;
        assert_eq!(answer.redirect(303), "/connectors/gmail");
        let evil = [("next", "//evil.example"), ("name", "eve")];
        let answer = app.nobody().form("/sign-in/demo", &evil, &[("origin", &own)]).await;
        assert_eq!(answer.redirect(303), "/connectors");

        // A proxy in front of a loopback listener: whatever it does to the headers.
        let host = own.trim_start_matches("http://").to_owned();
        let same = ("sec-fetch-site", "same-origin");
        for headers in [
            vec![same, ("origin", "https://app.example")],
            vec![same, ("origin", "https://app.example"), ("host", "app.example")],
            vec![("origin", "https://app.example"), ("host", "app.example")],
            vec![same, ("origin", "https://app.example"), ("host", &host), ("x-forwarded-host", "app.example")],
            vec![same, ("origin", &own), ("host", "app.example")],
            vec![same, ("origin", "http://localhost.evil.example"), ("host", &host)],
            // Everything forged, but for what the proxy adds.
            vec![same, ("origin", &own), ("x-forwarded-for", "203.0.113.9")],
            vec![same, ("origin", &own), ("x-real-ip", "203.0.113.9")],
            vec![same, ("origin", &own), ("forwarded", "for=203.0.113.9")],
            vec![same, ("origin", &own), ("via", "1.1 proxy")],
            vec![same, ("origin", "null")],
            vec![same],
            vec![],
        ] {
            let answer = demo(&app, &headers).await;
            answer.problem(403, "demo_unavailable");
            assert_eq!(answer.cookie(), None, "{headers:?}");
        }
        for name in ["", "Ada", "a b", "abcdefghijklmnopqrstu", "ä"] {
            let answer = app.nobody().form("/sign-in/demo", &[("name", name)], &[("origin", &own)]).await;
            answer.problem(422, "name_invalid");
        }
        let answer = app.nobody().form("/sign-in/demo", &[("admin", "1")], &[("origin", &own)]).await;
        answer.problem(400, "body_invalid");
    }

    /// Whoever asks as a browser on this machine would, as any client behind a plain proxy can.
    async fn the_demo_user_is_shut_out_where_strangers_may_come(db: &TestDb) {
        // Nobody is asked before somebody connects.
        let real = ("NANGO_BASE_URL", "https://nango.invalid");
        for (settings, open) in [
            (&[("PUBLIC_URL", "https://patchbay.example")][..], false),
            (&[("LISTEN_ADDR", "0.0.0.0:3000")], false),
            (&[("LISTEN_ADDR", "0.0.0.0:3000"), ("AUTH_DEMO", "true")], false),
            (&[("AUTH_DEMO", "false")], false),
            (&[("TRUSTED_PROXIES", "127.0.0.1")], false),
            (&[real], true),
            (&[real, ("AUTH_DEMO", "false")], false),
            (&[("NANGO_SECRET_KEY", ""), ("AUTH_DEMO", "false")], false),
            (&[("NANGO_SECRET_KEY", "")], true),
        ] {
            let mut app = TestApp::with(db, settings).await;
            let own = app.base.clone();
            let headers = [("sec-fetch-site", "same-origin"), ("origin", own.as_str())];
            let shown = app.get("/sign-in").await.text.contains("Continue as demo user");
            assert_eq!(shown, open, "{settings:?}");
            let answer = demo(&app, &headers).await;
            if open {
                assert_eq!(answer.redirect(303), "/connectors", "{settings:?}");
            } else {
                answer.problem(403, "demo_unavailable");
                assert_eq!(answer.cookie(), None, "{settings:?}");
            }
            app.stop().await;
        }
    }

    async fn the_cookie_is_kept_from_scripts_and_other_sites(db: &TestDb) {
        for (public_url, name, secure) in [
            ("http://127.0.0.1:3000", "patchbay", false),
            ("https://localhost", "__Host-patchbay", true),
        ] {
            let mut app = TestApp::with(db, &[("PUBLIC_URL", public_url)]).await;
            let own = app.base.clone();
            let answer = demo(&app, &[("sec-fetch-site", "same-origin"), ("origin", &own)]).await;
            let mut parts = answer.header("set-cookie").split("; ");
            let pair = parts.next().unwrap_or_default();
            assert!(pair.starts_with(&format!("{name}=")), "{pair}");
            let attributes: Vec<_> = parts.collect();
            for wanted in ["HttpOnly", "SameSite=Lax", "Path=/"] {
                assert!(attributes.contains(&wanted), "{attributes:?}");
            }
            assert_eq!(attributes.contains(&"Secure"), secure, "{attributes:?}");
            assert!(!attributes.iter().any(|a| a.starts_with("Domain")), "{attributes:?}");
            app.stop().await;
        }
    }

    async fn a_session_gets_a_new_id_and_ends(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ours = [("origin", app.base.as_str())];
        let ada = app.sign_in("ada").await;
        ada.connect("gmail").await;
        // What Ada typed waits for the page that shows it, and she does not go there.
        let typed = [("input.subdomain", "Adas Corner")];
        let answer = ada.form("/connectors/zendesk/connect", &typed, &ours).await;
        assert_eq!(answer.redirect(303), "/connectors/zendesk");
        // Signing in with a session that somebody else may know.
        let answer = ada.form("/sign-in/demo", &[("name", "grace")], &ours).await;
        assert_eq!(answer.status, 303);
        let mut grace = ada.clone();
        grace.cookie = answer.cookie().expect("a new cookie");
        assert_ne!(grace.cookie, ada.cookie);
        ada.get("/api/v1/connections").await.problem(401, "signed_out");
        assert!(grace.connections().await.is_empty(), "nothing is taken along");
        let page = grace.get("/connectors/zendesk").await;
        assert_eq!(page.status, 200);
        assert!(!page.text.contains("should look like") && !page.text.contains("Adas Corner"), "{}", page.text);
        assert_eq!(grace.get("/sign-in").await.redirect(303), "/connectors");

        let answer = grace.form("/sign-out", &[], &ours).await;
        assert_eq!(answer.redirect(303), "/sign-in");
        assert!(answer.header("set-cookie").contains("Max-Age=0"), "{:?}", answer.headers);
        grace.get("/api/v1/connections").await.problem(401, "signed_out");
        // Signing out twice harms nobody, and a made-up session is none.
        assert_eq!(grace.form("/sign-out", &[], &ours).await.redirect(303), "/sign-in");
        let mut eve = grace.clone();
        eve.cookie = "patchbay=AAAAAAAAAAAAAAAAAAAAAA".to_owned();
        eve.get("/api/v1/connections").await.problem(401, "signed_out");
        assert_eq!(app.sign_in("ada").await.connections().await.len(), 1);
    }

    async fn without_a_session_everything_else_is_closed(db: &TestDb) {
        let app = TestApp::start(db).await;
        let id = app.clock.random_id().to_string();
        let document = app.get("/api/v1/openapi.json").await.ok();
        let mut closed = 0;
        for (path, methods) in document["paths"].as_object().expect("paths") {
            for (method, operation) in methods.as_object().expect("methods") {
                let open = operation.get("security").is_none();
                let expected = matches!(
                    path.as_str(),
                    "/api/v1/openapi.json" | "/api/v1/connectors/callback"
                ) || path.starts_with("/health/") || path.starts_with("/api/v1/webhooks/");
                assert_eq!(open, expected, "{method} {path} in the document");
                if open {
                    continue;
                }
                let method: Method = method.to_uppercase().parse().expect("a method");
                let body = (method == Method::POST).then(|| ("application/json", "{}".to_owned()));
                let at = path.replace("{id}", if path.contains("attempts") { &id } else { "gmail" });
                let answer = app.nobody().request(method, &at, &[], body).await;
                answer.problem(401, "signed_out");
                closed += 1;
            }
        }
        assert!(closed >= 10, "{closed}");
        let attempt = format!("/api/v1/connectors/callback?attempt={id}");
        app.get(&attempt).await.problem(401, "signed_out");
        for name in ["catalogue_page", "connector_page", "attempt_page"] {
            app.nobody().post(&format!("/api/fn/{name}"), &json!({})).await.problem(401, "signed_out");
        }
        for (page, next) in [
            ("/connectors", "%2Fconnectors"),
            ("/connectors?q=a%26b", "%2Fconnectors%3Fq%3Da%2526b"),
            ("/connectors/gmail", "%2Fconnectors%2Fgmail"),
        ] {
            assert_eq!(app.get(page).await.redirect(303), format!("/sign-in?next={next}"));
        }
        let page = app.get(&format!("/attempts/{id}")).await;
        assert!(page.redirect(303).starts_with("/sign-in?next="), "{:?}", page.headers);
        for form in ["connectors/gmail/connect", "connectors/gmail/reconnect", "connectors/gmail/disconnect"] {
            let ours = [("origin", app.base.as_str())];
            let answer = app.nobody().form(&format!("/{form}"), &[], &ours).await;
            assert!(matches!(answer.status, 303 | 401), "{}", answer.text);
        }
        assert_eq!(app.nango.calls("POST /connect/sessions").await, 0);
        assert_eq!(app.get("/sign-in").await.status, 200);
    }

    async fn other_sites_change_nothing(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let path = "/api/v1/connectors/gmail/connect";
        let body = || Some(("application/json", "{}".to_owned()));
        for headers in [
            [("sec-fetch-site", "cross-site"), ("accept", "*/*")],
            [("sec-fetch-site", "same-site"), ("accept", "*/*")],
            [("sec-fetch-site", "cross-site"), ("origin", app.base.as_str())],
            [("origin", "https://evil.example"), ("accept", "*/*")],
            [("origin", "null"), ("accept", "*/*")],
        ] {
            let answer = ada.request(Method::POST, path, &headers, body()).await;
            answer.problem(403, "cross_site");
            for form in ["/connectors/gmail/connect", "/sign-in/demo", "/sign-out", "/api/fn/catalogue_page"] {
                ada.form(form, &[], &headers).await.problem(403, "cross_site");
            }
        }
        assert_eq!(ada.connections().await, Vec::<Value>::new());
        // To look is allowed: the browser shows the answer to nobody else.
        let headers = [("sec-fetch-site", "cross-site")];
        assert_eq!(ada.request(Method::GET, "/connectors", &headers, None).await.status, 200);
        for headers in [[("sec-fetch-site", "same-origin")], [("sec-fetch-site", "none")], [("origin", app.base.as_str())]] {
            assert_eq!(ada.request(Method::POST, path, &headers, body()).await.status, 200);
        }
        let answer = ada.get("/api/v1/connections").await;
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin-allow-popups"),
        ] {
            assert_eq!(answer.header(name), value);
        }
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
}
