//! What is sent: the bodies of every credential endpoint, of a session, and the fields of a form.

use std::collections::BTreeMap;

use patchbay::server::nango::{credentials::Credentials, sessions::Flow};
use serde_json::{Value, json};

use crate::stub::{KEY, Reply, Stub};

async fn stub() -> Stub {
    Stub::start(|seen, _| match seen.path.as_str() {
        "/connect/sessions" | "/connect/sessions/reconnect" => {
            Reply::json(201, r#"{"data":{"token":"t0ken","expires_at":""}}"#)
        }
        "/connect/session" => Reply::json(404, "{}"),
        _ => Reply::json(200, r#"{"connectionId":"c","providerConfigKey":"k"}"#),
    })
    .await
}

fn flow<'a>(config: &'a BTreeMap<String, String>) -> Flow<'a> {
    Flow {
        provider_config_key: "my key",
        tags: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
        connection_config: config,
        params: config,
        reconnect: None,
        webhook_url_override: None,
    }
}

fn given(fields: &[(&str, &str)]) -> Credentials {
    let fields = fields.iter();
    fields
        .map(|(name, value)| ((*name).to_owned(), (*value).into()))
        .collect()
}

#[tokio::test]
async fn each_mode_has_its_path_and_its_body() {
    let stub = stub().await;
    let nango = stub.service();
    let config = BTreeMap::from([("external_id".to_owned(), "e&1".to_owned())]);
    let session = nango
        .create_connection(flow(&config))
        .await
        .expect("a session");
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, Option<Value>);
    let cases: Vec<Case<'_>> = vec![
        (
            "API_KEY",
            &[("apiKey", "x")],
            "api-auth/api-key",
            Some(json!({"apiKey": "x"})),
        ),
        (
            "API_KEY",
            &[("other", "x")],
            "api-auth/api-key",
            Some(json!({"apiKey": ""})),
        ),
        (
            "BASIC",
            &[("username", "u")],
            "api-auth/basic",
            Some(json!({"username": "u", "password": ""})),
        ),
        (
            "OAUTH2_CC",
            &[
                ("client_id", "i"),
                ("client_secret", "s"),
                ("client_certificate", ""),
            ],
            "oauth2/auth",
            Some(json!({"client_id": "i", "client_secret": "s"})),
        ),
        (
            "OAUTH2_CC",
            &[
                ("client_private_key", "p"),
                ("client_certificate", "c"),
                ("extra", "e"),
            ],
            "oauth2/auth",
            Some(json!({"client_private_key": "p", "client_certificate": "c"})),
        ),
        (
            "TWO_STEP",
            &[("clientId", "i"), ("org", ""), ("type", "x")],
            "auth/two-step",
            Some(json!({"type": "TWO_STEP", "clientId": "i"})),
        ),
        (
            "JWT",
            &[("privateKey", "p"), ("issuerId", "i")],
            "auth/jwt",
            Some(json!({"privateKey": "p", "issuerId": "i"})),
        ),
        (
            "TBA",
            &[("token_id", "i"), ("token_secret", "s")],
            "auth/tba",
            Some(json!({"token_id": "i", "token_secret": "s"})),
        ),
        (
            "SIGNATURE",
            &[("username", "u"), ("password", "p")],
            "auth/signature",
            Some(json!({"type": "SIGNATURE", "username": "u", "password": "p"})),
        ),
        (
            "BILL",
            &[
                ("username", "u"),
                ("password", "p"),
                ("organization_id", "o"),
                ("dev_key", "d"),
            ],
            "auth/bill",
            Some(json!({"username": "u", "password": "p", "organization_id": "o", "dev_key": "d"})),
        ),
        (
            "AWS_SIGV4",
            &[("role_arn", "r"), ("region", "")],
            "auth/aws-sigv4",
            Some(json!({"role_arn": "r"})),
        ),
        (
            "AWS_SIGV4",
            &[("role_arn", "r"), ("region", "eu-1")],
            "auth/aws-sigv4",
            Some(json!({"role_arn": "r", "region": "eu-1"})),
        ),
        ("NONE", &[("x", "y")], "auth/unauthenticated", None),
    ];
    for (mode, fields, path, body) in cases {
        let made = nango
            .create_with_credentials(&session, mode, &given(fields))
            .await;
        let made = made.unwrap_or_else(|error| panic!("{mode}: {error}"));
        assert_eq!(
            (
                made.connection_id.as_str(),
                made.provider_config_key.as_str()
            ),
            ("c", "k")
        );
        let seen = stub.seen().pop().expect("a request");
        assert_eq!(
            (seen.method.as_str(), seen.path.clone()),
            ("POST", format!("/{path}/my%20key")),
            "{mode}"
        );
        assert_eq!(
            seen.query,
            "connect_session_token=t0ken&params%5Bexternal_id%5D=e%261"
        );
        assert_eq!(
            seen.headers
                .iter()
                .find(|(name, _)| name == "authorization"),
            None
        );
        match body {
            Some(body) => assert_eq!(serde_json::from_slice::<Value>(&seen.body).ok(), Some(body)),
            None => assert!(seen.body.is_empty() && seen.header("content-type").is_none()),
        }
    }
    nango.start_outbound(&session).await.expect("a connection");
    let seen = stub.seen().pop().expect("a request");
    assert_eq!(seen.path, "/auth/oauth-outbound/my%20key");
    assert!(seen.body.is_empty());
    // What is done in a popup has no form.
    let sent = stub.seen().len();
    for mode in ["OAUTH2", "APP", "", "api_key"] {
        let error = nango
            .create_with_credentials(&session, mode, &given(&[]))
            .await
            .unwrap_err();
        assert_eq!(error.code(), Some("invalid_auth_mode"));
    }
    assert_eq!(stub.seen().len(), sent);
}

