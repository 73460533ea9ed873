//! Reading events and moving focus. Islands listen once, at their root, and find out here what was
//! meant: one listener weighs less than one for each of a thousand buttons.

use leptos::prelude::{document, window};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{Element, Event, HtmlDialogElement, HtmlElement, KeyboardEvent, MouseEvent};

/// Hands every event below the element that matches to `f`, with its kind. It listens on the way
/// down, so that a dialog's `close`, which does not rise, is among them.
///
/// `on:` would do, but brings Leptos' event delegation into the WASM, used or not.
pub fn listen(selector: &str, f: impl Fn(&str, &Event) + 'static) {
    let Ok(Some(root)) = document().query_selector(selector) else {
        return;
    };
    let listener = Closure::<dyn Fn(Event)>::new(move |event: Event| f(&event.type_(), &event));
    for kind in ["click", "input", "focusout", "submit", "close", "mousedown"] {
        let listener = listener.as_ref().unchecked_ref();
        drop(root.add_event_listener_with_callback_and_bool(kind, listener, true));
    }
    listener.forget();
}

/// What a click on something with `data-do` means.
pub struct Action {
    /// The value of `data-do`.
    pub name: String,
    /// `data-slug`
    pub slug: String,
    /// `value`: the connection it is about.
    pub value: String,
    pub href: String,
}

fn target(event: &Event) -> Option<Element> {
    event.target()?.dyn_into().ok()
}

fn property(of: &JsValue, name: &str) -> String {
    js_sys::Reflect::get(of, &name.into())
        .ok()
        .and_then(|value| value.as_string())
        .unwrap_or_default()
}

/// The action under a click; the browser's own answer to it is stopped. A click on a link that asks
/// for a new tab is left to the browser.
pub fn action(event: &Event) -> Option<Action> {
    let mouse = event.dyn_ref::<MouseEvent>()?;
    if mouse.button() != 0 {
        return None;
    }
    let element = target(event)?.closest("[data-do]").ok()??;
    let elsewhere = mouse.ctrl_key() || mouse.meta_key() || mouse.shift_key();
    if elsewhere && element.has_attribute("href") {
        return None;
    }
    event.prevent_default();
    let attribute = |name: &str| element.get_attribute(name).unwrap_or_default();
    Some(Action {
        name: attribute("data-do"),
        slug: attribute("data-slug"),
        value: attribute("value"),
        href: attribute("href"),
    })
}

/// The name and the value of the field an event comes from.
pub fn field(event: &Event) -> Option<(String, String)> {
    let element = target(event)?;
    Some((property(&element, "name"), property(&element, "value")))
}

/// The id of the form that an event was sent to.
pub fn form_id(event: &Event) -> String {
    target(event).map(|form| form.id()).unwrap_or_default()
}

/// The value of the first field that matches.
pub fn value_of(selector: &str) -> String {
    document()
        .query_selector(selector)
        .ok()
        .flatten()
        .map(|element| property(&element, "value"))
        .unwrap_or_default()
}

/// Puts a value into the first element that matches.
pub fn set_value(selector: &str, value: &str) {
    if let Ok(Some(element)) = document().query_selector(selector) {
        drop(js_sys::Reflect::set(
            &element,
            &"value".into(),
            &value.into(),
        ));
    }
}

/// Closes the `<details>` that match.
pub fn fold(selector: &str) {
    if let Ok(Some(element)) = document().query_selector(selector) {
        drop(element.remove_attribute("open"));
    }
}

/// Nango answered: the word that it does not is out of date.
pub fn end_outage() {
    if let Ok(Some(banner)) = document().query_selector("[data-outage]") {
        banner.remove();
    }
}

/// Lower case, without Unicode's tables in the WASM.
pub fn lower(text: &str) -> String {
    js_sys::JsString::from(text).to_lower_case().into()
}

/// Whether the whole value matches, as HTML's `pattern` would say.
pub fn matches(pattern: &str, value: &str) -> bool {
    js_sys::RegExp::new(&format!("^(?:{pattern})$"), "u").test(value)
}

/// Shows or hides what was typed into the secret field beside the button.
pub fn reveal(event: &Event) {
    let Some(button) = target(event).and_then(|e| e.closest("[data-do]").ok()?) else {
        return;
    };
    let Some(input) = button.previous_element_sibling() else {
        return;
    };
    let hidden = input.get_attribute("type").as_deref() == Some("password");
    set_shown(&button, &input, hidden);
}

fn set_shown(button: &Element, input: &Element, shown: bool) {
    drop(input.set_attribute("type", if shown { "text" } else { "password" }));
    drop(button.set_attribute("aria-pressed", if shown { "true" } else { "false" }));
}

/// Hides what is typed into every secret field again.
pub fn conceal() {
    while let Ok(Some(button)) = document().query_selector("[data-do=reveal][aria-pressed=true]")
        && let Some(input) = button.previous_element_sibling()
    {
        set_shown(&button, &input, false);
    }
}

/// Moves focus to the first element that matches.
pub fn focus(selector: &str) {
    if let Ok(Some(element)) = document().query_selector(selector)
        && let Some(element) = element.dyn_ref::<HtmlElement>()
    {
        drop(element.focus());
    }
}

/// Whether what had the focus is gone. What was only hidden keeps it until the next frame, but has
/// no width any more.
fn focus_lost() -> bool {
    document().active_element().is_none_or(|element| {
        element.tag_name() == "BODY"
            || element
                .dyn_ref::<HtmlElement>()
                .is_some_and(|element| element.offset_width() == 0)
    })
}

/// Moves focus to what matches if it got lost; where that cannot take it, to the details' heading.
/// While the dialog is open, what lies behind it is not looked at.
pub fn rescue_focus(selector: &str) {
    if !focus_lost() {
        return;
    }
    if dialog().is_some_and(|dialog| dialog.open()) {
        focus(&format!("dialog {selector}"));
    } else {
        focus(selector);
    }
    if focus_lost() {
        focus("#details-title");
    }
}

/// Names the page, as its tab and its place in the history do.
pub fn set_title(name: &str) {
    document().set_title(&format!("{name} · Patchbay"));
}

fn dialog() -> Option<HtmlDialogElement> {
    document().query_selector("dialog").ok()??.dyn_into().ok()
}

/// Opens the page's dialog.
pub fn open_dialog() {
    if let Some(dialog) = dialog()
        && !dialog.open()
    {
        drop(dialog.show_modal());
    }
}

pub fn close_dialog() {
    if let Some(dialog) = dialog() {
        dialog.close();
    }
}

/// A click on the backdrop hits the dialog element itself.
pub fn on_backdrop(event: &Event) -> bool {
    target(event).is_some_and(|element| element.tag_name() == "DIALOG")
}

/// `/` anywhere but in a field moves to the search box.
pub fn slash_focuses(selector: &'static str) {
    let listener = Closure::<dyn Fn(KeyboardEvent)>::new(move |event: KeyboardEvent| {
        let typing = target(&event).is_some_and(|element| {
            element
                .closest("input,select,textarea,dialog")
                .ok()
                .flatten()
                .is_some()
        });
        if event.key() == "/" && !typing && !event.ctrl_key() && !event.meta_key() {
            event.prevent_default();
            focus(selector);
        }
    });
    window().set_onkeydown(Some(listener.as_ref().unchecked_ref()));
    listener.forget();
}
