//! All of web-sys lives here: popup, event stream, requests, history, timers, the document.
//!
//! May import `domain`. Components compile on both sides, so the server gets a twin of every
//! function that does nothing (`twin.rs`); none of them is reached while a page is rendered, save
//! `store::shared` and `api::page_data`, which on the server mean the request's context, and
//! `document::lower`.

pub mod json;

#[cfg(feature = "hydrate")]
pub mod api;
#[cfg(feature = "hydrate")]
pub mod document;
#[cfg(feature = "hydrate")]
pub mod history;
#[cfg(feature = "hydrate")]
pub mod live;
#[cfg(feature = "hydrate")]
pub mod popup;
#[cfg(feature = "hydrate")]
pub mod store;
#[cfg(feature = "hydrate")]
pub mod timers;

#[cfg(not(feature = "hydrate"))]
mod twin;
#[cfg(not(feature = "hydrate"))]
pub use twin::*;
