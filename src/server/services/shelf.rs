//! The catalogue without anybody's states: what can be shown while the database is away.

use super::pages::Pages;
use crate::domain::{
    catalogue::{Entry, Folded, Query, list},
    connection::Shown,
    connector::Connector,
};

/// What a query finds, by name.
#[derive(Debug, Default)]
pub struct Shelf {
    pub query: Query,
    pub connectors: Vec<Connector>,
    /// How many there are at all.
    pub total: usize,
    /// How many match in each category, and in all of them.
    pub categories: Vec<(String, usize)>,
    pub all_categories: usize,
}

impl Pages {
    /// Nothing here comes from the database.
    pub fn shelf(&self, query: &Query) -> Shelf {
        let all: Vec<Connector> = self
            .0
            .registry
            .all()
            .iter()
            .map(|m| m.connector())
            .collect();
        let lower = |text: &str| text.to_lowercase();
        let folded: Vec<Folded> = all.iter().map(|c| Folded::new(c, lower)).collect();
        let entries: Vec<Entry<'_>> = all
            .iter()
            .zip(&folded)
            .map(|(connector, folded)| Entry {
                connector,
                folded,
                shown: Shown::NotConnected,
                last_synced_ms: 0,
            })
            .collect();
        let listing = list(&entries, query, lower);
        let connectors = listing.rows.iter().filter_map(|at| all.get(*at));
        Shelf {
            query: query.clone(),
            connectors: connectors.cloned().collect(),
            total: all.len(),
            all_categories: listing.all_categories,
            categories: listing.categories,
        }
    }
}
