//! The settings of signing in by others' word: OpenID Connect providers, and the host product's own
//! token.

use std::collections::BTreeSet;

use jsonwebtoken::{Algorithm, AlgorithmFamily};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{
    effective::Origin,
    named::{self, Named},
    parse,
    sections::text,
    source::{Setting, Source},
};

/// Somebody whose word on who a person is counts.
#[derive(Clone, Debug)]
pub struct OidcProvider {
    /// In addresses and variables.
    pub id: String,
    /// On the sign-in page.
    pub name: String,
    /// To the letter: a slash more or less is another issuer.
    pub issuer: String,
    pub client_id: String,
    /// `None`: a public client.
    pub client_secret: Option<SecretString>,
    pub scopes: Vec<String>,
}

/// The host product's own token.
#[derive(Clone, Debug)]
pub struct Token {
    pub issuer: String,
    pub audience: String,
    pub keys: TokenKeys,
    pub algorithms: Vec<Algorithm>,
    /// The claim that a new person's name is taken from.
    pub name_claim: String,
    /// Pages elsewhere that may post a token.
    pub origins: Vec<String>,
}

#[derive(Clone, Debug)]
pub enum TokenKeys {
    Jwks(Url),
    Secret(SecretString),
}

pub(super) const OIDC_PROVIDERS: Setting<'static> = text("oidc", "providers", "OIDC_PROVIDERS");
const ISSUER: Setting<'static> = text("oidc.NAME", "issuer", "OIDC_NAME_ISSUER");
const CLIENT_ID: Setting<'static> = text("oidc.NAME", "client_id", "OIDC_NAME_CLIENT_ID");
const CLIENT_SECRET: Setting<'static> =
    text("oidc.NAME", "client_secret", "OIDC_NAME_CLIENT_SECRET").secret();
const SHOWN_NAME: Setting<'static> = text("oidc.NAME", "name", "OIDC_NAME_NAME");
const SCOPES: Setting<'static> =
    text("oidc.NAME", "scopes", "OIDC_NAME_SCOPES").or("openid profile email");

