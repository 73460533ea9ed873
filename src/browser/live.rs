//! The event stream. HTTP/1.1 allows six connections per origin, so of a browser's pages the one
//! that holds the lock opens the stream and a channel feeds the others. A page that joins asks the
//! holder, who opens its stream anew: every stream starts with a snapshot, so everyone gets one.
//! What goes through the channel begins with the person it is about, for a browser may change
//! hands while pages stand open.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use leptos::prelude::{document, window};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::JsFuture;
use web_sys::{BroadcastChannel, EventSource, MessageEvent, Response};

use super::{
    json,
    timers::{sleep, spawn},
};
use crate::domain::event::Event;

const NAME: &str = "patchbay-events";
const STREAM: &str = "/api/v1/events";
/// Asked of the holder by a page that joins.
const HELLO: &str = "?";

/// What the stream says.
pub enum Message {
    Event(Event),
    /// The session is over.
    Bye,
    /// Whether the stream has been down for a while.
    Down(bool),
}

/// Between pages: one letter for the kind, then the text.
fn parse(text: &str) -> Option<Message> {
    let (kind, rest) = text.split_at_checked(1)?;
    Some(match kind {
        "s" => Message::Event(Event::Snapshot(json::parse(rest)?)),
        "c" => Message::Event(Event::Connection(Box::new(json::parse(rest)?))),
        "b" => Message::Bye,
        "d" => Message::Down(true),
        "u" => Message::Down(false),
        _ => return None,
    })
}

struct Live {
    deliver: Box<dyn Fn(Message)>,
    /// Whose page this is.
    person: String,
    channel: Option<BroadcastChannel>,
    stream: RefCell<Option<EventSource>>,
    /// How often in a row the browser has given up.
    failed: Cell<u32>,
}

/// When to open a stream again that the browser has given up: later each time, and each page at
/// another time, so that a server that comes back is not run over.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a few thousand, and what is behind the point does not count"
)]
fn pause(failed: u32) -> i32 {
    let longest = f64::from(1_000_u32 << failed.min(5));
    // From half of it to all of it.
    (longest * (0.5 + js_sys::Math::random() / 2.0)) as i32
}

/// A page says that its stream is down once it has been so for a while: for so many milliseconds, or
/// for so many streams in a row that did not open (pauses of 1, 2, 4 seconds, or half of that).
const WHILE: i32 = 10_000;
const LAST_SILENT: u32 = 2;

/// Follows the stream as long as the page lives.
pub fn follow(deliver: impl Fn(Message) + 'static) {
    let live = Rc::new(Live {
        deliver: Box::new(deliver),
        person: person().unwrap_or_default(),
        channel: BroadcastChannel::new(NAME).ok(),
        stream: RefCell::new(None),
        failed: Cell::new(0),
    });
    let locks = js_sys::Reflect::get(&window().navigator(), &"locks".into())
        .ok()
        .filter(|locks| locks.is_object());
    let (Some(channel), Some(locks)) = (&live.channel, locks) else {
        live.open();
        return;
    };
    let listener = Closure::<dyn Fn(MessageEvent)>::new({
        let live = live.clone();
        move |event: MessageEvent| {
            let text = event.data().as_string().unwrap_or_default();
            match text.strip_prefix(&live.person) {
                Some(HELLO) if live.stream.borrow().is_some() => live.open(),
                Some(text) => live.hear(text),
                // A page of somebody else, who signed in after this one was made.
                None if text.ends_with(HELLO) => (live.deliver)(Message::Bye),
                None => {}
            }
        }
    });
    channel.set_onmessage(Some(listener.as_ref().unchecked_ref()));
    listener.forget();
    live.post(HELLO);
    hold(&locks, live.clone());
}

/// Whose page this is, as its frame says.
fn person() -> Option<String> {
    let frame = document().query_selector("[data-person]").ok()??;
    frame.get_attribute("data-person")
}

/// Whether nobody is signed in any more; no answer is no verdict.
async fn signed_out() -> bool {
    let answer = JsFuture::from(window().fetch_with_str("/api/v1/connections")).await;
    answer.is_ok_and(|answer| answer.unchecked_into::<Response>().status() == 401)
}

/// Waits for the lock, then holds it until the page goes.
fn hold(locks: &JsValue, live: Rc<Live>) {
    let name = format!("{NAME} {}", live.person);
    let held = Closure::once_into_js(move || -> JsValue {
        live.open();
        js_sys::Promise::new(&mut |_, _| {}).into()
    });
    if let Ok(request) = js_sys::Reflect::get(locks, &"request".into())
        && let Some(request) = request.dyn_ref::<js_sys::Function>()
    {
        drop(request.call2(locks, &name.into(), &held));
    }
}

impl Live {
    /// To this page and to the others.
    fn tell(&self, kind: &str, text: &str) {
        let text = format!("{kind}{text}");
        self.post(&text);
        self.hear(&text);
    }

    fn post(&self, text: &str) {
        if let Some(channel) = &self.channel {
            drop(channel.post_message(&format!("{}{text}", self.person).into()));
        }
    }

    fn hear(&self, text: &str) {
        if let Some(message) = parse(text) {
            (self.deliver)(message);
        }
    }

    fn is_current(&self, source: &EventSource) -> bool {
        self.stream.borrow().as_ref() == Some(source)
    }

    /// Opens the stream, in place of an older one.
    fn open(self: &Rc<Self>) {
        let Ok(stream) = EventSource::new(STREAM) else {
            return;
        };
        if let Some(old) = self.stream.replace(Some(stream.clone())) {
            old.close();
        }
        for (event, kind) in [
            ("snapshot", "s"),
            ("connection", "c"),
            ("bye", "b"),
            ("open", "u"),
        ] {
            let live = self.clone();
            let source = stream.clone();
            let listener = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
                let text = event.data().as_string().unwrap_or_default();
                if kind == "b" {
                    source.close();
                }
                live.failed.set(0);
                live.tell(kind, &text);
            });
            drop(stream.add_event_listener_with_callback(event, listener.as_ref().unchecked_ref()));
            listener.forget();
        }
        let live = self.clone();
        let source = stream.clone();
        let listener = Closure::<dyn Fn()>::new(move || {
            let (live, source) = (live.clone(), source.clone());
            spawn(async move {
                // A page that signs out may be gone before its stream says so to the others.
                if source.ready_state() == EventSource::CLOSED && signed_out().await {
                    live.tell("b", "");
                    return;
                }
                // The browser gives up for good after an answer that is no stream.
                if source.ready_state() == EventSource::CLOSED {
                    let failed = live.failed.get();
                    live.failed.set(failed + 1);
                    sleep(pause(failed)).await;
                    if live.is_current(&source) {
                        if failed == LAST_SILENT {
                            live.tell("d", "");
                        }
                        live.open();
                    }
                    return;
                }
                sleep(WHILE).await;
                if live.is_current(&source) && source.ready_state() != EventSource::OPEN {
                    live.tell("d", "");
                }
            });
        });
        stream.set_onerror(Some(listener.as_ref().unchecked_ref()));
        listener.forget();
    }
}
