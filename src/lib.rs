//! Patchbay: one crate, compiled twice: into the server (`ssr`) and into the browser's WASM
//! (`hydrate`). This file is the module list and the one place that gates `server`.

#![recursion_limit = "512"]

pub mod app;
pub mod browser;
pub mod components;
pub mod domain;
pub mod pages;
pub mod server_fns;

#[cfg(feature = "ssr")]
pub mod server;

/// Called by the page's script: brings the islands to life.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    // Words for a panic are for those who can change the code: a release is smaller without.
    #[cfg(debug_assertions)]
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_islands();
}
