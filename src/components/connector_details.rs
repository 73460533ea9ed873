//! A connector's details: what it is, what it may do, its accounts, its form; and the question
//! before disconnecting. Shown in the dialog and on its own page. May import `domain` and what
//! components share.

use std::sync::Arc;

use leptos::prelude::*;
use uuid::Uuid;

use super::{
    catalogue_row::time_view,
    connect_button::{cancel, disconnect, open_again, reconnect, refusal},
    connection_status::status_view,
    connector_icon::icon_view,
    control::Control,
    details_form::{Form, FormState, active, form_view, leave},
    element::{Element, dynamic, el},
    flow_note::flow_note,
    rename::rename_view,
    stage::{Stage, Values},
    use_connections::{Ours, use_connections},
};
use crate::domain::{
    catalogue,
    connection::{Connection, Shown},
    connector::{Connector, ConnectorDetails},
    problem::Problem,
    timestamp::Timestamp,
};

/// What the details get from where they are shown.
#[derive(Clone)]
pub struct DetailsContext {
    pub icons: String,
    /// Why connecting is off for everything.
    pub off: Option<String>,
    pub now: RwSignal<Timestamp>,
    pub in_dialog: bool,
    /// What a refused post said and carried.
    pub refused: Option<Problem>,
    pub values: Values,
}

/// The details of the connector that `form` names, with their head; empty where it names none.
#[component]
pub fn DetailsPane(
    connectors: Arc<Vec<Connector>>,
    form: FormState,
    context: DetailsContext,
) -> impl IntoView {
    let connections = use_connections();
    dynamic(move || {
        form.0.with(|form| {
            let slug = form.slug.as_deref().unwrap_or_default();
            let pane = el("article").class("details");
            match connectors.iter().find(|connector| connector.slug == slug) {
                Some(connector) => {
                    let ours = connections.ours(slug);
                    let status = catalogue::shown(&ours.connections).word();
                    let status = status.to_ascii_lowercase();
                    let head = el("div")
                        .child(
                            el("h1")
                                .attr("id", "details-title")
                                .attr("tabindex", "-1")
                                .child(connector.name.clone()),
                        )
                        .child(el("p").child(format!("{} · {status}", connector.category)));
                    pane.child(
                        el("header")
                            .child(icon_view(connector, &context.icons))
                            .child(head),
                    )
                    .child(confirm_view(connector, form, &ours.connections))
                    .child(body_view(form, &ours, &context).attr("hidden", form.confirm.is_some()))
                }
                None => pane,
            }
        })
    })
}

fn body_view(form: &Form, ours: &Ours, context: &DetailsContext) -> Element {
    match &form.loaded {
        None => el("div").child(
            el("div")
                .class("skeleton")
                .attr("aria-busy", "true")
                .attr("aria-label", "Loading")
                .children((0..5).map(|_| el("i"))),
        ),
        Some(Err(problem)) => el("div")
            .child(alert(problem))
            .child(el("footer").child(leave("Close", context.in_dialog))),
        Some(Ok(details)) => el("div")
            .child(context.refused.as_ref().map(alert))
            .child(about(details))
            .child(accounts_view(&details.connector, form, ours, context))
            .child(form_view(details, form, ours, context))
            .child(context.in_dialog.then(|| {
                // Not the dialog's own address: to that the browser would not go, it is there already.
                let url = format!("/connectors/{}?all#history", details.connector.slug);
                el("a").class("help").attr("href", url).child("History")
            })),
    }
}

fn alert(problem: &Problem) -> Element {
    bad(problem.sentence()).attr("role", "alert")
}

fn bad(words: String) -> Element {
    el("p").class("note bad").child(words)
}

/// What it is and what it may do.
fn about(details: &ConnectorDetails) -> Element {
    let words = |words: &String| el("p").class("about").child(words.clone());
    let scopes = details.scopes.iter().map(|scope| {
        el("li")
            .attr("title", scope.scope.clone())
            .child(scope.grants.clone())
    });
    let any = !details.scopes.is_empty();
    el("div")
        .child(words(&details.description))
        .child(words(&details.before_you_go))
        .child(any.then(|| el("h2").child("It will be able to")))
        .child(any.then(|| el("ul").class("scopes").children(scopes)))
}

/// The accounts, what is in motion, and what can be done with all of it.
fn accounts_view(
    connector: &Connector,
    form: &Form,
    ours: &Ours,
    context: &DetailsContext,
) -> Element {
    let off = context.off.as_ref();
    let stage = ours.flow.as_ref().map(|flow| flow.stage);
    let signing = ours.connections.iter().any(|c| c.attempt.is_some());
    let items: Vec<Element> = ours
        .connections
        .iter()
        .filter(|connection| active(connection))
        .map(|connection| {
            let account = distinct(&ours.connections, connection.id);
            account_view(
                connector,
                connection,
                account,
                stage,
                off,
                signing,
                context.now.get(),
            )
        })
        .collect();
    let any = !items.is_empty();
    // Where it ended and why; the account itself is gone from the list.
    let last = ours
        .connections
        .iter()
        .filter(|_| !any)
        .find_map(|connection| connection.last_error.clone());
    let another = connector.multiple_accounts && !signing && refusal(connector, off).is_none();
    el("div")
        .child(el("ul").class("accounts").children(items))
        .child(last.map(bad))
        .child(flow_note(connector, &ours.connections, ours.flow.as_ref()))
        .child((any && !form.open).then(|| {
            el("footer")
                .child(another.then(|| another_account(connector)))
                .child(leave("Close", context.in_dialog))
        }))
}

