//! The page's address.

use leptos::prelude::window;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};

/// The path and the query string with its `?`.
pub fn address() -> (String, String) {
    let location = window().location();
    (
        location.pathname().unwrap_or_default(),
        location.search().unwrap_or_default(),
    )
}

pub fn push(url: &str) {
    if let Ok(history) = window().history() {
        drop(history.push_state_with_url(&JsValue::NULL, "", Some(url)));
    }
}

pub fn replace(url: &str) {
    if let Ok(history) = window().history() {
        drop(history.replace_state_with_url(&JsValue::NULL, "", Some(url)));
    }
}

pub fn back() {
    if let Ok(history) = window().history() {
        drop(history.back());
    }
}

/// Calls `f` on Back and Forward, as long as the page lives.
pub fn on_move(f: impl Fn() + 'static) {
    let listener = Closure::<dyn Fn()>::new(f);
    window().set_onpopstate(Some(listener.as_ref().unchecked_ref()));
    listener.forget();
}

/// Loads a page of ours; the same address again is a reload.
pub fn reload() {
    drop(window().location().reload());
}
