//! The flows: allowed, denied, failed, repeated, with and without a socket.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Bench, answer, code, next};

#[tokio::test]
async fn an_allowed_flow_connects_and_is_announced_once() {
    let bench = Bench::new().await;
    let (mut socket, id) = bench.socket().await;
    let token = bench
        .session(json!({"tags": {"Project": "MixedCase Value", "end_user_id": "u"}}))
        .await;
    let authorize = bench
        .start("google-mail", &token, &format!("&ws_client_id={id}"))
        .await;
    assert!(authorize.starts_with(&format!("{}/sandbox/authorize?", bench.base)));
    let back = bench
        .decide(&authorize, "allow", "ada@northwind.example")
        .await;
    let (status, page) = bench.visit(&back).await;
    assert_eq!(status, 200);
    assert!(page.contains("\"nango_oauth_callback_success\""));

    let connection = bench.only("u").await;
    assert_eq!(
        connection["tags"],
        json!({"end_user_id": "u", "project": "MixedCase Value"})
    );
    let said = next(&mut socket).await.expect("an announcement");
    assert_eq!(
        said,
        json!({
            "message_type": "success",
            "provider_config_key": "google-mail",
            "connection_id": connection["connection_id"],
            "is_pending": false,
        })
    );
    // The same id again: a second connection, and not a word about it.
    bench
        .allow("google-mail", &token, &format!("&ws_client_id={id}"))
        .await;
    assert_eq!(next(&mut socket).await, None);
    assert_eq!(bench.connections("").await.len(), 2);
    // A state works once.
    let (status, page) = bench.visit(&back).await;
    assert_eq!(status, 400);
    assert!(page.contains("No session found for state"));
}

#[tokio::test]
async fn a_denied_flow_leaves_nothing_behind() {
    let bench = Bench::new().await;
    let (mut socket, id) = bench.socket().await;
    let token = bench.session_for("u", "slack").await;
    let authorize = bench
        .start("slack", &token, &format!("&ws_client_id={id}"))
        .await;
    let back = bench.decide(&authorize, "deny", "").await;
    assert!(back.contains("error=access_denied&error_description=The+user+denied+the+request"));
    let (status, page) = bench.visit(&back).await;
    assert_eq!(status, 400);
    assert!(page.contains("nango_oauth_callback_error"));
    let said = next(&mut socket).await.expect("an announcement");
    assert_eq!(said["error_type"], "callback_err");
    assert!(bench.connections("").await.is_empty());
    // The token is good for another try.
    bench.allow("slack", &token, "").await;
    assert_eq!(bench.connections("").await.len(), 1);
}

#[tokio::test]
async fn a_refused_account_fails_the_exchange() {
    let bench = Bench::new().await;
    let token = bench.session_for("u", "slack").await;
    let authorize = bench.start("slack", &token, "").await;
    let back = bench
        .decide(&authorize, "allow", "wrong@northwind.example")
        .await;
    let (status, page) = bench.visit(&back).await;
    assert_eq!(status, 400);
    assert!(page.contains("Bad client credentials"));
    // So does a code that nobody handed out.
    let authorize = bench.start("slack", &token, "").await;
    let back = bench.decide(&authorize, "allow", "ada").await;
    let forged = back.replace("code=", "code=x");
    let (status, page) = bench.visit(&forged).await;
    assert_eq!(status, 400);
    assert!(page.contains("invalid_grant"));
    assert!(bench.connections("").await.is_empty());
}

#[tokio::test]
async fn the_consent_page_serves_only_what_is_registered() {
    let bench = Bench::new().await;
    let token = bench.session_for("u", "zendesk").await;
    let more = "&params[subdomain]=acme&ws_client_id=%3Cscript%3E";
    let authorize = bench.start("zendesk", &token, more).await;
    let (status, page) = bench.visit(&authorize).await;
    assert_eq!(status, 200);
    assert!(page.contains("Patchbay wants to access your pretend Zendesk account"));
    assert!(page.contains("value=\"ada@northwind.example\""));
    assert!(page.contains("<html lang=\"en\">") && page.contains("<label for=\"account\">"));
    assert!(!page.contains("{{") && !page.contains("onclick"));
    let hostile = authorize.replace("state=", "state=%22%3E%3Cscript%3E");
    let (_, page) = bench.visit(&hostile).await;
    assert!(!page.contains("\"><script>"));
    let elsewhere = authorize.replace("callback", "elsewhere");
    assert_eq!(bench.visit(&elsewhere).await.0, 400);
    let other_site = authorize.replace(
        "redirect_uri=http%3A%2F%2F127",
        "redirect_uri=http%3A%2F%2F126",
    );
    assert_eq!(bench.visit(&other_site).await.0, 400);
    let unknown = authorize.replace("client_id=zendesk", "client_id=nope");
    assert_eq!(bench.visit(&unknown).await.0, 400);
    // Nothing typed: asked again, not sent back.
    let body = authorize.split_once('?').unwrap().1;
    let response = bench
        .call(Method::POST, "/sandbox/authorize")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("{body}&decision=allow&account=+"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 422);
    assert!(response.text().await.unwrap().contains("role=\"alert\""));
}

