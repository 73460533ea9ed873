//! A person's own history: their entries of the audit log, as sentences.

use std::sync::Arc;

use uuid::Uuid;

use super::{ServiceError, audit::PersonalData, core::Core, error, place};
use crate::{
    domain::{
        audit::{History as Page, HistoryEntry},
        user::User,
    },
    server::{
        db::audit::{self, Asked, Told},
        manifest::{Manifest, Registry},
    },
};

/// Told at once, at the most.
pub const LONGEST: i64 = 100;

#[derive(Clone)]
pub struct History(pub(super) Arc<Core>);

impl History {
    /// What happened with a connector, newest first; `before` is the last entry of the page before.
    pub async fn of_connector(
        &self,
        person: &User,
        id_or_slug: &str,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<Page, ServiceError> {
        // What happened outlives the manifest: by the connector's id it can still be read.
        let connector_id = self
            .0
            .registry
            .find(id_or_slug)
            .map(Manifest::id)
            .or_else(|| Uuid::parse_str(id_or_slug).ok())
            .ok_or_else(error::connector_unknown)?;
        self.page(person, Some(connector_id), before, limit).await
    }

    /// All that happened, signing in included, newest first.
    pub async fn of_person(
        &self,
        person: &User,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<Page, ServiceError> {
        self.page(person, None, before, limit).await
    }

    async fn page(
        &self,
        person: &User,
        connector_id: Option<Uuid>,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<Page, ServiceError> {
        let limit = limit.clamp(1, LONGEST);
        let asked = Asked {
            user_id: person.id,
            connector_id,
            before,
            // One more tells whether there is more.
            limit: limit + 1,
        };
        let mut tx = self.0.db.read().await?;
        let mut found = audit::of_user(&mut tx, &asked).await?;
        tx.commit().await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = found.len() > limit;
        found.truncate(limit);
        Ok(Page {
            next: found.last().filter(|_| more).map(|told| told.event.id),
            entries: found
                .into_iter()
                .map(|told| entry(&self.0.registry, person.id, told))
                .collect(),
        })
    }
}

/// What stands beside an entry, where it can be read.
pub fn personal(told: &Told) -> PersonalData {
    let data = told.personal.as_ref();
    data.and_then(|personal| serde_json::from_str(&personal.data).ok())
        .unwrap_or_default()
}

fn entry(registry: &Registry, person: Uuid, told: Told) -> HistoryEntry {
    let personal = personal(&told);
    let event = told.event;
    let own = event.actor_id == Some(person);
    // Entries of before there was a place beside them have their reason in themselves.
    let reason = personal
        .reason
        .or_else(|| event.detail.get("reason")?.as_str().map(str::to_owned));
    let again = told.attempt_kind.as_deref() == Some("reconnect");
    let account = personal.account.as_deref();
    let sentence = sentence(&event.action, again, own, reason.as_deref(), account);
    let manifest = event.connector_id.and_then(|id| registry.by_id(id));
    HistoryEntry {
        id: event.id,
        at: event.at,
        sentence,
        action: event.action,
        connector: manifest.map(|manifest| manifest.slug.clone()),
        connector_name: manifest.map(|manifest| manifest.name.clone()),
        connection_id: event.connection_id,
        account: personal.account,
        own,
        from: own
            .then(|| place::words(personal.user_agent.as_deref(), personal.address.as_deref()))
            .flatten(),
    }
}

/// `again`: it belongs to a reconnect.
fn sentence(
    action: &str,
    again: bool,
    own: bool,
    reason: Option<&str>,
    account: Option<&str>,
) -> String {
    let by = |words: &str| {
        if own {
            format!("{words} by you")
        } else {
            words.to_owned()
        }
    };
    let because = |words: &str| match reason {
        Some(reason) => format!("{words}: {reason}"),
        None => words.to_owned(),
    };
    let connecting = if again { "Reconnecting" } else { "Connecting" };
    match action {
        "connect" => "Connecting started".to_owned(),
        "reconnect" => "Reconnecting started".to_owned(),
        "connected" if again => "Reconnected".to_owned(),
        "connected" => "Connected".to_owned(),
        "approved" => "Approved, and connected".to_owned(),
        "denied" if again => because("Not reconnected"),
        "denied" => because("Not connected"),
        "failed" => because(&format!("{connecting} failed")),
        "expired" => format!("{connecting} was not finished in time"),
        "cancelled" => by(&format!("{connecting} cancelled")),
        "disconnect" => by("Disconnected"),
        "rename" => match account {
            Some(account) => by(&format!("Named “{account}”")),
            None => by("Name taken away"),
        },
        "broken" => because("Stopped working"),
        "recovered" => "Works again".to_owned(),
        "sync_failed" => because("Reading data failed"),
        "vanished" => because("Disconnected"),
        "sign_in" => "Signed in".to_owned(),
        "sign_out" => "Signed out".to_owned(),
        "sign_in_refused" => "Sign-in refused: wrong password".to_owned(),
        "password_changed" => by("Password changed"),
        "sessions_ended" => by("Signed out elsewhere"),
        "user_created" => "Account made".to_owned(),
        "user_disabled" => "Account switched off".to_owned(),
        "user_enabled" => "Account switched on".to_owned(),
        "role_changed" => "Role changed".to_owned(),
        // A word that came later: better plain than hidden.
        other => {
            let mut words = other.replace('_', " ");
            if let Some(first) = words.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            words
        }
    }
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn what_happened_is_a_sentence() {
        let said = |action, again, own, reason| sentence(action, again, own, reason, None);
        assert_eq!(said("connected", false, false, None), "Connected");
        assert_eq!(said("connected", true, false, None), "Reconnected");
        assert_eq!(said("disconnect", false, true, None), "Disconnected by you");
        assert_eq!(said("disconnect", false, false, None), "Disconnected");
        assert_eq!(
            said("broken", false, false, Some("It is over.")),
            "Stopped working: It is over."
        );
        assert_eq!(said("broken", false, false, None), "Stopped working");
        assert_eq!(
            said("cancelled", true, true, None),
            "Reconnecting cancelled by you"
        );
        assert_eq!(
            said("password_changed", false, true, None),
            "Password changed by you"
        );
        assert_eq!(said("moved_house", false, true, None), "Moved house");
        assert_eq!(
            sentence("rename", false, true, None, Some("Work")),
            "Named “Work” by you"
        );
    }
}
