//! `/account`: who one is here, where one is signed in, and one's password. May import `domain`,
//! `server_fns`.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::{
    account_history::history_view,
    form_field::{FormField, alert},
    frame::{framed, problem_page},
};
use crate::{
    app::{Flash, StatusSetter},
    domain::{
        audit::HistoryEntry,
        page::{AccountPage, PASSWORD_HELP, PASSWORD_LENGTH, SessionLine},
        problem::Problem,
        timestamp::Timestamp,
    },
    server_fns::{history::own_history, pages::account_page},
};

#[component]
pub fn Account() -> impl IntoView {
    let done = use_query_map().with_untracked(|query| query.get("done").unwrap_or_default());
    let status = use_context::<StatusSetter>();
    let Flash(refused, _) = use_context().unwrap_or_default();
    let page = OnceResource::new_blocking(account_page());
    let history = OnceResource::new_blocking(own_history());
    view! {
        <Suspense>
            {move || {
                let (status, refused, done) = (status.clone(), refused.clone(), done.clone());
                Suspend::new(async move {
                    match page.await {
                        Err(problem) => problem_page(&problem, status.as_ref()),
                        Ok(page) => {
                            let history = history.await.unwrap_or_default();
                            let content = content(&page, &history, &done, refused.as_ref());
                            framed(Some(page.frame), "Account", content)
                        }
                    }
                })
            }}
        </Suspense>
    }
}

/// What was just done, by the address that leads here.
fn done_words(done: &str) -> Option<&'static str> {
    match done {
        "password" => Some("Your password is changed, and you are signed out everywhere else."),
        "sessions" => Some("Signed out there."),
        _ => None,
    }
}

fn content(
    page: &AccountPage,
    history: &[HistoryEntry],
    done: &str,
    refused: Option<&Problem>,
) -> AnyView {
    let user = &page.frame.user;
    let done = done_words(done).filter(|_| refused.is_none());
    let now = page.frame.now;
    let lines: Vec<_> = page
        .sessions
        .iter()
        .map(|line| session(line, now))
        .collect();
    let others = (page.sessions.len() > 1).then(|| {
        view! {
            <form class="stack" method="post" action="/account/sessions/end">
                <input type="hidden" name="id" value="others"/>
                <button class="button">"Sign out everywhere else"</button>
            </form>
        }
    });
    view! {
        <div class="panel">
            <section class="details">
                <header>
                    <span class="tile" aria-hidden="true">{user.initials()}</span>
                    <div>
                        <h1>{user.display_name.clone()}</h1>
                        <p>{page.email.clone()}</p>
                    </div>
                </header>
                {done.map(|words| view! { <p class="note" role="status">{words}</p> })}
                {alert(refused)}
                <p class="about">{page.way.clone()}</p>
                <h2>"Where you are signed in"</h2>
                <ul class="accounts">{lines}</ul>
                {others}
                {page.password.then(|| password_form(page, refused))}
            </section>
        </div>
        {history_view(history, true)}
    }
    .into_any()
}

fn session(line: &SessionLine, now: Timestamp) -> AnyView {
    let mut about = Vec::new();
    if line.this {
        about.push("This one".to_owned());
    }
    if let Some(at) = line.signed_in_at {
        about.push(format!("signed in {}", at.ago(now)));
    }
    about.extend(
        line.address
            .as_ref()
            .map(|address| format!("from {address}")),
    );
    let mut about = about.join(", ");
    if let Some(first) = about.get(..1).map(str::to_uppercase) {
        about.replace_range(..1, &first);
    }
    let end = (!line.this).then(|| {
        // Two of a kind are told apart by when they began.
        let label = format!("Sign out {}, {about}", line.browser);
        view! {
            <form class="acts" method="post" action="/account/sessions/end">
                <input type="hidden" name="id" value=line.id.clone()/>
                <button class="button small" aria-label=label>"Sign out"</button>
            </form>
        }
    });
    view! {
        <li>
            <div>
                <p>{line.browser.clone()}</p>
                <p class="help">{about.clone()}</p>
            </div>
            {end}
        </li>
    }
    .into_any()
}

fn password_form(page: &AccountPage, refused: Option<&Problem>) -> AnyView {
    let present = FormField {
        name: "present",
        label: "Present password",
        kind: "password",
        autocomplete: "current-password",
        help: "",
        value: String::new(),
        length: None,
    };
    let new = FormField {
        name: "new",
        label: "New password",
        kind: "password",
        autocomplete: "new-password",
        help: PASSWORD_HELP,
        value: String::new(),
        length: Some(PASSWORD_LENGTH),
    };
    view! {
        <h2 id="password">"Change your password"</h2>
        <form class="way" method="post" action="/account/password" aria-labelledby="password">
            // So that a store of passwords knows whose it is.
            <input
                type="text"
                name="username"
                value=page.email.clone()
                autocomplete="username"
                hidden
                readonly
            />
            {present.view(refused)}
            {new.view(refused)}
            <button class="button loud">"Change password"</button>
            <p class="help">"You are signed out everywhere else then."</p>
        </form>
    }
    .into_any()
}