/// The settings of each provider that `[oidc] providers` names, with `NAME` in its name's place.
pub const OIDC_PROVIDER: [Setting<'static>; 5] =
    [ISSUER, CLIENT_ID, CLIENT_SECRET, SHOWN_NAME, SCOPES];

pub(super) static PROVIDER: named::Section = named::Section {
    parent: "oidc",
    list: "providers",
    settings: &OIDC_PROVIDER,
};

pub(super) const TOKEN_ISSUER: Setting<'static> = text("token", "issuer", "TOKEN_ISSUER");
pub(super) const TOKEN_AUDIENCE: Setting<'static> = text("token", "audience", "TOKEN_AUDIENCE");
pub(super) const TOKEN_JWKS_URL: Setting<'static> = text("token", "jwks_url", "TOKEN_JWKS_URL");
pub(super) const TOKEN_SECRET: Setting<'static> = text("token", "secret", "TOKEN_SECRET").secret();
/// Its default is made of the kind of keys.
pub(super) const TOKEN_ALGORITHMS: Setting<'static> =
    text("token", "algorithms", "TOKEN_ALGORITHMS");
pub(super) const TOKEN_NAME_CLAIM: Setting<'static> =
    text("token", "name_claim", "TOKEN_NAME_CLAIM").or("name");
pub(super) const TOKEN_ORIGINS: Setting<'static> = text("token", "origins", "TOKEN_ORIGINS");

/// The providers in the order in which they are named.
pub(super) fn oidc(source: &mut Source<'_>) -> Option<Vec<OidcProvider>> {
    let names = source
        .get(&OIDC_PROVIDERS, provider_names)
        .unwrap_or_default();
    source.only(&PROVIDER, &names);
    let providers: Vec<_> = names.iter().map(|name| provider(source, name)).collect();
    providers.into_iter().collect()
}

fn provider(source: &mut Source<'_>, id: &str) -> Option<OidcProvider> {
    let of = |setting| Named::new(setting, id);
    let issuer = of(&ISSUER).required(source, &OIDC_PROVIDERS, |text| {
        trusted_address(text).map(|_| text.to_owned())
    });
    let client_id = of(&CLIENT_ID).required(source, &OIDC_PROVIDERS, word);
    let client_secret = of(&CLIENT_SECRET).get(source, parse::secret);
    let name = of(&SHOWN_NAME).get(source, shown_name).or_else(|| {
        let name = capitalised(id);
        of(&SHOWN_NAME).derived(source, &name);
        Some(name)
    });
    let scopes = of(&SCOPES).get(source, scopes);
    Some(OidcProvider {
        id: id.to_owned(),
        name: name?,
        issuer: issuer?,
        client_id: client_id?,
        client_secret,
        scopes: scopes?,
    })
}

/// Nothing where tokens are off; `None` where they are set up wrongly.
pub(super) fn token(source: &mut Source<'_>) -> Option<Option<Token>> {
    let issuer = source.get(&TOKEN_ISSUER, token_issuer);
    let audience = source.get(&TOKEN_AUDIENCE, word);
    let jwks_url = source.get(&TOKEN_JWKS_URL, trusted_address);
    let secret = source.get(&TOKEN_SECRET, parse::secret);
    let algorithms = source.get(&TOKEN_ALGORITHMS, algorithms);
    let name_claim = source.get(&TOKEN_NAME_CLAIM, word);
    let origins = source.get(&TOKEN_ORIGINS, origins);
    let all = [
        TOKEN_JWKS_URL,
        TOKEN_SECRET,
        TOKEN_ISSUER,
        TOKEN_AUDIENCE,
        TOKEN_ALGORITHMS,
        TOKEN_ORIGINS,
    ];
    let first = all.iter().find(|setting| source.has(setting));
    let Some(first) = first else {
        return Some(None);
    };
    if ![TOKEN_JWKS_URL, TOKEN_SECRET].iter().any(|s| source.has(s)) {
        let reason = "needs TOKEN_JWKS_URL or TOKEN_SECRET: without keys no token can be checked";
        source.refuse(first, reason.to_owned());
        return None;
    }
    for setting in [TOKEN_ISSUER, TOKEN_AUDIENCE] {
        if !source.has(&setting) {
            let reason = format!("needs {} too: it is pinned", setting.env);
            source.refuse(first, reason);
        }
    }
    let keys = match (jwks_url, secret) {
        (Some(_), Some(_)) => {
            let reason = "goes without TOKEN_JWKS_URL: keys of both kinds are never mixed";
            source.refuse(&TOKEN_SECRET, reason.to_owned());
            return None;
        }
        (Some(url), None) => TokenKeys::Jwks(url),
        (None, Some(secret)) => TokenKeys::Secret(secret),
        (None, None) => return None,
    };
    let algorithms = if source.has(&TOKEN_ALGORITHMS) {
        algorithms?
    } else {
        let usual = match keys {
            TokenKeys::Jwks(_) => vec![Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA],
            TokenKeys::Secret(_) => vec![Algorithm::HS256],
        };
        let names: Vec<_> = usual.iter().map(|a| format!("{a:?}")).collect();
        source.used(&TOKEN_ALGORITHMS, Some(&names.join(", ")), Origin::Derived);
        usual
    };
    let shared = |a: &Algorithm| a.family() == AlgorithmFamily::Hmac;
    match &keys {
        TokenKeys::Jwks(_) if algorithms.iter().any(shared) => {
            let reason = "holds an algorithm of shared secrets, which goes with TOKEN_SECRET only";
            source.refuse(&TOKEN_ALGORITHMS, reason.to_owned());
        }
        TokenKeys::Secret(_) if !algorithms.iter().all(shared) => {
            let reason = "holds an algorithm of key pairs, which goes with TOKEN_JWKS_URL only";
            source.refuse(&TOKEN_ALGORITHMS, reason.to_owned());
        }
        TokenKeys::Secret(secret) => {
            // RFC 7518, section 3.2: no shorter than the hash.
            let least = algorithms.iter().map(hash_bytes).max().unwrap_or(32);
            if secret.expose_secret().len() < least {
                let reason = format!("is shorter than {least} bytes: it could be guessed");
                source.refuse(&TOKEN_SECRET, reason);
            }
        }
        TokenKeys::Jwks(_) => {}
    }
    Some(Some(Token {
        issuer: issuer?,
        audience: audience?,
        keys,
        algorithms,
        name_claim: name_claim?,
        origins: origins.unwrap_or_default(),
    }))
}

const fn hash_bytes(algorithm: &Algorithm) -> usize {
    match algorithm {
        Algorithm::HS384 => 48,
        Algorithm::HS512 => 64,
        _ => 32,
    }
}

/// The parts of a list, written with commas.
fn parts(text: &str) -> Vec<&str> {
    let parts = text.split(',').map(str::trim);
    parts.filter(|part| !part.is_empty()).collect()
}

fn provider_names(text: &str) -> Result<Vec<String>, String> {
    let mut seen = BTreeSet::new();
    for name in parts(text) {
        named::checked(name).map_err(|reason| format!("a provider {reason}"))?;
        if !seen.insert(name) {
            return Err(format!("names {name} twice"));
        }
    }
    Ok(parts(text).into_iter().map(str::to_owned).collect())
}

/// An https address; plain http on this very machine only.
fn trusted_address(text: &str) -> Result<Url, String> {
    let url = parse::web_address(text)?;
    if url.scheme() == "https" || parse::is_loopback(&url) {
        return Ok(url);
    }
    Err("must be https: anybody on the way could change what it answers".to_owned())
}

/// Text without spaces.
fn word(text: &str) -> Result<String, String> {
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("must have no space in it".to_owned());
    }
    Ok(text.to_owned())
}

