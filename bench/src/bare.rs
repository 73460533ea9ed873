//! The bare route: axum, and bytes that are there already. Nothing that serves pages from axum can be
//! faster, so it is what a page is measured by.

use std::io::Write;

use axum::{
    Router,
    body::Bytes,
    http::{HeaderName, header},
    routing::get,
    serve::ListenerExt,
};
use tokio::net::TcpListener;

use crate::Result;

/// Serves `file` at `/`, and says on stdout where.
pub async fn serve(file: &str, mime: &str, encoding: &str) -> Result<()> {
    let body = Bytes::from(std::fs::read(file)?);
    let mut headers: Vec<(HeaderName, String)> = vec![(header::CONTENT_TYPE, mime.to_owned())];
    if encoding != "identity" {
        headers.push((header::CONTENT_ENCODING, encoding.to_owned()));
    }
    let headers: Vec<(HeaderName, axum::http::HeaderValue)> = headers
        .into_iter()
        .map(|(name, value)| Ok((name, value.parse()?)))
        .collect::<Result<_>>()?;
    let answer = move || {
        let (headers, body) = (headers.clone(), body.clone());
        async move { (axum::response::AppendHeaders(headers), body) }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", listener.local_addr()?)?;
    out.flush()?;
    // As Patchbay does: without it small answers wait for each other.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, Router::new().route("/", get(answer))).await?;
    Ok(())
}
