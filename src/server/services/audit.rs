//! Writing the audit log: one entry in the transaction of the change itself, ids only, and beside it
//! what can be erased. What happens to connections comes by `settle`, the rest by [`account`].

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{audit_chain, core::Core, origin};
use crate::server::{
    clock::Clock,
    db::{DbError, Tx, audit as log},
};

/// What is to be written.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// A word such as `sign_in`.
    pub action: &'a str,
    /// Whom it is about.
    pub user_id: Uuid,
    /// The person who did it; none for the system, and for an operator at the command line.
    pub actor_id: Option<Uuid>,
    pub connector_id: Option<Uuid>,
    pub connection_id: Option<Uuid>,
    pub attempt_id: Option<Uuid>,
    /// Of what tells nothing of a person: it is never erased.
    pub detail: Value,
    /// Why, in a sentence.
    pub reason: Option<&'a str>,
    /// What the account is called.
    pub account: Option<&'a str>,
}

impl<'a> Entry<'a> {
    /// About a person, and nothing else.
    pub fn of(action: &'a str, user_id: Uuid, actor_id: Option<Uuid>) -> Self {
        Self {
            action,
            user_id,
            actor_id,
            connector_id: None,
            connection_id: None,
            attempt_id: None,
            detail: json!({}),
            reason: None,
            account: None,
        }
    }
}

/// What stands beside an entry, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonalData {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// Somebody gave a wrong password: who it was is not known.
pub const REFUSED: &str = "sign_in_refused";

/// One entry, in the same transaction as the change.
pub async fn write(clock: &Clock, tx: &mut Tx, entry: Entry<'_>) -> Result<(), DbError> {
    // Whose address it is: of whoever did it, and where somebody tried in vain to be this person, of
    // that attempt. Nango's is nobody's.
    let tried = entry.action == REFUSED;
    let whose = entry.actor_id.or(tried.then_some(entry.user_id));
    let origin = origin::current().filter(|_| whose.is_some());
    let origin = origin.unwrap_or_default();
    let data = PersonalData {
        address: origin.address,
        user_agent: origin.user_agent,
        reason: entry.reason.map(str::to_owned),
        account: entry.account.map(str::to_owned),
    };
    let personal = (data != PersonalData::default()).then(|| log::Personal {
        // 244 random bits: who has the digest cannot try out what it is of.
        salt: format!(
            "{}{}",
            clock.random_id().simple(),
            clock.random_id().simple()
        ),
        data: serde_json::to_string(&data).unwrap_or_default(),
    });
    let event = log::Event {
        id: clock.new_id(),
        at: clock.now(),
        user_id: Some(entry.user_id),
        actor_id: entry.actor_id,
        connector_id: entry.connector_id,
        connection_id: entry.connection_id,
        attempt_id: entry.attempt_id,
        action: entry.action.to_owned(),
        detail: entry.detail,
        personal_digest: personal.as_ref().map(audit_chain::personal_digest),
    };
    log::record(tx, &event).await?;
    if let Some(personal) = &personal {
        // Erased with the person whose it is.
        let whose = whose.unwrap_or(entry.user_id);
        log::record_personal(tx, event.id, whose, personal).await?;
    }
    Ok(())
}

/// One entry about a person's account: signing in and out, passwords, roles. Inside a request it
/// was the person's own doing; outside of one an operator's, at the command line.
pub async fn account(core: &Core, tx: &mut Tx, action: &str, user_id: Uuid) -> Result<(), DbError> {
    let actor = origin::current().map(|_| user_id);
    write(&core.clock, tx, Entry::of(action, user_id, actor)).await
}

/// The same, done by somebody else: an administrator; `None` for an operator at the command line.
pub async fn account_by(
    core: &Core,
    tx: &mut Tx,
    action: &str,
    user_id: Uuid,
    by: Option<Uuid>,
) -> Result<(), DbError> {
    write(&core.clock, tx, Entry::of(action, user_id, by)).await
}
