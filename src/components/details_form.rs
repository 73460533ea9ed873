//! What a connector's details remember while they are open, and their form. May import `domain`,
//! `browser` and what components share.

use leptos::prelude::*;
use uuid::Uuid;

use super::{
    connect_button::refusal,
    connector_details::DetailsContext,
    element::{Element, el},
    field_input::{check, field_view},
    stage::{Stage, Values},
    use_connections::Ours,
};
use crate::{
    browser::document,
    domain::{
        connection::{Connection, Shown},
        connector::{Auth, ConnectorDetails, Field},
        problem::Problem,
    },
};

/// The details that are shown: on their way, here, or refused.
pub type Loaded = Option<Result<ConnectorDetails, Problem>>;

/// What the details remember.
#[derive(Clone, Debug, Default)]
pub struct Form {
    /// The connector they are about; none while they are closed.
    pub slug: Option<String>,
    pub loaded: Loaded,
    /// The form shows although there is a connection: another account, or a new key.
    pub open: bool,
    /// The account that the form is about, where it is not a new one.
    pub target: Option<Uuid>,
    /// Disconnecting this one waits for a yes.
    pub confirm: Option<Uuid>,
    /// They were opened for that one question only.
    pub brief: bool,
    /// They were closed, and the address is on its way back to the list's.
    pub returning: bool,
    /// Scripts run: the browser's own check of the form steps back.
    pub live: bool,
    /// Fields that were left once, by name.
    pub touched: Vec<String>,
    /// What is wrong with which field.
    pub errors: Vec<(String, String)>,
}

impl Form {
    pub fn details(&self) -> Option<&ConnectorDetails> {
        self.loaded.as_ref()?.as_ref().ok()
    }

    /// Whether something is asked for before a window that may not stay in the page.
    pub fn has_secret_input(&self) -> bool {
        self.details()
            .is_some_and(|details| details.inputs.iter().any(|input| input.secret))
    }

    /// Shows what a problem says about fields; `target` is the account that was refused.
    pub fn refuse(&mut self, problem: &Problem, target: Option<Uuid>) {
        if !problem.errors.is_empty() {
            let errors = problem.errors.iter();
            self.errors = errors
                .map(|error| (error.field.clone(), error.message.clone()))
                .collect();
            self.open = true;
            self.target = target;
        }
    }

    /// The error of a field, under its name in the form or its own.
    fn error(&self, name: &str, short: &str) -> String {
        let mut errors = self.errors.iter();
        errors
            .find(|(field, _)| field == name || field == short)
            .map(|(_, message)| message.clone())
            .unwrap_or_default()
    }

    /// Keeps what is wrong with a field's value, if anything; tells whether there is.
    fn put(&mut self, field: &Field, name: &str, value: &str) -> bool {
        let error = check(field, value);
        let refused = error.is_some();
        self.errors
            .retain(|(known, _)| known != name && *known != field.name);
        self.errors
            .extend(error.map(|error| (name.to_owned(), error)));
        refused
    }
}

/// The state of the details; it lives as long as the island.
#[derive(Clone, Copy)]
pub struct FormState(pub RwSignal<Form>);

impl FormState {
    pub fn new(form: Form) -> Self {
        Self(RwSignal::new(form))
    }

    pub fn change(self, change: impl FnOnce(&mut Form)) {
        self.0.update(change);
    }

    /// The connector they are about now.
    pub fn slug(self) -> Option<String> {
        self.0.with_untracked(|form| form.slug.clone())
    }

    /// A key was pressed in a field, or it was `left`: errors come after leaving it, then live.
    pub fn typed(self, name: &str, value: &str, left: bool) {
        let mut form = self.0.get_untracked();
        let known = form.touched.iter().any(|touched| touched == name);
        let early = if left {
            value.is_empty()
        } else {
            let (_, short) = name.split_once('.').unwrap_or_default();
            form.error(name, short).is_empty()
        };
        if !known && early {
            return;
        }
        if left && !known {
            form.touched.push(name.to_owned());
        }
        let details = form.details().cloned().unwrap_or_default();
        for (field, known) in fields(&details) {
            if known == name {
                form.put(field, name, value);
            }
        }
        self.0.set(form);
    }

    /// Forgets what was typed and what was wrong with it.
    pub fn clear(self) {
        self.change(|form| {
            form.touched.clear();
            form.errors.clear();
            empty(form, false);
        });
    }

    /// Empties the secret fields: what was sent stays nowhere in the page, whatever comes of it.
    pub fn forget_secrets(self) {
        self.0.with_untracked(|form| empty(form, true));
    }

