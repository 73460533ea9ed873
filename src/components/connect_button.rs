//! ConnectButton: what a person can do with a connector now. May import `domain` and what
//! components share.
//!
//! Idle → opening → waiting → an outcome, or a question (`flow`). The controls keep their places
//! and element types through all of it, so that focus stays where it was.

use leptos::prelude::*;

use super::{
    connection_status::foremost,
    control::Control,
    element::{Element, dynamic, el},
    stage::{Flow, Stage, attempt_of, open_one},
    use_connections::use_connections,
};
use crate::domain::{
    connection::{Connection, Shown},
    connector::{Auth, Connector},
};

/// The controls of a connector's row. `off` says why connecting is off for everything.
#[component]
pub fn ConnectButton(connector: Connector, off: Option<String>) -> impl IntoView {
    let ours = use_connections().of(&connector.slug);
    dynamic(move || {
        ours.with(|ours| {
            let flow = ours.flow.as_ref();
            acts_view(&connector, &ours.connections, flow, off.as_ref())
        })
    })
}

/// The quiet control and the one that matters.
pub fn acts_view(
    connector: &Connector,
    ours: &[Connection],
    flow: Option<&Flow>,
    off: Option<&String>,
) -> Element {
    let (second, first) = controls(connector, ours, flow, off);
    el("div")
        .class("acts")
        .child(second.map_or_else(|| view_link(connector), Control::view))
        .child(first.view())
}

fn view_link(connector: &Connector) -> Element {
    el("a")
        .class("button quiet view")
        .attr("href", format!("/connectors/{}", connector.slug))
        .attr("data-do", "view")
        .attr("data-slug", connector.slug.clone())
        .attr("aria-label", format!("View {}", connector.name))
        .child("View")
}

/// Why connecting is off, in words.
pub fn refusal(connector: &Connector, off: Option<&String>) -> Option<String> {
    connector
        .unavailable
        .as_ref()
        .map(|unavailable| unavailable.reason.clone())
        .or_else(|| off.cloned())
}

/// A control about this connector; the rest is filled in.
fn about(connector: &Connector) -> Control {
    Control {
        about: connector.name.clone(),
        slug: connector.slug.clone(),
        url: format!("/connectors/{}", connector.slug),
        ..Control::default()
    }
}

pub fn cancel(connector: &Connector, connection: &Connection) -> Control {
    let attempt = attempt_of(connection);
    Control {
        label: "Cancel",
        action: "cancel",
        class: "quiet",
        connection: attempt,
        field: "attempt",
        url: attempt.map_or_else(String::new, |id| format!("/attempts/{id}/cancel")),
        post: true,
        ..about(connector)
    }
}

/// Disconnect opens the confirmation.
pub fn disconnect(connector: &Connector, connection: &Connection) -> Control {
    Control {
        label: "Disconnect",
        action: "ask-disconnect",
        class: "quiet",
        connection: Some(connection.id),
        field: "disconnect",
        url: format!("/connectors/{}", connector.slug),
        ..about(connector)
    }
}

/// Connect where there is no connection yet.
pub fn connect(connector: &Connector, off: Option<&String>) -> Control {
    let refused = refusal(connector, off);
    // A form to fill in, or a reason to read, stands in the details.
    let details = connector.asks_first || refused.is_some();
    Control {
        label: "Connect",
        action: if details { "view" } else { "connect" },
        url: format!(
            "/connectors/{}{}",
            connector.slug,
            if details { "" } else { "/connect" }
        ),
        post: !details,
        refused,
        ..about(connector)
    }
}

pub fn reconnect(connector: &Connector, connection: &Connection, off: Option<&String>) -> Control {
    let refused = refusal(connector, off);
    let form = connector.auth == Auth::Credentials && connector.asks_first;
    let details = form || refused.is_some();
    Control {
        label: "Reconnect",
        action: if details { "view" } else { "reconnect" },
        class: "needed",
        connection: Some(connection.id),
        url: format!(
            "/connectors/{}{}",
            connector.slug,
            if details { "" } else { "/reconnect" }
        ),
        post: !details,
        refused,
        ..about(connector)
    }
}

/// While an attempt is open: the window again; what was typed where there is none.
pub fn open_again(connector: &Connector, connection: &Connection) -> Control {
    if connector.auth == Auth::Credentials {
        let label = if connector.asks_first {
            "Type it again"
        } else {
            "Try again"
        };
        return Control {
            label,
            class: "",
            ..reconnect(connector, connection, None)
        };
    }
    let attempt = attempt_of(connection);
    Control {
        label: "Open window",
        action: "resume",
        connection: attempt,
        field: "attempt",
        // Its page has the link: a form may lead to our own pages only, redirects included.
        url: attempt.map_or_else(String::new, |id| format!("/attempts/{id}")),
        ..about(connector)
    }
}

/// The quiet control in place of View, if any, and the one that matters.
fn controls(
    connector: &Connector,
    ours: &[Connection],
    flow: Option<&Flow>,
    off: Option<&String>,
) -> (Option<Control>, Control) {
    let busy = |label| Control {
        label,
        action: "wait",
        busy: true,
        ..about(connector)
    };
    match flow.map(|flow| flow.stage) {
        Some(Stage::Opening) => return (None, busy("Connecting…")),
        Some(Stage::Cancelling) => return (None, busy("Cancelling…")),
        Some(Stage::Disconnecting) => return (None, busy("Disconnecting…")),
        _ => {}
    }
    if let Some(open) = open_one(ours, flow) {
        return (Some(cancel(connector, open)), open_again(connector, open));
    }
    let several = ours
        .iter()
        .filter(|one| matches!(one.shown(), Shown::Connected | Shown::Pending))
        .count()
        > 1;
    match foremost(ours) {
        Some(broken) if broken.shown() == Shown::Error => (None, reconnect(connector, broken, off)),
        Some(_) if several => (
            None,
            Control {
                label: "Manage",
                action: "view",
                class: "quiet",
                ..about(connector)
            },
        ),
        Some(one) if matches!(one.shown(), Shown::Connected | Shown::Pending) => {
            (None, disconnect(connector, one))
        }
        _ => (None, connect(connector, off)),
    }
}
