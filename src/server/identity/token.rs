//! The host product's own token: a JWT (RFC 7519) that is checked as RFC 8725 asks for.

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, Header, Validation, decode, decode_header,
    errors::ErrorKind,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse},
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

/// How far our clock and the issuer's may be apart, in seconds.
const LEEWAY: f64 = 30.0;
/// So long is a token at the most.
const MAX_TOKEN: usize = 8 * 1024;
/// NIST SP 800-131A: shorter RSA keys are broken before they are changed. In bytes.
const MIN_RSA: usize = 256;
/// So many keys of a set are looked at.
const MAX_KEYS: usize = 100;

pub enum Keys {
    Jwks(Url),
    Secret(SecretString),
}

pub struct Settings {
    pub issuer: String,
    pub audience: String,
    pub keys: Keys,
    pub algorithms: Vec<Algorithm>,
    /// The claim that holds the person's name.
    pub name_claim: String,
}

pub struct Verifier {
    settings: Settings,
    secret: Option<DecodingKey>,
    http: Http,
    clock: Clock,
    jwks: Kept<Vec<Key>>,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}

/// A key of the set that may check signatures.
struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// A token that is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub person: Person,
    pub expires_at: Timestamp,
}

/// Why a token is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("{0}")]
    Token(&'static str),
    /// It may be good: nobody can say.
    #[error("the keys: {0}")]
    Keys(FetchError),
}

#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    /// NumericDate may have a fraction (RFC 7519, section 2).
    exp: Option<f64>,
    nbf: Option<f64>,
    email: Option<Value>,
    #[serde(flatten)]
    more: serde_json::Map<String, Value>,
}

impl Verifier {
    pub fn new(settings: Settings, http: Http, clock: Clock) -> Self {
        let secret = match &settings.keys {
            Keys::Secret(secret) => {
                Some(DecodingKey::from_secret(secret.expose_secret().as_bytes()))
            }
            Keys::Jwks(_) => None,
        };
        Self {
            settings,
            secret,
            http,
            clock,
            jwks: Kept::default(),
        }
    }

    pub async fn verify(&self, token: &str) -> Result<Verified, Refused> {
        if token.len() > MAX_TOKEN {
            return Err(Refused::Token("it is too long"));
        }
        let header = decode_header(token).map_err(|_| Refused::Token("it is no signed JWT"))?;
        if !self.settings.algorithms.contains(&header.alg) {
            return Err(Refused::Token(
                "its algorithm is not one of TOKEN_ALGORITHMS",
            ));
        }
        if header.crit.is_some() {
            return Err(Refused::Token(
                "it has a critical header that is not understood",
            ));
        }
        let claims = self.claims(token, &header).await?;
        self.checked(claims)
    }

    async fn claims(&self, token: &str, header: &Header) -> Result<Claims, Refused> {
        let validation = self.validation(header.alg);
        let read = |key: &DecodingKey| decode::<Claims>(token, key, &validation);
        if let Some(secret) = &self.secret {
            return read(secret).map(|token| token.claims).map_err(|e| said(&e));
        }
        let now = self.clock.now();
        let keys = self.jwks.get(now, || self.fetch()).await;
        let mut keys = keys.map_err(Refused::Keys)?;
        let mut found = find(&keys, header);
        if matches!(found, Err(Missing::Unknown))
            && let Some(newer) = self.jwks.newer(&keys, now, || self.fetch()).await
        {
            keys = newer;
            found = find(&keys, header);
        }
        let key = found.map_err(|missing| Refused::Token(missing.reason()))?;
        let first = read(&key.key);
        // An old name with a new key behind it.
        if first.as_ref().is_err_and(is_forged)
            && let Some(newer) = self.jwks.newer(&keys, now, || self.fetch()).await
            && let Ok(key) = find(&newer, header)
        {
            return read(&key.key)
                .map(|token| token.claims)
                .map_err(|e| said(&e));
        }
        first.map(|token| token.claims).map_err(|e| said(&e))
    }