#[tokio::test]
async fn a_session_says_no_more_than_it_must() {
    let stub = stub().await;
    let nango = stub.service();
    let config = BTreeMap::from([("subdomain".to_owned(), "acme".to_owned())]);
    let none = BTreeMap::new();
    let defaults = json!({"my key": {"connection_config": {"subdomain": "acme"}}});
    let url = Some("https://example.com/hook");
    for (flow, wanted) in [
        (
            flow(&none),
            json!({"tags": {"a": "b"}, "allowed_integrations": ["my key"]}),
        ),
        (
            Flow {
                webhook_url_override: url,
                ..flow(&config)
            },
            json!({
                "tags": {"a": "b"}, "allowed_integrations": ["my key"],
                "integrations_config_defaults": defaults, "webhook_url_override": url,
            }),
        ),
        (
            Flow {
                reconnect: Some("c"),
                ..flow(&none)
            },
            json!({"tags": {"a": "b"}, "connection_id": "c", "integration_id": "my key"}),
        ),
        (
            Flow {
                reconnect: Some("c"),
                webhook_url_override: url,
                ..flow(&config)
            },
            json!({
                "tags": {"a": "b"}, "connection_id": "c", "integration_id": "my key",
                "integrations_config_defaults": defaults, "webhook_url_override": url,
            }),
        ),
    ] {
        nango.create_connection(flow).await.expect("a session");
        let seen = stub.seen().pop().expect("a request");
        assert_eq!(
            serde_json::from_slice::<Value>(&seen.body).ok(),
            Some(wanted)
        );
        assert_eq!(
            seen.header("authorization"),
            Some(format!("Bearer {KEY}").as_str())
        );
    }
}

#[tokio::test]
async fn the_fields_of_a_form_come_in_nangos_order() {
    let body = r##"{"data":{"name":"acme","display_name":"Acme","auth_mode":"TWO_STEP",
        "installation":"outbound","unknown":[1],
        "credentials":{
            "zeta":{"type":"string","title":"Z"},
            "secret":{"type":"string","title":"Secret","description":"d","secret":true,"order":2,"doc_section":"#s"},
            "alpha":{"type":"string","title":"A","order":1,"pattern":"^a$","example":"a","secret":"true"},
            "odd":7},
        "connection_config":{
            "region":{"type":"string","title":"Region","enum":["eu","us"],"default_value":"eu","optional":true,
                "prefix":"https://","suffix":".acme.com","format":"hostname","order":1},
            "appId":{"type":"string","automated":true},
            "old":{"type":"string","hidden":true}}}}"##;
    let stub = Stub::script(vec![Reply::json(200, body)]).await;
    let found = stub.service().provider("acme").await.expect("a provider");
    assert_eq!(
        (found.name.as_str(), found.display_name.as_str()),
        ("acme", "Acme")
    );
    assert_eq!(
        (found.auth_mode.as_str(), found.outbound),
        ("TWO_STEP", true)
    );
    let names: Vec<&str> = found
        .credentials
        .iter()
        .map(|field| field.name.as_str())
        .collect();
    assert_eq!(names, ["alpha", "secret", "zeta", "odd"]);
    let [alpha, secret, zeta, odd] = found.credentials.as_slice() else {
        panic!("four fields");
    };
    assert_eq!(
        (alpha.pattern.as_deref(), alpha.example.as_deref()),
        (Some("^a$"), Some("a"))
    );
    assert!(alpha.secret && secret.secret && !zeta.secret && !zeta.optional);
    assert_eq!(secret.doc_section.as_deref(), Some("#s"));
    assert_eq!((odd.title.as_str(), odd.kind.as_str()), ("odd", "string"));
    let [region, app_id, old] = found.connection_config.as_slice() else {
        panic!("three fields");
    };
    assert_eq!(region.options, ["eu", "us"]);
    assert_eq!(region.default_value.as_deref(), Some("eu"));
    assert_eq!(
        (region.prefix.as_deref(), region.suffix.as_deref()),
        (Some("https://"), Some(".acme.com"))
    );
    assert!(region.optional && region.is_asked() && !app_id.is_asked() && !old.is_asked());
    let bare = Stub::script(vec![Reply::json(
        200,
        r#"{"data":{"name":"n","auth_mode":"NONE"}}"#,
    )])
    .await;
    let found = bare.service().provider("n").await.expect("a provider");
    assert_eq!(found.display_name, "n");
    assert!(found.credentials.is_empty() && found.connection_config.is_empty());
}

#[tokio::test]
async fn a_pending_connection_is_told_from_one_that_is_there() {
    for (config, pending) in [
        (json!({"pending": true, "pendingLog": "1_a"}), true),
        (json!({"pendingLog": null}), false),
        (json!({"portalId": 1}), false),
        (Value::Null, false),
    ] {
        let body = json!({
            "connection_id": "c", "provider_config_key": "k", "created_at": "2026-11-22T06:18:02.487+00:00",
            "tags": null, "errors": [{"type": "auth", "log_id": "l"}], "connection_config": config,
            "credentials": {"type": "OAUTH2", "access_token": "hush"},
        });
        let stub = Stub::script(vec![Reply::json(200, &body.to_string())]).await;
        let state = stub
            .service()
            .connection_state("c", "k")
            .await
            .expect("a state");
        assert_eq!(state.pending, pending, "{config}");
        assert_eq!(
            (state.tags.len(), state.errors[0].kind.as_str()),
            (0, "auth")
        );
        assert_eq!(state.created_at, "2026-11-22T06:18:02.487+00:00");
        assert!(!format!("{state:?}").contains("hush"));
    }
}
