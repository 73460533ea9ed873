//! Typed credentials: they pass through memory on their way to Nango and are kept nowhere here.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::{NangoError, NangoService, client::NO_BODY, sessions::Session, wire::Created};

/// What a person typed, by Nango's name of the field. Redacted in `Debug`.
pub type Credentials = BTreeMap<String, SecretString>;

/// Which of the typed fields an endpoint takes.
enum Fields {
    /// These, empty where they were not given: Nango wants them said.
    All(&'static [&'static str]),
    /// These, as far as they were given: Nango refuses unknown ones.
    Given(&'static [&'static str]),
    /// Whatever the provider asks for.
    Providers,
    /// No body at all.
    Nothing,
}

/// Where the credentials of an auth mode go.
struct Endpoint {
    path: [&'static str; 2],
    fields: Fields,
    /// `type` in the body.
    tag: Option<&'static str>,
}

impl Endpoint {
    fn of(auth_mode: &str) -> Option<Self> {
        use Fields::{All, Given, Nothing, Providers};
        let (path, fields) = match auth_mode {
            "API_KEY" => (["api-auth", "api-key"], All(&["apiKey"])),
            "BASIC" => (["api-auth", "basic"], All(&["username", "password"])),
            "OAUTH2_CC" => (
                ["oauth2", "auth"],
                Given(&[
                    "client_id",
                    "client_secret",
                    "client_private_key",
                    "client_certificate",
                ]),
            ),
            "TWO_STEP" => (["auth", "two-step"], Providers),
            "JWT" => (["auth", "jwt"], Providers),
            "TBA" => (["auth", "tba"], Given(&["token_id", "token_secret"])),
            "SIGNATURE" => (["auth", "signature"], Given(&["username", "password"])),
            "BILL" => (
                ["auth", "bill"],
                Given(&["username", "password", "organization_id", "dev_key"]),
            ),
            "AWS_SIGV4" => (["auth", "aws-sigv4"], Given(&["role_arn", "region"])),
            "NONE" => (["auth", "unauthenticated"], Nothing),
            _ => return None,
        };
        let tag = match auth_mode {
            "TWO_STEP" => Some("TWO_STEP"),
            "SIGNATURE" => Some("SIGNATURE"),
            _ => None,
        };
        Some(Self { path, fields, tag })
    }

    fn body(&self, credentials: &Credentials) -> Option<Map<String, Value>> {
        let mut body = Map::new();
        let value = |name: &str| {
            credentials
                .get(name)
                .map_or("", ExposeSecret::expose_secret)
        };
        let mut put = |name: &str, value: &str| {
            body.insert(name.to_owned(), Value::from(value));
        };
        match self.fields {
            Fields::Nothing => return None,
            Fields::All(names) => names.iter().for_each(|name| put(name, value(name))),
            Fields::Given(names) => names
                .iter()
                .filter(|name| !value(name).is_empty())
                .for_each(|name| put(name, value(name))),
            Fields::Providers => credentials
                .iter()
                .map(|(name, value)| (name, value.expose_secret()))
                .filter(|(_, value)| !value.is_empty())
                .for_each(|(name, value)| put(name, value)),
        }
        if let Some(tag) = self.tag {
            put("type", tag);
        }
        Some(body)
    }
}

impl NangoService {
    /// Hands typed credentials to Nango, which checks and keeps them. It is never tried twice.
    pub async fn create_with_credentials(
        &self,
        session: &Session,
        auth_mode: &str,
        credentials: &Credentials,
    ) -> Result<Created, NangoError> {
        let Some(endpoint) = Endpoint::of(auth_mode) else {
            return Err(NangoError::Refused {
                status: 400,
                code: "invalid_auth_mode".to_owned(),
                message: format!("no form for {auth_mode}"),
            });
        };
        let [area, method] = endpoint.path;
        let url = session.endpoint(&[area, method, &session.provider_config_key]);
        let secrets: Vec<&str> = credentials
            .values()
            .map(ExposeSecret::expose_secret)
            .chain([session.token.expose_secret()])
            .collect();
        let body = endpoint.body(credentials);
        self.start(url, body.as_ref(), &secrets).await
    }

    /// Begins an installation that somebody finishes at the provider's own site: the connection
    /// is there at once, and pending.
    pub async fn start_outbound(&self, session: &Session) -> Result<Created, NangoError> {
        let url = session.endpoint(&["auth", "oauth-outbound", &session.provider_config_key]);
        self.start(url, NO_BODY, &[session.token.expose_secret()])
            .await
    }
}
