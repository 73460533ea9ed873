//! The flows without a popup: credentials typed into the product's own form. They are checked and
//! forgotten: people type real ones here by mistake.
//!
//! May import the sandbox's `answers`, `call`, `oauth`, `pending`, `providers`, `state`
//! and `validate`.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use serde_json::{Map, Value, json};

use super::{
    Integration,
    answers::{self, Answer, Refusal},
    call::Call,
    oauth, pending, providers,
    state::{Authorized, Sandbox, Session},
    validate::{self, Issues},
};

/// Longer than anybody waits.
const SILENCE: Duration = Duration::from_secs(120);

/// Whether the pretend provider turns this credential or account down: it says "wrong".
pub fn refused(credential: &str) -> bool {
    credential.to_lowercase().contains("wrong")
}

pub async fn api_key(
    State(sandbox): State<Arc<Sandbox>>,
    Path(key): Path<String>,
    call: Call,
) -> Answer {
    connect(&sandbox, &call, &key, "API_KEY", |issues, body| {
        required(issues, body, &["apiKey"])
    })
}

pub async fn basic(
    State(sandbox): State<Arc<Sandbox>>,
    Path(key): Path<String>,
    call: Call,
) -> Answer {
    connect(&sandbox, &call, &key, "BASIC", |issues, body| {
        let username = issues.possibly_empty(body, "username", &[], true);
        let password = issues.possibly_empty(body, "password", &[], true);
        strict(issues, body, &["username", "password"]);
        let decides = password.filter(|p| !p.is_empty()).or(username);
        decides.into_iter().collect()
    })
}

pub async fn client_credentials(
    State(sandbox): State<Arc<Sandbox>>,
    Path(key): Path<String>,
    call: Call,
) -> Answer {
    const SECRETS: [&str; 3] = ["client_secret", "client_private_key", "client_certificate"];
    connect(&sandbox, &call, &key, "OAUTH2_CC", |issues, body| {
        issues.string(body, "client_id", &[], true);
        let needed = !body.contains_key("client_private_key");
        let secret = issues.string(body, "client_secret", &[], needed);
        let private = issues.string(body, "client_private_key", &[], false);
        issues.string(body, "client_certificate", &[], false);
        let known: Vec<&str> = SECRETS.into_iter().chain(["client_id"]).collect();
        strict(issues, body, &known);
        secret.or(private).into_iter().collect()
    })
}

/// Whatever fields the provider names; Nango takes any others too.
pub async fn two_step(
    State(sandbox): State<Arc<Sandbox>>,
    Path(key): Path<String>,
    call: Call,
) -> Answer {
    connect_loosely(&sandbox, &call, &key, "TWO_STEP")
}

pub async fn jwt(
    State(sandbox): State<Arc<Sandbox>>,
    Path(key): Path<String>,
    call: Call,
) -> Answer {
    connect_loosely(&sandbox, &call, &key, "JWT")
}

pub async fn tba(
    State(sandbox): State<Arc<Sandbox>>,
    Path(key): Path<String>,
    call: Call,
) -> Answer {
    const CLIENT: [&str; 2] = ["oauth_client_id_override", "oauth_client_secret_override"];
    connect(&sandbox, &call, &key, "TBA", |issues, body| {
        let id = issues.string(body, "token_id", &[], true);
        let secret = issues.string(body, "token_secret", &[], true);
        for name in CLIENT {
            issues.possibly_empty(body, name, &[], false);
        }
        strict(
            issues,
            body,
            &["token_id", "token_secret", CLIENT[0], CLIENT[1]],
        );
        id.into_iter().chain(secret).collect()
    })
}

pub async fn signature(
    State(sandbox): State<Arc<Sandbox>>,
    Path(key): Path<String>,
    call: Call,
) -> Answer {
    connect(&sandbox, &call, &key, "SIGNATURE", |issues, body| {
        required(issues, body, &["username", "password", "type"])
    })
}

pub async fn bill(
    State(sandbox): State<Arc<Sandbox>>,
    Path(key): Path<String>,
    call: Call,
) -> Answer {
    let mut fails = false;
    let answer = connect(&sandbox, &call, &key, "BILL", |issues, body| {
        let names = ["username", "password", "organization_id", "dev_key"];
        let given = required(issues, body, &names);
        fails = given.iter().any(|credential| refused(credential));
        given
    });
    // Where the login fails Nango sends no answer at all: the caller gives up, and this with it.
    if fails && answer.is_err() {
        tokio::time::sleep(SILENCE).await;
    }
    answer
}

