//! A connector: a product that people can connect, as its manifest describes it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A connector as the catalogue lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Connector {
    /// The UUIDv5 of the slug: the same in every installation.
    pub id: Uuid,
    /// The name in addresses: `gmail`.
    pub slug: String,
    pub name: String,
    pub category: String,
    /// One line, with its full stop.
    pub summary: String,
    pub icon: Icon,
    /// How an account is connected.
    pub auth: Auth,
    /// Connecting asks for inputs or credentials first.
    pub asks_first: bool,
    /// A person may connect several accounts.
    pub multiple_accounts: bool,
    /// Why it can't be connected at the moment; absent where it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<Unavailable>,
}

/// A mark in one colour: the symbol of that slug in `/icons.svg`, or a monogram.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Icon {
    /// The brand's colour (`#EA4335`); absent where it would not show on the page's ground, then
    /// the text colour serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
    /// One or two letters in place of a mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monogram: Option<String>,
}

/// How an account is connected: in Nango's popup or with a form of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// OAuth in a popup that Nango serves.
    #[default]
    Popup,
    /// No window: credentials typed into our own form and handed on to Nango, or nothing at all.
    Credentials,
}

impl Auth {
    pub const ALL: [Self; 2] = [Self::Popup, Self::Credentials];

    /// As it is sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Popup => "popup",
            Self::Credentials => "credentials",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|auth| auth.as_str() == text)
    }
}

/// Why a connector can't be connected right now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Unavailable {
    /// Stable: `connector_disabled`, `integration_missing` …
    pub code: String,
    /// A sentence for the person.
    pub reason: String,
}

/// Everything the details of a connector show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct ConnectorDetails {
    #[serde(flatten)]
    pub connector: Connector,
    pub description: String,
    /// How long it takes and what the person needs.
    pub before_you_go: String,
    /// What stops on disconnecting.
    pub disconnect_stops: String,
    /// What the connection may do.
    pub scopes: Vec<Scope>,
    /// Connection configuration, asked before the flow.
    pub inputs: Vec<Field>,
    /// Credentials typed into our form; empty where a popup asks for them.
    pub credentials: Vec<Field>,
    /// Nango's auth mode: `OAUTH2`, `API_KEY`, `TWO_STEP` …
    pub auth_mode: String,
}

/// One permission, in plain language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Scope {
    pub grants: String,
    /// The provider's own name of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

/// A field the person fills in before the flow starts.
///
/// Where a manifest says less than this, Nango's own description of the provider fills it in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Field {
    /// Nango's name of it.
    pub name: String,
    pub label: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The whole value must match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// Shown before the field, not sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Shown behind the field, not sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suffix: Option<String>,
    /// The only values there are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// Several lines: a private key, a certificate.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub multiline: bool,
}

impl Field {
    /// The sentence for a value that is missing or breaks the pattern.
    pub fn refusal(&self, value: &str) -> String {
        if value.is_empty() {
            return format!("{} is needed.", self.label);
        }
        match (&self.example, self.secret) {
            (Some(example), false) => {
                format!("{} should look like “{example}”.", self.label)
            }
            _ => format!("{} does not look right.", self.label),
        }
    }
}
