//! A person who is signed in, and what their role lets them do.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::timestamp::Timestamp;

/// What a person may do here; `server::http::access` says what that is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub enum Role {
    /// Their own connections.
    #[default]
    User,
    /// Besides: who there is, and what happened.
    Admin,
}

impl Role {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::User, Self::Admin]
            .into_iter()
            .find(|role| role.as_str() == text)
    }
}

/// A person, as an administrator sees them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Person {
    pub id: Uuid,
    pub name: String,
    /// As the sign-in told it; it tells nobody apart.
    pub email: Option<String>,
    /// Who says who this is: `local`, or a provider's address.
    pub issuer: String,
    /// By e-mail address and password, here.
    pub local: bool,
    pub role: Role,
    pub created_at: Timestamp,
    /// Since then nobody gets in as this person.
    pub disabled_at: Option<Timestamp>,
    /// Since then nothing is known of this person but the id.
    pub erased_at: Option<Timestamp>,
}

/// The signed-in person, as pages and services see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub id: Uuid,
    pub display_name: String,
    #[serde(default)]
    pub role: Role,
}

impl User {
    /// One or two letters for the round badge in the header.
    pub fn initials(&self) -> String {
        self.display_name
            .split_whitespace()
            .filter_map(|word| word.chars().next())
            .take(2)
            .flat_map(char::to_uppercase)
            .collect()
    }
}
