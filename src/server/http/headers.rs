//! The headers that every answer carries: what a browser may do with it.

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::Response,
};
use leptos::nonce::Nonce;

use crate::server::{services::outage, state::AppState};

/// For everything that is no page: it loads nothing and stands in no frame.
const BARE: &str = "default-src 'none'; frame-ancestors 'none'";

/// Whatever a page here has no use for. Chromium complains about names that it does not know.
const PERMISSIONS: &str = "accelerometer=(), autoplay=(), camera=(), display-capture=(), \
    encrypted-media=(), fullscreen=(), geolocation=(), gyroscope=(), hid=(), idle-detection=(), \
    magnetometer=(), microphone=(), midi=(), payment=(), picture-in-picture=(), \
    publickey-credentials-create=(), publickey-credentials-get=(), screen-wake-lock=(), serial=(), \
    usb=(), xr-spatial-tracking=()";

/// Two years.
const HTTPS_ONLY: &str = "max-age=63072000";

/// A page's policy. Scripts that stand in the page need its nonce, which is another one each time.
/// `'self'` stands beside it for `/assets`: the page preloads its module and imports it by name, and
/// neither can carry a nonce (`'strict-dynamic'` would switch `'self'` off, and so block the
/// preload). Nothing that a person wrote is ever answered as a script, and `nosniff` keeps anything
/// else from being taken for one. Styles are a file of ours. The window that opens Nango is a
/// navigation, and no policy's business.
pub fn page_policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}' 'self' 'wasm-unsafe-eval'; \
         style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
         base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
    )
}

/// The policy of a page that has a style and a script in itself, and loads nothing.
pub fn small_page_policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         img-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    )
}

/// The same for a page whose script sends its form, to this server.
pub fn form_page_policy(nonce: &str) -> String {
    small_page_policy(nonce).replace("form-action 'none'", "form-action 'self'")
}

/// Sixteen random bytes. Leptos draws them for its pages, from the operating system's source by way
/// of `rand`; the pages that are not Leptos' take the same.
pub fn nonce() -> Nonce {
    Nonce::new()
}

/// The headers that every answer carries unless its handler said otherwise.
pub async fn add(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let away = response.status() == StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, BARE),
        // The popup must keep its opener, and nobody else may have ours.
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin-allow-popups",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (HeaderName::from_static("permissions-policy"), PERMISSIONS),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        // Pages are personal.
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    if away {
        // Worth another try, where nobody has said when.
        let seconds = HeaderValue::from(outage::RETRY_AFTER_SECONDS);
        headers.entry(header::RETRY_AFTER).or_insert(seconds);
    }
    if state.web.https {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static(HTTPS_ONLY),
        );
    }
    response
}
