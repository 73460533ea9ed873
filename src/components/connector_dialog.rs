//! The dialog that shows a connector's details over the catalogue, with an address of its own. May
//! import `domain`, `browser` and what components share.

use std::sync::Arc;

use leptos::prelude::*;
use uuid::Uuid;

use super::{
    actions::focus_form,
    connector_details::{DetailsContext, DetailsPane},
    details_form::{Form, FormState},
    live_region::announcements,
    use_connections::{Connections, use_connections},
};
use crate::{
    browser::{
        api, document, history,
        timers::{sleep, spawn},
    },
    domain::connector::Connector,
};

/// What opens and closes the dialog. It is open while the form names a connector.
#[derive(Clone)]
pub struct DialogState {
    form: FormState,
    connections: Connections,
}

impl DialogState {
    pub fn new(form: FormState) -> Self {
        Self {
            form,
            connections: use_connections(),
        }
    }

    /// Opens it and loads the details. `target`: the account to reconnect; `confirm`: to disconnect.
    pub fn open(&self, slug: &str, target: Option<Uuid>, confirm: Option<Uuid>) {
        self.form.0.set(Form {
            slug: Some(slug.to_owned()),
            open: target.is_some(),
            target,
            confirm,
            brief: confirm.is_some(),
            live: true,
            ..Form::default()
        });
        // What was said before is old: its second copy must not be read out as the dialog appears.
        self.connections.change(|store| {
            store.said.clear();
            store.alarm.clear();
        });
        document::open_dialog();
        document::set_title(&self.connections.name(slug));
        let (state, slug) = (self.clone(), slug.to_owned());
        spawn(async move {
            // The headings appear after this turn.
            sleep(0).await;
            document::focus("#details-title");
            document::focus("#confirm-title");
            let answer = api::details(&slug).await;
            if state.form.slug().as_deref() != Some(&slug) {
                return;
            }
            let loaded = answer.map(|answer| {
                state.connections.seed(answer.connections);
                answer.details
            });
            let asks = loaded.as_ref().is_ok_and(|d| d.connector.asks_first);
            let flow = state.connections.flow_untracked(&slug);
            state.form.change(|form| {
                form.loaded = Some(loaded);
                if let Some(flow) = flow
                    && let Some(problem) = flow.problem
                {
                    form.refuse(&problem, form.target.or(flow.connection));
                }
            });
            if asks && confirm.is_none() {
                focus_form();
            }
        });
    }

    /// After the one question it was opened for, it closes.
    pub fn answered(&self) {
        if self.form.0.with_untracked(|form| form.brief) {
            document::close_dialog();
        }
    }

    /// Back, or another address: closes without touching the history.
    pub fn leave(&self) {
        if self.forget() {
            document::close_dialog();
        }
    }

    /// Closed by the person: the address goes back to the list's.
    pub fn closed(&self) {
        if self.forget() {
            self.form.change(|form| form.returning = true);
            history::back();
        }
    }

    /// Whether a move in the history only follows [`Self::closed`]; tells it once.
    pub fn returned(&self) -> bool {
        let returning = self.form.0.with_untracked(|form| form.returning);
        if returning {
            self.form.change(|form| form.returning = false);
        }
        returning
    }

    /// Whether there was something to forget.
    fn forget(&self) -> bool {
        let open = self.form.slug().is_some();
        if open {
            self.form.change(|form| form.slug = None);
            document::set_title("Connectors");
        }
        open
    }
}

#[component]
pub fn ConnectorDialog(
    connectors: Arc<Vec<Connector>>,
    form: FormState,
    context: DetailsContext,
) -> impl IntoView {
    // The question names the dialog while it is asked; an id that is not there counts for nothing.
    view! {
        <dialog aria-labelledby="confirm-title details-title">
            <DetailsPane connectors form context/>
            {announcements(use_connections(), false)}
        </dialog>
    }
}
