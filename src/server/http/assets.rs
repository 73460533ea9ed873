//! Files: the site as it was built, inside the binary, and the icons.
//!
//! Addresses under `/assets/<version>/` change with their content, so browsers keep them for ever.

use std::{borrow::Cow, sync::OnceLock};

use axum::{
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use rust_embed::{EmbeddedFile, RustEmbed};
use sha2::{Digest, Sha256};

use super::{
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

/// Where pages find the site's files: `/assets/<version>`.
pub fn root() -> String {
    static VERSION: OnceLock<String> = OnceLock::new();
    let version = VERSION.get_or_init(|| {
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
    });
    format!("/assets/{version}")
}

/// A file of the site under its version; an old version (a page from before an upgrade) gets the
/// present file, but does not keep it.
pub async fn versioned(
    Path((version, path)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let present = root().ends_with(&format!("/{version}"));
    let cache = if present { FOR_EVER } else { "no-cache" };
    file(&path, &headers, cache).unwrap_or_else(|| missing().into_response())
}

/// The icons as one SVG, or the brands' colours as a style sheet, under their version.
pub async fn icons(State(services): State<Services>, Path(file): Path<String>) -> Response {
    let pages = &services.pages;
    let (address, mime, text) = if file.ends_with(".css") {
        (pages.brands(), "text/css", pages.brand_styles())
    } else {
        (pages.icons(), "image/svg+xml", pages.sprite())
    };
    let present = address.ends_with(&format!("/{file}"));
    let cache = if present { FOR_EVER } else { "no-cache" };
    (
        [(header::CONTENT_TYPE, mime), (header::CACHE_CONTROL, cache)],
        text.to_owned(),
    )
        .into_response()
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
    if let Some(response) = file(path, request.headers(), FOR_A_DAY) {
        return response;
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

/// The best encoding that the browser takes and the build made.
fn file(path: &str, headers: &HeaderMap, cache: &'static str) -> Option<Response> {
    let accepts = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let plain = Site::get(path)?;
    let (encoding, chosen) = [("br", ".br"), ("gzip", ".gz")]
        .into_iter()
        .filter(|(encoding, _)| accepts.split(',').any(|a| a.trim().starts_with(encoding)))
        .find_map(|(encoding, ending)| {
            Some((Some(encoding), Site::get(&format!("{path}{ending}"))?))
        })
        .unwrap_or((None, plain));
    Some(answer(path, chosen, encoding, headers, cache))
}

fn answer(
    path: &str,
    file: EmbeddedFile,
    encoding: Option<&'static str>,
    headers: &HeaderMap,
    cache: &'static str,
) -> Response {
    let hash: String = file
        .metadata
        .sha256_hash()
        .iter()
        .take(12)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let etag = format!("\"{hash}\"");
    let mut response = if headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known.as_bytes() == etag.as_bytes())
    {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        match file.data {
            Cow::Borrowed(bytes) => bytes.into_response(),
            Cow::Owned(bytes) => bytes.into_response(),
        }
    };
    let mime = mime_guess::from_path(path).first_or_octet_stream();
    let out = response.headers_mut();
    if let Ok(mime) = HeaderValue::from_str(mime.as_ref()) {
        out.insert(header::CONTENT_TYPE, mime);
    }
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        out.insert(header::ETAG, etag);
    }
    if let Some(encoding) = encoding {
        out.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    out.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}
