//! ConnectorCatalog: all connectors, searched, filtered and sorted, with what one can do. The one
//! island of its page. May import `domain`, `browser` and what components share.

use std::{rc::Rc, sync::Arc};

use leptos::{prelude::*, web_sys::Event};

use super::{
    actions::{Actions, Show},
    address::{Address, href, parse},
    catalogue_filters::{categories, search_form, sort_select, statuses},
    catalogue_row::{CatalogueRow, RowContext},
    connector_details::DetailsContext,
    connector_dialog::{ConnectorDialog, DialogState},
    control::act_form,
    details_form::{Form, FormState},
    element::dynamic,
    live_region::LiveRegion,
    rows::rows,
    shelf::{List, Shelf, after_rows},
    use_connections::use_connections,
};
use crate::{
    browser::{
        api, document, history, json,
        timers::{clock_ms, sleep, spawn},
    },
    domain::{
        catalogue::{Query, Sort},
        page::CatalogueData,
        timestamp::Timestamp,
    },
};

/// Keeps `now` true: the page's own time plus what went by since.
pub fn tick(now: RwSignal<Timestamp>) {
    let start = now.get_untracked().0 - clock_ms();
    spawn(async move {
        loop {
            sleep(30_000).await;
            now.set(Timestamp(start + clock_ms()));
        }
    });
}

/// The catalogue, from what the page carries ([`CatalogueData`]).
#[island]
pub fn ConnectorCatalog() -> impl IntoView {
    let data = api::page_data::<CatalogueData>().unwrap_or_default();
    let connectors = Arc::new(data.connectors);
    let store = use_connections();
    store.seed(data.connections);
    let now = RwSignal::new(data.now);
    let form = FormState::new(Form::default());
    let dialog = DialogState::new(form);
    let show: Show = {
        let dialog = dialog.clone();
        Rc::new(move |slug, target| {
            history::push(&format!("/connectors/{slug}"));
            dialog.open(slug, target, None);
        })
    };
    let actions = Actions::new(connectors.clone(), form, show.clone());
    let address = parse(&data.search);
    let start = address.query.clone();

    // The order stands until the query changes: rows never jump under the pointer because a status
    // changed. Counts follow at once.
    let shelf = Arc::new(Shelf::new(connectors.clone()));
    let order = shelf.list(&store.all_untracked(), &start).rows;
    let shown = RwSignal::new(List {
        address,
        rows: order,
    });
    let counted = (shelf.clone(), store.clone());
    let counts = Memo::new(move |_| {
        let (shelf, store) = &counted;
        shown.with(|list| shelf.list(&store.all(), &list.address.query))
    });

    // An address that asks for the same again, such as Back out of the dialog, moves no row.
    let known = shelf.clone();
    let go = move |address: Address| {
        if shown.with_untracked(|list| list.address != address) {
            let rows = known.list(&store.all_untracked(), &address.query).rows;
            shown.set(List { address, rows });
        }
    };
    let change = {
        let go = go.clone();
        move |edit: &dyn Fn(&mut Query), push: bool| {
            let mut to = shown.with_untracked(|list| list.address.clone());
            edit(&mut to.query);
            let url = href(&to.query, to.all);
            if push {
                history::push(&url);
            } else {
                history::replace(&url);
            }
            go(to);
        }
    };
    // Links, Back and Forward also change what stands in the fields.
    let visit = move |search: &str| {
        let to = parse(search);
        document::set_value("#search", &to.query.q);
        document::set_value("[name=sort]", to.query.sort.as_str());
        go(to);
    };

    let moved = (dialog.clone(), visit.clone());
    let click = {
        let (actions, dialog) = (actions.clone(), dialog.clone());
        move |event: &Event| {
            let Some(action) = actions.click(event) else {
                return;
            };
            let id = json::uuid(&action.value);
            match action.name.as_str() {
                "view" if form.slug().as_ref() == Some(&action.slug) => actions.open_form(id),
                "view" => show(&action.slug, id),
                "ask-disconnect" if form.slug().is_some() => {
                    actions.ask(id);
                }
                "ask-disconnect" => {
                    history::push(&format!("/connectors/{}", action.slug));
                    dialog.open(&action.slug, None, id);
                }
                "disconnect" | "keep" => dialog.answered(),
                "close" => document::close_dialog(),
                "go" => {
                    history::push(&action.href);
                    visit(action.href.split_once('?').map_or("", |(_, search)| search));
                }
                _ => {}
            }
        }
    };
    document::listen(".catalogue", move |kind, event| match kind {
        "click" => click(event),
        "close" => dialog.closed(),
        "mousedown" if document::on_backdrop(event) => document::close_dialog(),
        "input" => match document::field(event) {
            Some((name, value)) if name == "q" => {
                change(&|query| query.q.clone_from(&value), false)
            }
            Some((name, value)) if name == "sort" => {
                change(&|query| query.sort = Sort::parse(&value), true);
            }
            _ => actions.other(kind, event),
        },
        _ => actions.other(kind, event),
    });
    spawn(async move {
        history::on_move(move || {
            let (path, search) = history::address();
            let (dialog, visit) = &moved;
            if dialog.returned() {
                // What was typed meanwhile stands; the address follows.
                let url = shown.with_untracked(|list| href(&list.address.query, list.address.all));
                history::replace(&url);
                return;
            }
            match path.strip_prefix("/connectors/") {
                Some(slug) => dialog.open(slug, None, None),
                None => {
                    dialog.leave();
                    visit(&search);
                }
            }
        });
        document::slash_focuses("#search");
        tick(now);
    });

    let context = RowContext {
        icons: data.icons.clone(),
        off: data.off.clone(),
        now,
    };
    let details = DetailsContext {
        icons: data.icons,
        off: data.off,
        now,
        in_dialog: true,
        refused: None,
        values: Default::default(),
    };
    let total = connectors.len();
    let side = dynamic(move || {
        shown.with(|list| counts.with(|listing| categories(listing, &list.address.query)))
    });
    let chips = dynamic(move || {
        shown.with(|list| counts.with(|listing| statuses(listing, &list.address.query)))
    });
    let after = dynamic(move || shown.with(|list| after_rows(&shelf, list)));
    let each = move || shown.with(|list| list.visible().to_vec());
    let known = connectors.clone();
    let row = move |index: usize| {
        let connector = known.get(index).cloned().unwrap_or_default();
        let context = context.clone();
        view! { <CatalogueRow connector context/> }
    };
    view! {
        <div class="catalogue">
            {act_form()}
            <LiveRegion/>
            <header class="intro">
                <div>
                    <h1>"Connectors"</h1>
                    <p>"Connect the tools you already use. You stay in control of every permission."</p>
                </div>
                {search_form(&start, total)}
            </header>
            <div class="columns">
                {side}
                <section aria-label="Connectors">
                    <div class="bar">
                        {chips}
                        {sort_select(&start)}
                    </div>
                    <table role="table" aria-label="Connectors">
                        <thead role="rowgroup">
                            <tr role="row">
                                <th role="columnheader" scope="col">"Connector"</th>
                                <th role="columnheader" scope="col">"Category"</th>
                                <th role="columnheader" scope="col">"Status"</th>
                                <th role="columnheader" scope="col">"Last synced"</th>
                                <th role="columnheader" scope="col">
                                    <span class="unseen">"Actions"</span>
                                </th>
                            </tr>
                        </thead>
                        <tbody role="rowgroup">
                            {rows(each, row)}
                        </tbody>
                    </table>
                    {after}
                </section>
            </div>
            <ConnectorDialog connectors form context=details/>
        </div>
    }
}