#[tokio::test]
async fn required_connection_config_is_asked_for() {
    let bench = Bench::new().await;
    let (mut socket, id) = bench.socket().await;
    let token = bench.session_for("u", "zendesk").await;
    let path = format!("/oauth/connect/zendesk?connect_session_token={token}&ws_client_id={id}");
    let (status, page) = bench.visit(&format!("{}{path}", bench.base)).await;
    assert_eq!(status, 400);
    assert!(page.contains("Missing Connection Config"));
    let said = next(&mut socket).await.expect("an announcement");
    assert_eq!(said["error_type"], "url_param_err");

    // A pattern is never checked, and what the session says wins.
    bench
        .allow("zendesk", &token, "&params%5Bsubdomain%5D=Bad+Sub%21")
        .await;
    let address = |connection: Value| {
        let id = connection["connection_id"].as_str().unwrap();
        format!("/connections/{id}?provider_config_key=zendesk")
    };
    let path = address(bench.only("u").await);
    let (_, body) = answer(bench.get(&path)).await;
    assert_eq!(body["connection_config"], json!({"subdomain": "Bad Sub!"}));
    let token = bench
        .session(json!({
            "tags": {"end_user_id": "v"},
            "integrations_config_defaults": {"zendesk": {
                "user_scopes": "read",
                "authorization_params": {"foo": "bar"},
                "connection_config": {"subdomain": "fromsession"},
            }},
        }))
        .await;
    let authorize = bench
        .start("zendesk", &token, "&params[subdomain]=frombrowser")
        .await;
    assert!(authorize.contains("&foo=bar"));
    bench
        .allow("zendesk", &token, "&params[subdomain]=frombrowser")
        .await;
    let path = address(bench.only("v").await);
    let (_, body) = answer(bench.get(&path)).await;
    let expected = json!({"subdomain": "fromsession", "user_scope": "read"});
    assert_eq!(body["connection_config"], expected);
}

#[tokio::test]
async fn starts_that_are_refused() {
    let bench = Bench::new().await;
    let token = bench.session_for("u", "sendgrid").await;
    for (path, status, expected) in [
        (
            "slack?connect_session_token=TOKEN",
            400,
            "integration_not_allowed",
        ),
        (
            "slack?connect_session_token=garbage",
            401,
            "invalid_connect_session_token_format",
        ),
        ("slack?", 401, "missing_public_key"),
        ("slack?public_key=x", 401, "deprecated_authentication"),
        (
            "sendgrid?connect_session_token=TOKEN&connection_id=x",
            400,
            "invalid_query_params",
        ),
    ] {
        let path = format!("/oauth/connect/{}", path.replace("TOKEN", &token));
        let (got, body) = answer(bench.call(Method::GET, &path)).await;
        assert_eq!((got, code(&body)), (status, expected), "{path}");
    }
    for key in ["sendgrid", "nope"] {
        let url = format!(
            "{}/oauth/connect/{key}?connect_session_token={token}",
            bench.base
        );
        let (status, page) = bench.visit(&url).await;
        assert_eq!(status, 400);
        assert!(page.contains("window.__nangoOAuthError"), "{key}");
    }
}

