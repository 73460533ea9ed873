//! What a person does with an attempt that is under way: look, finish, cancel, open again.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    ServiceError, connect,
    core::Core,
    dictionary, error, look, rows,
    settle::{self, Outcome},
    to_the_end,
};
use crate::{
    domain::{
        attempt::{AttemptState, AttemptStatus, Hint},
        user::User,
    },
    server::{
        db::{attempt, connection},
        metrics::outcomes::Way,
    },
};

#[derive(Clone)]
pub struct Attempts(pub(super) Arc<Core>);

impl Attempts {
    /// As it stands, without asking anybody.
    pub async fn status(&self, person: &User, id: Uuid) -> Result<AttemptStatus, ServiceError> {
        let core = &self.0;
        let mut tx = core.db.read().await?;
        let attempt = attempt::get(&mut tx, id)
            .await?
            .filter(|attempt| attempt.user_id == person.id)
            .ok_or_else(error::attempt_unknown)?;
        let found = connection::get(&mut tx, attempt.connection_id)
            .await?
            .ok_or_else(error::attempt_unknown)?;
        tx.commit().await?;
        Ok(AttemptStatus {
            attempt_id: attempt.id,
            kind: attempt.kind,
            state: attempt.state,
            error: attempt.error,
            expires_at: attempt.expires_at,
            connection: rows::connection(&core.registry, found),
        })
    }

    /// "I've finished": asks Nango at once, whatever the background is doing. A hint of the popup
    /// that it failed ends the attempt where Nango's list could be read and has no success: it is
    /// the person's own attempt, and nobody else's word for it may ever come. Where it cannot be
    /// read, that is made up for as soon as it can.
    pub async fn finish(
        &self,
        person: &User,
        id: Uuid,
        hint: Option<Hint>,
    ) -> Result<AttemptStatus, ServiceError> {
        let status = self.status(person, id).await?;
        if !matches!(status.state, AttemptState::Open | AttemptState::Expired) {
            return Ok(status);
        }
        let core = self.0.clone();
        to_the_end(async move {
            let mut tx = core.db.read().await?;
            let attempt = attempt::get(&mut tx, id).await?;
            tx.commit().await?;
            let Some(attempt) = attempt else {
                return Ok(());
            };
            if hint.is_none() && !core.watch.may_look(id) {
                return Ok(());
            }
            let ended = hint.map(
                |Hint::Error {
                     error_type,
                     message,
                 }| { dictionary::hint(id, &error_type, &message) },
            );
            if let Err(error) = look::one(&core, &attempt).await {
                if let ServiceError::Nango(error) = &error {
                    core.integrations.learn(error);
                }
                match ended {
                    Some(outcome) => core.watch.remember(id, outcome),
                    None => core.watch.hurry(id),
                }
                return Err(error);
            }
            // A success settled above leaves nothing to end here.
            if let Some(outcome) = ended {
                settle::settle(&core, id, outcome, Way::Hint).await?;
            }
            Ok(())
        })
        .await?;
        self.status(person, id).await
    }

    /// Calls it off. What still arrives at Nango is deleted there.
    pub async fn cancel(&self, person: &User, id: Uuid) -> Result<AttemptStatus, ServiceError> {
        self.status(person, id).await?;
        let core = self.0.clone();
        to_the_end(async move { settle::settle(&core, id, Outcome::Cancelled, Way::Person).await })
            .await?;
        self.status(person, id).await
    }

    /// The address for another window of the same attempt.
    pub async fn open(&self, person: &User, id: Uuid) -> Result<String, ServiceError> {
        connect::Connect(self.0.clone()).reopen(person, id).await
    }
}