    /// Times are looked at by our own clock, in `checked`.
    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.validate_exp = false;
        validation.set_issuer(&[&self.settings.issuer]);
        validation.set_audience(&[&self.settings.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation
    }

    fn checked(&self, claims: Claims) -> Result<Verified, Refused> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds since 1970 fit until the year 287396"
        )]
        let now = self.clock.now().0 as f64 / 1000.0;
        if claims.iss.as_ref() != Some(&self.settings.issuer) {
            return Err(Refused::Token("it is of another issuer"));
        }
        let exp = claims.exp.ok_or(Refused::Token("it never expires"))?;
        if !exp.is_finite() || now >= exp + LEEWAY {
            return Err(Refused::Token("it has expired"));
        }
        if claims.nbf.is_some_and(|nbf| nbf > now + LEEWAY) {
            return Err(Refused::Token("it is not valid yet"));
        }
        let subject = claims.sub.filter(|subject| is_subject(subject));
        let subject = subject.ok_or(Refused::Token("its subject names nobody"))?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let email = claims.email.as_ref().and_then(text);
        let name = if self.settings.name_claim == "email" {
            email.clone()
        } else {
            claims.more.get(&self.settings.name_claim).and_then(text)
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float becomes the nearest integer there is"
        )]
        let expires_at = Timestamp(((exp + LEEWAY) * 1000.0) as i64);
        Ok(Verified {
            person: Person {
                issuer: self.settings.issuer.clone(),
                subject,
                name: name.as_deref().and_then(shown),
                email: email.as_deref().and_then(shown_email),
            },
            expires_at,
        })
    }

    async fn fetch(&self) -> Result<Vec<Key>, FetchError> {
        let fetched = self.fetch_keys().await;
        fetched.inspect_err(|error| tracing::warn!(%error, "TOKEN_JWKS_URL gives no keys"))
    }

    async fn fetch_keys(&self) -> Result<Vec<Key>, FetchError> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let Keys::Jwks(url) = &self.settings.keys else {
            return Ok(Vec::new());
        };
        let set: Set = self.http.json(url).await?;
        // What is not understood is somebody else's: a set may hold keys of any kind.
        let known = set.keys.into_iter().take(MAX_KEYS);
        let known = known.filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        Ok(known
            .filter_map(|jwk| {
                let algorithms = algorithms(&jwk, &self.settings.algorithms);
                let key = DecodingKey::from_jwk(&jwk).ok()?;
                let id = jwk.common.key_id;
                (!algorithms.is_empty()).then_some(Key {
                    id,
                    algorithms,
                    key,
                })
            })
            .collect())
    }
}

/// The algorithms, of those that are allowed, that a key is meant for by its own words. Never one
/// of a shared secret: whoever reads the set could sign with it.
fn algorithms(jwk: &Jwk, allowed: &[Algorithm]) -> Vec<Algorithm> {
    let common = &jwk.common;
    let signs = common
        .public_key_use
        .as_ref()
        .is_none_or(|usage| *usage == PublicKeyUse::Signature);
    let verifies = common
        .key_operations
        .as_ref()
        .is_none_or(|all| all.contains(&KeyOperations::Verify));
    if !signs || !verifies {
        return Vec::new();
    }
    let fits = |algorithm: Algorithm| match (&jwk.algorithm, algorithm.family()) {
        (AlgorithmParameters::RSA(key), AlgorithmFamily::Rsa) => {
            // Base64 has four letters for three bytes.
            key.n.trim_end_matches('=').len() * 3 / 4 >= MIN_RSA
        }
        (AlgorithmParameters::EllipticCurve(key), AlgorithmFamily::Ec) => matches!(
            (&key.curve, algorithm),
            (EllipticCurve::P256, Algorithm::ES256) | (EllipticCurve::P384, Algorithm::ES384)
        ),
        (AlgorithmParameters::OctetKeyPair(key), AlgorithmFamily::Ed) => {
            key.curve == EllipticCurve::Ed25519
        }
        _ => false,
    };
    let named = |algorithm: Algorithm| match common.key_algorithm {
        None => true,
        Some(own) => own.to_string().parse() == Ok(algorithm),
    };
    allowed
        .iter()
        .copied()
        .filter(|algorithm| fits(*algorithm) && named(*algorithm))
        .collect()
}

/// Why no key was found.
enum Missing {
    Unknown,
    Unnamed,
    Unfit,
}

impl Missing {
    const fn reason(&self) -> &'static str {
        match self {
            Self::Unknown => "its key is not in the set",
            Self::Unnamed => "it does not say which key of the set it is signed with",
            Self::Unfit => "its key is not meant for its algorithm",
        }
    }
}

/// The key that the header names; without a name, the only one that fits.
fn find<'k>(keys: &'k [Key], header: &Header) -> Result<&'k Key, Missing> {
    let fits = |key: &&Key| key.algorithms.contains(&header.alg);
    if let Some(id) = &header.kid {
        let mut named = keys.iter().filter(|key| key.id.as_ref() == Some(id));
        let mut any = named.clone();
        return match named.find(fits) {
            Some(key) => Ok(key),
            None if any.next().is_some() => Err(Missing::Unfit),
            None => Err(Missing::Unknown),
        };
    }
    let mut fitting = keys.iter().filter(fits);
    match (fitting.next(), fitting.next()) {
        (Some(key), None) => Ok(key),
        (None, _) => Err(Missing::Unknown),
        (Some(_), Some(_)) => Err(Missing::Unnamed),
    }
}

fn is_forged(error: &jsonwebtoken::errors::Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidSignature)
}

/// The reason in words of ours: the library's own may quote what it could not read.
fn said(error: &jsonwebtoken::errors::Error) -> Refused {
    Refused::Token(match error.kind() {
        ErrorKind::InvalidSignature => "its signature is wrong",
        ErrorKind::InvalidIssuer => "it is of another issuer",
        ErrorKind::InvalidAudience => "it is for another audience",
        ErrorKind::InvalidSubject => "its subject names nobody",
        ErrorKind::MissingRequiredClaim(claim) => match claim.as_str() {
            "exp" => "it never expires",
            "aud" => "it names no audience",
            "iss" => "it names no issuer",
            _ => "it names nobody",
        },
        ErrorKind::Json(_) => "its claims have another shape",
        _ => "it cannot be read",
    })
}
