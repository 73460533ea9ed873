//! `/connectors`: the catalogue. May import `domain`, `server_fns`, `components`.

use leptos::prelude::*;
use leptos_router::hooks::use_url;

use super::frame::{carried, framed, problem_page};
use crate::{
    app::StatusSetter,
    components::connector_catalog::ConnectorCatalog,
    domain::page::{CatalogueData, CataloguePage},
    server_fns::pages::catalogue_page,
};

#[component]
pub fn Connectors() -> impl IntoView {
    let search = use_url().with_untracked(|url| url.search().to_owned());
    let status = use_context::<StatusSetter>();
    let page = OnceResource::new_blocking(catalogue_page());
    view! {
        <Suspense>
            {move || {
                let (search, status) = (search.clone(), status.clone());
                Suspend::new(async move {
                    match page.await {
                        Err(problem) => problem_page(&problem, status.as_ref()),
                        Ok(page) => catalogue(page, search),
                    }
                })
            }}
        </Suspense>
    }
}

/// The page of what one person has. `search` is the address's query string.
pub fn catalogue(page: CataloguePage, search: String) -> AnyView {
    let frame = page.frame;
    let data = CatalogueData {
        connectors: page.connectors,
        connections: page.connections,
        search,
        now: frame.now,
        icons: frame.icons.clone(),
        off: frame.refusal(),
    };
    let carried = carried(&data);
    provide_context(data);
    let catalogue = view! {
        {carried}
        <ConnectorCatalog/>
    };
    framed(Some(frame), "Connectors", catalogue.into_any())
}
