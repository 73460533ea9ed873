//! One connector's row in the catalogue. May import `domain` and what components share.

use leptos::prelude::*;

use super::{
    connect_button::{ConnectButton, refusal},
    connection_status::{ConnectionStatus, foremost},
    connector_icon::icon_view,
    element::{Element, dynamic, el},
    flow_note::flow_note,
    stage::Flow,
    use_connections::use_connections,
};
use crate::domain::{
    connection::{Connection, Shown},
    connector::Connector,
    timestamp::Timestamp,
};

/// What every row gets.
#[derive(Clone)]
pub struct RowContext {
    pub icons: String,
    /// Why connecting is off for everything.
    pub off: Option<String>,
    pub now: RwSignal<Timestamp>,
}

#[component]
pub fn CatalogueRow(connector: Connector, context: RowContext) -> impl IntoView {
    let ours = use_connections().of(&connector.slug);
    let RowContext { icons, off, now } = context;
    let icon = icon_view(&connector, &icons);
    let who = dynamic({
        let (connector, off) = (connector.clone(), off.clone());
        move || {
            ours.with(|ours| {
                let flow = ours.flow.as_ref();
                who_view(&connector, &ours.connections, flow, off.as_ref())
            })
        }
    });
    let synced = dynamic(move || ours.with(|ours| synced_view(&ours.connections, now.get())));
    view! {
        <tr role="row">
            <th role="rowheader" scope="row" class="who">{icon}{who}</th>
            <td role="cell" class="category">{connector.category.clone()}</td>
            <td role="cell" class="state">
                <ConnectionStatus slug=connector.slug.clone()/>
            </td>
            <td role="cell" class="synced">{synced}</td>
            <td role="cell">
                <ConnectButton connector off/>
            </td>
        </tr>
    }
}

/// The name, what it is, and what is in motion.
pub fn who_view(
    connector: &Connector,
    ours: &[Connection],
    flow: Option<&Flow>,
    off: Option<&String>,
) -> Element {
    let (words, class) = line(connector, ours, off);
    let name = el("a")
        .class("name")
        .attr("href", format!("/connectors/{}", connector.slug))
        .attr("data-do", "view")
        .attr("data-slug", connector.slug.clone())
        .child(connector.name.clone());
    el("div")
        .child(name)
        .child(el("p").class(class).child(words))
        .child(flow_note(connector, ours, flow))
}

/// When it was last known to work.
pub fn synced_view(ours: &[Connection], now: Timestamp) -> Element {
    time_view(ours.iter().filter_map(|c| c.last_synced_at).max(), now)
}

/// The line under the name: what is wrong, or what it is.
fn line(
    connector: &Connector,
    ours: &[Connection],
    off: Option<&String>,
) -> (String, &'static str) {
    let trouble = foremost(ours)
        .filter(|first| first.shown() != Shown::Connected && first.attempt.is_none())
        .and_then(|first| first.last_error.clone());
    if let Some(trouble) = trouble {
        return (trouble, "line bad");
    }
    // Only this connector's own reason: what holds for all of them stands above the list.
    match (&connector.unavailable, refusal(connector, off)) {
        (Some(_), Some(reason)) => (reason, "line"),
        _ => (connector.summary.clone(), "line"),
    }
}

/// How long ago, with the exact time for those who ask; a dash where there was none.
pub fn time_view(at: Option<Timestamp>, now: Timestamp) -> Element {
    el("time")
        .attr("datetime", at.map(Timestamp::to_rfc3339))
        .attr("title", at.map(exact))
        .child(at.map_or_else(|| "—".to_owned(), |at| at.ago(now)))
}

/// `21 Nov 2026, 13:34 UTC`
fn exact(at: Timestamp) -> String {
    let text = at.to_rfc3339();
    format!("{}, {} UTC", at.day(), text.get(11..16).unwrap_or_default())
}
