//! The catalogue's page, printed once and filled in for each person.
//!
//! Of 130 kB that the page has, what belongs to one person is a name, some rows and a few counts. So
//! Leptos renders it once for nobody in particular; the page is cut at the places where people
//! differ, and for each person the same components fill those places in. A test compares what comes
//! out with the page that Leptos renders whole, byte for byte.
//!
//! May import `domain`, `components` and its own pages. Runs on the server only.

mod rows;

use std::sync::Arc;

use leptos::prelude::*;

use rows::Rows;

use super::frame::{json, top};
use crate::{
    components::{
        address::{Address, href, parse},
        catalogue_filters::{categories, statuses},
        shelf::{List, Shelf, after_rows},
    },
    domain::{
        catalogue::Listing, connection::Connection, page::CataloguePage, timestamp::Timestamp,
        user::User,
    },
};

/// A page with its places. It stays true as long as the connectors do.
pub struct Printed {
    pieces: Vec<Piece>,
    shelf: Shelf,
    rows: Rows,
    /// What is listed for somebody who has nothing, and the filter that goes with it.
    listing: Listing,
    categories: String,
    /// What the island is told: before, between and after the person's connections and the time.
    data: [String; 3],
    address: Address,
    nango: String,
}

enum Piece {
    Text(String),
    Place(Place),
}

/// Where people differ.
#[derive(Clone, Copy)]
enum Place {
    /// Not of people but of answers.
    Nonce,
    Top,
    Data,
    Categories,
    Statuses,
    Rows,
    After,
}

/// Each place, with what it begins and ends with, and whether those belong to it. In the page's order.
const PLACES: [(Place, &str, &str, bool); 6] = [
    (Place::Top, "<header ", "</header>", true),
    (Place::Data, " id=\"page-data\">", "</script>", false),
    (
        Place::Categories,
        "<nav class=\"categories\"",
        "</nav>",
        true,
    ),
    (Place::Statuses, "<nav class=\"chips\"", "</nav>", true),
    (Place::Rows, "<tbody role=\"rowgroup\">", "</tbody>", false),
    (Place::After, "</table>", "</section>", false),
];

/// What fills the places in.
pub struct Fill<'a> {
    pub user: &'a User,
    pub connections: &'a [Connection],
    pub now: Timestamp,
    pub nonce: &'a str,
}

impl Printed {
    /// Cuts `html`, which is `page` as Leptos has rendered it for nobody, with `nonce` and at the
    /// address with this query string. Nothing where a place is not found.
    pub fn new(html: &str, nonce: &str, page: CataloguePage, search: String) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut rest = html;
        for (place, start, end, whole) in PLACES {
            let at = rest.find(start)?;
            let at = if whole { at } else { at + start.len() };
            let (before, from) = rest.split_at_checked(at)?;
            let to = from.find(end)?;
            let to = if whole { to + end.len() } else { to };
            text(&mut pieces, before, nonce);
            pieces.push(Piece::Place(place));
            rest = from.get(to..)?;
        }
        text(&mut pieces, rest, nonce);
        let frame = page.frame;
        let off = frame.refusal();
        let data = [
            format!(
                "{{\"connectors\":{},\"connections\":",
                json(&page.connectors)
            ),
            format!(",\"search\":{},\"now\":", json(&search)),
            format!(",\"icons\":{},\"off\":{}}}", json(&frame.icons), json(&off)),
        ];
        let shelf = Shelf::new(Arc::new(page.connectors));
        let address = parse(&search);
        let listing = shelf.list(&[], &address.query);
        let mut common = String::new();
        categories(&listing, &address.query).html(&mut common);
        Some(Self {
            pieces,
            rows: Rows::print(&shelf.connectors, frame.icons, off, frame.now)?,
            shelf,
            listing,
            categories: common,
            data,
            address,
            nango: frame.nango,
        })
    }

    /// The page of one person.
    pub fn fill(&self, person: &Fill<'_>) -> String {
        let Fill {
            user,
            connections,
            now,
            nonce,
        } = *person;
        let query = &self.address.query;
        let listing = self.shelf.list(connections, query);
        let list = List {
            address: self.address.clone(),
            rows: listing.rows.clone(),
        };
        // Much of what stands around the rows is everybody's.
        let common = &self.listing;
        let same_categories = listing.all_categories == common.all_categories
            && listing.categories == common.categories;
        let mut page = String::with_capacity(160 * 1024);
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => page.push_str(text),
                Piece::Place(Place::Nonce) => page.push_str(nonce),
                Piece::Place(Place::Top) => {
                    let bar = top(Some(user.clone()), Some(self.nango.clone()));
                    page.push_str(&bar.to_html());
                }
                Piece::Place(Place::Data) => {
                    let [before, between, after] = &self.data;
                    page.push_str(before);
                    page.push_str(&json(&connections));
                    page.push_str(between);
                    page.push_str(&json(&now));
                    page.push_str(after);
                }
                Piece::Place(Place::Categories) if same_categories => {
                    page.push_str(&self.categories);
                }
                Piece::Place(Place::Categories) => categories(&listing, query).html(&mut page),
                Piece::Place(Place::Statuses) => statuses(&listing, query).html(&mut page),
                Piece::Place(Place::Rows) => {
                    let all = &self.shelf.connectors;
                    self.rows
                        .fill(all, list.visible(), connections, now, &mut page);
                }
                Piece::Place(Place::After) => after_rows(&self.shelf, &list).html(&mut page),
            }
        }
        page
    }
}

