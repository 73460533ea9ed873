//! Connect and reconnect: one click makes an attempt.
//!
//! Nango is asked before anything is written, so that a Nango that can't be reached changes
//! nothing; whether the click is still allowed is decided again inside the transaction.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use secrecy::SecretString;
use uuid::Uuid;

use super::{
    ServiceError, accounts,
    condition::{self, Condition, Seen},
    core::Core,
    error, rows,
    session_flow::{flow, typed},
    settle::{self, audit},
    target::{Target, provider_config_key, target},
    to_the_end,
};
use crate::{
    domain::{
        attempt::{AttemptKind, AttemptState, Started},
        connection::Status,
        connector::Auth,
        timestamp::Timestamp,
        user::User,
    },
    server::{
        db::{attempt, connection},
        manifest::{Manifest, Registry},
        metrics::outcomes::Way,
        nango::{NangoError, credentials::Credentials},
    },
};

const SUPERSEDED: &str = "You started again, so this attempt ended.";

#[derive(Clone)]
pub struct Connect(pub(super) Arc<Core>);

/// What the person asked for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Which account; without it the one there is, or a new one.
    pub connection_id: Option<Uuid>,
    /// There must be something to reconnect.
    pub reconnect: bool,
    /// Connection configuration.
    pub inputs: BTreeMap<String, String>,
    pub credentials: Credentials,
}

/// Typed text becomes secret as soon as it is in our hands.
pub fn secret(typed: BTreeMap<String, String>) -> Credentials {
    typed
        .into_iter()
        .map(|(name, value)| (name, SecretString::from(value)))
        .collect()
}

impl Connect {
    pub async fn start(
        &self,
        person: &User,
        connector: &str,
        request: Request,
    ) -> Result<Started, ServiceError> {
        let (this, person, connector) = (self.clone(), person.clone(), connector.to_owned());
        to_the_end(async move { this.begin(&person, &connector, request).await }).await
    }

    async fn begin(
        &self,
        person: &User,
        connector: &str,
        request: Request,
    ) -> Result<Started, ServiceError> {
        let core = &self.0;
        let manifest = core
            .registry
            .find(connector)
            .ok_or_else(error::connector_unknown)?;
        let nango = core.nango()?;
        if !manifest.nango.enabled {
            return Err(error::connector_disabled().into());
        }
        let mut tx = core.db.read().await?;
        let target = target(core, &mut tx, person, manifest, &request).await?;
        tx.commit().await?;
        // A reconnect asks for nothing that is known already.
        let inputs = if target.kind == AttemptKind::Reconnect && request.inputs.is_empty() {
            &target.row.config
        } else {
            &request.inputs
        };
        let form = core.form(manifest).await;
        if !form.is_known() {
            return Err(core.fields.unknown(manifest).into());
        }
        let config = Registry::check_inputs(&form, inputs);
        let credentials = Registry::check_credentials(&form, &request.credentials);
        let (config, credentials) = match (config, credentials) {
            (Ok(config), Ok(credentials)) => (config, credentials),
            (config, credentials) => {
                let mut errors = config.err().unwrap_or_default();
                errors.extend(credentials.err().unwrap_or_default());
                return Err(error::input_invalid(errors).into());
            }
        };

        // What may not be kept goes to Nango with this one flow, and nowhere else.
        let (config, passing): (BTreeMap<_, _>, BTreeMap<_, _>) =
            config.into_iter().partition(|(name, _)| form.is_open(name));
        let attempt_id = core.clock.random_id();
        let now = core.clock.now();
        let mut attempt = attempt::Row {
            id: attempt_id,
            user_id: person.id,
            connector_id: manifest.id(),
            connection_id: target.row.id,
            kind: target.kind,
            state: AttemptState::Open,
            error: None,
            provider_config_key: provider_config_key(manifest, &target),
            config,
            created_at: now,
            expires_at: Timestamp(now.0 + millis(core.attempt_lifetime)),
            settled_at: None,
        };
        let popup = manifest.auth() == Auth::Popup;
        let reconnect = target.row.nango_connection_id.clone();
        let flow = flow(core, &attempt, &passing, reconnect.as_deref(), popup);
        let (session, socket) = match flow.await {
            Ok(flow) => flow,
            Err(error) => return Err(no_session(core, &target.row, error).await),
        };

        let connection = self.open(person, manifest, &request, &mut attempt).await?;
        let mut started = Started {
            attempt_id,
            oauth_url: None,
            expires_at: attempt.expires_at,
            connection,
        };
        if popup {
            let ws_client_id = socket.as_ref().map(|s| s.ws_client_id.clone());
            started.oauth_url = Some(session.oauth_url(ws_client_id.as_deref()));
            self.0.watch.follow(core, attempt, socket);
            return Ok(started);
        }
        self.0.watch.follow(core, attempt.clone(), None);
        let answer = if manifest.is_outbound() {
            nango.start_outbound(&session).await
        } else {
            let mode = &manifest.nango.auth_mode;
            nango
                .create_with_credentials(&session, mode, &credentials)
                .await
        };
        typed(core, &attempt, answer).await?;
        let mut tx = core.db.read().await?;
        let found = connection::get(&mut tx, attempt.connection_id).await?;
        tx.commit().await?;
        if let Some(found) = found {
            started.connection = rows::connection(&core.registry, found);
        }
        Ok(started)
    }

