//! Webhooks: the real ones verify and parse, nothing else verifies, and nothing at all panics.

use patchbay::server::nango::{
    signature,
    webhook::{Operation, Webhook, WebhookError},
};
use proptest::prelude::*;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::recordings;

struct Vector {
    key: SecretString,
    signature: String,
    legacy: String,
    body: Vec<u8>,
}

fn vectors() -> Option<Vec<Vector>> {
    let all = recordings::json(&recordings::folder()?.join("webhook-vectors.json"));
    let text = |vector: &Value, name: &str| vector[name].as_str().expect("text").to_owned();
    let all = all.as_array().expect("a list").iter().map(|vector| Vector {
        key: text(vector, "signingKey").into(),
        signature: text(vector, "xNangoHmacSha256"),
        legacy: text(vector, "xNangoSignature"),
        body: text(vector, "rawBody").into_bytes(),
    });
    Some(all.collect())
}

#[test]
fn real_webhooks_verify_and_parse() {
    let Some(vectors) = vectors() else { return };
    assert_eq!(vectors.len(), 22);
    for vector in &vectors {
        assert!(signature::verify(
            &vector.key,
            &vector.body,
            &vector.signature
        ));
        assert_eq!(signature::sign(&vector.key, &vector.body), vector.signature);
        let wanted: Value = serde_json::from_slice(&vector.body).expect("JSON");
        let Webhook::Auth(auth) = Webhook::parse(&vector.body).expect("a webhook") else {
            panic!("no auth webhook: {wanted}");
        };
        let operation = match &auth.operation {
            Operation::Creation => "creation",
            Operation::Override => "override",
            Operation::Refresh => "refresh",
            Operation::Other(other) => panic!("{other}"),
        };
        let error = auth.error.as_ref();
        assert_eq!(
            [
                json!(operation),
                json!(auth.success),
                json!(auth.connection_id),
                json!(auth.provider_config_key),
                json!(auth.provider),
                json!(auth.auth_mode),
                json!(auth.environment),
                json!(auth.tags),
                json!(error.map(|e| json!({"type": e.kind, "description": e.description}))),
            ],
            [
                "operation",
                "success",
                "connectionId",
                "providerConfigKey",
                "provider",
                "authMode",
                "environment",
                "tags",
                "error"
            ]
            .map(|name| wanted[name].clone())
        );
    }
}

#[test]
fn one_bit_changed_anywhere_and_the_signature_is_wrong() {
    let Some(vectors) = vectors() else { return };
    for vector in &vectors {
        let Vector {
            key,
            signature,
            body,
            ..
        } = vector;
        for at in 0..body.len() {
            for bit in 0..8 {
                let mut changed = body.clone();
                changed[at] ^= 1 << bit;
                assert!(
                    !signature::verify(key, &changed, signature),
                    "body {at}:{bit}"
                );
            }
        }
        for at in 0..signature.len() {
            for bit in 0..7 {
                let mut changed = signature.clone().into_bytes();
                changed[at] ^= 1 << bit;
                let changed = String::from_utf8(changed).expect("ASCII");
                assert!(
                    !signature::verify(key, body, &changed),
                    "signature {at}:{bit}"
                );
            }
        }
        let key = secrecy::ExposeSecret::expose_secret(key);
        for at in 0..key.len() {
            for bit in 0..7 {
                let mut changed = key.to_owned().into_bytes();
                changed[at] ^= 1 << bit;
                let changed = String::from_utf8(changed).expect("ASCII").into();
                assert!(
                    !signature::verify(&changed, body, signature),
                    "key {at}:{bit}"
                );
            }
        }
    }
}

#[test]
fn nothing_stands_in_for_the_signature() {
    let Some(vectors) = vectors() else { return };
    for Vector {
        key,
        signature,
        legacy,
        body,
    } in &vectors
    {
        for other in [
            legacy.clone(),
            String::new(),
            signature.to_uppercase(),
            format!(" {signature}"),
            format!("{signature} "),
            format!("sha256={signature}"),
            signature[..62].to_owned(),
            format!("{signature}00"),
        ] {
            assert!(!signature::verify(key, body, &other), "{other:?}");
        }
    }
}

#[test]
fn an_empty_key_signs_nothing() {
    let empty = SecretString::from("");
    // HMAC-SHA256 of nothing with an empty key.
    let known = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad";
    assert!(!signature::verify(&empty, b"", known));
    assert_eq!(signature::sign(&empty, b""), "");
}

