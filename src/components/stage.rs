//! What a flow is: where it stands, what it remembers, and which account it is about. May import
//! `domain`.

use uuid::Uuid;

use crate::domain::{connection::Connection, problem::Problem};

/// What was typed, by field name.
pub type Values = Vec<(String, String)>;

/// Where a flow stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The server is asked; the window, if any, is still empty.
    Opening,
    /// The person is signing in.
    Waiting,
    /// The browser blocked the window.
    Blocked,
    /// The window is closed, or looks so: still signing in?
    Asking,
    /// "I've finished" is being checked.
    Checking,
    /// "I've finished", but nothing has arrived.
    NotYet,
    /// The attempt is being cancelled.
    Cancelling,
    /// The connection is being deleted.
    Disconnecting,
    /// It ended with the problem that is shown.
    Refused,
}

impl Stage {
    /// What its note says, and screen readers hear.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Asking => "Still signing in?",
            Self::NotYet => "Nothing has arrived yet.",
            Self::Blocked => "Your browser blocked the window.",
            Self::Checking => "Checking…",
            Self::Cancelling => "Cancelling…",
            Self::Waiting => "Sign in in the other window.",
            Self::Opening | Self::Disconnecting | Self::Refused => "",
        }
    }
}

/// One connector's flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    pub slug: String,
    pub stage: Stage,
    pub attempt: Option<Uuid>,
    /// The account it is about, where it is not a new one.
    pub connection: Option<Uuid>,
    /// What was typed, so that "Start again" need not ask again. Never credentials.
    pub inputs: Values,
    pub problem: Option<Problem>,
}

pub(super) fn find(flows: &[Flow], slug: &str) -> Option<Flow> {
    flows.iter().find(|flow| flow.slug == slug).cloned()
}

/// The attempt that a connection has open.
pub(super) fn attempt_of(connection: &Connection) -> Option<Uuid> {
    connection.attempt.as_ref().map(|attempt| attempt.id)
}

/// The account with an open attempt: of several the one that this page's flow is about.
pub(super) fn open_one<'a>(ours: &'a [Connection], flow: Option<&Flow>) -> Option<&'a Connection> {
    let mut open = ours.iter().filter(|one| one.attempt.is_some());
    let first = open.clone().next();
    open.find(|one| flow.is_some_and(|flow| flow.attempt == attempt_of(one)))
        .or(first)
}
