//! The catalogue's search, filters, counts and order: one pure function for the server's page, the
//! REST list and the browser, so that all three always agree.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::{
    connection::{Connection, Shown},
    connector::Connector,
};

/// What the page's address asks for. Unknown words in an address mean "no filter".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// Search words.
    pub q: String,
    /// A category's name; empty for all.
    pub category: String,
    pub status: StatusFilter,
    pub sort: Sort,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusFilter {
    #[default]
    All,
    Connected,
    Pending,
    /// `error`: something to repair.
    NeedsAttention,
    /// Never connected, or disconnected.
    NotConnected,
}

impl StatusFilter {
    pub const ALL: [Self; 5] = [
        Self::All,
        Self::Connected,
        Self::Pending,
        Self::NeedsAttention,
        Self::NotConnected,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Connected => "connected",
            Self::Pending => "pending",
            Self::NeedsAttention => "needs_attention",
            Self::NotConnected => "not_connected",
        }
    }

    pub const fn word(self) -> &'static str {
        match self {
            Self::All => "All",
            Self::Connected => "Connected",
            Self::Pending => "Pending",
            Self::NeedsAttention => "Needs attention",
            Self::NotConnected => "Not connected",
        }
    }

    pub fn parse(text: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|s| s.as_str() == text)
            .unwrap_or_default()
    }

    fn admits(self, shown: Shown) -> bool {
        match self {
            Self::All => true,
            Self::Connected => shown == Shown::Connected,
            Self::Pending => shown == Shown::Pending,
            Self::NeedsAttention => shown == Shown::Error,
            Self::NotConnected => matches!(shown, Shown::NotConnected | Shown::Disconnected),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// What needs the person first, then connected, then the rest; by name within each.
    #[default]
    ConnectedFirst,
    Name,
    NameDescending,
    Category,
    /// Most recently synced first.
    LastSynced,
}

impl Sort {
    pub const ALL: [Self; 5] = [
        Self::ConnectedFirst,
        Self::Name,
        Self::NameDescending,
        Self::Category,
        Self::LastSynced,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConnectedFirst => "",
            Self::Name => "name",
            Self::NameDescending => "-name",
            Self::Category => "category",
            Self::LastSynced => "-last_synced_at",
        }
    }

    pub const fn word(self) -> &'static str {
        match self {
            Self::ConnectedFirst => "connected first",
            Self::Name => "name, A to Z",
            Self::NameDescending => "name, Z to A",
            Self::Category => "category",
            Self::LastSynced => "last synced",
        }
    }

    pub fn parse(text: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|s| s.as_str() == text)
            .unwrap_or_default()
    }
}

/// What a connector shows in its row: its status is that of the connection that matters most.
pub fn shown<'a>(connections: impl IntoIterator<Item = &'a Connection>) -> Shown {
    connections
        .into_iter()
        .map(Connection::shown)
        .min_by_key(|s| rank(*s))
        .unwrap_or(Shown::NotConnected)
}

/// The order of "connected first": in motion and in trouble before healthy before the rest.
const fn rank(shown: Shown) -> u8 {
    match shown {
        Shown::Error => 0,
        Shown::Pending => 1,
        Shown::Connected => 2,
        Shown::Disconnected => 3,
        Shown::NotConnected => 4,
    }
}

/// The rows that match, in order, and the counts beside the filters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Indices into the connectors that were given.
    pub rows: Vec<usize>,
    /// Every category with its count under the other filters, by name.
    pub categories: Vec<(String, usize)>,
    /// The sum over the categories.
    pub all_categories: usize,
    /// Counts in the order of [`StatusFilter::ALL`], under the other filters.
    pub statuses: [usize; 5],
}

/// What search and order look at, in lower case: a name, a category and more, a line each.
pub struct Folded {
    text: String,
    /// Where the first two lines end.
    name: usize,
    category: usize,
}

impl Folded {
    /// `lower` makes lower case: the browser has its own, which saves the WASM Unicode's tables.
    pub fn new(connector: &Connector, lower: impl Fn(&str) -> String) -> Self {
        let Connector {
            name,
            category,
            summary,
            slug,
            ..
        } = connector;
        let text = lower(&format!("{name}\n{category}\n{summary}\n{slug}"));
        let end = |from: usize| {
            let rest = text.get(from..).unwrap_or_default();
            from + rest.find('\n').unwrap_or(rest.len())
        };
        let name = end(0);
        let category = end(name + 1);
        Self {
            text,
            name,
            category,
        }
    }

    fn name(&self) -> &str {
        self.text.get(..self.name).unwrap_or_default()
    }

    fn category(&self) -> &str {
        let line = self.text.get(self.name + 1..self.category);
        line.unwrap_or_default()
    }

    /// Whether the name begins so.
    pub fn starts_with(&self, start: &str) -> bool {
        self.name().starts_with(start)
    }

    fn holds(&self, word: &str) -> bool {
        let bytes = self.text.as_bytes();
        bytes
            .windows(word.len())
            .any(|window| window == word.as_bytes())
    }
}

/// One connector as the listing sees it.
pub struct Entry<'a> {
    pub connector: &'a Connector,
    pub folded: &'a Folded,
    pub shown: Shown,
    /// The newest sync of its connections, for the order.
    pub last_synced_ms: i64,
}

