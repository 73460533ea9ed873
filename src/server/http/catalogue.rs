//! The catalogue's page. It is what people look at most, so it is not rendered for each of them: it is
//! printed once for each address and filled in (`pages::printed`).

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use tokio::sync::Mutex;

use super::{
    forms::{self, take_flash},
    headers,
    pages::render_catalogue,
    problem::ApiError,
    session::{SignedIn, digest},
};
use crate::{
    domain::user::User,
    pages::printed::{Fill, Printed, of_our_links},
    server::state::{AppState, CurrentSession},
};

/// So many addresses are kept: each filter by itself has its own, and they take 0.3 MB each.
const MOST: usize = 48;

/// What is printed. Cheap to clone.
#[derive(Clone, Default)]
pub struct Prints {
    known: Arc<RwLock<Known>>,
    /// One at a time prints: whoever comes meanwhile finds the page.
    press: Arc<Mutex<()>>,
}

#[derive(Default)]
struct Known {
    edition: (u64, u64),
    by_search: HashMap<String, Arc<Printed>>,
}

impl Prints {
    fn get(&self, edition: (u64, u64), search: &str) -> Option<Arc<Printed>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let found = known.by_search.get(search).cloned();
        found.filter(|_| known.edition == edition)
    }

    fn keep(&self, edition: (u64, u64), search: String, printed: Arc<Printed>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.edition != edition {
            known.by_search.clear();
            known.edition = edition;
        } else if known.by_search.len() >= MOST {
            // But for the one that everybody comes to.
            known.by_search.retain(|search, _| search.is_empty());
        }
        known.by_search.insert(search, printed);
    }
}

/// `GET /connectors`
pub async fn show(
    prints: Prints,
    State(state): State<AppState>,
    SignedIn { user, session, .. }: SignedIn,
    request: Request,
) -> Response {
    let flash = take_flash(&session).await;
    let search = request.uri().query().unwrap_or_default();
    if flash.is_empty()
        && is_kept(&state, search)
        && let Some(printed) = printed(&prints, &state, search).await
    {
        let page = filled(&state, &printed, &user).await;
        return page.unwrap_or_else(IntoResponse::into_response);
    }
    // Asked here, as what is rendered runs in tasks of its own, where nothing is found that was read along
    // with the session.
    let page = match state.services.pages.catalogue(&user).await {
        Ok(page) => page,
        Err(error) => return ApiError::from(error).into_response(),
    };
    let person = Some((user, CurrentSession(digest(&session))));
    render_catalogue(state, person, flash, request, Some(page)).await
}

/// What somebody makes up (words, parameters of others, categories that there are not) is rendered
/// for whoever asks: nobody else comes there, and it would drive the rest out.
fn is_kept(state: &AppState, search: &str) -> bool {
    let has = |category: &str| category.is_empty() || state.services.pages.has_category(category);
    search.is_empty() || of_our_links(search).is_some_and(|category| has(&category))
}

async fn filled(state: &AppState, printed: &Printed, user: &User) -> Result<Response, ApiError> {
    let pages = &state.services.pages;
    let connections = pages.connections(user).await?;
    let nonce = headers::nonce();
    let page = printed.fill(&Fill {
        user,
        connections: &connections,
        now: pages.now(),
        nonce: &nonce,
    });
    let mut response = page.into_response();
    let out = response.headers_mut();
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    out.insert(header::CONTENT_TYPE, html);
    if let Ok(policy) = HeaderValue::from_str(&headers::page_policy(&nonce)) {
        out.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    Ok(response)
}

/// What is kept for this address, printed if need be. Nothing where it can't be: then the page is
/// rendered whole.
async fn printed(prints: &Prints, state: &AppState, search: &str) -> Option<Arc<Printed>> {
    let edition = state.services.pages.edition();
    if let Some(known) = prints.get(edition, search) {
        return Some(known);
    }
    let _press = prints.press.lock().await;
    let edition = state.services.pages.edition();
    if let Some(known) = prints.get(edition, search) {
        return Some(known);
    }
    let printed = print(state, search).await.map(Arc::new);
    match &printed {
        Some(printed) => prints.keep(edition, search.to_owned(), printed.clone()),
        None => tracing::error!("the catalogue's page can't be printed, and is rendered each time"),
    }
    printed
}

async fn print(state: &AppState, search: &str) -> Option<Printed> {
    let page = state.services.pages.catalogue_of_nobody();
    let given = page.clone();
    let uri: Uri = format!("/connectors?{search}").parse().ok()?;
    let search = uri.query().unwrap_or_default().to_owned();
    let request = Request::get(uri).body(Body::empty()).ok()?;
    let flash = forms::Flash::default();
    let response = render_catalogue(state.clone(), None, flash, request, Some(given)).await;
    if response.status() != StatusCode::OK {
        return None;
    }
    let policy = response.headers().get(header::CONTENT_SECURITY_POLICY)?;
    let nonce = policy.to_str().ok()?.split("'nonce-").nth(1)?;
    let nonce = nonce.split('\'').next()?.to_owned();
    let html = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .ok()?;
    Printed::new(std::str::from_utf8(&html).ok()?, &nonce, page, search)
}
