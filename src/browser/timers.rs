//! Waiting, and the time.

use std::future::Future;

use js_sys::Promise;
use leptos::prelude::window;
use wasm_bindgen_futures::JsFuture;

/// A promise is awaited for every request anyway; gloo-timers would add a channel of its own.
pub async fn sleep(ms: i32) {
    let gone = Promise::new(&mut |resolve, _| {
        drop(window().set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, ms));
    });
    drop(JsFuture::from(gone).await);
}

/// Runs a task beside the page.
pub fn spawn(task: impl Future<Output = ()> + 'static) {
    wasm_bindgen_futures::spawn_local(task);
}

/// Milliseconds since 1970 by the person's clock; only differences of it are trusted.
#[expect(
    clippy::cast_possible_truncation,
    reason = "milliseconds fit an i64 for ages"
)]
pub fn clock_ms() -> i64 {
    js_sys::Date::now() as i64
}
