//! The windows people sign in with. Each belongs to a connector and, once the server answered, to
//! an attempt, whose id is in the window's name: so a page that was reloaded finds it again.

use std::cell::RefCell;

use leptos::prelude::{document, window};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{MessageEvent, Window};

struct Popup {
    slug: String,
    window: Window,
}

thread_local! {
    static POPUPS: RefCell<Vec<Popup>> = const { RefCell::new(Vec::new()) };
}

const WIDTH: i32 = 500;
const HEIGHT: i32 = 600;

/// 500×600 in the middle of the window that opens it.
fn features() -> String {
    let number = |value: Result<JsValue, JsValue>| {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "screen coordinates are small"
        )]
        value.ok().and_then(|v| v.as_f64()).map_or(0, |v| v as i32)
    };
    let window = window();
    let left = number(window.screen_x()) + (number(window.outer_width()) - WIDTH) / 2;
    let top = number(window.screen_y()) + (number(window.outer_height()) - HEIGHT) / 2;
    format!("popup,width={WIDTH},height={HEIGHT},left={left},top={top}")
}

fn name(attempt: &str) -> String {
    format!("patchbay-{attempt}")
}

fn keep(slug: &str, window: Window) {
    POPUPS.with_borrow_mut(|popups| {
        popups.retain(|popup| popup.slug != slug);
        popups.push(Popup {
            slug: slug.to_owned(),
            window,
        });
    });
}

/// Opens an empty window that says what comes; false where the browser blocked it. Must run in the
/// click itself.
pub fn open(slug: &str, text: &str) -> bool {
    let Ok(Some(popup)) = window().open_with_url_and_target_and_features("", "", &features())
    else {
        return false;
    };
    if let Some(document) = popup.document() {
        document.set_title(text);
        if let Some(body) = document.body() {
            drop(body.style().set_property("color-scheme", "light dark"));
            drop(body.style().set_property("font", "1rem system-ui"));
            body.set_text_content(Some(text));
        }
    }
    keep(slug, popup);
    true
}

/// Sends the window on; false where it is gone.
pub fn navigate(slug: &str, url: &str, attempt: &str) -> bool {
    POPUPS.with_borrow_mut(|popups| {
        let Some(popup) = popups.iter_mut().find(|popup| popup.slug == slug) else {
            return false;
        };
        if popup.window.closed().unwrap_or(true) {
            return false;
        }
        popup.window.set_name(&name(attempt)).is_ok()
            && popup.window.location().replace(url).is_ok()
    })
}

/// Brings the attempt's window to the front, or opens it anew at `url`; false where it was blocked.
pub fn resume(slug: &str, url: &str, attempt: &str) -> bool {
    let opened = window().open_with_url_and_target_and_features("", &name(attempt), &features());
    let Ok(Some(popup)) = opened else {
        return false;
    };
    // Only a window of our own origin, so an empty one, lets its address be read.
    let fresh = js_sys::Reflect::get(&popup.location(), &"href".into())
        .ok()
        .and_then(|href| href.as_string())
        .is_some_and(|href| href == "about:blank");
    if fresh {
        drop(popup.location().replace(url));
    }
    drop(popup.focus());
    let known = POPUPS.with_borrow(|popups| popups.iter().any(|popup| popup.slug == slug));
    if fresh || !known {
        keep(slug, popup);
    }
    true
}

/// Whether the window is gone, or only looks so: a page that cuts its opener off (COOP) does too.
pub fn closed(slug: &str) -> bool {
    POPUPS.with_borrow(|popups| {
        popups
            .iter()
            .find(|popup| popup.slug == slug)
            .is_none_or(|popup| popup.window.closed().unwrap_or(true))
    })
}

/// Closes the window, if it is still ours, and forgets it.
pub fn close(slug: &str) {
    POPUPS.with_borrow_mut(|popups| {
        popups.retain(|popup| {
            let ours = popup.slug == slug;
            if ours {
                drop(popup.window.close());
            }
            !ours
        });
    });
}

/// Nango's origin, as the page's frame says: a window that was found again has no other witness.
fn is_nango(origin: &str) -> bool {
    document()
        .query_selector("[data-nango]")
        .ok()
        .flatten()
        .and_then(|frame| frame.get_attribute("data-nango"))
        .is_some_and(|nango| nango == origin)
}

/// A text of an object, no longer than the server takes it.
fn text(of: &JsValue, name: &str, longest: usize) -> String {
    let value = js_sys::Reflect::get(of, &name.into()).ok();
    let text = value
        .and_then(|value| value.as_string())
        .unwrap_or_default();
    text.chars().take(longest).collect()
}

/// Calls `f` with the connector when its window reports an outcome, and with the type and the
/// words of an error. It is a hint: anyone who can script that window could send it, so the server
/// is asked, never believed on its word.
pub fn on_hint(f: impl Fn(String, Option<[String; 2]>) + 'static) {
    let listener = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
        let data = event.data();
        let failure = match text(&data, "type", 99).as_str() {
            "nango_oauth_callback_success" => None,
            "nango_oauth_callback_error" => {
                let payload = js_sys::Reflect::get(&data, &"payload".into()).unwrap_or_default();
                Some([
                    text(&payload, "errorType", 100),
                    text(&payload, "message", 500),
                ])
            }
            _ => return,
        };
        if !is_nango(&event.origin()) {
            return;
        }
        let source = event.source();
        let slug = POPUPS.with_borrow(|popups| {
            popups
                .iter()
                .find(|popup| {
                    source
                        .as_ref()
                        .is_some_and(|s| js_sys::Object::is(s, &popup.window))
                })
                .map(|popup| popup.slug.clone())
        });
        if let Some(slug) = slug {
            f(slug, failure);
        }
    });
    window().set_onmessage(Some(listener.as_ref().unchecked_ref()));
    listener.forget();
}
