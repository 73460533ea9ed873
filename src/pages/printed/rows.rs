//! The catalogue's rows, printed once for somebody who has nothing. Of a row of somebody who has
//! something, four parts are other ones: the same components make them, without the signals that
//! they follow in a browser.
//!
//! May import `domain` and `components`.

use std::collections::HashMap;

use leptos::prelude::*;

use crate::{
    components::{
        catalogue_row::{CatalogueRow, RowContext, synced_view, who_view},
        connect_button::acts_view,
        connection_status::summary_view,
        element::Element,
    },
    domain::{connection::Connection, connector::Connector, timestamp::Timestamp},
};

pub(super) struct Rows {
    /// In the order of the connectors.
    all: Vec<Row>,
    /// Why connecting is off for everything.
    off: Option<String>,
}

struct Row {
    /// Of somebody who has nothing.
    whole: String,
    /// What stands before, between and after the four parts.
    fixed: [String; 5],
}

impl Rows {
    /// Nothing where a row does not have its parts.
    pub(super) fn print(
        connectors: &[Connector],
        icons: String,
        off: Option<String>,
        now: Timestamp,
    ) -> Option<Self> {
        let mut rows = Self {
            all: Vec::new(),
            off,
        };
        // A root: whatever page this thread has rendered before, nothing of it can be seen from here.
        let owner = Owner::new_root(None);
        let context = RowContext {
            icons,
            off: rows.off.clone(),
            now: owner.with(|| RwSignal::new(now)),
        };
        for connector in connectors {
            let (one, context) = (connector.clone(), context.clone());
            let whole = owner.with(|| view! { <CatalogueRow connector=one context/> }.to_html());
            let mut fixed: [String; 5] = Default::default();
            let mut rest = whole.as_str();
            for (part, before) in rows.parts(connector, &[], now).iter().zip(&mut fixed) {
                let mut html = String::new();
                part.html(&mut html);
                let (text, after) = rest.split_once(&html)?;
                text.clone_into(before);
                rest = after;
            }
            rest.clone_into(&mut fixed[4]);
            rows.all.push(Row { whole, fixed });
        }
        Some(rows)
    }

    /// Adds those rows, of somebody who has these connections.
    pub(super) fn fill(
        &self,
        connectors: &[Connector],
        rows: &[usize],
        connections: &[Connection],
        now: Timestamp,
        page: &mut String,
    ) {
        // The accounts of one connector together, in their order.
        let mut sorted = connections.to_vec();
        sorted.sort_by(|a, b| a.connector.cmp(&b.connector));
        let groups = sorted.chunk_by(|a, b| a.connector == b.connector);
        let ours: HashMap<&str, &[Connection]> = groups
            .filter_map(|group| Some((group.first()?.connector.as_str(), group)))
            .collect();
        for at in rows {
            let (Some(connector), Some(row)) = (connectors.get(*at), self.all.get(*at)) else {
                continue;
            };
            let Some(ours) = ours.get(connector.slug.as_str()) else {
                page.push_str(&row.whole);
                continue;
            };
            let [start, parts @ ..] = &row.fixed;
            page.push_str(start);
            for (own, after) in self.parts(connector, ours, now).iter().zip(parts) {
                own.html(page);
                page.push_str(after);
            }
        }
    }

    /// What a row tells of somebody's connections, in the page's order.
    fn parts(&self, connector: &Connector, ours: &[Connection], now: Timestamp) -> [Element; 4] {
        let off = self.off.as_ref();
        [
            who_view(connector, ours, None, off),
            summary_view(ours),
            synced_view(ours, now),
            acts_view(connector, ours, None, off),
        ]
    }
}