/// Whether it is a query string as our own links have them, without words that are searched for; and if
/// so, its category, which may be any.
pub fn of_our_links(search: &str) -> Option<String> {
    let Address { query, all } = parse(search);
    let ours = href(&query, all);
    let ours = ours.split_once('?').map_or("", |(_, search)| search);
    (ours == search && query.q.is_empty()).then_some(query.category)
}

/// A piece of the page, with the answer's nonce taken out of it.
fn text(pieces: &mut Vec<Piece>, text: &str, nonce: &str) {
    for (at, part) in text.split(nonce).enumerate() {
        if at > 0 {
            pieces.push(Piece::Place(Place::Nonce));
        }
        pieces.push(Piece::Text(part.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use leptos_meta::provide_meta_context;
    use proptest::{collection::vec, option, prelude::*, sample::select};
    use uuid::Uuid;

    use super::*;
    use crate::{
        domain::{
            attempt::{AttemptKind, OpenAttempt},
            connection::Status,
            page::Frame,
            user::Role,
        },
        pages::connectors::catalogue,
        server::manifest::Registry,
    };

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn page(user: User, connections: Vec<Connection>) -> CataloguePage {
        let registry = Registry::load(None).unwrap();
        CataloguePage {
            frame: Frame {
                user,
                sandbox: true,
                off: None,
                nango: "http://127.0.0.1:3003".to_owned(),
                now: NOW,
                icons: "/icons/0123.svg".to_owned(),
            },
            connectors: registry.all().iter().map(|m| m.connector()).collect(),
            connections,
        }
    }

    fn user(name: &str) -> User {
        User {
            id: Uuid::from_u128(7),
            display_name: name.to_owned(),
            role: Role::User,
        }
    }

    /// As Leptos renders it.
    fn whole(page: CataloguePage, search: &str) -> String {
        Owner::new_root(None).with(|| {
            provide_meta_context();
            catalogue(page, search.to_owned()).to_html()
        })
    }

    fn connection() -> impl Strategy<Value = Connection> {
        let status = [
            Status::Pending,
            Status::Connected,
            Status::Disconnected,
            Status::Error,
        ];
        let slugs = [
            "gmail",
            "slack",
            "zendesk",
            "hubspot",
            "activecampaign",
            "zoom",
        ];
        let text = "[ -~é<>&\"'\\\\]{0,12}";
        let moment = || option::of(NOW.0 - 5_000_000_000..NOW.0).prop_map(|at| at.map(Timestamp));
        (
            (
                any::<u128>(),
                select(slugs.to_vec()),
                select(status.to_vec()),
            ),
            (option::of(text), option::of(text), any::<bool>()),
            (moment(), moment()),
        )
            .prop_map(
                |((id, slug, status), (account, last_error, open), (at, synced))| {
                    let attempt = OpenAttempt {
                        id: Uuid::from_u128(id ^ 1),
                        kind: AttemptKind::Connect,
                        expires_at: Timestamp(NOW.0 + 60_000),
                    };
                    Connection {
                        id: Uuid::from_u128(id),
                        connector_id: Uuid::nil(),
                        connector: slug.to_owned(),
                        status,
                        account,
                        connected_at: at,
                        disconnected_at: None,
                        last_synced_at: synced,
                        last_error,
                        error_count: 0,
                        created_at: NOW,
                        updated_at: NOW,
                        version: 3,
                        attempt: open.then_some(attempt),
                    }
                },
            )
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_filled_page_is_the_page_that_is_rendered_whole(
            connections in vec(connection(), 0..12),
            name in "[ -~é<>&\"']{1,20}",
            search in select([
                "", "status=connected", "status=needs_attention", "status=not_connected",
                "sort=name", "sort=-last_synced_at&all=1", "category=CRM", "category=a%3Cb", "x=<",
            ].to_vec()),
        ) {
            let nobody = page(user(""), Vec::new());
            let html = whole(nobody.clone(), search);
            let printed = Printed::new(&html, "a-nonce", nobody, search.to_owned()).unwrap();
            let user = user(&name);
            let filled = printed.fill(&Fill {
                user: &user,
                connections: &connections,
                now: NOW,
                nonce: "another",
            });
            let expected = whole(page(user, connections), search);
            prop_assert_eq!(filled, expected);
        }
    }

    #[test]
    fn the_nonce_is_each_answers_own() {
        let nobody = page(user(""), Vec::new());
        let body = whole(nobody.clone(), "");
        let html = format!("<script nonce=\"one\">{body}<script nonce=\"one\">");
        let printed = Printed::new(&html, "one", nobody, String::new()).unwrap();
        let filled = printed.fill(&Fill {
            user: &user("Ada"),
            connections: &[],
            now: NOW,
            nonce: "two",
        });
        assert_eq!(filled.matches("<script nonce=\"two\">").count(), 2);
        assert!(!filled.contains("\"one\""));
    }

    #[test]
    fn only_addresses_of_our_own_links_are_worth_keeping() {
        for (search, category) in [
            ("", Some("")),
            ("status=connected", Some("")),
            ("category=CRM&status=pending&sort=name&all=1", Some("CRM")),
            ("category=Made+up", Some("Made up")),
            ("status=connected&category=CRM", None),
            ("q=mail", None),
            ("x=1", None),
            ("fbclid=abc", None),
            ("status=made-up", None),
            ("status=connected&status=connected", None),
        ] {
            assert_eq!(of_our_links(search).as_deref(), category, "{search}");
        }
    }

    #[test]
    fn what_cannot_be_cut_is_not_printed() {
        let nobody = page(user(""), Vec::new());
        assert!(Printed::new("<p>Sorry</p>", "n", nobody, String::new()).is_none());
    }
}
