//! Pages while the database does not do what it should, or the server only starts: what there is to
//! read, the reason, and nothing that could not work. They look again by themselves.
//!
//! Nobody can be told from anybody here, since sessions cannot be read: nothing in these pages is
//! personal.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};

use super::{assets, headers, problem::Refusal};
use crate::{
    domain::{catalogue::Query, connector::Connector, problem::Problem},
    server::{
        services::{Services, outage, shelf::Shelf},
        state::AppState,
    },
};

/// After so many seconds a page looks again.
const AGAIN: u64 = outage::RETRY_AFTER_SECONDS;

/// A refusal because of the database, where a page was asked for, becomes a page.
pub async fn pages(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let path = request.uri().path().to_owned();
    let page = reads && !path.starts_with("/api/") && !path.starts_with("/health/");
    let wanted = page && takes_html(request.headers());
    let query = request.uri().query().unwrap_or_default().to_owned();
    let response = next.run(request).await;
    if !wanted {
        return response;
    }
    let refused = response.extensions().get::<Refusal>();
    let Some(Refusal(problem)) = refused.filter(|Refusal(found)| outage::is_outage(&found.code))
    else {
        return response;
    };
    if path == "/connectors" {
        catalogue(&state.services, problem, &query)
    } else {
        small(problem)
    }
}

/// Whoever says nothing takes anything.
pub fn takes_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT);
    let accept = accept.map_or("*/*", |value| value.to_str().unwrap_or_default());
    accept.contains("text/html") || accept.contains("*/*")
}

/// The problem alone.
pub fn small(problem: &Problem) -> Response {
    let nonce = headers::nonce();
    let policy = headers::small_page_policy(&nonce);
    let title = escaped(&problem.title);
    let detail = escaped(problem.detail.as_deref().unwrap_or_default());
    let page = format!(
        r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="{AGAIN}">
<title>{title} · Patchbay</title>
<style nonce="{nonce}">body{{font:16px/1.5 system-ui,sans-serif;display:grid;place-content:center;min-height:100vh;margin:0;padding:24px;text-align:center}}</style>
<main><h1>{title}</h1><p>{detail}</p><p role="status">This page looks again by itself.</p></main>
</html>
"#
    );
    answer(page, &policy)
}

/// What can be connected, without what is.
fn catalogue(services: &Services, problem: &Problem, query: &str) -> Response {
    let shelf = services.pages.shelf(&asked(query));
    let brands = services.pages.brands();
    let icons = services.pages.icons();
    let root = assets::root();
    let title = escaped(&problem.title);
    let page = format!(
        r##"<!DOCTYPE html>
<html lang="en"><head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
<meta http-equiv="refresh" content="{AGAIN}"/>
<link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
<link rel="stylesheet" href="{root}/pkg/patchbay.css"/>
<link rel="stylesheet" href="{brands}"/>
<title>Connectors · Patchbay</title>
</head><body>
<svg hidden><symbol id="glass" viewBox="0 0 16 16"><circle cx="7" cy="7" r="4.75"></circle><path d="m10.5 10.5 3.5 3.5"></path></symbol></svg>
<a class="skip" href="#main">Skip to content</a>
<aside class="banner" aria-label="States are not shown"><p role="status"><strong>{title}</strong> What is connected can’t be shown right now; this page comes back by itself.</p></aside>
<header class="top"><a class="brand" href="/connectors">Patchbay</a><nav aria-label="Main"><a href="/connectors">Connectors</a></nav></header>
<main id="main" tabindex="-1"><div class="catalogue">
<header class="intro"><div><h1>Connectors</h1><p>Connect the tools you already use. You stay in control of every permission.</p></div>
{search}</header>
<div class="columns">{categories}
<section aria-label="Connectors"><table role="table" aria-label="Connectors">
<thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">Connector</th><th role="columnheader" scope="col">Category</th></tr></thead>
<tbody role="rowgroup">{rows}</tbody></table>{none}</section></div></div></main>
</body></html>
"##,
        search = search(&shelf),
        categories = categories(&shelf),
        rows = shelf
            .connectors
            .iter()
            .map(|connector| row(connector, &icons))
            .collect::<String>(),
        none = if shelf.connectors.is_empty() {
            "<p>Nothing matches.</p>"
        } else {
            ""
        },
    );
    answer(page, &headers::page_policy(&headers::nonce()))
}

fn asked(query: &str) -> Query {
    let mut asked = Query::default();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "q" => asked.q = value.into_owned(),
            "category" => asked.category = value.into_owned(),
            _ => {}
        }
    }
    asked
}

fn search(shelf: &Shelf) -> String {
    let kept = if shelf.query.category.is_empty() {
        String::new()
    } else {
        let category = escaped(&shelf.query.category);
        format!(r#"<input type="hidden" name="category" value="{category}"/>"#)
    };
    format!(
        r##"<form id="filters" class="search" action="/connectors" role="search"><svg viewBox="0 0 16 16" aria-hidden="true"><use href="#glass"/></svg><input id="search" type="search" name="q" value="{q}" placeholder="Search {total} connectors" aria-label="Search connectors" autocomplete="off"/>{kept}</form>"##,
        q = escaped(&shelf.query.q),
        total = shelf.total,
    )
}

fn categories(shelf: &Shelf) -> String {
    let link = |name: &str, words: &str, count: usize| {
        let mut to = url::form_urlencoded::Serializer::new(String::new());
        for (key, value) in [("q", shelf.query.q.as_str()), ("category", name)] {
            if !value.is_empty() {
                to.append_pair(key, value);
            }
        }
        let current = if name == shelf.query.category {
            r#" aria-current="true""#
        } else {
            ""
        };
        format!(
            r#"<a href="/connectors?{}"{current}>{}<b>{count}</b></a>"#,
            escaped(&to.finish()),
            escaped(words)
        )
    };
    let all = link("", "All", shelf.all_categories);
    let each = shelf.categories.iter();
    let each: String = each.map(|(name, count)| link(name, name, *count)).collect();
    format!(r#"<nav class="categories" aria-label="Categories">{all}{each}</nav>"#)
}

fn row(connector: &Connector, icons: &str) -> String {
    let brand = match connector.icon.color {
        Some(_) => format!(r#" data-brand="{}""#, escaped(&connector.slug)),
        None => String::new(),
    };
    let mark = match &connector.icon.monogram {
        Some(monogram) => escaped(monogram),
        None => format!(
            r#"<svg class="icon" viewBox="0 0 24 24"><use href="{icons}#{}"/></svg>"#,
            escaped(&connector.slug)
        ),
    };
    format!(
        r#"<tr role="row"><th role="rowheader" scope="row" class="who"><span class="tile"{brand} aria-hidden="true">{mark}</span><div><span class="name">{name}</span><p class="line">{summary}</p></div></th><td role="cell" class="category">{category}</td></tr>"#,
        name = escaped(&connector.name),
        summary = escaped(&connector.summary),
        category = escaped(&connector.category),
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn answer(page: String, policy: &str) -> Response {
    let mut response = (StatusCode::SERVICE_UNAVAILABLE, Html(page)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from(AGAIN));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(policy) = HeaderValue::from_str(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_stays_text() {
        let shelf = Shelf {
            query: asked("q=%22%3E%3Cscript%3E&category=%3Cb%3E"),
            ..Shelf::default()
        };
        for html in [search(&shelf), categories(&shelf)] {
            assert!(
                !html.contains("<script>") && !html.contains("<b><"),
                "{html}"
            );
        }
        assert!(search(&shelf).contains("&quot;&gt;&lt;script&gt;"));
    }
}
