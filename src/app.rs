//! The page's shell and its routes, and what the server hands to pages beside their data. May
//! import pages and components.

use std::{collections::BTreeMap, sync::Arc};

use leptos::prelude::*;
use leptos_meta::{MetaTags, provide_meta_context};
use leptos_router::{
    ParamSegment, SsrMode, StaticSegment,
    components::{Route, Router, Routes},
};

use crate::{
    domain::problem::Problem,
    pages::{
        account::Account, attempt::Attempt, connector::ConnectorDetailsPage,
        connectors::Connectors, frame::symbols, not_found::NotFound, sign_in::SignIn,
        sign_up::SignUp,
    },
};

/// Where scripts and styles are, without a trailing slash: a path with the version in it, so that
/// they may be cached for ever. Empty: at `/pkg`.
#[derive(Clone, Debug, Default)]
pub struct AssetRoot(pub String);

/// Where the brands' colours are.
#[derive(Clone, Debug, Default)]
pub struct Brands(pub Option<String>);

/// Sets the HTTP status of the page that is being rendered.
#[derive(Clone)]
pub struct StatusSetter(pub Arc<dyn Fn(u16) + Send + Sync>);

/// Why the form that was just posted led nowhere, and what had been typed into it (by field name,
/// never secrets).
#[derive(Clone, Debug, Default)]
pub struct Flash(pub Option<Problem>, pub BTreeMap<String, String>);

/// The document around every page.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let AssetRoot(root) = use_context().unwrap_or_default();
    let Brands(brands) = use_context().unwrap_or_default();
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <meta
                    name="theme-color"
                    media="(prefers-color-scheme: light)"
                    content="#ffffff"
                />
                <meta name="theme-color" media="(prefers-color-scheme: dark)" content="#16171a"/>
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                <link rel="stylesheet" href=format!("{root}/pkg/patchbay.css")/>
                {brands.map(|href| view! { <link rel="stylesheet" href=href/> })}
                <HydrationScripts options islands=true root=root/>
                <MetaTags/>
            </head>
            <body>
                {symbols()}
                <App/>
            </body>
        </html>
    }
}

/// The routes. `/` is the server's redirect. Pages are whole when they are sent: streaming would
/// need scripts to put the pieces together.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Router>
            <Routes fallback=NotFound>
                <Route path=StaticSegment("connectors") view=Connectors ssr=SsrMode::Async/>
                <Route
                    path=(StaticSegment("connectors"), ParamSegment("slug"))
                    view=ConnectorDetailsPage
                    ssr=SsrMode::Async
                />
                <Route
                    path=(StaticSegment("attempts"), ParamSegment("id"))
                    view=Attempt
                    ssr=SsrMode::Async
                />
                <Route path=StaticSegment("account") view=Account ssr=SsrMode::Async/>
                <Route path=StaticSegment("sign-in") view=SignIn ssr=SsrMode::Async/>
                <Route path=StaticSegment("sign-up") view=SignUp ssr=SsrMode::Async/>
            </Routes>
        </Router>
    }
}