/// Filters, counts and sorts. A count beside a filter is what choosing it would show. The entries come
/// by name, as the registry has them: what is equal otherwise stays in that order.
pub fn list(entries: &[Entry<'_>], query: &Query, lower: impl Fn(&str) -> String) -> Listing {
    let q = lower(&query.q);
    let words: Vec<&str> = q.split_whitespace().collect();
    let mut listing = Listing::default();
    let mut categories: Vec<(&str, &str, usize)> = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let name = entry.connector.category.as_str();
        let folded = entry.folded.category();
        let slot = match categories.iter().position(|(_, known, _)| *known == name) {
            Some(slot) => slot,
            None => {
                let slot = categories.partition_point(|(known, ..)| *known <= folded);
                categories.insert(slot, (folded, name, 0));
                slot
            }
        };
        if !words.iter().all(|word| entry.folded.holds(word)) {
            continue;
        }
        let in_category = query.category.is_empty() || *name == query.category;
        let in_status = query.status.admits(entry.shown);
        if in_status {
            if let Some((_, _, count)) = categories.get_mut(slot) {
                *count += 1;
            }
            listing.all_categories += 1;
        }
        if in_category {
            for (count, filter) in listing.statuses.iter_mut().zip(StatusFilter::ALL) {
                *count += usize::from(filter.admits(entry.shown));
            }
        }
        if in_category && in_status {
            // Into its place at once: a sort of the library's is several kilobytes of WASM.
            let word = words.first().copied().unwrap_or_default();
            let before = |row: &usize| {
                let known = entries.get(*row);
                known.is_some_and(|known| order(known, entry, query.sort, word).is_le())
            };
            // Mostly it is the last so far.
            let place = match listing.rows.last() {
                Some(last) if !before(last) => listing.rows.partition_point(before),
                _ => listing.rows.len(),
            };
            listing.rows.insert(place, index);
        }
    }
    listing.categories = categories
        .into_iter()
        .map(|(_, name, count)| (name.to_owned(), count))
        .collect();
    listing
}

/// Which of two comes first, names aside. `word`: the first that is searched for.
fn order(a: &Entry<'_>, b: &Entry<'_>, sort: Sort, word: &str) -> Ordering {
    match sort {
        Sort::Name => Ordering::Equal,
        Sort::NameDescending => b.folded.name().cmp(a.folded.name()),
        Sort::Category => a.folded.category().cmp(b.folded.category()),
        Sort::LastSynced => b.last_synced_ms.cmp(&a.last_synced_ms),
        // A person who types a name wants that name on top, whatever is connected.
        Sort::ConnectedFirst => {
            let key = |entry: &Entry<'_>| {
                let named = !word.is_empty() && entry.folded.starts_with(word);
                (!named, rank(entry.shown))
            };
            key(a).cmp(&key(b))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, category, status and the last sync of each, by name.
    const SHELF: [(&str, &str, Shown, i64); 4] = [
        ("asana", "Work", Shown::Error, 7),
        ("Gmail", "Mail", Shown::Connected, 5),
        ("Mailer", "Work", Shown::NotConnected, 0),
        ("Öko", "mail", Shown::NotConnected, 0),
    ];

    fn listing(query: &Query) -> (Vec<&'static str>, Listing) {
        let connectors = SHELF.map(|(name, category, ..)| Connector {
            slug: name.to_lowercase(),
            name: name.to_owned(),
            category: category.to_owned(),
            ..Connector::default()
        });
        let folded = connectors
            .each_ref()
            .map(|c| Folded::new(c, str::to_lowercase));
        let entries: Vec<Entry<'_>> = connectors
            .iter()
            .zip(&folded)
            .zip(SHELF)
            .map(
                |((connector, folded), (_, _, shown, last_synced_ms))| Entry {
                    connector,
                    folded,
                    shown,
                    last_synced_ms,
                },
            )
            .collect();
        let listing = list(&entries, query, str::to_lowercase);
        let names = listing.rows.iter().map(|row| SHELF[*row].0).collect();
        (names, listing)
    }

    fn sorted(sort: Sort) -> Vec<&'static str> {
        let query = Query {
            sort,
            ..Query::default()
        };
        listing(&query).0
    }

    #[test]
    fn every_order_puts_names_in_order_last() {
        let first = sorted(Sort::ConnectedFirst);
        assert_eq!(first, ["asana", "Gmail", "Mailer", "Öko"]);
        assert_eq!(sorted(Sort::Name), ["asana", "Gmail", "Mailer", "Öko"]);
        let down = sorted(Sort::NameDescending);
        assert_eq!(down, ["Öko", "Mailer", "Gmail", "asana"]);
        assert_eq!(sorted(Sort::Category), ["Gmail", "Öko", "asana", "Mailer"]);
        assert_eq!(
            sorted(Sort::LastSynced),
            ["asana", "Gmail", "Mailer", "Öko"]
        );
    }

    #[test]
    fn a_name_that_begins_with_the_word_comes_first() {
        let query = Query {
            q: " MAIL ".to_owned(),
            ..Query::default()
        };
        assert_eq!(listing(&query).0, ["Mailer", "Gmail", "Öko"]);
    }

    #[test]
    fn counts_say_what_a_choice_would_show() {
        let query = Query {
            category: "Work".to_owned(),
            status: StatusFilter::NotConnected,
            ..Query::default()
        };
        let (names, listing) = listing(&query);
        assert_eq!(names, ["Mailer"]);
        let categories = [("Mail", 0), ("mail", 1), ("Work", 1)];
        assert_eq!(
            listing.categories,
            categories.map(|(name, count)| (name.to_owned(), count))
        );
        assert_eq!(listing.all_categories, 2);
        assert_eq!(listing.statuses, [2, 0, 0, 1, 1]);
    }
}
