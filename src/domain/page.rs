//! What a page is made of: gathered by a service, rendered by `pages`, never changed there.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    attempt::AttemptStatus,
    connection::Connection,
    connector::{Connector, ConnectorDetails},
    problem::Problem,
    timestamp::Timestamp,
    user::User,
};

/// What every page of a signed-in person shows around its own content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    pub user: User,
    /// Accounts are pretend: the server talks to its sandbox.
    pub sandbox: bool,
    /// Why connecting is off for everything at the moment; the rest of the page still works.
    pub off: Option<Problem>,
    /// Nango's origin: sign-in windows speak from there.
    pub nango: String,
    /// When the page was made, for relative times.
    pub now: Timestamp,
    /// `/icons/<version>.svg`
    pub icons: String,
}

impl Frame {
    /// Why no control connects anything. In an outage they stay live: a page outlasts it, and the
    /// answer to a click knows better than the page.
    pub fn refusal(&self) -> Option<String> {
        let off = self.off.as_ref().filter(|off| !off.is_outage());
        off.map(Problem::sentence)
    }
}

/// `/connectors`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CataloguePage {
    pub frame: Frame,
    /// All of them, by name.
    pub connectors: Vec<Connector>,
    /// All that the person has.
    pub connections: Vec<Connection>,
}

/// `/connectors/{slug}` and the dialog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectorPage {
    pub frame: Frame,
    pub details: ConnectorDetails,
    /// The person's connections to this connector.
    pub connections: Vec<Connection>,
}

/// What `GET /api/v1/connectors/{slug}` tells the dialog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetailsAnswer {
    #[serde(flatten)]
    pub details: ConnectorDetails,
    pub connections: Vec<Connection>,
}

/// The id of the element that carries a page's data for the browser.
pub const PAGE_DATA: &str = "page-data";

/// What the catalogue's island starts with: the page carries it for the browser.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogueData {
    /// All of them, by name.
    pub connectors: Vec<Connector>,
    pub connections: Vec<Connection>,
    /// The page's query string.
    pub search: String,
    pub now: Timestamp,
    pub icons: String,
    /// Why connecting is off for everything ([`Frame::refusal`]).
    pub off: Option<String>,
}

/// What the island of a connector's own page starts with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PanelData {
    pub details: ConnectorDetails,
    pub connections: Vec<Connection>,
    pub now: Timestamp,
    pub icons: String,
    /// Why connecting is off for everything ([`Frame::refusal`]).
    pub off: Option<String>,
    /// What a refused post said, and the values it carried by field name (never secrets).
    pub refused: Option<Problem>,
    pub values: Vec<(String, String)>,
    /// The account whose disconnection waits for a yes.
    pub confirm: Option<Uuid>,
    /// The account that gets a new key, where the address names one.
    pub target: Option<Uuid>,
    /// Another account was asked for.
    pub another: bool,
}

/// `/attempts/{id}`: the way without JavaScript.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptPage {
    pub frame: Frame,
    pub connector: Connector,
    pub attempt: AttemptStatus,
}

/// `/sign-in`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignInPage {
    /// "Continue as demo user" is offered: everything here is on the loopback interface.
    pub demo: bool,
    pub sandbox: bool,
    /// E-mail address and password are asked for.
    #[serde(default)]
    pub local: bool,
    /// Whoever has no account may make one.
    #[serde(default)]
    pub sign_up: bool,
    /// Others whose word on who a person is counts.
    #[serde(default)]
    pub providers: Vec<SignInProvider>,
    /// Where to go afterwards: a path of ours.
    pub next: String,
}

/// Somebody else who says who a person is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignInProvider {
    /// In the address: `/sign-in/oidc/{id}`.
    pub id: String,
    pub name: String,
}

/// A password's length, in characters: (shortest, longest).
pub const PASSWORD_LENGTH: (usize, usize) = (12, 128);

pub const PASSWORD_HELP: &str = "12 characters at least. Several words are easy to remember.";

/// `/account`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountPage {
    pub frame: Frame,
    pub email: Option<String>,
    /// How this person signs in, in a sentence.
    pub way: String,
    /// There is a password here, to be changed.
    pub password: bool,
    pub sessions: Vec<SessionLine>,
}

/// Where somebody is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionLine {
    /// Its digest: it opens nothing.
    pub id: String,
    /// The one that is looking.
    pub this: bool,
    /// `Firefox on Windows`
    pub browser: String,
    pub address: Option<String>,
    pub signed_in_at: Option<Timestamp>,
}
