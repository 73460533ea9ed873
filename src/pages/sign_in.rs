//! `/sign-in`: every way in that there is here. May import `domain`, `server_fns`.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use super::{
    form_field::{FormField, alert, next_field},
    frame::problem_page,
};
use crate::{
    app::{Flash, StatusSetter},
    components::address,
    domain::{page::SignInPage, problem::Problem},
    server_fns::pages::sign_in_page,
};

#[component]
pub fn SignIn() -> impl IntoView {
    let next = use_query_map().with_untracked(|query| query.get("next").unwrap_or_default());
    let status = use_context::<StatusSetter>();
    let Flash(refused, values) = use_context().unwrap_or_default();
    let email = values.get("email").cloned().unwrap_or_default();
    let page = OnceResource::new_blocking(sign_in_page(next));
    view! {
        <Suspense>
            {move || {
                let (status, refused, email) = (status.clone(), refused.clone(), email.clone());
                Suspend::new(async move {
                    match page.await {
                        Err(problem) => problem_page(&problem, status.as_ref()),
                        Ok(page) => content(&page, email, refused.as_ref()),
                    }
                })
            }}
        </Suspense>
    }
}

fn content(page: &SignInPage, email: String, refused: Option<&Problem>) -> AnyView {
    let mut ways = Vec::new();
    if page.local {
        ways.push(password_form(page, email, refused));
    }
    if !page.providers.is_empty() {
        ways.push(providers(page));
    }
    if page.demo {
        ways.push(demo(page));
    }
    let none = ways.is_empty().then(|| {
        view! {
            <p class="note">
                "Signing in is not set up here yet. Its operator has to add a way to sign in."
            </p>
        }
    });
    // Between the ways, not before the first.
    let ways: Vec<_> = ways
        .into_iter()
        .enumerate()
        .map(|(number, way)| {
            let or = (number > 0).then(|| view! { <p class="or">"or"</p> });
            view! { {or} {way} }
        })
        .collect();
    view! {
        <Title text="Sign in · Patchbay"/>
        <main id="main" class="sign-in">
            <h1>"Patchbay"</h1>
            <p>"Connect the tools you already use, and see at a glance what is healthy."</p>
            {alert(refused)}
            {none}
            {ways}
        </main>
    }
    .into_any()
}

fn password_form(page: &SignInPage, email: String, refused: Option<&Problem>) -> AnyView {
    let email = FormField {
        name: "email",
        label: "E-mail address",
        kind: "email",
        autocomplete: "username",
        help: "",
        value: email,
        length: None,
    };
    let password = FormField {
        name: "password",
        label: "Password",
        kind: "password",
        autocomplete: "current-password",
        help: "",
        value: String::new(),
        length: None,
    };
    let below = if page.sign_up {
        let href = address::with_next("/sign-up", &page.next);
        view! { <p class="help">"No account yet? " <a href=href>"Sign up"</a></p> }.into_any()
    } else {
        view! {
            <p class="help">"No account, or no password? Whoever runs this server can help."</p>
        }
        .into_any()
    };
    view! {
        <form class="way" method="post" action="/sign-in/password">
            {next_field(&page.next)}
            {email.view(refused)}
            {password.view(refused)}
            <button class="button loud">"Sign in"</button>
            {below}
        </form>
    }
    .into_any()
}

/// Others whose word counts: each is a way of its own, and a link.
fn providers(page: &SignInPage) -> AnyView {
    let links: Vec<_> = page
        .providers
        .iter()
        .map(|provider| {
            let path = format!("/sign-in/oidc/{}", provider.id);
            let href = address::with_next(&path, &page.next);
            view! { <a class="button" href=href>{format!("Continue with {}", provider.name)}</a> }
        })
        .collect();
    view! { <div class="way">{links}</div> }.into_any()
}

fn demo(page: &SignInPage) -> AnyView {
    // Where it is the only way, it is the one to take.
    let alone = !page.local && page.providers.is_empty();
    let class = if alone { "button loud" } else { "button" };
    view! {
        <form class="way" method="post" action="/sign-in/demo">
            {next_field(&page.next)}
            <button class=class>"Continue as demo user"</button>
            <p class="help">
                {if page.sandbox {
                    "No account needed: everything you connect here is pretend."
                } else {
                    "For trying it out on this computer. Accounts you connect are real."
                }}
            </p>
        </form>
    }
    .into_any()
}
