//! The island of a connector's own page. May import `domain`, `browser` and what components share.

use std::{rc::Rc, sync::Arc};

use leptos::prelude::*;

use super::{
    actions::Actions,
    connector_catalog::tick,
    connector_details::{DetailsContext, DetailsPane},
    control::act_form,
    details_form::{Form, FormState},
    live_region::LiveRegion,
    use_connections::use_connections,
};
use crate::{
    browser::{api, document, history, json, timers::spawn},
    domain::{
        connection::{Connection, Shown},
        connector::Auth,
        page::PanelData,
    },
};

/// The details of one connector, from what the page carries ([`PanelData`]).
#[island]
pub fn ConnectorPanel() -> impl IntoView {
    let data = api::page_data::<PanelData>().unwrap_or_default();
    let connector = data.details.connector.clone();
    let broken = data
        .connections
        .iter()
        .find(|connection| connection.shown() == Shown::Error)
        .filter(|_| connector.auth == Auth::Credentials && connector.asks_first)
        .map(|connection| connection.id);
    let stands = |one: &Connection| one.shown() == Shown::Connected;
    let connected = data.connections.iter().any(stands);
    use_connections().seed(data.connections);
    // A name is refused in a form of its own.
    let refused = data.refused.as_ref();
    let refused = refused.filter(|problem| problem.code != "name_invalid");
    // What was refused was about the account that the address names, or about a new one.
    let broken = broken.filter(|_| refused.is_none());
    let target = data.target.or(broken).filter(|_| !data.another);
    // Where an account stands, a refusal that names no field was about disconnecting it.
    let retry = refused.is_some_and(|problem| !connected || !problem.errors.is_empty());
    let mut form = Form {
        slug: Some(connector.slug.clone()),
        loaded: Some(Ok(data.details)),
        open: data.another || target.is_some() || retry,
        target,
        confirm: data.confirm,
        ..Form::default()
    };
    if let Some(problem) = refused {
        form.refuse(problem, target);
    }
    let form = FormState::new(form);
    let connectors = Arc::new(vec![connector]);
    // They always show.
    let actions = Actions::new(connectors.clone(), form, Rc::new(|_, _| {}));
    let now = RwSignal::new(data.now);
    spawn(async move {
        // After a reload of the open dialog, the list before it in the history is an entry of this
        // very document: Back changes the address only.
        let (path, _) = history::address();
        history::on_move(move || {
            if history::address().0 != path {
                history::reload();
            }
        });
        tick(now);
    });
    let context = DetailsContext {
        icons: data.icons,
        off: data.off,
        now,
        in_dialog: false,
        refused: data.refused,
        values: data.values,
    };
    document::listen(".panel", move |kind, event| match kind {
        "click" => {
            if let Some(action) = actions.click(event) {
                match action.name.as_str() {
                    "ask-disconnect" => actions.ask(json::uuid(&action.value)),
                    "view" => actions.open_form(json::uuid(&action.value)),
                    _ => {}
                }
            }
        }
        _ => actions.other(kind, event),
    });
    view! {
        <div class="panel">
            {act_form()}
            <LiveRegion/>
            <DetailsPane connectors form context/>
        </div>
    }
}