/// Who may not be an issuer: Patchbay's own kinds of people.
const OWN_ISSUERS: [&str; 3] = ["demo", "erased", "local"];

fn token_issuer(text: &str) -> Result<String, String> {
    if OWN_ISSUERS.contains(&text) {
        return Err("is what Patchbay itself calls an issuer; choose another name".to_owned());
    }
    word(text)
}

fn shown_name(text: &str) -> Result<String, String> {
    if text.chars().count() > 40 || text.chars().any(char::is_control) {
        return Err("must have at most 40 characters in one line".to_owned());
    }
    Ok(text.to_owned())
}

/// `openid` is always asked for.
fn scopes(text: &str) -> Result<Vec<String>, String> {
    let legal = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\');
    let scopes: Vec<&str> = text.split_whitespace().collect();
    if !scopes.iter().all(|scope| scope.chars().all(legal)) {
        return Err("are not scopes with spaces between them".to_owned());
    }
    let more = scopes.into_iter().filter(|scope| *scope != "openid");
    Ok(more.map(str::to_owned).collect())
}

fn algorithms(text: &str) -> Result<Vec<Algorithm>, String> {
    let mut found = Vec::new();
    for part in parts(text) {
        match part.parse() {
            Ok(algorithm) => found.push(algorithm),
            Err(_) => {
                return Err(format!(
                    "{} is not one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, \
                     EdDSA, HS256, HS384, HS512",
                    parse::quoted(part)
                ));
            }
        }
    }
    if found.is_empty() {
        return Err("names no algorithm".to_owned());
    }
    Ok(found)
}

/// As browsers write them in `Origin`.
fn origins(text: &str) -> Result<Vec<String>, String> {
    parts(text)
        .into_iter()
        .map(|part| parse::origin(part).map(|url| url.origin().ascii_serialization()))
        .collect()
}

fn capitalised(id: &str) -> String {
    let mut letters = id.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
