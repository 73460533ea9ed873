//! One OpenID Connect provider: discovery, the way there, and what it says of whoever comes back.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use openidconnect::{
    AccessToken, AuthType, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret,
    CsrfToken, EmptyAdditionalClaims, EndpointMaybeSet, EndpointNotSet, EndpointSet, IssuerUrl,
    Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, SignatureVerificationError, TokenResponse,
    core::{
        CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreGenderClaim, CoreIdToken,
        CoreIdTokenClaims, CoreIdTokenVerifier, CoreJsonWebKeySet, CoreJwsSigningAlgorithm,
        CoreProviderMetadata,
    },
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::{
    Person,
    http::{FetchError, Http},
    is_subject,
    kept::Kept,
    shown, shown_email,
};
use crate::{domain::timestamp::Timestamp, server::clock::Clock};

/// How far our clock and the provider's may be apart, in seconds.
const SKEW: i64 = 60;
/// An ID token is made for this very sign-in.
const OLDEST_TOKEN: i64 = 600;

/// Key pairs only: with a shared secret whoever reads our settings could sign in as anybody.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

#[derive(Clone, Debug)]
pub struct Settings {
    pub id: String,
    pub name: String,
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Option<SecretString>,
    pub scopes: Vec<String>,
    /// Where the provider sends people back to.
    pub redirect: Url,
}

#[derive(Debug)]
pub struct Provider {
    pub settings: Settings,
    http: Http,
    clock: Clock,
    known: Kept<Known>,
}

/// What the provider publishes.
#[derive(Debug)]
struct Known {
    metadata: CoreProviderMetadata,
    keys: CoreJsonWebKeySet,
    /// It names itself in every answer (RFC 9207).
    names_itself: bool,
}

