//! More than there is room for: event streams, webhooks, a Nango that is slow for all at once.

use std::time::{Duration, Instant};

use patchbay::server::services::webhooks::READ_AT_ONCE;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::app::{TestApp, eventually};

on_both! {
    async fn a_person_has_so_many_streams_and_no_more(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let mut open = Vec::new();
        for _ in 0..20 {
            open.push(ada.events().await);
        }
        let one_more = ada.get("/api/v1/events").await;
        one_more.problem(429, "too_many_streams");
        assert_eq!(one_more.header("retry-after"), "10");
        // Others have theirs; and where one closes there is room.
        drop(app.sign_in("grace").await.events().await);
        open.pop();
        eventually("room for another stream", || async {
            let answer = ada.request(Method::HEAD, "/api/v1/events", &[], None).await;
            (answer.status != 429).then_some(())
        })
        .await;
        drop(ada.events().await);
    }

    async fn an_instance_holds_so_many_streams(db: &TestDb) {
        let app = TestApp::with(db, &[("LIMITS_EVENT_STREAMS", "2")]).await;
        let (ada, grace) = (app.sign_in("ada").await, app.sign_in("grace").await);
        let (_one, _two) = (ada.events().await, grace.events().await);
        let third = app.sign_in("eve").await.get("/api/v1/events").await;
        third.problem(503, "streams_full");
        assert_eq!(third.header("retry-after"), "10");
    }

    /// Nango is slow, and webhooks come faster than they can be looked into.
    async fn a_flood_of_webhooks_is_bounded_and_keeps_nobody_waiting(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = app.sign_in("ada").await;
        let started = ada.connect("gmail").await;
        app.nango.fault(json!({"latency_ms": 2500})).await;
        let body = json!({
            "type": "auth", "operation": "creation", "success": true,
            "connectionId": "nobody-knows", "providerConfigKey": "google-mail", "provider": "google-mail",
            "authMode": "OAUTH2", "environment": "dev",
            "tags": {"attempt_id": started["attempt_id"], "end_user_id": "x"},
        });
        let flood = futures::future::join_all((0..150).map(|_| app.webhook(&body)));
        let people = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let mut slowest = Duration::ZERO;
            for _ in 0..10 {
                let began = Instant::now();
                ada.get("/api/v1/connections").await.ok();
                slowest = slowest.max(began.elapsed());
            }
            slowest
        };
        let (answers, slowest) = tokio::join!(flood, people);
        assert!(slowest < Duration::from_secs(1), "{slowest:?}");
        let busy: Vec<_> = answers.iter().filter(|a| a.status == 503).collect();
        assert!(busy.len() >= 150 - 72, "{}", busy.len());
        for answer in busy {
            answer.problem(503, "webhooks_busy");
            assert_eq!(answer.header("retry-after"), "5");
        }
        app.nango.clear_faults().await;
        eventually("webhooks are taken again", || async {
            (app.webhook(&body).await.status == 200).then_some(())
        })
        .await;
    }

    /// Whoever sends slowly keeps Nango out for a moment only, and Nango comes again after a 503.
    async fn slow_strangers_do_not_turn_webhooks_away_for_good(db: &TestDb) {
        let app = TestApp::start(db).await;
        let address = app.base.trim_start_matches("http://").to_owned();
        let mut slow = Vec::new();
        for _ in 0..READ_AT_ONCE {
            let mut stream = tokio::net::TcpStream::connect(&address).await.expect("a connection");
            let head = "POST /api/v1/webhooks/nango HTTP/1.1\r\nhost: here\r\n\
                x-nango-hmac-sha256: 00\r\ncontent-length: 100\r\n\r\n{";
            stream.write_all(head.as_bytes()).await.expect("it is taken");
            slow.push(stream);
        }
        let body = json!({"type": "forward"});
        let refused = eventually("all places are taken", || async {
            let answer = app.webhook(&body).await;
            (answer.status != 200).then_some(answer)
        })
        .await;
        refused.problem(503, "webhooks_busy");
        assert_eq!(refused.header("retry-after"), "5");
        drop(slow);
        eventually("webhooks are taken again", || async {
            (app.webhook(&body).await.status == 200).then_some(())
        })
        .await;
    }

    /// Twenty-six people wait for a Nango that takes its time: nobody else waits with them.
    async fn a_slow_nango_keeps_nobody_else_waiting(db: &TestDb) {
        let app = TestApp::start(db).await;
        let mut people = Vec::new();
        for letter in 'a'..='z' {
            people.push(app.sign_in(&format!("person{letter}")).await);
        }
        app.nango.fault(json!({"latency_ms": 4000})).await;
        let none = json!({});
        let clicks = people.iter().map(|p| p.post("/api/v1/connectors/gmail/connect", &none));
        let clicks = futures::future::join_all(clicks);
        let reader = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let began = Instant::now();
            for _ in 0..10 {
                people[0].get("/api/v1/connections").await.ok();
            }
            began.elapsed()
        };
        let (clicked, took) = tokio::join!(clicks, reader);
        assert!(took < Duration::from_millis(2500), "{took:?}");
        for answer in clicked {
            let fine = answer.status == 200 || !answer.header("retry-after").is_empty();
            assert!(fine, "{} {}", answer.status, answer.text);
        }
        let all: Value = people[1].get("/api/v1/connections").await.ok();
        assert!(all["connections"].is_array());
    }
}
