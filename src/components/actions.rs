//! What the islands' one listener does with a click, a key or a submit. May import `domain`,
//! `browser` and what components share.

use std::{rc::Rc, sync::Arc};

use leptos::{prelude::*, web_sys::Event};
use uuid::Uuid;

use super::{
    details_form::{Form, FormState},
    flow::Wish,
    rename::NAME_FORM,
    stage::Values,
    use_connections::{Connections, use_connections},
};
use crate::{
    browser::{
        document::{self, Action},
        json,
        timers::{sleep, spawn},
    },
    domain::connector::{Auth, Connector},
};

/// What actions act on.
#[derive(Clone)]
pub struct Actions {
    connections: Connections,
    connectors: Arc<Vec<Connector>>,
    form: FormState,
    show: Show,
}

/// Shows the details of a connector; the account is the one that their form is about.
pub type Show = Rc<dyn Fn(&str, Option<Uuid>)>;

impl Actions {
    pub fn new(connectors: Arc<Vec<Connector>>, form: FormState, show: Show) -> Self {
        let connections = use_connections();
        for connector in connectors.iter() {
            connections.seed_name(&connector.slug, &connector.name);
        }
        spawn(async move { form.change(|form| form.live = true) });
        Self {
            connections,
            connectors,
            form,
            show,
        }
    }

    pub fn connector(&self, slug: &str) -> Option<&Connector> {
        self.connectors
            .iter()
            .find(|connector| connector.slug == slug)
    }

    /// Does what every island does; what is left (`view`, `close` …) goes back to the island.
    pub fn click(&self, event: &Event) -> Option<Action> {
        let action = document::action(event)?;
        let slug = action.slug.as_str();
        let id = json::uuid(&action.value);
        match action.name.as_str() {
            "connect" => self.connect(slug, None),
            "reconnect" => self.connect(slug, id),
            "restart" => return self.restart(action, id),
            "resume" => self.connections.resume(slug, id),
            "finish" => self.connections.finish(slug, id, None),
            "cancel" => self.connections.cancel(slug, id),
            "disconnect" => {
                if !id.is_some_and(|id| self.connections.disconnect(slug, id)) {
                    return None;
                }
                self.unask();
                return Some(action);
            }
            "keep" => {
                self.unask();
                return Some(action);
            }
            "another" | "retype" => self.open_form(id),
            "fold" => {
                self.form.clear();
                self.form.change(|form| form.open = false);
                focus_form();
            }
            "reveal" => document::reveal(event),
            _ => return Some(action),
        }
        None
    }

    /// Opens the form of the details that are shown, about this account or a new one.
    pub fn open_form(&self, target: Option<Uuid>) {
        self.form.change(|form| {
            form.target = target;
            form.open = true;
        });
        focus_form();
    }

    /// Asks before disconnecting, and leads there.
    pub fn ask(&self, connection: Option<Uuid>) {
        self.form.change(|form| form.confirm = connection);
        spawn(async {
            sleep(0).await;
            document::focus("#confirm-title");
        });
    }

    /// The question is answered: focus goes back to where it was asked.
    fn unask(&self) {
        let mut asked = None;
        self.form.change(|form| asked = form.confirm.take());
        let asked = asked.map(|id| id.to_string()).unwrap_or_default();
        spawn(async move {
            sleep(0).await;
            document::rescue_focus(&format!("[data-do=ask-disconnect][value='{asked}']"));
        });
    }

    fn connect(&self, slug: &str, connection: Option<Uuid>) {
        if let Some(connector) = self.connector(slug) {
            self.start(connector, connection, Values::new(), Values::new());
        }
    }

    fn start(
        &self,
        connector: &Connector,
        connection: Option<Uuid>,
        inputs: Values,
        credentials: Values,
    ) {
        let (form, slug, show) = (self.form, connector.slug.clone(), self.show.clone());
        let (keys, of) = (connector.auth == Auth::Credentials, slug.clone());
        let keep = !form.0.with_untracked(Form::has_secret_input);
        self.connections.connect(Wish {
            slug: slug.clone(),
            auth: connector.auth,
            connection,
            inputs,
            keep,
            credentials,
            // A key that was taken stays nowhere in the page.
            accepted: Box::new(move || {
                if keys && form.slug() == Some(of) {
                    form.clear();
                }
            }),
            // A refusal by the server belongs at the fields it names.
            refused: Box::new(move |problem| match form.slug() {
                Some(open) if open == slug => {
                    form.change(|form| form.refuse(problem, connection));
                }
                // The row did not know that anything is asked for.
                None if !problem.errors.is_empty() => show(&slug, connection),
                _ => {}
            }),
        });
    }

    /// "Start again" with what was typed; where that is not known any more, the form asks.
    fn restart(&self, mut action: Action, id: Option<Uuid>) -> Option<Action> {
        let connector = self.connector(&action.slug)?;
        let inputs = self
            .connections
            .flow_untracked(&action.slug)
            .map(|flow| flow.inputs)
            .unwrap_or_default();
        if connector.asks_first && inputs.is_empty() {
            if self.form.slug().as_ref() == Some(&action.slug) {
                self.open_form(id);
                return None;
            }
            action.name = "view".to_owned();
            return Some(action);
        }
        self.start(connector, id, inputs, Values::new());
        None
    }

    /// Does what every island does with an event that is no click.
    pub fn other(&self, kind: &str, event: &Event) {
        match kind {
            "input" => self.typed(event, false),
            "focusout" => self.typed(event, true),
            "submit" => {
                event.prevent_default();
                let form = document::form_id(event);
                if form == "details" {
                    self.submit();
                } else if let Some(id) = form.strip_prefix(NAME_FORM).and_then(json::uuid) {
                    self.connections.rename(id);
                }
            }
            _ => {}
        }
    }

    /// The details form was sent.
    fn submit(&self) {
        let (details, target) = self
            .form
            .0
            .with_untracked(|form| (form.details().cloned(), form.target));
        let Some(connector) = details.map(|details| details.connector) else {
            return;
        };
        if connector.unavailable.is_some() {
            return;
        }
        let Some([inputs, credentials]) = self.form.read() else {
            return;
        };
        self.start(&connector, target, inputs, credentials);
        self.form.forget_secrets();
        self.form.change(|form| form.open = false);
    }

    /// A key in a field, or leaving it.
    fn typed(&self, event: &Event, left: bool) {
        if let Some((name, value)) = document::field(event)
            && name.contains('.')
        {
            self.form.typed(&name, &value, left);
        }
    }
}

/// To the first field, once the form shows; to the heading where nothing is asked.
pub fn focus_form() {
    spawn(async {
        sleep(0).await;
        document::focus("#details-title");
        document::focus(
            "#details:not([hidden]) :is(input:not([type=hidden]),select,textarea,button.loud)",
        );
    });
}
