//! A file that never changes, in the forms that browsers take: as it is, and compressed beforehand. Each
//! form has an `ETag` of its own, made of its content.
//!
//! May import nothing of ours.

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, HeaderValue, Request, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tower::{ServiceExt, service_fn};
use tower_http::{CompressionLevel, compression::Compression};

/// How hard a text is compressed that was not there when the program was built: what is beyond costs
/// ten times as long for a few hundred bytes less.
const LEVEL: CompressionLevel = CompressionLevel::Precise(9);

#[derive(Clone, Debug)]
pub struct Packed {
    mime: HeaderValue,
    plain: Form,
    brotli: Option<Form>,
    gzip: Option<Form>,
}

#[derive(Clone, Debug)]
pub struct Form {
    bytes: Bytes,
    etag: HeaderValue,
}

impl Form {
    /// `hash` is the SHA-256 of the bytes.
    pub fn new(bytes: Bytes, hash: &[u8]) -> Self {
        let digits: String = hash.iter().take(12).map(|b| format!("{b:02x}")).collect();
        let etag = HeaderValue::try_from(format!("\"{digits}\""));
        Self {
            bytes,
            // Digits between quotes are always a header's value.
            etag: etag.unwrap_or(HeaderValue::from_static("\"\"")),
        }
    }

    fn of(bytes: Bytes) -> Self {
        let hash = Sha256::digest(&bytes);
        Self::new(bytes, &hash)
    }
}

impl Packed {
    pub fn new(mime: &str, plain: Form, brotli: Option<Form>, gzip: Option<Form>) -> Self {
        let octets = HeaderValue::from_static("application/octet-stream");
        Self {
            mime: HeaderValue::from_str(mime).unwrap_or(octets),
            plain,
            brotli,
            gzip,
        }
    }

    /// Compresses a text now, so that no request has to wait for it again.
    pub async fn text(mime: &'static str, text: &str) -> Self {
        let text = Bytes::copy_from_slice(text.as_bytes());
        Self {
            mime: HeaderValue::from_static(mime),
            brotli: compressed(&text, "br").await.map(Form::of),
            gzip: compressed(&text, "gzip").await.map(Form::of),
            plain: Form::of(text),
        }
    }

    /// The smallest form that the browser takes, or the word that it has it already.
    pub fn answer(&self, asked: &HeaderMap, cache: &'static str) -> Response {
        let (encoding, form) = [("br", &self.brotli), ("gzip", &self.gzip)]
            .into_iter()
            .find_map(|(name, form)| {
                let form = form.as_ref().filter(|_| accepts(asked, name))?;
                Some((Some(name), form))
            })
            .unwrap_or((None, &self.plain));
        let mut response = if knows(asked, &form.etag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let mut whole = form.bytes.clone().into_response();
            let out = whole.headers_mut();
            out.insert(header::CONTENT_TYPE, self.mime.clone());
            if let Some(encoding) = encoding {
                out.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
            }
            whole
        };
        let out = response.headers_mut();
        out.insert(header::ETAG, form.etag.clone());
        out.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        out.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
        response
    }
}

/// Whether the browser takes this encoding: named, and not with a weight of nothing.
fn accepts(asked: &HeaderMap, encoding: &str) -> bool {
    parts(asked, header::ACCEPT_ENCODING).any(|part| {
        let (name, weight) = part.split_once(';').unwrap_or((part, ""));
        let weight = weight.trim().strip_prefix("q=").unwrap_or("1");
        name.trim().eq_ignore_ascii_case(encoding)
            && !weight.trim().bytes().all(|b| matches!(b, b'0' | b'.'))
    })
}

/// Whether the browser has this very form. A proxy may have made the tag a weak one.
fn knows(asked: &HeaderMap, etag: &HeaderValue) -> bool {
    parts(asked, header::IF_NONE_MATCH).any(|known| {
        known == "*" || known.strip_prefix("W/").unwrap_or(known).as_bytes() == etag.as_bytes()
    })
}

/// What stands between the commas of a header.
fn parts(asked: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = &str> {
    let lines = asked.get_all(name).into_iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(',').map(str::trim))
}

/// By the layer that compresses all other answers too, once.
async fn compressed(text: &Bytes, encoding: &'static str) -> Option<Bytes> {
    let answer = text.clone();
    let plain = service_fn(move |_: Request<Body>| {
        let answer = answer.clone();
        async move { Ok::<_, std::convert::Infallible>(Response::new(Body::from(answer))) }
    });
    let layer = Compression::new(plain)
        .br(encoding == "br")
        .gzip(encoding == "gzip")
        .quality(LEVEL);
    let request = Request::builder().header(header::ACCEPT_ENCODING, encoding);
    let response = layer
        .oneshot(request.body(Body::empty()).ok()?)
        .await
        .ok()?;
    let packed = to_bytes(Body::new(response.into_body()), usize::MAX).await;
    // What does not get smaller is sent as it is.
    packed.ok().filter(|packed| packed.len() < text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let headers = headers.iter();
        headers
            .map(|(name, value)| {
                let name = header::HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            })
            .collect()
    }

    fn encoding(response: &Response) -> &str {
        let found = response.headers().get(header::CONTENT_ENCODING);
        found.and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    #[tokio::test]
    async fn each_browser_gets_what_it_takes_and_only_once() {
        let text = "body { color: red }\n".repeat(200);
        let packed = Packed::text("text/css", &text).await;
        let mut tags = std::collections::BTreeSet::new();
        for (accepts, wanted) in [
            ("gzip, deflate, br, zstd", "br"),
            ("gzip;q=1.0, BR;q=0.5", "br"),
            ("gzip, br;q=0", "gzip"),
            ("gzip, br; q=0.000", "gzip"),
            ("brotli, xgzip", ""),
            ("identity", ""),
            ("", ""),
        ] {
            let headers = asked(&[("accept-encoding", accepts)]);
            let response = packed.answer(&headers, "no-cache");
            assert_eq!(encoding(&response), wanted, "{accepts}");
            assert_eq!(response.headers()["content-type"], "text/css");
            assert_eq!(response.headers()["vary"], "accept-encoding");
            assert_eq!(response.headers()["cache-control"], "no-cache");
            let etag = response.headers()["etag"].clone();
            tags.insert((wanted, etag.clone()));
            let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
            assert_eq!(body.len() < text.len(), !wanted.is_empty(), "{accepts}");
            let mut again = headers.clone();
            again.insert(header::IF_NONE_MATCH, etag);
            let known = packed.answer(&again, "no-cache");
            assert_eq!(known.status(), StatusCode::NOT_MODIFIED, "{accepts}");
            assert_eq!(encoding(&known), "");
        }
        assert_eq!(tags.len(), 3, "a tag for each form: {tags:?}");
    }

    #[tokio::test]
    async fn a_tag_is_known_in_a_list_and_weakened_and_no_other_is() {
        let packed = Packed::text("image/svg+xml", "<svg/>").await;
        assert!(packed.brotli.is_none(), "it would not get smaller");
        let etag = packed.plain.etag.to_str().unwrap().to_owned();
        for (line, known) in [
            (format!("W/{etag}"), true),
            (format!("\"x\", {etag}"), true),
            ("*".to_owned(), true),
            ("\"x\"".to_owned(), false),
            (etag.trim_matches('"').to_owned(), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, HeaderValue::try_from(&line).unwrap());
            let status = packed.answer(&headers, "no-cache").status();
            assert_eq!(status == StatusCode::NOT_MODIFIED, known, "{line}");
        }
    }
}
