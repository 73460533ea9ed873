//! What the catalogue lists: the connectors in their order, how many there are under each filter, and
//! what stands below the rows. The island follows it as it changes; a printed page
//! (`pages::printed`) asks for it once. May import `domain`, `browser` and what components share.

use std::sync::Arc;

use super::{
    address::{Address, href},
    element::{Element, el},
};
use crate::{
    browser::document,
    domain::{
        catalogue::{Entry, Folded, Listing, Query, list, shown},
        connection::Connection,
        connector::Connector,
    },
};

/// So many rows are there at once; the rest on request.
const ROWS: usize = 150;

/// Every connector, and what search looks at.
pub struct Shelf {
    pub connectors: Arc<Vec<Connector>>,
    folded: Vec<Folded>,
}

impl Shelf {
    pub fn new(connectors: Arc<Vec<Connector>>) -> Self {
        let all = connectors.iter();
        let folded = all.map(|c| Folded::new(c, document::lower)).collect();
        Self { connectors, folded }
    }

    /// The listing of what is known now.
    pub fn list<'a>(&'a self, connections: &'a [Connection], query: &Query) -> Listing {
        let ours = connections
            .iter()
            .filter_map(|connection| {
                let mut all = self.connectors.iter();
                let at = all.position(|connector| connector.slug == connection.connector)?;
                Some((at, connection))
            })
            .collect::<Vec<_>>();
        let entry = |(at, (connector, folded)): (usize, (&'a Connector, &'a Folded))| {
            let ours = ours.iter().filter(|(of, _)| *of == at).map(|(_, own)| *own);
            let synced = ours.clone().filter_map(|c| c.last_synced_at).max();
            Entry {
                connector,
                folded,
                shown: shown(ours),
                last_synced_ms: synced.map_or(0, |at| at.0),
            }
        };
        let all = self.connectors.iter().zip(&self.folded).enumerate();
        let entries: Vec<Entry<'a>> = all.map(entry).collect();
        list(&entries, query, document::lower)
    }
}

/// What the list shows.
#[derive(Clone, Default)]
pub struct List {
    pub address: Address,
    pub rows: Vec<usize>,
}

impl List {
    /// The rows that are there.
    pub fn visible(&self) -> &[usize] {
        let some = if self.address.all { usize::MAX } else { ROWS };
        self.rows.get(..some).unwrap_or(&self.rows)
    }
}

/// Below the rows: how many there are, the way to the rest, or what to do where there is none.
pub fn after_rows(shelf: &Shelf, list: &List) -> Element {
    let query = &list.address.query;
    let count = list.rows.len();
    let link = |words: String, url: String| {
        el("a")
            .class("button")
            .attr("href", url)
            .attr("data-do", "go")
            .child(words)
    };
    let mut links = Vec::new();
    let mut words = String::new();
    if count == 0 {
        words = match (query.q.trim(), query.category.as_str()) {
            ("", _) => "No connector matches these filters.".to_owned(),
            (q, "") => format!("No connector matches “{q}”."),
            (q, category) => format!("No connector matches “{q}” in {category}."),
        };
        if !query.q.trim().is_empty() {
            let mut without = query.clone();
            without.q.clear();
            links.push(link("Clear search".to_owned(), href(&without, false)));
        }
        if *query
            != (Query {
                q: query.q.clone(),
                sort: query.sort,
                ..Query::default()
            })
        {
            let mut without = query.clone();
            without.category.clear();
            without.status = Default::default();
            links.push(link(
                "Show all categories".to_owned(),
                href(&without, false),
            ));
        }
        links.extend(near(shelf, &query.q).map(|name| {
            let q = name.to_owned();
            let url = href(
                &Query {
                    q,
                    ..Query::default()
                },
                false,
            );
            link(format!("Did you mean {name}?"), url)
        }));
    } else if count > ROWS && !list.address.all {
        links.push(link(format!("Show all {count}"), href(query, true)));
    }
    let noun = if count == 1 {
        "connector"
    } else {
        "connectors"
    };
    let after = el("div")
        .class("after")
        .attr("hidden", links.is_empty())
        .child(el("p").child(words))
        .children(links);
    el("div")
        .child(
            el("p")
                .class("unseen")
                .attr("role", "status")
                .child(format!("{count} {noun}")),
        )
        .child(after)
}

/// Names that begin alike: enough for most slips of the finger.
fn near<'a>(shelf: &'a Shelf, q: &str) -> impl Iterator<Item = &'a str> {
    let start: String = document::lower(q.trim()).chars().take(2).collect();
    let all = shelf.connectors.iter().zip(&shelf.folded);
    all.filter(move |(_, folded)| start.len() > 1 && folded.starts_with(&start))
        .map(|(connector, _)| connector.name.as_str())
        .take(3)
}
