//! What the event stream carries.

use serde::{Deserialize, Serialize};

use super::connection::Connection;

/// One message of `GET /api/v1/events`. Every stream starts with a snapshot; a page applies a
/// connection only where its version is newer than the one it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum Event {
    /// Everything the person has: what is missing here is gone.
    Snapshot(Vec<Connection>),
    /// One connection changed.
    Connection(Box<Connection>),
}
