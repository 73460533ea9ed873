//! The catalogue's search, sort, categories and status chips: a GET form and links, which also work
//! before any script. May import `domain` and what components share.

use leptos::prelude::*;

use super::{
    address::href,
    element::{Element, el},
};
use crate::domain::catalogue::{Listing, Query, Sort, StatusFilter};

/// One choice among several: the words, how many it would show, where it leads.
fn choice(words: &str, count: usize, current: bool, url: String) -> Element {
    el("a")
        .attr("href", url)
        .attr("data-do", "go")
        .attr("aria-current", current.then_some("true"))
        .child(words.to_owned())
        .child(el("b").child(count.to_string()))
}

pub fn categories(listing: &Listing, query: &Query) -> Element {
    let leads_to = |category: &str| {
        let category = category.to_owned();
        href(
            &Query {
                category,
                ..query.clone()
            },
            false,
        )
    };
    let mut choices = vec![choice(
        "All",
        listing.all_categories,
        query.category.is_empty(),
        leads_to(""),
    )];
    for (name, count) in &listing.categories {
        let current = *name == query.category;
        choices.push(choice(name, *count, current, leads_to(name)));
    }
    el("nav")
        .class("categories")
        .attr("aria-label", "Categories")
        .children(choices)
}

pub fn statuses(listing: &Listing, query: &Query) -> Element {
    let choices = StatusFilter::ALL
        .into_iter()
        .zip(listing.statuses)
        // Pending is a short state: its chip is there while something is.
        .filter(|(status, count)| {
            *status != StatusFilter::Pending || *count > 0 || query.status == *status
        })
        .map(|(status, count)| {
            let url = href(
                &Query {
                    status,
                    ..query.clone()
                },
                false,
            );
            choice(status.word(), count, status == query.status, url)
        });
    el("nav")
        .class("chips")
        .attr("aria-label", "Status")
        .children(choices)
}

const APPLY: &str = "<button class=button>Apply</button>";

/// A GET form: with scripts it is never sent.
pub fn search_form(query: &Query, total: usize) -> impl IntoView + use<> {
    view! {
        <form id="filters" class="search" action="/connectors" role="search">
            <svg viewBox="0 0 16 16" aria-hidden="true"><use href="#glass"/></svg>
            <input
                id="search"
                type="search"
                name="q"
                value=query.q.clone()
                placeholder=format!("Search {total} connectors")
                aria-label="Search connectors"
                aria-keyshortcuts="/"
                autocomplete="off"
                spellcheck="false"
            />
            <kbd aria-hidden="true">"/"</kbd>
            {kept("category", query.category.clone())}
            {kept("status", query.status.as_str().to_owned())}
            // With scripts, what is in it is text: nothing to hydrate.
            <noscript inner_html=APPLY></noscript>
        </form>
    }
}

/// What the form sends along; nothing where it is empty.
fn kept(name: &'static str, value: String) -> Element {
    el("input")
        .attr("type", "hidden")
        .attr("name", name)
        .attr("disabled", value.is_empty())
        .attr("value", value)
}

pub fn sort_select(query: &Query) -> Element {
    let options = Sort::ALL.into_iter().map(|sort| {
        el("option")
            .attr("value", sort.as_str())
            .attr("selected", sort == query.sort)
            .child(sort.word())
    });
    let select = el("select")
        .attr("name", "sort")
        .attr("form", "filters")
        .children(options);
    el("label").class("sort").child("Sort: ").child(select)
}