fn another_account(connector: &Connector) -> Element {
    let action = if connector.asks_first {
        "another"
    } else {
        "connect"
    };
    el("a")
        .class("button")
        .attr("href", format!("/connectors/{}?another=1", connector.slug))
        .attr("data-do", action)
        .attr("data-slug", connector.slug.clone())
        .child("Connect another account")
}

/// What tells an account from the others; nothing where it is the only one.
fn distinct(ours: &[Connection], id: Uuid) -> Option<String> {
    let mut shown = ours.iter().filter(|connection| active(connection));
    let mut place = 0;
    let one = shown
        .by_ref()
        .inspect(|_| place += 1)
        .find(|c| c.id == id)?;
    if place == 1 && shown.next().is_none() {
        return None;
    }
    let account = one.account.clone();
    Some(account.unwrap_or_else(|| format!("Account {place}")))
}

/// The connector, and which account of it where there are several.
fn about_account(connector: &Connector, account: Option<String>) -> String {
    let name = &connector.name;
    account.map_or_else(|| name.clone(), |account| format!("{name} {account}"))
}

/// What would lead to the form opens it where it is.
fn in_place(mut control: Control) -> Control {
    if control.action == "view" && control.refused.is_none() {
        control.action = "retype";
    }
    control
}

/// One account with its own status and controls. `signing`: some account is being signed in to.
fn account_view(
    connector: &Connector,
    connection: &Connection,
    account: Option<String>,
    stage: Option<Stage>,
    off: Option<&String>,
    signing: bool,
    now: Timestamp,
) -> Element {
    let busy = matches!(
        stage,
        Some(Stage::Opening | Stage::Cancelling | Stage::Disconnecting)
    );
    let controls = if connection.attempt.is_some() {
        [
            cancel(connector, connection),
            in_place(open_again(connector, connection)),
        ]
    } else {
        let mut again = in_place(reconnect(connector, connection, off));
        if connection.shown() != Shown::Error {
            again.class = "quiet";
        }
        // One window a connector: a second would close the first.
        if signing {
            again.action = "wait";
            again.refused = Some("Finish or cancel the other sign-in first.".to_owned());
        }
        [disconnect(connector, connection), again]
    };
    // Nothing of the person's helps: somebody at the provider has to approve.
    let waiting = connection.is_awaiting_approval();
    let shown_controls = if waiting { 1 } else { 2 };
    let below = account.clone().or_else(|| connection.account.clone());
    let about = about_account(connector, account);
    // What was never connected is still called by what was typed.
    let named = connector.multiple_accounts
        && connection.connected_at.is_some()
        && connection.attempt.is_none();
    let controls = controls
        .into_iter()
        .take(shown_controls)
        .map(|mut control| {
            control.about.clone_from(&about);
            if busy {
                control.busy = true;
                control.action = "wait";
            }
            control.view()
        });
    // While the installation waits, nothing is connected yet, whatever was authorised when.
    let day = connection.connected_at.filter(|_| !waiting);
    let day = day.map(Timestamp::day);
    let dates = el("dl")
        .attr("hidden", day.is_none())
        .child(el("dt").child("Connected"))
        .child(el("dd").child(day.unwrap_or_else(|| "—".to_owned())))
        .child(el("dt").child("Last synced"))
        .child(el("dd").child(time_view(connection.last_synced_at, now)));
    el("li")
        .child(status_view(connection.shown(), waiting, below))
        .child(el("div").class("acts").children(controls))
        .child(dates)
        .child(waiting.then(|| {
            let words = format!("Waiting for approval at {}.", connector.name);
            el("p").class("note").child(words)
        }))
        .child(connection.last_error.clone().map(bad))
        .child(named.then(|| rename_view(connection, &about)))
}

/// The question before disconnecting, which says what stops; nothing while nobody asks.
fn confirm_view(connector: &Connector, form: &Form, ours: &[Connection]) -> Option<Element> {
    let which = about_account(connector, distinct(ours, form.confirm?));
    let id = form.confirm?.to_string();
    let stops = match &form.loaded {
        Some(Ok(details)) => Some(details.disconnect_stops.clone()),
        Some(Err(problem)) => Some(problem.sentence()),
        None => None,
    };
    let class = if stops.is_none() { "skeleton" } else { "about" };
    let url = format!("/connectors/{}", connector.slug);
    let keep = el("a")
        .class("button quiet")
        .attr("href", url.clone())
        .attr("data-do", "keep")
        .child("Keep connected");
    let disconnect = el("button")
        .class("button danger")
        .attr("value", id.clone())
        .attr("data-do", "disconnect")
        .attr("data-slug", connector.slug.clone())
        .child("Disconnect");
    let view = el("form")
        .class("confirm")
        .attr("method", "post")
        .attr("action", format!("{url}/disconnect"))
        .child(
            el("h2")
                .attr("id", "confirm-title")
                .attr("tabindex", "-1")
                .child(format!("Disconnect {which}?")),
        )
        .child(el("p").class(class).child(stops))
        .child(
            el("input")
                .attr("type", "hidden")
                .attr("name", "connection_id")
                .attr("value", id),
        )
        .child(el("footer").child(keep).child(disconnect));
    Some(view)
}
