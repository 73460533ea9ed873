//! What stands around every page: banners, header, main; and what a problem looks like as a page.
//! May import `domain` and the context types of `app`.

use leptos::prelude::*;
use leptos_meta::Title;
use serde::Serialize;

use crate::{
    app::StatusSetter,
    domain::{
        page::{Frame, PAGE_DATA},
        problem::Problem,
        user::User,
    },
};

/// A page with its title and its frame; `None` where nobody is known to be signed in.
pub fn framed(frame: Option<Frame>, title: &str, content: AnyView) -> AnyView {
    let title = format!("{title} · Patchbay");
    let (user, sandbox, off, nango) = match frame {
        Some(frame) => (
            Some(frame.user),
            frame.sandbox,
            frame.off,
            Some(frame.nango),
        ),
        None => (None, false, None, None),
    };
    view! {
        <Title text=title/>
        <a class="skip" href="#main">"Skip to content"</a>
        {sandbox
            .then(|| {
                view! {
                    <aside class="banner" aria-label="Sandbox">
                        "Sandbox: accounts here are pretend. Set "
                        <strong>"NANGO_SECRET_KEY"</strong> " to connect real ones."
                    </aside>
                }
            })}
        {off
            .map(|problem| {
                let outage = problem.is_outage();
                view! {
                    <aside
                        class="banner"
                        aria-label="Connecting is off"
                        data-outage=outage
                    >
                        <p role="status">
                            <strong>{problem.title}</strong>
                            " "
                            {problem.detail}
                        </p>
                    </aside>
                }
            })}
        {top(user, nango)}
        <main id="main" tabindex="-1">{content}</main>
    }
    .into_any()
}

/// What the pages' own icons are drawn from.
pub fn symbols() -> impl IntoView {
    view! {
        <svg hidden>
            <symbol id="glass" viewBox="0 0 16 16">
                <circle cx="7" cy="7" r="4.75"></circle>
                <path d="m10.5 10.5 3.5 3.5"></path>
            </symbol>
        </svg>
    }
}

/// The bar above every page. `nango` is its origin: sign-in windows speak from there.
pub fn top(user: Option<User>, nango: Option<String>) -> AnyView {
    let person = user.as_ref().map(|user| user.id.to_string());
    view! {
        <header class="top" data-person=person data-nango=nango>
            <a class="brand" href="/connectors">"Patchbay"</a>
            <nav aria-label="Main">
                <a href="/connectors">"Connectors"</a>
            </nav>
            {user.map(account_menu)}
        </header>
    }
    .into_any()
}

/// JSON that nothing in it can end the element of: it has `<` in strings only.
pub fn json(data: &impl Serialize) -> String {
    let json = serde_json::to_string(data).unwrap_or_default();
    json.replace('<', "\\u003c")
}

/// The data that the page's island starts with, for the browser to read.
pub fn carried(data: &impl Serialize) -> AnyView {
    let json = json(data);
    view! { <script type="application/json" id=PAGE_DATA inner_html=json></script> }.into_any()
}

fn account_menu(user: User) -> AnyView {
    view! {
        <details class="menu">
            <summary aria-label=format!("Account: {}", user.display_name)>
                <span aria-hidden="true">{user.initials()}</span>
            </summary>
            <div>
                <p>{user.display_name.clone()}</p>
                <a class="button quiet" href="/account">"Account"</a>
                <form method="post" action="/sign-out">
                    <button class="button quiet">"Sign out"</button>
                </form>
            </div>
        </details>
    }
    .into_any()
}

/// A problem as a whole page, with its HTTP status. `set` is taken before anything is awaited.
pub fn problem_page(problem: &Problem, set: Option<&StatusSetter>) -> AnyView {
    if let Some(StatusSetter(set)) = set {
        set(problem.status);
    }
    framed(
        None,
        &problem.title,
        view! {
            <section class="plain">
                <h1>{problem.title.clone()}</h1>
                <p>{problem.detail.clone()}</p>
                <a class="button" href="/connectors">"All connectors"</a>
            </section>
        }
        .into_any(),
    )
}
