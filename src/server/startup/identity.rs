//! Whose word counts on who somebody is. Nobody is asked yet: a provider that is down must not stop
//! the server. May import what `startup` does.

use super::StartError;
use crate::server::{
    clock::Clock,
    config::{self, Config},
    identity::{Identity, http::Http, provider, token},
};

pub fn connect(config: &Config, clock: &Clock) -> Result<Identity, StartError> {
    let http = Http::new()?;
    let providers = config.oidc.iter().filter_map(|oidc| {
        let path = format!("/sign-in/oidc/{}/callback", oidc.id);
        let settings = provider::Settings {
            id: oidc.id.clone(),
            name: oidc.name.clone(),
            issuer: oidc.issuer.clone(),
            client_id: oidc.client_id.clone(),
            client_secret: oidc.client_secret.clone(),
            scopes: oidc.scopes.clone(),
            redirect: config.server.public_url.join(&path).ok()?,
        };
        let (http, clock) = (http.clone(), clock.clone());
        Some(provider::Provider::new(settings, http, clock))
    });
    Ok(Identity {
        providers: providers.collect(),
        token: config.token.as_ref().map(|token| {
            let settings = token::Settings {
                issuer: token.issuer.clone(),
                audience: token.audience.clone(),
                keys: match &token.keys {
                    config::TokenKeys::Jwks(url) => token::Keys::Jwks(url.clone()),
                    config::TokenKeys::Secret(secret) => token::Keys::Secret(secret.clone()),
                },
                algorithms: token.algorithms.clone(),
                name_claim: token.name_claim.clone(),
            };
            token::Verifier::new(settings, http.clone(), clock.clone())
        }),
        origins: match &config.token {
            Some(token) => token.origins.clone(),
            None => Vec::new(),
        },
    })
}