    /// Reads the form; nothing where a field is refused, which then has the focus.
    pub fn read(self) -> Option<[Values; 2]> {
        let mut form = self.0.get_untracked();
        let details = form.details()?.clone();
        let mut values = [Values::new(), Values::new()];
        let mut first = None;
        for (field, name) in fields(&details) {
            let value = document::value_of(&selector(&name));
            if form.put(field, &name, &value) {
                first.get_or_insert_with(|| name.clone());
            } else if !value.is_empty() {
                let [inputs, credentials] = &mut values;
                let group = if name.starts_with(INPUT) {
                    inputs
                } else {
                    credentials
                };
                let value = if field.secret { &value } else { value.trim() };
                group.push((field.name.clone(), value.to_owned()));
            }
            form.touched.push(name);
        }
        self.0.set(form);
        match first {
            Some(name) => {
                document::focus(&selector(&name));
                None
            }
            None => Some(values),
        }
    }
}

fn selector(name: &str) -> String {
    format!("#details [name='{name}']")
}

/// Empties the fields, or the secret ones of them. What is chosen from a list stays.
fn empty(form: &Form, secret: bool) {
    for (field, name) in form.details().into_iter().flat_map(fields) {
        if field.options.is_empty() && (field.secret || !secret) {
            document::set_value(&selector(&name), "");
        }
    }
    // The next secret is not typed in the open because this one was.
    document::conceal();
}

const INPUT: &str = "input.";
const CREDENTIAL: &str = "credential.";

/// The fields with their names in the form.
fn fields(details: &ConnectorDetails) -> impl Iterator<Item = (&Field, String)> {
    let inputs = details.inputs.iter().map(|field| (field, INPUT));
    let credentials = details.credentials.iter().map(|field| (field, CREDENTIAL));
    inputs
        .chain(credentials)
        .map(|(field, prefix)| (field, format!("{prefix}{}", field.name)))
}

/// Whether a connection is something to show and act on.
pub fn active(connection: &Connection) -> bool {
    connection.attempt.is_some()
        || !matches!(
            connection.shown(),
            Shown::NotConnected | Shown::Disconnected
        )
}

/// The form: the fields, what happens next, Connect.
pub fn form_view(
    details: &ConnectorDetails,
    form: &Form,
    ours: &Ours,
    context: &DetailsContext,
) -> Element {
    let connector = &details.connector;
    let any = ours.connections.iter().any(active);
    let hidden = !form.open && any;
    let verb = match form.target {
        Some(_) => "reconnect",
        None => "connect",
    };
    let target = form.target.map(|id| {
        el("input")
            .attr("type", "hidden")
            .attr("name", "connection_id")
            .attr("value", id.to_string())
    });
    let mut inputs = el("div");
    for (field, name) in fields(details) {
        let mut values = context.values.iter();
        let value = values.find(|(known, _)| *known == field.name);
        let error = form.error(&name, &field.name);
        let value = value.map(|(_, value)| value.as_str());
        inputs = inputs.child(field_view(field, name, value, error));
    }
    let asks = !details.inputs.is_empty() || !details.credentials.is_empty();
    let name = &connector.name;
    let note = match connector.auth {
        Auth::Popup => format!("A {name} window opens next. Patchbay never sees your password."),
        Auth::Credentials if details.credentials.is_empty() => {
            format!("{name} asks for no password, so no window opens.")
        }
        Auth::Credentials => "Your key goes straight to Nango, which keeps it encrypted. \
                              Patchbay does not store it."
            .to_owned(),
    };
    let refused = refusal(connector, context.off.as_ref());
    let busy = ours
        .flow
        .as_ref()
        .is_some_and(|flow| flow.stage == Stage::Opening);
    let submit = el("button")
        .class("button loud")
        .attr(
            "aria-disabled",
            (refused.is_some() || busy).then_some("true"),
        )
        .child(if busy {
            "Connecting…".to_owned()
        } else {
            format!("Connect {name}")
        });
    el("form")
        .attr("id", "details")
        .attr("method", "post")
        .attr("action", format!("/connectors/{}/{verb}", connector.slug))
        .attr("hidden", hidden)
        .attr("novalidate", form.live)
        .child(target)
        .child(asks.then(|| el("h2").child("Before you go")))
        .child(inputs)
        .child(refused.map(|reason| el("p").class("note bad").child(reason)))
        .child(
            el("footer")
                .child(el("p").class("next").child(note))
                .child(if form.open && any {
                    // Without JavaScript a form for a known account is a page of its own.
                    let url = match form.target {
                        Some(_) => "/connectors".to_owned(),
                        None => format!("/connectors/{}", connector.slug),
                    };
                    way_out("Cancel", url, Some("fold"))
                } else {
                    leave("Cancel", context.in_dialog)
                })
                .child(submit),
        )
}

/// Out of the details: closes the dialog, or leads back to the list.
pub fn leave(label: &'static str, in_dialog: bool) -> Element {
    let action = in_dialog.then_some("close");
    way_out(label, "/connectors".to_owned(), action)
}

fn way_out(label: &'static str, url: String, action: Option<&'static str>) -> Element {
    el("a")
        .class("button quiet")
        .attr("href", url)
        .attr("data-do", action)
        .child(label)
}
