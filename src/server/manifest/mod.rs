//! The connectors' manifests: what they say, whether they are sound, and what people may type.
//!
//! May import `domain` only.

mod check;
mod colour;
mod form;
mod mode;
mod pattern;
mod registry;
mod values;

use std::collections::HashMap;

use regex::Regex;
use serde::Deserialize;
use uuid::Uuid;

use crate::domain::connector::{
    Auth, Connector, ConnectorDetails, Field, Icon, Scope, Unavailable,
};

pub use check::{Checker, ManifestError, ManifestErrors};
pub use form::{Form, Offer, Offers};
use mode::Asks;
pub use registry::Registry;

/// Connector ids are UUIDv5 under it. Never change it: every installation's data refers to them.
const NAMESPACE: Uuid = Uuid::from_u128(0x30d3_f12f_c52f_4403_afce_ae8b_42d5_79f4);

/// The id of the connector with that slug, the same in every installation.
pub fn connector_id(slug: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, slug.as_bytes())
}

/// One connector, as its file describes it; made by [`Registry::load`] only, which checks it.
#[derive(Clone, Debug, Deserialize)]
pub struct Manifest {
    pub slug: String,
    pub name: String,
    pub category: String,
    pub summary: String,
    pub description: String,
    pub before_you_go: String,
    pub disconnect_stops: String,
    pub icon: ManifestIcon,
    pub scopes: Vec<Scope>,
    /// Connection configuration, asked before the flow.
    #[serde(default)]
    pub inputs: Vec<Field>,
    #[serde(default)]
    pub credentials: Vec<Field>,
    #[serde(default)]
    pub multiple_accounts: bool,
    pub nango: NangoRef,
    /// The fields' patterns by field name, compiled to match the whole value. Names are unique
    /// over inputs and credentials.
    #[serde(skip)]
    patterns: HashMap<String, Regex>,
    /// What the file said about its fields in so many words, by field name.
    #[serde(skip)]
    said: HashMap<String, form::Said>,
}

/// A single-colour mark in a 24 × 24 box, or one or two letters.
#[derive(Clone, Debug, Deserialize)]
pub struct ManifestIcon {
    pub color: String,
    pub path: Option<String>,
    pub monogram: Option<String>,
}

/// The integration in Nango.
#[derive(Clone, Debug, Deserialize)]
pub struct NangoRef {
    pub enabled: bool,
    /// The integration's unique key (`provider_config_key`).
    pub provider_key: String,
    /// Nango's provider, where it differs from the key.
    pub provider: Option<String>,
    pub auth_mode: String,
    pub installation: Option<Installation>,
}

/// How an OAuth integration is installed, where it is not the usual way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Installation {
    /// From the provider's side: one call without a body, and no window.
    Outbound,
}

impl Manifest {
    /// It is installed from the provider's side: one call makes the connection, nothing is asked.
    pub fn is_outbound(&self) -> bool {
        self.nango.installation == Some(Installation::Outbound)
    }

    pub fn id(&self) -> Uuid {
        connector_id(&self.slug)
    }

    /// Nango's provider of it.
    pub fn provider(&self) -> &str {
        self.nango
            .provider
            .as_deref()
            .unwrap_or(&self.nango.provider_key)
    }

    pub fn auth(&self) -> Auth {
        match mode::asks(&self.nango.auth_mode) {
            Some(Asks::Window) if self.nango.installation.is_none() => Auth::Popup,
            _ => Auth::Credentials,
        }
    }

    /// As the catalogue lists it.
    pub fn connector(&self) -> Connector {
        Connector {
            id: self.id(),
            slug: self.slug.clone(),
            name: self.name.clone(),
            category: self.category.clone(),
            summary: self.summary.clone(),
            icon: Icon {
                color: colour::visible(&self.icon.color).then(|| self.icon.color.clone()),
                monogram: self.icon.monogram.clone(),
            },
            auth: self.auth(),
            asks_first: self.form(None).asks(),
            multiple_accounts: self.multiple_accounts,
            unavailable: (!self.nango.enabled).then(|| Unavailable {
                code: "connector_disabled".to_owned(),
                reason: format!(
                    "{} is switched off here. Ask the people who run this site to switch it on.",
                    self.name
                ),
            }),
        }
    }

    pub fn details(&self) -> ConnectorDetails {
        let mut details = ConnectorDetails {
            connector: self.connector(),
            description: self.description.clone(),
            before_you_go: self.before_you_go.clone(),
            disconnect_stops: self.disconnect_stops.clone(),
            scopes: self.scopes.clone(),
            inputs: Vec::new(),
            credentials: Vec::new(),
            auth_mode: self.nango.auth_mode.clone(),
        };
        self.form(None).show(&mut details);
        details
    }
}

#[cfg(test)]
mod tests {
    use super::connector_id;

    #[test]
    fn the_id_of_a_slug_never_changes() {
        let id = connector_id("gmail").to_string();
        assert_eq!(id, "1f95f6ac-2b67-5639-b88e-88d192cf4dc6");
    }
}