#[test]
fn a_sync_webhook_is_read() {
    let ran = json!({
        "from": "nango", "type": "sync", "connectionId": "c", "providerConfigKey": "k",
        "syncName": "contacts", "syncVariant": "base", "model": "Contact", "success": true,
        "modifiedAfter": "2026-11-22T06:00:00.000Z",
        "responseResults": {"added": 1, "updated": 2, "deleted": 0}, "checkpoints": null,
    });
    let Ok(Webhook::Sync(sync)) = Webhook::parse(ran.to_string().as_bytes()) else {
        panic!("no sync");
    };
    assert_eq!(
        (sync.connection_id.as_str(), sync.model.as_str()),
        ("c", "Contact")
    );
    assert_eq!((sync.success, sync.sync_name.as_str()), (true, "contacts"));
    assert_eq!(
        sync.modified_after.as_deref(),
        Some("2026-11-22T06:00:00.000Z")
    );
    let failed = json!({
        "type": "sync", "connectionId": "c", "providerConfigKey": "k", "syncName": "contacts",
        "model": "Contact", "success": false, "startedAt": "a", "failedAt": "b",
        "error": {"type": "script_http_error", "description": "no", "payload": {"x": 1}},
    });
    let Ok(Webhook::Sync(sync)) = Webhook::parse(failed.to_string().as_bytes()) else {
        panic!("no sync");
    };
    let error = sync.error.expect("an error");
    assert_eq!(
        (error.kind.as_str(), error.description.as_str()),
        ("script_http_error", "no")
    );
    assert_eq!(
        (sync.started_at.as_deref(), sync.failed_at.as_deref()),
        (Some("a"), Some("b"))
    );
}

#[test]
fn what_is_new_is_named_and_what_is_broken_is_refused() {
    for (body, wanted) in [
        (r#"{"type":"forward","payload":{}}"#, Ok("forward")),
        (r#"{"type":"async_action"}"#, Ok("async_action")),
        (r#"{"type":7}"#, Ok("")),
        (r#"{}"#, Ok("")),
        (r#"[]"#, Err(WebhookError::NotAnObject)),
        ("", Err(WebhookError::NotAnObject)),
        (r#"{"type":"auth"}"#, Err(WebhookError::Missing("success"))),
        (
            r#"{"type":"auth","success":true,"connectionId":7}"#,
            Err(WebhookError::Missing("connectionId")),
        ),
    ] {
        let found = Webhook::parse(body.as_bytes());
        let wanted = wanted.map(|kind| Webhook::Other {
            kind: kind.to_owned(),
        });
        assert_eq!(found, wanted, "{body}");
    }
    let odd = r#"{"type":"auth","operation":"deletion","success":true,"connectionId":"c",
        "providerConfigKey":"k","tags":{"a":"b","n":1},"error":"text"}"#;
    let Ok(Webhook::Auth(auth)) = Webhook::parse(odd.as_bytes()) else {
        panic!("no auth");
    };
    assert_eq!(auth.operation, Operation::Other("deletion".to_owned()));
    assert_eq!(auth.tags.map(|tags| tags.len()), Some(1));
    assert_eq!(auth.error, None);
}

const REAL: &str = r#"{"authMode":"OAUTH2","connectionId":"84f772ef","environment":"dev","error":{"description":"no","type":"refresh_token_external_error"},"from":"nango","operation":"refresh","provider":"hubspot","providerConfigKey":"hubspot","success":false,"tags":{"end_user_id":"1"},"type":"auth"}"#;

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-zA-Z]{1,6}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..256), header in ".{0,80}") {
        let _ = Webhook::parse(&body);
        prop_assert!(!signature::verify(&"key".into(), &body, &header));
    }

    #[test]
    fn no_damage_makes_it_panic(at in 0..REAL.len(), byte in any::<u8>(), cut in 0..=REAL.len()) {
        let mut body = REAL.as_bytes().to_vec();
        body[at] = byte;
        let _ = Webhook::parse(&body);
        body.truncate(cut);
        let _ = Webhook::parse(&body);
    }

    /// Any field of any type: what is read is what is there, or nothing.
    #[test]
    fn no_odd_field_makes_it_panic(which in 0..11_usize, odd in any_json(), sync in any::<bool>()) {
        let mut body: Value = serde_json::from_str(REAL).expect("JSON");
        let fields = body.as_object_mut().expect("an object");
        let name = fields.keys().nth(which).expect("a field").clone();
        fields.insert(name.clone(), odd.clone());
        if sync {
            fields.insert("type".to_owned(), json!("sync"));
        }
        let parsed = Webhook::parse(body.to_string().as_bytes());
        if name == "success" && !odd.is_boolean() {
            prop_assert_eq!(parsed, Err(WebhookError::Missing("success")));
        } else if let Ok(Webhook::Auth(auth)) = parsed {
            prop_assert_eq!(json!(auth.connection_id), body["connectionId"].clone());
        }
    }

    #[test]
    fn what_is_signed_verifies(key in ".{1,40}", body in prop::collection::vec(any::<u8>(), 0..99)) {
        let key = SecretString::from(key);
        let signature = signature::sign(&key, &body);
        prop_assert!(signature::verify(&key, &body, &signature));
    }
}