#[tokio::test]
async fn a_session_that_expires_in_mid_flow_keeps_its_tags_a_deleted_one_loses_them() {
    let bench = Bench::new().await;
    let expiring = bench.session_for("expiring", "github").await;
    let authorize = bench.start("github", &expiring, "").await;
    bench.clock.advance(31 * 60_000);
    let back = bench.decide(&authorize, "allow", "ada").await;
    assert_eq!(bench.visit(&back).await.0, 200);
    bench.only("expiring").await;

    let deleted = bench.session_for("deleted", "github").await;
    let authorize = bench.start("github", &deleted, "").await;
    let delete = bench
        .call(Method::DELETE, "/connect/session")
        .bearer_auth(&deleted);
    assert_eq!(answer(delete).await.0, 204);
    let back = bench.decide(&authorize, "allow", "ada").await;
    assert_eq!(bench.visit(&back).await.0, 200);
    assert_eq!(bench.connections("?limit=1").await[0]["tags"], json!({}));
}

#[tokio::test]
async fn a_reconnect_keeps_the_id_replaces_the_tags_and_survives_a_denial() {
    let bench = Bench::new().await;
    let id = bench.connect("u", "slack").await;
    let path = "/connect/sessions/reconnect";
    let body =
        json!({"connection_id": id, "integration_id": "slack", "tags": {"end_user_id": "w"}});
    let (status, session) = answer(bench.post(path, &body)).await;
    assert_eq!(status, 201);
    let token = session["data"]["token"].as_str().unwrap().to_owned();
    let (mut socket, client) = bench.socket().await;
    let authorize = bench
        .start("slack", &token, &format!("&ws_client_id={client}"))
        .await;
    let back = bench.decide(&authorize, "deny", "").await;
    assert_eq!(bench.visit(&back).await.0, 400);
    assert_eq!(next(&mut socket).await.unwrap()["connection_id"], json!(id));
    assert_eq!(bench.only("u").await["connection_id"], json!(id));

    bench.allow("slack", &token, "").await;
    assert_eq!(bench.only("w").await["connection_id"], json!(id));
    // No tags in the session wipe those of the connection.
    let body = json!({"connection_id": id, "integration_id": "slack"});
    let (_, session) = answer(bench.post(path, &body)).await;
    bench
        .allow("slack", session["data"]["token"].as_str().unwrap(), "")
        .await;
    let all = bench.connections("").await;
    assert_eq!((all.len(), &all[0]["tags"]), (1, &json!({})));

    let body = json!({"connection_id": "nope", "integration_id": "slack"});
    let (status, body) = answer(bench.post(path, &body)).await;
    assert_eq!((status, code(&body)), (400, "invalid_body"));
}

#[tokio::test]
async fn typed_credentials_connect_unless_they_say_wrong() {
    let bench = Bench::with({
        let mut config = crate::support::config();
        let mut with_secret = config.integrations[0].clone();
        with_secret.unique_key = "zoom-cc".to_owned();
        with_secret.provider = "zoom-cc".to_owned();
        with_secret.auth_mode = "OAUTH2_CC".to_owned();
        config.integrations.push(with_secret);
        config
    })
    .await;
    for (route, key, good, bad) in [
        (
            "/api-auth/api-key",
            "openai",
            json!({"apiKey": "sk-good"}),
            json!({"apiKey": "sk-WRONG"}),
        ),
        (
            "/api-auth/basic",
            "twilio",
            json!({"username": "wrong but not asked", "password": "good"}),
            json!({"username": "a", "password": "Wrong"}),
        ),
        (
            "/api-auth/basic",
            "jira-basic",
            json!({"username": "token", "password": ""}),
            json!({"username": "wrong", "password": ""}),
        ),
        (
            "/oauth2/auth",
            "zoom-cc",
            json!({"client_id": "a", "client_secret": "b"}),
            json!({"client_id": "a", "client_secret": "wrong"}),
        ),
    ] {
        let token = bench.session_for(key, key).await;
        let path = format!("{route}/{key}?connect_session_token={token}");
        let (status, body) = answer(bench.post(&path, &bad)).await;
        let refusal = match key {
            "zoom-cc" => "client_credentials_fetch_error",
            _ => "connection_test_failed",
        };
        assert_eq!((status, code(&body)), (400, refusal), "{key}");
        let (status, body) = answer(bench.post(&path, &json!({}))).await;
        assert_eq!((status, code(&body)), (400, "invalid_body"), "{key}");
        assert!(
            bench
                .connections(&format!("?tags[end_user_id]={key}"))
                .await
                .is_empty()
        );
        let (status, body) = answer(bench.post(&path, &good)).await;
        assert_eq!(status, 200, "{body}");
        let made = bench.only(key).await;
        let expected = json!({"connectionId": made["connection_id"], "providerConfigKey": key});
        assert_eq!(body, expected);
    }
}