#[derive(Deserialize)]
struct More {
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// What only this server knows of a sign-in that has begun.
#[derive(Clone)]
pub struct Secrets {
    pub state: String,
    pub nonce: String,
    pub verifier: String,
}

/// Why nobody is let in.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("the provider: {0}")]
    Fetch(#[from] FetchError),
    #[error("the provider's document: {0}")]
    Document(String),
    /// OAuth's word, as the token endpoint said it.
    #[error("the token endpoint refuses: {0}")]
    Exchange(String),
    #[error("the token endpoint's answer: {0}")]
    Answer(&'static str),
    #[error("the ID token: {0}")]
    Token(String),
    /// Expired, or of the future.
    #[error("the ID token's time: {0}")]
    Time(String),
    /// The answer is of another provider.
    #[error("the answer names another issuer")]
    MixUp,
}

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

impl Provider {
    pub fn new(settings: Settings, http: Http, clock: Clock) -> Self {
        Self {
            settings,
            http,
            clock,
            known: Kept::default(),
        }
    }

    /// Where to send the person, and what to keep until they come back.
    pub async fn start(&self) -> Result<(Url, Secrets), Refused> {
        let known = self.known().await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let client = self.client(&known)?;
        // The library makes its secrets of the operating system's randomness itself.
        let (url, state, nonce) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .add_scopes(self.settings.scopes.iter().cloned().map(Scope::new))
            .set_pkce_challenge(challenge)
            .url();
        let secrets = Secrets {
            state: state.into_secret(),
            nonce: nonce.secret().clone(),
            verifier: verifier.into_secret(),
        };
        Ok((url, secrets))
    }

    /// Whether an answer with this `iss` may be this provider's (RFC 9207).
    pub async fn is_answer_of(&self, iss: Option<&str>) -> Result<(), Refused> {
        match iss {
            Some(iss) if iss == self.settings.issuer => Ok(()),
            Some(_) => Err(Refused::MixUp),
            None if self.known().await?.names_itself => Err(Refused::MixUp),
            None => Ok(()),
        }
    }

    /// Exchanges the code, and checks what comes.
    pub async fn finish(&self, code: String, secrets: &Secrets) -> Result<Person, Refused> {
        let known = self.known().await?;
        let answer = self
            .client(&known)?
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|_| Refused::Document("names no token endpoint".to_owned()))?
            .set_pkce_verifier(PkceCodeVerifier::new(secrets.verifier.clone()))
            .request_async(&self.http)
            .await
            .map_err(|error| match error {
                RequestTokenError::ServerResponse(said) => {
                    Refused::Exchange(said.error().to_string())
                }
                RequestTokenError::Request(error) => Refused::Fetch(error),
                // Neither may be shown: a parse error quotes what it could not read.
                RequestTokenError::Parse(..) => Refused::Answer("it cannot be read"),
                RequestTokenError::Other(_) => Refused::Answer("it is empty"),
            })?;
        let token = answer
            .id_token()
            .ok_or(Refused::Answer("it holds no ID token"))?;
        let claims = self.claims(&known, token, &secrets.nonce).await?;
        self.person(&known, claims, answer.access_token()).await
    }

    async fn known(&self) -> Result<Arc<Known>, FetchError> {
        let now = self.clock.now();
        self.known.get(now, || self.discover()).await
    }

    async fn discover(&self) -> Result<Known, FetchError> {
        let provider = self.settings.id.as_str();
        let fetched = self.fetch().await;
        fetched.inspect_err(|error| tracing::warn!(provider, %error, "discovery failed"))
    }

    async fn fetch(&self) -> Result<Known, FetchError> {
        let wrong = |what: &str| FetchError::Unreadable(what.to_owned());
        let address = format!(
            "{}/.well-known/openid-configuration",
            self.settings.issuer.trim_end_matches('/')
        );
        let address = Url::parse(&address).map_err(|_| wrong("the issuer is no address"))?;
        let document: Value = self.http.json(&address).await?;
        let shape = |_| wrong("the discovery document lacks something");
        let metadata: CoreProviderMetadata =
            serde_json::from_value(document.clone()).map_err(shape)?;
        let more: More = serde_json::from_value(document).map_err(shape)?;
        if metadata.issuer().as_str() != self.settings.issuer {
            return Err(wrong("the discovery document is another issuer's"));
        }
        let here = address.scheme();
        let addresses = [
            Some(metadata.authorization_endpoint().url()),
            metadata.token_endpoint().map(|to| to.url()),
            metadata.userinfo_endpoint().map(|to| to.url()),
            Some(metadata.jwks_uri().url()),
        ];
        for to in addresses.into_iter().flatten() {
            // Plain http stays on this machine, where the issuer itself is.
            if to.scheme() != "https" && (here != "http" || to.host() != address.host()) {
                return Err(wrong(
                    "the discovery document leads to an address without https",
                ));
            }
        }
        let keys = self.http.json(metadata.jwks_uri().url()).await?;
        Ok(Known {
            metadata,
            keys,
            names_itself: more.authorization_response_iss_parameter_supported,
        })
    }

    fn client(&self, known: &Known) -> Result<Client, Refused> {
        let secret = self.settings.client_secret.as_ref();
        let client = CoreClient::from_provider_metadata(
            known.metadata.clone(),
            ClientId::new(self.settings.client_id.clone()),
            secret.map(|secret| ClientSecret::new(secret.expose_secret().to_owned())),
        );
        let methods = known.metadata.token_endpoint_auth_methods_supported();
        let basic = methods.is_none_or(|all| {
            all.contains(&CoreClientAuthMethod::ClientSecretBasic)
                || !all.contains(&CoreClientAuthMethod::ClientSecretPost)
        });
        let way = if basic {
            AuthType::BasicAuth
        } else {
            AuthType::RequestBody
        };
        Ok(client
            .set_auth_type(way)
            .set_redirect_uri(RedirectUrl::from_url(self.settings.redirect.clone())))
    }

    /// The token's claims; a key that is not known is looked for once more.
    async fn claims<'t>(
        &self,
        known: &Arc<Known>,
        token: &'t CoreIdToken,
        nonce: &str,
    ) -> Result<&'t CoreIdTokenClaims, Refused> {
        let nonce = Nonce::new(nonce.to_owned());
        let now = self.clock.now();
        let first = token.claims(&self.verifier(&known.keys, now)?, &nonce);
        let checked = match first {
            // A new key, or an old name with a new key behind it.
            Err(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey
                | SignatureVerificationError::CryptoError(_),
            )) => match self.known.newer(known, now, || self.discover()).await {
                Some(newer) => token.claims(&self.verifier(&newer.keys, now)?, &nonce),
                None => first,
            },
            checked => checked,
        };
        let claims = checked.map_err(|error| match error {
            ClaimsVerificationError::Expired(why) => Refused::Time(why),
            ClaimsVerificationError::Other(why) => Refused::Time(why),
            ClaimsVerificationError::SignatureVerification(why) => Refused::Token(why.to_string()),
            error => Refused::Token(error.to_string()),
        })?;
        let party = claims.authorized_party();
        if party.is_some_and(|party| party.as_str() != self.settings.client_id) {
            return Err(Refused::Token("it was made for another client".to_owned()));
        }
        Ok(claims)
    }

    fn verifier(
        &self,
        keys: &CoreJsonWebKeySet,
        now: Timestamp,
    ) -> Result<CoreIdTokenVerifier<'static>, Refused> {
        let issuer = IssuerUrl::new(self.settings.issuer.clone())
            .map_err(|_| Refused::Document("the issuer is no address".to_owned()))?;
        let client = ClientId::new(self.settings.client_id.clone());
        let seconds = now.0.div_euclid(1000);
        let expiry = DateTime::<Utc>::from_timestamp(seconds - SKEW, 0).unwrap_or_default();
        Ok(
            CoreIdTokenVerifier::new_public_client(client, issuer, keys.clone())
                .set_allowed_algs(ALGORITHMS)
                .set_time_fn(move || expiry)
                .set_issue_time_verifier_fn(move |issued| {
                    let age = seconds - issued.timestamp();
                    if age < -SKEW {
                        Err(format!("issued {} s in the future", -age))
                    } else if age > OLDEST_TOKEN + SKEW {
                        Err(format!("issued {age} s ago"))
                    } else {
                        Ok(())
                    }
                }),
        )
    }

    /// Who it is. Providers may keep the name for the userinfo endpoint; without it the person is
    /// let in nevertheless.
    async fn person(
        &self,
        known: &Known,
        claims: &CoreIdTokenClaims,
        access: &AccessToken,
    ) -> Result<Person, Refused> {
        let subject = claims.subject();
        if !is_subject(subject) {
            return Err(Refused::Token("its subject names nobody".to_owned()));
        }
        let localized = claims.name().and_then(|name| name.get(None));
        let name = localized.and_then(|name| shown(name));
        let nick = claims.preferred_username().and_then(|name| shown(name));
        let mut name = name.or(nick);
        let mut email = claims.email().and_then(|email| shown_email(email));
        let told = name.is_some() || known.metadata.userinfo_endpoint().is_none();
        if !told && let Some(more) = self.userinfo(known, claims, access).await {
            let localized = more.name().and_then(|name| name.get(None));
            let nick = more.preferred_username().and_then(|name| shown(name));
            name = localized.and_then(|name| shown(name)).or(nick);
            email = email.or_else(|| more.email().and_then(|email| shown_email(email)));
        }
        Ok(Person {
            issuer: self.settings.issuer.clone(),
            subject: subject.to_string(),
            name,
            email,
        })
    }

    async fn userinfo(
        &self,
        known: &Known,
        claims: &CoreIdTokenClaims,
        access: &AccessToken,
    ) -> Option<openidconnect::UserInfoClaims<EmptyAdditionalClaims, CoreGenderClaim>> {
        // Only of the same subject: OpenID Connect Core, section 5.3.2.
        let subject = Some(claims.subject().clone());
        let client = self.client(known).ok()?;
        let request = client.user_info(access.clone(), subject).ok()?;
        match request.request_async(&self.http).await {
            Ok(told) => Some(told),
            Err(_) => {
                let provider = self.settings.id.as_str();
                tracing::info!(provider, "the userinfo endpoint gave no name");
                None
            }
        }
    }
}
