//! Pages while the server's database does not do what it should: what there is to read, the reason,
//! and nothing that could not work. They look again by themselves, without any script.
//!
//! Nobody can be told from anybody here, since sessions cannot be read: nothing in these pages is
//! personal. May import `domain`, `components` and `frame`. Run on the server only.

use std::sync::Arc;

use leptos::prelude::*;

use super::frame::{symbols, top};
use crate::{
    components::{
        address::parse,
        catalogue_filters::{categories, search_form},
        connector_icon::icon_view,
        element::{Element, el},
        shelf::{List, Shelf, after_rows},
    },
    domain::{
        catalogue::{Sort, StatusFilter},
        connector::Connector,
        problem::Problem,
    },
};

/// What a page without any state is made of.
pub struct Outage<'a> {
    pub problem: &'a Problem,
    /// After so many seconds it looks again.
    pub again: u64,
}

/// Where the catalogue finds what it is shown with.
pub struct Look {
    /// Of scripts and styles, as `app::AssetRoot`.
    pub root: String,
    pub brands: String,
    pub icons: String,
}

impl Outage<'_> {
    /// What can be connected, without what is. `search` is the address's query string; states are
    /// neither shown nor asked for.
    pub fn catalogue(&self, connectors: Vec<Connector>, search: &str, look: &Look) -> String {
        Owner::new_root(None).with(|| self.catalogue_view(connectors, search, look).to_html())
    }

    fn catalogue_view(
        &self,
        connectors: Vec<Connector>,
        search: &str,
        look: &Look,
    ) -> impl IntoView + use<> {
        let mut address = parse(search);
        address.query.status = StatusFilter::All;
        address.query.sort = Sort::Name;
        let total = connectors.len();
        let shelf = Shelf::new(Arc::new(connectors));
        let listing = shelf.list(&[], &address.query);
        let form = search_form(&address.query, total);
        let side = categories(&listing, &address.query);
        let list = List {
            address,
            rows: listing.rows,
        };
        let found = list.visible().iter();
        let rows = found.filter_map(|at| shelf.connectors.get(*at));
        let rows: Vec<Element> = rows.map(|connector| row(connector, &look.icons)).collect();
        let after = after_rows(&shelf, &list);
        let title = self.problem.title.clone();
        let Look { root, brands, .. } = look;
        let (styles, brands) = (format!("{root}/pkg/patchbay.css"), brands.clone());
        view! {
            <!DOCTYPE html>
            <html lang="en">
                <head>
                    {self.head()}
                    <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                    <link rel="stylesheet" href=styles/>
                    <link rel="stylesheet" href=brands/>
                    <title>"Connectors · Patchbay"</title>
                </head>
                <body>
                    {symbols()}
                    <a class="skip" href="#main">"Skip to content"</a>
                    <aside class="banner" aria-label="States are not shown">
                        <p role="status">
                            <strong>{title}</strong>
                            " What is connected can’t be shown right now; this page comes back by itself."
                        </p>
                    </aside>
                    {top(None, None)}
                    <main id="main" tabindex="-1">
                        <div class="catalogue">
                            <header class="intro">
                                <div>
                                    <h1>"Connectors"</h1>
                                </div>
                                {form}
                            </header>
                            <div class="columns">
                                {side}
                                <section aria-label="Connectors">
                                    <table role="table" aria-label="Connectors">
                                        <thead role="rowgroup">
                                            <tr role="row">
                                                <th role="columnheader" scope="col">"Connector"</th>
                                                <th role="columnheader" scope="col">"Category"</th>
                                            </tr>
                                        </thead>
                                        <tbody role="rowgroup">{rows}</tbody>
                                    </table>
                                    {after}
                                </section>
                            </div>
                        </div>
                    </main>
                </body>
            </html>
        }
    }

    /// The reason alone. `nonce` allows its style.
    pub fn small(&self, nonce: &str) -> String {
        const STYLE: &str = ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;display:grid;\
            place-content:center;min-height:100vh;margin:0;padding:24px;text-align:center}";
        let title = self.problem.title.clone();
        let detail = self.problem.detail.clone();
        let nonce = nonce.to_owned();
        let page = view! {
            <!DOCTYPE html>
            <html lang="en">
                <head>
                    {self.head()} <title>{format!("{title} · Patchbay")}</title>
                    <style nonce=nonce inner_html=STYLE></style>
                </head>
                <body>
                    <main>
                        <h1>{title}</h1>
                        <p>{detail}</p>
                        <p role="status">"This page looks again by itself."</p>
                    </main>
                </body>
            </html>
        };
        page.to_html()
    }

    fn head(&self) -> impl IntoView + use<> {
        view! {
            <meta charset="utf-8"/>
            <meta name="viewport" content="width=device-width, initial-scale=1"/>
            <meta name="color-scheme" content="light dark"/>
            <meta http-equiv="refresh" content=self.again.to_string()/>
        }
    }
}

fn row(connector: &Connector, icons: &str) -> Element {
    let name = el("span").class("name").child(connector.name.clone());
    let line = el("p").class("line").child(connector.summary.clone());
    let who = el("th")
        .attr("role", "rowheader")
        .attr("scope", "row")
        .class("who")
        .child(icon_view(connector, icons))
        .child(el("div").child(name).child(line));
    let category = el("td")
        .attr("role", "cell")
        .class("category")
        .child(connector.category.clone());
    el("tr").attr("role", "row").child(who).child(category)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_stays_text() {
        let problem = Problem::new(503, "database_unavailable", "Away.", "Try again.");
        let outage = Outage {
            problem: &problem,
            again: 5,
        };
        let look = Look {
            root: "/assets/0".to_owned(),
            brands: "/icons/0.css".to_owned(),
            icons: "/icons/0.svg".to_owned(),
        };
        let search = "q=%22%3E%3Cscript%3E&category=%3Cb%3E";
        let page = outage.catalogue(Vec::new(), search, &look);
        assert!(
            !page.contains("<script>") && !page.contains("<b><"),
            "{page}"
        );
        assert!(page.contains("&quot;&gt;&lt;script&gt;"), "{page}");
    }
}