/// The role to assume. Region and external id stay as they were at the first connect: the role's
/// own policy depends on them.
pub async fn aws_sigv4(
    State(sandbox): State<Arc<Sandbox>>,
    Path(key): Path<String>,
    call: Call,
) -> Answer {
    let (_, session) = call.session_in_query(&sandbox)?;
    let body = validate::object(call.body.as_ref())?;
    let mut issues = Issues::default();
    let role = issues.string(body, "role_arn", &[], true);
    let region = issues.string(body, "region", &[], false);
    if let Some(region) = region.as_deref() {
        check_region(&mut issues, region);
    }
    strict(&mut issues, body, &["role_arn", "region"]);
    issues.refuse_body()?;
    admit(&sandbox, &session, &key, "AWS_SIGV4")?;
    let role = role.unwrap_or_default();
    accepted("AWS_SIGV4", std::slice::from_ref(&role))?;
    let before = session.reconnects.as_ref().and_then(|id| {
        sandbox.read(|state| Some(state.connection(id, &key)?.connection_config.clone()))
    });
    let given = oauth::connection_config(&call, &session, &key);
    let word = |config: &Map<String, Value>, name: &str| {
        let text = config.get(name)?.as_str()?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let kept = |name: &str| before.as_ref().and_then(|config| word(config, name));
    let region = kept("region")
        .or(region)
        .or_else(|| word(&given, "region"))
        .unwrap_or_else(|| "us-east-1".to_owned());
    let external_id = kept("external_id")
        .or_else(|| word(&given, "external_id").filter(|id| uuid::Uuid::try_parse(id).is_ok()))
        .unwrap_or_else(|| sandbox.clock.random_id().to_string());
    let mut more = Map::new();
    for (name, value) in [
        ("external_id", external_id),
        ("role_arn", role),
        ("region", region),
        ("service", "s3".to_owned()),
    ] {
        more.insert(name.to_owned(), Value::String(value));
    }
    complete(&sandbox, &call, &key, &session, more, json!({}))
}

pub async fn unauthenticated(
    State(sandbox): State<Arc<Sandbox>>,
    Path(key): Path<String>,
    call: Call,
) -> Answer {
    let (_, session) = call.session_in_query(&sandbox)?;
    let mut issues = Issues::default();
    if let Some(Value::Object(body)) = &call.body {
        strict(&mut issues, body, &[]);
    }
    issues.refuse_body()?;
    admit(&sandbox, &session, &key, "NONE")?;
    complete(&sandbox, &call, &key, &session, Map::new(), Value::Null)
}

/// An installation that starts on the provider's side: the connection waits for it. Nango asks for
/// nothing but the auth mode, so other providers' connections can be left waiting for ever.
pub async fn oauth_outbound(
    State(sandbox): State<Arc<Sandbox>>,
    Path(key): Path<String>,
    call: Call,
) -> Answer {
    let (_, session) = call.session_in_query(&sandbox)?;
    admit(&sandbox, &session, &key, "OAUTH2")?;
    let more = pending::waiting(sandbox.log_id());
    complete(&sandbox, &call, &key, &session, more, Value::Null)
}

/// Fields that must be there, and no others.
fn required(issues: &mut Issues, body: &Map<String, Value>, names: &[&str]) -> Vec<String> {
    let given = names
        .iter()
        .filter_map(|name| Some((*name, issues.string(body, name, &[], true)?)))
        // A name is no secret: whoever signs in decides by what only they know.
        .filter(|(name, _)| !matches!(*name, "type" | "username"))
        .map(|(_, value)| value)
        .collect();
    strict(issues, body, names);
    given
}

fn check_region(issues: &mut Issues, region: &str) {
    let path = || validate::path(&["region"]);
    validate::longest(issues, region, 64, path());
    let sound = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-');
    if !region.chars().all(sound) {
        let message = "AWS region must contain only lowercase letters, digits, and hyphens";
        issues.push("invalid_format", message, path());
    }
}

fn strict(issues: &mut Issues, body: &Map<String, Value>, known: &[&str]) {
    issues.unrecognized(
        body.keys().map(String::as_str),
        known,
        validate::Path::new(),
    );
}

/// `read` checks the body and gives the credentials that decide.
fn connect(
    sandbox: &Sandbox,
    call: &Call,
    key: &str,
    auth_mode: &str,
    read: impl FnOnce(&mut Issues, &Map<String, Value>) -> Vec<String>,
) -> Answer {
    let (_, session) = call.session_in_query(sandbox)?;
    let body = validate::object(call.body.as_ref())?;
    let mut issues = Issues::default();
    let decisive = read(&mut issues, body);
    issues.refuse_body()?;
    admit(sandbox, &session, key, auth_mode)?;
    accepted(auth_mode, &decisive)?;
    complete(sandbox, call, key, &session, Map::new(), json!({}))
}

/// For the modes whose fields only the provider knows.
fn connect_loosely(sandbox: &Sandbox, call: &Call, key: &str, auth_mode: &str) -> Answer {
    let (_, session) = call.session_in_query(sandbox)?;
    let body = validate::object(call.body.as_ref())?;
    let integration = admit(sandbox, &session, key, auth_mode)?;
    let mut issues = Issues::default();
    for name in providers::required_credentials(&integration.provider) {
        issues.string(body, name, &[], true);
    }
    issues.refuse_body()?;
    let decisive: Vec<String> = body
        .values()
        .filter_map(|value| value.as_str().map(str::to_owned))
        .collect();
    accepted(auth_mode, &decisive)?;
    complete(sandbox, call, key, &session, Map::new(), json!({}))
}

/// Whether this session may start such a flow with this integration.
fn admit(
    sandbox: &Sandbox,
    session: &Session,
    key: &str,
    auth_mode: &str,
) -> Result<Integration, Refusal> {
    validate::key_in_path(key, "providerConfigKey")?;
    let Some(stored) = sandbox.read(|state| state.integrations.get(key).cloned()) else {
        return Err(answers::code(
            StatusCode::NOT_FOUND,
            "unknown_provider_config",
        ));
    };
    if stored.integration.auth_mode != auth_mode {
        return Err(answers::code(StatusCode::BAD_REQUEST, "invalid_auth_mode"));
    }
    if !session.allows(key) {
        return Err(oauth::not_allowed());
    }
    oauth::still_there(sandbox, session)?;
    Ok(stored.integration)
}

/// How Nango says no differs from mode to mode, and not always with a 4xx.
fn accepted(auth_mode: &str, credentials: &[String]) -> Result<(), Refusal> {
    if !credentials.iter().any(|credential| refused(credential)) {
        return Ok(());
    }
    let (status, code, text) = match auth_mode {
        "OAUTH2_CC" => (
            StatusCode::BAD_REQUEST,
            "client_credentials_fetch_error",
            "Failed to fetch client credentials token: \"{\\n  \\\"error\\\": \\\"invalid_client\\\"\\n}\"",
        ),
        "TWO_STEP" => (
            StatusCode::BAD_REQUEST,
            "two_step_credentials_fetch_error",
            "Error fetching Two Step credentials Error: Response Error: 401 Unauthorized",
        ),
        // Nango forgets the status here.
        "TBA" => (
            StatusCode::OK,
            "invalid_credentials",
            "The provided credentials did not succeed in a test API call",
        ),
        "AWS_SIGV4" => (
            StatusCode::BAD_GATEWAY,
            "aws_sigv4_sts_request_failed",
            "Failed to retrieve AWS credentials from the configured STS endpoint.",
        ),
        // As a key that cannot be signed with.
        "JWT" => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "failed_to_generate",
            "secretOrPrivateKey must be an asymmetric key when using ES256",
        ),
        _ => return provider_accepts(credentials),
    };
    Err(answers::message(status, code, text))
}

/// The call with which Nango tries credentials out.
pub fn provider_accepts(credentials: &[String]) -> Result<(), Refusal> {
    if !credentials.iter().any(|credential| refused(credential)) {
        return Ok(());
    }
    Err(answers::message(
        StatusCode::BAD_REQUEST,
        "connection_test_failed",
        "The given credentials were found to be invalid. Please check the credentials and try again.",
    ))
}

fn complete(
    sandbox: &Sandbox,
    call: &Call,
    key: &str,
    session: &Session,
    more: Map<String, Value>,
    metadata: Value,
) -> Answer {
    let connection_id = session
        .reconnects
        .clone()
        .unwrap_or_else(|| sandbox.clock.random_id().to_string());
    // Required fields are not checked here, the real one does not either.
    let mut connection_config = oauth::connection_config(call, session, key);
    connection_config.extend(more);
    let now = sandbox.clock.now();
    sandbox.change(|state| {
        state.authorize(
            Authorized {
                integration: key,
                connection_id: &connection_id,
                session: Some(session),
                connection_config,
                metadata,
            },
            now,
        );
    });
    let body = json!({"connectionId": connection_id, "providerConfigKey": key});
    Ok(answers::ok(&body))
}
