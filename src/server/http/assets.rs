//! Files: the site as it was built, inside the binary, and the icons.
//!
//! Addresses under `/assets/<version>/` change with their content, so browsers keep them for ever.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use axum::{
    Extension,
    extract::{Path, Request, State},
    http::{HeaderMap, Uri},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use rust_embed::{EmbeddedFile, RustEmbed};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use super::{
    packed::{Form, Packed},
    pages,
    problem::ApiError,
    session::{MaybeSignedIn, SignedIn},
};
use crate::{
    domain::problem::Problem,
    server::{services::Services, state::AppState},
};

const FOR_EVER: &str = "public, max-age=31536000, immutable";
const FOR_A_DAY: &str = "public, max-age=86400";

/// `target/site`: from the disk in debug builds, inside the binary otherwise. A build without a
/// front end (tests of the API) has none.
#[derive(RustEmbed)]
#[folder = "target/site"]
#[allow_missing = true]
struct Site;

/// What changes with the files that a page loads.
fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        let mut hash = Sha256::new();
        for name in ["pkg/patchbay.js", "pkg/patchbay.wasm", "pkg/patchbay.css"] {
            if let Some(file) = Site::get(name) {
                hash.update(file.metadata.sha256_hash());
            }
        }
        hash.finalize()
            .iter()
            .take(6)
            .map(|b| format!("{b:02x}"))
            .collect()
    })
}

/// Where pages find the site's files: `/assets/<version>`.
pub fn root() -> String {
    format!("/assets/{}", version())
}

/// A file of the site under its version; an old version (a page from before an upgrade) gets the
/// present file, but does not keep it.
pub async fn versioned(
    Path((asked, path)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let cache = if asked == version() {
        FOR_EVER
    } else {
        "no-cache"
    };
    match file(&path) {
        Some(file) => file.answer(&headers, cache),
        None => missing().into_response(),
    }
}

/// The icons and the brands' colours, compressed when the first page asks for them.
#[derive(Clone, Default)]
pub struct Look {
    icons: Arc<OnceCell<Packed>>,
    brands: Arc<OnceCell<Packed>>,
}

/// The icons as one SVG, or the brands' colours as a style sheet, under their version.
pub async fn icons(
    State(services): State<Services>,
    Extension(look): Extension<Look>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Response {
    let pages = &services.pages;
    let (address, mime, text, kept) = if file.ends_with(".css") {
        let text = pages.brand_styles();
        (pages.brands(), "text/css", text, look.brands)
    } else {
        (pages.icons(), "image/svg+xml", pages.sprite(), look.icons)
    };
    let present = address.ends_with(&format!("/{file}"));
    let cache = if present { FOR_EVER } else { "no-cache" };
    let packed = kept.get_or_init(|| Packed::text(mime, text)).await;
    packed.answer(&headers, cache)
}

/// A file at the site's root (`/favicon.svg`), or a page that does not exist.
pub async fn fallback(
    State(state): State<AppState>,
    MaybeSignedIn(signed_in): MaybeSignedIn,
    uri: Uri,
    request: Request,
) -> Response {
    let path = uri.path().trim_start_matches('/');
    if uri.path().starts_with("/api/") {
        return missing().into_response();
    }
    if let Some(file) = file(path) {
        return file.answer(request.headers(), FOR_A_DAY);
    }
    let user = signed_in.map(|SignedIn { user, .. }| user);
    pages::not_found(state, user, request).await
}

/// The address exists, the method does not.
pub fn method_not_allowed() -> ApiError {
    ApiError::from(Problem::new(
        405,
        "method_not_allowed",
        "This address does not take that method.",
        "The API is described in /api/v1/openapi.json.",
    ))
}

fn missing() -> ApiError {
    ApiError::from(Problem::new(
        404,
        "not_found",
        "There is nothing at this address.",
        "The API is described in /api/v1/openapi.json.",
    ))
}

/// A file of the site with what the build has made of it.
fn file(path: &str) -> Option<Arc<Packed>> {
    static FILES: OnceLock<HashMap<Cow<'static, str>, Arc<Packed>>> = OnceLock::new();
    // On the disk files change, while `make dev` runs.
    if cfg!(debug_assertions) {
        return packed(path).map(Arc::new);
    }
    let files = FILES.get_or_init(|| {
        let paths = Site::iter();
        paths
            .filter_map(|path| Some((path.clone(), Arc::new(packed(&path)?))))
            .collect()
    });
    files.get(path).cloned()
}

fn packed(path: &str) -> Option<Packed> {
    // What is made of a file is no file of its own.
    if path.ends_with(".br") || path.ends_with(".gz") {
        return None;
    }
    let form = |file: EmbeddedFile| {
        let hash = file.metadata.sha256_hash();
        let bytes = match file.data {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => Bytes::from(bytes),
        };
        Form::new(bytes, &hash)
    };
    let made = |ending: &str| Site::get(&format!("{path}{ending}")).map(form);
    let mime = mime_guess::from_path(path).first_or_octet_stream();
    let plain = form(Site::get(path)?);
    Some(Packed::new(mime.as_ref(), plain, made(".br"), made(".gz")))
}
