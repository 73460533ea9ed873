//! `/connectors/{slug}`: a connector's details at their own address. May import `domain`,
//! `server_fns`, `components`.

use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use uuid::Uuid;

use super::{
    account_history::history_view,
    frame::{carried, framed, problem_page},
};
use crate::{
    app::{Flash, StatusSetter},
    components::connector_panel::ConnectorPanel,
    domain::page::PanelData,
    server_fns::{history::connector_history, pages::connector_page},
};

#[component]
pub fn ConnectorDetailsPage() -> impl IntoView {
    let slug = use_params_map().with_untracked(|params| params.get("slug").unwrap_or_default());
    let (confirm, target, another) = use_query_map().with_untracked(|query| {
        let id = |name: &str| query.get(name).and_then(|text| Uuid::parse_str(&text).ok());
        (
            id("disconnect"),
            id("connection_id"),
            query.get("another").is_some(),
        )
    });
    let status = use_context::<StatusSetter>();
    let Flash(refused, values) = use_context().unwrap_or_default();
    let history = OnceResource::new_blocking(connector_history(slug.clone()));
    let page = OnceResource::new_blocking(connector_page(slug));
    view! {
        <Suspense>
            {move || {
                let (status, refused, values) = (status.clone(), refused.clone(), values.clone());
                Suspend::new(async move {
                    match page.await {
                        Err(problem) => problem_page(&problem, status.as_ref()),
                        Ok(page) => {
                            let frame = page.frame;
                            let name = page.details.connector.name.clone();
                            let known = |id: &Uuid| page.connections.iter().any(|c| c.id == *id);
                            let data = PanelData {
                                confirm: confirm.filter(known),
                                target: target.filter(known),
                                another,
                                details: page.details,
                                connections: page.connections,
                                now: frame.now,
                                icons: frame.icons.clone(),
                                off: frame.refusal(),
                                refused,
                                values: values.into_iter().collect(),
                            };
                            let carried = carried(&data);
                            // A page without its history is better than none.
                            let history = history.await.ok();
                            let history = history.map(|entries| history_view(&entries, false));
                            provide_context(data);
                            let panel = view! {
                                <nav class="crumb" aria-label="Breadcrumb">
                                    <a href="/connectors">"All connectors"</a>
                                </nav>
                                {carried}
                                <ConnectorPanel/>
                                {history}
                            };
                            framed(Some(frame), &name, panel.into_any())
                        }
                    }
                })
            }}
        </Suspense>
    }
}