    /// Starts the flow of an open attempt again, in another window: a new session with the same
    /// tags.
    pub async fn reopen(&self, person: &User, attempt_id: Uuid) -> Result<String, ServiceError> {
        let core = &self.0;
        core.nango()?;
        let mut tx = core.db.read().await?;
        let attempt = attempt::get(&mut tx, attempt_id).await?;
        let found = match &attempt {
            Some(attempt) => connection::get(&mut tx, attempt.connection_id).await?,
            None => None,
        };
        tx.commit().await?;
        let attempt = attempt
            .filter(|attempt| attempt.user_id == person.id)
            .ok_or_else(error::attempt_unknown)?;
        let row = found.ok_or_else(error::attempt_unknown)?.row;
        let popup = core
            .registry
            .by_id(attempt.connector_id)
            .is_some_and(|manifest| manifest.auth() == Auth::Popup);
        // What was to be renewed is gone: allowing it now would lead nowhere.
        let gone = attempt.kind == AttemptKind::Reconnect && row.nango_connection_id.is_none();
        let over = attempt.state != AttemptState::Open || attempt.expires_at <= core.clock.now();
        if over || gone || !popup {
            return Err(error::attempt_over().into());
        }
        let reconnect = match attempt.kind {
            AttemptKind::Reconnect => row.nango_connection_id.clone(),
            AttemptKind::Connect => None,
        };
        // What may not be kept would be missing from this flow.
        let manifest = core.registry.by_id(attempt.connector_id);
        if let Some(manifest) = manifest
            && core.form(manifest).await.asks_in_secret()
        {
            return Err(error::attempt_not_reopened().into());
        }
        let none = BTreeMap::new();
        let flow = flow(core, &attempt, &none, reconnect.as_deref(), true);
        let (session, socket) = match flow.await {
            Ok(flow) => flow,
            Err(error) => return Err(no_session(core, &row, error).await),
        };
        let url = session.oauth_url(socket.as_ref().map(|s| s.ws_client_id.as_str()));
        core.watch.follow(core, attempt, socket);
        Ok(url)
    }

    /// Writes the attempt; an older open one is superseded.
    async fn open(
        &self,
        person: &User,
        manifest: &Manifest,
        request: &Request,
        attempt: &mut attempt::Row,
    ) -> Result<crate::domain::connection::Connection, ServiceError> {
        let core = &self.0;
        let now = attempt.created_at;
        let mut tx = core.db.write().await?;
        accounts::lock(&mut tx, person.id).await?;
        let Target { mut row, new, kind } =
            target(core, &mut tx, person, manifest, request).await?;
        if kind != attempt.kind {
            // Another window was faster: what Nango was asked for no longer fits.
            return Err(match kind {
                AttemptKind::Reconnect => error::already_connected(),
                AttemptKind::Connect => error::not_connected(),
            }
            .into());
        }
        attempt.connection_id = row.id;
        let mut superseded = false;
        if new {
            row.account = settle::account(manifest, &attempt.config);
            row.provider_config_key = Some(attempt.provider_config_key.clone());
            connection::insert(&mut tx, &row).await?;
        } else {
            if let Some(older) = attempt::open_of(&mut tx, row.id).await? {
                let open = [AttemptState::Open];
                superseded = attempt::compare_and_set(
                    &mut tx,
                    older.id,
                    &open,
                    AttemptState::Cancelled,
                    Some(SUPERSEDED),
                    now,
                )
                .await?;
            }
            if kind == AttemptKind::Connect {
                row.status = Status::Pending;
                row.last_error = None;
                row.account = settle::account(manifest, &attempt.config);
            }
            settle::write(&mut tx, &mut row, now).await?;
        }
        attempt::insert(&mut tx, attempt).await?;
        let action = match kind {
            AttemptKind::Connect => "connect",
            AttemptKind::Reconnect => "reconnect",
        };
        audit(
            core,
            &mut tx,
            action,
            Some(person.id),
            &row,
            Some(attempt.id),
        )
        .await?;
        let announcement = core.announce(&mut tx, row.id).await?;
        let found = connection::get(&mut tx, row.id)
            .await?
            .ok_or_else(error::connection_unknown)?;
        tx.commit().await?;
        if superseded {
            let outcomes = &core.metrics.outcomes;
            outcomes.attempt_ended("superseded", Way::Person);
        }
        if let Some(announcement) = announcement {
            core.publish(announcement);
        }
        Ok(rows::connection(&core.registry, found))
    }
}

/// No session, no flow. A connection that was to be renewed and that Nango no longer has makes the
/// row learn it.
async fn no_session(core: &Core, row: &connection::Row, error: NangoError) -> ServiceError {
    core.integrations.learn(&error);
    let bound = (&row.nango_connection_id, &row.provider_config_key);
    let (Some(id), Some(key)) = bound else {
        return error.into();
    };
    if !error.is_connection_gone() {
        return error.into();
    }
    let problem = error::connection_gone();
    let seen = Seen {
        nango_connection_id: id,
        provider_config_key: key,
        condition: Condition::Vanished,
        reason: Some(problem.sentence()),
        version: Some(row.version),
    };
    match condition::observe(core, seen).await {
        Ok(_) => problem.into(),
        Err(error) => error,
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
